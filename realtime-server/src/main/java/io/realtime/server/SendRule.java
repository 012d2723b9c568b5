package io.realtime.server;

import io.realtime.Event;

/** Decides whether a client may send an event that names a room. */
@FunctionalInterface
public interface SendRule {
    /** The default: only members of the room. */
    SendRule MEMBERS = (session, event, room) -> session.isIn(room);

    /** Decides, before the event's handler is called, on the handler's thread. */
    boolean allows(Session session, Event<?> event, String room);
}
