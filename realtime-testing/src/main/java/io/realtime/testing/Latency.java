package io.realtime.testing;

import java.time.Duration;
import java.util.Random;
import java.util.function.LongSupplier;

/** The latency of the next frame: constant, or random for each frame from the given random. */
final class Latency {
    private final LongSupplier nanos;

    private Latency(LongSupplier nanos) {
        this.nanos = nanos;
    }

    static Latency of(Duration always) {
        if (always.isNegative()) {
            throw new IllegalArgumentException("a latency is not negative: " + always);
        }
        long same = always.toNanos();
        return new Latency(() -> same);
    }

    static Latency between(Duration least, Duration most, Random random) {
        if (least.isNegative() || most.compareTo(least) < 0) {
            throw new IllegalArgumentException("no range of latencies: " + least + " to " + most);
        }
        long from = least.toNanos();
        long range = most.toNanos() - from + 1;
        return new Latency(() -> from + (long) (random.nextDouble() * range));
    }

    Duration next() {
        return Duration.ofNanos(nanos.getAsLong());
    }
}
