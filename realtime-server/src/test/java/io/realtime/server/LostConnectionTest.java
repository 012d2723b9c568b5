package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What a session and a client keep when their connection is lost. */
class LostConnectionTest extends ChatServerFixture {
    // ------------------------------------------------------------ reliability

    @Test
    void acknowledgesAfterHandlerWithin100MsAndProcessesRepeatOnce() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'say','seq':1,'data':{'text':'one'}}");
        ann.send("{'type':'say','seq':3,'data':{'text':'three'}}");
        assertEquals(List.of(), ann.types());
        test.time.advance(Duration.ofMillis(100));
        assertEquals(3, ann.data("$ack").get("seq").getAsLong());
        ann.send("{'type':'say','seq':3,'redelivered':true,'data':{'text':'three'}}");
        ann.send("{'type':'say','seq':2,'redelivered':true,'data':{'text':'two'}}");
        test.time.advance(Duration.ofMillis(100));
        assertEquals(3, ann.data("$ack").get("seq").getAsLong());
        assertEquals(List.of("one", "three"), handled);
    }

    @Test
    void newSessionOfTheSameClientIsToldWhatWasProcessed() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'say','seq':7,'data':{'text':'seven'}}");
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        JsonObject welcome = again.data("$welcome");
        assertEquals(7, welcome.get("seq").getAsLong());
        assertTrue(welcome.get("known").getAsBoolean());
        assertFalse(welcome.get("resumed").getAsBoolean());
    }

    @Test
    void resumedSessionKeepsRoomsAndAttributesAndReplaysWhatItMissed() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345'}}");
        JsonObject welcome = ann.data("$welcome");
        String secret = welcome.get("session").getAsString();
        ann.send("{'type':'$join','room':'chat:1','ref':'j'}");
        String epoch = ann.data("$reply").get("epoch").getAsString();
        session("ann").attributes().put("role", "admin");
        ann.cut();
        assertFalse(session("ann").isConnected());
        test.server.connections().room("chat:1").send(SAID, new Said("x", "missed"));
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345','session':'" + secret
                + "','positions':{'chat:1':['" + epoch + "',0]}}}");
        JsonObject resumed = again.data("$welcome");
        assertTrue(resumed.get("resumed").getAsBoolean());
        JsonObject room = resumed.getAsJsonObject("rooms").getAsJsonObject("chat:1");
        assertTrue(room.get("recovered").getAsBoolean());
        assertEquals("missed", again.data("said").get("text").getAsString());
        assertEquals("admin", session("ann").attributes().get("role"));
        assertEquals(List.of("open ann", "detach ann 1006", "resume ann"), life);
    }

    @Test
    void newerConnectionTakesTheSessionOver() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345','session':'" + secret + "'}}");
        assertTrue(again.data("$welcome").get("resumed").getAsBoolean());
        assertEquals(CloseReason.SESSION_REPLACED, ann.closeCode());
        assertEquals(1, test.server.connections().sessionCount());
        test.server.connections().user("ann").send(SAID, new Said("x", "once"));
        test.settle();
        again.next("said");
    }

    @Test
    void olderOfTwoConnectionsDoesNotTakeTheSessionBack() {
        CompletableFuture<Authentication> slowProof = new CompletableFuture<>();
        start(
                builder -> builder,
                credentials -> "slow".equals(credentials.token())
                        ? slowProof
                        : CompletableFuture.completedFuture(Authentication.of("ann")));
        TestPeer first = test.connect("realtime.v1", "/ws");
        first.send("{'type':'$hello','data':{'token':'first'}}");
        String secret = first.data("$welcome").get("session").getAsString();
        TestPeer slow = test.connect("realtime.v1", "/ws");
        slow.send("{'type':'$hello','data':{'token':'slow','session':'" + secret + "'}}");
        TestPeer quick = test.connect("realtime.v1", "/ws");
        quick.send("{'type':'$hello','data':{'token':'quick','session':'" + secret + "'}}");
        assertTrue(quick.data("$welcome").get("resumed").getAsBoolean());
        slowProof.complete(Authentication.of("ann"));
        test.settle();
        assertEquals(CloseReason.SESSION_REPLACED, slow.closeCode());
        assertNull(quick.closed());
    }

    @Test
    void resumeAsksJoinRuleAgainButNotAboutRoomsApplicationChose() {
        List<String> allowed = new ArrayList<>(List.of("chat:1"));
        start(builder -> builder.allowJoin((session, room) -> allowed.contains(room)));
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        ann.send("{'type':'$join','room':'chat:1'}");
        session("ann").join("vip");
        allowed.clear();
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','session':'" + secret + "'}}");
        JsonObject rooms = again.data("$welcome").getAsJsonObject("rooms");
        assertEquals(
                "unauthorized", rooms.getAsJsonObject("chat:1").get("reason").getAsString());
        assertTrue(rooms.has("vip") && !rooms.getAsJsonObject("vip").has("reason"), rooms.toString());
        assertEquals(Set.of("vip"), session("ann").rooms());
    }

    @Test
    void sessionOfAnotherUserIsNotResumed() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        TestPeer mallory = test.connect("realtime.v1", "/ws");
        mallory.send("{'type':'$hello','data':{'token':'mallory','session':'" + secret + "'}}");
        JsonObject welcome = mallory.data("$welcome");
        assertFalse(welcome.get("resumed").getAsBoolean());
        assertNotEquals(secret, welcome.get("session").getAsString());
        assertNull(ann.closed());
    }

    @Test
    void lostSessionEndsAfterItsTimeToLiveAndPlainOneAtOnce() {
        test.managed("ann").cut();
        test.plain("bob").cut();
        assertEquals(1, test.server.connections().sessionCount());
        test.time.advance(Duration.ofMinutes(5));
        assertEquals(0, test.server.connections().sessionCount());
        assertTrue(life.containsAll(List.of("close bob 1006", "close ann 1006")), life.toString());
    }
}
