package io.realtime.client;

import static io.realtime.client.World.SAID;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.HistoryQuery;
import io.realtime.StreamRequest;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.World.Say;
import io.realtime.testing.HeldExecutor;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What disconnect delivers before it disconnects, and what a connect meanwhile does. */
class ClientDisconnectTest extends ClientDrainFixture {
    @Test
    void disconnectEndsWhenTheAttemptItWaitedForFails() {
        world.network.refuseConnections(true);
        CompletableFuture<Void> unused = world.client().connect();
        world.advance(20_000);
        CompletableFuture<Void> sent = say("a");
        world.network.latency(Duration.ofSeconds(1));
        world.client().reconnectNow();
        world.settle();
        assertEquals(Status.CONNECTING, world.client().state().status());
        world.client().disconnect(Duration.ofSeconds(10));
        world.advance(3_000);
        assertEquals(Status.CLOSED, world.client().state().status(), "the next attempt is due later");
        assertFalse(sent.isDone());
    }

    @Test
    void disconnectReturnsAtOnceAndDeliversBefore() throws Exception {
        CompletableFuture<Void> sent = sayInVain();
        world.client().disconnect();
        world.settle();
        assertTrue(world.client().isConnected());
        assertEquals(List.of("a"), world.peer().says());
        world.peer().ack(1, 0);
        world.settle();
        sent.get();
        assertEquals(Status.CLOSED, world.client().state().status());
    }

    @Test
    void disconnectEndsWithItsGraceAndKeepsWhatWaits() {
        CompletableFuture<Void> sent = sayInVain();
        world.client().disconnect();
        world.advance(4_900);
        assertTrue(world.client().isConnected());
        world.advance(200);
        assertEquals(Status.CLOSED, world.client().state().status());
        assertFalse(sent.isDone());
    }

    @Test
    void laterDisconnectShortensGraceAndDoesNotLengthenIt() {
        CompletableFuture<Void> unused = sayInVain();
        world.client().disconnect(Duration.ofSeconds(2));
        world.client().disconnect(Duration.ofSeconds(10));
        world.advance(1_900);
        assertTrue(world.client().isConnected());
        world.advance(200);
        assertEquals(Status.CLOSED, world.client().state().status());
        world.connected();
        world.client().disconnect(Duration.ofSeconds(2));
        world.client().disconnect(Duration.ZERO);
        world.settle();
        assertEquals(Status.CLOSED, world.client().state().status());
    }

    @ParameterizedTest
    @CsvSource({"2000, 10000, 2000", "10000, 2000, 2100", "2000, 1900, 2000"})
    void disconnectThatBeganIsShortenedAndNotLengthened(long first, long second, long endsAfter) {
        CompletableFuture<Void> unused = sayInVain();
        long begin = millis();
        world.client().disconnect(Duration.ofMillis(first));
        world.advance(100);
        world.client().disconnect(Duration.ofMillis(second));
        while (world.client().isConnected()) {
            world.advance(1);
        }
        assertTook(endsAfter, 1, begin);
    }

    @Test
    void connectDuringDisconnectGetsTheNextConnection() throws Exception {
        CompletableFuture<Void> unused = sayInVain();
        world.client().disconnect();
        CompletableFuture<Void> again = world.client().connect();
        world.settle();
        assertFalse(again.isDone());
        assertEquals(1, world.peers.size());
        world.peer().ack(1, 0);
        world.settle();
        again.get();
        assertEquals(2, world.peers.size());
        assertEquals(List.of("CONNECTING", "OPEN", "CLOSED", "CONNECTING", "OPEN"), world.statuses());
    }

    @Test
    void connectDuringDisconnectSurvivesTheOldConnection() throws Exception {
        CompletableFuture<Void> unused = sayInVain();
        world.client().disconnect();
        CompletableFuture<Void> again = world.client().connect();
        world.settle();
        world.peer().close(CloseReason.KICKED);
        world.settle();
        again.get();
        assertEquals(2, world.peers.size());
        assertTrue(world.client().isConnected());
    }

