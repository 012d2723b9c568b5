package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A client that says how long a message it takes is sent none that is longer. */
@Timeout(60)
class TooBigTest {
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final Event<ByteBuffer> BYTES = Event.of("bytes", ByteBuffer.class);
    private static final Event<String> TYPING = Event.ephemeral("typing", String.class);
    private static final Request<Integer, String> FILL = Request.of("fill", Integer.class, String.class);
    private static final String LONG = "x".repeat(3_000);

    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> true)
                    .onRequest(FILL, (session, length) -> "y".repeat(length)));

    @AfterEach
    void close() {
        test.close();
    }

    private TestPeer small(String positions) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','messageBytes':2000"
                + positions + "}}");
        return peer;
    }

    private TestPeer smallIn(String room) {
        TestPeer peer = small("");
        peer.send("{'type':'$join','room':'" + room + "','ref':'j'}");
        peer.next("$reply");
        peer.clear();
        return peer;
    }

    private void publish(String... texts) {
        for (String text : texts) {
            test.server.connections().room("r").send(SAID, text);
        }
        test.settle();
    }

    private static void assertGap(JsonObject gap, String room, long offset) {
        assertEquals(room, gap.get("room").getAsString());
        JsonObject data = gap.getAsJsonObject("data");
        assertEquals(offset, data.get("offset").getAsLong());
        assertEquals("too_big", data.get("reason").getAsString());
        assertTrue(data.has("epoch"));
    }

    @Test
    void liveMessageThatIsTooLongIsAGap() {
        TestPeer ann = smallIn("r");
        TestPeer bob = test.managed("bob");
        bob.send("{'type':'$join','room':'r','ref':'j'}");
        bob.clear();
        publish("a", LONG, "b");
        assertEquals(List.of("said", "$gap", "said"), ann.types());
        assertGap(ann.next("$gap"), "r", 2);
        assertEquals(List.of("said", "said", "said"), bob.types());
        assertNull(ann.closed());
    }

    @Test
    void replayedMessageThatIsTooLongIsAGap() {
        TestPeer ann = smallIn("r");
        publish("a");
        ann.cut();
        publish("b", LONG, "c");
        Position end = Objects.requireNonNull(
                test.server.connections().room("r").send(SAID, "d").join());
        TestPeer again = small("");
        again.clear();
        again.send("{'type':'$join','room':'r','ref':'j','data':{'since':['" + end.epoch() + "',1]}}");
        again.next("$reply");
        assertEquals(List.of("said", "$gap", "said", "said"), again.types());
        assertGap(again.next("$gap"), "r", 3);
    }

    @Test
    void binaryMessageThatIsTooLongIsAGap() {
        TestPeer ann = smallIn("r");
        test.server.connections().room("r").send(BYTES, ByteBuffer.wrap(new byte[3_000]));
        test.settle();
        assertFalse(ann.hasBinary());
        assertGap(ann.next("$gap"), "r", 1);
    }

    @Test
    void ephemeralMessageThatIsTooLongIsDropped() {
        TestPeer ann = smallIn("r");
        test.server.connections().room("r").send(TYPING, LONG);
        test.server.connections().room("r").send(TYPING, "short");
        test.settle();
        assertEquals(List.of("typing"), ann.types());
    }

    @Test
    void replyThatIsTooLongFailsItsQuestionAlone() {
        TestPeer ann = smallIn("r");
        ann.send("{'type':'fill','seq':1,'ref':'q1','data':5000}");
        ann.send("{'type':'fill','seq':2,'ref':'q2','data':10}");
        JsonObject error = ann.next("$error");
        assertEquals("q1", error.get("ref").getAsString());
        assertEquals("too_big", error.getAsJsonObject("data").get("code").getAsString());
        assertEquals("@session", error.get("room").getAsString());
        assertTrue(error.has("offset"));
        assertEquals("q2", ann.next("$reply").get("ref").getAsString());
    }

    @Test
    void historyLeavesOutWhatIsTooLong() {
        TestPeer ann = smallIn("r");
        publish("a", LONG, "b");
        ann.clear();
        ann.send("{'type':'$history','room':'r','ref':'h'}");
        List<Long> offsets = new ArrayList<>();
        for (JsonElement message : ann.data("$reply").getAsJsonArray("messages")) {
            offsets.add(message.getAsJsonObject().get("offset").getAsLong());
        }
        assertEquals(List.of(1L, 3L), offsets);
    }

    @Test
    void messageThatIsTooBigMakesNoRoom() {
        String tooBig = "x".repeat(Limits.defaults().outboundBytes());
        long before = test.server.stats().logBytes();
        for (Room room : List.of(
                test.server.connections().room("new"),
                test.server.connections().user("nobody").inbox())) {
            RealtimeException refusal = assertThrows(RealtimeException.class, () -> room.send(SAID, tooBig));
            assertEquals(ErrorCode.TOO_BIG, refusal.code());
        }
        assertEquals(before, test.server.stats().logBytes());
    }

    @Test
    void replyOfHistoryWithALongEnvelopeIsTaken() {
        String room = "\"".repeat(256);
        String named = new Gson().toJson(room);
        String ref = "\u4e2d".repeat(64);
        TestPeer ann = small("");
        ann.post("{'type':'$join','room':" + named + ",'ref':'j'}");
        test.settle();
        test.server.connections().room(room).send(SAID, "short");
        test.server
                .connections()
                .room(room)
                .send(SAID, "y".repeat(850)); // fits alone, but not with the envelope of the reply
        test.settle();
        ann.clear();
        ann.post("{'type':'$history','room':" + named + ",'ref':'" + ref + "'}");
        test.settle();
        assertEquals(1, ann.data("$reply").getAsJsonArray("messages").size());
    }

    @Test
    void noReplyOfHistoryIsLongerThanTheClientTakes() {
        TestPeer ann = smallIn("r");
        publish("x".repeat(700), "x".repeat(700), "x".repeat(700));
        ann.clear();
        ann.send("{'type':'$history','room':'r','ref':'h','data':{'after':0}}");
        JsonObject page = ann.data("$reply");
        assertTrue(page.toString().length() <= 2_000, page::toString);
        assertTrue(page.get("more").getAsBoolean());
        assertTrue(!page.getAsJsonArray("messages").isEmpty());
    }
}
