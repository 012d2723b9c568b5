package io.realtime.server;

/** Decides whether a client may be in a room. */
@FunctionalInterface
public interface JoinRule {
    /**
     * Decides, when a client asks to join and again whenever it comes back after a lost connection; not about rooms that
     * the application itself put the session in. Called on the server's executor, by many threads at once; it may block.
     * A rule that throws allows nothing.
     */
    boolean allows(Session session, String room);
}
