package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.realtime.ErrorCode;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** How the age of a message is counted when a clock jumps or the device sleeps. */
class ClientClockTest extends ClientSendFixture {
    private void welcomeAt(long serverMillis) {
        world.onHello = peer -> peer.welcome(serverMillis);
    }

    private static final long NOW = new ManualScheduler().currentTimeMillis();
    private static final long DAYS_3 = Duration.ofDays(3).toMillis();

    @Test
    void messageOlderThanMaxAgeAfterSleepIsDropped() {
        welcomeAt(NOW);
        world.connected();
        world.network.refuseConnections(true);
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> slept = say("slept");
        world.settle();
        world.time.jumpWallClock(Duration.ofDays(3)); // the monotonic clock stands still in a sleep
        CompletableFuture<Void> young = say("young");
        welcomeAt(NOW + DAYS_3);
        world.network.refuseConnections(false);
        world.advance(30_000);
        assertFailed(ErrorCode.CONNECTION_LOST, slept);
        assertDone(young);
        assertEquals(List.of("young"), world.peer().says());
    }

    @Test
    void wallClockThatJumpsAloneDropsNothing() {
        welcomeAt(NOW);
        world.connected();
        world.network.refuseConnections(true);
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> kept = say("kept");
        world.time.jumpWallClock(Duration.ofDays(3));
        world.network.refuseConnections(false);
        welcomeAt(NOW + 30_000);
        world.advance(30_000);
        assertDone(kept);
    }

    @Test
    void serverClockThatJumpsAloneDropsNothing() {
        welcomeAt(NOW);
        world.connected();
        world.network.refuseConnections(true);
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> kept = say("kept");
        world.network.refuseConnections(false);
        welcomeAt(NOW + DAYS_3);
        world.advance(30_000);
        assertDone(kept);
    }

    @Test
    void clockSetBeforeFirstWelcomeDropsNothing() {
        CompletableFuture<Void> kept = say("kept");
        world.time.jumpWallClock(Duration.ofDays(3)); // it was behind at boot, and is right now
        welcomeAt(NOW + DAYS_3);
        world.connected();
        assertDone(kept);
    }

    @Test
    void clockSetBackHidesNoLaterSleep() {
        welcomeAt(NOW);
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = say("sent");
        world.settle();
        world.time.jumpWallClock(Duration.ofDays(-3));
        reconnectAt(NOW + 30_000);
        assertFalse(sent.isDone());
        world.time.jumpWallClock(Duration.ofDays(3)); // slept
        reconnectAt(NOW + DAYS_3);
        assertFailed(ErrorCode.CONNECTION_LOST, sent);
    }

    private void reconnectAt(long serverMillis) {
        welcomeAt(serverMillis);
        world.network.cutAll();
        world.advance(30_000);
    }

    @Test
    void sleepCountsOnceAndAddsUp() {
        welcomeAt(NOW);
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = say("sent");
        world.settle();
        for (int i = 1; i <= 3; i++) {
            world.network.cutAll();
            world.settle();
            world.time.jumpWallClock(Duration.ofHours(5));
            welcomeAt(NOW + i * Duration.ofHours(5).toMillis());
            world.advance(30_000);
            assertEquals(i < 3, !sent.isDone(), "after " + 5 * i + " h");
        }
        assertFailed(ErrorCode.CONNECTION_LOST, sent);
    }
}
