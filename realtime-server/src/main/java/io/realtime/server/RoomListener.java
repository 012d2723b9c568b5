package io.realtime.server;

/**
 * A listener of who joins and leaves the application's rooms. Every method is called on the server's executor: for one
 * session one call at a time, and in order with its messages. The calls come after what they report, so the session may
 * have changed rooms again; the order of the calls is the order of these changes. A message is handled after the calls
 * for all changes that were made before its handler began. So the calls overtake messages that wait, and the calls of
 * {@link SessionListener} that wait behind these; else they are in order with those too. Calls for different sessions
 * run in parallel. The default of each method does nothing.
 *
 * <p>For one session and room {@code onJoin} and {@code onLeave} come in turns, between {@link SessionListener#onOpen}
 * and {@link SessionListener#onClose}. A session that ends before it was opened causes no call. A lost connection
 * causes none either: the session stays in its rooms, and is told apart by {@link Session#isConnected}. Inboxes are not
 * reported.
 */
public interface RoomListener {
    /** Who put a session in a room. */
    enum JoinCause {
        /** Its client joined, and the join rule allowed it. */
        CLIENT,
        /** The application did, with {@link Session#join}. */
        SERVER
    }

    /** Why a session is no longer in a room. */
    enum LeaveCause {
        /** Its client left. */
        CLIENT,
        /** The application removed it, with {@link Session#leave}. */
        SERVER,
        /**
         * The server did not let it stay: the join rule refused the room when the client resumed, or when it asked to
         * join again; or a limit did.
         */
        REFUSED,
        /** The session has ended: its client left for good, it expired, or it was disconnected. */
        SESSION_ENDED
    }

    /** Called when a session has become a member of a room. A repeated join of a member causes no call. */
    default void onJoin(Session session, String room, JoinCause cause) {}

    /**
     * Called when a session is no longer a member of a room. At the end of a session it is called for each of its
     * rooms, after its last message and before {@link SessionListener#onClose}.
     */
    default void onLeave(Session session, String room, LeaveCause cause) {}
}
