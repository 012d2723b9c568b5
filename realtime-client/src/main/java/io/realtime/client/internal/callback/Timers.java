package io.realtime.client.internal.callback;

import io.realtime.spi.Scheduler;

/** A timer that does not run, for fields that hold the timer of something that is not going on. */
public final class Timers {
    /** Cancelling it does nothing. */
    public static final Scheduler.Cancellable NONE = () -> {};

    private Timers() {}
}
