package io.realtime.server.internal.execution;

import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An action that runs after a delay, once for all requests that are made meanwhile. There is one timer, however many
 * requests. Safe for use by many threads. The action runs on the scheduler's thread.
 */
public final class Delayed {
    private static final Logger LOG = LoggerFactory.getLogger(Delayed.class);

    private final Scheduler scheduler;
    private final Duration delay;
    private final Runnable action;
    private final AtomicBoolean isTimed = new AtomicBoolean();

    public Delayed(Scheduler scheduler, Duration delay, Runnable action) {
        this.scheduler = scheduler;
        this.delay = delay;
        this.action = action;
    }

    /** Requests the action. It runs at the latest when the delay has passed. */
    public void request() {
        if (isTimed.compareAndSet(false, true)) {
            try {
                scheduler.schedule(delay, this::run);
            } catch (Throwable failure) {
                // For example no memory for a timer. The next request tries again.
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
