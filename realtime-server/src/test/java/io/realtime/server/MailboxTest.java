package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.Test;

class MailboxTest {
    private final ManualScheduler executor = new ManualScheduler();
    private final Bursts bursts = new Bursts(executor, executor);
    private final List<String> ran = new ArrayList<>();

    @Test
    void tasksRunInOrderAndAFailingOneHarmsNoOther() {
        Mailbox mailbox = new Mailbox(executor, executor, bursts, 10, 1000, new ReentrantLock());
        mailbox.offer(1, () -> 0, () -> ran.add("a"));
        mailbox.offer(1, () -> 0, () -> {
            throw new AssertionError("expected in the log");
        });
        mailbox.post(() -> ran.add("b"));
        assertEquals(List.of(), ran, "nothing runs on the caller's stack");
        executor.runDue();
        assertEquals(List.of("a", "b"), ran);
        assertTrue(mailbox.isIdle());
    }

    @Test
    void boundByCountAndBySizeButOneMessageAlwaysFits() {
        Mailbox byCount = new Mailbox(executor, executor, bursts, 2, 1000, new ReentrantLock());
        assertTrue(byCount.offer(1, () -> 0, () -> ran.add("1")));
        assertTrue(byCount.offer(1, () -> 0, () -> ran.add("2")));
        assertFalse(byCount.offer(1, () -> 0, () -> ran.add("3")));
        byCount.post(() -> ran.add("own"));
        executor.runDue();
        assertEquals(List.of("1", "2", "own"), ran);
        Mailbox bySize = new Mailbox(executor, executor, bursts, 100, 10, new ReentrantLock());
        assertTrue(bySize.offer(50, () -> 0, () -> ran.add("large")));
        assertFalse(bySize.offer(1, () -> 0, () -> ran.add("no")));
        executor.runDue();
        assertTrue(bySize.offer(10, () -> 0, () -> ran.add("room again")));
        executor.runDue();
    }

    @Test
    void aTaskWaitsForItsTurnAndThoseBehindItWithIt() {
        Mailbox mailbox = new Mailbox(executor, executor, bursts, 2, 1000, new ReentrantLock());
        long begin = executor.nanoTime();
        Mailbox.Turn inASecond = () -> Math.max(0, begin + 1_000_000_000L - executor.nanoTime());
        mailbox.offer(1, inASecond, () -> ran.add("late"));
        mailbox.post(() -> ran.add("own"));
        executor.runDue();
        assertEquals(List.of(), ran);
        assertTrue(mailbox.isHeld());
        assertTrue(mailbox.isFull());
        assertFalse(mailbox.offer(1, () -> 0, () -> ran.add("no room")));
        executor.advance(Duration.ofMillis(999));
        assertEquals(List.of(), ran);
        executor.advance(Duration.ofMillis(1));
        assertEquals(List.of("late", "own"), ran);
        assertFalse(mailbox.isHeld());
        assertTrue(mailbox.isIdle());
    }

    @Test
    void neverTwoTasksOfOneMailboxAtOnce() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        Mailbox mailbox = new Mailbox(pool, executor, bursts, 1_000_000, Integer.MAX_VALUE, new ReentrantLock());
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
}
