package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.World.Say;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A message is done only when its answers are read: among them may be that it has failed. */
class ClientAnswersTest {
    private final World world = new World();

    @BeforeEach
    void connect() {
        world.acks = false;
        world.rooms = inbox(0);
        world.connected();
    }

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private static String inbox(long offset) {
        return "{'@session':{'epoch':'s1','offset':" + offset + ",'recovered':true}}";
    }

    private CompletableFuture<Void> say(String text) {
        CompletableFuture<Void> sent = world.client().send(World.SAY, new Say(text));
        world.settle();
        return sent;
    }

    private void ack(long seq, long answers) {
        world.peer().ack(seq, answers);
        world.settle();
    }

    private void error(long seq, long offset) {
        world.peer()
                .send("{'type':'$error','room':'@session','seq':" + seq + ",'offset':" + offset
                        + ",'data':{'code':'bad_data','message':'no','retryable':false}}");
        world.settle();
    }

    /** The server has processed all up to a number, and its answers follow the welcome. */
    private void resume(long seq, long answers) {
        world.resumed = true;
        world.seq = seq;
        world.answers = answers;
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(ConnectionState.Status.OPEN, world.client().state().status());
    }

    private static void assertDone(CompletableFuture<Void> sent) {
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally(), String.valueOf(sent));
    }

    private static void assertFailed(CompletableFuture<Void> sent) {
        assertTrue(sent.isDone(), String.valueOf(sent));
        Throwable failure = assertThrows(ExecutionException.class, sent::get).getCause();
        assertEquals(ErrorCode.BAD_DATA, ((RealtimeException) Objects.requireNonNull(failure)).code());
    }

    @Test
    void messageIsDoneWhenItsAnswersAreRead() {
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        ack(2, 2);
        assertFalse(first.isDone() || second.isDone());
        error(1, 1);
        assertFailed(first);
        assertFalse(second.isDone());
        error(77, 2); // about none of these
        assertDone(second);
    }

    @Test
    void messageIsDoneAtOnceWithoutAnswers() {
        CompletableFuture<Void> sent = say("one");
        ack(1, 0);
        assertDone(sent);
    }

    @Test
    void messageIsDoneAtOnceWhenItsAnswersWereReadBefore() {
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        error(1, 1);
        ack(2, 1);
        assertFailed(first);
        assertDone(second);
    }

    @Test
    void eventInTheInboxIsAnAnswerToo() {
        CompletableFuture<Void> sent = say("one");
        ack(1, 1);
        assertFalse(sent.isDone());
        world.peer().said("@session", 1, "done");
        world.settle();
        assertDone(sent);
    }

    @Test
    void newerAcknowledgementTakesThePlaceOfOneThatWaits() {
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        ack(1, 1);
        ack(2, 2);
        error(2, 1);
        assertFailed(second);
        assertFalse(first.isDone());
        error(77, 2);
        assertDone(first);
    }

    @Test
    void messageInWelcomeIsDoneAfterItsAnswers() {
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        CompletableFuture<Void> third = say("three");
        resume(2, 2);
        assertEquals(List.of("three*"), world.peer().says(), "the others are processed");
        assertFalse(first.isDone() || second.isDone());
        error(1, 1);
        assertFailed(first);
        assertFalse(second.isDone());
        world.peer().said("@session", 2, "done");
        world.settle();
        assertDone(second);
        assertFalse(third.isDone());
        ack(3, 2);
        assertDone(third);
    }

    @Test
    void lostAnswersAreAwaitedOnTheNextConnection() {
        CompletableFuture<Void> sent = say("one");
        ack(1, 1);
        resume(1, 1);
        assertFalse(sent.isDone());
        assertEquals(List.of(), world.peer().says());
        world.network.cutAll();
        world.advance(5_000);
        assertEquals(3, world.peers.size());
        assertEquals(List.of(), world.peer().says());
        error(1, 1);
        assertFailed(sent);
    }

    @Test
    void welcomeWithoutAnswersCompletesAtOnce() {
        CompletableFuture<Void> sent = say("one");
        resume(1, 0);
        assertDone(sent);
        assertEquals(List.of(), world.peer().says());
    }

    @Test
    void answersInAnInboxGapAreNotAwaited() {
        CompletableFuture<Void> sent = say("one");
        world.rooms = "{'@session':{'epoch':'s2','offset':4,'recovered':false,'reason':'trimmed'}}";
        resume(1, 4);
        assertDone(sent);
        assertEquals(1, world.gaps.size());
    }

    @Test
    void refusalInTheNextSessionFailsItsMessageOnce() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> one = say("one");
        CompletableFuture<Void> two = say("two");
        world.seq = 2;
        world.answers = 2;
        world.network.cutAll();
        world.advance(1_000);
        assertFalse(one.isDone() || two.isDone(), "the answers are not read");
        error(1, 1);
        error(1, 2);
        assertTrue(one.isCompletedExceptionally());
        assertDone(two);
        assertEquals(1, world.errors.size(), world.errors::toString);
    }
}
