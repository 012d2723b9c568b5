package io.realtime.server.websocket;

import io.realtime.CloseReason;
import io.realtime.internal.Steps;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** The open connections of a transport, unfinished upgrades included. Safe for use by many threads. */
public final class OpenConnections {
    private static final Duration LAST_CALLS = Duration.ofSeconds(1);

    private final Set<WebSocketConnection> connections = ConcurrentHashMap.newKeySet();
    // Nothing is called under the lock.
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition empty = lock.newCondition();

    /** Returns how many there are. */
    public int count() {
        return connections.size();
    }

    /** Adds a connection that was accepted. */
    public void add(WebSocketConnection connection) {
        connections.add(connection);
    }

    /** Removes a connection that is over. */
    public void remove(WebSocketConnection connection) {
        connections.remove(connection);
        if (connections.isEmpty()) {
            lock.lock();
            try {
                empty.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    /** Cuts all connections. */
    public void abort() {
        Steps.each(connections, WebSocketConnection::abort);
    }

    /**
     * Closes all connections with 1001, cuts those that remain, and waits until their listeners have got their last
     * calls. The waiting for these does not end when the thread is interrupted, but after one second.
     *
     * @param drain how long the connections may take to end on their own
     */
    public void end(Duration drain) throws InterruptedException {
        CloseReason goingAway = new CloseReason(CloseReason.GOING_AWAY, "server stops");
        try {
            Steps.each(connections, connection -> connection.close(goingAway));
            awaitNone(drain);
        } finally {
            // Also if this thread is interrupted, even repeatedly.
            abort();
            awaitLastCalls();
        }
    }

    private void awaitLastCalls() {
        long end = System.nanoTime() + LAST_CALLS.toNanos();
        boolean interrupted = false;
        while (!connections.isEmpty() && end - System.nanoTime() > 0) {
            try {
                awaitNone(Duration.ofNanos(end - System.nanoTime()));
            } catch (InterruptedException again) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void awaitNone(Duration limit) throws InterruptedException {
        long left = TimeUnit.NANOSECONDS.convert(limit);
        lock.lock();
        try {
            while (!connections.isEmpty() && left > 0) {
                left = empty.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }
}
