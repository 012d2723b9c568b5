package io.realtime.server.internal.execution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.IntStream;
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
        Executor shutDown = task -> {
            throw new RejectedExecutionException("shut down");
        };
        Pool stopped = new Pool("test", Pool.UNBOUNDED, shutDown, time);
        stopped.stop(shutDown);
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

    /** With one of three threads each, and one free, neither may begin another; when dan's ends, both may. */
    private void annAndDanWaitBehindTheirOwn(Pool three, Runnable secondOfAnn) {
        three.execute("ann", () -> ran.add("ann 1"));
        three.execute("dan", () -> ran.add("dan 1"));
        three.execute("ann", secondOfAnn);
        three.execute("dan", () -> ran.add("dan 2"));
        assertEquals(2, threads.size());
        threads.removeLast().run();
    }

    @Test
    void threadGivenBackBeginsAllThatMayBegin() {
        Pool three = new Pool("test", 3, threads::add, time);
        List<Integer> begun = new ArrayList<>();
        annAndDanWaitBehindTheirOwn(three, () -> begun.add(threads.size()));
        assertEquals(List.of(2), begun, "ann's first and dan's second, beside ann's second");
    }

    @Test
    void newerTaskDoesNotOvertakeItsOwnersOlderOne() {
        Pool three = new Pool("test", 3, threads::add, time);
        annAndDanWaitBehindTheirOwn(three, () -> {
            three.execute("dan", () -> ran.add("dan 3"));
            assertFalse(three.tryExecute("dan", () -> ran.add("dan 4")));
            threads.removeLast().run();
        });
        assertEquals(List.of("dan 1", "dan 2", "dan 3"), ran);
    }

    @Test
    void ownerThatMayBeginDoesNotWait() {
        for (int seed = 0; seed < 300; seed++) {
            Steps steps = new Steps(seed);
            steps.run();
            steps.end();
        }
    }

    /** Random steps on a pool; after each one no owner waits that may have a thread. */
    private static final class Steps {
        private static final int OWNERS = 4;

        private final ManualScheduler time = new ManualScheduler();
        private final ArrayDeque<Runnable> started = new ArrayDeque<>();
        private final List<Map<Integer, Pool.Ticket>> waiting = new ArrayList<>(); // by owner: its tasks, in order
        private final int[] running = new int[OWNERS];
        private final int seed;
        private final Random random;
        private final int threads;
        private final Pool pool;
        private final List<AssertionError> failures = new ArrayList<>();
        private int left = 200;

        Steps(int seed) {
            this.seed = seed;
            this.random = new Random(seed);
            this.threads = 1 + random.nextInt(12);
            this.pool = new Pool("test", threads, started::add, time);
            for (int owner = 0; owner < OWNERS; owner++) {
                waiting.add(new LinkedHashMap<>());
            }
        }

        /** Takes steps until one ends the task that runs here. */
        void run() {
            while (left > 0) {
                left--;
                int owner = random.nextInt(OWNERS);
                switch (random.nextInt(8)) {
                    case 0, 1, 2 -> submit(owner);
                    case 3 -> tryExecute(owner);
                    case 4 -> cancelOneOf(waiting.get(owner));
                    default -> {
                        if (IntStream.of(running).sum() > 0) {
                            return;
                        }
                    }
                }
                begin();
            }
        }

        private void submit(int owner) {
            int task = left;
            waiting.get(owner).put(task, () -> {});
            Pool.Ticket ticket = pool.execute(owner, () -> noteFailure(() -> runs(owner, task)));
            waiting.get(owner).replace(task, ticket);
        }

        private void tryExecute(int owner) {
            int task = left;
            boolean isTaken = pool.tryExecute(owner, () -> noteFailure(() -> runs(owner, task)));
            assertEquals(mayBegin(owner), isTaken, this::toString);
            if (isTaken) {
                waiting.get(owner).put(task, () -> {});
            }
        }

        private void cancelOneOf(Map<Integer, Pool.Ticket> tasks) {
            if (!tasks.isEmpty()) {
                List<Integer> all = new ArrayList<>(tasks.keySet());
                int any = all.get(random.nextInt(all.size()));
                Objects.requireNonNull(tasks.remove(any)).cancel();
            }
        }

        /** Has what was started run, and holds the rest against the rule. */
        private void begin() {
            Runnable next = started.poll();
            if (next != null) {
                next.run();
                return;
            }
            for (int owner = 0; owner < OWNERS; owner++) {
                assertFalse(!waiting.get(owner).isEmpty() && mayBegin(owner), this::toString);
            }
        }

        private void runs(int owner, int task) {
            assertTrue(mayBegin(owner), this::toString);
            assertEquals(task, waiting.get(owner).keySet().iterator().next(), this::toString);
            waiting.get(owner).remove(task);
            running[owner]++;
            begin();
            run();
            running[owner]--;
        }

        /** The pool catches what a task throws. */
        private void noteFailure(Runnable task) {
            try {
                task.run();
            } catch (AssertionError failure) {
                failures.add(failure);
                left = 0;
            }
        }

        private boolean mayBegin(int owner) {
            int free = threads - IntStream.of(running).sum();
            return free > 0 && (running[owner] == 0 || running[owner] < free);
        }

        void end() {
            while (!started.isEmpty()) {
                started.remove().run();
            }
            if (!failures.isEmpty()) {
                throw failures.get(0);
            }
            assertEquals(0, pool.waiting(), this::toString);
            assertEquals(0, pool.busy(), this::toString);
        }

        @Override
        public String toString() {
            return "seed " + seed + ": " + Arrays.toString(running) + " of " + threads + " run, " + waiting + " wait";
        }
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
