package io.realtime.server;

import java.util.concurrent.atomic.AtomicLong;

/**
 * How much of a {@link RateLimit} is left to one peer, as one number: when the bucket will be full again. Safe for use by
 * many threads. Those that ask at once may all be told that there is a token when there is one; what they take too many,
 * later ones wait for.
 */
final class TokenBucket {
    private static final long MOST = Long.MAX_VALUE / 4; // what may be lacking: 73 years

    private final RateLimit limit;
    private final AtomicLong fullAt;

    /** A full bucket. */
    TokenBucket(RateLimit limit, long now) {
        this.limit = limit;
        this.fullAt = new AtomicLong(now);
    }

    /** Returns the nanoseconds until there is a token; 0 when there is one. */
    long untilNext(long now) {
        long interval = limit.interval();
        long lacking = Math.max(0, fullAt.get() - now);
        return Math.max(0, lacking - interval * (limit.burst() - 1));
    }

    /** Takes a token, whether there is one or not. */
    void spend(long now) {
        fullAt.updateAndGet(full -> now + Math.max(0, full - now) + limit.interval());
    }

    /** Takes the next token, which may be still to come; returns the nanoseconds until it is there. */
    long reserve(long now) {
        while (true) {
            long full = fullAt.get();
            long lacking = Math.max(0, full - now);
            if (fullAt.compareAndSet(full, now + Math.min(MOST, lacking + limit.interval()))) {
                return Math.max(0, lacking - limit.interval() * (limit.burst() - 1));
            }
        }
    }

    /** Gives a token back that was taken before it was there. */
    void giveBack() {
        fullAt.addAndGet(-limit.interval());
    }

    /** Takes a token if there is one; returns the nanoseconds until there is one, 0 when it was taken. */
    long take(long now) {
        long wait = untilNext(now);
        if (wait == 0) {
            spend(now);
        }
        return wait;
    }

    boolean isFull(long now) {
        return fullAt.get() - now <= 0;
    }
}
