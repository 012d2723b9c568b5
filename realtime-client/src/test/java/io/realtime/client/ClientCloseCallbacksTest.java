package io.realtime.client;

import static io.realtime.client.World.SAID;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.client.ConnectionState.Status;
import io.realtime.internal.wire.Protocol;
import io.realtime.testing.HeldExecutor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which answers and callbacks close waits for, also when a callback closes. */
class ClientCloseCallbacksTest extends ClientDrainFixture {
    private void serverAsks() {
        world.rooms = "{'@session':{'epoch':'s','offset':0,'recovered':true}}";
        world.connected();
        world.peer().send("{'type':'ask','ref':'q','room':'@session','offset':1,'ts':1,'data':'?'}");
        world.settle();
    }

    @Test
    void closeWaitsForPendingAnswers() {
        CompletableFuture<String> later = new CompletableFuture<>();
        world.client().onRequestAsync(ASK, question -> later);
        serverAsks();
        world.time.schedule(Duration.ofSeconds(1), () -> later.complete("late"));
        long begin = millis();
        world.client().close();
        assertTook(1_000, 20, begin);
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
    }

    /** Has two messages fill the outbox while the server acknowledges none. */
    private void fillOutbox(OutboxLimits.Overflow overflow) {
        world.use(world.builder()
                .outbox(OutboxLimits.builder().messages(2).overflow(overflow).build()));
        world.acks = false;
        world.inflight = 1;
        world.rooms = "{'@session':{'epoch':'s','offset':0,'recovered':true}}";
        world.connected();
        CompletableFuture<Void> unused = say("a");
        world.settle();
    }

    /** Has the server acknowledge all from then on. */
    private void acknowledgeIn(Duration delay) {
        world.time.schedule(delay, () -> {
            world.acks = true;
            world.peer().ack(1, 0);
        });
    }

    private void ask() {
        world.peer().send("{'type':'ask','ref':'q','room':'@session','offset':1,'ts':1,'data':'?'}");
        world.settle();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void answerThatWaitsForTheOutboxIsGiven(boolean isClose) {
        fillOutbox(OutboxLimits.Overflow.REJECT_NEW);
        CompletableFuture<Void> unused = say("b");
        world.client().onRequest(ASK, question -> "yes");
        ask();
        assertEquals(List.of(), world.peer().all(Protocol.REPLY));
        acknowledgeIn(Duration.ofSeconds(1));
        long begin = millis();
        if (isClose) {
            world.client().close();
            assertTook(1_000, 20, begin);
            world.settle();
        } else {
            world.client().disconnect();
            world.advance(1_020);
        }
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
        assertEquals(Status.CLOSED, world.client().state().status());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 500})
    void answerThatWasDroppedForNewerMessagesIsGiven(int after) {
        fillOutbox(OutboxLimits.Overflow.DROP_OLDEST);
        world.client().onRequest(ASK, question -> "yes");
        ask(); // its answer is the oldest that has not left
        world.time.schedule(Duration.ofMillis(after), () -> {
            CompletableFuture<Void> unused = say("b");
        });
        acknowledgeIn(Duration.ofSeconds(1));
        long begin = millis();
        world.client().close();
        assertTook(1_000, 20, begin);
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
    }

    @Test
    void callbackThatClosesGivesAnswersThatWaitForTheOutbox() {
        fillOutbox(OutboxLimits.Overflow.REJECT_NEW);
        CompletableFuture<Void> unused = say("b");
        world.client().onRequest(ASK, question -> "yes");
        world.client().on(SAID, message -> world.client().close());
        world.peer().send("{'type':'ask','ref':'q','room':'@session','offset':1,'ts':1,'data':'?'}");
        world.peer().said("@session", 2, "close"); // right behind it
        acknowledgeIn(Duration.ofSeconds(1));
        long begin = millis();
        world.settle();
        assertTook(1_000, 60, begin);
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
    }

    @Test
    void pendingAnswerWaitsForTheNextConnection() {
        CompletableFuture<String> later = new CompletableFuture<>();
        world.client().onRequestAsync(ASK, question -> later);
        serverAsks();
        world.resumed = true;
        world.network.cutAll();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        world.time.schedule(Duration.ofSeconds(2), () -> later.complete("late"));
        long begin = millis();
        world.client().close();
        assertTook(2_000, 20, begin);
        assertEquals(2, world.peers.size());
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
    }

    @Test
    void unhandledRequestWaitsForTheNextConnection() {
        HeldExecutor callbacks = new HeldExecutor();
        world.use(world.builder().callbackExecutor(callbacks));
        world.client().onRequest(ASK, question -> "yes");
        serverAsks();
        world.resumed = true;
        world.network.cutAll();
        world.settle();
        world.time.schedule(Duration.ofSeconds(1), () -> callbacks.runAll());
        world.time.schedule(Duration.ofMillis(1_005), () -> callbacks.runAll());
        long begin = millis();
        world.client().close();
        assertTook(1_000, 20, begin);
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
        callbacks.runAll();
    }

    @Test
    void failedHandlerDelaysNoClose() {
        world.client().onRequestAsync(ASK, question -> {
            throw new IllegalStateException("expected");
        });
        serverAsks();
        long begin = millis();
        world.client().close();
        assertTook(0, 10, begin);
        assertEquals(1, world.peer().all(Protocol.ERROR).size());
    }

