package io.realtime;

import io.realtime.internal.Durations;
import java.time.Duration;

/**
 * When a silent connection is asked for a sign of life, and when it is given up. Any inbound frame counts as a sign.
 *
 * @param interval after how much silence to ping; default 30 s, at least 1 ms. A ping leaves earlier when the timeout would
 *     leave less than 1 s, and less than a quarter of itself, for the answer
 * @param timeout after how much silence the connection is dead; default 60 s
 */
public record Heartbeat(Duration interval, Duration timeout) {
    private static final Duration LEAST_INTERVAL = Duration.ofMillis(1);
    private static final Heartbeat DEFAULTS = new Heartbeat(Duration.ofSeconds(30), Duration.ofSeconds(60));

    /**
     * A heartbeat.
     *
     * @throws IllegalArgumentException when the interval is below 1 ms, or the timeout is not longer than it
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

    /** A ping after 30 s of silence, dead after 60 s. */
    public static Heartbeat defaults() {
        return DEFAULTS;
    }
}
