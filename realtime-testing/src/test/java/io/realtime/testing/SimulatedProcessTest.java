package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class SimulatedProcessTest {
    private final ManualScheduler time = new ManualScheduler();
    private final SimulatedProcess process = time.newProcess();
    private final SimulatedProcess other = time.newProcess();
    private final List<String> ran = new ArrayList<>();

    private Scheduler.Cancellable in(Scheduler scheduler, long ms, String name) {
        return scheduler.schedule(Duration.ofMillis(ms), () -> ran.add(name));
    }

    private void advance(long ms) {
        time.advance(Duration.ofMillis(ms));
    }

    @Test
    void tasksOfAllProcessesRunInOneOrder() {
        in(other, 2, "c");
        in(process, 1, "a");
        in(time, 1, "b");
        process.execute(() -> ran.add("now"));
        assertEquals(List.of(), ran, "nothing runs on the stack of who executes");
        advance(2);
        assertEquals(List.of("now", "a", "b", "c"), ran);
        assertEquals(time.nanoTime(), process.nanoTime());
    }

    @Test
    void killedProcessRunsNothingAndTheOthersGoOn() {
        in(process, 1, "dead");
        process.execute(() -> ran.add("dead"));
        in(other, 1, "other");
        in(time, 1, "time");
        assertTrue(process.isAlive());
        process.kill();
        process.kill();
        assertFalse(process.isAlive());
        in(process, 1, "late");
        process.execute(() -> ran.add("late"));
        assertEquals(2, time.pending());
        advance(10);
        assertEquals(List.of("other", "time"), ran);
        assertTrue(other.isAlive());
    }

    @Test
    void taskThatKillsItsProcessIsItsLast() {
        process.execute(() -> {
            in(process, 0, "before");
            process.kill();
            in(process, 0, "after");
            ran.add("itself");
        });
        in(process, 0, "next");
        advance(10);
        assertEquals(List.of("itself"), ran);
        assertEquals(0, time.pending());
    }

    @Test
    void pendingCountsItsOwnTasks() {
        Scheduler.Cancellable first = in(process, 1, "a");
        Scheduler.Cancellable second = in(process, 2, "b");
        in(other, 1, "c");
        assertEquals(2, process.pending());
        first.cancel();
        first.cancel();
        assertEquals(1, process.pending());
        assertEquals(2, time.pending());
        process.kill();
        second.cancel();
        assertEquals(0, process.pending());
        assertEquals(1, other.pending());
        assertEquals(1, time.pending());
        advance(1);
        assertEquals(0, other.pending());
        assertEquals(0, time.pending());
    }

    @Test
    void wallClocksJumpEachForItself() {
        long start = time.currentTimeMillis();
        advance(5);
        process.jumpWallClock(Duration.ofHours(1));
        process.jumpWallClock(Duration.ofMinutes(-90));
        assertEquals(start + 5 - 1_800_000, process.currentTimeMillis());
        assertEquals(start + 5, other.currentTimeMillis());
        assertEquals(start + 5, time.currentTimeMillis());
        time.jumpWallClock(Duration.ofSeconds(1));
        assertEquals(start + 1_005 - 1_800_000, process.currentTimeMillis(), "what all have in common, they all see");
        assertEquals(5_000_000, process.nanoTime());
    }

    @Test
    void pausedProcessRunsLateWhatCameDueMeanwhile() {
        in(process, 1, "a");
        in(process, 2, "b");
        in(other, 3, "other");
        in(process, 5, "c");
        process.pause(Duration.ofMillis(4));
        assertTrue(process.isPaused());
        advance(3);
        assertEquals(List.of("other"), ran);
        advance(1);
        assertFalse(process.isPaused());
        assertEquals(List.of("other", "a", "b"), ran);
        advance(1);
        assertEquals(List.of("other", "a", "b", "c"), ran);
    }

    @Test
    void secondPauseChangesNoOrder() {
        process.pause(Duration.ofMillis(4));
        in(process, 2, "a");
        advance(3);
        process.pause(Duration.ofMillis(4));
        in(process, 0, "b");
        in(process, 4, "c");
        advance(4);
        assertEquals(List.of("a", "b", "c"), ran);
    }

    @Test
    void taskThatSleepsLetsTheOthersGoOn() {
        process.execute(() -> {
            ran.add("begins");
            process.sleep(Duration.ofMillis(3));
            ran.add("ends at " + time.nanoTime() / 1_000_000);
        });
        in(process, 2, "meanwhile");
        in(other, 4, "later");
        advance(1);
        assertEquals(List.of("begins", "meanwhile", "ends at 3"), ran);
        advance(3);
        assertEquals(List.of("begins", "meanwhile", "ends at 3", "later"), ran);
    }

    @Test
    void taskThatSleepsEndsWithItsProcess() {
        process.execute(() -> assertThrows(CancellationException.class, () -> process.sleep(Duration.ofMillis(3))));
        other.schedule(Duration.ofMillis(1), process::kill);
        advance(1);
        assertEquals(3_000_000, time.nanoTime());
    }

    @Test
    void poolRunsAsManyTasksAsItHasThreadsAndRejectsWhatItsQueueDoesNotHold() {
        SimulatedPool pool = new SimulatedPool(process, 1, 1, () -> Duration.ofMillis(2));
        pool.execute(() -> ran.add("first"));
        pool.execute(() -> ran.add("second"));
        assertThrows(RejectedExecutionException.class, () -> pool.execute(() -> ran.add("third")));
        assertEquals(1, pool.rejected());
        advance(2);
        assertEquals(List.of("first"), ran);
        advance(2);
        assertEquals(List.of("first", "second"), ran);
        pool.execute(() -> ran.add("fourth"));
        advance(2);
        assertEquals(List.of("first", "second", "fourth"), ran);
    }
}
