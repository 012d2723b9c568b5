package io.realtime.server.internal.limits;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.RateLimit;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenBucketTest {
    private static final long SECOND = 1_000_000_000L;

    @ParameterizedTest
    @ValueSource(longs = {0, 5_000_000_000L, -7, Long.MAX_VALUE - 1000, Long.MIN_VALUE + 3})
    void burstAtOnceThenEvenlyWhateverTheClockBeginsWith(long begin) {
        TokenBucket bucket = new TokenBucket(RateLimit.perSecond(10).withBurst(3), begin);
        for (int i = 0; i < 3; i++) {
            assertEquals(0, bucket.take(begin));
        }
        assertEquals(SECOND / 10, bucket.take(begin));
        assertEquals(1, bucket.take(begin + SECOND / 10 - 1));
        assertEquals(0, bucket.take(begin + SECOND / 10));
        assertEquals(SECOND / 10, bucket.take(begin + SECOND / 10));
        assertFalse(bucket.isFull(begin + SECOND / 10 * 4 - 1));
        assertTrue(bucket.isFull(begin + SECOND / 10 * 4));
        long later = begin + 100 * SECOND; // no more than the burst is saved up
        for (int i = 0; i < 3; i++) {
            assertEquals(0, bucket.take(later));
        }
        assertEquals(SECOND / 10, bucket.take(later));
    }

    @Test
    void whatIsTakenTooManyIsWaitedForLater() {
        TokenBucket bucket = new TokenBucket(RateLimit.perSecond(10).withBurst(1), 0);
        bucket.spend(0);
        bucket.spend(0);
        assertEquals(2 * SECOND / 10, bucket.untilNext(0));
    }

    @Test
    void minutesWorthAtOnce() {
        TokenBucket bucket = new TokenBucket(RateLimit.perMinute(100), 0);
        for (int i = 0; i < 100; i++) {
            assertEquals(0, bucket.take(0));
        }
        assertEquals(60 * SECOND / 100, bucket.take(0));
    }

    @Test
    void fullBucketsAreForgottenAndMemoryIsBounded() {
        ManualScheduler time = new ManualScheduler();
        TokenBuckets buckets = new TokenBuckets(RateLimit.perSecond(1), time);
        for (int i = 0; i < 5_000; i++) {
            buckets.spend("peer" + i, time.nanoTime());
            time.advance(Duration.ofMillis(1));
        }
        assertTrue(buckets.size() <= 1_000 + 1_024, () -> buckets.size() + " are kept");
        assertTrue(buckets.untilNext("peer4999", time.nanoTime()) > 0);
        assertTrue(buckets.untilNext("peer4050", time.nanoTime()) > 0, "a sweep forgot a bucket that is not full");
        assertEquals(0, buckets.untilNext("peer0", time.nanoTime()));
        for (int i = 0; i < TokenBuckets.MOST + 2_048; i++) {
            buckets.spend("flood" + i, time.nanoTime());
        }
        assertTrue(buckets.size() <= TokenBuckets.MOST);
    }

    @Test
    void limitsThatLetNothingThroughAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> RateLimit.perSecond(0));
        assertThrows(
                IllegalArgumentException.class, () -> RateLimit.perMinute(1).withBurst(0));
        assertThrows(IllegalArgumentException.class, () -> new RateLimit(1, Duration.ZERO, 1));
        assertThrows(IllegalArgumentException.class, () -> new RateLimit(1, Duration.ofDays(1), 366));
        assertEquals(
                "100 per PT1S, burst 200",
                RateLimit.perSecond(100).withBurst(200).toString());
        assertEquals("none", RateLimit.none().toString());
    }
}
