package io.realtime.client.internal.outbox;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The age of the messages that wait in an outbox: a timer for the oldest, and at each welcome the clocks, since the
 * monotonic clock counts neither an earlier process nor the machine's sleep. Owned by the scheduler's thread.
 */
final class OutboxExpiry {
    private final Scheduler scheduler;
    private final Outbox outbox;
    private final Runnable onTimer;
    private Scheduler.@Nullable Cancellable timer;
    private boolean wasWelcomed;
    // The time of the last welcome on the server's clock; 0 when the welcome did not say it.
    private long welcomedAt;
    // The same on the monotonic clock.
    private long welcomedNanos;

    /** @param onTimer called when a message may have expired */
    OutboxExpiry(Scheduler scheduler, Outbox outbox, Runnable onTimer) {
        this.scheduler = scheduler;
        this.outbox = outbox;
        this.onTimer = onTimer;
    }

    /**
     * Removes and returns the messages that the clocks show as too old: those that an earlier process left, and those
     * that waited while the machine slept.
     *
     * @param serverMillis the server's clock, or 0 when it does not say
     */
    List<Outbox.Dropped> welcomed(long serverMillis) {
        long now = scheduler.nanoTime();
        long wall = scheduler.currentTimeMillis();
        long slept = 0;
        if (!wasWelcomed) {
            outbox.ageRestored(now, serverMillis > 0 ? serverMillis : wall);
        } else if (serverMillis > 0 && welcomedAt > 0) {
            long served = TimeUnit.MILLISECONDS.toNanos(Math.max(0, serverMillis - welcomedAt));
            slept = served - (now - welcomedNanos);
        } else {
            // Only the wall clock knows.
            slept = Long.MAX_VALUE;
        }
        outbox.slept(now, wall, slept);
        wasWelcomed = true;
        welcomedAt = serverMillis;
        welcomedNanos = now;
        return outbox.expire(now);
    }

    /** Removes and returns the messages that have expired; {@link #watch} begins the next timer. */
    List<Outbox.Dropped> expire() {
        stop();
        return outbox.expire(scheduler.nanoTime());
    }

    /** Begins the timer for the oldest message, unless it runs or nothing waits. */
    void watch() {
        Duration until = timer == null ? outbox.untilExpiry(scheduler.nanoTime()) : null;
        if (until != null) {
            timer = scheduler.schedule(until, onTimer);
        }
    }

    /** Ends the timer. */
    void stop() {
        if (timer != null) {
            timer.cancel();
            timer = null;
        }
    }
}
