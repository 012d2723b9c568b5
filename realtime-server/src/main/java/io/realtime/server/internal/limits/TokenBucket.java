package io.realtime.server.internal.limits;

import io.realtime.server.RateLimit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The tokens of a {@link RateLimit} that are left to one peer, stored as one number: the time when the bucket will be
 * full again. Safe for use by many threads. Threads that ask at the same time may all be told that there is a token
 * although there is only one. Later callers wait for the tokens that were taken too many.
 */
public final class TokenBucket {
    // The most nanoseconds that may be missing: 73 years.
    private static final long MOST = Long.MAX_VALUE / 4;

    private final RateLimit limit;
    private final AtomicLong fullAt;

    /** Creates a full bucket. */
    public TokenBucket(RateLimit limit, long now) {
        this.limit = limit;
        this.fullAt = new AtomicLong(now);
    }

    /** Returns the nanoseconds until there is a token; 0 if there is one. */
    public long untilNext(long now) {
        long lacking = Math.max(0, fullAt.get() - now);
        return Math.max(0, lacking - interval() * (limit.burst() - 1));
    }

    /** Takes a token, also if there is none. */
    public void spend(long now) {
        fullAt.updateAndGet(full -> now + Math.max(0, full - now) + interval());
    }

    /** Takes the next token, which may be a future one. Returns the nanoseconds until it is available. */
    long reserve(long now) {
        while (true) {
            long full = fullAt.get();
            long lacking = Math.max(0, full - now);
            if (fullAt.compareAndSet(full, now + Math.min(MOST, lacking + interval()))) {
                return Math.max(0, lacking - interval() * (limit.burst() - 1));
            }
        }
    }

    /** Gives back a token that was taken before it was available. */
    void giveBack() {
        fullAt.addAndGet(-interval());
    }

    /** Takes a token if there is one. Returns 0 if it was taken, otherwise the nanoseconds until there is one. */
    public long take(long now) {
        long wait = untilNext(now);
        if (wait == 0) {
            spend(now);
        }
        return wait;
    }

    /** Returns how many nanoseconds it takes until one token is added. */
    private long interval() {
        return Math.max(1, limit.per().toNanos() / limit.messages());
    }

    boolean isFull(long now) {
        return fullAt.get() - now <= 0;
    }
}
