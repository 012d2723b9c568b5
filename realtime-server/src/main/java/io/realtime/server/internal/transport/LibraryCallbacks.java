package io.realtime.server.internal.transport;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import io.realtime.server.websocket.WebSocketConnection;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The calls of one connection's listener, one at a time. Messages come from the worker, other calls from the timer. The
 * worker waits for its turn, which is short. The timer never waits: it sets a flag that the thread with the turn reads.
 * Nothing is queued. No call is made under the lock.
 */
final class LibraryCallbacks {
    private final WebSocketConnection connection;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition free = lock.newCondition();
    // True until begin.
    @GuardedBy("lock")
    private boolean taken = true;

    @GuardedBy("lock")
    private boolean drained;

    @GuardedBy("lock")
    private boolean closed;

    @GuardedBy("lock")
    private boolean over;

    LibraryCallbacks(WebSocketConnection connection) {
        this.connection = connection;
    }

    /** Starts the calls, after the upgrade. What was recorded before is called now. */
    void begin() {
        yieldTurn();
    }

    /**
     * Runs a task that calls the listener, after the current call has returned. For the worker. Does nothing after the
     * connection is over.
     */
    void call(Runnable calls) {
        lock.lock();
        try {
            while (taken) {
                free.awaitUninterruptibly();
            }
            if (over) {
                return;
            }
            taken = true;
        } finally {
            lock.unlock();
        }
        invoke(calls);
        yieldTurn();
    }

    /** Records that the queue is empty. The listener is told as soon as no other call runs. */
    void drained() {
        tell(false);
    }

    /** Records the end. The listener is told as soon as no other call runs; it is its last call. */
    void closed() {
        tell(true);
    }

    private void tell(boolean isLast) {
        lock.lock();
        try {
            closed |= isLast;
            drained |= !isLast;
            if (taken) {
                return;
            }
            taken = true;
        } finally {
            lock.unlock();
        }
        yieldTurn();
    }

    /** Makes the calls that were recorded meanwhile, then gives the turn to the next thread. */
    private void yieldTurn() {
        while (true) {
            boolean isLast;
            lock.lock();
            try {
                if (over || !(closed || drained)) {
                    taken = false;
                    free.signal();
                    return;
                }
                isLast = closed;
                over = isLast;
                drained = false;
            } finally {
                lock.unlock();
            }
            invoke(isLast ? connection::tellClosed : connection::drained);
        }
    }

    private static void invoke(Runnable call) {
        // Java-WebSocket 1.6.0: an Error that escapes stops a worker or the whole server. And the turn must be given
        // back. Otherwise all later callers would wait for ever.
        Steps.run(call);
    }
}
