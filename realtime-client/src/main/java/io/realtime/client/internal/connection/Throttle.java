package io.realtime.client.internal.connection;

import io.realtime.client.internal.callback.Timers;
import io.realtime.spi.Scheduler;
import java.time.Duration;

/**
 * Limits how often an action runs. The first call runs it at once. Further calls within the pause run it once, when the
 * pause is over. Owned by the scheduler's thread.
 */
final class Throttle {
    private final Scheduler scheduler;
    private final Duration pause;
    private final Runnable action;
    private Scheduler.Cancellable timer = Timers.NONE;
    private boolean again;

    Throttle(Scheduler scheduler, Duration pause, Runnable action) {
        this.scheduler = scheduler;
        this.pause = pause;
        this.action = action;
    }

    void ask() {
        if (timer != Timers.NONE) {
            again = true;
            return;
        }
        timer = scheduler.schedule(pause, this::over);
        action.run();
    }

    private void over() {
        timer = Timers.NONE;
        if (again) {
            again = false;
            ask();
        }
    }

    /** Forgets a run that waits. */
    void stop() {
        timer.cancel();
        timer = Timers.NONE;
        again = false;
    }
}
