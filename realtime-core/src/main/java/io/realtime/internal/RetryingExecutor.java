package io.realtime.internal;

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
 * Starts tasks on an executor that may refuse them: a bounded pool that is full, or one that cannot create a thread. A
 * refused task is started later, by the next {@link #execute} or by a timer with backoff; after {@link #stop} at once, by
 * another executor. So no task is lost: somebody may wait for it.
 *
 * <p>Each task runs once at most, also on an executor that takes a task and throws nevertheless. A task that throws is
 * reported in the log. Refused tasks start in the order in which they came, before any that come later. How many there
 * are is bounded by the caller. Safe for use by many threads.
 */
public final class RetryingExecutor implements Executor {
    private static final Logger LOG = LoggerFactory.getLogger(RetryingExecutor.class);
    private static final Duration FIRST_DELAY = Duration.ofMillis(10);
    private static final Duration LONGEST_DELAY = Duration.ofSeconds(1);

    private final String name;
    private final Executor executor;
    private final Scheduler scheduler;
    private final LogLimit logLimit = new LogLimit(1, Duration.ofMinutes(1));

    private final ReentrantLock lock = new ReentrantLock(); // a leaf
    private final ArrayDeque<Start> refused = new ArrayDeque<>(); // guarded by lock
    private boolean isRetrying; // guarded by lock: one thread at a time starts what was refused
    private boolean isTimed; // guarded by lock: a timer will retry
    private Duration delay = FIRST_DELAY; // guarded by lock
    private long total; // guarded by lock
    private volatile int waiting; // written under lock
    private volatile @Nullable Executor last; // once it has stopped

    /** @param name what the tasks are, for the log */
    public RetryingExecutor(String name, Executor executor, Scheduler scheduler) {
        this.name = name;
        this.executor = executor;
        this.scheduler = scheduler;
    }

    /** Starts a task now or, when the executor refuses it, later. Never throws. */
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

    /** Returns how many tasks were refused and wait to be started. */
    public int waiting() {
        return waiting;
    }

    /** Returns how many tasks were refused at first, ever. */
    public long refused() {
        lock.lock();
        try {
            return total;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Has another executor start what was refused and not started, and what is refused from now on. What that one refuses,
     * since no thread can be made, runs on its caller's.
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

    /** Starts a task after the end. A caller that has to run it stays interrupted when it was, whatever the task does. */
    private void startLast(Start start) {
        if (start(Objects.requireNonNull(last), start) != null) {
            boolean wasInterrupted = Thread.interrupted();
            start.run();
            if (wasInterrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Returns why the task was refused, null when it was not. */
    private static @Nullable Throwable start(Executor executor, Start start) {
        try {
            executor.execute(start);
            return null;
        } catch (Throwable refusal) { // a rejection, or an Error: no memory for one more thread, say
            return refusal;
        }
    }

    /** Keeps a task for later; false when there is no later. */
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

    /** Starts what was refused, in order, until the executor refuses again. */
    private void retry() {
        lock.lock();
        try {
            if (isRetrying) {
                return; // that thread takes the task that was added
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

    /** Tells the log, and has a timer retry. */
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

    /** A task, and whether it has begun. */
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
                } catch (Throwable failure) { // the executor may be the application's: none of its business
                    Steps.log(LOG, "a task failed", failure);
                }
            }
        }
    }
}
