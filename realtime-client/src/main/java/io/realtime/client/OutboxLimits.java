package io.realtime.client;

import io.realtime.internal.Durations;
import java.time.Duration;
import java.util.Objects;

/**
 * How much may wait in a client until the server has acknowledged it, and what happens beyond. Immutable.
 *
 * <p>Defaults: 1,000 messages, 8 MiB, {@link Overflow#REJECT_NEW}, 12 hours.
 */
public final class OutboxLimits {
    /** What happens to a message that does not fit. */
    public enum Overflow {
        /** The new message is refused: its future fails with {@code overloaded}. The default. */
        REJECT_NEW,
        /** The oldest messages that are not on their way make room; when all are on their way, the new is refused. */
        DROP_OLDEST
    }

    private final int messages;
    private final long bytes;
    private final Overflow overflow;
    private final Duration maxAge;

    private OutboxLimits(Builder builder) {
        this.messages = builder.messages;
        this.bytes = builder.bytes;
        this.overflow = Objects.requireNonNull(builder.overflow, "overflow");
        this.maxAge = builder.maxAge;
    }

    /** The defaults. */
    public static OutboxLimits defaults() {
        return builder().build();
    }

    /** A builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    int messages() {
        return messages;
    }

    long bytes() {
        return bytes;
    }

    Overflow overflow() {
        return overflow;
    }

    Duration maxAge() {
        return maxAge;
    }

    @Override
    public String toString() {
        return "OutboxLimits{messages=" + messages + ", bytes=" + bytes + ", overflow=" + overflow + ", maxAge="
                + maxAge + "}";
    }

    /** Builds {@link OutboxLimits}; not safe for use by many threads. */
    public static final class Builder {
        private int messages = 1_000;
        private long bytes = 8L << 20;
        private Overflow overflow = Overflow.REJECT_NEW;
        private Duration maxAge = Duration.ofHours(12);

        private Builder() {}

        /** How many messages may wait; default 1,000. */
        public Builder messages(int count) {
            this.messages = count;
            return this;
        }

        /** How many encoded bytes may wait; default 8 MiB. */
        public Builder bytes(long count) {
            this.bytes = count;
            return this;
        }

        /** What happens beyond; default {@link Overflow#REJECT_NEW}. */
        public Builder overflow(Overflow rule) {
            this.overflow = rule;
            return this;
        }

        /**
         * Sets after how long a message that is not on its way is dropped; default 12 h. It must be shorter than the server
         * remembers what it has processed (24 h by default), or a message may be processed twice. The difference is how
         * wrong this machine's clock may be. What an earlier process left in a {@link FileOutbox} is dropped when the first
         * welcome says what time it is.
         */
        public Builder maxAge(Duration age) {
            this.maxAge = age;
            return this;
        }

        /**
         * Returns the immutable result.
         *
         * @throws IllegalArgumentException when a limit is not positive
         */
        public OutboxLimits build() {
            if (messages < 1) {
                throw new IllegalArgumentException("messages " + messages + " is not positive");
            }
            if (bytes < 1) {
                throw new IllegalArgumentException("bytes " + bytes + " is not positive");
            }
            maxAge = Durations.positive("maxAge", maxAge);
            return new OutboxLimits(this);
        }
    }
}
