package io.realtime.server.internal.room;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class RoomTurnsTest {
    private final RoomTurns turns = new RoomTurns();
    private final ConcurrentLinkedQueue<String> ran = new ConcurrentLinkedQueue<>();

    @Test
    void taskOfTheSameRoomWaitsInTheOrderOfArrival() throws Exception {
        CountDownLatch first = new CountDownLatch(1);
        CompletableFuture<?> one = run("a", "one", first);
        await().until(() -> ran.contains("one begins"));
        Thread[] waiting = new Thread[2];
        CompletableFuture<?> two = run("a", "two", new CountDownLatch(0), waiting, 0);
        await().until(() -> waiting[0] != null && waiting[0].getState() == Thread.State.WAITING);
        CompletableFuture<?> three = run("a", "three", new CountDownLatch(0), waiting, 1);
        await().until(() -> waiting[1] != null && waiting[1].getState() == Thread.State.WAITING);
        first.countDown();
        CompletableFuture.allOf(one, two, three).get(10, TimeUnit.SECONDS);
        assertEquals(
                List.of("one begins", "one ends", "two begins", "two ends", "three begins", "three ends"),
                List.copyOf(ran));
        assertEquals(0, turns.size());
    }

    @Test
    void taskOfAnotherRoomDoesNotWait() throws Exception {
        CountDownLatch first = new CountDownLatch(1);
        CompletableFuture<?> one = run("a", "one", first);
        await().until(() -> ran.contains("one begins"));
        run("b", "two", new CountDownLatch(0)).get(10, TimeUnit.SECONDS);
        assertEquals(1, turns.size());
        first.countDown();
        one.get(10, TimeUnit.SECONDS);
        assertEquals(0, turns.size());
    }

    @Test
    void taskThatThrowsEndsItsTurn() throws Exception {
        IOException failure = new IOException("disk");
        assertSame(
                failure,
                assertThrows(
                        IOException.class,
                        () -> turns.take("a", () -> {
                            throw failure;
                        })));
        assertEquals("next", turns.take("a", () -> "next"));
        assertEquals(0, turns.size());
    }

    @Test
    void turnWithinATurnIsRefused() throws Exception {
        IllegalStateException refused = turns.take(
                "a", () -> assertThrows(IllegalStateException.class, () -> turns.take("b", () -> ran.add("b"))));
        assertEquals("serially for room 'b' within serially for room 'a'", refused.getMessage());
        assertEquals(List.of(), List.copyOf(ran));
        assertEquals("after it", turns.take("b", () -> "after it"));
    }

    @Test
    void interruptedWaitEndsWithoutATurn() throws Exception {
        CountDownLatch first = new CountDownLatch(1);
        CompletableFuture<?> one = run("a", "one", first);
        await().until(() -> ran.contains("one begins"));
        Thread.currentThread().interrupt();
        assertThrows(InterruptedException.class, () -> turns.take("a", () -> ran.add("two")));
        first.countDown();
        one.get(10, TimeUnit.SECONDS);
        assertEquals(List.of("one begins", "one ends"), List.copyOf(ran));
        assertEquals(0, turns.size());
    }

    private CompletableFuture<?> run(String room, String name, CountDownLatch until) {
        return run(room, name, until, new Thread[1], 0);
    }

    private CompletableFuture<?> run(String room, String name, CountDownLatch until, Thread[] threads, int place) {
        Executor thread = task -> {
            Thread started = new Thread(task, name);
            started.start();
            threads[place] = started;
        };
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return turns.take(room, () -> {
                            ran.add(name + " begins");
                            until.await();
                            return ran.add(name + " ends");
                        });
                    } catch (Exception failure) {
                        throw new AssertionError(failure);
                    }
                },
                thread);
    }
}
