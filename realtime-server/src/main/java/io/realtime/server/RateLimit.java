package io.realtime.server;

import java.time.Duration;

/**
 * How many messages a peer may send: so many in a time, and at most so many at once after it was quiet. A token bucket:
 * {@code burst} tokens at the beginning, one for each message, and {@code messages} new ones in each {@code per}, evenly.
 *
 * @param messages how many in each {@code per}; at least 1
 * @param per the time
 * @param burst how many at once; at least 1
 */
public record RateLimit(int messages, Duration per, int burst) {
    private static final Duration LONGEST = Duration.ofDays(365);
    private static final RateLimit NONE = new RateLimit(1, Duration.ofNanos(1), 1);

    /**
     * A limit.
     *
     * @throws IllegalArgumentException when a number is not positive, or an empty bucket needs more than a year to fill
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

    /** So many a second, and as many at once. */
    public static RateLimit perSecond(int messages) {
        return new RateLimit(messages, Duration.ofSeconds(1), messages);
    }

    /** So many a minute, and as many at once. */
    public static RateLimit perMinute(int messages) {
        return new RateLimit(messages, Duration.ofMinutes(1), messages);
    }

    /** No limit. */
    public static RateLimit none() {
        return NONE;
    }

    /** This rate, and so many at once. */
    public RateLimit withBurst(int atOnce) {
        return new RateLimit(messages, per, atOnce);
    }

    boolean isNone() {
        return equals(NONE);
    }

    /** The nanoseconds that one token takes. */
    long interval() {
        return Math.max(1, per.toNanos() / messages);
    }

    @Override
    public String toString() {
        return isNone() ? "none" : messages + " per " + per + ", burst " + burst;
    }
}
