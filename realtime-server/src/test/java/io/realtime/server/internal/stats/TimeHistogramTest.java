package io.realtime.server.internal.stats;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.ServerStats.Times;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TimeHistogramTest {
    private final TimeHistogram histogram = new TimeHistogram();

    private static void assertAtMostAnEighthLonger(long exact, Duration found, String what) {
        long nanos = found.toNanos();
        assertTrue(nanos >= exact && nanos <= exact + exact / 8, what + ": " + nanos + " for " + exact);
    }

    @Test
    void emptyHistogramHasOnlyZeros() {
        Duration none = Duration.ZERO;
        assertEquals(new Times(0, none, none, none, none, none), histogram.read());
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2})
    void percentilesAreAtMostAnEighthTooLong(long seed) {
        Random random = new Random(seed);
        long[] times = new long[10_000];
        for (int i = 0; i < times.length; i++) {
            times[i] = (long) Math.exp(random.nextDouble() * 40); // up to 7 years, all sizes alike
            histogram.record(times[i]);
        }
        long sum = Arrays.stream(times).sum();
        Arrays.sort(times);
        Times read = histogram.read();
        assertEquals(10_000, read.count());
        assertEquals(sum, read.total().toNanos());
        assertAtMostAnEighthLonger(times[4_999], read.p50(), "p50, seed " + seed);
        assertAtMostAnEighthLonger(times[9_499], read.p95(), "p95, seed " + seed);
        assertAtMostAnEighthLonger(times[9_899], read.p99(), "p99, seed " + seed);
        assertAtMostAnEighthLonger(times[9_999], read.max(), "max, seed " + seed);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 7, 8, 15, 16, 17, 1_100, 2_100, 5_000, 3_600_000_000_000L, 1L << 62, Long.MAX_VALUE})
    void anyTimeIsReadAtMostAnEighthTooLong(long time) {
        histogram.record(time);
        long read = histogram.read().p50().toNanos();
        // The difference cannot overflow, as a sum can.
        assertTrue(read >= time && read - time <= time / 8, time + " ns read as " + read);
    }

    @Test
    void negativeTimeCountsAsZero() {
        histogram.record(-5);
        Duration none = Duration.ZERO;
        assertEquals(new Times(1, none, none, none, none, none), histogram.read());
    }

    @Test
    void percentilesForgetWhatIsTwoMarksOld() {
        histogram.record(1_000_000_000);
        histogram.mark();
        histogram.record(1_000);
        assertTrue(histogram.read().max().toMillis() >= 1_000, "one mark ago");
        histogram.mark();
        Times read = histogram.read();
        assertAtMostAnEighthLonger(1_000, read.max(), "two marks ago");
        assertEquals(2, read.count());
        assertEquals(1_000_001_000, read.total().toNanos());
    }

    @Test
    @Timeout(30)
    void timesOfManyThreadsAreAllCounted() throws InterruptedException {
        CountDownLatch together = new CountDownLatch(4);
        List<Thread> threads = Stream.generate(() -> new Thread(() -> {
                    together.countDown();
                    for (int i = 0; i < 10_000; i++) {
                        histogram.record(i);
                    }
                }))
                .limit(4)
                .toList();
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join(TimeUnit.SECONDS.toMillis(20));
        }
        assertEquals(40_000, histogram.read().count());
        assertEquals(4L * 10_000 * 9_999 / 2, histogram.read().total().toNanos());
    }
}
