package io.realtime.server;

import io.realtime.Event;
import java.util.concurrent.CompletionStage;

/** Decides whether a client may send an event that names a room. */
@FunctionalInterface
public interface SendRule {
    /** The default: only members of the room. */
    SendRule MEMBERS = (session, event, room) -> session.isIn(room);

    /** Decides, before the event's handler is called, on the handler's thread. A rule that throws refuses the message. */
    boolean allows(Session session, Event<?> event, String room);

    /** A {@link SendRule} that decides later. The session's later messages wait for it, without holding a thread. */
    @FunctionalInterface
    interface Async {
        /**
         * Begins to decide, on the handler's thread.
         *
         * @return completes with whether the session may send the event to the room; a failure, null, or no answer within
         *     {@link Limits#ruleTimeout} refuses the message
         */
        CompletionStage<Boolean> allows(Session session, Event<?> event, String room);
    }
}
