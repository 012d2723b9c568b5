package io.realtime.server;

import io.realtime.CloseReason;

/**
 * A listener of what happens to sessions. Every method is called on the server's executor: for one session one call at
 * a time, and in order with its messages. The default of each does nothing.
 *
 * <p>The calls for one session come in this order: {@code onOpen} once, then {@code onDetach} and {@code onResume} in
 * turns, {@code onClose} once. A session that ends before it was opened causes no call.
 */
public interface SessionListener {
    /** Called when a session begins, before its first message. */
    default void onOpen(Session session) {}

    /**
     * Called when a session's client has resumed it on a new connection, after {@link #onDetach} of the connection
     * before.
     */
    default void onResume(Session session) {}

    /**
     * Called when a session has lost its connection. The session is kept for its time to live. But {@link #onClose}
     * follows at once for a plain client, and for a client that closed for good. When the client's next connection has
     * taken over the session, the reason is 4006.
     */
    default void onDetach(Session session, CloseReason reason) {}

    /**
     * Called when a session is over, after its last message. {@link Session#rooms} returns the rooms that it was in; it
     * is in none of them any more.
     */
    default void onClose(Session session, CloseReason reason) {}

    /**
     * Called when a handler, rule, producer or listener of the application threw anything but a {@link
     * io.realtime.RealtimeException}. A failure outside of the session's messages, for example of an asynchronous
     * handler, is reported after the messages that wait. A failure after the session's end, or while 100 failures wait
     * to be reported, is only logged.
     */
    default void onError(Session session, Throwable failure) {}
}
