package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ManualSchedulerTest {
    private final ManualScheduler time = new ManualScheduler();
    private final List<String> ran = new ArrayList<>();

    private Scheduler.Cancellable in(long ms, String name) {
        return time.schedule(Duration.ofMillis(ms), () -> ran.add(name + "@" + time.nanoTime() / 1_000_000));
    }

    @Test
    void tasksRunInTheOrderOfTheirTimesEachAtItsOwn() {
        in(30, "c");
        in(10, "a");
        in(20, "b");
        time.advance(Duration.ofMillis(25));
        assertEquals(List.of("a@10", "b@20"), ran);
        assertEquals(25_000_000, time.nanoTime());
        assertEquals(1, time.pending());
        time.advance(Duration.ofMillis(5));
        assertEquals(List.of("a@10", "b@20", "c@30"), ran);
    }

    @Test
    void dueAtTheSameTimeTheyRunInTheOrderOfTheirScheduling() {
        for (int i = 0; i < 20; i++) {
            in(5, "t" + i);
        }
        time.advance(Duration.ofMillis(5));
        for (int i = 0; i < 20; i++) {
            assertEquals("t" + i + "@5", ran.get(i));
        }
    }

    @Test
    void nothingRunsOnTheStackOfWhoSchedules() {
        in(0, "now");
        in(-5, "past");
        time.execute(() -> ran.add("executed"));
        assertEquals(List.of(), ran);
        time.runDue();
        assertEquals(List.of("now@0", "past@0", "executed"), ran);
        assertEquals(0, time.nanoTime());
    }

    @Test
    void whatATaskSchedulesRunsInTheSameAdvance() {
        time.schedule(Duration.ofMillis(10), () -> in(10, "inner"));
        time.advance(Duration.ofMillis(19));
        assertEquals(List.of(), ran);
        time.advance(Duration.ofMillis(1));
        assertEquals(List.of("inner@20"), ran);
    }

    @Test
    void taskThatWasCalledOffDoesNotRunNorWait() {
        Scheduler.Cancellable task = in(10, "a");
        in(10, "b");
        task.cancel();
        task.cancel();
        assertEquals(1, time.pending());
        time.advance(Duration.ofMillis(10));
        assertEquals(List.of("b@10"), ran);
        task.cancel();
    }

    @Test
    void taskMayCallOffAnotherThatIsDueToo() {
        var other = new ArrayList<Scheduler.Cancellable>();
        time.schedule(Duration.ofMillis(1), () -> other.forEach(Scheduler.Cancellable::cancel));
        other.add(in(1, "other"));
        time.advance(Duration.ofMillis(1));
        assertEquals(List.of(), ran);
    }

    @Test
    void wallClockFollowsAndMayJump() {
        long start = time.currentTimeMillis();
        in(10, "a");
        time.advance(Duration.ofMillis(7));
        assertEquals(start + 7, time.currentTimeMillis());
        time.jumpWallClock(Duration.ofHours(-1));
        assertEquals(start + 7 - 3_600_000, time.currentTimeMillis());
        assertEquals(7_000_000, time.nanoTime());
        assertEquals(List.of(), ran);
        time.advance(Duration.ofMillis(3));
        assertEquals(List.of("a@10"), ran);
    }

    @Test
    void delayBeyondNanosecondsNeverElapses() {
        time.advance(Duration.ofDays(1));
        time.schedule(Duration.ofNanos(Long.MAX_VALUE), () -> ran.add("nanos"));
        time.schedule(Duration.ofSeconds(Long.MAX_VALUE), () -> ran.add("seconds"));
        time.advance(Duration.ofDays(10_000));
        assertEquals(List.of(), ran);
        assertEquals(2, time.pending());
    }

    @Test
    void taskThatThrowsReachesTheTestAndLeavesTheRest() {
        time.schedule(Duration.ofMillis(1), () -> {
            throw new IllegalStateException("broken");
        });
        in(1, "next");
        var thrown = assertThrows(IllegalStateException.class, () -> time.advance(Duration.ofMillis(1)));
        assertEquals("broken", thrown.getMessage());
        time.runDue();
        assertEquals(List.of("next@1"), ran);
    }

    @Test
    void whatIsCalledOffInGreatNumberLeavesOthersInTheirOrder() {
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            String name = "t" + i;
            Scheduler.Cancellable task = in(1_000 - i, name);
            if (i % 7 == 0) {
                expected.add(0, name + "@" + (1_000 - i));
            } else {
                task.cancel();
            }
            assertEquals(expected.size(), time.pending());
        }
        time.advance(Duration.ofSeconds(1));
        assertEquals(expected, ran);
        assertEquals(0, time.pending());
    }
}
