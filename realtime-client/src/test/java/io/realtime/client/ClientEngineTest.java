package io.realtime.client;

import static io.realtime.client.World.SAY;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Heartbeat;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How a connection begins, what is believed of a peer, and what each end leaves behind. */
class ClientEngineTest {
    private final World world = new World();

    @AfterEach
    void close() {
        world.close();
    }

    // ---- a connection begins

    @Test
    void transportThatThrowsIsTriedAgain() {
        ClientTransport working = world.network.clientTransport();
        AtomicInteger attempts = new AtomicInteger();
        world.use(world.builder().transport((target, callback) -> {
            if (attempts.incrementAndGet() == 1) {
                throw new IllegalStateException("no socket");
            }
            return working.connect(target, callback);
        }));
        CompletableFuture<Void> connected = world.client().connect();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        world.advance(1_000);
        assertTrue(connected.isDone());
        assertEquals(2, attempts.get());
    }

    @Test
    void tokenThatFitsInNoHelloIsReportedAndAskedForAgain() {
        List<String> tokens = new ArrayList<>(List.of("x".repeat(40_000), "short"));
        world.use(world.builder()
                .outboundBytes(32 * 1024)
                .token(() -> CompletableFuture.completedFuture(tokens.remove(0))));
        CompletableFuture<Void> connected = world.client().connect();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        RealtimeException told = assertInstanceOf(RealtimeException.class, world.errors.get(0));
        assertEquals(ErrorCode.TOO_BIG, told.code());
        world.advance(1_000);
        assertTrue(connected.isDone());
        assertEquals(List.of(), tokens);
    }

    @Test
    void tokenRefusedTwiceClosesTheClientWithTheServersReason() {
        world.onHello = peer -> peer.connection.close(new CloseReason(CloseReason.UNAUTHORIZED, "expired on Monday"));
        world.use(world.builder().token(() -> CompletableFuture.completedFuture("t")));
        CompletableFuture<Void> connected = world.client().connect();
        world.advance(10_000);
        ExecutionException failure = assertThrows(ExecutionException.class, connected::get);
        assertTrue(
                String.valueOf(failure.getMessage()).contains("there is no other: expired on Monday"),
                () -> String.valueOf(failure));
    }

    @Test
    void deadlineOfConnectEndsWithItsConnection() throws Exception {
        CompletableFuture<Void> connected = world.client().connect(Duration.ofDays(1));
        world.settle();
        connected.get(); // nothing may be left of it when the world closes
    }

    @Test
    void serverMayPingBeforeItsWelcome() {
        world.onHello = peer -> {
            peer.send("{'type':'$ping','data':7}");
            peer.welcome();
        };
        world.connected();
        assertEquals(1, world.peer().all(Protocol.PONG).size());
    }

    @Test
    void connectThatFindsAConnectionLeavesNoDeadline() throws Exception {
        world.connected();
        CompletableFuture<Void> again = world.client().connect(Duration.ofDays(1));
        world.settle();
        again.get();
        assertTrue(world.time.pending() < 10, world.time.pending() + " tasks");
    }

    /** The attempt that the new one replaces must not become a second connection. */
    @Test
    void attemptOnTheOldNetworkEndsWhenTheNetworkChanges() {
        world.network.latency(Duration.ofSeconds(1));
        CompletableFuture<Void> connected = world.client().connect();
        world.advance(100);
        world.client().networkChanged();
        world.advance(20_000);
        assertTrue(connected.isDone());
        long open = world.peers.stream().filter(peer -> peer.closed == null).count();
        assertEquals(1, open);
        assertEquals(1, world.peers.size(), "the first attempt was cancelled before the server heard of it");
    }

    @Test
    void connectionOfAnAttemptThatWasGivenUpIsCut() {
        ClientTransport real = world.network.clientTransport();
        world.use(world.builder().transport((target, callback) -> {
            Scheduler.Cancellable unused = real.connect(target, callback);
            return () -> {}; // it was about to tell of its connection
        }));
        world.network.latency(Duration.ofSeconds(1));
        CompletableFuture<Void> connected = world.client().connect();
        world.advance(100);
        world.client().networkChanged();
        world.advance(20_000);
        assertTrue(connected.isDone());
        assertEquals(2, world.peers.size());
        assertEquals(
                CloseReason.ABNORMAL,
                Objects.requireNonNull(world.peers.get(0).closed).code());
        assertEquals(List.of(), world.peers.get(0).frames);
    }

