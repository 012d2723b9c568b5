package io.realtime.server.internal.connection;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.CloseReason;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The time at which a connection is closed: first the end of the handshake, later that of the token. There is one at a
 * time. Guarded by the connection's lock, which the methods take.
 */
final class Deadline {
    private final Peer peer;
    private final SessionContext context;
    private final ReentrantLock lock;

    @GuardedBy("lock")
    private Scheduler.Cancellable timer = () -> {};

    // Distinguishes the newest deadline from one that fires too late to be cancelled.
    @GuardedBy("lock")
    private int number;

    @GuardedBy("lock")
    private boolean isStopped;

    /** @param lock the connection's */
    Deadline(Peer peer, SessionContext context, ReentrantLock lock) {
        this.peer = peer;
        this.context = context;
        this.lock = lock;
    }

    /** Closes the connection after this time. Replaces an earlier deadline. */
    void set(Duration wait, CloseReason reason) {
        lock.lock();
        try {
            clear();
            if (!isStopped) {
                int mine = number;
                timer = context.scheduler().schedule(wait, () -> due(mine, reason));
            }
        } finally {
            lock.unlock();
        }
    }

    /** Removes the deadline. */
    void clear() {
        lock.lock();
        try {
            timer.cancel();
            number++;
        } finally {
            lock.unlock();
        }
    }

    /** Removes the deadline for good, since the connection is closed. */
    void stop() {
        lock.lock();
        try {
            clear();
            isStopped = true;
        } finally {
            lock.unlock();
        }
    }

    private void due(int mine, CloseReason reason) {
        boolean isMissed;
        lock.lock();
        try {
            // Decided under the lock: after a welcome, the deadline of the handshake closes nothing.
            isMissed = mine == number && peer.beginClosing();
        } finally {
            lock.unlock();
        }
        if (isMissed) {
            // Many deadlines may be due at once.
            context.workers().execute(() -> peer.close(reason));
        }
    }
}
