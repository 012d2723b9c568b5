package io.realtime.server;

import io.realtime.Event;
import java.util.concurrent.CompletionStage;

/** A rule that decides whether a client may send an event that names a room. */
@FunctionalInterface
public interface SendRule {
    /** The default rule: only members may send to the room. */
    SendRule MEMBERS = (session, event, room) -> session.isIn(room);

    /**
     * Returns whether the session may send the event to the room. Called before the event's handler, on its thread. A
     * rule that throws refuses the message: with the code and message of a {@link io.realtime.RealtimeException}, else
     * with {@code internal}.
     */
    boolean allows(Session session, Event<?> event, String room);

    /** A {@link SendRule} that decides later. The session's next messages wait for it, without holding a thread. */
    @FunctionalInterface
    interface Async {
        /**
         * Begins to decide. Called on the handler's thread.
         *
         * @return completes with whether the session may send the event to the room; a failure, null, or no answer
         *     within {@link Limits#ruleTimeout} refuses the message, with the code and message of a {@link
         *     io.realtime.RealtimeException} or with {@code forbidden}
         */
        CompletionStage<Boolean> allows(Session session, Event<?> event, String room);
    }
}
