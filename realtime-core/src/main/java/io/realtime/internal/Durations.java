package io.realtime.internal;

import java.time.Duration;
import java.time.Instant;

/**
 * The conversion of an application's durations to nanoseconds; all code uses this class. A duration beyond {@link
 * #LONGEST} means "forever" and is shortened to it, so that no later conversion, sum or difference with a clock
 * overflows.
 */
public final class Durations {
    /** 2^62 ns, 146 years: a monotonic clock plus two of these can still be compared. */
    public static final Duration LONGEST = Duration.ofNanos(1L << 62);

    /** The last second of the year 9999. An authentication that expires later never expires. */
    public static final Instant LATEST_EXPIRY = Instant.parse("9999-12-31T23:59:59Z");

    private Durations() {}

    /** Returns the duration, at most {@link #LONGEST}; a negative one becomes zero. */
    public static Duration clamp(Duration duration) {
        if (duration.isNegative()) {
            return Duration.ZERO;
        }
        return duration.compareTo(LONGEST) > 0 ? LONGEST : duration;
    }

    /** Returns the nanoseconds of {@link #clamp}. */
    public static long nanos(Duration duration) {
        return clamp(duration).toNanos();
    }

    /**
     * Returns the duration, at most {@link #LONGEST}.
     *
     * @throws IllegalArgumentException if it is zero or negative; the message names it
     */
    public static Duration positive(String name, Duration duration) {
        if (duration.isNegative() || duration.isZero()) {
            throw new IllegalArgumentException(name + " " + duration + " is not positive");
        }
        return clamp(duration);
    }

    /**
     * Returns the duration, at most {@link #LONGEST}.
     *
     * @throws IllegalArgumentException if it is negative; the message names it
     */
    public static Duration notNegative(String name, Duration duration) {
        if (duration.isNegative()) {
            throw new IllegalArgumentException(name + " " + duration + " is negative");
        }
        return clamp(duration);
    }
}
