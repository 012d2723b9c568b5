package io.realtime.server;

import java.time.Duration;

/**
 * How much of a room's log is kept; whichever bound is met first trims it.
 *
 * @param messages how many messages; 0 keeps none
 * @param age for how long
 */
public record Retention(int messages, Duration age) {
    private static final Retention DEFAULTS = new Retention(1000, Duration.ofMinutes(5));
    private static final Retention NONE = new Retention(0, Duration.ZERO);

    /**
     * A retention.
     *
     * @throws IllegalArgumentException when a value is negative
     */
    public Retention {
        if (messages < 0 || age.isNegative()) {
            throw new IllegalArgumentException("retention of " + messages + " messages for " + age + " is negative");
        }
    }

    /** The newest 1,000 messages, for 5 minutes. */
    public static Retention defaults() {
        return DEFAULTS;
    }

    /** Nothing: a receiver that was away is told to reload. */
    public static Retention none() {
        return NONE;
    }
}
