package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names in frames are checked once, where a frame is read: no rule, handler or log meets one that is none. */
class WireNamesTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<ByteBuffer> BLOB = Event.of("blob", ByteBuffer.class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);

    private final List<String> seen = new ArrayList<>();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> see("join rule " + room))
                    .allowSend((session, event, room) -> see("send rule " + room))
                    .on(SAY, (session, message) -> see("say " + message.room()))
                    .on(BLOB, (session, message) -> see("blob " + message.room()))
                    .onRequest(ASK, (session, question) -> {
                        see("ask");
                        return "";
                    })
                    .limits(Limits.builder().badMessages(100).build()));

    private boolean see(String what) {
        return seen.add(what);
    }

    @AfterEach
    void close() {
        test.close();
    }

    private static void sendBinary(TestPeer peer, String header) {
        byte[] bytes = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        ByteBuffer frame = ByteBuffer.allocate(3 + bytes.length);
        frame.put((byte) 1).putShort((short) bytes.length).put(bytes).flip();
        peer.postBinary(frame.array());
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\n2026-01-01 ERROR forged", "\\u0000", "\\u001b[2J", "\u0085", "\u2028", "\u007f"})
    void controlCharacterInRoomReachesNoRule(String control) {
        TestPeer ann = test.managed("ann");
        for (String type : List.of("$join", "$leave", "$history", "say", "ask", "$ping", "$auth", "$reply")) {
            JsonObject error = refused(ann, "{'type':'" + type + "','room':'chat:x" + control + "','ref':'r'}");
            assertEquals("r", error.get("ref").getAsString(), type);
        }
        sendBinary(ann, "{'type':'blob','room':'chat:x" + control + "','ref':'b'}");
        test.settle();
        assertEquals("b", ann.next("$error").get("ref").getAsString());
        assertEquals(List.of(), seen);
        assertNull(ann.closed());
    }

    private static JsonObject refused(TestPeer peer, String json) {
        peer.send(json);
        JsonObject error = peer.next("$error");
        assertEquals("bad_message", error.getAsJsonObject("data").get("code").getAsString(), json);
        return error;
    }

    @Test
    void errorAboutMalformedFrameCarriesItsRef() {
        TestPeer ann = test.plain("ann");
        for (String frame : List.of(
                "{'type':'$join','room':'','ref':'r'}",
                "{'type':'no good','ref':'r'}",
                "{'ref':'r','seq':0,'type':'ask'}",
                "{'ref':'r'}",
                "{'type':'ask','ref':'r','data':{}")) {
            assertEquals("r", refused(ann, frame).get("ref").getAsString(), frame);
        }
    }

    /** Else the acknowledgement of the next would be all that its sender hears of it. */
    @Test
    void errorAboutMalformedFrameCarriesItsSeq() {
        TestPeer ann = test.managed("ann");
        for (String frame : List.of("{'type':'no good','seq':7}", "{'seq':7,'data':{}", "{'seq':7}")) {
            assertEquals(7, refused(ann, frame).get("seq").getAsLong(), frame);
        }
    }

    @Test
    void errorAboutBinaryProtocolFrameCarriesItsRef() {
        TestPeer ann = test.plain("ann");
        sendBinary(ann, "{'type':'$join','room':'chat:1','ref':'r'}");
        test.settle();
        assertEquals("r", ann.next("$error").get("ref").getAsString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"a\\nb", "", "\u2028"})
    void clientIdThatIsNoNameEndsTheHello(String client) {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'" + client + "'}}");
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
    }

    @Test
    void textOfPeerIsLoggedInOneLine() {
        TestPeer ann = test.managed("ann");
        var answer = test.server.connections().user("ann").sessions().get(0).request(ASK, "?");
        test.settle();
        String ref = ann.next("ask").get("ref").getAsString();
        ann.send("{'type':'$error','seq':1,'ref':'" + ref + "','data':{'code':'no','message':'a\\nERROR forged'}}");
        assertEquals(
                "a?ERROR forged",
                answer.handle((reply, failure) -> failure.getMessage()).join());
    }
}
