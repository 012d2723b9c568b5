package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.Retention;
import io.realtime.spi.WireMessage;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Keys and deleted messages in a log. */
class RoomLogKeysTest {
    private final LogBudget budget = new LogBudget(1 << 20);

    private RoomLog log(Retention retention) {
        return new RoomLog(retention, 0, budget.rooms(), share -> {});
    }

    /** The log beside maps that do the same in the plainest way. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void remembersWhatMapsWouldRemember(long seed) {
        Random random = new Random(seed);
        RoomLog log = log(new Retention(1 + random.nextInt(60), Duration.ofNanos(200), 2_000 + random.nextInt(20_000)));
        TreeMap<Long, String> keys = new TreeMap<>();
        Map<Long, WireMessage> frames = new HashMap<>();
        long now = random.nextLong();
        boolean usesKeys = true;
        for (int step = 0; step < 3_000; step++) {
            now += random.nextInt(5);
            usesKeys = random.nextInt(100) == 0 ? random.nextBoolean() : usesKeys;
            switch (random.nextInt(12)) {
                case 0 -> {
                    long offset = log.top() - random.nextInt(log.size() + 3);
                    boolean isThere = offset > log.floor() && frames.containsKey(offset);
                    assertEquals(isThere, log.delete(offset), "seed " + seed + ", step " + step);
                    frames.remove(offset);
                }
                case 1 -> log.giveUp(log.bytes() / 3);
                case 2 -> {
                    if (random.nextInt(20) == 0) {
                        long top = log.top();
                        log.purge();
                        assertEquals(top + 1, log.top());
                        assertEquals(log.top(), log.floor());
                    }
                }
                default -> {
                    String key = usesKeys && random.nextBoolean() ? "key" + step : null;
                    Audience audience =
                            random.nextInt(4) == 0 ? Audience.EVERYONE.only(Set.of("s")) : Audience.EVERYONE;
                    WireMessage frame = WireMessage.text(new byte[random.nextInt(200)]);
                    log.append(frame, audience, now, key);
                    frames.put(log.top(), frame);
                    if (key != null) {
                        keys.put(log.top(), key);
                    }
                }
            }
            assertEquals(log.bytes(), budget.used(), "seed " + seed + ", step " + step);
            assertEquals(log.size() == 0, log.bytes() == 0);
            List<RoomLog.LogEntry> entries = log.after(log.floor(), Integer.MAX_VALUE);
            for (int i = 0; i < entries.size(); i++) {
                WireMessage frame = frames.get(log.floor() + 1 + i);
                assertEquals(frame != null, entries.get(i).isMessage());
                if (frame != null) {
                    assertEquals(frame, entries.get(i).frame());
                }
            }
            if (!keys.isEmpty()) {
                long offset = keys.floorKey(keys.firstKey() + random.nextLong(keys.lastKey() - keys.firstKey() + 1));
                String key = Objects.requireNonNull(keys.get(offset));
                long known = log.offsetOf(key, now);
                assertEquals(offset > log.floor() ? offset : 0, known, "seed " + seed + ", step " + step);
            }
        }
        log.clear();
        assertEquals(0, budget.used());
    }

    @Test
    void logThatKeepsNothingRemembersNoKey() {
        RoomLog log = log(new Retention(0, Duration.ofHours(1)));
        log.append(WireMessage.text(new byte[9]), Audience.EVERYONE, 0, "k");
        assertEquals(0, log.offsetOf("k", 0));
        assertFalse(log.delete(1));
    }

    @Test
    void deletedMessageCostsNoMoreThanItsPlace() {
        RoomLog log = log(Retention.defaults());
        log.append(WireMessage.text(new byte[9]), Audience.EVERYONE, 0);
        long one = log.bytes();
        log.append(WireMessage.text(new byte[50_000]), Audience.EVERYONE, 0);
        assertTrue(log.delete(2));
        assertTrue(log.bytes() < one + 100, one + " and " + log.bytes());
    }

    @Test
    void noticeIsToldFromAMessage() {
        assertTrue(RoomLog.isNotice(text("{\"type\":\"$deleted\",\"room\":\"r\"}")));
        assertFalse(RoomLog.isNotice(text("{\"type\":\"$deletedX\",\"room\":\"r\"}")));
        assertFalse(RoomLog.isNotice(text("{\"type\":\"said\"}")));
        assertFalse(RoomLog.isNotice(text("")));
    }

    private static WireMessage text(String json) {
        return WireMessage.text(json.getBytes(StandardCharsets.UTF_8));
    }
}
