package io.realtime.internal;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An executor that runs tasks on another one that may reject them: a bounded pool that is full, or one that cannot
 * create a thread. The next {@link #execute}, or a timer with backoff, retries a rejected task. After {@link #stop}
 * another executor runs it immediately. So no task is lost on which a thread may wait.
 *
 * <p>Each task runs at most once, even if the executor accepts it and also throws. A task that throws is logged.
 * Rejected tasks start in their original order, before any later task. The caller bounds their number. Safe for use by
 * many threads.
 */
public final class RetryingExecutor implements Executor {
    private static final Logger LOG = LoggerFactory.getLogger(RetryingExecutor.class);
    private static final Duration FIRST_DELAY = Duration.ofMillis(10);
    private static final Duration LONGEST_DELAY = Duration.ofSeconds(1);

    private final String name;
    private final Executor executor;
    private final Scheduler scheduler;
    private final LogLimit logLimit = new LogLimit(1, Duration.ofMinutes(1));

    // A leaf: no other lock is taken while it is held.
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final ArrayDeque<Start> refused = new ArrayDeque<>();
    // One thread at a time starts rejected tasks.
    @GuardedBy("lock")
    private boolean isRetrying;
    // True while a timer will retry.
    @GuardedBy("lock")
    private boolean isTimed;

    @GuardedBy("lock")
    private Duration delay = FIRST_DELAY;

    @GuardedBy("lock")
    private long total;

    private volatile int waiting; // written under lock
    private volatile @Nullable Executor last; // set by stop

    /**
     * Creates an executor that retries.
     *
     * @param name what the tasks are, for the log
     */
    public RetryingExecutor(String name, Executor executor, Scheduler scheduler) {
        this.name = name;
        this.executor = executor;
        this.scheduler = scheduler;
    }

    /** Starts a task now, or later if the executor rejects it. Never throws. */
    @Override
    public void execute(Runnable task) {
        Start start = new Start(task);
        if (waiting > 0 && keep(start)) {
            retry();
            return;
        }
        Throwable refusal = start(executor, start);
        if (refusal == null) {
            return;
        }
        if (keep(start)) {
            refused(refusal);
        } else {
            startLast(start);
        }
    }

    /** Returns how many rejected tasks wait to be started. */
    public int waiting() {
        return waiting;
    }

    /** Returns the total number of tasks that were rejected at first. */
    public long refused() {
        lock.lock();
        try {
            return total;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Switches to another executor, for the tasks that wait and for all that are rejected from now on. If that executor
     * also rejects a task because no thread can be created, the task runs on the calling thread.
     */
    public void stop(Executor instead) {
        List<Start> rest;
        lock.lock();
        try {
            last = instead;
            rest = new ArrayList<>(refused);
            refused.clear();
            waiting = 0;
        } finally {
            lock.unlock();
        }
        rest.forEach(this::startLast);
    }

    /**
     * Starts a task after the stop. If the calling thread has to run it, its interrupt status is preserved, whatever
     * the task does.
     */
    private void startLast(Start start) {
        if (start(Objects.requireNonNull(last), start) != null) {
            boolean wasInterrupted = Thread.interrupted();
            start.run();
            if (wasInterrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Returns why the executor rejected the task, or null if it accepted it. */
    private static @Nullable Throwable start(Executor executor, Start start) {
        try {
            executor.execute(start);
            return null;
        } catch (Throwable refusal) {
            // A rejection, or an Error such as no memory for a thread.
            return refusal;
        }
    }

    /** Keeps a task for a retry; false if the executor was stopped. */
    private boolean keep(Start start) {
        lock.lock();
        try {
            if (last != null) {
                return false;
            }
            refused.add(start);
            waiting = refused.size();
            total++;
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Starts the rejected tasks in order, until the executor rejects one again. */
    private void retry() {
        lock.lock();
        try {
            if (isRetrying) {
                // The retrying thread also takes the task that was just added.
                return;
            }
            isRetrying = true;
        } finally {
            lock.unlock();
        }
        while (true) {
            Start next;
            lock.lock();
            try {
                next = refused.peek();
                if (next == null) {
                    isRetrying = false;
                    return;
                }
            } finally {
                lock.unlock();
            }
            Throwable refusal = start(executor, next);
            lock.lock();
            try {
                if (refusal == null) {
                    refused.poll();
                    waiting = refused.size();
                    delay = FIRST_DELAY;
                } else {
                    isRetrying = false;
                }
            } finally {
                lock.unlock();
            }
            if (refusal != null) {
                refused(refusal);
                return;
            }
        }
    }

    /** Logs a rejection, and schedules a retry. */
    private void refused(Throwable refusal) {
        if (last != null) {
            LOG.debug("{}: a task came after the end", name);
            return;
        }
        if (logLimit.tryAcquire(scheduler.nanoTime()) >= 0) {
            String what = name + ": the executor refused a task, " + refused() + " so far; it is started later";
            Steps.warn(LOG, what, refusal);
        }
        Duration after;
        lock.lock();
        try {
            if (isTimed) {
                return;
            }
            isTimed = true;
            after = delay;
            Duration doubled = delay.multipliedBy(2);
            delay = doubled.compareTo(LONGEST_DELAY) < 0 ? doubled : LONGEST_DELAY;
        } finally {
            lock.unlock();
        }
        try {
            scheduler.schedule(after, this::onTimer);
        } catch (Throwable failure) { // no memory for a timer either
            Steps.log(LOG, name + ": no timer for refused tasks; the next task retries them", failure);
            untime();
        }
    }

    private void onTimer() {
        untime();
        retry();
    }

    private void untime() {
        lock.lock();
        try {
            isTimed = false;
        } finally {
            lock.unlock();
        }
    }

    /** A task that runs once at most. */
    private static final class Start extends AtomicBoolean implements Runnable {
        private static final long serialVersionUID = 1L;

        private final transient Runnable task;

        Start(Runnable task) {
            this.task = task;
        }

        @Override
        public void run() {
            if (compareAndSet(false, true)) {
                try {
                    task.run();
                } catch (Throwable failure) {
                    // The executor may be the application's and must not see this failure.
                    Steps.log(LOG, "a task failed", failure);
                }
            }
        }
    }
}
