package io.realtime.server.internal.execution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.spi.Scheduler;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MailboxTest {
    private final ManualScheduler executor = new ManualScheduler();
    private final Pool threads = new Pool("handlers", Pool.UNBOUNDED, executor, executor);
    private final Bursts bursts = new Bursts(executor, executor);
    private final List<String> ran = new ArrayList<>();
    private final List<ReentrantLock> locks = new ArrayList<>();

    @AfterEach
    void noLockIsKept() {
        locks.forEach(lock -> assertFalse(lock.isLocked()));
    }

    private Mailbox mailbox() {
        return mailbox(10, 1000);
    }

    private Mailbox mailbox(int maxTasks, long maxSize) {
        return mailbox(threads, executor, maxTasks, maxSize);
    }

    private Mailbox mailbox(Pool pool, Scheduler timers, int maxTasks, long maxSize) {
        ReentrantLock lock = new ReentrantLock();
        locks.add(lock);
        return new Mailbox(pool, "ann", timers, bursts, maxTasks, maxSize, lock);
    }

    @Test
    void tasksRunInOrderAndAFailingOneHarmsNoOther() {
        Mailbox mailbox = mailbox();
        mailbox.offer(1, 0, () -> 0, () -> ran.add("a"));
        mailbox.offer(1, 0, () -> 0, () -> {
            throw new AssertionError("expected in the log");
        });
        mailbox.post(() -> ran.add("b"));
        assertEquals(List.of(), ran, "nothing runs on the caller's stack");
        executor.runDue();
        assertEquals(List.of("a", "b"), ran);
        assertTrue(mailbox.isIdle());
    }

    @Test
    void interruptedTaskLeavesTheNextUninterrupted() {
        Mailbox mailbox = mailbox();
        mailbox.post(() -> Thread.currentThread().interrupt());
        mailbox.post(() -> ran.add("interrupted: " + Thread.currentThread().isInterrupted()));
        executor.runDue();
        assertEquals(List.of("interrupted: false"), ran);
    }

    @Test
    void sizesThatExceedAnIntegerAreCounted() {
        Mailbox mailbox = mailbox(10, 3L << 30);
        assertTrue(mailbox.offer(Integer.MAX_VALUE, 0, () -> 0, () -> ran.add("1")));
        assertTrue(mailbox.offer(1 << 30, 0, () -> 0, () -> ran.add("2")));
        assertFalse(mailbox.offer(2, 0, () -> 0, () -> ran.add("3")));
        executor.runDue();
        assertEquals(List.of("1", "2"), ran);
    }

    @Test
    void boundByCountAndBySizeButOneMessageAlwaysFits() {
        Mailbox byCount = mailbox(2, 1000);
        assertTrue(byCount.offer(1, 0, () -> 0, () -> ran.add("1")));
        assertTrue(byCount.offer(1, 0, () -> 0, () -> ran.add("2")));
        assertFalse(byCount.offer(1, 0, () -> 0, () -> ran.add("3")));
        byCount.post(() -> ran.add("own"));
        executor.runDue();
        assertEquals(List.of("1", "2", "own"), ran);
        Mailbox bySize = mailbox(100, 10);
        assertTrue(bySize.offer(50, 0, () -> 0, () -> ran.add("large")));
        assertFalse(bySize.offer(1, 0, () -> 0, () -> ran.add("no")));
        executor.runDue();
        assertTrue(bySize.offer(10, 0, () -> 0, () -> ran.add("room again")));
        executor.runDue();
    }

    @Test
    void taskThatWaitsForItsTurnDelaysLaterTasks() {
        Mailbox mailbox = mailbox(2, 1000);
        long begin = executor.nanoTime();
        Mailbox.Turn inASecond = () -> Math.max(0, begin + 1_000_000_000L - executor.nanoTime());
        mailbox.offer(1, 0, inASecond, () -> ran.add("late"));
        mailbox.post(() -> ran.add("own"));
        executor.runDue();
        assertTrue(mailbox.isFull());
        assertTrue(
                mailbox.offer(1, 0, () -> 0, () -> ran.add("later")), "the server's own takes no place of the peer's");
        assertEquals(List.of(), ran);
        assertTrue(mailbox.isHeld());
        assertTrue(mailbox.isFull());
        assertFalse(mailbox.offer(1, 0, () -> 0, () -> ran.add("no room")));
        executor.advance(Duration.ofMillis(999));
        assertEquals(List.of(), ran);
        executor.advance(Duration.ofMillis(1));
        assertEquals(List.of("late", "own", "later"), ran);
        assertFalse(mailbox.isHeld());
        assertTrue(mailbox.isIdle());
    }

    @Test
    void postedTasksDoNotCountAgainstThePeer() {
        Mailbox mailbox = mailbox(2, 10);
        for (int i = 0; i < 5; i++) {
            mailbox.post(() -> ran.add("own"));
        }
        assertTrue(mailbox.offer(20, 1, () -> 0, () -> ran.add("large")), "the first of the peer's always fits");
        mailbox.drop();
        assertTrue(mailbox.offer(1, 2, () -> 0, () -> ran.add("a")));
        assertTrue(mailbox.offer(1, 3, () -> 0, () -> ran.add("b")));
        assertFalse(mailbox.offer(1, 4, () -> 0, () -> ran.add("c")));
        executor.runDue();
        assertEquals(List.of("own", "own", "own", "own", "own", "a", "b"), ran);
    }

    /** The first message was taken, and counts again when it is put back. */
    @Test
    void sizeCountsWhileTheFirstMessageIsHeld() {
        Mailbox mailbox = mailbox(100, 10);
        long begin = executor.nanoTime();
        Mailbox.Turn inASecond = () -> Math.max(0, begin + 1_000_000_000L - executor.nanoTime());
        assertTrue(mailbox.offer(6, 0, inASecond, () -> ran.add("held")));
        executor.runDue();
        assertTrue(mailbox.isHeld());
        assertFalse(mailbox.isFull());
        assertTrue(mailbox.offer(4, 0, () -> 0, () -> ran.add("fits")));
        assertTrue(mailbox.isFull());
        assertFalse(mailbox.offer(1, 0, () -> 0, () -> ran.add("no room")));
        executor.advance(Duration.ofSeconds(1));
        assertEquals(List.of("held", "fits"), ran);
        assertTrue(mailbox.offer(7, 0, () -> 0, () -> ran.add("room again")));
        assertTrue(mailbox.offer(3, 0, () -> 0, () -> ran.add("all of it")));
        assertFalse(mailbox.offer(1, 0, () -> 0, () -> ran.add("no more than before")));
        executor.runDue();
        assertEquals(List.of("held", "fits", "room again", "all of it"), ran);
    }

    @Test
    void mailboxYieldsToAnotherAfterATurn() {
        Mailbox busy = mailbox();
        Mailbox other = mailbox();
        for (int i = 0; i < 150; i++) {
            busy.post(() -> ran.add("busy"));
        }
        other.post(() -> ran.add("other"));
        executor.runDue();
        assertEquals(64, ran.indexOf("other"), "the other has its turn after 64 tasks");
        assertEquals(151, ran.size());
        assertTrue(busy.isIdle());
    }

    @Test
    void neverTwoTasksOfOneMailboxAtOnce() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        Mailbox mailbox =
                mailbox(new Pool("handlers", Pool.UNBOUNDED, pool, executor), executor, 1_000_000, Integer.MAX_VALUE);
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger collisions = new AtomicInteger();
        int[] unguarded = new int[1];
        CountDownLatch done = new CountDownLatch(4 * 5000);
        for (int t = 0; t < 4; t++) {
            pool.execute(() -> {
                for (int i = 0; i < 5000; i++) {
                    mailbox.post(() -> {
                        collisions.addAndGet(inside.incrementAndGet() - 1);
                        unguarded[0]++;
                        inside.decrementAndGet();
                        done.countDown();
                    });
                }
            });
        }
        assertTrue(done.await(30, TimeUnit.SECONDS));
        pool.shutdown();
        assertEquals(0, collisions.get());
        assertEquals(20_000, unguarded[0]);
    }

    @Test
    void whenPassedWaitsForWhatIsThereAndNoMore() {
        Mailbox mailbox = mailbox();
        mailbox.whenPassed(() -> ran.add("at once"));
        mailbox.post(() -> {
            ran.add("a");
            mailbox.post(() -> ran.add("c"));
        });
        mailbox.offer(1, 1, () -> 0, () -> ran.add("b"));
        mailbox.whenPassed(() -> ran.add("passed"));
        assertEquals(List.of("at once"), ran);
        executor.runDue();
        assertEquals(List.of("at once", "a", "b", "passed", "c"), ran);
    }

    @Test
    void refusedRunIsStartedLaterAndOnce() {
        Runnable[] taken = new Runnable[1];
        int[] attempts = new int[1];
        Executor refusing = task -> {
            taken[0] = task; // some executors take a task and throw nevertheless
            attempts[0]++;
            if (attempts[0] == 1) {
                throw new RejectedExecutionException("full");
            }
            if (attempts[0] < 4) {
                throw new OutOfMemoryError("unable to create native thread");
            }
            executor.execute(task);
        };
        Pool pool = new Pool("handlers", Pool.UNBOUNDED, refusing, executor);
        Mailbox mailbox = mailbox(pool, executor, 10, 1000);
        mailbox.post(() -> ran.add("a"));
        mailbox.post(() -> ran.add("b"));
        executor.advance(Duration.ofSeconds(2));
        assertEquals(List.of("a", "b"), ran);
        assertTrue(mailbox.isIdle());
        taken[0].run();
        mailbox.post(() -> ran.add("c"));
        executor.runDue();
        assertEquals(List.of("a", "b", "c"), ran);
        assertEquals(1, pool.refused());
        assertEquals(0, pool.waiting());
    }

    @Test
    void failingTurnAndMissingTimerKeepNothingBack() {
        Scheduler noTimers = new Scheduler() {
            @Override
            public long nanoTime() {
                return executor.nanoTime();
            }

            @Override
            public long currentTimeMillis() {
                return executor.currentTimeMillis();
            }

            @Override
            public Cancellable schedule(Duration delay, Runnable task) {
                throw new OutOfMemoryError("expected in the log");
            }
        };
        Mailbox mailbox = mailbox(threads, noTimers, 10, 1000);
        mailbox.offer(
                1,
                0,
                () -> {
                    throw new OutOfMemoryError("expected in the log");
                },
                () -> ran.add("a"));
        int[] asked = new int[1];
        mailbox.offer(1, 0, () -> 3 - asked[0]++, () -> ran.add("b"));
        executor.runDue();
        assertEquals(List.of("a", "b"), ran);
        assertTrue(mailbox.isIdle());
    }

    @Test
    void dropTakesATaskThatHasNotBegun() {
        Mailbox mailbox = mailbox();
        mailbox.offer(1, 7, () -> 0, () -> {
            ran.add(mailbox.drop().toString());
            ran.add(mailbox.drop().toString());
            ran.add("begins: " + mailbox.begin());
        });
        mailbox.offer(1, 8, () -> 0, () -> ran.add("8"));
        executor.runDue();
        assertEquals(List.of("Discarded[count=2, least=7]", "Discarded[count=0, least=0]", "begins: false"), ran);
    }

    @Test
    void dropLeavesATaskThatHasBegun() {
        Mailbox mailbox = mailbox();
        mailbox.offer(1, 7, () -> 0, () -> {
            ran.add("begins: " + mailbox.begin());
            ran.add(mailbox.drop().toString());
            ran.add("goes on: " + mailbox.begin());
        });
        mailbox.offer(1, 8, () -> 0, () -> ran.add("8"));
        mailbox.post(() -> ran.add("own"));
        executor.runDue();
        assertEquals(List.of("begins: true", "Discarded[count=1, least=8]", "goes on: true", "own"), ran);
    }

    @Test
    void dropWhileATaskAsksForItsTurnTakesIt() {
        Mailbox mailbox = mailbox();
        Mailbox.Turn dropped = () -> {
            ran.add(mailbox.drop().toString());
            return 1_000;
        };
        mailbox.offer(1, 7, dropped, () -> ran.add("begins: " + mailbox.begin()));
        mailbox.post(() -> ran.add("own"));
        executor.runDue();
        assertEquals(List.of("Discarded[count=1, least=7]", "begins: false", "own"), ran);
        assertTrue(mailbox.isIdle());
    }

    @Test
    void taskThatWasHeldIsDroppedOnce() {
        Mailbox mailbox = mailbox();
        long[] wait = {1_000_000};
        mailbox.offer(1, 7, () -> wait[0], () -> ran.add("7"));
        executor.runDue();
        assertEquals(new Mailbox.Discarded(1, 7), mailbox.drop());
        mailbox.wake();
        executor.advance(Duration.ofSeconds(1));
        assertEquals(List.of(), ran);
        assertTrue(mailbox.isIdle());
    }

    @Test
    void dropKeepsTheActionAfterDroppedTasks() {
        Mailbox mailbox = mailbox();
        mailbox.post(() -> ran.add("task"));
        mailbox.whenPassed(() -> ran.add("first"));
        mailbox.offer(1, 1, () -> 0, () -> ran.add("dropped"));
        mailbox.whenPassed(() -> ran.add("second"));
        assertEquals(1, mailbox.drop().count());
        executor.runDue();
        assertEquals(List.of("task", "first", "second"), ran);
    }

    @Test
    void whenPassedHasAHeldTaskAskForItsTurnAgain() {
        Mailbox mailbox = mailbox();
        long[] wait = {Duration.ofHours(1).toNanos()};
        mailbox.offer(1, 7, () -> wait[0], () -> ran.add("7"));
        executor.runDue();
        assertTrue(mailbox.isHeld());
        wait[0] = 0;
        mailbox.whenPassed(() -> ran.add("passed"));
        executor.runDue();
        assertEquals(List.of("7", "passed"), ran);
        assertEquals(0, executor.pending(), "the hold's timer is cancelled");
    }

    @Test
    void urgentTaskRunsBeforeAMessageThatWaitsForItsRule() {
        Mailbox mailbox = mailbox();
        CompletableFuture<Void> rule = new CompletableFuture<>();
        mailbox.offer(1, 1, () -> 0, () -> mailbox.await(rule, () -> ran.add("message")));
        executor.runDue();
        mailbox.enqueueBeforeMessages(() -> ran.add("urgent"));
        mailbox.wake();
        rule.complete(null);
        executor.runDue();
        assertEquals(List.of("urgent", "message"), ran);
        assertTrue(mailbox.isIdle());
    }

    @Test
    void urgentTaskDoesNotWaitForARateLimit() {
        Mailbox mailbox = mailbox();
        long[] wait = {1_000_000_000};
        mailbox.offer(1, 1, () -> wait[0], () -> ran.add("message"));
        executor.runDue();
        mailbox.enqueueBeforeMessages(() -> ran.add("urgent"));
        mailbox.wake();
        executor.runDue();
        assertEquals(List.of("urgent"), ran);
        wait[0] = 0;
        executor.advance(Duration.ofSeconds(1));
        assertEquals(List.of("urgent", "message"), ran);
    }

    @Test
    void urgentTaskWithoutMessagesIsInOrder() {
        Mailbox mailbox = mailbox();
        mailbox.post(() -> ran.add("a"));
        mailbox.enqueueBeforeMessages(() -> ran.add("b"));
        mailbox.post(() -> ran.add("c"));
        executor.runDue();
        assertEquals(List.of("a", "b", "c"), ran);
    }

    @Test
    void stageOfADroppedTaskWakesNobody() {
        Mailbox mailbox = mailbox();
        CompletableFuture<Void> first = new CompletableFuture<>();
        CompletableFuture<Void> second = new CompletableFuture<>();
        mailbox.offer(1, 1, () -> 0, () -> mailbox.await(first, () -> ran.add("dropped")));
        executor.runDue();
        assertFalse(mailbox.isIdle(), "it waits for a stage");
        assertEquals(new Mailbox.Discarded(1, 1), mailbox.drop());
        mailbox.offer(1, 2, () -> 0, () -> mailbox.await(second, () -> ran.add("second")));
        mailbox.offer(1, 3, () -> 0, () -> ran.add("third"));
        mailbox.wake();
        executor.runDue();
        first.complete(null);
        executor.runDue();
        assertEquals(List.of(), ran, "the second waits, and the third behind it");
        second.complete(null);
        executor.runDue();
        assertEquals(List.of("second", "third"), ran);
        assertTrue(mailbox.isIdle());
    }

    @Test
    void taskThatIsDroppedWhileItAsksForItsTurnGivesItBack() {
        Mailbox mailbox = mailbox();
        mailbox.offer(
                1,
                7,
                new Mailbox.Turn() {
                    @Override
                    public long take() {
                        mailbox.drop();
                        return 1_000;
                    }

                    @Override
                    public void giveBack() {
                        ran.add("given back");
                    }
                },
                () -> ran.add("begins: " + mailbox.begin()));
        mailbox.offer(1, 8, () -> 0, () -> ran.add("dropped, too"));
        executor.runDue();
        assertEquals(List.of("given back", "begins: false"), ran);
    }
}
