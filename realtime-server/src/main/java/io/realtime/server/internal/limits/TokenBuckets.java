package io.realtime.server.internal.limits;

import io.realtime.server.RateLimit;
import io.realtime.spi.Scheduler;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One {@link TokenBucket} for each of many peers, by name. Buckets that are full again are removed as new ones are
 * created. If more than 100,000 remain, all are removed, which gives each peer a new burst. Safe for use by many
 * threads.
 */
public final class TokenBuckets {
    static final int MOST = 100_000;
    private static final int SWEEP_EVERY = 1024;

    private final RateLimit limit;
    private final Scheduler scheduler;
    private final ConcurrentHashMap<String, TokenBucket> buckets = new ConcurrentHashMap<>();
    private final AtomicInteger created = new AtomicInteger();

    public TokenBuckets(RateLimit limit, Scheduler scheduler) {
        this.limit = limit;
        this.scheduler = scheduler;
    }

    /** Returns the nanoseconds until there is a token for a peer; 0 if there is one. */
    public long untilNext(String peer, long now) {
        TokenBucket bucket = limit.isNone() ? null : buckets.get(peer);
        return bucket == null ? 0 : bucket.untilNext(now);
    }

    /** Takes a token of a peer, also if there is none. */
    public void spend(String peer, long now) {
        if (!limit.isNone()) {
            bucket(peer, now).spend(now);
        }
    }

    /** Takes a peer's next token, which may be a future one. Returns the nanoseconds until it is available. */
    public long reserve(String peer, long now) {
        return limit.isNone() ? 0 : bucket(peer, now).reserve(now);
    }

    /** Gives back a peer's token that was taken before it was available. */
    public void giveBack(String peer) {
        TokenBucket bucket = buckets.get(peer);
        if (bucket != null) {
            bucket.giveBack();
        }
    }

    private TokenBucket bucket(String peer, long now) {
        TokenBucket bucket = buckets.get(peer);
        if (bucket == null) {
            if (created.incrementAndGet() % SWEEP_EVERY == 0) {
                sweep(now);
            }
            bucket = buckets.computeIfAbsent(peer, name -> new TokenBucket(limit, scheduler.nanoTime()));
        }
        return bucket;
    }

    private void sweep(long now) {
        buckets.values().removeIf(bucket -> bucket.isFull(now));
        if (buckets.size() > MOST) {
            buckets.clear();
        }
    }

    int size() {
        return buckets.size();
    }
}
