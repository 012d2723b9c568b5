package io.realtime.server;

import io.realtime.internal.Durations;
import java.time.Duration;

/**
 * How much of a room's log is kept. A log is trimmed as soon as one of the three bounds is exceeded.
 *
 * @param messages the maximum number of messages; 0 keeps none
 * @param age for how long a message is kept; more than 146 years counts as 146 years
 * @param bytes the maximum bytes of heap; a message takes about 70 more than its encoded length. 0 keeps none;
 *     otherwise the newest message is kept whatever its length
 */
public record Retention(int messages, Duration age, long bytes) {
    private static final long DEFAULT_BYTES = 4 << 20;
    private static final Retention DEFAULTS = new Retention(1000, Duration.ofMinutes(5));
    private static final Retention INBOX = new Retention(1000, Duration.ofDays(7));
    private static final Retention NONE = new Retention(0, Duration.ZERO);

    /**
     * Creates a retention.
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

    /** Creates a retention of at most 4 MiB. */
    public Retention(int messages, Duration age) {
        this(messages, age, DEFAULT_BYTES);
    }

    /** Returns the default for rooms: the newest 1,000 messages, at most 4 MiB, for 5 minutes. */
    public static Retention defaults() {
        return DEFAULTS;
    }

    /** Returns the default for users' inboxes: the newest 1,000 messages, at most 4 MiB, for 7 days. */
    public static Retention inboxDefaults() {
        return INBOX;
    }

    /** Returns a retention that keeps nothing. A receiver that was away is told that it has a gap. */
    public static Retention none() {
        return NONE;
    }
}