    @Test
    void disconnectOverridesAnEarlierConnect() {
        CompletableFuture<Void> unused = sayInVain();
        world.client().disconnect();
        CompletableFuture<Void> again = world.client().connect();
        world.client().disconnect();
        world.settle();
        ExecutionException failure = assertThrows(ExecutionException.class, again::get);
        assertInstanceOf(ConnectionException.class, failure.getCause());
        world.advance(6_000);
        assertEquals(Status.CLOSED, world.client().state().status());
        assertEquals(1, world.peers.size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"time", "cancel", "reconnect"})
    void unobservedConnectDuringDisconnectConnects(String how) {
        CompletableFuture<Void> unused = sayInVain();
        world.client().disconnect(Duration.ofSeconds(2));
        CompletableFuture<Void> again = how.equals("time")
                ? world.client().connect(Duration.ofMillis(500))
                : world.client().connect();
        world.advance(600);
        if (!how.equals("time")) {
            assertTrue(again.cancel(true));
        }
        assertTrue(again.isCompletedExceptionally());
        if (how.equals("reconnect")) { // the server's end of the connection is not the end of the wish
            world.peer().close(CloseReason.KICKED);
        }
        world.advance(2_000);
        assertEquals(2, world.peers.size());
        assertTrue(world.client().isConnected());
    }

    @Test
    void disconnectEndsAnUnobservedConnect() {
        CompletableFuture<Void> unused = sayInVain();
        world.client().disconnect(Duration.ofSeconds(2));
        assertTrue(world.client().connect().cancel(true));
        world.advance(100);
        world.client().disconnect();
        world.advance(6_000);
        assertEquals(1, world.peers.size());
        assertEquals(Status.CLOSED, world.client().state().status());
    }

    @ParameterizedTest
    @ValueSource(strings = {"send", "ephemeral", "join", "leave", "history", "request", "stream"})
    void requestsAfterDisconnectWaitForTheNextConnection(String what) {
        CompletableFuture<Void> unused = sayInVain();
        world.settle();
        World.Peer first = world.peer();
        int before = first.frames.size();
        world.client().disconnect();
        Object asked = switch (what) {
            case "send" -> say("b");
            case "ephemeral" -> world.client().send(World.TYPING, new Say("b"));
            case "join" -> world.client().room("r").join();
            case "leave" -> world.client().room("r").leave();
            case "history" -> world.client().room("r").history(HistoryQuery.newest(1));
            case "request" -> world.client().request(ASK, "b");
            default -> world.client().stream(StreamRequest.of("count", String.class, String.class), "b", item -> {});
        };
        world.settle();
        assertEquals(Status.CLOSED, world.client().state().status(), () -> asked.toString());
        assertEquals(before, first.frames.size());
    }

    @Test
    void messagesSentByCallbacksDuringDisconnectAreDelivered() {
        HeldExecutor callbacks = new HeldExecutor();
        world.use(world.builder().callbackExecutor(callbacks));
        world.client().on(SAID, message -> {
            CompletableFuture<Void> unused = say("in reply");
        });
        world.placeIn("r");
        world.connected();
        world.peer().said("r", 1, "a");
        world.settle();
        world.client().disconnect();
        world.advance(100);
        callbacks.runAll();
        world.settle();
        assertEquals(List.of("in reply"), world.peer().says());
        assertEquals(Status.CLOSED, world.client().state().status());
        callbacks.runAll();
    }

    @Test
    void clientThatIsDisconnectedTwiceConnectsAgain() {
        world.connected();
        world.client().disconnect();
        world.settle();
        world.client().disconnect();
        world.settle();
        world.connected();
    }

    @Test
    void connectDuringDisconnectFailsAtClose() {
        CompletableFuture<Void> unused = sayInVain();
        world.client().disconnect();
        CompletableFuture<Void> again = world.client().connect();
        world.client().close(Duration.ZERO);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(again));
    }
}
