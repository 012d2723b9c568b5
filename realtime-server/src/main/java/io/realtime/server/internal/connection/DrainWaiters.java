package io.realtime.server.internal.connection;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import io.realtime.server.internal.execution.Workers;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The tasks that wait until a connection that was half full has room again: at most one for each room of its session.
 * Guarded by the connection's lock, which the methods take.
 */
final class DrainWaiters {
    private final Workers workers;
    private final ReentrantLock lock;

    @GuardedBy("lock")
    private List<Runnable> waiting = List.of();

    @GuardedBy("lock")
    private boolean isClosed;

    /** @param lock the connection's */
    DrainWaiters(Workers workers, ReentrantLock lock) {
        this.workers = workers;
        this.lock = lock;
    }

    /** Adds a task. Returns false, without adding it, if the connection is closed. */
    boolean add(Runnable task) {
        lock.lock();
        try {
            if (isClosed) {
                return false;
            }
            waiting = waiting.isEmpty() ? new ArrayList<>() : waiting;
            return waiting.add(task);
        } finally {
            lock.unlock();
        }
    }

    /** Resumes the tasks. */
    void resume() {
        List<Runnable> tasks;
        lock.lock();
        try {
            tasks = waiting;
            waiting = List.of();
        } finally {
            lock.unlock();
        }
        if (!tasks.isEmpty()) {
            // One after the other: all at once could be more than the connection holds.
            workers.execute(() -> Steps.each(tasks, Runnable::run));
        }
    }

    /** Accepts no more tasks, since the connection is closed. {@link #resume} the tasks that wait afterwards. */
    void close() {
        lock.lock();
        try {
            isClosed = true;
        } finally {
            lock.unlock();
        }
    }
}
