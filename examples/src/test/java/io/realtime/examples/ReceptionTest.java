package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.examples.Reception.Report;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ReceptionTest {
    private static final long MS = 1_000_000;

    /** Frames of 20 ms that take so many milliseconds each. */
    private static Report received(long... delays) {
        Reception reception = new Reception(delays.length);
        for (int i = 0; i < delays.length; i++) {
            take(reception, i, delays[i]);
        }
        return reception.report(0, delays.length);
    }

    private static void take(Reception reception, int number, long delay) {
        long captured = number * Voice.FRAME_NANOS;
        reception.take(number, captured, captured + delay * MS);
    }

    @Test
    void evenDelayIsNoJitter() {
        assertEquals(0, received(7, 7, 7, 7).jitterMillis());
        assertEquals(0, received(300).jitterMillis());
    }

    @Test
    void jitterIsSmoothedByASixteenth() {
        assertEquals(1, received(5, 21).jitterMillis()); // |21 - 5| / 16
        assertEquals(0.9375, received(5, 21, 21).jitterMillis()); // 1 - 1/16
        assertEquals(1.87890625, received(5, 21, 21, 5).jitterMillis()); // 0.9375 + (16 - 0.9375) / 16
    }

    @ParameterizedTest
    @ValueSource(longs = {-5000, 0, 5000})
    void jitterDoesNotDependOnTheDistanceOfTheClocks(long distance) {
        assertEquals(0.9375, received(distance, distance + 16, distance + 16).jitterMillis());
    }

    @Test
    void jitterComparesFramesInTheOrderTheyArriveIn() {
        Reception reception = new Reception(3);
        take(reception, 0, 0);
        take(reception, 2, 0);
        take(reception, 1, 32);

        assertEquals(2, reception.report(0, 3).jitterMillis());
    }

    @Test
    void framesOnceAndInOrderAreFlawless() {
        assertTrue(received(1, 2, 3).isFlawless());
        assertEquals(
                "3 frames, 0 lost, 0 doubled, 0 out of order, jitter 0.12 ms, p99 of the delay 3.00 ms",
                received(1, 2, 3).toString());
    }

    @Test
    void missingFrameIsLost() {
        Reception reception = new Reception(4);
        take(reception, 1, 0);
        take(reception, 2, 0);

        assertEquals(2, reception.report(0, 4).lost());
        assertFalse(reception.report(0, 4).isFlawless());
        assertTrue(reception.report(1, 3).isFlawless());
    }

    @Test
    void repeatedFrameIsCountedAsRepeat() {
        Reception reception = new Reception(2);
        take(reception, 0, 0);
        take(reception, 1, 0);
        take(reception, 1, 800);

        Report report = reception.report(0, 2);
        assertEquals(new Report(2, 0, 1, 0, 0, 0), report);
        assertFalse(report.isFlawless());
    }

    @Test
    void overtakenFrameIsOutOfOrderNotLost() {
        Reception reception = new Reception(4);
        for (int number : new int[] {0, 3, 1, 2}) {
            take(reception, number, 0);
        }

        Report report = reception.report(0, 4);
        assertEquals(new Report(4, 0, 0, 2, 0, 0), report);
        assertFalse(report.isFlawless());
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "2, 2", "50, 50", "99, 99", "100, 99", "101, 100", "200, 198"})
    void noMoreThanOneInAHundredTookLongerThanTheP99(int frames, double expected) {
        long[] delays = new long[frames];
        for (int i = 0; i < frames; i++) {
            delays[i] = (long) frames - i;
        }

        assertEquals(expected, received(delays).p99Millis());
    }

    @Test
    void eachStretchHasADelayOfItsOwn() {
        Reception reception = new Reception(6);
        for (int i = 0; i < 6; i++) {
            take(reception, i, i < 2 ? 90 : i);
        }

        assertEquals(90, reception.report(0, 2).p99Millis());
        assertEquals(3, reception.report(2, 4).p99Millis());
        assertTrue(Double.isNaN(new Reception(2).report(0, 2).p99Millis()));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 2})
    void numberThatNobodyAwaitsIsRefused(int number) {
        Reception reception = new Reception(2);

        assertThrows(IndexOutOfBoundsException.class, () -> take(reception, number, 0));

        assertEquals(2, reception.report(0, 2).lost());
    }
}
