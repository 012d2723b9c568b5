package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RemoteException;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** How a message is sent, acknowledged, sent again and failed. */
class ClientSendTest extends ClientSendFixture {
    @Test
    void sendCompletesWhenAcknowledged() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        CompletableFuture<Void> third = say("three");
        world.settle();
        assertEquals(List.of("one", "two", "three"), world.peer().says());
        assertFalse(first.isDone());
        world.peer().send("{'type':'$ack','data':{'seq':2}}");
        world.settle();
        assertDone(first);
        assertDone(second);
        assertFalse(third.isDone());
    }

    @Test
    void offlineMessagesAreSentInOrderAtConnect() {
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = world.client().room("r").send(World.SAY, new Say("two"));
        world.connected();
        assertEquals(List.of("one", "two"), world.peer().says());
        assertEquals("r", world.peer().all("chat.say").get(1).room());
        assertDone(first);
        assertDone(second);
    }

    @Test
    void unacknowledgedMessagesAreResentInOrderAndMarked() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        world.settle();
        world.network.cutAll();
        CompletableFuture<Void> third = say("three");
        world.acks = true;
        world.seq = 1; // the server has processed the first
        world.advance(1_000);

        assertEquals(List.of("two*", "three"), world.peer().says());
        assertDone(first);
        assertDone(second);
        assertDone(third);
        List<Long> numbers = new ArrayList<>();
        world.peer().all("chat.say").forEach(frame -> numbers.add(frame.seq()));
        assertEquals(List.of(2L, 3L), numbers);
    }

    @Test
    void ephemeralMessagesAreNotSentWhileOffline() {
        CompletableFuture<Void> offline = world.client().send(World.TYPING, new Say("a"));
        world.settle();
        assertFailed(ErrorCode.CONNECTION_LOST, offline);
        assertEquals(1, world.dropped.size());

        world.connected();
        CompletableFuture<Void> online = world.client().send(World.TYPING, new Say("b"));
        world.settle();
        assertDone(online);
        List<Envelope> received = world.peer().all("chat.typing");
        assertEquals(1, received.size());
        assertEquals(0, received.get(0).seq());
    }

    @Test
    void errorFailsTheMessageItNames() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = say("bad");
        world.settle();
        world.peer().send("{'type':'$error','seq':1,'data':{'code':'no_handler','message':'nobody" + " listens'}}");
        world.settle();
        assertFailed(ErrorCode.NO_HANDLER, sent);
        assertEquals(RemoteException.class, world.errors.get(0).getClass());
    }

    @Test
    void messageLongerThanTheServerTakesFails() {
        world.messageBytes = 1_000;
        CompletableFuture<Void> before = say("x".repeat(2_000));
        world.connected();
        CompletableFuture<Void> after = say("x".repeat(2_000));
        CompletableFuture<Void> fits = say("x".repeat(500));
        world.settle();
        assertFailed(ErrorCode.TOO_BIG, before);
        assertFailed(ErrorCode.TOO_BIG, after);
        assertDone(fits);
    }

    /** The server would close with 1009, and another message be taken for the one that was too long. */
    @Test
    void ephemeralMessageLongerThanTheServerTakesFails() {
        world.messageBytes = 1_000;
        world.connected();
        CompletableFuture<Void> tooLong = world.client().send(World.TYPING, new Say("x".repeat(2_000)));
        CompletableFuture<Void> fits = world.client().send(World.TYPING, new Say("x".repeat(500)));
        world.settle();
        assertFailed(ErrorCode.TOO_BIG, tooLong);
        assertDone(fits);
        assertEquals(1, world.peer().all("chat.typing").size());
        assertEquals(1, world.dropped.size());
    }

    @Test
    void messageThatClosesWith1009FailsAndTheOthersGoOn() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> small = say("small");
        CompletableFuture<Void> big = say("x".repeat(5_000));
        world.settle();
        world.peer().close(CloseReason.TOO_BIG);
        world.acks = true;
        world.advance(1_000);
        assertFailed(ErrorCode.TOO_BIG, big);
        assertDone(small);
        assertEquals(List.of("small*"), world.peer().says());
    }

    @Test
    void payloadThatIsNoJsonFailsAtOnce() {
        CompletableFuture<Void> sent = world.client().send(Event.of("number", Double.class), Double.NaN);
        Throwable failure = assertThrows(ExecutionException.class, sent::get).getCause();
        assertEquals(PayloadException.class, failure == null ? null : failure.getClass());
    }

    @Test
    void payloadWithHalfASurrogatePairFailsAtOnce() {
        world.connected();
        CompletableFuture<Void> sent = say("cut \uD83D");
        assertFailed(ErrorCode.BAD_DATA, sent);
        world.settle();
        assertEquals(List.of(), world.peer().all("chat.say"));
    }

    @Test
    void closeFailsPendingMessages() {
        CompletableFuture<Void> sent = say("never");
        world.client().close();
        world.settle();
        assertFailed(ErrorCode.CLOSED, sent);
        assertEquals(1, world.dropped.size());
    }

    @Test
    void disconnectKeepsPendingMessages() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = say("kept");
        world.settle();
        world.client().disconnect(Duration.ZERO);
        world.settle();
        assertFalse(sent.isDone());
        world.acks = true;
        world.connected();
        assertDone(sent);
        assertEquals(List.of("kept*"), world.peer().says());
    }
}
