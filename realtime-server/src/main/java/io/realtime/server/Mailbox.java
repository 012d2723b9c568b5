package io.realtime.server;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
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
    private final Bursts bursts;
    private final int maxTasks;
    private final int maxSize;
    private final ReentrantLock lock;
    private @Nullable Deque<Task> tasks; // guarded by lock; null when none waits and none runs
    private int size; // guarded by lock
    private volatile boolean scheduled; // written under lock; whoever has added a task and reads true is served
    private boolean burstGoesOn; // the running thread's: another task waited when it took the last
    private boolean isHeld; // guarded by lock: the next task waits for its turn by the rate limit
    private @Nullable Pause pause; // the running thread's: what its task waits for

    /** @param lock what guards it: nothing is run under it */
    Mailbox(Executor executor, Scheduler scheduler, Bursts bursts, int maxTasks, int maxSize, ReentrantLock lock) {
        this.executor = executor;
        this.scheduler = scheduler;
        this.bursts = bursts;
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

    /**
     * In a task, at most once: has the mailbox wait for a stage, without a thread, and then run {@code then} before all else.
     * What waits meanwhile counts against the mailbox's bounds.
     */
    void await(CompletionStage<?> stage, Runnable then) {
        pause = new Pause(stage, then);
    }

    private boolean add(Task task, boolean bounded) {
        lock.lock();
        try {
            Deque<Task> waiting = tasks == null ? new ArrayDeque<>() : tasks;
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
        if (scheduled) {
            return;
        }
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
        Bursts.Burst burst = null;
        boolean goesOn = true;
        try {
            for (int ran = 0; goesOn && ran < TURN; ran++) {
                Task next = take();
                if (next == null) {
                    return;
                }
                boolean hasMore = burstGoesOn;
                if (burst == null && (hasMore || Bursts.isUnderWay())) {
                    burst = bursts.begin();
                }
                if (burst != null) {
                    burst.hasMore(hasMore && ran < TURN - 1);
                }
                goesOn = run(next);
            }
        } finally {
            if (burst != null) {
                burst.end();
            }
        }
        if (goesOn) {
            executor.execute(this::run);
        }
    }

    /** Runs a task; or returns false when it has to wait for its turn, and goes on then. */
    private boolean run(Task task) {
        long wait = task.turn.take();
        if (wait > 0) {
            hold(task, wait);
            return false;
        }
        try {
            task.action.run();
        } catch (Throwable failure) { // one task's failure must not stop the session's others
            LOG.error("a task of a session failed", failure);
        }
        Pause begun = pause;
        pause = null;
        if (begun == null) {
            return true;
        }
        begun.stage.whenComplete((value, failure) -> {
            putBack(new Task(0, AT_ONCE, begun.then));
            executor.execute(this::run);
        });
        return false;
    }

    /** Takes the next task; null, and the mailbox at rest, when there is none. */
    private @Nullable Task take() {
        lock.lock();
        try {
            Task next = tasks == null ? null : tasks.poll();
            if (next == null) {
                tasks = null;
                scheduled = false;
            } else {
                size -= next.cost;
                burstGoesOn = !Objects.requireNonNull(tasks).isEmpty();
            }
            return next;
        } finally {
            lock.unlock();
        }
    }

    /** Puts a task back whose turn has not come, and goes on after a time; until then no thread is held. */
    private void hold(Task task, long nanos) {
        lock.lock();
        try {
            isHeld = true;
        } finally {
            lock.unlock();
        }
        putBack(task);
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

    private void putBack(Task task) {
        lock.lock();
        try {
            Objects.requireNonNull(tasks).addFirst(task); // nobody else takes meanwhile
            size += task.cost;
        } finally {
            lock.unlock();
        }
    }

    private record Pause(CompletionStage<?> stage, Runnable then) {}

    private record Task(int cost, Turn turn, Runnable action) {}
}
