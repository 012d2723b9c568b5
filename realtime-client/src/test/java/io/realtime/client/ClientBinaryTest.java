package io.realtime.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Events of bytes, from the application to the wire and back. */
class ClientBinaryTest {
    private static final Event<byte[]> BLOB = Event.of("blob", byte[].class);
    private static final Event<ByteBuffer> VIEW = Event.of("view", ByteBuffer.class);
    private static final Event<byte[]> FLASH = Event.ephemeral("flash", byte[].class);

    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    private static String hex(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        return hex(copy);
    }

    /** What the server received of an event: its number, whether it was marked as sent before, and the payload. */
    private List<String> received(Event<?> event) {
        List<String> all = new ArrayList<>();
        for (Envelope frame : world.peer().all(event.name())) {
            ByteBuffer payload = frame.payload();
            assertNotNull(payload);
            all.add(frame.seq() + (frame.isRedelivered() ? "* " : " ") + hex(payload));
        }
        return all;
    }

    private static RealtimeException failure(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return (RealtimeException) Objects.requireNonNull(failure);
    }

    /** Has the server send bytes; without an offset when that is 0. */
    private void blob(String room, long offset, int... payload) {
        byte[] bytes = new byte[payload.length];
        for (int i = 0; i < payload.length; i++) {
            bytes[i] = (byte) payload[i];
        }
        send(BLOB.name(), room, offset, bytes);
    }

    private void send(String type, String room, long offset, byte[] bytes) {
        Outgoing frame = Outgoing.of(type).room(room).ts(1).rawData(ByteBuffer.wrap(bytes));
        world.peer().connection.send(MessageBatch.of(offset == 0 ? frame.frame() : frame.frame(offset)));
    }

    // Client to server

    @Test
    void bytesLeaveAsTheyAreWhenTheyWereSentBetweenText() {
        world.connected();
        byte[] bytes = {0, -1};
        List<CompletableFuture<Void>> fates = List.of(
                world.client().room("räume").send(BLOB, bytes),
                world.client().send(World.SAY, new Say("text")),
                world.client().send(VIEW, ByteBuffer.wrap(bytes)),
                world.client().send(BLOB, new byte[0]));
        bytes[0] = 7;
        world.settle();
        assertEquals(List.of("1 00ff", "4 "), received(BLOB));
        assertEquals(List.of("3 00ff"), received(VIEW));
        assertEquals("räume", world.peer().all("blob").get(0).room());
        assertEquals(
                List.of(Protocol.HELLO, "blob", "chat.say", "view", "blob"),
                world.peer().frames.stream().map(Envelope::type).toList());
        fates.forEach(fate -> assertTrue(fate.isDone() && !fate.isCompletedExceptionally(), fate.toString()));
    }

