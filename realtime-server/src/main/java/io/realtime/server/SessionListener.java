package io.realtime.server;

import io.realtime.CloseReason;

/**
 * What happens to sessions. Every method is called on the server's executor, for one session one at a time and in order
 * with its messages; the default of each does nothing.
 *
 * <p>A session hears of its life in this order: {@code onOpen} first, then {@code onDetach} and {@code onResume} in turns,
 * {@code onClose} last, each of the first and the last once. A session that ends before it was opened hears nothing.
 */
public interface SessionListener {
    /** A session began; called before its first message. */
    default void onOpen(Session session) {}

    /** A session's client came back on a new connection; called after {@link #onDetach} of the one before. */
    default void onResume(Session session) {}

    /**
     * A session lost its connection. It is kept for its time to live, unless {@link #onClose} follows: of a plain client, or
     * one that closed for good. When the client's next connection has taken the session over the reason is 4006.
     */
    default void onDetach(Session session, CloseReason reason) {}

    /**
     * A session is over; called after its last message. {@link Session#rooms} says which rooms it was in; it is in none of
     * them any more.
     */
    default void onClose(Session session, CloseReason reason) {}

    /**
     * A handler, rule, producer or listener of the application threw something that is no
     * {@link io.realtime.RealtimeException}. What fails outside of the session's messages, as an asynchronous handler may,
     * comes behind the messages that wait. After the session's end, and while 100 failures wait to be told, it is in the log
     * alone.
     */
    default void onError(Session session, Throwable failure) {}
}
