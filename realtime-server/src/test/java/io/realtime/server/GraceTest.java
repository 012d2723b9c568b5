package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class GraceTest {
    private static final Duration HOUR = Duration.ofHours(1);

    private final ManualScheduler time = new ManualScheduler();
    private final Grace grace = new Grace(time);

    @BeforeEach
    void begin() {
        grace.begin(HOUR.toNanos());
    }

    @Test
    void shortenedGraceEndsTheCurrentWaitAtItsShare() throws Exception {
        Thread closer = new Thread(() -> grace.await(1.0 / 4, new CompletableFuture<>()));
        closer.start();
        while (closer.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        grace.shorten(Duration.ofSeconds(8).toNanos());
        time.advance(Duration.ofMillis(1_999));
        assertEquals(1, time.pending());
        time.advance(Duration.ofMillis(1));
        closer.join();
        assertEquals(Duration.ofSeconds(6).toNanos(), grace.left());
    }

    @Test
    void longerGraceChangesNothing() {
        grace.shorten(HOUR.multipliedBy(2).toNanos());
        assertEquals(0, time.pending());
        assertEquals(HOUR.toNanos(), grace.left());
    }
}
