package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.spi.Frame;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RoomLogTest {
    private static final int OVERHEAD = 64;

    private record Kept(Frame frame, Audience audience, int weight, long nanoTime) {}

    /** The log beside a list that does the same in the plainest way. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void keepsWhatAListWouldKeep(long seed) {
        Random random = new Random(seed);
        int messages = 1 + random.nextInt(40);
        int bytes = 2_000 + random.nextInt(10_000);
        Duration age = Duration.ofNanos(50);
        RoomLog log = new RoomLog(new Retention(messages, age, bytes), 7);
        List<Kept> list = new ArrayList<>();
        long top = 7;
        long now = random.nextLong(); // as System.nanoTime, which may be negative and overflow
        for (int step = 0; step < 2_000; step++) {
            now += random.nextInt(5);
            long oldest = now - age.toNanos();
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
                default -> {
                    Frame frame = Frame.text(new byte[random.nextInt(200)]);
                    Audience audience =
                            random.nextBoolean() ? Audience.EVERYONE : new Audience(Set.of("s" + step), Set.of());
                    log.append(frame, audience, now);
                    top++;
                    list.removeIf(kept -> kept.nanoTime - oldest < 0);
                    list.add(new Kept(frame, audience, frame.length() + OVERHEAD + audience.weight(), now));
                    while (list.size() > messages
                            || list.stream().mapToInt(Kept::weight).sum() > bytes) {
                        list.remove(0);
                    }
                }
            }
            assertEquals(top, log.top());
            assertEquals(list.size(), log.size());
            assertEquals(top - list.size(), log.floor());
            assertEquals(list.stream().mapToLong(Kept::weight).sum(), log.bytes());
            assertEquals(
                    list.stream()
                            .map(kept -> new RoomLog.Entry(kept.frame, kept.audience))
                            .toList(),
                    log.after(log.floor(), Integer.MAX_VALUE));
            if (!list.isEmpty()) {
                int at = random.nextInt(list.size());
                assertEquals(list.get(at).frame, log.entry(log.floor() + 1 + at).frame());
            }
        }
    }
}
