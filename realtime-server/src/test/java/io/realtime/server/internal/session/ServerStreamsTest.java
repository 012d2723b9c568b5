package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.server.Limits;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.testing.InMemoryNetwork;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The streams that a client requests and a handler produces. */
class ServerStreamsTest extends ServerCallsFixture {
    // ---- streams for a client

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void streamSendsAsFarAsItsCredit(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 100));
        assertEquals(64, items(ann, "q").size());
        ann.send(credit("{'streams':{'q':70}}"));
        assertEquals(70, items(ann, "q").size());
        ann.send(credit("{'streams':{'q':69}}"));
        assertEquals(70, items(ann, "q").size());
        ann.send(credit("{'streams':{'q':9007199254740991}}"));
        assertEquals(100, items(ann, "q").size());
        JsonObject end = ann.next("$end");
        assertEquals("q", end.get("ref").getAsString());
        assertEquals(100, end.get("index").getAsInt());
        assertEquals(isManaged, end.has("offset"));
        assertNull(ann.closed());
    }

    @Test
    void streamIsBoundedByTheUnreadInbox() {
        TestPeer ann = test.managed("ann");
        ann.send(ask("q", 600));
        ann.send(credit("{'streams':{'q':1000}}"));
        assertEquals(250, items(ann, "q").size());
        long full = test.server.stats().logBytes();
        ann.send(credit("{'read':250}"));
        assertEquals(500, items(ann, "q").size());
        assertTrue(test.server.stats().logBytes() <= full + 1_000, "what was read is forgotten");
        ann.send(credit("{'read':250}"));
        assertEquals(500, items(ann, "q").size());
        ann.send(credit("{'read':500}"));
        assertEquals(600, items(ann, "q").size());
        ann.send(credit("{'read':601}"));
        assertTrue(test.server.stats().logBytes() < full / 10, "nothing is kept that was read");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void cancelDoesNotWaitForAHandlerThatIsBusy(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 1_000));
        test.executor.hold();
        ann.send("{'type':'say','data':'x'}");
        ann.send("{'type':'$cancel','ref':'q'}");
        assertEquals(List.of(), said);
        assertTrue(sinks.get(0).isCancelled());
        test.release();
        assertEquals("cancelled", ann.data("$error").get("code").getAsString());
        assertEquals(64, items(ann, "q").size());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void creditDoesNotWaitForAHandlerThatIsBusy(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 1_000));
        test.executor.hold();
        ann.send("{'type':'say','data':'x'}");
        ann.send(credit("{'streams':{'q':65}}"));
        assertEquals(List.of(), said);
        assertTrue(sinks.get(0).isReady());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void acknowledgementOfInboxDoesNotWaitForHandlerThatIsBusy(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        test.server.connections().user("ann").send(SAY, "to the inbox");
        test.executor.hold();
        ann.send("{'type':'say','data':'x'}");
        ann.send("{'type':'$ack','data':{'offset':1}}");
        assertEquals(List.of(), said);
        test.executor.pass(); // for others, the handler does not go on
        String all = test.managed("ann").received().toString();
        assertFalse(all.contains("to the inbox"), all);
    }

    @Test
    void cancelAfterItsQuestionInABusyMailboxIsHeard() {
        TestPeer ann = test.managed("ann");
        ann.send(ask("first", 0)); // so that the session has streams at all
        test.executor.hold();
        ann.send(ask("q", 1_000));
        ann.send("{'type':'$cancel','ref':'q'}");
        test.release();
        assertTrue(sinks.get(1).isCancelled());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void refThatIsInUseIsRefusedAndItsStreamGoesOn(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 65));
        assertEquals("bad_message", ann.errorOf(ask("q", 5)));
        assertEquals(1, sinks.size());
        ann.send(credit("{'streams':{'q':65}}"));
        assertEquals(65, items(ann, "q").size());
        ann.next("$end");
        ann.send(ask("q", 0));
        ann.next("$end");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void moreStreamsThanTheLimitAreRefusedUntilOneEnds(boolean isManaged) {
        start(builder -> builder.limits(Limits.builder().streamsPerSession(2).build()));
        TestPeer ann = peer(isManaged);
        ann.send(ask("a", 100));
        ann.send(ask("b", 100));
        ann.send(ask("c", 100));
        JsonObject refused = ann.next("$error");
        assertEquals("c", refused.get("ref").getAsString());
        assertEquals("overloaded", refused.getAsJsonObject("data").get("code").getAsString());
        ann.send("{'type':'$cancel','ref':'a'}");
        ann.next("$error");
        ann.send(ask("c", 100));
        assertEquals(64, items(ann, "c").size());
    }

    @Test
    void streamNeedsARef() {
        TestPeer ann = test.plain("ann");
        assertEquals("bad_message", ann.errorOf("{'type':'count','data':5}"));
        assertEquals("bad_data", ann.errorOf("{'type':'count','ref':'q','data':'x'}"));
        assertEquals(List.of(), sinks);
    }

    @Test
    void streamsOfAPageLeaveHalfOfItsConnectionFree() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1_000).outboundBytes(4_000).build()));
        TestPeer page = test.plain("ann");
        page.clear();
        test.network.stallClients(true);
        page.send(ask("q", 1_000));
        page.send(credit("{'streams':{'q':1000}}"));
        long waiting = test.network.links().get(0).outboundBytes(InMemoryNetwork.Direction.TO_CLIENT);
        assertTrue(waiting > 2_000 && waiting < 2_200, waiting + " bytes");
        test.network.stallClients(false);
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(1_000, items(page, "q").size());
        assertNull(page.closed());
    }

    @Test
    void streamsEndWithTheirSession() {
        TestPeer plain = test.plain("bob");
        plain.send(ask("q", 100));
        plain.cut();
        assertTrue(sinks.get(0).isCancelled());

        TestPeer ann = test.managed("ann");
        ann.send(ask("q", 100));
        ann.cut();
        assertFalse(sinks.get(1).isCancelled(), "the session lives on");
        sessions.get(1).disconnect("enough");
        assertTrue(sinks.get(1).isCancelled());
        assertFalse(sinks.get(1).offer(1));
    }

    @Test
    void streamSurvivesALostConnection() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        JsonObject welcome = ann.data("$welcome");
        String epoch = welcome.getAsJsonObject("rooms")
                .getAsJsonObject("@session")
                .get("epoch")
                .getAsString();
        ann.send(ask("q", 100));
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + welcome.get("session").getAsString() + "','positions':{'@session':['" + epoch + "',0]}}}");
        assertEquals(64, items(again, "q").size());
        again.send(credit("{'streams':{'q':100}}"));
        assertEquals(100, items(again, "q").size());
        again.next("$end");
    }

    @Test
    void streamWhoseTurnComesAfterItsSessionIsRefusedInNext() {
        TestPeer ann = test.managed("ann");
        test.executor.hold();
        ann.send("{'type':'count','ref':'q','seq':1,'data':100}");
        test.executor.pass();
        TestPeer again = test.managed("ann"); // who has lost the name of the session
        assertEquals(CloseReason.SESSION_REPLACED, ann.closeCode());
        test.release();
        JsonObject error = again.next("$error");
        assertEquals("q", error.get("ref").getAsString());
        assertEquals(
                "connection_lost", error.getAsJsonObject("data").get("code").getAsString());
        assertEquals(List.of(), sinks);
    }

    @Test
    void inboxGapEndsStreamsAndRequests() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        JsonObject welcome = ann.data("$welcome");
        ann.send(ask("q", 100));
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "four");
        Heard heard = new Heard();
        sessions.get(0).stream(DIGITS, "pi", heard);
        test.settle();
        ann.cut();
        assertFalse(sinks.get(0).isCancelled() || length.isDone());
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + welcome.get("session").getAsString() + "','positions':{'@session':['other',1]}}}");
        assertTrue(again.data("$welcome").get("resumed").getAsBoolean());
        assertTrue(sinks.get(0).isCancelled());
        assertEquals(ErrorCode.CONNECTION_LOST, failure(length));
        assertEquals(ErrorCode.CONNECTION_LOST, heard.failure());
        assertTrue(again.next("$cancel").get("ref").getAsString().endsWith("-2"), "the stream's");
        assertFalse(again.types().contains("$cancel"), "the request is given up, and nobody need know");
    }
}
