package io.realtime;

import io.realtime.internal.Durations;
import java.time.Duration;

/**
 * The times after which a silent connection is pinged, and is given up as dead. Any inbound frame counts as a sign of
 * life.
 *
 * @param interval the silence after which to ping; default 30 s, at least 1 ms. If less than 1 s, and less than a
 * quarter of the timeout, would be left for the answer, the ping is sent earlier
 * @param timeout the silence after which the connection is dead; default 60 s
 */
public record Heartbeat(Duration interval, Duration timeout) {
    private static final Duration LEAST_INTERVAL = Duration.ofMillis(1);
    private static final Heartbeat DEFAULTS = new Heartbeat(Duration.ofSeconds(30), Duration.ofSeconds(60));

    /**
     * Creates a heartbeat.
     *
     * @throws IllegalArgumentException if the interval is below 1 ms, or the timeout is not longer than the interval
     */
    public Heartbeat {
        interval = Durations.clamp(interval);
        if (interval.compareTo(LEAST_INTERVAL) < 0) {
            throw new IllegalArgumentException("interval " + interval + " is below " + LEAST_INTERVAL);
        }
        timeout = Durations.clamp(timeout);
        if (timeout.compareTo(interval) <= 0) {
            throw new IllegalArgumentException("timeout " + timeout + " is not longer than interval " + interval);
        }
    }

    /** Returns the default: ping after 30 s of silence, dead after 60 s. */
    public static Heartbeat defaults() {
        return DEFAULTS;
    }
}
