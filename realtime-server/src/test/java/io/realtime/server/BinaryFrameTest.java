package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the server does with binary frames, and when it sends some. */
class BinaryFrameTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<byte[]> BLOB = Event.of("blob", byte[].class);
    private static final Event<ByteBuffer> VIEW = Event.of("view", ByteBuffer.class);
    private static final Event<byte[]> FLASH = Event.ephemeral("flash", byte[].class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);

    private final List<String> handled = new ArrayList<>();
    private final List<byte[]> kept = new ArrayList<>();
    private TestServer test = start(Limits.builder().build());

    private TestServer start(Limits limits) {
        return new TestServer(
                TestServer::byName,
                builder -> builder.limits(limits)
                        .allowJoin((session, room) -> true)
                        .on(SAY, (session, message) -> handled.add(message.data()))
                        .on(BLOB, (session, message) -> {
                            kept.add(message.data());
                            handled.add(hex(ByteBuffer.wrap(message.data()))
                                    + (message.isRedelivered() ? " again in " : " in ")
                                    + (message.room() == null ? "none" : message.room()));
                        })
                        .on(VIEW, (session, message) -> {
                            assertTrue(message.data().isReadOnly());
                            handled.add(hex(message.data()));
                        })
                        .onRequest(ASK, (session, question) -> question));
    }

    private static String hex(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        return HexFormat.of().formatHex(copy);
    }

    @AfterEach
    void nothingIsLeftBehind() {
        test.close();
        assertEquals(0, test.time.pending(), "timers left");
    }

    /** Sends a frame with a header of this JSON, with single quotes for double ones. */
    private void send(TestPeer peer, String header, int... payload) {
        byte[] json = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        ByteBuffer frame = ByteBuffer.allocate(3 + json.length + payload.length)
                .put((byte) 1)
                .putShort((short) json.length)
                .put(json);
        for (int one : payload) {
            frame.put((byte) one);
        }
        sendRaw(peer, frame.array());
        test.settle();
    }

    private static void sendRaw(TestPeer peer, byte[] frame) {
        peer.postBinary(frame);
    }

    private static String code(TestPeer peer) {
        return peer.data("$error").get("code").getAsString();
    }

    @Test
    void whatIsMalformedIsReportedAndTheTenthCloses() {
        TestPeer ann = test.plain("ann");
        for (int i = 0; i < 9; i++) {
            sendRaw(ann, new byte[] {2, 0, 0});
            test.settle();
            JsonObject error = ann.data("$error");
            assertEquals("bad_message", error.get("code").getAsString());
            assertEquals(
                    "a binary frame begins with byte 1, not 2",
                    error.get("message").getAsString());
        }
        assertNull(ann.closed());
        ann.send("nonsense");
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
    }

    @Test
    void protocolsOwnFramesAreNotTakenInBinary() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'$join','room':'chat:1','ref':'1'}");
        assertEquals("bad_message", code(ann));
    }

    private static void assertAnswer(TestPeer peer, String ref, String code, String message) {
        JsonObject answer = peer.next("$error");
        assertEquals(ref, answer.get("ref").getAsString());
        JsonObject error = answer.getAsJsonObject("data");
        assertEquals(code, error.get("code").getAsString());
        assertEquals(message, error.get("message").getAsString());
    }

    @Test
    void eventOfBytesIsHandledAndAnswered() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        ann.next("$reply");
        send(ann, "{'type':'blob','room':'chat:1','ref':'7'}", 0, 255, '{');
        send(ann, "{'type':'blob'}");
        send(ann, "{'type':'view'}", 0xCA, 0xFE);
        assertEquals(List.of("00ff7b in chat:1", " in none", "cafe"), handled);
        assertEquals("7", ann.next("$reply").get("ref").getAsString());
        assertEquals(List.of(), ann.types());
    }

    @Test
    void rulesOfRoomsHoldForBytes() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'blob','room':'chat:1','ref':'7'}", 1);
        assertAnswer(ann, "7", "forbidden", "sending 'blob' to room 'chat:1' is not allowed");
        assertEquals(List.of(), handled);
    }

    @Test
    void unhandledBinaryEventIsRefused() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'file','ref':'7'}", 3);
        assertAnswer(ann, "7", "no_handler", "nothing handles binary 'file'");
    }

    @Test
    void bytesForHandlerOfJsonAndJsonForOneOfBytesAreBadData() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'say','ref':'7'}", '"', '"');
        assertAnswer(ann, "7", "bad_data", "'say' comes in a text frame, not in a binary one");
        send(ann, "{'type':'ask','ref':'8'}", '"', '"');
        assertAnswer(ann, "8", "bad_data", "'ask' comes in a text frame, not in a binary one");
        for (String data : new String[] {"", ",'data':null", ",'data':[1,2]", ",'data':'yv4='"}) {
            ann.send("{'type':'blob','ref':'9'" + data + "}");
            assertAnswer(ann, "9", "bad_data", "'blob' comes in a binary frame, not in a text one");
        }
        ann.send("{'type':'view','ref':'9','data':'yv4='}");
        assertAnswer(ann, "9", "bad_data", "'view' comes in a binary frame, not in a text one");
        assertEquals(List.of(), handled);
        assertNull(ann.closed());
    }

    @Test
    void bufferKeptByHandlerIsUnchanged() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'blob'}", 1);
        kept.get(0)[0] = 9;
        send(ann, "{'type':'blob'}", 1);
        assertEquals(List.of("01 in none", "01 in none"), handled);
    }

    @Test
    void numberedBytesAreHandledOnceAndMarkedIfRepeated() {
        TestPeer ann = test.managed("ann");
        send(ann, "{'type':'blob','seq':1}", 1);
        send(ann, "{'type':'blob','seq':1,'redelivered':true}", 1);
        send(ann, "{'type':'blob','seq':2,'redelivered':true}", 2);
        assertEquals(List.of("01 in none", "02 again in none"), handled);
        test.time.advance(Duration.ofMillis(100));
        assertEquals(2, ann.data("$ack").get("seq").getAsLong());
    }

    @Test
    void bytesLeaveForARoomAUserASessionAndEveryone() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        ann.next("$reply");
        byte[] bytes = {0, -1};
        Session session = test.server.connections().sessions().iterator().next();
        assertEquals(
                1,
                offset(test.server
                        .connections()
                        .room("chat:1")
                        .send(BLOB, bytes)
                        .join()));
        bytes[0] = 7; // too late for what was sent
        assertEquals(
                1,
                offset(test.server
                        .connections()
                        .everyone()
                        .send(VIEW, ByteBuffer.wrap(bytes))
                        .join()));
        test.server.connections().user("ann").send(BLOB, bytes);
        session.send(BLOB, bytes);
        session.send(FLASH, bytes);
        assertNull(session.room("chat:1").send(FLASH, bytes).join());
        test.settle();
        assertEquals(
                List.of(
                        "{'type':'blob','room':'chat:1','ts':0,'offset':1} 00ff",
                        "{'type':'view','room':'@all','ts':0,'offset':1} 07ff",
                        "{'type':'blob','room':'@user','ts':0,'offset':1} 07ff",
                        "{'type':'blob','room':'@session','ts':0,'offset':1} 07ff",
                        "{'type':'flash','room':'@session','ts':0} 07ff",
                        "{'type':'flash','room':'chat:1','from':'ann','ts':0} 07ff"),
                binary(ann));
    }

    private static long offset(@Nullable Position position) {
        assertNotNull(position);
        return position.offset();
    }

    /** What was received in binary frames: header, with single quotes for double ones and a clock at 0, and payload. */
    private static List<String> binary(TestPeer peer) {
        List<String> all = new ArrayList<>();
        while (peer.hasBinary()) {
            ByteBuffer frame = peer.nextBinary();
            assertEquals(1, frame.get());
            byte[] header = new byte[frame.getShort()];
            frame.get(header);
            String json = new String(header, StandardCharsets.UTF_8).replace('"', '\'');
            all.add(json.replaceAll("'ts':\\d+", "'ts':0") + " " + hex(frame));
        }
        return all;
    }

    @Test
    void resumedClientGetsMissedTextAndBytesInOrder() {
        TestPeer ann = test.plain("ann");
        test.server.connections().room("chat:1").send(BLOB, new byte[] {1});
        ann.send("{'type':'$join','room':'chat:1','ref':'1','data':{'history':10}}");
        assertEquals(List.of("{'type':'blob','room':'chat:1','ts':0,'offset':1} 01"), binary(ann));
        String epoch = ann.data("$reply").get("epoch").getAsString();
        ann.cut();
        test.server.connections().room("chat:1").send(BLOB, new byte[] {2});
        test.server.connections().room("chat:1").send(SAY, "3");
        test.server.connections().room("chat:1").send(BLOB, new byte[] {4});
        TestPeer again = test.plain("ann");
        again.send("{'type':'$join','room':'chat:1','ref':'1','data':{'since':['" + epoch + "',1]}}");
        assertEquals(
                List.of(
                        "{'type':'blob','room':'chat:1','ts':0,'offset':2} 02",
                        "{'type':'blob','room':'chat:1','ts':0,'offset':4} 04"),
                binary(again));
        assertEquals(3, again.next("say").get("offset").getAsLong());
    }

    @Test
    void historyIsTextWithThePayloadAsBase64() {
        TestPeer ann = test.plain("ann");
        test.server.connections().room("chat:1").send(BLOB, new byte[] {-54, -2});
        test.server.connections().room("chat:1").send(SAY, "x");
        ann.send("{'type':'$history','room':'chat:1','ref':'1'}");
        JsonArray messages = ann.data("$reply").getAsJsonArray("messages");
        JsonObject blob = messages.get(0).getAsJsonObject();
        assertEquals("blob", blob.get("type").getAsString());
        assertEquals(1, blob.get("offset").getAsLong());
        assertEquals("yv4=", blob.get("base64").getAsString());
        assertFalse(blob.has("data"));
        assertFalse(messages.get(1).getAsJsonObject().has("base64"));
        assertEquals(2, messages.size());
    }

    /** A page of 12 KiB of bytes is one of 16 KiB of text. */
    @Test
    void historyCountsWhatItsRepliesHold() {
        test.close();
        test = start(
                Limits.builder().outboundBytes(1 << 16).messageBytes(1 << 14).build());
        TestPeer ann = test.plain("ann");
        for (int i = 0; i < 20; i++) {
            test.server.connections().room("chat:1").send(BLOB, new byte[1024]);
        }
        ann.send("{'type':'$history','room':'chat:1','ref':'1'}");
        JsonObject page = ann.data("$reply");
        assertEquals(11, page.getAsJsonArray("messages").size());
        assertTrue(page.toString().length() < 1 << 14, page.toString().length() + " characters");
        assertTrue(page.get("more").getAsBoolean());
    }

    @Test
    void whatNoConnectionCouldTakeIsRefusedNamingBothNumbers() {
        test.close();
        test = start(
                Limits.builder().outboundBytes(1 << 16).messageBytes(1 << 14).build());
        Room room = test.server.connections().room("chat:1");
        int header = "{'type':'blob','room':'chat:1','ts':1700000000000,'offset':".length() + 3;
        int ts = Long.toString(test.time.currentTimeMillis()).length() - 13;
        assertNotNull(room.send(BLOB, new byte[(1 << 15) - header - ts]).join());
        var refused =
                assertThrows(RealtimeException.class, () -> room.send(BLOB, new byte[(1 << 15) - header - ts + 1]));
        assertEquals(ErrorCode.TOO_BIG, refused.code());
        assertEquals("a message of 32769 bytes is more than half of limits.outboundBytes, 65536", refused.getMessage());
        Session session = session("ann");
        assertThrows(RealtimeException.class, () -> session.send(FLASH, new byte[1 << 15]));
    }

    private Session session(String user) {
        test.managed(user);
        return test.server.connections().user(user).sessions().get(0);
    }

    @Test
    void messageAboveTheLimitClosesWith1009() {
        test.close();
        test = start(Limits.builder().messageBytes(1024).build());
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'blob'}", new int[1024 - 18]);
        assertEquals(1, handled.size());
        send(ann, "{'type':'blob'}", new int[1024 - 17]);
        assertEquals(CloseReason.TOO_BIG, ann.closeCode());
        assertEquals(1, handled.size());
    }

    @Test
    void binaryEventWithoutRefIsIgnored() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'file'}", 3);
        assertEquals(List.of(), ann.types());
    }

    @Test
    void numberedBytesAreProcessedInOrderAndOnce() {
        TestPeer ann = test.managed("ann");
        send(ann, "{'type':'file','seq':1}", 3);
        ann.send("{'type':'say','seq':2,'data':'a'}");
        send(ann, "{'type':'file','seq':1,'redelivered':true}", 3);
        assertEquals(1, ann.next("$error").get("seq").getAsLong());
        assertEquals(List.of("a"), handled);
        test.time.advance(Duration.ofMillis(100));
        JsonObject acknowledged = ann.data("$ack");
        assertEquals(2, acknowledged.get("seq").getAsLong());
        assertEquals(1, acknowledged.get("answers").getAsLong());
        assertEquals(List.of(), ann.types());
    }

    @Test
    void itsPayloadCountsInTheMailbox() {
        test.close();
        test = start(Limits.builder().messageBytes(1024).inflight(1).build()); // a mailbox holds 17 of these
        TestPeer ann = test.managed("ann");
        byte[] frame = new byte[1000];
        byte[] header = "{\"type\":\"file\",\"ref\":\"r\"}".getBytes(StandardCharsets.UTF_8);
        ByteBuffer.wrap(frame).put((byte) 1).putShort((short) header.length).put(header);
        for (int i = 0; i < 16; i++) {
            sendRaw(ann, frame);
        }
        test.settle();
        assertNull(ann.closed());
        for (int i = 0; i < 18; i++) {
            sendRaw(ann, frame);
        }
        test.settle();
        assertEquals(CloseReason.OVERLOADED, ann.closeCode());
    }

    @Test
    void firstFrameIsHelloAndText() {
        TestPeer event = test.connect(Protocol.SUBPROTOCOL, "/ws");
        send(event, "{'type':'file'}");
        assertEquals(CloseReason.PROTOCOL_ERROR, event.closeCode());
        assertEquals(
                "the first frame must be $hello",
                event.data("$error").get("message").getAsString());
        TestPeer hello = test.connect(Protocol.SUBPROTOCOL, "/ws");
        send(hello, "{'type':'$hello'}");
        assertEquals(CloseReason.PROTOCOL_ERROR, hello.closeCode());
    }
}
