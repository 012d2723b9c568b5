package io.realtime.server;

/** Opens the server's own bookkeeping to the simulation. */
public final class Accounts {
    private Accounts() {}

    /** Returns what {@link ServerStats#logBytes} should say, counted anew, room by room. */
    public static long countLogBytes(RealtimeServer server) {
        return server.countLogBytes();
    }
}
