package io.realtime.examples;

import java.util.BitSet;
import java.util.Locale;

/** How a known number of frames arrives. Not safe for use by many threads. */
final class Reception {
    private static final int JITTER_GAIN = 16;
    private static final double MILLI = 1_000_000;

    private final long[] delays; // of those that were heard
    private final BitSet heard = new BitSet();
    private final BitSet doubled = new BitSet();
    private final BitSet overtaken = new BitSet();
    private long lastDelay;
    private double jitter;

    /** Awaits the frames 0 to {@code frames - 1}. */
    Reception(int frames) {
        this.delays = new long[frames];
    }

    /**
     * Notes one, in the order of arrival.
     *
     * @param capturedNanos when, by any clock that runs as fast as the receiver's
     * @throws IndexOutOfBoundsException when the number is none of those that are awaited
     */
    void take(int number, long capturedNanos, long arrivedNanos) {
        long delay = arrivedNanos - capturedNanos;
        if (heard.get(number)) {
            doubled.set(number);
            return;
        }
        delays[number] = delay;
        // RFC 3550 section 6.4.1: D is the difference of two frames' relative transit times, whatever the clocks'
        // distance.
        if (!heard.isEmpty()) {
            jitter += (Math.abs(delay - lastDelay) - jitter) / JITTER_GAIN;
        }
        lastDelay = delay;
        overtaken.set(number, number < heard.length());
        heard.set(number);
    }

    /** Returns what became of the frames from one number up to, and without, another; the jitter is that of now. */
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
     * What became of some frames.
     *
     * @param frames how many were awaited
     * @param outOfOrder how many came behind one with a higher number
     * @param jitterMillis as RFC 3550 has it
     * @param p99Millis no more than one in a hundred took longer from capture to hearing; NaN when none was heard
     */
    record Report(int frames, int lost, int doubled, int outOfOrder, double jitterMillis, double p99Millis) {
        /** Returns whether each was heard, once and in order. */
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
