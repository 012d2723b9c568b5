package io.realtime.spi;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The source of time for protocol logic: two clocks and delayed tasks. Tests pass one whose time they control.
 *
 * <p>The tasks of one scheduler run one at a time, in the order of their due times. Tasks that are due at the same time
 * run in the order in which they were scheduled. Tasks must not block.
 */
public interface Scheduler {
    /** Returns monotonic time in nanoseconds from an arbitrary origin, for measuring. */
    long nanoTime();

    /** Returns wall-clock time in milliseconds since the epoch, for timestamps and token expiry. It may jump. */
    long currentTimeMillis();

    /**
     * Runs a task after a delay. Zero or less means as soon as possible, but never on the calling thread's stack. After
     * the scheduler has stopped, tasks are dropped silently.
     */
    Cancellable schedule(Duration delay, Runnable task);

    /**
     * Blocks the calling thread until a latch is at zero, or until the timeout is over in this scheduler's time.
     *
     * @return whether the latch is at zero
     */
    default boolean await(CountDownLatch latch, Duration timeout) throws InterruptedException {
        return latch.await(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** A scheduled task that can be cancelled. */
    @FunctionalInterface
    interface Cancellable {
        /** Cancels the task if it has not begun; never blocks, never throws. */
        void cancel();
    }
}
