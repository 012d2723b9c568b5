package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.ServerStats.Evictions;
import io.realtime.server.ServerStats.Recovery;
import io.realtime.server.ServerStats.Times;
import io.realtime.server.ServerStats.Traffic;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.stats.Counters;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What {@code server.stats()} counts, each number by what causes it. */
class StatsTest extends ChatServerFixture {
    private static final String HELLO = "{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'";

    private ServerStats stats() {
        return test.server.stats();
    }

    private TestPeer resume(JsonObject welcome, String positions) {
        TestPeer peer = test.connect(Protocol.SUBPROTOCOL, "/ws");
        peer.send(
                HELLO + ",'session':'" + welcome.get("session").getAsString() + "','positions':{" + positions + "}}}");
        return peer;
    }

    private TestPeer hello() {
        TestPeer peer = test.connect(Protocol.SUBPROTOCOL, "/ws");
        peer.send(HELLO + "}}");
        return peer;
    }

    @Test
    void sessionWithoutConnectionIsKeptNotOnline() {
        TestPeer ann = test.managed("ann");
        test.plain("bob");
        assertEquals(2, stats().online());
        ann.cut();
        assertEquals(1, stats().online());
        assertEquals(1, stats().kept());
        assertEquals(2, stats().sessions());
    }

    @Test
    void messagesAndBytesAreCountedBothWays() {
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        Traffic before = stats().traffic();
        assertEquals(2, before.connections());
        String question = "{'type':'echo','ref':'r','data':1}";
        ann.send(question);
        Traffic asked = stats().traffic();
        assertEquals(before.messagesIn() + 1, asked.messagesIn());
        assertEquals(before.bytesIn() + question.length(), asked.bytesIn());
        assertEquals(before.messagesOut() + 1, asked.messagesOut());
        test.server.connections().everyone().send(SAID, new Said("x", "to all"));
        test.settle();
        Traffic told = stats().traffic();
        assertEquals(asked.messagesOut() + 2, told.messagesOut());
        int length = bob.next("said").toString().length();
        assertTrue(told.bytesOut() - asked.bytesOut() >= 2L * length, told + " after " + asked);
    }

    @Test
    void refusedUpgradesAreCountedByCause() {
        test.connect("", "/other");
        test.connect("realtime.v9", "/ws");
        test.connect("", "/ws", Map.of("Origin", "https://evil.example"));
        test.connect("", "/ws", Map.of("Origin", "https://evil.example"));
        assertEquals(Map.of("path", 1L, "subprotocol", 1L, "origin", 2L), stats().refusedConnections());
        test.server.close(Duration.ZERO);
        assertNotNull(test.connect("", "/ws").failure());
    }

    @Test
    void connectionAboveTheLimitIsCounted() {
        start(builder -> builder.limits(Limits.builder().connections(1).build()));
        test.plain("ann");
        assertNotNull(test.connect("", "/ws?token=bob").failure());
        assertEquals(Map.of("limit", 1L), stats().refusedConnections());
    }

