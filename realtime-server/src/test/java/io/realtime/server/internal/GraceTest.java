package io.realtime.server.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GraceTest {
    private static final Duration HOUR = Duration.ofHours(1);

    private final ManualScheduler time = new ManualScheduler();
    private final Grace grace = new Grace(time);

    @BeforeEach
    void begin() {
        grace.begin(HOUR.toNanos());
    }

    @Test
    void shortenedGraceEndsTheCurrentWaitAtItsShare() {
        time.schedule(
                Duration.ofSeconds(1), () -> grace.shorten(Duration.ofSeconds(8).toNanos()));
        grace.await(1.0 / 4, new CompletableFuture<>());
        assertEquals(Duration.ofSeconds(1 + 2).toNanos(), time.nanoTime());
        assertEquals(Duration.ofSeconds(6).toNanos(), grace.left());
        assertEquals(0, time.pending());
    }

    @Test
    void longerGraceChangesNothing() {
        grace.shorten(HOUR.multipliedBy(2).toNanos());
        assertEquals(0, time.pending());
        assertEquals(HOUR.toNanos(), grace.left());
    }
}
