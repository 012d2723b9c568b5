package io.realtime.server;

import java.util.concurrent.CompletionStage;

/** Decides whether a client may be in a room. */
@FunctionalInterface
public interface JoinRule {
    /**
     * Decides, when a client asks to join and again whenever it comes back after a lost connection; not about rooms that
     * the application itself put the session in. Called on the server's executor, by many threads at once, also for the
     * rooms of one session; it may block. A rule that throws allows nothing, and neither does one that takes longer than
     * {@link Limits#ruleTimeout}.
     */
    boolean allows(Session session, String room);

    /** A {@link JoinRule} that decides later, without holding a thread until then. */
    @FunctionalInterface
    interface Async {
        /**
         * Begins to decide, when and where {@link JoinRule#allows} would.
         *
         * @return completes with whether the session may be in the room; a failure, or null, allows nothing
         */
        CompletionStage<Boolean> allows(Session session, String room);
    }
}
