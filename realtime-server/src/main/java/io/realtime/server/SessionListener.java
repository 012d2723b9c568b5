package io.realtime.server;

import io.realtime.CloseReason;

/**
 * What happens to sessions. Every method is called on the server's executor, for one session one at a time and in order
 * with its messages; the default of each does nothing.
 */
public interface SessionListener {
    /** A session began; called before its first message. */
    default void onOpen(Session session) {}

    /** A session's client came back on a new connection. */
    default void onResume(Session session) {}

    /** A session lost its connection; it is kept for its time to live. */
    default void onDetach(Session session, CloseReason reason) {}

    /** A session is over; called after its last message. */
    default void onClose(Session session, CloseReason reason) {}

    /** A handler of the application threw something that is no {@link io.realtime.RealtimeException}. */
    default void onError(Session session, Throwable failure) {}
}