    /** A frame's header takes of the connection's bound too. */
    @Test
    void helloMayFillTheConnectionAndOneByteMoreIsReported() {
        int most = 32 * 1024;
        List<String> tokens = new ArrayList<>(List.of("t"));
        world.use(world.builder().outboundBytes(most).token(() -> CompletableFuture.completedFuture(tokens.remove(0))));
        world.onHello = peer -> peer.close(CloseReason.GOING_AWAY);
        CompletableFuture<Void> connected = world.client().connect();
        world.settle();
        int without = MessageBatch.of(WireMessage.text(
                                new byte[world.peer().frames.get(0).length()]))
                        .bytes()
                - 1;
        tokens.add("t".repeat(most - without + 1));
        tokens.add("t".repeat(most - without));
        world.onHello = World.Peer::welcome;
        world.advance(5_000);
        assertEquals(1, world.errors.size());
        assertTrue(
                String.valueOf(world.errors.get(0).getMessage()).startsWith("$hello with its token has "),
                () -> world.errors.toString());
        assertTrue(connected.isDone());
        assertEquals(most - 4, world.peer().frames.get(0).length());
    }

    @Test
    void helloNamesAsManyPlacesAsFitInIt() {
        world.use(world.builder().token("t".repeat(4_000)));
        world.connected();
        assertNull(world.peer().hello().partial());
        for (int i = 0; i < 250; i++) {
            CompletableFuture<JoinResult> unused =
                    world.client().room("r".repeat(100) + i).join();
        }
        world.advance(1_000);
        world.network.cutAll();
        world.advance(5_000);
        assertEquals(2, world.peers.size());
        int length = world.peer().frames.get(0).length();
        assertTrue(length <= Protocol.MOST_HELLO_BYTES && length > Protocol.MOST_HELLO_BYTES / 2, length + " bytes");
        assertEquals(true, world.peer().hello().partial());
    }

    @Test
    void helloThatIsTooBigForServerIsFollowedByShorterOne() {
        world.placeIn("@session", "r");
        world.connected();
        world.onHello = peer -> {
            if (Objects.requireNonNull(peer.hello().positions()).containsKey("r")) {
                peer.close(CloseReason.TOO_BIG);
            } else {
                peer.welcome();
            }
        };
        world.network.cutAll();
        world.advance(5_000);
        assertEquals(Status.OPEN, world.client().state().status());
        assertEquals(
                Map.of("@session", new Position("e1", 0)), world.peer().hello().positions());
        assertEquals(true, world.peer().hello().partial());
        world.onHello = World.Peer::welcome;
        world.network.cutAll();
        world.advance(5_000);
        assertTrue(Objects.requireNonNull(world.peer().hello().positions()).containsKey("r"));
    }

    // ---- a connection ends

    @Test
    void serverErrorIsRetriedWithBackoff() {
        world.spreadMs = 600_000;
        world.connected();
        world.peer().close(CloseReason.INTERNAL_ERROR);
        world.advance(2_000);
        assertEquals(Status.OPEN, world.client().state().status());
        world.peer().close(CloseReason.GOING_AWAY);
        world.advance(2_000);
        assertEquals(Status.WAITING, world.client().state().status(), "many clients have lost this one");
        world.advance(600_000);
        assertEquals(Status.OPEN, world.client().state().status());
    }

