package io.realtime.server;

import io.realtime.internal.Durations;
import java.time.Duration;

/**
 * How much of a room's log is kept; whichever bound is met first trims it.
 *
 * @param messages how many messages; 0 keeps none
 * @param age for how long; a longer one than 146 years counts as 146 years
 * @param bytes how many bytes of heap, which is some 70 more for each message than its encoded length; 0 keeps nothing,
 *     else the newest message is kept whatever its length
 */
public record Retention(int messages, Duration age, long bytes) {
    private static final long DEFAULT_BYTES = 4 << 20;
    private static final Retention DEFAULTS = new Retention(1000, Duration.ofMinutes(5));
    private static final Retention INBOX = new Retention(1000, Duration.ofDays(7));
    private static final Retention NONE = new Retention(0, Duration.ZERO);

    /**
     * A retention.
     *
     * @throws IllegalArgumentException when a value is negative
     */
    public Retention {
        if (messages < 0 || age.isNegative() || bytes < 0) {
            throw new IllegalArgumentException(
                    "retention of " + messages + " messages, " + bytes + " bytes, for " + age + " is negative");
        }
        age = Durations.clamp(age);
    }

    /** A retention of at most 4 MiB. */
    public Retention(int messages, Duration age) {
        this(messages, age, DEFAULT_BYTES);
    }

    /** The newest 1,000 messages, at most 4 MiB of them, for 5 minutes. */
    public static Retention defaults() {
        return DEFAULTS;
    }

    /** For users' inboxes: the newest 1,000 messages, at most 4 MiB of them, for 7 days. */
    public static Retention inboxDefaults() {
        return INBOX;
    }

    /** Nothing: a receiver that was away is told to reload. */
    public static Retention none() {
        return NONE;
    }
}
