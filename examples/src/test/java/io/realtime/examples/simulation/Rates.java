package io.realtime.examples.simulation;

import io.realtime.server.RateLimit;
import java.util.HashMap;
import java.util.Map;

/** Counts what each session, or user, has handled, and knows how much a rate limit lets through in so long a time. */
final class Rates {
    private final RateLimit limit;
    private final Map<String, Bucket> buckets = new HashMap<>();

    private static final class Bucket {
        final long since;
        long taken;

        Bucket(long since) {
            this.since = since;
        }
    }

    Rates(RateLimit limit) {
        this.limit = limit;
    }

    /** Notes that somebody is let in: what it may send at once is there from now on. */
    void begin(String whose, long now) {
        buckets.putIfAbsent(whose, new Bucket(now));
    }

    /** Counts one; returns false when that is more than the limit lets through. */
    boolean take(String whose, long now) {
        if (limit.equals(RateLimit.none())) {
            return true;
        }
        Bucket bucket = buckets.computeIfAbsent(whose, name -> new Bucket(now));
        bucket.taken++;
        double refilled =
                (double) (now - bucket.since) * limit.messages() / limit.per().toNanos();
        return bucket.taken <= limit.burst() + refilled + 1;
    }
}