    /** Some hop takes shorter frames than the server. */
    @Test
    void questionThatIsTooBigForAHopIsAskedInParts() {
        world.connected();
        List<CompletableFuture<JoinResult>> joined = new ArrayList<>();
        for (int i = 0; i < 150; i++) {
            joined.add(world.client().room("r".repeat(100) + i).join());
        }
        world.advance(1_000);
        joined.forEach(one -> assertTrue(one.isDone()));
        world.answersJoins = false;
        List<Integer> lengths = new ArrayList<>();
        world.network.cutAll();
        for (int i = 0; i < 20; i++) {
            world.advance(60_000);
            World.Peer peer = world.peer();
            List<Envelope> questions = peer.all(Protocol.REJOIN);
            if (questions.isEmpty()) {
                break;
            }
            int longest = questions.stream().mapToInt(Envelope::length).max().orElse(0);
            lengths.add(longest);
            if (longest > 3_000) {
                peer.close(CloseReason.TOO_BIG);
            } else {
                world.answersJoins = true;
                questions.forEach(peer::reply);
                break;
            }
        }
        world.advance(60_000);
        assertTrue(lengths.get(0) > 10_000 && lengths.get(lengths.size() - 1) <= 3_000, lengths::toString);
        int rooms = world.peer().all(Protocol.REJOIN).stream()
                .mapToInt(question -> world.peer().rejoined(question).size())
                .sum();
        assertEquals(150, rooms);
    }

