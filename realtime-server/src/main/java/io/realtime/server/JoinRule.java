package io.realtime.server;

import java.util.concurrent.CompletionStage;

/** A rule that decides whether a client may be in a room. */
@FunctionalInterface
public interface JoinRule {
    /**
     * Returns whether the session may be in the room. Asked when a client requests to join, and again at each resume.
     * Not asked for rooms that the application has put the session in. Called on the server's executor, by many threads
     * at once, also for one session; it may block. A rule that throws, or takes longer than {@link Limits#ruleTimeout},
     * means no. The client gets the code and message of a {@link io.realtime.RealtimeException}, else {@code
     * forbidden}.
     */
    boolean allows(Session session, String room);

    /** A {@link JoinRule} that decides later, without holding a thread until then. */
    @FunctionalInterface
    interface Async {
        /**
         * Begins to decide. Called when and where {@link JoinRule#allows} would be.
         *
         * @return completes with whether the session may be in the room; null means no, and a failure what a rule that
         *     throws means
         */
        CompletionStage<Boolean> allows(Session session, String room);
    }
}
