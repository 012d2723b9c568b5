package io.realtime.server.internal.session;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.util.concurrent.locks.ReentrantLock;

/** How far the close of a server has come. Written by the thread that closes it, read by all. */
public final class ServerState {
    private enum Phase {
        OPEN,
        /** New connections and sessions are refused. Messages that have arrived are handled. */
        DRAINING,
        /** Messages are not handled any more. Clients send them to the next server. */
        STOPPED,
        /** The server's threads end. */
        CLOSED
    }

    private final ReentrantLock lock = new ReentrantLock();
    private volatile Phase phase = Phase.OPEN; // written under lock

    public boolean isDraining() {
        return phase != Phase.OPEN;
    }

    public void drain() {
        enter(Phase.DRAINING);
    }

    public boolean isStopped() {
        return phase.compareTo(Phase.STOPPED) >= 0;
    }

    public void stop() {
        enter(Phase.STOPPED);
    }

    public boolean isClosed() {
        return phase == Phase.CLOSED;
    }

    public void close() {
        enter(Phase.CLOSED);
    }

    private void enter(Phase next) {
        lock.lock();
        try {
            phase = next.compareTo(phase) > 0 ? next : phase;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Does nothing while the server is not closed.
     *
     * @throws RealtimeException with {@code closed} when it is
     */
    void requireOpen() {
        if (isClosed()) {
            throw closed();
        }
    }

    static RealtimeException closed() {
        return new RealtimeException(ErrorCode.CLOSED, "the server is closed");
    }
}
