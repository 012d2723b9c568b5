package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How the age of a message is counted across processes and clocks. */
class ClientFileOutboxAgeTest extends ClientFileOutboxFixture {
    @Test
    void ageIsCountedAcrossProcesses() {
        OutboxLimits hour = OutboxLimits.builder().maxAge(Duration.ofHours(1)).build();
        start(hour);
        var old = say("old");
        world.settle();
        world.client().close();
        world.advance(30 * 60_000);
        start(hour);
        var young = say("young");
        world.advance(30 * 60_000);
        assertEquals(List.of(), dropped());
        world.connected();
        assertEquals(List.of("old connection_lost"), dropped());
        assertEquals(List.of("young"), world.peer().says());
        assertTrue(old.isDone());
        assertTrue(young.isDone());
    }

    /** Writes a message in one process, and connects another one by these clocks. */
    private void sendThenConnect(Duration wallClock, Duration serversClock) {
        long now = world.time.currentTimeMillis();
        start();
        var unused = say("text");
        world.settle();
        world.client().close();
        world.settle();
        world.time.jumpWallClock(wallClock);
        start();
        world.advance(1_000);
        assertEquals(List.of(), dropped());
        world.onHello = peer -> peer.welcome(now + serversClock.toMillis());
        world.connected();
    }

    @Test
    void restoredMessageIsSentThoughWallClockJumped() {
        sendThenConnect(Duration.ofHours(13), Duration.ZERO);
        assertEquals(List.of("text*"), world.peer().says());
    }

    @Test
    void restoredMessageTooOldForServerIsDroppedThoughWallClockIsBehind() {
        sendThenConnect(Duration.ZERO, Duration.ofHours(13));
        assertEquals(List.of("text connection_lost"), dropped());
        assertEquals(List.of(), world.peer().says());
    }

    @Test
    void restoredMessageAgesBySleepAfterFirstWelcome() {
        world.acks = false;
        sendThenConnect(Duration.ofDays(-9), Duration.ofHours(11));
        assertEquals(List.of("text*"), world.peer().says());
        long then = world.time.currentTimeMillis() + Duration.ofDays(9).toMillis();
        world.time.jumpWallClock(Duration.ofHours(2));
        world.onHello = peer -> peer.welcome(then + Duration.ofHours(13).toMillis());
        world.network.cutAll();
        world.advance(30_000);
        assertEquals(List.of("text connection_lost"), dropped());
    }

    @Test
    void clockSetBackDoesNotAgeStoredMessages() {
        start();
        var sent = say("kept");
        world.settle();
        world.client().close();
        world.settle();
        world.time.jumpWallClock(Duration.ofDays(-10_000));
        start();
        world.advance(Duration.ofHours(12).toMillis() - 100);
        assertEquals(List.of(), world.dropped);
        world.advance(100);
        assertEquals(List.of("kept connection_lost"), dropped());
        assertTrue(sent.isDone());
    }
}