    @Test
    void disconnectWaitsForTheNextAttemptIfThatComesInTime() {
        world.advance(3_600_000); // whatever the clock says
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = world.client().send(SAY, new Say("a"));
        world.settle();
        world.acks = true;
        world.network.cutAll();
        world.client().close(Duration.ofSeconds(5));
        world.settle();
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally(), String.valueOf(sent));
    }

    @Test
    void streamHearsOfTheClose() {
        StreamRequest<String, String> items = StreamRequest.of("items", String.class, String.class);
        List<Throwable> ends = new ArrayList<>();
        world.connected();
        var stream = world.client().stream(items, "q", new StreamListener<String>() {
            @Override
            public void onItem(String item) {}

            @Override
            public void onEnd() {}

            @Override
            public void onError(Throwable failure) {
                ends.add(failure);
            }
        });
        world.settle();
        assertEquals(1, world.peer().all("items").size(), "it was acknowledged");
        world.client().close(Duration.ZERO);
        world.settle();
        assertEquals(1, ends.size());
        assertEquals(
                ErrorCode.CLOSED,
                assertInstanceOf(RealtimeException.class, ends.get(0)).code());
        stream.close();
    }

    // ---- what is believed of a peer

    @Test
    void frameThatCannotBeDeliveredIsNotRequestedAgain() {
        world.placeIn("@session");
        world.connected();
        world.peer().send("{'type':'$credit','room':'@session','offset':1,'data':'what?'}");
        world.settle();
        assertEquals(1, world.errors.size());
        world.network.cutAll();
        world.advance(1_000);
        Map<String, Position> positions = world.peer().hello().positions();
        assertNotNull(positions);
        assertEquals(new Position("e1", 1), positions.get("@session"));
    }

    @Test
    void malformedFramesOfOneMinuteAreCountedTogether() {
        world.connected();
        for (int connection = 1; connection <= 2; connection++) {
            boolean isLater = connection == 1;
            for (int i = 0; i < 9; i++) {
                world.peer().send("{'type':'$gap','data':7}");
            }
            world.advance(60_000);
            if (isLater) {
                world.time.advance(Duration.ofNanos(1));
            }
            world.peer().send("{'type':'$gap','data':7}");
            world.settle();
            assertEquals(
                    isLater ? Status.OPEN : Status.WAITING,
                    world.client().state().status());
            if (isLater) {
                world.network.cutAll();
                world.advance(5_000);
            }
        }
    }

    @Test
    void goodbyeBeforeTheWelcomeSpreadsTheReturnToo() {
        world.onHello = peer -> {
            peer.send("{'type':'$goodbye','data':{'retry':{'minMs':1000,'maxMs':5000}}}");
            peer.close(CloseReason.DRAINING);
        };
        CompletableFuture<Void> unused = world.client().connect();
        world.settle();
        assertEquals(3_000, world.lastState().delay().toMillis());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void framesBeforeTheWelcomeAreMalformed() {
        world.onHello = peer -> {
            peer.send("{'type':'$ack','data':{'seq':1}}");
            peer.welcome();
        };
        world.connected();
        assertEquals(1, world.errors.size());
        assertEquals(
                "the server sent '$ack' before its welcome", world.errors.get(0).getMessage());
    }

    @Test
    void secondWelcomeIsMalformedAndUnknownFramesAreNot() {
        world.connected();
        world.peer().send("{'type':'$later','data':7}");
        world.settle();
        assertEquals(List.of(), world.errors);
        world.peer().welcome();
        world.settle();
        assertEquals(1, world.errors.size());
        assertEquals("the server sent a second welcome", world.errors.get(0).getMessage());
        assertEquals(Status.OPEN, world.client().state().status());
    }

    @Test
    void welcomeWithARoomInNoPlaceOpensNoSession() {
        world.rooms = "{'r':{'offset':0,'recovered':false}}";
        CompletableFuture<Void> connected = world.client().connect();
        world.settle();
        assertEquals(CloseReason.PROTOCOL_ERROR, lossCode());
        assertEquals(
                "the server named no place in room 'r'", world.errors.get(0).getMessage());
        assertFalse(world.statuses().contains("OPEN"));
        world.rooms = "{}";
        world.advance(5_000);
        assertTrue(connected.isDone());
    }

    @Test
    void smallestServerLimitsAreObeyed() {
        world.acks = false;
        world.inflightBytes = 1;
        world.connected();
        CompletableFuture<Void> first = world.client().send(SAY, new Say("a"));
        CompletableFuture<Void> second = world.client().send(SAY, new Say("b"));
        world.settle();
        assertEquals(List.of("a"), world.peer().says());
        world.messageBytes = 1;
        world.network.cutAll();
        world.advance(5_000);
        assertTrue(first.isCompletedExceptionally() && second.isCompletedExceptionally());
    }

    @Test
    void tooManyMalformedFramesInAMinuteEndTheConnection() {
        world.advance(3_600_000);
        world.connected();
        for (int i = 0; i < 9; i++) {
            world.peer().send("{'type':'$gap','data':7}");
        }
        world.settle();
        assertEquals(Status.OPEN, world.client().state().status());
        RealtimeException told = assertInstanceOf(RealtimeException.class, world.errors.get(8));
        assertEquals(ErrorCode.BAD_DATA, told.code());
        world.peer().send("{'type':'$joined','data':{}}");
        world.settle();
        RealtimeException last = assertInstanceOf(RealtimeException.class, world.errors.get(9));
        assertEquals(ErrorCode.BAD_MESSAGE, last.code());
        assertEquals("the server sent '$joined' without a room", last.getMessage());
        assertEquals(CloseReason.PROTOCOL_ERROR, lossCode());
    }

    @Test
    void occasionalMalformedMessagesAreTolerated() {
        world.connected();
        for (int i = 0; i < 30; i++) {
            world.peer().send("{'type':'$gap','data':7}");
            world.advance(30_000);
            world.peer().send("{'type':'$ping'}");
            world.advance(30_001);
        }
        assertEquals(30, world.errors.size());
        assertEquals(1, world.peers.size());
    }

    /** With the server's, silence is a loss after its timeout; else after the client's own, 20 s. */
    @ParameterizedTest
    @CsvSource({
        "10000,  40000, 40000",
        "1,      40000, 40000",
        "0,      40000, 20000",
        "-1,     40000, 20000",
        "40000,  40001, 40001",
        "40000,  40000, 20000",
        "50000,  40000, 20000",
        "30000,  3600000, 3600000",
        "30000,  3600001, 20000"
    })
    void plausibleServerHeartbeatIsUsed(long interval, long timeout, long lostAfter) {
        world.onHello = peer -> peer.send("{'type':'$welcome','data':{'session':'s','resumed':false,'seq':0,"
                + "'answers':0,'known':false,'rooms':{},'heartbeat':{'intervalMs':" + interval
                + ",'timeoutMs':" + timeout + "}}}");
        world.use(world.builder().heartbeat(new Heartbeat(Duration.ofSeconds(10), Duration.ofSeconds(20))));
        world.connected();
        world.network.pause(world.server, Duration.ofMillis(2 * lostAfter)); // nothing arrives
        world.advance(lostAfter - 500);
        assertEquals(Status.OPEN, world.client().state().status());
        world.advance(lostAfter);
        assertEquals(CloseReason.HEARTBEAT_TIMEOUT, lossCode());
        world.client().close(Duration.ZERO);
        world.advance(lostAfter);
    }

    private int lossCode() {
        return world.states.stream()
                .map(ConnectionState::reason)
                .filter(reason -> reason != null)
                .findFirst()
                .map(CloseReason::code)
                .orElse(0);
    }
}
