package io.realtime.server;

import java.util.ArrayDeque;
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
    private static final int TURN = 64; // tasks, then another session's turn

    private final Executor executor;
    private final int maxTasks;
    private final int maxSize;
    private final ReentrantLock lock;
    private @Nullable Queue<Task> tasks; // guarded by lock; null when none waits and none runs
    private int size; // guarded by lock
    private boolean scheduled; // guarded by lock

    /** @param lock what guards it: nothing is run under it */
    Mailbox(Executor executor, int maxTasks, int maxSize, ReentrantLock lock) {
        this.executor = executor;
        this.lock = lock;
        this.maxTasks = maxTasks;
        this.maxSize = maxSize;
    }

    /** Takes what a peer asks for; false, without taking it, when the mailbox is full. */
    boolean offer(int cost, Runnable task) {
        return add(new Task(cost, task), true);
    }

    /** Takes what the server itself has to say, full or not: the few steps of a session's life. */
    void post(Runnable task) {
        add(new Task(0, task), false);
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
            Task next;
            lock.lock();
            try {
                next = tasks == null ? null : tasks.poll();
                if (next == null) {
                    tasks = null;
                    scheduled = false;
                    return;
                }
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

    private record Task(int cost, Runnable action) {}
}
