package io.realtime.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SystemSchedulerTest {
    private static final Duration NEVER = Duration.ofHours(1);

    private final SystemScheduler scheduler = new SystemScheduler("test-timer");

    @AfterEach
    void close() {
        scheduler.close();
    }

    /** Completes when everything that was due before has run: tasks run one at a time. */
    private void untilIdle() {
        var done = new CompletableFuture<Void>();
        scheduler.schedule(Duration.ZERO, () -> done.complete(null));
        done.join();
    }

    @Test
    void taskRunsOnADaemonThreadOfTheGivenName() {
        var ran = new CompletableFuture<Thread>();
        scheduler.schedule(Duration.ZERO, () -> ran.complete(Thread.currentThread()));
        Thread thread = ran.join();
        assertNotSame(Thread.currentThread(), thread);
        assertEquals("test-timer", thread.getName());
        assertTrue(thread.isDaemon());
    }

    @Test
    void taskThatFailsDoesNotEndTheThread() {
        scheduler.schedule(Duration.ZERO, () -> {
            throw new StackOverflowError("expected by the test");
        });
        var ran = new CompletableFuture<String>();
        scheduler.schedule(Duration.ofMillis(-5), () -> ran.complete("ran"));
        assertEquals("ran", ran.join());
    }

    @Test
    void shorterDelayOvertakesALongerOne() {
        var order = new CopyOnWriteArrayList<String>();
        var gate = new CompletableFuture<Void>();
        scheduler.schedule(Duration.ZERO, gate::join); // both are due before either runs
        var last = new CompletableFuture<Void>();
        scheduler.schedule(Duration.ofMillis(500), () -> {
            order.add("500 ms");
            last.complete(null);
        });
        scheduler.schedule(Duration.ofMillis(1), () -> order.add("1 ms"));
        gate.complete(null);
        last.join();
        assertEquals(List.of("1 ms", "500 ms"), order);
    }

    @Test
    void taskThatWasCalledOffDoesNotRun() {
        var order = new CopyOnWriteArrayList<String>();
        var gate = new CompletableFuture<Void>();
        scheduler.schedule(Duration.ZERO, gate::join);
        scheduler.schedule(Duration.ZERO, () -> order.add("cancelled")).cancel();
        scheduler.schedule(Duration.ZERO, () -> order.add("kept"));
        gate.complete(null);
        untilIdle();
        assertEquals(List.of("kept"), order);
    }

    @Test
    void delayBeyondNanosecondsIsCapped() {
        var order = new CopyOnWriteArrayList<String>();
        scheduler
                .schedule(Duration.ofDays(365L * 8_000), () -> order.add("year 9999"))
                .cancel();
        scheduler.schedule(Duration.ofSeconds(Long.MAX_VALUE), () -> order.add("never"));
        untilIdle();
        assertEquals(List.of(), order);
    }

    @Test
    void afterCloseNothingRunsAndNothingFails() {
        var order = new CopyOnWriteArrayList<String>();
        var gate = new CompletableFuture<Void>();
        var running = new CompletableFuture<Thread>();
        scheduler.schedule(Duration.ZERO, () -> {
            running.complete(Thread.currentThread());
            gate.join();
            order.add("was running");
        });
        scheduler.schedule(NEVER, () -> order.add("scheduled before"));
        Thread thread = running.join();
        scheduler.close();
        scheduler.schedule(Duration.ZERO, () -> order.add("scheduled after")).cancel();
        gate.complete(null);
        joinUninterrupted(thread);
        assertEquals(List.of("was running"), order);
    }

    @Test
    void interruptedThreadWaitsForEndAllSameAndStaysInterrupted() {
        Thread closer = Thread.currentThread();
        var running = new CompletableFuture<Thread>();
        var returned = new AtomicBoolean();
        scheduler.schedule(Duration.ZERO, () -> {
            running.complete(Thread.currentThread());
            while (closer.getState() != Thread.State.TIMED_WAITING && !returned.get()) {
                Thread.onSpinWait();
            }
        });
        Thread timer = running.join();
        scheduler.close();
        closer.interrupt();
        scheduler.awaitEnd();
        boolean isAlive = timer.isAlive();
        returned.set(true);
        assertTrue(Thread.interrupted(), "it stays interrupted");
        assertFalse(isAlive);
    }

    private static void joinUninterrupted(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException interrupted) {
            throw new AssertionError("interrupted while the timer ends", interrupted);
        }
    }
}
