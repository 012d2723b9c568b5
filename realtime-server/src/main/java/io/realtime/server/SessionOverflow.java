package io.realtime.server;

/**
 * What happens when a user who has {@link Limits#sessionsPerUser} sessions begins another one. In both cases sessions
 * without a connection are closed first.
 */
public enum SessionOverflow {
    /** The new session is refused with 4007. The default. */
    REFUSE_NEW,
    /** The oldest session is closed with 4007. */
    CLOSE_OLDEST
}
