package io.realtime;

import io.realtime.internal.Durations;
import java.time.Duration;
import java.util.function.DoubleSupplier;

/**
 * The delays between attempts to connect. They grow exponentially up to a cap. Jitter spreads them, so that many
 * clients that lost their connections at once do not reconnect at once. Immutable.
 *
 * <p>Defaults: 500 ms, doubled with each attempt, at most 30 s, at least 100 ms, full jitter, no limit of attempts.
 */
public final class Backoff {
    /** How the computed delay is randomized. */
    public enum Jitter {
        /** Uniform between zero and the delay; spreads best. The default. */
        FULL,
        /** Uniform between half the delay and the delay. */
        EQUAL,
        /** Exactly the delay. */
        NONE
    }

    private final Duration initial;
    private final double multiplier;
    private final Duration cap;
    private final Duration floor;
    private final Jitter jitter;
    private final int maxAttempts;

    private Backoff(Builder builder) {
        this.initial = builder.initial;
        this.multiplier = builder.multiplier;
        this.cap = builder.cap;
        this.floor = builder.floor;
        this.jitter = builder.jitter;
        this.maxAttempts = builder.maxAttempts;
    }

    /** Returns the default backoff. */
    public static Backoff defaults() {
        return builder().build();
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Returns the delay before an attempt.
     *
     * @param attempt 1 for the first attempt after a connection was lost
     * @param random returns values uniform in [0, 1)
     * @throws IllegalArgumentException if the attempt is below 1
     */
    public Duration delay(int attempt, DoubleSupplier random) {
        if (attempt < 1) {
            throw new IllegalArgumentException("attempt " + attempt + " is below 1");
        }
        double full = Math.min((double) cap.toNanos(), initial.toNanos() * Math.pow(multiplier, attempt - 1.0));
        double spread = switch (jitter) {
            case FULL -> full * random.getAsDouble();
            case EQUAL -> full / 2 + full / 2 * random.getAsDouble();
            case NONE -> full;
        };
        return Duration.ofNanos(Math.max(floor.toNanos(), (long) spread));
    }

    /** Returns whether an attempt is within {@code maxAttempts}; 1 is the first after a connection was lost. */
    public boolean allows(int attempt) {
        return attempt <= maxAttempts;
    }

    @Override
    public String toString() {
        return "Backoff{initial=" + initial + ", multiplier=" + multiplier + ", cap=" + cap + ", floor=" + floor
                + ", jitter=" + jitter + ", maxAttempts=" + maxAttempts + "}";
    }

    /** A builder of {@link Backoff}; not safe for use by many threads. */
    public static final class Builder {
        private Duration initial = Duration.ofMillis(500);
        private double multiplier = 2;
        private Duration cap = Duration.ofSeconds(30);
        private Duration floor = Duration.ofMillis(100);
        private Jitter jitter = Jitter.FULL;
        private int maxAttempts = Integer.MAX_VALUE;

        private Builder() {}

        /** Sets the delay before the first attempt, before jitter; default 500 ms. */
        public Builder initial(Duration delay) {
            this.initial = delay;
            return this;
        }

        /** Sets the factor by which the delay grows with each attempt; default 2, at least 1. */
        public Builder multiplier(double factor) {
            this.multiplier = factor;
            return this;
        }

        /** Sets the longest delay; default 30 s. */
        public Builder cap(Duration longest) {
            this.cap = longest;
            return this;
        }

        /** Sets the shortest delay, after jitter; default 100 ms. */
        public Builder floor(Duration shortest) {
            this.floor = shortest;
            return this;
        }

        /** Sets how delays are randomized; default {@link Jitter#FULL}. */
        public Builder jitter(Jitter kind) {
            this.jitter = kind;
            return this;
        }

        /** Sets after how many failed attempts to give up; default: never. */
        public Builder maxAttempts(int attempts) {
            this.maxAttempts = attempts;
            return this;
        }

        /**
         * Builds the immutable backoff.
         *
         * @throws IllegalArgumentException if the values contradict each other; the message names both
         */
        public Backoff build() {
            floor = Durations.notNegative("floor", floor);
            initial = Durations.positive("initial", initial);
            cap = Durations.clamp(cap);
            require(multiplier >= 1, "multiplier " + multiplier + " is below 1");
            require(maxAttempts >= 0, "maxAttempts " + maxAttempts + " is negative");
            require(cap.compareTo(initial) >= 0, "cap " + cap + " is below initial " + initial);
            require(cap.compareTo(floor) >= 0, "cap " + cap + " is below floor " + floor);
            return new Backoff(this);
        }

        private static void require(boolean holds, String otherwise) {
            if (!holds) {
                throw new IllegalArgumentException(otherwise);
            }
        }
    }
}