    @Test
    void unacknowledgedBytesAreResentAndMarked() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> one = world.client().send(BLOB, new byte[] {1});
        CompletableFuture<Void> two = world.client().send(BLOB, new byte[] {2});
        world.settle();
        world.network.cutAll();
        CompletableFuture<Void> three = world.client().send(BLOB, new byte[] {3});
        world.acks = true;
        world.seq = 1; // the server has processed the first
        world.advance(1_000);
        assertEquals(List.of("2* 02", "3 03"), received(BLOB));
        assertTrue(one.isDone() && two.isDone() && three.isDone());
    }

    @Test
    void tooMuchForTheServerIsRefusedNamingBothNumbers() {
        world.messageBytes = 1_000;
        CompletableFuture<Void> before = world.client().send(BLOB, new byte[2_000]);
        world.connected();
        int around = "___{'type':'blob','seq':9007199254740991,'redelivered':true}".length();
        CompletableFuture<Void> fits = world.client().send(BLOB, new byte[1_000 - around]);
        CompletableFuture<Void> after = world.client().send(BLOB, new byte[1_000 - around + 1]);
        world.settle();
        assertEquals(ErrorCode.TOO_BIG, failure(before).code());
        assertEquals(
                "the message has " + (2_000 + around) + " bytes, the server takes 1000",
                failure(before).getMessage());
        assertEquals(
                "the message has 1001 bytes, the server takes 1000",
                failure(after).getMessage());
        assertTrue(fits.isDone() && !fits.isCompletedExceptionally());
        assertArrayEquals(new byte[2_000], world.dropped.get(0).data(BLOB));
        assertThrows(PayloadException.class, () -> world.dropped.get(0).data(Event.of("blob", String.class)));
    }

    @Test
    void outboxCountsBytes() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(1_000).build()));
        CompletableFuture<Void> kept = world.client().send(BLOB, new byte[500]);
        CompletableFuture<Void> refused = world.client().send(BLOB, new byte[500]);
        world.settle();
        assertFalse(kept.isDone());
        assertEquals(ErrorCode.OVERLOADED, failure(refused).code());
    }

    @Test
    void ephemeralBytesAreNotSentWhileOffline() {
        CompletableFuture<Void> offline = world.client().send(FLASH, new byte[] {1});
        world.settle();
        assertEquals(ErrorCode.CONNECTION_LOST, failure(offline).code());
        world.connected();
        CompletableFuture<Void> online = world.client().send(FLASH, new byte[] {2});
        world.settle();
        assertTrue(online.isDone() && !online.isCompletedExceptionally());
        assertEquals(List.of("0 02"), received(FLASH));
    }

    @Test
    @SuppressWarnings("NullAway") // what the application must not do
    void nullBytesAreRefused() {
        CompletableFuture<Void> sent = world.client().send(BLOB, null);
        assertEquals(
                "data is required: null is not a byte[]",
                assertThrows(ExecutionException.class, sent::get).getCause().getMessage());
    }

    // Server to client

    @Test
    void bytesReachTheHandlersInOrderWithText() {
        List<String> heard = new ArrayList<>();
        world.client().on(BLOB, blob -> heard.add(hex(blob.data()) + " " + blob.position()));
        world.client().on(World.SAID, said -> heard.add(said.data().text()));
        world.placeIn("r");
        world.connected();
        blob("r", 1, 0xCA, 0xFE);
        world.peer().said("r", 2, "text");
        blob("r", 3);
        blob("r", 3, 1); // a repeat
        blob("r", 0, 4); // ephemeral
        world.settle();
        assertEquals(List.of("cafe " + new Position("e1", 1), "text", " " + new Position("e1", 3), "04 null"), heard);
        assertEquals(List.of(), world.errors);
    }

    @Test
    void eachHandlerReadsBufferFromItsBeginningAndCannotWriteToIt() {
        List<String> heard = new ArrayList<>();
        world.client().on(VIEW, view -> heard.add(hex(view.data()) + view.data().isReadOnly()));
        world.client().room("r").on(VIEW, view -> heard.add(hex(view.data())));
        world.placeIn("r");
        world.connected();
        send("view", "r", 1, new byte[] {1, 2});
        world.settle();
        assertEquals(List.of("0102true", "0102"), heard);
    }

    @Test
    void positionAfterBytesIsSentAtTheNextConnection() {
        world.client().on(BLOB, blob -> {});
        world.placeIn("r");
        world.connected();
        blob("r", 1, 1);
        blob("r", 2, 2);
        world.settle();
        world.network.cutAll();
        world.advance(1_000);
        Map<String, Position> positions = world.peer().hello().positions();
        assertNotNull(positions);
        assertEquals(new Position("e1", 2), positions.get("r"));
    }

    @Test
    void jsonForBytesAndBytesForJsonAreReported() {
        List<String> heard = new ArrayList<>();
        world.client().on(BLOB, blob -> heard.add("blob"));
        world.client().on(World.SAID, said -> heard.add("said"));
        world.connected();
        world.peer().send("{'type':'blob','data':[1,2]}");
        world.peer().send(Outgoing.of("chat.said").rawData(ByteBuffer.wrap("{\"text\":\"x\"}".getBytes(UTF_8))));
        world.peer().send(Outgoing.of("nobody").rawData(ByteBuffer.allocate(3)));
        world.settle();
        assertEquals(List.of(), heard);
        assertEquals(
                List.of(
                        "'blob' comes in a binary frame, not in a text one",
                        "'chat.said' comes in a text frame, not in a binary one"),
                world.errors.stream().map(Throwable::getMessage).toList());
        assertEquals(Status.OPEN, world.client().state().status());
    }

    @Test
    void whatIsNoBinaryFrameIsReportedAndTenthEndsConnection() {
        world.connected();
        for (int i = 1; i <= 10; i++) {
            assertEquals(Status.OPEN, world.client().state().status());
            world.peer().connection.send(MessageBatch.of(WireMessage.binary(new byte[] {2, 0, 0})));
            world.settle();
            assertEquals(i, world.errors.size());
        }
        assertEquals(
                "a binary frame begins with byte 1, not 2", world.errors.get(0).getMessage());
        assertEquals(Status.WAITING, world.client().state().status());
    }

    @Test
    void headerMayNestAsDeepAsTheTextOfAServer() {
        List<String> heard = new ArrayList<>();
        world.client().on(BLOB, blob -> heard.add(hex(blob.data())));
        world.connected();
        byte[] header = ("{\"type\":\"blob\",\"x\":" + "[".repeat(34) + "]".repeat(34) + "}").getBytes(UTF_8);
        byte[] frame = new byte[3 + header.length + 1];
        ByteBuffer.wrap(frame).put((byte) 1).putShort((short) header.length).put(header);
        world.peer().connection.send(MessageBatch.of(WireMessage.binary(frame)));
        world.settle();
        assertEquals(List.of("00"), heard);
    }

    /** What waits between socket and handlers is bounded, and given back to the byte. */
    @Test
    void manyBinaryMessagesArrive() {
        int[] heard = {0};
        world.client().on(BLOB, blob -> heard[0] += blob.data().length);
        world.placeIn("räume");
        world.connected();
        for (int i = 1; i <= 20; i++) {
            send("blob", "räume", i, new byte[1_000_000]);
            world.settle();
        }
        assertEquals(20_000_000, heard[0]);
        assertEquals(1, world.peers.size());
    }

    // History

    private void answer(String room, String... messages) {
        List<Envelope> asked = world.peer().all(Protocol.HISTORY);
        world.peer()
                .send("{'type':'$reply','ref':'"
                        + asked.get(asked.size() - 1).ref()
                        + "','room':'" + room + "','data':{'epoch':'e1','messages':["
                        + String.join(",", messages) + "],'more':false,'next':1,'floor':0}}");
        world.settle();
    }

    private static String logged(long offset, String rest) {
        return "{'type':'blob','room':'r','ts':1,'offset':" + offset + "," + rest + "}";
    }

    @Test
    void historyContainsBytes() {
        world.connected();
        CompletableFuture<HistoryPage> asking = world.client().room("r").history(HistoryQuery.newest(9));
        world.settle();
        answer("r", logged(1, "'base64':'yv4='"), logged(2, "'data':'yv4='"), logged(3, "'base64':''"));
        List<String> read = asking.join().messages(BLOB).stream()
                .map(blob -> hex(blob.data()) + " "
                        + Objects.requireNonNull(blob.position()).offset())
                .toList();
        assertEquals(List.of("cafe 1", " 3"), read);
        world.settle();
        assertEquals(
                "'blob' comes in a binary frame, not in a text one",
                world.errors.get(0).getMessage());
    }

    @Test
    void historyThatIsNoBase64Fails() {
        world.connected();
        CompletableFuture<HistoryPage> asking = world.client().room("r").history(HistoryQuery.newest(9));
        world.settle();
        answer("r", logged(1, "'base64':'?'"));
        assertEquals("field 'base64' is not base64", failure(asking).getMessage());
        assertEquals(ErrorCode.BAD_MESSAGE, failure(asking).code());
    }

    @Test
    void bytesWaitForAReload() {
        List<String> heard = new ArrayList<>();
        world.client().on(BLOB, blob -> heard.add(hex(blob.data())));
        CompletableFuture<Position> loading = new CompletableFuture<>();
        world.client().room("r").onReload(gap -> loading.thenApply(position -> position));
        world.placeIn("r");
        world.connected();
        world.peer().send("{'type':'$gap','room':'r','data':{'epoch':'e2','offset':4,'reason':'epoch'}}");
        blob("r", 5, 5);
        blob("r", 6, 6);
        world.settle();
        assertEquals(List.of(), heard);
        loading.complete(new Position("e2", 5));
        world.settle();
        assertEquals(List.of("06"), heard);
    }
}
