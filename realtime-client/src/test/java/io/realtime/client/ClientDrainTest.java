package io.realtime.client;

import static io.realtime.client.World.SAID;
import static io.realtime.client.World.SAY;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A client that disconnects or closes delivers before what was asked of it. */
class ClientDrainTest {
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private final World world = new World();

    @AfterEach
    void close() {
        world.close();
    }

    private CompletableFuture<Void> say(String text) {
        return world.client().send(SAY, new Say(text));
    }

    /** Connects and sends a message that the server does not acknowledge. */
    private CompletableFuture<Void> sayInVain() {
        world.acks = false;
        world.connected();
        return say("a");
    }

    private long millis() {
        return world.time.nanoTime() / 1_000_000;
    }

    private void assertTook(long expected, long more, long begin) {
        long took = millis() - begin;
        assertTrue(took >= expected && took <= expected + more, took + " ms");
    }

    private static ErrorCode code(CompletableFuture<?> failed) {
        ExecutionException failure = assertThrows(ExecutionException.class, failed::get);
        return assertInstanceOf(RealtimeException.class, failure.getCause()).code();
    }

    private static List<String> types(World.Peer peer) {
        return peer.frames.stream().map(Envelope::type).toList();
    }

    @Test
    void closeDeliversWhatWasSentBeforeTheConnectionWasThere() throws Exception {
        CompletableFuture<Void> connected = world.client().connect();
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        CompletableFuture<Void> sent = world.client().room("r").send(SAY, new Say("a"));
        world.client().close();
        world.settle();
        assertEquals(List.of(Protocol.HELLO, Protocol.JOIN, "chat.say"), types(world.peer()));
        connected.get();
        assertEquals(3, joined.get().members());
        sent.get();
        assertEquals(List.of(), world.dropped);
        assertTrue(millis() < 1_000, "as soon as all is delivered");
    }

