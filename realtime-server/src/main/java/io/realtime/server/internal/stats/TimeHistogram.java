package io.realtime.server.internal.stats;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.server.ServerStats.Times;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The distribution of times, in a fixed space. Eight buckets cover each power of two, so a percentile is
 * at most 12.5 % too long. Recording takes no lock and allocates nothing; threads that contend for a
 * bucket get cells of their own ({@link LongAdder}). Safe for use by many threads.
 */
public final class TimeHistogram {
    /** One for each of the first 8 ns, and eight for each power of two from 2<sup>3</sup> to 2<sup>62</sup> ns. */
    private static final int BUCKETS = 8 * 61;

    private final LongAdder[] counts = new LongAdder[BUCKETS];
    private final LongAdder nanos = new LongAdder();

    // A leaf: no other lock is taken while it is held.
    private final ReentrantLock lock = new ReentrantLock();
    // The counts at the last mark, and at the one before.
    @GuardedBy("lock")
    private long[] marked = new long[BUCKETS];

    @GuardedBy("lock")
    private long[] markedBefore = new long[BUCKETS];

    /** Creates an empty histogram. */
    public TimeHistogram() {
        Arrays.setAll(counts, bucket -> new LongAdder());
    }

    /** Records a time; a negative one counts as zero. */
    public void record(long time) {
        long positive = Math.max(0, time);
        counts[bucketOf(positive)].increment();
        nanos.add(positive);
    }

    /** Forgets, for the percentiles, the times from before the last call. Called at intervals. */
    void mark() {
        long[] now = sums();
        lock.lock();
        try {
            markedBefore = marked;
            marked = now;
        } finally {
            lock.unlock();
        }
    }

    /** Returns the number and sum of all times, and the percentiles of those since the last mark but one. */
    Times read() {
        long[] now = sums();
        long total = Arrays.stream(now).sum();
        long recent = 0;
        lock.lock();
        try {
            for (int i = 0; i < BUCKETS; i++) {
                // A mark may have been made after the sums were read.
                now[i] = Math.max(0, now[i] - markedBefore[i]);
                recent += now[i];
            }
        } finally {
            lock.unlock();
        }
        return new Times(
                total,
                Duration.ofNanos(nanos.sum()),
                percentile(now, recent, 0.5),
                percentile(now, recent, 0.95),
                percentile(now, recent, 0.99),
                percentile(now, recent, 1));
    }

    private long[] sums() {
        return Arrays.stream(counts).mapToLong(LongAdder::sum).toArray();
    }

    private static Duration percentile(long[] counts, long total, double share) {
        long rank = (long) Math.ceil(share * total);
        int bucket = 0;
        for (long passed = counts[0]; passed < rank; passed += counts[bucket]) {
            bucket++;
        }
        return total == 0 ? Duration.ZERO : Duration.ofNanos(longestIn(bucket));
    }

    private static int bucketOf(long time) {
        if (time < 8) {
            return (int) time;
        }
        int power = 63 - Long.numberOfLeadingZeros(time);
        return 8 * (power - 2) + (int) ((time >>> (power - 3)) & 7);
    }

    /** Returns the longest time that a bucket counts, in nanoseconds. */
    private static long longestIn(int bucket) {
        return bucket < 8 ? bucket : ((9L + bucket % 8) << (bucket / 8 - 1)) - 1;
    }
}
