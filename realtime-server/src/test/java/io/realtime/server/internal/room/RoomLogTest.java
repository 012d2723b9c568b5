package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.Retention;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RoomLogTest {
    private record Kept(WireMessage frame, Audience audience, long nanoTime) {}

    /** The log beside a list that does the same in the plainest way, but for the bound on bytes. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void keepsWhatAListWouldKeep(long seed) {
        Random random = new Random(seed);
        int messages = 1 + random.nextInt(40);
        int bytes = 2_000 + random.nextInt(10_000);
        Duration age = Duration.ofNanos(50);
        LogBudget budget = new LogBudget(1 << 20);
        RoomLog log = new RoomLog(new Retention(messages, age, bytes), 7, budget.rooms(), share -> {});
        List<Kept> list = new ArrayList<>();
        long top = 7;
        long now = random.nextLong(); // as System.nanoTime, which may be negative and overflow
        for (int step = 0; step < 2_000; step++) {
            now += random.nextInt(5);
            long oldest = now - age.toNanos();
            long before = log.bytes();
            switch (random.nextInt(20)) {
                case 0 -> {
                    log.trim(now);
                    list.removeIf(kept -> kept.nanoTime - oldest < 0);
                }
                case 1 -> {
                    long offset = top - random.nextInt(list.size() + 2);
                    log.forgetUpTo(offset);
                    while (!list.isEmpty() && top - list.size() < offset) {
                        list.remove(0);
                    }
                }
                case 2 -> {
                    if (random.nextInt(10) == 0) {
                        log.clear();
                        list.clear();
                    }
                }
                case 3 -> {
                    log.giveUp(before / 3);
                    assertTrue(log.bytes() >= before / 2 - 1_500, "seed " + seed + " gave more than half");
                    drop(list, list.size() - log.size());
                }
                default -> {
                    WireMessage frame = WireMessage.text(new byte[random.nextInt(200)]);
                    Audience audience = switch (random.nextInt(6)) {
                        case 0 -> Audience.EVERYONE.except(Set.of("s" + random.nextInt(3)));
                        case 1 -> Audience.EVERYONE.only(Set.of("s" + random.nextInt(3)));
                        case 2 -> Audience.EVERYONE.having("role", "r" + random.nextInt(3));
                        default -> Audience.EVERYONE;
                    };
                    log.append(frame, audience, now);
                    top++;
                    list.removeIf(kept -> kept.nanoTime - oldest < 0);
                    list.add(new Kept(frame, audience, now));
                    drop(list, list.size() - messages);
                    int surplus = list.size() - log.size();
                    if (surplus > 0) {
                        int needed = list.get(surplus - 1).frame.length() + 300;
                        assertTrue(log.bytes() + needed > bytes, "seed " + seed + " dropped more than it had to");
                        drop(list, surplus);
                    }
                    assertTrue(log.bytes() <= bytes, "seed " + seed);
                }
            }
            assertEquals(top, log.top());
            assertEquals(list.size(), log.size());
            assertEquals(top - list.size(), log.floor());
            assertEquals(list.isEmpty(), log.bytes() == 0);
            assertEquals(log.bytes(), budget.used(), "seed " + seed + ", step " + step);
            assertEquals(
                    list.stream()
                            .map(kept -> new RoomLog.LogEntry(kept.frame, kept.audience))
                            .toList(),
                    log.after(log.floor(), Integer.MAX_VALUE));
            if (!list.isEmpty()) {
                int at = random.nextInt(list.size());
                assertEquals(list.get(at).audience, log.audience(log.floor() + 1 + at));
            }
        }
        log.clear();
        assertEquals(0, budget.used());
    }

    private static void drop(List<Kept> list, int count) {
        list.subList(0, Math.max(0, count)).clear();
    }

    @Test
    void messageThatExceedsTheRetentionIsKeptUntilTheNext() {
        RoomLog log = log(new Retention(10, Duration.ofHours(1), 500));
        log.append(WireMessage.text(new byte[100]), Audience.EVERYONE, 0);
        log.append(WireMessage.text(new byte[1_000]), Audience.EVERYONE, 0);
        assertEquals(1, log.size());
        log.append(WireMessage.text(new byte[100]), Audience.EVERYONE, 0);
        assertEquals(1, log.size());
        assertTrue(log.bytes() < 500);
    }

    /** A bit for each member, and not even that again for the same members. */
    @Test
    void audienceOfManyMembersEvictsNothingYounger() {
        RoomLog log = log(Retention.defaults());
        long[] seats = new long[1_000_000 / 64];
        for (int i = 0; i < 100; i++) {
            Arrays.fill(seats, i < 99 ? 1 : 2);
            log.append(WireMessage.text(new byte[100]), Audience.EVERYONE.seated(5, seats), 0);
        }
        assertEquals(100, log.size());
        assertTrue(log.bytes() < 2 * 130_000 + 100 * 250, log.bytes() + " bytes");
        log.forgetUpTo(99);
        assertTrue(log.bytes() > 125_000, "the last one holds its own: " + log.bytes());
    }

    @Test
    void retentionForEverKeepsMessages() {
        RoomLog log = log(new Retention(10, Duration.ofSeconds(Long.MAX_VALUE)));
        log.append(WireMessage.text(new byte[100]), Audience.EVERYONE, Long.MAX_VALUE - 5);
        log.trim(Long.MAX_VALUE + Duration.ofDays(400).toNanos());
        assertEquals(1, log.size());
    }

    private static RoomLog log(Retention retention) {
        return new RoomLog(retention, 0, new LogBudget(1 << 20).rooms(), share -> {});
    }
}
