package io.realtime.internal;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A scheduler in real time, on one daemon thread. */
public final class SystemScheduler implements Scheduler, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SystemScheduler.class);

    /** How long to wait for a thread to end; after that it is left alone, because it runs the application's code. */
    private static final long LONGEST_END_SECONDS = 5;

    private final ScheduledThreadPoolExecutor timer;
    private volatile @Nullable Thread thread;

    /** Creates a scheduler whose thread has this name. */
    public SystemScheduler(String threadName) {
        this.timer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread made = new Thread(task, threadName);
            made.setDaemon(true);
            thread = made;
            return made;
        });
        timer.setRemoveOnCancelPolicy(true);
        timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    @Override
    public long nanoTime() {
        return System.nanoTime();
    }

    @Override
    public long currentTimeMillis() {
        return System.currentTimeMillis();
    }

    @Override
    public Cancellable schedule(Duration delay, Runnable task) {
        try {
            ScheduledFuture<?> future = timer.schedule(() -> run(task), Durations.nanos(delay), TimeUnit.NANOSECONDS);
            return () -> future.cancel(false);
        } catch (RejectedExecutionException stopped) {
            return () -> {};
        }
    }

    /**
     * {@inheritDoc}
     *
     * <p>On the scheduler's own thread it returns immediately, because nothing else could run there.
     */
    @Override
    public boolean await(CountDownLatch latch, Duration timeout) throws InterruptedException {
        Duration most = thread == Thread.currentThread() ? Duration.ZERO : timeout;
        return latch.await(Durations.nanos(most), TimeUnit.NANOSECONDS);
    }

    private static void run(Runnable task) {
        try {
            task.run();
        } catch (Throwable failure) {
            // All tasks share the thread, so a failing task must not end it.
            Steps.log(LOG, "a scheduled task failed", failure);
        }
    }

    /** Stops the scheduler. Scheduled tasks no longer run; a task that is running finishes. */
    @Override
    public void close() {
        timer.shutdown();
    }

    /** Waits until the thread has ended, after {@link #close}. Returns immediately on that thread itself. */
    public void awaitEnd() {
        Thread last = thread;
        if (last != Thread.currentThread()) {
            awaitEnd(timer, last);
        }
    }

    /** Stops an executor and waits until its threads have ended. */
    public static void stop(ExecutorService threads) {
        threads.shutdown();
        awaitEnd(threads, null);
    }

    /**
     * Waits for the end. An interrupt does not end the wait, because callers rely on it; the interrupt status is
     * restored.
     *
     * @param last the thread, or null if it is not known
     */
    private static void awaitEnd(ExecutorService threads, @Nullable Thread last) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(LONGEST_END_SECONDS);
        boolean isInterrupted = false;
        boolean isOver = false;
        while (!isOver) {
            try {
                if (!threads.awaitTermination(until - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                    LOG.warn("a thread has not ended within {} s", LONGEST_END_SECONDS);
                } else if (last != null) {
                    // The executor reports its end shortly before its thread ends.
                    TimeUnit.NANOSECONDS.timedJoin(last, until - System.nanoTime());
                }
                isOver = true;
            } catch (InterruptedException interrupted) {
                isInterrupted = true;
            }
        }
        if (isInterrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
