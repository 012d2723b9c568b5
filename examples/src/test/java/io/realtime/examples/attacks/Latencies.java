package io.realtime.examples.attacks;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicIntegerArray;

/** How long deliveries took, counted by microsecond up to a second. Safe for use by many threads. */
final class Latencies {
    private final AtomicIntegerArray counts = new AtomicIntegerArray(1_000_000);

    void add(long nanos) {
        counts.incrementAndGet((int) Math.min(nanos / 1_000, counts.length() - 1));
    }

    /** Returns what so many percent took at most; zero when nothing was counted. */
    Duration percentile(int percent) {
        long wanted = (count() * percent + 99) / 100;
        int micros = 0;
        for (long seen = counts.get(0); seen < wanted; seen += counts.get(micros)) {
            micros++;
        }
        return Duration.ofNanos(micros * 1_000L);
    }

    private long count() {
        long all = 0;
        for (int i = 0; i < counts.length(); i++) {
            all += counts.get(i);
        }
        return all;
    }
}
