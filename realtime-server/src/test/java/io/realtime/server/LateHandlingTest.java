package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What becomes of frames whose connection, session or server is gone before their turn in the mailbox comes. */
class LateHandlingTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<String> SAID = Event.of("said", String.class);

    private final List<String> handled = new ArrayList<>();
    private final List<String> said = new ArrayList<>();
    private Runnable behind = () -> {}; // at the end of each handler
    private final TestServer test = new TestServer(
            this::authenticate,
            builder -> builder.allowJoin((session, room) -> room.startsWith("chat:"))
                    .on(SAY, (session, message) -> {
                        handled.add(message.data() + (message.isRedelivered() ? "*" : ""));
                        if (message.room() != null) {
                            session.room(message.requireRoom()).send(SAID, message.data());
                            said.add(message.data());
                        }
                        behind.run();
                    }));

    @AfterEach
    void close() {
        test.release();
        test.close();
    }

    /** The token is the user's name; one that begins with it and "-for-10s" expires then. */
    private CompletableFuture<Authentication> authenticate(Credentials credentials) {
        String token = String.valueOf(credentials.token());
        if (!token.endsWith("-for-10s")) {
            return TestServer.byName(credentials);
        }
        Instant end = Instant.ofEpochMilli(test.time.currentTimeMillis() + 10_000);
        String user = token.substring(0, token.indexOf('-'));
        return CompletableFuture.completedFuture(Authentication.of(user).withExpiry(end));
    }

    private TestPeer hello(String more) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345'" + more + "}}");
        return peer;
    }

    private TestPeer resume(JsonObject welcome, String positions) {
        return hello(",'session':'" + welcome.get("session").getAsString() + "','positions':{" + positions + "}");
    }

    private TestPeer member() {
        TestPeer ann = hello("");
        ann.send("{'type':'$join','room':'chat:1','ref':'j'}");
        ann.next("$reply");
        return ann;
    }

    private Session session() {
        return test.server.connections().sessions().iterator().next();
    }

    private static void say(TestPeer peer, long seq, String text) {
        peer.post("{'type':'say','room':'chat:1','seq':" + seq + ",'data':'" + text + "'}");
    }

    @Test
    void connectionThatIsBeingClosedIsNotGivenUpWhileItIsHeard() {
        TestPeer ann = hello("");
        ann.send("{'type':'$auth','ref':'a','data':{'token':'ann-for-10s'}}");
        ann.next("$reply");
        test.executor.hold();
        test.time.advance(Duration.ofSeconds(10));
        test.executor.pass();
        for (int i = 1; i <= 12; i++) {
            say(ann, i, "too late");
            test.time.advance(Duration.ofSeconds(10));
        }
        for (int i = 1; i <= 12; i++) {
            ann.ping();
            test.time.advance(Duration.ofSeconds(10));
        }
        test.release();
        assertEquals(CloseReason.TOKEN_EXPIRED, ann.closeCode());
    }

    // ---------------------------------------------------------------- the connection is gone

    @Test
    void joinOfLostConnectionTakesEffectWithoutReply() {
        TestPeer ann = hello("");
        JsonObject welcome = ann.data("$welcome");
        test.executor.hold();
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        say(ann, 1, "m");
        test.settle();
        ann.cut();
        test.executor.pass();
        TestPeer again = resume(welcome, "");
        assertFalse(again.data("$welcome").getAsJsonObject("rooms").has("chat:1"));
        test.release();
        assertEquals(List.of("m"), handled);
        assertEquals(List.of("m"), said, "sent as a member");
        assertEquals(List.of(), again.types(), "it does not know where the room begins");
        again.send("{'type':'$join','room':'chat:1','ref':'2','data':{'history':5}}");
        assertEquals("2", again.next("$reply").get("ref").getAsString());
        assertEquals("m", again.next("said").get("data").getAsString());
    }

    @Test
    void roomOfALostJoinStandsInTheNextWelcome() {
        TestPeer ann = hello("");
        JsonObject welcome = ann.data("$welcome");
        test.executor.hold();
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        ann.cut();
        test.release();
        TestPeer again = resume(welcome, "");
        assertTrue(again.data("$welcome").getAsJsonObject("rooms").has("chat:1"));
        assertEquals(List.of(), again.types());
    }

    @Test
    void leaveHistoryAndAuthOfLostConnectionDoNothing() {
        TestPeer ann = member();
        JsonObject welcome = ann.data("$welcome");
        test.executor.hold();
        ann.send("{'type':'$leave','room':'chat:1','ref':'1'}");
        ann.send("{'type':'$history','room':'chat:1','ref':'2'}");
        ann.send("{'type':'$history','room':'secret','ref':'3'}");
        ann.send("{'type':'$auth','ref':'4','data':{'token':'ann-for-10s'}}");
        ann.send("{'type':'$auth','ref':'5','data':{'token':'bad'}}");
        ann.cut();
        test.executor.pass();
        TestPeer again = resume(welcome, "");
        again.next("$welcome");
        test.release();
        test.time.advance(Duration.ofSeconds(20));
        assertEquals(List.of(), again.types());
        assertNull(again.closed(), "the token of this connection does not expire");
        assertTrue(session().isIn("chat:1"));
    }

    // ---------------------------------------------------------------- the session is over

    @Test
    void kickedSessionHandlesNothingThatWaits() {
        TestPeer ann = member();
        say(ann, 1, "before");
        test.settle();
        test.executor.hold();
        say(ann, 2, "two");
        ann.send("{'type':'say','room':'chat:1','data':'unnumbered'}");
        say(ann, 3, "three");
        test.settle();
        assertEquals(3, test.server.stats().waiting());
        say(ann, 4, "four"); // on its way when the session ends
        session().disconnect("out");
        assertEquals(0, test.server.connections().room("chat:1").localMembers().size(), "at once");
        assertEquals(0, test.server.stats().sessions());
        assertEquals(0, test.server.stats().waiting());
        test.settle();
        assertEquals(CloseReason.KICKED, ann.closeCode());
        test.release();
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(List.of("before"), handled);

        TestPeer anew = hello("");
        JsonObject welcome = anew.data("$welcome");
        assertTrue(welcome.get("known").getAsBoolean());
        assertEquals(1, welcome.get("seq").getAsLong(), "nothing else is acknowledged");
        for (int seq = 2; seq <= 4; seq++) {
            anew.send("{'type':'say','seq':" + seq + ",'redelivered':true,'data':'" + seq + "'}");
            anew.send("{'type':'say','seq':" + seq + ",'redelivered':true,'data':'" + seq + "'}");
        }
        assertEquals(List.of("before", "2*", "3*", "4*"), handled, "each once, as if it had never been sent");
    }

    @Test
    void helloAfterADisconnectIsANewLogin() {
        TestPeer open = test.connect("realtime.v1", "/ws");
        test.server.connections().user("ann").disconnect("out");
        open.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345'}}");
        assertFalse(open.data("$welcome").get("resumed").getAsBoolean());
    }

    @Test
    void sessionThatExpiresHandlesWhatWaits() {
        TestPeer ann = member();
        test.executor.hold();
        say(ann, 1, "one");
        say(ann, 2, "two");
        test.settle();
        ann.cut();
        test.time.advance(Duration.ofMinutes(6));
        assertEquals(1, test.server.connections().room("chat:1").localMembers().size());
        test.release();
        assertEquals(List.of("one", "two"), handled);
        assertEquals(List.of("one", "two"), said, "sent as the member that it was");
        assertEquals(0, test.server.connections().room("chat:1").localMembers().size());
        assertEquals(0, test.server.stats().sessions());
    }

    @Test
    void kickEndsASessionThatIsDraining() {
        TestPeer ann = member();
        test.executor.hold();
        say(ann, 1, "one");
        test.settle();
        ann.cut();
        test.time.advance(Duration.ofMinutes(6));
        session().disconnect("out");
        assertEquals(0, test.server.connections().room("chat:1").localMembers().size());
        assertEquals(0, test.server.stats().sessions());
        test.release();
        assertEquals(List.of(), handled);
    }

    @Test
    void kickOfAReplacedSessionEndsItsSuccessor() {
        TestPeer old = member();
        Session replaced = session();
        test.executor.hold();
        say(old, 1, "one");
        test.settle();
        test.executor.pass();
        TestPeer anew = hello("");
        anew.next("$welcome");
        replaced.disconnect("out");
        test.settle();
        assertEquals(CloseReason.KICKED, anew.closeCode());
        test.release();
        assertEquals(List.of(), handled);
        assertEquals(0, test.server.stats().sessions());
    }

    @Test
    void sessionThatIsKickedWithNothingToHandleLeavesItsRoomsAtOnce() {
        TestPeer ann = member();
        test.executor.hold();
        session().disconnect("out");
        assertEquals(0, test.server.connections().room("chat:1").localMembers().size());
        assertEquals(0, test.server.stats().sessions());
        test.settle();
        assertEquals(CloseReason.KICKED, ann.closeCode());
    }

    @Test
    void repeatLeavesAKickedSessionNothingToWaitFor() {
        TestPeer ann = member();
        say(ann, 1, "one");
        test.settle();
        say(ann, 1, "one"); // a repeat is received and done with at once
        test.settle();
        test.executor.hold();
        session().disconnect("out");
        assertEquals(0, test.server.stats().sessions());
        assertEquals(List.of("one"), handled);
    }

    @Test
    void acknowledgementOfWhatEarlierSessionReceivedReachesNewOne() {
        TestPeer old = member();
        test.executor.hold();
        say(old, 1, "one");
        say(old, 2, "two");
        test.settle();
        test.executor.pass();
        TestPeer anew = hello("");
        assertEquals(0, anew.data("$welcome").get("seq").getAsLong());
        test.release();
        test.time.advance(Duration.ofMillis(100));
        assertEquals(List.of("one", "two"), handled);
        assertEquals(2, anew.data("$ack").get("seq").getAsLong());
    }

    @Test
    void acknowledgementOfManyReachesNewSessionWithoutDelay() {
        TestPeer old = member();
        test.executor.hold();
        for (int i = 1; i <= 64; i++) {
            say(old, i, "m" + i);
        }
        test.settle();
        test.executor.pass();
        TestPeer anew = hello("");
        anew.next("$welcome");
        test.release();
        assertEquals(64, anew.data("$ack").get("seq").getAsLong());
    }

    // ---------------------------------------------------------------- the server is closed

    /** Another message waits behind the one that is handled, so what its handler sent waits for the end of the burst. */
    @Test
    void messageOfABurstLeavesBeforeTheClose() {
        TestPeer ann = member();
        TestPeer ben = test.managed("ben");
        ben.send("{'type':'$join','room':'chat:1','ref':'j'}");
        test.executor.hold();
        say(ann, 1, "last");
        say(ann, 2, "not handled any more");
        test.settle();
        behind = () -> test.server.close(Duration.ZERO);
        test.release();
        assertEquals(List.of("last"), said);
        assertEquals("last", ben.next("said").get("data").getAsString());
        assertEquals(CloseReason.DRAINING, ben.closeCode());
    }

    @Test
    void closedServerHandlesNoWaitingTasks() {
        TestPeer ann = member();
        say(ann, 1, "before");
        test.settle();
        test.executor.hold();
        say(ann, 2, "m");
        ann.send("{'type':'$join','room':'chat:2','ref':'1'}");
        assertEquals(1, test.executor.size(), "the mailbox waits for its turn");
        test.server.close(Duration.ZERO);
        test.release();
        assertEquals(List.of("before"), handled);
        assertFalse(ann.types().contains("$reply"));
        assertEquals(CloseReason.DRAINING, ann.closeCode());
    }
}
