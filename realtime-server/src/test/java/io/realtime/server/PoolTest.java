package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class PoolTest {
    private final ManualScheduler time = new ManualScheduler();
    private final ArrayDeque<Runnable> threads = new ArrayDeque<>();
    private final Pool pool = new Pool("test", 8, threads::add, time);
    private final List<String> ran = new ArrayList<>();

    private void submit(String owner, int count) {
        for (int i = 0; i < count; i++) {
            pool.execute(owner, () -> ran.add(owner));
        }
    }

    @Test
    void oneOwnerTakesHalfOfTheThreads() {
        submit("ann", 20);
        assertEquals(4, threads.size());
        assertEquals(20, pool.waiting());
    }

    @Test
    void interruptedTaskLeavesTheNextUninterrupted() {
        Pool single = new Pool("test", 1, threads::add, time);
        single.execute("ann", () -> Thread.currentThread().interrupt());
        single.execute("ben", () -> ran.add("ben " + Thread.currentThread().isInterrupted()));
        threads.remove().run();
        assertEquals(List.of("ben false"), ran);
        assertFalse(Thread.interrupted(), "the executor gets its thread back as it was");
    }

    @Test
    void executorsThreadIsNotLeftInterrupted() {
        Pool unbounded = new Pool("test", Pool.UNBOUNDED, threads::add, time);
        unbounded.execute("ann", () -> Thread.currentThread().interrupt());
        threads.remove().run();
        assertFalse(Thread.interrupted());
    }

    @Test
    void taskOnTheCallersThreadKeepsItsInterruption() {
        Pool stopped = new Pool(
                "test",
                Pool.UNBOUNDED,
                task -> {
                    throw new RejectedExecutionException("shut down");
                },
                time);
        stopped.stop();
        Thread.currentThread().interrupt();
        stopped.execute("ann", () -> ran.add("ann " + Thread.currentThread().isInterrupted()));
        assertTrue(Thread.interrupted());
        assertEquals(List.of("ann false"), ran);
    }

    @Test
    void furtherOwnersStillGetThreads() {
        for (String owner : List.of("ann", "ben", "cid", "dan")) {
            submit(owner, 20);
        }
        assertEquals(8, threads.size(), "4, 2, 1 and 1");
        submit("eve", 1);
        assertEquals(8, threads.size());
    }

    @Test
    void waitingOwnersTakeTurns() {
        Pool single = new Pool("test", 1, threads::add, time);
        for (String owner : List.of("ann", "ann", "ann", "ben", "ben", "cid")) {
            single.execute(owner, () -> ran.add(owner));
        }
        threads.remove().run();
        assertEquals(List.of("ann", "ann", "ben", "cid", "ann", "ben"), ran);
        assertEquals(0, single.waiting());
        assertEquals(0, single.busy());
    }

    @Test
    void busyAndWaitingAreCounted() {
        pool.execute("ann", () -> assertEquals(1, pool.busy()));
        assertEquals(1, pool.waiting());
        threads.remove().run();
        assertEquals(0, pool.waiting());
        assertEquals(0, pool.busy());
    }

    @Test
    void failingTaskGivesItsThreadBack() {
        for (int i = 0; i < 5; i++) {
            pool.execute("ann", () -> {
                throw new AssertionError("expected in the log");
            });
        }
        submit("ann", 1);
        threads.forEach(Runnable::run);
        assertEquals(List.of("ann"), ran);
        assertEquals(0, pool.busy());
    }

    @Test
    void cancelWithdrawsOnlyWhatWaits() {
        Pool.Ticket first = pool.execute("ann", () -> ran.add("first"));
        submit("ann", 3);
        Pool.Ticket waits = pool.execute("ann", () -> ran.add("waits"));
        first.cancel();
        waits.cancel();
        waits.cancel();
        assertEquals(4, pool.waiting());
        threads.forEach(Runnable::run);
        assertEquals(List.of("first", "ann", "ann", "ann"), ran);
        submit("ben", 1);
        assertEquals(5, threads.size(), "an owner whose task was withdrawn holds up nobody");
    }

    @Test
    void cancelOfWhatHasBegunOrEndedDoesNothing() {
        Pool.Ticket begun = pool.execute("ann", () -> ran.add("ann"));
        begun.cancel();
        threads.remove().run();
        begun.cancel();
        assertEquals(List.of("ann"), ran);
        assertEquals(0, pool.waiting());
        assertEquals(0, pool.busy());
    }

    @Test
    void tryExecuteIsRefusedAboveTheShare() {
        for (int i = 0; i < 4; i++) {
            assertTrue(pool.tryExecute("ann", () -> ran.add("ann")));
        }
        assertFalse(pool.tryExecute("ann", () -> ran.add("no")));
        assertTrue(pool.tryExecute("ben", () -> ran.add("ben")));
        threads.forEach(Runnable::run);
        assertEquals(List.of("ann", "ann", "ann", "ann", "ben"), ran);
        assertTrue(pool.tryExecute("ann", () -> ran.add("again")));
    }

    @Test
    void waitIsMeasuredUntilTheTasksBegin() {
        pool.watch(time.nanoTime());
        submit("ann", 1);
        pool.watch(time.nanoTime());
        assertEquals(0, pool.waitedNanos());
        time.advance(Duration.ofSeconds(3));
        pool.watch(time.nanoTime());
        assertEquals(Duration.ofSeconds(3).toNanos(), pool.waitedNanos());
        threads.forEach(Runnable::run);
        time.advance(Duration.ofSeconds(1));
        pool.watch(time.nanoTime());
        assertEquals(0, pool.waitedNanos());
    }
}
