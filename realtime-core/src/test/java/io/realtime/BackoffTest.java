package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff.Jitter;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BackoffTest {
    private static Duration ms(long millis) {
        return Duration.ofMillis(millis);
    }

    @Test
    void backoffKeepsNothingOfItsBuilder() {
        Backoff.Builder builder = Backoff.builder();
        Backoff built = builder.build();
        builder.initial(ms(7))
                .multiplier(7)
                .cap(ms(70))
                .floor(ms(1))
                .jitter(Jitter.NONE)
                .maxAttempts(7);
        assertEquals(Backoff.defaults().toString(), built.toString());
        assertEquals(
                "Backoff{initial=PT0.007S, multiplier=7.0, cap=PT0.07S, floor=PT0.001S, jitter=NONE, maxAttempts=7}",
                builder.build().toString());
    }

    @Test
    void withoutJitterTheDelayDoublesUpToTheCap() {
        Backoff backoff = Backoff.builder().jitter(Jitter.NONE).build();
        List<Long> expected = List.of(500L, 1_000L, 2_000L, 4_000L, 8_000L, 16_000L, 30_000L, 30_000L);
        for (int attempt = 1; attempt <= expected.size(); attempt++) {
            assertEquals(ms(expected.get(attempt - 1)), backoff.delay(attempt, () -> 0.5), "attempt " + attempt);
        }
    }

    @Test
    void fullJitterSpreadsFromTheFloorToTheDelay() {
        Backoff backoff = Backoff.defaults();
        assertEquals(ms(100), backoff.delay(3, () -> 0));
        assertEquals(ms(100), backoff.delay(3, () -> 0.05));
        assertEquals(ms(500), backoff.delay(3, () -> 0.25));
        assertEquals(ms(1_500), backoff.delay(3, () -> 0.75));
    }

    @Test
    void equalJitterSpreadsOverTheUpperHalf() {
        Backoff backoff = Backoff.builder().jitter(Jitter.EQUAL).build();
        assertEquals(ms(1_000), backoff.delay(3, () -> 0));
        assertEquals(ms(1_500), backoff.delay(3, () -> 0.5));
        assertEquals(ms(1_750), backoff.delay(3, () -> 0.75));
    }

    @Test
    void delayNeverFallsBelowTheFloorNorExceedsTheCap() {
        long seed = 20260101;
        var random = new Random(seed);
        for (Jitter jitter : Jitter.values()) {
            Backoff backoff = Backoff.builder()
                    .initial(ms(7))
                    .multiplier(1.7)
                    .floor(ms(40))
                    .cap(ms(900))
                    .jitter(jitter)
                    .build();
            for (int attempt = 1; attempt < 200; attempt++) {
                Duration delay = backoff.delay(attempt, random::nextDouble);
                assertTrue(
                        delay.compareTo(ms(40)) >= 0 && delay.compareTo(ms(900)) <= 0,
                        jitter + " attempt " + attempt + ": " + delay + ", seed " + seed);
            }
        }
    }

    @Test
    void floorAboveTheFirstDelaysWins() {
        Backoff backoff = Backoff.builder()
                .initial(ms(10))
                .floor(ms(25))
                .jitter(Jitter.NONE)
                .build();
        assertEquals(ms(25), backoff.delay(1, () -> 0));
        assertEquals(ms(25), backoff.delay(2, () -> 0));
        assertEquals(ms(40), backoff.delay(3, () -> 0));
    }

    @Test
    void manyAttemptsDoNotOverflow() {
        Backoff backoff = Backoff.builder().jitter(Jitter.NONE).build();
        assertEquals(ms(30_000), backoff.delay(10_000, () -> 0));
        assertEquals(ms(30_000), backoff.delay(Integer.MAX_VALUE, () -> 0));
        Backoff infinite = Backoff.builder()
                .multiplier(Double.POSITIVE_INFINITY)
                .jitter(Jitter.NONE)
                .build();
        assertEquals(ms(500), infinite.delay(1, () -> 0));
        assertEquals(ms(30_000), infinite.delay(2, () -> 0));
    }

    @Test
    void multiplierOfOneKeepsTheDelay() {
        Backoff backoff = Backoff.builder().multiplier(1).jitter(Jitter.NONE).build();
        assertEquals(ms(500), backoff.delay(1, () -> 0));
        assertEquals(ms(500), backoff.delay(10_000, () -> 0));
    }

    @Test
    void attemptsEndAtTheLimit() {
        Backoff backoff = Backoff.builder().maxAttempts(3).build();
        assertTrue(backoff.allows(1));
        assertTrue(backoff.allows(3));
        assertFalse(backoff.allows(4));
        assertFalse(Backoff.builder().maxAttempts(0).build().allows(1));
        assertTrue(Backoff.defaults().allows(Integer.MAX_VALUE));
    }

    @Test
    void attemptBelowOneIsRefused() {
        var refused = assertThrows(
                IllegalArgumentException.class, () -> Backoff.defaults().delay(0, () -> 0));
        assertEquals("attempt 0 is below 1", refused.getMessage());
    }

    @Test
    void contradictionsAreRefusedAndBothValuesNamed() {
        assertRefused(Backoff.builder().initial(ms(2_000)).cap(ms(1_000)), "cap PT1S is below initial PT2S");
        assertRefused(
                Backoff.builder().initial(ms(10)).cap(ms(1_000)).floor(ms(3_000)), "cap PT1S is below floor PT3S");
    }

    @Test
    void valuesThatMakeNoSenseAreRefused() {
        assertRefused(Backoff.builder().initial(Duration.ZERO), "initial PT0S is not positive");
        assertRefused(Backoff.builder().initial(ms(-1)), "initial PT-0.001S is not positive");
        assertRefused(Backoff.builder().floor(ms(-1)), "floor PT-0.001S is negative");
        assertRefused(Backoff.builder().multiplier(0.9), "multiplier 0.9 is below 1");
        assertRefused(Backoff.builder().multiplier(Double.NaN), "multiplier NaN is below 1");
        assertRefused(Backoff.builder().maxAttempts(-1), "maxAttempts -1 is negative");
    }

    @Test
    void capBeyondNanosecondsIsUnlimited() {
        Backoff backoff = Backoff.builder()
                .initial(Duration.ofDays(1))
                .cap(Duration.ofSeconds(Long.MAX_VALUE))
                .jitter(Backoff.Jitter.NONE)
                .build();
        assertEquals(Duration.ofNanos(1L << 62), backoff.delay(1_000, () -> 0));
    }

    private static void assertRefused(Backoff.Builder builder, String message) {
        var refused = assertThrows(IllegalArgumentException.class, builder::build);
        assertEquals(message, refused.getMessage());
    }
}
