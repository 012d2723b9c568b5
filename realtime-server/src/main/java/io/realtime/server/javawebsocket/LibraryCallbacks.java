package io.realtime.server.javawebsocket;

import io.realtime.internal.Steps;
import io.realtime.server.websocket.Ending;
import io.realtime.spi.ConnectionListener;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The calls of one connection's listener, one at a time. Messages come from the worker, other calls from the timer. The
 * worker waits for its turn, which is short. The timer never waits: it sets a flag that the thread with the turn reads.
 * Nothing is queued. No call is made under the lock.
 */
final class LibraryCallbacks {
    private static final Logger LOG = LoggerFactory.getLogger(LibraryCallbacks.class);

    private final Runnable onFailure;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition free = lock.newCondition();
    private @Nullable ConnectionListener listener; // Guarded by lock
    // True until begin. Guarded by lock.
    private boolean taken = true;
    private boolean drained; // Guarded by lock
    private @Nullable Ending closed; // Guarded by lock
    private boolean over; // Guarded by lock

    /**
     * @param onFailure runs when the listener throws, at most once for each call
     */
    LibraryCallbacks(Runnable onFailure) {
        this.onFailure = onFailure;
    }

    /**
     * Starts the calls. What was recorded before is called now. If {@code to} is null, there is no listener, and no
     * call is made.
     */
    void begin(@Nullable ConnectionListener to) {
        lock.lock();
        try {
            listener = to;
        } finally {
            lock.unlock();
        }
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
        lock.lock();
        try {
            drained = true;
            if (taken) {
                return;
            }
            taken = true;
        } finally {
            lock.unlock();
        }
        yieldTurn();
    }

    /** Records the end. The listener is told as soon as no other call runs; it is its last call. */
    void closed(Ending ending) {
        lock.lock();
        try {
            closed = ending;
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
            ConnectionListener to;
            Runnable call;
            lock.lock();
            try {
                to = listener;
                Ending ending = closed;
                if (over || to == null || (ending == null && !drained)) {
                    taken = false;
                    free.signal();
                    return;
                }
                if (ending == null) {
                    call = to::onDrained;
                } else {
                    over = true;
                    call = () -> to.onClosed(ending.reason(), ending.byPeer());
                }
                drained = false;
            } finally {
                lock.unlock();
            }
            invoke(call);
        }
    }

    private void invoke(Runnable call) {
        try {
            call.run();
        } catch (Throwable failure) {
            // Java-WebSocket 1.6.0: an Error that escapes stops a worker or the whole server.
            Steps.log(LOG, "a connection's listener failed", failure);
            // The turn must be given back. Otherwise all later callers would wait for ever.
            Steps.run(onFailure);
        }
    }
}
