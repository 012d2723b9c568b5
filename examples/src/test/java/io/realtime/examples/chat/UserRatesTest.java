package io.realtime.examples.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class UserRatesTest {
    private long now;
    private final UserRates rates = new UserRates(2, 3, () -> now);

    @Test
    void burstIsFollowedByTheRate() {
        assertEquals(0, rates.take("ada"));
        assertEquals(0, rates.take("ada"));
        assertEquals(0, rates.take("ada"));
        assertEquals(500, rates.take("ada"));

        now += TimeUnit.MILLISECONDS.toNanos(499);
        assertEquals(1, rates.take("ada"));
        now += TimeUnit.MILLISECONDS.toNanos(1);
        assertEquals(0, rates.take("ada"));
        assertEquals(500, rates.take("ada"));
    }

    @Test
    void usersDoNotShareARate() {
        for (int i = 0; i < 4; i++) {
            rates.take("ada");
        }

        assertEquals(0, rates.take("bob"));
    }

    @Test
    void restFillsNoMoreThanTheBurst() {
        now += TimeUnit.HOURS.toNanos(1);
        rates.take("ada");
        now += TimeUnit.HOURS.toNanos(1);
        for (int i = 0; i < 3; i++) {
            assertEquals(0, rates.take("ada"));
        }
        assertEquals(500, rates.take("ada"));
    }
}
