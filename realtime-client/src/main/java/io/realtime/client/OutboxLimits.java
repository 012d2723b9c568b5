package io.realtime.client;

import io.realtime.internal.Durations;
import java.time.Duration;
import java.util.Objects;

/**
 * The limits on messages that wait in a client for the server's acknowledgement. Immutable.
 *
 * <p>Defaults: 1,000 messages, 8 MiB, {@link Overflow#REJECT_NEW}, 12 hours.
 */
public final class OutboxLimits {
    /** What happens to a message that does not fit. */
    public enum Overflow {
        /** Refuses the new message: its future fails with {@code overloaded}. The default. */
        REJECT_NEW,
        /** Drops the oldest messages that are not in flight. When all are in flight, the new message is refused. */
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

    /** Returns the defaults. */
    public static OutboxLimits defaults() {
        return builder().build();
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Returns how many messages may wait. */
    public int messages() {
        return messages;
    }

    /** Returns how many encoded bytes may wait. */
    public long bytes() {
        return bytes;
    }

    /** Returns what happens beyond the limits. */
    public Overflow overflow() {
        return overflow;
    }

    /** Returns the age after which a message that is not in flight is dropped. */
    public Duration maxAge() {
        return maxAge;
    }

    @Override
    public String toString() {
        return "OutboxLimits{messages=" + messages + ", bytes=" + bytes + ", overflow=" + overflow + ", maxAge="
                + maxAge + "}";
    }

    /** A builder of {@link OutboxLimits}; not safe for use by many threads. */
    public static final class Builder {
        private int messages = 1_000;
        private long bytes = 8L << 20;
        private Overflow overflow = Overflow.REJECT_NEW;
        private Duration maxAge = Duration.ofHours(12);

        private Builder() {}

        /** Sets how many messages may wait; default 1,000. */
        public Builder messages(int count) {
            this.messages = count;
            return this;
        }

        /** Sets how many encoded bytes may wait; default 8 MiB. */
        public Builder bytes(long count) {
            this.bytes = count;
            return this;
        }

        /** Sets what happens beyond the limits; default {@link Overflow#REJECT_NEW}. */
        public Builder overflow(Overflow rule) {
            this.overflow = rule;
            return this;
        }

        /**
         * Sets the age after which a message that is not in flight is dropped; default 12 h. It must be shorter than
         * the time for which the server remembers what it has processed (24 h by default). Otherwise a message may be
         * processed twice. The difference is how wrong this machine's clock may be. Messages that an earlier process
         * left in a {@link FileOutbox} are dropped when the first welcome brings the server's time.
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
