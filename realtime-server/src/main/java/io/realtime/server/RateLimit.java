package io.realtime.server;

import java.time.Duration;

/**
 * The rate at which a peer may send messages. It is a token bucket that holds {@code burst} tokens and is full at the
 * beginning. Each message takes one token, and {@code messages} new tokens are added in each {@code per}, evenly.
 *
 * @param messages how many messages in each {@code per}; at least 1
 * @param per the time
 * @param burst how many messages at once; at least 1
 */
public record RateLimit(int messages, Duration per, int burst) {
    private static final Duration LONGEST = Duration.ofDays(365);
    private static final RateLimit NONE = new RateLimit(1, Duration.ofNanos(1), 1);

    /**
     * Creates a limit.
     *
     * @throws IllegalArgumentException when a number is not positive, or when an empty bucket needs more than a year to
     *     fill
     */
    public RateLimit {
        if (messages <= 0 || burst <= 0 || per.isNegative() || per.isZero()) {
            throw new IllegalArgumentException("a rate of " + messages + " in " + per + " with a burst of " + burst
                    + " lets nothing through: use RateLimit.none() for no limit");
        }
        if (per.compareTo(LONGEST) > 0 || per.toNanos() / messages > LONGEST.toNanos() / burst) {
            throw new IllegalArgumentException("a burst of " + burst + " would be back after more than a year");
        }
    }

    /** Returns a limit of so many messages a second, with a burst of the same number. */
    public static RateLimit perSecond(int messages) {
        return new RateLimit(messages, Duration.ofSeconds(1), messages);
    }

    /** Returns a limit of so many messages a minute, with a burst of the same number. */
    public static RateLimit perMinute(int messages) {
        return new RateLimit(messages, Duration.ofMinutes(1), messages);
    }

    /** Returns a value that sets no limit. */
    public static RateLimit none() {
        return NONE;
    }

    /** Returns this rate with another burst. */
    public RateLimit withBurst(int atOnce) {
        return new RateLimit(messages, per, atOnce);
    }

    /** Returns whether this sets no limit. */
    public boolean isNone() {
        return equals(NONE);
    }

    @Override
    public String toString() {
        return isNone() ? "none" : messages + " per " + per + ", burst " + burst;
    }
}
