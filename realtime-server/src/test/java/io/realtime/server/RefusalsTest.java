package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.internal.wire.ErrorData;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.execution.Bursts;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.execution.Pool;
import io.realtime.server.internal.session.ClientRecords;
import io.realtime.server.internal.session.Refusals;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A client hears why its messages were refused, though the session is over in which they were. */
class RefusalsTest {
    private static final Event<Integer> COUNT = Event.of("count", Integer.class);
    private static final Event<String> TEXT = Event.of("text", String.class);
    private static final Request<Integer, Integer> HALF = Request.of("half", Integer.class, Integer.class);

    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.limits(Limits.builder().inflight(4).build())
                    .on(COUNT, (session, message) -> {
                        if (message.data() < 0) {
                            throw new RealtimeException(ErrorCode.of("negative"), "no " + message.data());
                        }
                    })
                    .onRequest(HALF, (session, number) -> {
                        throw new RealtimeException(ErrorCode.of("odd"), number + " is odd");
                    }));

    @AfterEach
    void close() {
        test.release();
        test.close();
    }

    private static String count(long seq, int number) {
        return "{'type':'count','seq':" + seq + ",'data':" + number + "}";
    }

    /** The numbers of the refused messages of which a peer was told. */
    private static List<Long> refused(TestPeer peer) {
        List<Long> numbers = new ArrayList<>();
        for (JsonObject frame : peer.received()) {
            if (frame.get("type").getAsString().equals("$error")) {
                numbers.add(frame.get("seq").getAsLong());
            }
        }
        return numbers;
    }

    private void goodbye(TestPeer peer) {
        peer.close("");
        test.settle();
    }

    private TestPeer hello() {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        return peer;
    }

    @Test
    void refusalInALostInboxIsSentInTheNextSession() {
        TestPeer ann = test.managed("ann");
        ann.send(count(1, 7));
        ann.send(count(2, -7));
        ann.send(count(3, 7));
        ann.cut();
        test.time.advance(Duration.ofMinutes(6));
        TestPeer again = hello();
        assertEquals(List.of("$error", "$welcome"), again.types(), "before it hears of the new inbox");
        JsonObject welcome = again.data("$welcome");
        assertFalse(welcome.get("resumed").getAsBoolean());
        assertEquals(3, welcome.get("seq").getAsLong());
        assertEquals(List.of(2L), refused(again));
        assertEquals("no -7", again.data("$error").get("message").getAsString());
    }

    @Test
    void refusalAfterTheClientsCloseIsSentInTheNextSession() {
        TestPeer ann = test.managed("ann");
        test.executor.hold();
        ann.send(count(1, -1));
        ann.send("{'type':'half','ref':'q','seq':2,'data':3}");
        goodbye(ann);
        test.release();
        TestPeer again = hello();
        assertEquals(2, again.data("$welcome").get("seq").getAsLong());
        assertEquals(List.of(1L, 2L), refused(again));
        again.next("$error");
        assertEquals("q", again.next("$error").get("ref").getAsString());
    }

    @Test
    void resumptionRepeatsNoRefusal() {
        TestPeer ann = hello();
        JsonObject welcome = ann.data("$welcome");
        ann.send(count(1, -1));
        assertEquals(List.of(1L), refused(ann));
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        String epoch = welcome.getAsJsonObject("rooms")
                .getAsJsonObject("@session")
                .get("epoch")
                .getAsString();
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + welcome.get("session").getAsString() + "','positions':{'@session':['" + epoch + "',1]}}}");
        assertTrue(again.data("$welcome").get("resumed").getAsBoolean());
        assertEquals(List.of(), refused(again));
    }

    @Test
    void resumptionWithoutTheInboxRepeatsItsRefusals() {
        TestPeer ann = hello();
        JsonObject welcome = ann.data("$welcome");
        ann.send(count(1, -1));
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + welcome.get("session").getAsString() + "','positions':{'@session':['another',7]}}}");
        assertEquals(List.of("$error", "$welcome"), again.types(), "before it hears of the gap");
        assertTrue(again.data("$welcome").get("resumed").getAsBoolean());
        assertEquals(List.of(1L), refused(again));
    }

    /** Its client does not wait for an acknowledgement, and sends it once. */
    @Test
    void refusalOfAMessageWithoutANumberIsReportedOnce() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'count','data':-1}");
        ann.next("$error");
        goodbye(ann);
        assertEquals(List.of("$welcome"), hello().types());
    }

    @Test
    void unacknowledgedRefusalsAreRepeated() {
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 6; seq++) {
            ann.send(count(seq, -seq));
        }
        goodbye(ann);
        test.settle();
        assertEquals(List.of(3L, 4L, 5L, 6L), refused(hello()));
    }

    /** Its words may be longer than what a connection takes; its code is not. */
    @Test
    void longErrorIsToldInFewerWords() {
        try (TestServer small = new TestServer(
                TestServer::byName,
                builder -> builder.limits(Limits.builder()
                                .messageBytes(1_000)
                                .outboundBytes(2_000)
                                .build())
                        .on(COUNT, (session, message) -> {
                            throw new RealtimeException(ErrorCode.of("negative"), "\u0001".repeat(999));
                        })
                        .onRequest(HALF, (session, number) -> {
                            throw new RealtimeException(ErrorCode.of("odd"), "\u65e5".repeat(999));
                        }))) {
            TestPeer ann = small.managed("ann");
            ann.send(count(1, 1));
            assertEquals("negative", ann.data("$error").get("code").getAsString());
            ann.send("{'type':'half','ref':'q','seq':2,'data':3}");
            JsonObject odd = ann.data("$error");
            assertEquals("odd", odd.get("code").getAsString());
            assertTrue(odd.get("message").getAsString().startsWith("\u65e5\u65e5"), odd::toString);
            small.time.advance(Duration.ofMillis(100));
            assertEquals(2, ann.data("$ack").get("seq").getAsLong());
            ann.cut();
            small.time.advance(Duration.ofMinutes(6));
            TestPeer again = small.managed("ann");
            assertEquals(List.of(1L, 2L), refused(again));
        }
    }

    @Test
    void refusalsBeyondTheConnectionWaitInTheInbox() {
        try (TestServer small = new TestServer(
                TestServer::byName,
                builder -> builder.limits(Limits.builder()
                                .messageBytes(1_000)
                                .outboundBytes(2_000)
                                .rate(RateLimit.none())
                                .build())
                        .on(COUNT, (session, message) -> {
                            throw new RealtimeException(ErrorCode.of("negative"), "\u65e5".repeat(999));
                        }))) {
            TestPeer ann = small.managed("ann");
            List<Long> numbers = new ArrayList<>();
            String ref = "\u65e5".repeat(64);
            for (int seq = 1; seq <= 20; seq++) {
                ann.send("{'type':'count','ref':'" + ref + "','seq':" + seq + ",'data':1}");
                numbers.add((long) seq);
            }
            ann.cut();
            small.time.advance(Duration.ofMinutes(6));
            TestPeer again = small.connect("realtime.v1", "/ws");
            again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
            small.time.advance(Duration.ofSeconds(1));
            assertNull(again.closed());
            int before = again.types().indexOf("$welcome");
            assertTrue(before >= 1 && before < 3, again.types()::toString);
            assertEquals(20 - before, again.data("$welcome").get("answers").getAsInt());
            assertEquals(numbers, refused(again));
        }
    }

    /** The client reads slowly what it has missed, and meanwhile its inbox forgets the rest. */
    @Test
    void gapInTheInboxIsToldAfterTheRefusalsThatMayBeInIt() {
        try (TestServer small = new TestServer(
                TestServer::byName,
                builder -> builder.limits(Limits.builder()
                                .messageBytes(2_048)
                                .outboundBytes(16 * 1024)
                                .build())
                        .on(COUNT, (session, message) -> {
                            throw new RealtimeException(ErrorCode.of("negative"), "no");
                        }))) {
            TestPeer ann = small.connect("realtime.v1", "/ws");
            String hello = "{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'";
            ann.send(hello + "}}");
            JsonObject welcome = ann.data("$welcome");
            Session session = small.server.connections().sessions().iterator().next();
            for (int i = 0; i < 100; i++) {
                session.send(TEXT, "x".repeat(500));
            }
            ann.send(count(1, -1));
            ann.cut();
            TestPeer again = small.connect("realtime.v1", "/ws");
            small.network.stallClients(true);
            String epoch = welcome.getAsJsonObject("rooms")
                    .getAsJsonObject("@session")
                    .get("epoch")
                    .getAsString();
            again.send(hello + ",'session':'" + welcome.get("session").getAsString() + "','positions':{'@session':['"
                    + epoch + "',0]}}}");
            for (int i = 0; i < 1_200; i++) {
                session.send(TEXT, "y");
            }
            small.settle();
            small.network.stallClients(false);
            small.time.advance(Duration.ofSeconds(5));
            List<String> types = again.types();
            assertTrue(types.contains("$gap"), types::toString);
            assertEquals(types.indexOf("$gap") - 1, types.indexOf("$error"), types::toString);
            assertEquals(List.of(1L), refused(again));
        }
    }

    @Test
    void clientWithMostRefusalsLosesItsOwn() {
        Refusals refusals = new Refusals(Integer.MAX_VALUE);
        ErrorData error = ErrorData.of(ErrorCode.INTERNAL, "no", false);
        ClientRecords records = new ClientRecords(
                test.time,
                3,
                Duration.ofHours(1),
                (user, lock) -> new Mailbox(
                        new Pool("handlers", Pool.UNBOUNDED, test.time, test.time),
                        user,
                        test.time,
                        new Bursts(test.time, test.time),
                        10,
                        1000,
                        lock),
                refusals::forget);
        ClientRecords.ClientRecord anns = records.open("ann", "a").record();
        ClientRecords.ClientRecord eves = records.open("eve", "e").record();
        refusals.keep(anns, "ann", 1, null, error);
        for (int seq = 1; seq <= Refusals.MOST + 10; seq++) {
            refusals.keep(eves, "eve", seq, null, error);
        }
        assertEquals(Refusals.MOST, refusals.size());
        assertEquals(1, refusals.of(anns).size());
        assertEquals(12, refusals.of(eves).get(0).seq(), "the oldest went");
        assertEquals(Refusals.MOST - 1, refusals.of(eves).size());
        records.close(eves);
        test.time.advance(Duration.ofHours(2));
        ClientRecords.ClientRecord again = records.open("eve", "e").record();
        assertEquals(List.of(), refusals.of(again));
        assertEquals(1, refusals.size(), "they go with their client's record");
    }

    /** Around the longest that may wait for a connection, the names and numbers that a frame gets included. */
    @Test
    void errorOfAnyLengthIsReported() {
        try (TestServer small = new TestServer(
                TestServer::byName,
                builder -> builder.limits(Limits.builder()
                                .messageBytes(1_000)
                                .outboundBytes(4_000)
                                .rate(RateLimit.none())
                                .build())
                        .onRequest(HALF, (session, number) -> {
                            throw new RealtimeException(ErrorCode.of("odd"), "\u20ac".repeat(number));
                        }))) {
            TestPeer ann = small.managed("ann");
            for (int length = 550; length <= 700; length++) {
                ann.send("{'type':'half','ref':'q','seq':" + length + ",'data':" + length + "}");
                assertEquals("odd", ann.data("$error").get("code").getAsString(), () -> "of " + ann.received());
            }
            assertNull(ann.closed());
        }
    }
}
