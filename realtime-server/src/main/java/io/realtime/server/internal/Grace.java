package io.realtime.server.internal;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;

/**
 * The time that a close may take. One thread closes and waits. Any other thread may shorten the time after it has
 * begun.
 */
public final class Grace {
    private final Scheduler scheduler;
    // A thread that shortens writes the end and then reads the wait. The waiting thread writes the wait and then reads
    // the end. So one of them sees what the other has written.
    private volatile long end;
    private volatile Wait current = new Wait(0, new CountDownLatch(0));

    public Grace(Scheduler scheduler) {
        this.scheduler = scheduler;
    }

    public void begin(long nanos) {
        end = scheduler.nanoTime() + nanos;
    }

    /** Ends the close within this time, and with it the current wait. Does nothing if less time is left. */
    public void shorten(long nanos) {
        if (left() > nanos) {
            begin(nanos);
            Wait waiting = current;
            scheduler.schedule(Duration.ofNanos((long) (nanos * waiting.share)), waiting.over::countDown);
        }
    }

    /** Returns how many nanoseconds are left; 0 if the time is over. */
    public long left() {
        return Math.max(0, end - scheduler.nanoTime());
    }

    /**
     * Waits until this is done, for a share of the time that is left. An interrupted thread does not wait, and stays
     * interrupted.
     */
    public void await(double share, CompletableFuture<?> done) {
        CountDownLatch over = new CountDownLatch(1);
        current = new Wait(share, over);
        CompletableFuture<?> unused = done.whenComplete((value, failure) -> over.countDown());
        try {
            scheduler.await(over, Duration.ofNanos((long) (left() * share)));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private record Wait(double share, CountDownLatch over) {}
}
