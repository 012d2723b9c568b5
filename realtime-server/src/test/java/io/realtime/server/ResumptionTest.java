package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client that comes back gets: its session, its place in each room, its numbers, or an honest no. */
class ResumptionTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<String> SAID = Event.of("said", String.class);

    private final List<String> handled = new ArrayList<>();
    private final List<String> said = new ArrayList<>();
    private TestServer test = start(builder -> builder);

    private TestServer start(UnaryOperator<RealtimeServer.Builder> config) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                TestServer::byName,
                builder -> config.apply(builder.allowJoin((session, room) -> room.startsWith("chat:"))
                        .on(SAY, (session, message) -> {
                            handled.add(message.data() + (message.isRedelivered() ? "*" : ""));
                            if (message.room() != null) {
                                session.room(message.requireRoom()).send(SAID, message.data());
                                said.add(message.data());
                            }
                        })));
        return test;
    }

    @AfterEach
    void close() {
        test.release();
        test.close();
    }

    private TestPeer hello(String user, String more) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'" + user + "'" + more + "}}");
        return peer;
    }

    private static String client(String id) {
        return ",'client':'" + id + "-0123456789012345'";
    }

    private static String resume(JsonObject welcome, String positions) {
        return ",'session':'" + welcome.get("session").getAsString() + "','positions':{" + positions + "}";
    }

    // ---------------------------------------------------------------- a session that is not the asker's

    @ParameterizedTest
    @ValueSource(strings = {"forged", "", "x", "s-00000000000000000000000000000000", "\\u0000"})
    void unknownSessionIsANewOne(String secret) {
        JsonObject welcome =
                hello("ann", client("c") + ",'session':'" + secret + "'").data("$welcome");
        assertFalse(welcome.get("resumed").getAsBoolean());
        assertEquals(1, test.server.stats().sessions());
    }

    @Test
    void sessionOfAnotherClientOfTheSameUserIsNotResumed() {
        TestPeer phone = hello("ann", client("phone"));
        JsonObject welcome = phone.data("$welcome");
        JsonObject other = hello("ann", client("laptop") + resume(welcome, "")).data("$welcome");
        assertFalse(other.get("resumed").getAsBoolean(), "its numbers would be taken for the phone's");
        assertNull(phone.closed());
    }

    @Test
    void inboxOfALivingSessionDoesNotAge() {
        TestPeer ann = hello("ann", client("c"));
        JsonObject welcome = ann.data("$welcome");
        String epoch = welcome.getAsJsonObject("rooms")
                .getAsJsonObject("@session")
                .get("epoch")
                .getAsString();
        Session session = test.server.connections().user("ann").sessions().get(0);
        session.send(SAID, "early");
        for (int i = 0; i < 360; i++) { // an hour, in which the connection may be half open
            ann.ping();
            test.time.advance(Duration.ofSeconds(10));
        }
        session.send(SAID, "late");
        ann.cut();
        TestPeer again = hello("ann", client("c") + resume(welcome, "'@session':['" + epoch + "',0]"));
        assertTrue(again.data("$welcome")
                .getAsJsonObject("rooms")
                .getAsJsonObject("@session")
                .get("recovered")
                .getAsBoolean());
        assertEquals("early", again.next("said").get("data").getAsString());
        assertEquals("late", again.next("said").get("data").getAsString());
    }

    @Test
    void sessionIsNotResumedAfterItsTimeToLive() {
        start(builder -> builder.sessionTtl(Duration.ofMinutes(1)));
        TestPeer ann = hello("ann", client("c"));
        JsonObject welcome = ann.data("$welcome");
        ann.cut();
        test.time.advance(Duration.ofMinutes(1));
        JsonObject again = hello("ann", client("c") + resume(welcome, "")).data("$welcome");
        assertFalse(again.get("resumed").getAsBoolean());
        assertTrue(again.get("known").getAsBoolean(), "the record of its numbers outlives the session");
        assertNotEquals(
                welcome.get("session").getAsString(), again.get("session").getAsString());
    }

    // ---------------------------------------------------------------- positions

    @ParameterizedTest
    @CsvSource({
        "1, true,",
        "3, true,",
        "4, false, ahead",
        "9007199254740991, false, ahead",
        "0, true,",
    })
    void positionIsContinuedOrRefusedWithReason(long offset, boolean recovered, String reason) {
        TestPeer ann = hello("ann", client("c"));
        JsonObject welcome = ann.data("$welcome");
        ann.send("{'type':'$join','room':'chat:1','ref':'j'}");
        String epoch = ann.data("$reply").get("epoch").getAsString();
        for (int i = 1; i <= 3; i++) {
            test.server.connections().room("chat:1").send(SAID, "m" + i);
        }
        ann.cut();
        TestPeer again = hello("ann", client("c") + resume(welcome, "'chat:1':['" + epoch + "'," + offset + "]"));
        JsonObject room = again.data("$welcome").getAsJsonObject("rooms").getAsJsonObject("chat:1");
        assertEquals(recovered, room.get("recovered").getAsBoolean());
        assertEquals(reason, room.has("reason") ? room.get("reason").getAsString() : null);
        assertEquals(recovered ? offset : 3, room.get("offset").getAsLong());
        List<String> replayed = new ArrayList<>();
        while (again.types().contains("said")) {
            replayed.add(again.next("said").get("data").getAsString());
        }
        assertEquals(
                recovered ? List.of("m1", "m2", "m3").subList((int) offset, 3) : List.of(),
                replayed,
                "all behind the position, or nothing");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'chat:1':['e',-1]",
                "'chat:1':['e',1.5]",
                "'chat:1':['e','x']",
                "'chat:1':['e']",
                "'chat:1':[]",
                "'chat:1':{}",
                "'chat:1':7",
                "'chat:1':[null,1]",
                "'chat:1':[1,1]",
                "'chat:1':['e',1,1]",
                "'chat:1':['e','1']",
                "'chat:1':['e',99999999999999999999]",
            })
    void malformedPositionEndsTheHelloWithReason(String positions) {
        TestPeer ann = hello("ann", client("c") + ",'positions':{" + positions + "}");
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
        assertEquals("bad_message", ann.data("$error").get("code").getAsString());
        assertEquals(0, test.server.stats().sessions());
    }

    @Test
    void positionsOfRoomsThatSessionIsNotInJoinAndReadNothing() {
        test.server.connections().room("chat:secret").send(SAID, "secret");
        TestPeer ann = hello("ann", client("c"));
        JsonObject welcome = ann.data("$welcome");
        String epoch = welcome.getAsJsonObject("rooms")
                .getAsJsonObject("@all")
                .get("epoch")
                .getAsString();
        ann.cut();
        TestPeer again = hello(
                "ann",
                client("c")
                        + resume(
                                welcome,
                                "'chat:secret':['" + epoch + "',0],'@user:bob':['" + epoch + "',0],'':['" + epoch
                                        + "',0]"));
        JsonObject rooms = again.data("$welcome").getAsJsonObject("rooms");
        assertEquals(java.util.Set.of("@user", "@session", "@all"), rooms.keySet());
        assertFalse(again.types().contains("said"));
    }

    @Test
    void positionOfAnEarlierServerIsOfAnotherEpoch() {
        JsonObject welcome = hello(
                        "ann", client("c") + ",'session':'old','positions':{'@all':['before',3],'@user':['before',0]}")
                .data("$welcome");
        for (String room : List.of("@all", "@user")) {
            JsonObject at = welcome.getAsJsonObject("rooms").getAsJsonObject(room);
            assertFalse(at.get("recovered").getAsBoolean());
            assertEquals("epoch", at.get("reason").getAsString());
        }
    }

    /** Were more sent at once than a connection holds behind what is on its way, the reader would be cut off forever. */
    @Test
    void longReplayNeverClosesAReaderThatReads() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1000).outboundBytes(2000).build()));
        TestPeer ann = hello("ann", client("c"));
        JsonObject welcome = ann.data("$welcome");
        StringBuilder positions = new StringBuilder();
        for (String room : List.of("chat:1", "chat:2")) {
            ann.send("{'type':'$join','room':'" + room + "','ref':'j'}");
            String epoch = ann.data("$reply").get("epoch").getAsString();
            positions.append(positions.isEmpty() ? "" : ",").append("'" + room + "':['" + epoch + "',0]");
        }
        ann.cut();
        for (int i = 0; i < 300; i++) {
            for (String room : List.of("chat:1", "chat:2")) {
                test.server.connections().room(room).send(SAID, i + "x".repeat(i * 7 % 800));
            }
        }
        TestPeer again = hello("ann", client("c") + resume(welcome, positions.toString()));
        test.time.advance(Duration.ofSeconds(5));
        assertNull(again.closed());
        for (String room : List.of("chat:1", "chat:2")) {
            List<Long> offsets = again.received().stream()
                    .filter(frame ->
                            frame.has("room") && frame.get("room").getAsString().equals(room))
                    .map(frame -> frame.get("offset").getAsLong())
                    .toList();
            assertEquals(LongStream.rangeClosed(1, 300).boxed().toList(), offsets, room);
        }
    }

    // ---------------------------------------------------------------- numbers

    @Test
    void lowerNumberIsSkippedAndHigherNumberIsProcessed() {
        TestPeer ann = hello("ann", client("c"));
        ann.send("{'type':'say','seq':5,'data':'five'}");
        ann.send("{'type':'say','seq':5,'data':'five again'}");
        ann.send("{'type':'say','seq':3,'data':'three'}");
        ann.send("{'type':'say','seq':9007199254740991,'data':'last'}");
        ann.send("{'type':'say','seq':6,'data':'six'}");
        test.time.advance(Duration.ofMillis(200));
        assertEquals(List.of("five", "last"), handled);
        assertEquals(
                9007199254740991L,
                ann.received()
                        .get(ann.received().size() - 1)
                        .getAsJsonObject("data")
                        .get("seq")
                        .getAsLong());
        assertNull(ann.closed());
    }

    @Test
    void clientsOfOneUserHaveNumbersOfTheirOwn() {
        hello("ann", client("phone")).send("{'type':'say','seq':1,'data':'phone'}");
        hello("ann", client("laptop")).send("{'type':'say','seq':1,'data':'laptop'}");
        hello("bob", client("phone")).send("{'type':'say','seq':1,'data':'bob'}");
        test.settle();
        assertEquals(List.of("phone", "laptop", "bob"), handled);
    }

    @Test
    void messageInAHandlerIsAcknowledgedOnTheNextConnection() {
        TestPeer ann = hello("ann", client("c"));
        JsonObject welcome = ann.data("$welcome");
        test.executor.hold();
        ann.send("{'type':'say','seq':1,'data':'slow'}");
        ann.cut();
        test.executor.pass();
        TestPeer again = hello("ann", client("c") + resume(welcome, ""));
        assertEquals(0, again.data("$welcome").get("seq").getAsLong(), "not processed, so not acknowledged");
        again.send("{'type':'say','seq':1,'redelivered':true,'data':'slow'}");
        test.time.advance(Duration.ofMillis(200));
        assertTrue(again.types().stream().filter("$ack"::equals).count() <= 1, "nothing is processed yet");
        again.clear();
        test.release();
        test.time.advance(Duration.ofMillis(200));
        assertEquals(List.of("slow"), handled);
        assertEquals(1, again.data("$ack").get("seq").getAsLong());
    }

    @Test
    @Timeout(20)
    void messageIsAcknowledgedOnlyWhenItsHandlerHasReturned() throws Exception {
        CountDownLatch entered = new CountDownLatch(1);
        CountDownLatch mayReturn = new CountDownLatch(1);
        List<Thread> threads = new ArrayList<>();
        AtomicBoolean isReal = new AtomicBoolean();
        start(builder -> builder.on(Event.of("block", String.class), (session, message) -> {
                    entered.countDown();
                    mayReturn.await();
                })
                .executor(task -> {
                    if (isReal.get()) {
                        Thread thread = new Thread(task);
                        threads.add(thread);
                        thread.start();
                    } else {
                        test.time.execute(task);
                    }
                }));
        TestPeer ann = hello("ann", client("c"));
        isReal.set(true);
        ann.send("{'type':'block','seq':1,'data':'x'}");
        entered.await();
        test.time.advance(Duration.ofSeconds(1));
        assertFalse(ann.types().contains("$ack"));
        mayReturn.countDown();
        threads.get(0).join();
        isReal.set(false);
        test.time.advance(Duration.ofMillis(200));
        assertEquals(1, ann.data("$ack").get("seq").getAsLong());
    }

    @Test
    void newSessionOfClientFollowsTheOldOnesHandlers() {
        TestPeer old = hello("ann", client("c"));
        old.send("{'type':'$join','room':'chat:1','ref':'j'}");
        test.executor.hold();
        old.send("{'type':'say','seq':1,'room':'chat:1','data':'one'}");
        old.send("{'type':'say','seq':2,'room':'chat:1','data':'two'}");
        test.executor.pass(); // the client's process dies; it begins anew with the same id
        TestPeer anew = hello("ann", client("c"));
        JsonObject welcome = anew.data("$welcome");
        assertFalse(welcome.get("resumed").getAsBoolean());
        assertTrue(welcome.get("known").getAsBoolean());
        assertEquals(CloseReason.SESSION_REPLACED, old.closeCode());
        anew.send("{'type':'say','seq':2,'redelivered':true,'data':'two'}");
        anew.send("{'type':'say','seq':3,'data':'three'}");
        test.executor.runNext();
        test.time.advance(Duration.ofMillis(200));
        assertEquals(List.of("one", "two", "three"), handled, "in order, each once");
        assertEquals(List.of("one", "two"), said, "sent as the member that the client was");
        assertEquals(3, anew.data("$ack").get("seq").getAsLong());
        assertEquals(1, test.server.stats().sessions());
        assertEquals(1, test.server.stats().clients());
    }

    @Test
    void abandonedConnectionDoesNotTakeTheClientFromTheNext() {
        List<String> life = new ArrayList<>();
        start(builder -> builder.listener(new SessionListener() {
            @Override
            public void onOpen(Session session) {
                life.add("open " + session.id());
            }

            @Override
            public void onClose(Session session, CloseReason reason) {
                life.add("close " + session.id());
            }
        }));
        TestPeer late = test.connect("realtime.v1", "/ws");
        TestPeer next = hello("ann", client("c"));
        next.next("$welcome");
        late.send("{'type':'$hello','data':{'token':'ann'" + client("c") + "}}");
        assertEquals(CloseReason.SESSION_REPLACED, late.closeCode());
        assertNull(next.closed());
        assertEquals(1, test.server.stats().sessions());
        String id = test.server.connections().sessions().iterator().next().id();
        assertEquals(List.of("open " + id), life, "nobody hears of a session that never began");
        test.server.connections().user("ann").disconnect("kicked");
        test.settle();
        assertEquals(List.of("open " + id, "close " + id), life);
    }

    /** Its answer would say where the room begins on this connection, and the client would not know that it does. */
    @Test
    void joinThatWasAskedOnLostConnectionIsNotAnsweredOnNext() {
        TestPeer ann = hello("ann", client("c"));
        JsonObject welcome = ann.data("$welcome");
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        String epoch = ann.data("$reply").get("epoch").getAsString();
        test.server.connections().room("chat:1").send(SAID, "missed");
        test.executor.hold();
        ann.send("{'type':'$join','room':'chat:1','ref':'2'}");
        ann.send("{'type':'$leave','room':'chat:1','ref':'3'}");
        ann.cut();
        test.executor.pass();
        TestPeer again = hello("ann", client("c") + resume(welcome, "'chat:1':['" + epoch + "',0]"));
        test.release();
        assertEquals(List.of("$welcome", "said"), again.types());
        test.server.connections().room("chat:1").send(SAID, "next");
        test.settle();
        assertEquals(List.of("$welcome", "said", "said"), again.types(), "still a member, from where the welcome said");
    }

    @Test
    void missingAcknowledgementsCostOnlyTheRetention() {
        start(builder -> builder.inboxRetention(new Retention(10, Duration.ofDays(7))));
        TestPeer ann = hello("ann", client("c"));
        for (int i = 0; i < 1000; i++) {
            test.server.connections().user("ann").send(SAID, "m" + i);
            test.settle();
        }
        assertEquals(1000, ann.types().stream().filter("said"::equals).count());
        assertTrue(test.server.stats().logBytes() < 15 * 300, "kept " + test.server.stats());
    }
}
