package io.realtime.spi;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Time, as the protocol logic sees it: two clocks and delayed tasks. Tests pass one whose time they move by hand.
 *
 * <p>Tasks of one scheduler run one at a time, in the order of their due times and, when due at the same time, of their
 * scheduling. They must not block.
 */
public interface Scheduler {
    /** Monotonic time in nanoseconds from an arbitrary origin, for measuring. */
    long nanoTime();

    /** Wall-clock time in milliseconds since the epoch, for timestamps and token expiry. It may jump. */
    long currentTimeMillis();

    /**
     * Runs a task after a delay; zero or less means as soon as possible, never on the calling thread's stack. After the
     * scheduler has stopped, tasks are silently not run.
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

    /** A scheduled task, and the way to call it off. */
    @FunctionalInterface
    interface Cancellable {
        /** Calls the task off if it has not begun; never blocks, never fails. */
        void cancel();
    }
}
