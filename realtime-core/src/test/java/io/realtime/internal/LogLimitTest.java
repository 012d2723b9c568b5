package io.realtime.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LogLimitTest {
    private static final long WINDOW = Duration.ofMinutes(1).toNanos();

    private final LogLimit limit = new LogLimit(3, Duration.ofMinutes(1));

    private void tryAcquire(int expected, long nanos) {
        assertEquals(expected, limit.tryAcquire(nanos), "at " + nanos);
    }

    /** The clock may begin anywhere, and pass its largest value. */
    @ParameterizedTest
    @ValueSource(longs = {0, Long.MIN_VALUE, -1, Long.MAX_VALUE - 5})
    void windowLetsSoManyLinesThrough(long begin) {
        for (int window = 0; window < 3; window++) {
            long at = begin + window * WINDOW;
            tryAcquire(window == 0 ? 0 : 2, at);
            tryAcquire(0, at + 1);
            tryAcquire(0, at + 1);
            tryAcquire(-1, at + 2);
            tryAcquire(-1, at + WINDOW - 1);
        }
    }

    @Test
    void suppressedLinesAreCountedOnceByTheNextLine() {
        for (int line = 1; line <= 10; line++) {
            tryAcquire(line <= 3 ? 0 : -1, line);
        }
        tryAcquire(7, WINDOW + 1);
        tryAcquire(0, WINDOW + 1);
    }

    @Test
    void windowBeginsWithItsFirstLine() {
        tryAcquire(0, 0);
        long later = 10 * WINDOW + 7;
        for (int line = 1; line <= 3; line++) {
            tryAcquire(0, later);
        }
        tryAcquire(-1, 11 * WINDOW);
        tryAcquire(1, later + WINDOW);
    }
}