    @Test
    void messageWhoseCallbackWaitsIsHandledAndAcknowledged() {
        HeldExecutor callbacks = new HeldExecutor();
        world.use(world.builder().callbackExecutor(callbacks));
        world.client().on(SAID, message -> world.heard.add(message.data().text()));
        world.rooms = "{'@user':{'epoch':'e1','offset':0,'recovered':true}}";
        world.connected();
        world.peer().said("@user", 1, "a");
        world.settle();
        assertEquals(List.of(), world.heard);
        world.time.schedule(Duration.ofSeconds(1), () -> callbacks.runAll());
        world.client().close();
        assertEquals(List.of("a"), world.heard);
        world.settle();
        assertEquals(1, world.peer().all(Protocol.ACK).size());
        callbacks.runAll();
    }

    @Test
    void callbackThatClosesDeliversMessagesAndWaitsForNoOtherCallback() {
        List<Long> took = new ArrayList<>();
        world.client().on(SAID, message -> {
            CompletableFuture<Void> unused = say("last");
            long begin = millis();
            world.client().close();
            took.add(millis() - begin);
        });
        world.placeIn("r");
        world.connected();
        world.peer().said("r", 1, "close");
        world.settle();
        assertEquals(1, took.size());
        assertTrue(took.get(0) < 100, took.toString());
        assertEquals(List.of("last"), world.peer().says());
    }

    /** Asks for a stream whose listener runs on an executor of its own, and has one item arrive. */
    private void streamOneItem(Consumer<String> onItem, Executor own) {
        world.rooms = "{'@session':{'epoch':'s','offset':0,'recovered':true}}";
        world.connected();
        world.client().stream(StreamRequest.of("count", String.class, String.class), "?", onItem::accept, own);
        world.settle();
        String ref = world.peer().all("count").get(0).ref();
        world.peer()
                .send("{'type':'$next','ref':'" + ref
                        + "','room':'@session','offset':1,'index':0,'ts':1,'data':'one'}");
        world.settle();
    }

    @Test
    void itemsThatWaitForTheirOwnExecutorAreHandedOver() {
        HeldExecutor own = new HeldExecutor();
        streamOneItem(
                item -> {
                    CompletableFuture<Void> unused = say(item);
                },
                own);
        world.time.schedule(Duration.ofSeconds(1), () -> own.runAll());
        long begin = millis();
        world.client().close();
        assertTook(1_000, 20, begin);
        assertEquals(List.of("one"), world.peer().says());
        own.runAll();
    }

    @Test
    void listenerThatDoesNotRunIsWaitedForAsLongAsTheGrace() {
        HeldExecutor own = new HeldExecutor();
        streamOneItem(item -> {}, own);
        long begin = millis();
        world.client().close(Duration.ofSeconds(2));
        assertTook(2_000, 20, begin);
        own.runAll();
    }

    @Test
    void messagesSentByStreamListenersDuringDisconnectAreDelivered() {
        HeldExecutor own = new HeldExecutor();
        streamOneItem(
                item -> {
                    CompletableFuture<Void> unused = say(item);
                },
                own);
        world.acks = false;
        CompletableFuture<Void> unused = say("a");
        world.client().disconnect();
        world.advance(100);
        own.runAll();
        world.settle();
        assertTrue(world.client().isConnected());
        assertEquals(List.of("a", "one"), world.peer().says());
        world.peer().ack(3, 0);
        world.settle();
        assertEquals(Status.CLOSED, world.client().state().status());
        own.runAll();
    }

    @Test
    void listenerOnItsOwnExecutorThatClosesDoesNotWaitForItself() {
        List<Long> took = new ArrayList<>();
        HeldExecutor own = new HeldExecutor();
        streamOneItem(
                item -> {
                    CompletableFuture<Void> unused = say("last");
                    long begin = millis();
                    world.client().close();
                    took.add(millis() - begin);
                },
                own);
        own.runAll();
        assertEquals(1, took.size());
        assertTrue(took.get(0) < 100, took.toString());
        assertEquals(List.of("last"), world.peer().says());
    }

    @Test
    void handlerThatClosesDoesNotWaitForItsOwnAnswer() {
        List<Long> took = new ArrayList<>();
        world.client().onRequest(ASK, question -> {
            CompletableFuture<Void> unused = say("last");
            long begin = millis();
            world.client().close();
            took.add(millis() - begin);
            return "too late";
        });
        serverAsks();
        assertEquals(1, took.size());
        assertTrue(took.get(0) < 100, took.toString());
        assertEquals(List.of("last"), world.peer().says());
        assertEquals(List.of(), world.peer().all(Protocol.REPLY));
    }

    @Test
    void handlerThatClosesWaitsForTheAnswersOfOthers() {
        CompletableFuture<String> later = new CompletableFuture<>();
        world.client().onRequestAsync(ASK, question -> later);
        serverAsks();
        List<Long> took = new ArrayList<>();
        world.client().onRequest(Request.of("close", String.class, String.class), question -> {
            long begin = millis();
            world.time.schedule(Duration.ofSeconds(1), () -> later.complete("late"));
            world.client().close();
            took.add(millis() - begin);
            return "too late";
        });
        world.peer().send("{'type':'close','ref':'r','room':'@session','offset':2,'ts':1,'data':'?'}");
        world.settle();
        assertEquals(1, took.size());
        assertTrue(took.get(0) >= 1_000 && took.get(0) < 1_100, took.toString());
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
    }

    @Test
    void handlerThatDisconnectsGivesItsAnswerBefore() {
        world.client().onRequest(ASK, question -> {
            world.client().disconnect();
            return "in time";
        });
        serverAsks();
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
        assertEquals(Status.CLOSED, world.client().state().status());
    }
}
