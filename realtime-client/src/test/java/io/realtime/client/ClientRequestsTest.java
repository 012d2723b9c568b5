package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RemoteException;
import io.realtime.client.World.Say;
import io.realtime.client.internal.outbox.BrokenDisk;
import io.realtime.client.internal.outbox.OutboxFile;
import io.realtime.internal.wire.Envelope;
import io.realtime.testing.HeldExecutor;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** The requests of a client: sent, answered, sent again, timed out and cancelled. */
class ClientRequestsTest extends ClientCallsFixture {
    private static final Duration SECOND = Duration.ofSeconds(1);

    private List<String> asked() {
        List<String> texts = new ArrayList<>();
        for (Envelope frame : world.peer().all("length")) {
            texts.add(frame.data(String.class) + (frame.isRedelivered() ? "*" : ""));
        }
        return texts;
    }

    // ---- requests

    @Test
    void requestIsNumberedHasRefAndIsAnsweredThroughInbox() {
        world.connected();
        CompletableFuture<Integer> result = ask("seven");
        Envelope question = only("length");
        assertEquals("seven", question.data(String.class));
        assertEquals(1, question.seq());
        assertNull(question.room());
        answer("$reply", refOf("length"), ",'data':5");
        assertEquals(5, result.join());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void errorFailsItsRequestOnly() {
        world.connected();
        CompletableFuture<Integer> result = ask("x");
        answer("$error", refOf("length"), error("forbidden"));
        assertEquals(ErrorCode.FORBIDDEN, failure(result));
        assertInstanceOf(
                RemoteException.class,
                assertThrows(ExecutionException.class, result::get).getCause());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void requestNotSentInTimeIsNeverSent() {
        CompletableFuture<Integer> result = world.client().request(LENGTH, "x", SECOND);
        world.advance(999);
        assertFalse(result.isDone());
        world.advance(1);
        assertEquals(ErrorCode.TIMEOUT, failure(result));
        world.connected();
        assertEquals(List.of(), asked());
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void timeoutThatIsNotPositiveIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> world.client().request(LENGTH, "x", Duration.ZERO));
        assertThrows(IllegalArgumentException.class, () -> world.client().request(LENGTH, "x", Duration.ofMillis(-1)));
    }

    @Test
    void requestThatTheFullOutboxRefusesFails() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(1).build()));
        CompletableFuture<Integer> first = ask("a");
        CompletableFuture<Integer> second = ask("b");
        assertFalse(first.isDone());
        assertEquals(ErrorCode.OVERLOADED, failure(second));
        assertEquals(List.of(), world.dropped);
        assertEquals(List.of(), world.errors);
    }

    @Test
    void thousandQuestionsMayBeOpen() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(5_000).build()));
        for (int i = 0; i < 1_000; i++) {
            var unused = world.client().request(LENGTH, "x");
        }
        world.settle();
        assertEquals(ErrorCode.OVERLOADED, failure(ask("one more")));
    }

    @Test
    void requestIsResentUntilItIsProcessed() {
        world.connected();
        CompletableFuture<Integer> result = ask("x");
        resume(0, 0);
        assertEquals(List.of("x*"), asked());
        String ref = refOf("length");
        resume(1, 1);
        assertEquals(List.of(), asked());
        assertFalse(result.isDone());
        answer("$reply", ref, ",'data':1");
        assertEquals(1, result.join());
    }

    @Test
    void answeredRequestIsNotSentAgainInANewSession() {
        world.connected();
        CompletableFuture<Integer> good = ask("good");
        answer("$reply", refOf("length"), ",'data':1");
        CompletableFuture<Integer> bad = ask("bad");
        answer(
                "$error",
                Objects.requireNonNull(world.peer().all("length").get(1).ref()),
                error("forbidden"));
        loseSession(0, 0);
        assertEquals(List.of(), asked());
        assertEquals(1, good.join());
        assertEquals(ErrorCode.FORBIDDEN, failure(bad));
    }

    @Test
    void processedRequestsOfLostSessionFailAndOthersAreResent() {
        world.connected();
        CompletableFuture<Integer> processed = ask("processed");
        CompletableFuture<Integer> not = ask("not");
        loseSession(1, 0);
        assertEquals(ErrorCode.CONNECTION_LOST, failure(processed));
        assertEquals(List.of("not*"), asked());
        assertFalse(not.isDone());
        answer("$reply", refOf("length"), ",'data':3");
        assertEquals(3, not.join());
    }

    @Test
    void answersInTheNextInboxAreReadBeforeRequestsFail() {
        world.connected();
        CompletableFuture<Integer> answered = ask("answered");
        CompletableFuture<Integer> not = ask("not");
        String ref = Objects.requireNonNull(world.peer().all("length").get(0).ref());
        loseSession(2, 1);
        assertFalse(answered.isDone() || not.isDone());
        answer("$reply", ref, ",'data':8");
        assertEquals(8, answered.join());
        assertEquals(ErrorCode.CONNECTION_LOST, failure(not));
    }

    @Test
    void processedRequestsFailAtAnInboxGap() {
        world.connected();
        CompletableFuture<Integer> processed = ask("processed");
        CompletableFuture<Integer> not = ask("not");
        world.rooms = "{'@session':{'epoch':'s1','offset':9,'recovered':false,'reason':'trimmed'}}";
        resume(1, 9);
        assertEquals(ErrorCode.CONNECTION_LOST, failure(processed));
        assertEquals(List.of("not*"), asked());
        assertFalse(not.isDone());
        world.peer()
                .send("{'type':'$gap','room':'@session','data':{'epoch':'s1','offset':12," + "'reason':'trimmed'}}");
        world.settle();
        assertEquals(ErrorCode.CONNECTION_LOST, failure(not));
    }

    @Test
    void messageThatIsTooBigFailsNoQuestion() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        CompletableFuture<Integer> result = ask("x");
        world.peer()
                .send("{'type':'$gap','room':'@session','data':{'epoch':'s1','offset':12," + "'reason':'too_big'}}");
        world.peer().ack(2, 12);
        world.settle();
        assertFalse(result.isDone());
        world.advance(200);
        assertEquals(12L, credits().get(credits().size() - 1).read());
        offset = 12;
        items(refOf("count"), 0, 1);
        assertEquals(List.of(0), heard.items);
    }

    @Test
    void closeFailsRequestsAndStreams() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        CompletableFuture<Integer> result = ask("x");
        world.client().close();
        world.settle();
        assertEquals(ErrorCode.CLOSED, failure(result));
        assertEquals(ErrorCode.CLOSED, heard.failure());
    }

    // ---- with a file

    private void start() {
        try {
            world.use(world.builder()
                    .outboxFile(new FileOutbox(
                            OutboxFile.open(directory.resolve("outbox"), world.time, () -> {}, new BrokenDisk()))));
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    private void restart() {
        world.client().close();
        world.settle();
        start();
    }

    @Test
    void requestIsNotSentByTheNextProcess() {
        start();
        world.connected();
        CompletableFuture<Integer> lost = ask("one");
        assertEquals(1, only("length").seq());
        var kept = world.client().send(World.SAY, new Say("kept"));
        world.settle();
        CompletableFuture<Integer> alsoLost = ask("three");
        assertEquals(3, world.peer().all("length").get(1).seq());
        restart();
        assertEquals(ErrorCode.CLOSED, failure(lost));
        assertEquals(ErrorCode.CLOSED, failure(alsoLost));
        assertTrue(kept.isDone());
        world.connected();
        assertEquals(List.of("kept*"), world.peer().says());
        assertEquals(List.of(), asked());
        var next = ask("four");
        assertFalse(next.isDone());
        assertEquals(4, only("length").seq());
    }

    @Test
    void offlineRequestIsSentOnceItsNumberIsStored() {
        start();
        CompletableFuture<Integer> result = ask("x");
        world.connected();
        assertEquals(List.of("x"), asked());
        answer("$reply", refOf("length"), ",'data':1");
        assertEquals(1, result.join());
        assertSame(ConnectionState.Status.OPEN, world.client().state().status());
    }

    @Test
    void requestThatTimesOutOnFrozenConnectionIsNotSentAgain() {
        world.connected();
        CompletableFuture<Integer> slow = world.client().request(LENGTH, "slow", SECOND);
        CompletableFuture<Integer> patient = ask("patient");
        assertEquals(List.of("slow", "patient"), asked());
        world.advance(1_000);
        assertEquals(ErrorCode.TIMEOUT, failure(slow));
        resume(0, 0);
        assertEquals(List.of("patient*"), asked());
        answer("$reply", refOf("length"), ",'data':7");
        assertEquals(7, patient.join());
    }

    @Test
    void timedOutRequestsCountUntilTheyAreAcknowledged() {
        world.inflight = 2;
        world.connected();
        CompletableFuture<Integer> first = world.client().request(LENGTH, "a", SECOND);
        CompletableFuture<Integer> second = world.client().request(LENGTH, "b", SECOND);
        CompletableFuture<Integer> third = ask("c");
        world.advance(1_000);
        assertEquals(ErrorCode.TIMEOUT, failure(first));
        assertEquals(ErrorCode.TIMEOUT, failure(second));
        assertEquals(List.of("a", "b"), asked()); // the server has them in its mailbox
        world.peer().ack(2, 0);
        world.settle();
        assertEquals(List.of("a", "b", "c"), asked());
        assertFalse(third.isDone());
    }

    @Test
    void cancelledRequestIsNotSentAndLateAnswerIsIgnored() {
        CompletableFuture<Integer> unsent = world.client().request(LENGTH, "unsent");
        assertTrue(unsent.cancel(true));
        world.connected();
        assertEquals(List.of(), asked());
        CompletableFuture<Integer> sent = ask("sent");
        assertTrue(sent.cancel(true));
        answer("$reply", refOf("length"), ",'data':4");
        resume(0, 0);
        assertEquals(List.of(), asked());
        assertTrue(sent.isCancelled());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void cancelOfRequestAfterItsAnswerIsTooLate() {
        HeldExecutor callbacks = new HeldExecutor();
        world.use(world.builder().callbackExecutor(callbacks));
        world.connected();
        CompletableFuture<Integer> asked = ask("sent");
        answer("$reply", refOf("length"), ",'data':4");
        assertFalse(asked.cancel(true));
        callbacks.runAll();
        assertEquals(4, asked.getNow(0));
    }
}
