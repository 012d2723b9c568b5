package io.realtime.server;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs one session's tasks one at a time, in order, on a shared executor. Bounded: by count and by the size of what
 * waits. A mailbox with nothing to do holds no thread.
 */
final class Mailbox {
    private static final Logger LOG = LoggerFactory.getLogger(Mailbox.class);
    private static final Turn AT_ONCE = () -> 0;
    private static final int TURN = 64; // tasks, then another session's turn

    private final Executor executor;
    private final Scheduler scheduler;
    private final int maxTasks;
    private final int maxSize;
    private final ReentrantLock lock;
    private @Nullable Queue<Task> tasks; // guarded by lock; null when none waits and none runs
    private int size; // guarded by lock
    private boolean scheduled; // guarded by lock
    private boolean isHeld; // guarded by lock: the next task waits for its turn by the rate limit

    /** @param lock what guards it: nothing is run under it */
    Mailbox(Executor executor, Scheduler scheduler, int maxTasks, int maxSize, ReentrantLock lock) {
        this.executor = executor;
        this.scheduler = scheduler;
        this.lock = lock;
        this.maxTasks = maxTasks;
        this.maxSize = maxSize;
    }

    /** Says when a task may run. */
    @FunctionalInterface
    interface Turn {
        /** Takes the turn; or returns for how many nanoseconds to wait and ask again. */
        long take();
    }

    /** Takes what a peer asks for; false, without taking it, when the mailbox is full. */
    boolean offer(int cost, Turn turn, Runnable task) {
        return add(new Task(cost, turn, task), true);
    }

    /** Takes what the server itself has to say, full or not: the few steps of a session's life. */
    void post(Runnable task) {
        add(new Task(0, AT_ONCE, task), false);
    }

    /** Returns whether nothing more is taken from a peer. */
    boolean isFull() {
        lock.lock();
        try {
            return tasks != null && (tasks.size() >= maxTasks || size >= maxSize);
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether what waits is held back by its turn, not by slow handlers. */
    boolean isHeld() {
        lock.lock();
        try {
            return isHeld;
        } finally {
            lock.unlock();
        }
    }

    private boolean add(Task task, boolean bounded) {
        lock.lock();
        try {
            Queue<Task> waiting = tasks == null ? new ArrayDeque<>() : tasks;
            boolean isFull = waiting.size() >= maxTasks || ((long) size + task.cost > maxSize && !waiting.isEmpty());
            if (bounded && isFull) {
                return false;
            }
            tasks = waiting;
            waiting.add(task);
            size += task.cost;
        } finally {
            lock.unlock();
        }
        if (!lock
                .isHeldByCurrentThread()) { // else its owner wakes it afterwards: the executor may be the application's
            wake();
        }
        return true;
    }

    /** Has what waits run, unless it does so already. */
    void wake() {
        lock.lock();
        try {
            if (tasks == null || scheduled) {
                return;
            }
            scheduled = true;
        } finally {
            lock.unlock();
        }
        executor.execute(this::run);
    }

    /** Returns whether nothing waits and nothing runs. */
    boolean isIdle() {
        lock.lock();
        try {
            return tasks == null;
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        for (int ran = 0; ran < TURN; ran++) {
            Task next = first();
            if (next == null) {
                return;
            }
            long wait = next.turn.take();
            if (wait > 0) {
                hold(wait);
                return;
            }
            lock.lock();
            try {
                Objects.requireNonNull(tasks).remove(); // only this thread takes
                size -= next.cost;
            } finally {
                lock.unlock();
            }
            try {
                next.action.run();
            } catch (Throwable failure) { // one task's failure must not stop the session's others
                LOG.error("a task of a session failed", failure);
            }
        }
        executor.execute(this::run);
    }

    /** Returns the task whose turn is next; null, and the mailbox at rest, when there is none. */
    private @Nullable Task first() {
        lock.lock();
        try {
            Task next = tasks == null ? null : tasks.peek();
            if (next == null) {
                tasks = null;
                scheduled = false;
            }
            return next;
        } finally {
            lock.unlock();
        }
    }

    /** Goes on after a time; until then no thread is held. */
    private void hold(long nanos) {
        lock.lock();
        try {
            isHeld = true;
        } finally {
            lock.unlock();
        }
        scheduler.schedule(Duration.ofNanos(nanos), () -> {
            lock.lock();
            try {
                isHeld = false;
            } finally {
                lock.unlock();
            }
            executor.execute(this::run);
        });
    }

    private record Task(int cost, Turn turn, Runnable action) {}
}
