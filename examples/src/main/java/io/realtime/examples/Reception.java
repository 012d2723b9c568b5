package io.realtime.examples;

import java.util.BitSet;
import java.util.Locale;

/** The statistics of how a known number of frames arrives. Not safe for use by many threads. */
final class Reception {
    private static final int JITTER_GAIN = 16;
    private static final double MILLI = 1_000_000;

    // The delays of the frames that were heard.
    private final long[] delays;
    private final BitSet heard = new BitSet();
    private final BitSet doubled = new BitSet();
    private final BitSet overtaken = new BitSet();
    private long lastDelay;
    private double jitter;

    /** Creates the statistics for the frames 0 to {@code frames - 1}. */
    Reception(int frames) {
        this.delays = new long[frames];
    }

    /**
     * Records one frame. Call it in the order of arrival.
     *
     * @param capturedNanos the time of capture, by any clock that runs as fast as the receiver's
     * @throws IndexOutOfBoundsException if no frame with this number is expected
     */
    void take(int number, long capturedNanos, long arrivedNanos) {
        long delay = arrivedNanos - capturedNanos;
        if (heard.get(number)) {
            doubled.set(number);
            return;
        }
        delays[number] = delay;
        // RFC 3550 section 6.4.1: D is the difference of two frames' relative transit times, so the offset between the
        // clocks does not matter.
        if (!heard.isEmpty()) {
            jitter += (Math.abs(delay - lastDelay) - jitter) / JITTER_GAIN;
        }
        lastDelay = delay;
        overtaken.set(number, number < heard.length());
        heard.set(number);
    }

    /**
     * Returns what happened to the frames from one number up to another, which is excluded. The jitter is the current
     * one.
     */
    Report report(int from, int to) {
        long[] sorted = heard.get(from, to).stream()
                .mapToLong(i -> delays[from + i])
                .sorted()
                .toArray();
        double p99 = sorted.length == 0 ? Double.NaN : sorted[(sorted.length * 99 + 99) / 100 - 1] / MILLI;
        return new Report(
                to - from,
                to - from - sorted.length,
                doubled.get(from, to).cardinality(),
                overtaken.get(from, to).cardinality(),
                jitter / MILLI,
                p99);
    }

    /**
     * What happened to some frames.
     *
     * @param frames how many were expected
     * @param outOfOrder how many arrived after one with a higher number
     * @param jitterMillis the jitter as RFC 3550 defines it
     * @param p99Millis the 99th percentile of the time from capture to hearing; NaN if no frame was heard
     */
    record Report(int frames, int lost, int doubled, int outOfOrder, double jitterMillis, double p99Millis) {
        /** Returns whether each frame was heard, once and in order. */
        boolean isFlawless() {
            return lost == 0 && doubled == 0 && outOfOrder == 0;
        }

        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "%d frames, %d lost, %d doubled, %d out of order, jitter %.2f ms, p99 of the delay %.2f ms",
                    frames,
                    lost,
                    doubled,
                    outOfOrder,
                    jitterMillis,
                    p99Millis);
        }
    }
}
