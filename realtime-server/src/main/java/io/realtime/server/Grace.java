package io.realtime.server;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;

/** How long a close may take. One thread closes and waits; any other may shorten the time, once it has begun. */
final class Grace {
    private final Scheduler scheduler;
    // A shortener writes the end and then reads the wait; the waiter writes the wait and then reads the end. So one of
    // them sees what the other has written.
    private volatile long end;
    private volatile Wait current = new Wait(0, new CountDownLatch(0));

    Grace(Scheduler scheduler) {
        this.scheduler = scheduler;
    }

    void begin(long nanos) {
        end = scheduler.nanoTime() + nanos;
    }

    /** Ends the close within this time, the current wait included. Does nothing when less is left. */
    void shorten(long nanos) {
        if (left() > nanos) {
            begin(nanos);
            Wait waiting = current;
            scheduler.schedule(Duration.ofNanos((long) (nanos * waiting.share)), waiting.over::countDown);
        }
    }

    /** Returns how many nanoseconds are left; 0 when the time is over. */
    long left() {
        return Math.max(0, end - scheduler.nanoTime());
    }

    /** Waits until this is done, for a share of what is left. An interrupted thread does not wait, and stays interrupted. */
    void await(double share, CompletableFuture<?> done) {
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