    @Test
    void whatIsNotDeliveredInTimeIsNamed() {
        CompletableFuture<Void> sent = sayInVain();
        long begin = millis();
        world.client().close(Duration.ofSeconds(2));
        assertTook(2_000, 20, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
        assertEquals(1, world.dropped.size());
        assertEquals("chat.say", world.dropped.get(0).name());
    }

    @Test
    void closeAtOnceWaitsForNothing() {
        CompletableFuture<Void> sent = sayInVain();
        long begin = millis();
        world.client().close(Duration.ZERO);
        assertEquals(begin, millis());
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
    }

    @Test
    void clientThatIsNotToConnectDoesNotWait() {
        CompletableFuture<Void> sent = say("a");
        long begin = millis();
        world.client().close();
        assertTook(0, 2, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
    }

    @Test
    void clientWithNothingToDeliverDoesNotWaitForItsConnection() {
        world.onHello = peer -> {}; // never welcomed
        CompletableFuture<Void> connecting = world.client().connect();
        world.settle();
        long begin = millis();
        world.client().close();
        assertTook(0, 2, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(connecting));
    }

    @Test
    void closeWaitsForTheNextAttemptThatIsDueInTime() throws Exception {
        world.connected();
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> sent = say("a");
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        world.client().close();
        world.settle();
        sent.get();
        assertEquals(List.of("a"), world.peer().says());
    }

    @Test
    void closeWaitsForNoAttemptThatIsDueLater() {
        world.network.refuseConnections(true);
        CompletableFuture<Void> unused = world.client().connect();
        world.advance(60_000);
        assertEquals(Status.WAITING, world.client().state().status());
        CompletableFuture<Void> sent = say("a");
        long begin = millis();
        world.client().close(Duration.ofMillis(1));
        assertTook(0, 1, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
    }

    /** An attempt that begins as the grace ends delivers nothing. */
    @Test
    void closeWaitsForNoAttemptThatIsDueAsTheGraceEnds() {
        world.advance(3_600_000); // whatever the clock says
        world.network.refuseConnections(true);
        CompletableFuture<Void> unused = world.client().connect();
        CompletableFuture<Void> sent = say("a");
        while (world.states.isEmpty() || world.lastState().status() != Status.WAITING) {
            world.advance(1);
        }
        long begin = millis();
        world.client().close(world.lastState().delay());
        assertTook(0, 1, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
    }

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
    void messagesInAFileNeedNoNextAttempt(@TempDir Path directory) throws Exception {
        world.use(world.builder().outboxFile(FileOutbox.open(directory.resolve("outbox"))));
        world.network.refuseConnections(true);
        CompletableFuture<Void> unused = world.client().connect();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        CompletableFuture<Void> sent = say("a");
        long begin = millis();
        world.client().close();
        assertTook(0, 2, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
        assertEquals(List.of(), world.dropped, "it is in the file");
    }

    private void serverAsks() {
        world.rooms = "{\"@session\":{\"epoch\":\"s\",\"offset\":0,\"recovered\":true}}";
        world.connected();
        world.peer()
                .send("{\"type\":\"ask\",\"ref\":\"q\",\"room\":\"@session\",\"offset\":1,\"ts\":1,\"data\":\"?\"}");
        world.settle();
    }

    @Test
    void answersThatAreOwedAreGiven() {
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
        world.rooms = "{\"@session\":{\"epoch\":\"s\",\"offset\":0,\"recovered\":true}}";
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
        world.peer()
                .send("{\"type\":\"ask\",\"ref\":\"q\",\"room\":\"@session\",\"offset\":1,\"ts\":1,\"data\":\"?\"}");
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
        world.peer()
                .send("{\"type\":\"ask\",\"ref\":\"q\",\"room\":\"@session\",\"offset\":1,\"ts\":1,\"data\":\"?\"}");
        world.peer().said("@session", 2, "close"); // right behind it
        acknowledgeIn(Duration.ofSeconds(1));
        long begin = millis();
        world.settle();
        assertTook(1_000, 60, begin);
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
    }

    @Test
    void answerThatIsOwedWaitsForTheConnectionThatIsBeingMade() {
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
    void requestWhoseHandlerIsYetToRunWaitsForTheConnectionThatIsBeingMade() {
        ArrayDeque<Runnable> callbacks = new ArrayDeque<>();
        world.use(world.builder().callbackExecutor(callbacks::add));
        world.client().onRequest(ASK, question -> "yes");
        serverAsks();
        world.resumed = true;
        world.network.cutAll();
        world.settle();
        world.time.schedule(Duration.ofSeconds(1), () -> runAll(callbacks));
        world.time.schedule(Duration.ofMillis(1_005), () -> runAll(callbacks));
        long begin = millis();
        world.client().close();
        assertTook(1_000, 20, begin);
        assertEquals(1, world.peer().all(Protocol.REPLY).size());
        runAll(callbacks);
    }

    @Test
    void handlerThatFailsOwesNothing() {
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
        ArrayDeque<Runnable> callbacks = new ArrayDeque<>();
        world.use(world.builder().callbackExecutor(callbacks::add));
        world.client().on(SAID, message -> world.heard.add(message.data().text()));
        world.rooms = "{\"@user\":{\"epoch\":\"e1\",\"offset\":0,\"recovered\":true}}";
        world.connected();
        world.peer().said("@user", 1, "a");
        world.settle();
        assertEquals(List.of(), world.heard);
        world.time.schedule(Duration.ofSeconds(1), () -> runAll(callbacks));
        world.client().close();
        assertEquals(List.of("a"), world.heard);
        world.settle();
        assertEquals(1, world.peer().all(Protocol.ACK).size());
        runAll(callbacks);
    }

    private static void runAll(ArrayDeque<Runnable> tasks) {
        while (!tasks.isEmpty()) {
            tasks.remove().run();
        }
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
        world.rooms = "{\"@session\":{\"epoch\":\"s\",\"offset\":0,\"recovered\":true}}";
        world.connected();
        world.client().stream(StreamRequest.of("count", String.class, String.class), "?", onItem::accept, own);
        world.settle();
        String ref = world.peer().all("count").get(0).ref();
        world.peer()
                .send("{\"type\":\"$next\",\"ref\":\"" + ref
                        + "\",\"room\":\"@session\",\"offset\":1,\"index\":0,\"ts\":1,\"data\":\"one\"}");
        world.settle();
    }

    @Test
    void itemsThatWaitForTheirOwnExecutorAreHandedOver() {
        ArrayDeque<Runnable> own = new ArrayDeque<>();
        streamOneItem(
                item -> {
                    CompletableFuture<Void> unused = say(item);
                },
                own::add);
        world.time.schedule(Duration.ofSeconds(1), () -> runAll(own));
        long begin = millis();
        world.client().close();
        assertTook(1_000, 20, begin);
        assertEquals(List.of("one"), world.peer().says());
        runAll(own);
    }

    @Test
    void listenerThatDoesNotRunIsWaitedForAsLongAsTheGrace() {
        ArrayDeque<Runnable> own = new ArrayDeque<>();
        streamOneItem(item -> {}, own::add);
        long begin = millis();
        world.client().close(Duration.ofSeconds(2));
        assertTook(2_000, 20, begin);
        runAll(own);
    }

    @Test
    void whatAListenerOnItsOwnExecutorSendsMeanwhileIsDelivered() {
        ArrayDeque<Runnable> own = new ArrayDeque<>();
        streamOneItem(
                item -> {
                    CompletableFuture<Void> unused = say(item);
                },
                own::add);
        world.acks = false;
        CompletableFuture<Void> unused = say("a");
        world.client().disconnect();
        world.advance(100);
        runAll(own);
        world.settle();
        assertTrue(world.client().isConnected());
        assertEquals(List.of("a", "one"), world.peer().says());
        world.peer().ack(3, 0);
        world.settle();
        assertEquals(Status.CLOSED, world.client().state().status());
        runAll(own);
    }

    @Test
    void listenerOnItsOwnExecutorThatClosesDoesNotWaitForItself() {
        List<Long> took = new ArrayList<>();
        ArrayDeque<Runnable> own = new ArrayDeque<>();
        streamOneItem(
                item -> {
                    CompletableFuture<Void> unused = say("last");
                    long begin = millis();
                    world.client().close();
                    took.add(millis() - begin);
                },
                own::add);
        runAll(own);
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
        world.peer()
                .send("{\"type\":\"close\",\"ref\":\"r\",\"room\":\"@session\",\"offset\":2,\"ts\":1,\"data\":\"?\"}");
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
    void laterDisconnectShortensTheGraceAndDoesNotLengthenIt() {
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
    void connectMeanwhileGetsTheNextConnection() throws Exception {
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
    void connectMeanwhileOutlivesAServerThatEndsTheOldConnection() throws Exception {
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
    void disconnectIsALaterWordThanTheConnectBefore() {
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
    void connectMeanwhileThatNobodyWaitsForConnectsAgain(String how) {
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
    void disconnectEndsAConnectThatNobodyWaitsFor() {
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
    void whatIsAskedAfterADisconnectIsForTheNextConnection(String what) {
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
    void whatCallbacksSendMeanwhileIsDelivered() {
        ArrayDeque<Runnable> callbacks = new ArrayDeque<>();
        world.use(world.builder().callbackExecutor(callbacks::add));
        world.client().on(SAID, message -> {
            CompletableFuture<Void> unused = say("in reply");
        });
        world.placeIn("r");
        world.connected();
        world.peer().said("r", 1, "a");
        world.settle();
        world.client().disconnect();
        world.advance(100);
        runAll(callbacks);
        world.settle();
        assertEquals(List.of("in reply"), world.peer().says());
        assertEquals(Status.CLOSED, world.client().state().status());
        runAll(callbacks);
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
    void connectMeanwhileFailsWhenTheClientIsClosed() {
        CompletableFuture<Void> unused = sayInVain();
        world.client().disconnect();
        CompletableFuture<Void> again = world.client().connect();
        world.client().close(Duration.ZERO);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(again));
    }

    @Test
    void closeThatEndsAtOnceEndsAnotherThatWaits() {
        CompletableFuture<Void> unused = sayInVain();
        long begin = millis();
        world.time.schedule(Duration.ofSeconds(1), () -> world.client().close(Duration.ZERO));
        world.client().close();
        assertTook(1_000, 20, begin);
    }

    @Test
    void interruptedThreadDoesNotWait() {
        CompletableFuture<Void> unused = sayInVain();
        long begin = millis();
        Thread.currentThread().interrupt();
        world.client().close();
        assertTrue(Thread.interrupted(), "it stays interrupted");
        assertEquals(begin, millis());
    }
}
