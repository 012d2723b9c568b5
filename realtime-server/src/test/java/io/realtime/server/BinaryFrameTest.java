package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.internal.wire.Frames;
import io.realtime.server.TestServer.TestPeer;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the server does with binary frames while no handler takes them. */
class BinaryFrameTest {
    private static final Event<String> SAY = Event.of("say", String.class);

    private final List<String> handled = new ArrayList<>();
    private TestServer test = start(Limits.builder().build());

    private TestServer start(Limits limits) {
        return new TestServer(
                TestServer::byName,
                builder -> builder.limits(limits).on(SAY, (session, message) -> handled.add(message.data())));
    }

    @AfterEach
    void nothingIsLeftBehind() {
        test.close();
        assertEquals(0, test.time.pending(), "timers left");
    }

    /** Sends a frame with a header of this JSON, with single quotes for double ones. */
    private void send(TestPeer peer, String header, int payload) {
        byte[] json = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        sendRaw(
                peer,
                ByteBuffer.allocate(3 + json.length + payload)
                        .put((byte) 1)
                        .putShort((short) json.length)
                        .put(json)
                        .array());
        test.settle();
    }

    private static void sendRaw(TestPeer peer, byte[] frame) {
        assertNotNull(peer.connection);
        peer.connection.send(FrameBatch.of(Frame.binary(frame)));
    }

    private static String code(TestPeer peer) {
        return peer.data("$error").get("code").getAsString();
    }

    @Test
    void whatIsMalformedIsToldAndTheTenthCloses() {
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
        assertNull(ann.closed);
        ann.send("nonsense");
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
    }

    @Test
    void theProtocolsOwnFramesAreNotTakenInBinary() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'$join','room':'chat:1','ref':'1'}", 0);
        assertEquals("bad_message", code(ann));
    }

    @Test
    void anEventIsHandledByNobodyEvenWhenTextOfItsNameIs() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'say','ref':'7'}", 3);
        JsonObject answer = ann.next("$error");
        assertEquals("7", answer.get("ref").getAsString());
        JsonObject error = answer.getAsJsonObject("data");
        assertEquals("no_handler", error.get("code").getAsString());
        assertEquals("nothing handles binary 'say'", error.get("message").getAsString());
        assertEquals(List.of(), handled);
        assertNull(ann.closed);
    }

    @Test
    void anEventWithoutAskerIsIgnored() {
        TestPeer ann = test.plain("ann");
        send(ann, "{'type':'say'}", 3);
        assertEquals(List.of(), ann.types());
    }

    @Test
    void aNumberedOneCountsAsProcessedInItsTurnAndOnce() {
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
        test = start(Limits.builder().messageBytes(1024).build()); // a mailbox holds 16 of these
        TestPeer ann = test.managed("ann");
        byte[] frame = new byte[1000];
        byte[] header = "{\"type\":\"file\",\"ref\":\"r\"}".getBytes(StandardCharsets.UTF_8);
        ByteBuffer.wrap(frame).put((byte) 1).putShort((short) header.length).put(header);
        for (int i = 0; i < 16; i++) {
            sendRaw(ann, frame);
        }
        test.settle();
        assertNull(ann.closed);
        for (int i = 0; i < 18; i++) {
            sendRaw(ann, frame);
        }
        test.settle();
        assertEquals(CloseReason.OVERLOADED, ann.closeCode());
    }

    @Test
    void theFirstFrameIsHelloAndText() {
        TestPeer event = test.connect(Frames.SUBPROTOCOL, "/ws");
        send(event, "{'type':'file'}", 0);
        assertEquals(CloseReason.PROTOCOL_ERROR, event.closeCode());
        assertEquals(
                "the first frame must be $hello",
                event.data("$error").get("message").getAsString());
        TestPeer hello = test.connect(Frames.SUBPROTOCOL, "/ws");
        send(hello, "{'type':'$hello'}", 0);
        assertEquals(CloseReason.PROTOCOL_ERROR, hello.closeCode());
    }
}
