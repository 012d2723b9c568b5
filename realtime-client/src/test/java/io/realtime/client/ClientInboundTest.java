package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.client.World.Say;
import io.realtime.client.internal.call.PendingAnswers;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.testing.HeldExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What waits for a slow application is bounded, whatever it is. */
class ClientInboundTest {
    private static final int BYTES = 64 << 10;
    private static final int MOST = BYTES / CallbackDispatcher.OVERHEAD;
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private static final StreamRequest<String, String> WATCH = StreamRequest.of("watch", String.class, String.class);

    private final World world = new World();
    private final HeldExecutor waiting = new HeldExecutor(); // for a thread of the application's

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    /** Nothing of the application's runs until {@code waiting} runs it. */
    private World.Peer busy() {
        world.rooms = "{'@session':{'epoch':'s1','offset':0,'recovered':true}}";
        world.use(world.builder().messageBytes(16 << 10).inboundBytes(BYTES).callbackExecutor(waiting));
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.connected();
        return world.peer();
    }

    private void assertComesBack(World.Peer cut, HeldExecutor tasks) {
        assertEquals(CloseReason.SLOW_CONSUMER, cut.closed == null ? 0 : cut.closed.code());
        tasks.runAll();
        world.resumed = true;
        world.advance(60_000);
        assertTrue(world.client().isConnected());
        world.peer().send("{'type':'chat.said','data':{'text':'again'}}");
        world.settle();
        waiting.runAll();
        assertEquals(List.of("again"), world.heard);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'$error','data':{'code':'internal','message':'no','retryable':false}}",
                "{'type':'$gap','room':'@all','data':{'epoch':'e1','offset':3,'reason':'trimmed'}}",
                "{'type':'ask','room':'@session','ref':'q1','data':'?'}",
                "{'type':'chat.said','data':{'text':'x'}}",
            })
    void framesThatWaitForCallbacksAreBounded(String frame) {
        World.Peer peer = busy();
        for (int i = 0; i < 2 * MOST; i++) {
            peer.send(frame);
            world.settle();
        }
        assertEquals(CloseReason.SLOW_CONSUMER, peer.closed == null ? 0 : peer.closed.code());
        waiting.runAll();
        int told = world.errors.size() + world.gaps.size() + world.heard.size();
        assertTrue(told < MOST, told + " of at most " + MOST);
        world.heard.clear();
        assertComesBack(peer, waiting);
    }

    @Test
    void framesWithoutCallbacksAreNotCounted() {
        World.Peer peer = busy();
        for (int i = 0; i < 2 * MOST; i++) {
            peer.send("{'type':'$ping','data':1}");
            peer.send("{'type':'$ack','data':{'seq':0}}");
            world.settle();
        }
        assertNull(peer.closed);
        assertEquals(2 * MOST, peer.all(Protocol.PONG).size());
    }

    @Test
    void handledFramesAreNotCounted() {
        World.Peer peer = busy();
        peer.said("@session", 1, "once");
        world.settle();
        for (int i = 0; i < 2 * MOST; i++) {
            peer.said("@session", 1, "once");
            world.settle();
        }
        assertNull(peer.closed);
        waiting.runAll();
        assertEquals(List.of("once"), world.heard);
    }

    /** A server that speaks nonsense now and then may do so for ever. */
    @Test
    void reportedMalformedFramesAreNotCounted() {
        World.Peer peer = busy();
        String nonsense = "{'type':'$gap','data':'" + "x".repeat(10_000) + "'}";
        for (int i = 0; i < 20; i++) {
            peer.send(nonsense);
            world.settle();
            waiting.runAll();
            world.advance(30_000);
        }
        assertNull(peer.closed);
        assertEquals(20, world.errors.size());
    }

    /** What has been handed over is subtracted once. */
    @Test
    void boundIsTheSameAfterManyMessages() {
        world.onHello = peer -> {
            for (int i = 0; i < 100; i++) {
                peer.send("{'type':'$ping','data':1}");
            }
            peer.welcome();
        };
        World.Peer peer = busy();
        int before = 0;
        for (int i = 1; i <= 1_000; i++) {
            peer.said("@session", i, "m");
            world.settle();
            waiting.runAll();
            before = i;
        }
        world.heard.clear();
        for (int i = 1; i <= 2 * MOST && peer.closed == null; i++) {
            peer.said("@session", before + i, "m");
            world.settle();
        }
        assertEquals(CloseReason.SLOW_CONSUMER, peer.closed == null ? 0 : peer.closed.code());
        waiting.runAll();
        int most = BYTES / (CallbackDispatcher.OVERHEAD + 90); // the frame has some 90 characters
        assertTrue(Math.abs(world.heard.size() - most) < 20, world.heard.size() + " instead of " + most);
    }

    @Test
    void itemsThatWaitForAnExecutorOfTheirOwnAreBounded() {
        world.rooms = "{'@session':{'epoch':'s1','offset':0,'recovered':true}}";
        world.use(world.builder().messageBytes(16 << 10).inboundBytes(BYTES));
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.connected();
        int[] items = new int[1];
        var unused = world.client().stream(WATCH, "all", (String item) -> items[0]++, waiting);
        world.settle();
        Envelope question = world.peer().all("watch").get(0);
        for (int i = 0; i < 60; i++) {
            world.peer()
                    .send("{'type':'$next','room':'@session','ref':'" + question.ref() + "','index':" + i + ",'offset':"
                            + (i + 1) + ",'data':'" + "x".repeat(4_000) + "'}");
            world.settle();
        }
        assertComesBack(world.peers.get(0), waiting);
        assertTrue(items[0] > 10 && items[0] <= BYTES / 4_000, items[0] + " items");
    }

    @Test
    void answersThatWaitForTheOutboxAreBounded() {
        world.acks = false;
        world.connected();
        world.client().onRequest(ASK, question -> question);
        for (int i = 0; i < 1_000; i++) {
            CompletableFuture<Void> unused = world.client().send(World.SAY, new Say("fills the outbox"));
        }
        world.settle();
        for (int i = 0; i < 3_000; i++) {
            world.peer().send("{'type':'ask','ref':'q" + i + "','data':'?'}");
            if (i % 100 == 0) {
                world.settle();
            }
        }
        world.settle();
        assertEquals(3_000 - PendingAnswers.MOST, world.errors.size());
        world.errors.forEach(error -> assertEquals(ErrorCode.OVERLOADED, ((RealtimeException) error).code()));
        world.acks = true;
        for (int i = 0; i < 10; i++) {
            List<Envelope> frames = new ArrayList<>(world.peer().frames);
            world.peer().ack(frames.get(frames.size() - 1).seq(), 0);
            world.settle();
        }
        assertEquals(PendingAnswers.MOST, world.peer().all(Protocol.REPLY).size());
    }

    @Test
    void longAnswersThatWaitForTheOutboxAreBounded() {
        world.acks = false;
        world.connected();
        String answer = "x".repeat(60_000);
        world.client().onRequest(ASK, question -> answer);
        for (int i = 0; i < 1_000; i++) {
            CompletableFuture<Void> unused = world.client().send(World.SAY, new Say("fills the outbox"));
        }
        world.settle();
        for (int i = 0; i < 200; i++) {
            world.peer().send("{'type':'ask','ref':'q" + i + "','data':'?'}");
            world.settle();
        }
        int kept = 200 - world.errors.size();
        assertTrue(kept > 0 && kept <= PendingAnswers.MOST_BYTES / 60_000, kept + " are kept");
    }
}
