package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.client.World.Say;
import io.realtime.testing.HeldExecutor;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What it means to cancel a message. */
class ClientCancelTest extends ClientSendFixture {
    @Test
    void cancelOfARefusedMessageIsTooLateAndMakesNoRoom() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(1_000).build()));
        CompletableFuture<Void> kept = say("x".repeat(500));
        CompletableFuture<Void> refused = say("x".repeat(500));
        assertFalse(refused.cancel(false));
        CompletableFuture<Void> next = say("x".repeat(500));
        world.settle();
        assertFalse(kept.isDone());
        assertFailed(ErrorCode.OVERLOADED, refused);
        assertFailed(ErrorCode.OVERLOADED, next);
    }

    @Test
    void cancelledMessageThatHasNotLeftIsNeverSent() {
        CompletableFuture<Void> first = say("first");
        CompletableFuture<Void> second = say("second");
        CompletableFuture<Void> third = say("third");
        assertTrue(second.cancel(true));
        world.connected();
        assertEquals(List.of("first", "third"), world.peer().says());
        assertDone(first);
        assertTrue(second.isCancelled());
        assertDone(third);
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void cancelledMessageMakesRoomInTheOutbox() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(1).build()));
        CompletableFuture<Void> first = say("first");
        assertTrue(first.cancel(false));
        CompletableFuture<Void> second = say("second");
        world.connected();
        assertDone(second);
        assertEquals(List.of("second"), world.peer().says());
    }

    @Test
    void cancelledMessageThatHasLeftIsNotSentAgain() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> first = say("first");
        CompletableFuture<Void> second = say("second");
        world.settle();
        assertEquals(List.of("first", "second"), world.peer().says());
        assertTrue(first.cancel(true));
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(List.of("second*"), world.peer().says());
        world.peer().ack(2, 0);
        world.settle();
        assertDone(second);
    }

    @Test
    void cancelledMessageInProgressCountsUntilItIsAcknowledged() {
        world.acks = false;
        world.inflight = 1;
        world.connected();
        CompletableFuture<Void> first = say("first");
        CompletableFuture<Void> second = say("second");
        world.settle();
        assertTrue(first.cancel(true));
        world.settle();
        assertEquals(List.of("first"), world.peer().says());
        world.peer().ack(1, 0);
        world.settle();
        assertEquals(List.of("first", "second"), world.peer().says());
        assertFalse(second.isDone());
    }

    @Test
    void cancelAfterTheMessageWasHandledChangesNothing() {
        world.connected();
        CompletableFuture<Void> sent = say("first");
        world.settle();
        assertFalse(sent.cancel(true));
        assertDone(sent);
    }

    @Test
    void cancelAfterAcknowledgementIsTooLate() {
        world.use(world.builder().callbackExecutor(callbacks));
        world.connected();
        CompletableFuture<Void> sent = say("first");
        world.settle(); // acknowledged, which its callback is to tell
        assertFalse(sent.cancel(true));
        runCallbacks();
        assertDone(sent);
    }

    @Test
    void cancelAfterCloseIsTooLate() {
        CompletableFuture<Void> sent = say("first");
        world.client().close();
        assertFalse(sent.cancel(true));
        world.settle();
        assertFailed(ErrorCode.CLOSED, sent);
    }

    private final HeldExecutor callbacks = new HeldExecutor();

    private void runCallbacks() {
        callbacks.runAll();
    }

    @Test
    void cancelledEphemeralMessageIsNotSent() {
        world.connected();
        assertTrue(world.client().send(World.TYPING, new Say("a")).cancel(true));
        world.settle();
        assertEquals(List.of(), world.peer().all("chat.typing"));
        assertEquals(List.of(), world.dropped);
    }
}
