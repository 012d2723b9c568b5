package io.realtime.server;

/**
 * What happens when a user who has as many sessions as {@link Limits#sessionsPerUser} allows begins another. In either
 * case a session that waits for its client without a connection goes first.
 */
public enum SessionOverflow {
    /** The new session is refused with 4007. The default. */
    REFUSE_NEW,
    /** The oldest session is closed with 4007. */
    CLOSE_OLDEST
}