    @Test
    void refusedMessagesAreCountedByCode() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'fail','ref':'1'}");
        ann.send("{'type':'refuse','ref':'2'}");
        ann.send("{'type':'nothing','ref':'3'}");
        ann.send("{'type':'$join','ref':'4','room':'secret'}");
        ann.send("{'type':'say','ref':'5','data':{}}");
        ann.send("{'no':'type'}");
        assertEquals(
                Map.of(
                        "internal",
                        1L,
                        "sold_out",
                        1L,
                        "no_handler",
                        1L,
                        "forbidden",
                        1L,
                        "bad_data",
                        1L,
                        "bad_message",
                        1L),
                stats().refusedMessages());
    }

    @Test
    void namesThatAnApplicationInventsAreBounded() {
        Counters counters = new Counters();
        for (int i = 0; i < 1_000; i++) {
            counters.refusedMessage("code" + i);
        }
        assertEquals(101, counters.refusedMessages().size());
        assertEquals(900, counters.refusedMessages().get("other"));
    }

    @Test
    void closesAreCountedByCodeAndInventedOnesTogether() {
        test.plain("ann").close("done");
        test.settle();
        TestPeer bob = test.plain("bob");
        session("bob").disconnect("enough");
        test.settle();
        assertEquals(CloseReason.KICKED, bob.closeCode());
        assertEquals(Map.of(CloseReason.NORMAL, 1L, CloseReason.KICKED, 1L), stats().closes());
        Counters counters = new Counters();
        for (int code = 4900; code < 4999; code++) {
            counters.closed(new CloseReason(code, ""), true);
        }
        counters.closed(new CloseReason(4500, ""), false);
        assertEquals(Map.of(0, 99L, 4500, 1L), counters.closes());
    }

    @Test
    void slowConsumerIsCounted() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1000).outboundBytes(10_000).build()));
        test.managed("slow");
        test.network.stallClients(true);
        for (int i = 0; i < 100; i++) {
            test.server.connections().everyone().send(SAID, new Said("x", "y".repeat(200)));
            test.settle();
        }
        test.network.stallClients(false);
        test.time.advance(Duration.ofSeconds(6));
        assertEquals(1, stats().slowConsumers());
    }

    @Test
    void replayAndGapAreCounted() {
        start(builder -> builder.retention(new Retention(2, Duration.ofHours(1))));
        TestPeer ann = hello();
        JsonObject welcome = ann.data("$welcome");
        ann.send("{'type':'$join','ref':'j','room':'chat:1'}");
        String epoch = ann.data("$reply").get("epoch").getAsString();
        ann.cut();
        Room room = test.server.connections().room("chat:1");
        room.send(SAID, new Said("x", "1"));
        assertEquals(new Recovery(0, 0, 0), stats().recovery());
        TestPeer again = resume(welcome, "'chat:1':['" + epoch + "',0]");
        assertEquals(new Recovery(1, 1, 0), stats().recovery());
        again.cut();
        for (int i = 2; i < 6; i++) {
            room.send(SAID, new Said("x", "" + i));
        }
        resume(welcome, "'chat:1':['" + epoch + "',1]");
        assertEquals(new Recovery(1, 1, 1), stats().recovery());
    }

    @Test
    void evictedSessionsAndMessagesAreCounted() {
        start(builder -> builder.limits(Limits.builder()
                .sessionsPerUser(1, SessionOverflow.CLOSE_OLDEST)
                .logBytes(100_000)
                .build()));
        test.plain("ann");
        test.plain("ann");
        assertEquals(1, stats().evictions().sessions());
        assertEquals(0, stats().evictions().messages());
        Room room = test.server.connections().room("chat:flooded");
        for (int i = 0; i < 200; i++) {
            room.send(SAID, new Said("x", "y".repeat(1_000)));
        }
        Evictions evictions = stats().evictions();
        assertTrue(evictions.messages() >= 100 && evictions.messages() < 200, evictions.toString());
    }

    @Test
    void waitForAThreadAndTimeOfAHandlerAreMeasured() {
        start(builder -> builder.on(PRICE, (session, message) -> test.time.advance(Duration.ofMillis(200))));
        TestPeer ann = test.plain("ann");
        test.executor.hold();
        ann.post("{'type':'price','data':1.5}");
        test.time.advance(Duration.ofMillis(500));
        test.release();
        test.time.advance(Duration.ofSeconds(1));
        Times wait = stats().queueWait();
        Times handling = stats().handlerTime();
        assertEquals(1, wait.count());
        assertTrue(wait.p50().toMillis() >= 490 && wait.p50().toMillis() <= 570, wait.toString());
        assertEquals(1, handling.count());
        assertEquals(Duration.ofMillis(200), handling.total());
        test.time.advance(Duration.ofMinutes(2));
        assertEquals(Duration.ZERO, stats().handlerTime().max(), "percentiles are of the last minute");
        assertEquals(1, stats().handlerTime().count());
    }

    @Test
    void refusedJoinsTokensAndStreamsAreCounted() {
        StreamRequest<String, String> ticks = StreamRequest.of("ticks", String.class, String.class);
        start(builder -> builder.onStreamAsync(
                ticks, (session, what, out) -> out.fail(new RealtimeException(ErrorCode.of("no_ticks"), "none"))));
        TestPeer ann = test.managed("ann");
        assertEquals("forbidden", ann.errorOf("{'type':'$join','ref':'j','room':'secret'}"));
        assertEquals("unauthorized", ann.errorOf("{'type':'$auth','ref':'a','data':{'token':'bad'}}"));
        assertEquals("no_ticks", ann.errorOf("{'type':'ticks','ref':'t','seq':1,'data':'x'}"));
        assertEquals(Map.of("forbidden", 1L, "unauthorized", 1L, "no_ticks", 1L), stats().refusedMessages());
    }

    @Test
    void codesOfClientsHideNoneOfOurs() {
        Request<String, String> buy = Request.of("buy", String.class, String.class);
        Request<String, String> confirm = Request.of("confirm", String.class, String.class);
        start(builder -> builder.onRequestAsync(buy, (session, what) -> session.request(confirm, what)));
        TestPeer ann = test.plain("ann");
        for (int i = 0; i < 110; i++) {
            ann.send("{'type':'buy','ref':'b" + i + "','data':'x'}");
            String ref = ann.next("confirm").get("ref").getAsString();
            ann.send("{'type':'$error','ref':'" + ref + "','data':{'code':'junk" + i + "','message':'m'}}");
            test.time.advance(Duration.ofSeconds(1));
        }
        ann.clear();
        assertEquals("internal", ann.errorOf("{'type':'fail','ref':'z'}"));
        assertEquals(Map.of("other", 110L, "internal", 1L), stats().refusedMessages());
    }

    @Test
    void messagesWithoutAHandlerAreInNoHandlerTime() {
        TestPeer ann = test.plain("ann");
        for (int i = 0; i < 10; i++) {
            ann.send("{'type':'nothing','ref':'1'}");
            ann.send("{'type':'nothing'}");
        }
        assertEquals(0, stats().handlerTime().count());
    }

    @Test
    void nothingIsLeftWhenAllClientsAreGone() {
        for (int i = 0; i < 5; i++) {
            TestPeer ann = test.managed("ann");
            ann.send("{'type':'$join','ref':'j','room':'chat:1'}");
            ann.send("{'type':'say','seq':1,'data':{'text':'a'}}");
            TestPeer bob = test.plain("bob");
            ann.cut();
            bob.close("x");
            test.settle();
            test.managed("ann");
            session("ann").disconnect("out");
            test.time.advance(Duration.ofMinutes(2));
        }
        test.time.advance(Duration.ofHours(2));
        ServerStats now = stats();
        assertEquals(0, now.connections() + now.sessions() + now.online() + now.users() + now.rooms());
        assertEquals(0, now.waiting() + now.handlersBusy() + now.handlersWaiting());
    }
}
