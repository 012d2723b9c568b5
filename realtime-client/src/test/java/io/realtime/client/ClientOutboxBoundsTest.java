package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.realtime.ErrorCode;
import io.realtime.client.World.Say;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** How much may wait in the outbox and be in flight. */
class ClientOutboxBoundsTest extends ClientSendFixture {
    @Test
    void inflightBoundsMessagesInFlight() {
        world.acks = false;
        world.inflight = 2;
        world.connected();
        for (int i = 0; i < 5; i++) {
            var unused = say("m" + i);
        }
        world.settle();
        assertEquals(List.of("m0", "m1"), world.peer().says());
        world.peer().send("{'type':'$ack','data':{'seq':1}}");
        world.settle();
        assertEquals(List.of("m0", "m1", "m2"), world.peer().says());
    }

    @Test
    void inflightBytesBoundAllButOneLongMessage() {
        world.acks = false;
        world.inflightBytes = 1_000;
        world.connected();
        String half = "h".repeat(400);
        String long1 = "l".repeat(2_000);
        for (String text : List.of(half, half, "short", long1, "next")) {
            var unused = say(text);
        }
        world.settle();
        assertEquals(List.of(half, half), world.peer().says());
        world.peer().send("{'type':'$ack','data':{'seq':1}}");
        world.settle();
        assertEquals(List.of(half, half, "short"), world.peer().says());
        world.peer().send("{'type':'$ack','data':{'seq':2}}");
        world.settle();
        assertEquals(List.of(half, half, "short"), world.peer().says(), "the long one goes alone");
        world.peer().send("{'type':'$ack','data':{'seq':3}}");
        world.settle();
        assertEquals(List.of(half, half, "short", long1), world.peer().says());
        world.peer().send("{'type':'$ack','data':{'seq':4}}");
        world.settle();
        assertEquals(List.of(half, half, "short", long1, "next"), world.peer().says());
    }

    @Test
    void fullOutboxRefusesNewMessagesByDefault() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(2).build()));
        var one = say("one");
        var two = say("two");
        CompletableFuture<Void> three = say("three");
        world.settle();
        assertFailed(ErrorCode.OVERLOADED, three);
        assertEquals(new Say("three"), world.dropped.get(0).data(World.SAY));
        world.connected();
        assertDone(one);
        assertDone(two);
    }

    @Test
    void fullOutboxDropsTheOldestIfConfigured() {
        world.use(world.builder()
                .outbox(OutboxLimits.builder()
                        .messages(2)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build()));
        CompletableFuture<Void> one = say("one");
        var two = say("two");
        var three = say("three");
        world.settle();
        assertFailed(ErrorCode.OVERLOADED, one);
        world.connected();
        assertEquals(List.of("two", "three"), world.peer().says());
        assertDone(two);
        assertDone(three);
    }

    @Test
    void nothingIsDroppedForAMessageThatNeverFits() {
        world.acks = false;
        world.inflight = 1;
        world.use(world.builder()
                .outbox(OutboxLimits.builder()
                        .bytes(4_000)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build()));
        world.connected();
        CompletableFuture<Void> underWay = say("x".repeat(2_000));
        world.settle();
        CompletableFuture<Void> small = say("small");
        CompletableFuture<Void> large = say("x".repeat(2_500));
        world.settle();
        assertFailed(ErrorCode.OVERLOADED, large);
        assertEquals(1, world.dropped.size(), () -> world.dropped.toString());
        world.acks = true;
        world.peer().ack(1, 0);
        world.settle();
        assertDone(underWay);
        assertDone(small);
    }

    @Test
    void outboxIsBoundedInBytesToo() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(1_000).build()));
        CompletableFuture<Void> kept = say("x".repeat(500));
        CompletableFuture<Void> refused = say("x".repeat(500));
        world.settle();
        assertFalse(kept.isDone());
        assertFailed(ErrorCode.OVERLOADED, refused);
    }

    @Test
    void messageOlderThanMaxAgeIsDropped() {
        world.use(world.builder()
                .outbox(OutboxLimits.builder().maxAge(Duration.ofMinutes(1)).build()));
        CompletableFuture<Void> sent = say("old");
        world.advance(59_999);
        assertFalse(sent.isDone());
        world.advance(1);
        assertFailed(ErrorCode.CONNECTION_LOST, sent);
        world.connected();
        assertEquals(List.of(), world.peer().says());
    }
}
