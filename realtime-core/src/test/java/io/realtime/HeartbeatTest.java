package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class HeartbeatTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @Test
    void byDefaultItPingsAfter30AndGivesUpAfter60Seconds() {
        assertEquals(new Heartbeat(Duration.ofSeconds(30), Duration.ofSeconds(60)), Heartbeat.defaults());
    }

    @Test
    void timeoutThatIsNotLongerThanIntervalIsRefusedNamingBoth() {
        var equal = assertThrows(IllegalArgumentException.class, () -> new Heartbeat(SECOND, SECOND));
        assertEquals("timeout PT1S is not longer than interval PT1S", equal.getMessage());
        assertThrows(IllegalArgumentException.class, () -> new Heartbeat(SECOND, SECOND.minusNanos(1)));
        assertEquals(SECOND, new Heartbeat(SECOND, SECOND.plusNanos(1)).interval());
    }

    @Test
    void intervalBelowOneMillisecondIsRefused() {
        var zero = assertThrows(IllegalArgumentException.class, () -> new Heartbeat(Duration.ZERO, SECOND));
        assertEquals("interval PT0S is below PT0.001S", zero.getMessage());
        assertThrows(IllegalArgumentException.class, () -> new Heartbeat(SECOND.negated(), SECOND));
        assertThrows(IllegalArgumentException.class, () -> new Heartbeat(Duration.ofNanos(999_999), SECOND));
    }
}
