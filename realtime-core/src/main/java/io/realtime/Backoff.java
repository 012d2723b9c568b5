package io.realtime;

import io.realtime.internal.Durations;
import java.time.Duration;
import java.util.function.DoubleSupplier;

/**
 * How long to wait before the next attempt: exponential growth up to a cap, spread by jitter so that many clients that
 * were dropped at once do not come back at once. Immutable.
 *
 * <p>Defaults: 500 ms, doubled each time, at most 30 s, at least 100 ms, full jitter, without end.
 */
public final class Backoff {
    /** How the computed delay is spread. */
    public enum Jitter {
        /** Anywhere between zero and the delay: the best spread, and the default. */
        FULL,
        /** Between half the delay and the delay. */
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

    /** The defaults. */
    public static Backoff defaults() {
        return builder().build();
    }

    /** A builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Returns how long to wait before an attempt.
     *
     * @param attempt 1 for the first attempt after a loss
     * @param random uniform in [0, 1)
     * @throws IllegalArgumentException when the attempt is below 1
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

    /** Returns whether this attempt (1 is the first after a loss) may be made at all. */
    public boolean allows(int attempt) {
        return attempt <= maxAttempts;
    }

    @Override
    public String toString() {
        return "Backoff{initial=" + initial + ", multiplier=" + multiplier + ", cap=" + cap + ", floor=" + floor
                + ", jitter=" + jitter + ", maxAttempts=" + maxAttempts + "}";
    }

    /** Builds a {@link Backoff}; not safe for use by many threads. */
    public static final class Builder {
        private Duration initial = Duration.ofMillis(500);
        private double multiplier = 2;
        private Duration cap = Duration.ofSeconds(30);
        private Duration floor = Duration.ofMillis(100);
        private Jitter jitter = Jitter.FULL;
        private int maxAttempts = Integer.MAX_VALUE;

        private Builder() {}

        /** The delay before the first attempt, before jitter; default 500 ms. */
        public Builder initial(Duration delay) {
            this.initial = delay;
            return this;
        }

        /** By how much the delay grows with each attempt; default 2. */
        public Builder multiplier(double factor) {
            this.multiplier = factor;
            return this;
        }

        /** What the delay never exceeds; default 30 s. */
        public Builder cap(Duration longest) {
            this.cap = longest;
            return this;
        }

        /** What the delay never falls below, jitter included; default 100 ms. */
        public Builder floor(Duration shortest) {
            this.floor = shortest;
            return this;
        }

        /** How delays are spread; default {@link Jitter#FULL}. */
        public Builder jitter(Jitter kind) {
            this.jitter = kind;
            return this;
        }

        /** After how many attempts without success to give up; default: never. */
        public Builder maxAttempts(int attempts) {
            this.maxAttempts = attempts;
            return this;
        }

        /**
         * Returns the immutable result.
         *
         * @throws IllegalArgumentException when the values contradict each other; the message names both
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
