package io.realtime.server;

import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs an action a while after it was asked for, once for all that ask meanwhile: one timer, however many there are. Safe
 * for use by many threads; the action runs on the scheduler's.
 */
final class Delayed {
    private static final Logger LOG = LoggerFactory.getLogger(Delayed.class);

    private final Scheduler scheduler;
    private final Duration delay;
    private final Runnable action;
    private final AtomicBoolean isTimed = new AtomicBoolean();

    Delayed(Scheduler scheduler, Duration delay, Runnable action) {
        this.scheduler = scheduler;
        this.delay = delay;
        this.action = action;
    }

    /** Has the action run at the end of the delay at the latest. */
    void request() {
        if (isTimed.compareAndSet(false, true)) {
            try {
                scheduler.schedule(delay, this::run);
            } catch (Throwable failure) { // no memory for a timer, say: the next who asks tries again
                isTimed.set(false);
                Steps.log(LOG, "no timer", failure);
            }
        }
    }

    private void run() {
        isTimed.set(false);
        action.run();
    }
}
