package io.realtime.client;

import io.realtime.spi.Scheduler;
import java.time.Duration;

/**
 * Runs an action when it is asked for, and at most once in a while: what is asked for sooner is done once, when that is
 * over. Owned by the scheduler's thread.
 */
final class Throttle {
    private final Scheduler scheduler;
    private final Duration pause;
    private final Runnable action;
    private Scheduler.Cancellable timer = ServerConnection.NOTHING;
    private boolean again;

    Throttle(Scheduler scheduler, Duration pause, Runnable action) {
        this.scheduler = scheduler;
        this.pause = pause;
        this.action = action;
    }

    void ask() {
        if (timer != ServerConnection.NOTHING) {
            again = true;
            return;
        }
        timer = scheduler.schedule(pause, this::over);
        action.run();
    }

    private void over() {
        timer = ServerConnection.NOTHING;
        if (again) {
            again = false;
            ask();
        }
    }

    /** Forgets what was asked for. */
    void stop() {
        timer.cancel();
        timer = ServerConnection.NOTHING;
        again = false;
    }
}
