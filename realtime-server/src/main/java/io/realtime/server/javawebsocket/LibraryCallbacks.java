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
 * One connection's calls to its listener, one at a time, though messages come from the worker and the rest from the
 * timer. The worker waits for its turn, which is short; the timer never waits: it leaves a note that whoever has the
 * turn reads. Nothing queues. No call is made under the lock.
 */
final class LibraryCallbacks {
    private static final Logger LOG = LoggerFactory.getLogger(LibraryCallbacks.class);

    private final Runnable onFailure;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition free = lock.newCondition();
    private @Nullable ConnectionListener listener; // Guarded by lock
    private boolean taken = true; // Guarded by lock; until begin
    private boolean drained; // Guarded by lock
    private @Nullable Ending closed; // Guarded by lock
    private boolean over; // Guarded by lock

    /** @param onFailure what to do when the listener throws, at most once a call */
    LibraryCallbacks(Runnable onFailure) {
        this.onFailure = onFailure;
    }

    /** Starts the calls; what was noted before is called now. With null nobody listens, and no call is made. */
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
     * For the worker: runs what calls the listener, after the call that runs now. Does nothing once the connection is over.
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

    /** Notes that the queue is empty, and tells the listener as soon as it is free. */
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

    /** Notes the end, and tells the listener as soon as it is free: its last call. */
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

    /** Makes the calls that were noted meanwhile, then lets the next thread in. */
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
        } catch (Throwable failure) { // Java-WebSocket 1.6.0: an escaping Error stops a worker or the whole server
            Steps.log(LOG, "a connection's listener failed", failure);
            Steps.run(onFailure); // who has the turn gives it back, or all that come later would wait for ever
        }
    }
}
