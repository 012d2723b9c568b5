package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The limits of one event or request. */
class MessageLimitTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<String> TYPE = Event.of("type", String.class);
    private static final Request<String, String> ECHO = Request.of("echo", String.class, String.class);
    private static final RateLimit SLOW = RateLimit.perSecond(1).withBurst(2);

    private final List<String> handled = new ArrayList<>();
    private TestServer test = start(builder -> builder);

    private TestServer start(UnaryOperator<RealtimeServer.Builder> limits) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                TestServer::byName,
                builder -> limits.apply(builder.on(SAY, (session, message) -> handled.add("say " + message.data()))
                        .on(TYPE, (session, message) -> handled.add("type " + message.data()))
                        .onRequest(ECHO, (session, data) -> data)));
        return test;
    }

    @AfterEach
    void close() {
        test.close();
        assertEquals(0, test.time.pending(), "timers left");
    }

    private static String message(String type, int seq, String data) {
        return "{'type':'" + type + "'" + (seq > 0 ? ",'seq':" + seq : "") + ",'data':'" + data + "'}";
    }

    @Test
    void plainMessageAboveItsLimitIsRefusedAndOthersAreNot() {
        start(builder -> builder.limit(SAY, SLOW));
        TestPeer ann = test.plain("ann");
        for (String data : List.of("a", "b", "c")) {
            ann.post(message("say", 0, data));
        }
        ann.send(message("type", 0, "d"));
        assertEquals(List.of("say a", "say b", "type d"), handled);
        JsonObject error = ann.data("$error");
        assertEquals("rate_limited", error.get("code").getAsString());
        assertEquals(
                "more messages than the limit of 'say', 1 per PT1S, burst 2",
                error.get("message").getAsString());
        test.time.advance(Duration.ofMillis(error.get("retryAfterMs").getAsLong()));
        ann.send(message("say", 0, "e"));
        assertEquals("say e", handled.get(3));
        assertNull(ann.closed());
    }

    @Test
    void plainClientThatKeepsSendingAboveALimitIsClosed() {
        start(builder -> builder.limit(SAY, SLOW));
        TestPeer ann = test.plain("ann");
        for (int i = 0; i < 10; i++) {
            ann.post(message("say", 0, "a"));
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
        assertTrue(Objects.requireNonNull(ann.closed()).text().contains("the limit of 'say'"), ann::toString);
        assertEquals(2, handled.size());
    }

    @Test
    void refusalBySessionsRateIsNotBlamedOnAnotherEvent() {
        start(builder -> builder.limit(SAY, RateLimit.perMinute(1))
                .limits(Limits.builder()
                        .rate(RateLimit.perSecond(10).withBurst(2))
                        .build()));
        TestPeer ann = test.plain("ann");
        ann.post(message("say", 0, "a"));
        ann.post(message("type", 0, "b"));
        ann.send(message("type", 0, "c"));
        String why = ann.data("$error").get("message").getAsString();
        assertTrue(why.startsWith("more messages than limits.ratePer"), why);
    }

    @Test
    void refusedMessageChargesOnlyTheLimitThatItExceeds() {
        start(builder -> builder.limit(SAY, SLOW)
                .limits(Limits.builder()
                        .rate(RateLimit.perMinute(60).withBurst(4))
                        .build()));
        TestPeer ann = test.plain("ann");
        for (int i = 0; i < 4; i++) {
            ann.post(message("say", 0, "a"));
        }
        ann.post(message("type", 0, "b"));
        ann.send(message("type", 0, "c"));
        assertEquals(List.of("say a", "say a", "type b", "type c"), handled);
    }

    @Test
    void managedMessagesAboveTheirLimitWaitInOrder() {
        start(builder -> builder.limit(SAY, SLOW));
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 4; seq++) {
            ann.post(message("say", seq, "" + seq));
        }
        ann.send(message("type", 5, "5"));
        assertEquals(List.of("say 1", "say 2"), handled);
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(List.of("say 1", "say 2", "say 3"), handled);
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(List.of("say 1", "say 2", "say 3", "say 4", "type 5"), handled);
        assertFalse(ann.types().contains("$error"));
        assertNull(ann.closed());
    }

    @Test
    void managedClientThatOverfillsItsMailboxIsToldTheLimit() {
        start(builder -> builder.limit(SAY, SLOW)
                .limits(Limits.builder().mailbox(8).inflight(4).build()));
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 3; seq++) {
            ann.send(message("say", seq, "" + seq));
        }
        for (int seq = 4; seq <= 20; seq++) {
            ann.post(message("say", seq, "" + seq));
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
        assertTrue(Objects.requireNonNull(ann.closed()).text().contains("the limit of 'say'"), ann::toString);
    }

    @Test
    void eachSessionHasItsOwnLimit() {
        start(builder -> builder.limit(SAY, SLOW));
        TestPeer first = test.plain("ann");
        TestPeer second = test.plain("ann");
        for (TestPeer peer : List.of(first, second)) {
            peer.send(message("say", 0, "a"));
            peer.send(message("say", 0, "b"));
        }
        assertEquals(4, handled.size());
    }

    @Test
    void requestAboveItsLimitIsRefusedByItsRef() {
        start(builder -> builder.limit(ECHO, RateLimit.perMinute(1)));
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'echo','ref':'1','data':'a'}");
        ann.send("{'type':'echo','ref':'2','data':'b'}");
        assertEquals("1", ann.next("$reply").get("ref").getAsString());
        assertEquals("2", ann.next("$error").get("ref").getAsString());
    }

    @Test
    void payloadIsMeasuredInBytesAsItWasWritten() {
        start(builder -> builder.maxBytes(SAY, 6).maxBytes(ECHO, 3));
        TestPeer ann = test.managed("ann");
        ann.send(message("say", 1, "abcd"));
        ann.send(message("say", 2, "éé"));
        assertEquals(List.of("say abcd", "say éé"), handled);
        for (String tooLong : List.of("abcde", "ééa", "€€", "\uD83D\uDE00a")) {
            ann.clear();
            ann.send(message("say", 3 + handled.size(), tooLong));
            JsonObject error = ann.data("$error");
            assertEquals("too_big", error.get("code").getAsString(), tooLong);
            handled.add("refused " + tooLong);
        }
        ann.send(message("type", 20, "as long as it wants to be"));
        assertEquals("type as long as it wants to be", handled.get(handled.size() - 1));
        assertEquals(
                "the payload of 'echo' has 4 bytes; at most 3 are allowed",
                message(ann, "{'type':'echo','seq':21,'ref':'1','data':'ab'}"));
        assertNull(ann.closed());
        ann.clear();
        test.time.advance(Duration.ofMillis(100));
        assertEquals(21, ann.data("$ack").get("seq").getAsInt());
    }

    private static String message(TestPeer peer, String json) {
        peer.send(json);
        return peer.data("$error").get("message").getAsString();
    }

    @Test
    void limitOfSomethingWithoutHandlerIsRefused() {
        Event<String> other = Event.of("other", String.class);
        RealtimeServer.Builder rate = RealtimeServer.builder().anonymous().limit(other, SLOW);
        assertEquals(
                "'other' has a limit, and no handler",
                assertThrows(IllegalStateException.class, rate::build).getMessage());
        RealtimeServer.Builder size = RealtimeServer.builder().anonymous().maxBytes(other, 1);
        assertThrows(IllegalStateException.class, size::build);
    }

    @Test
    void limitIsSetOnceAndMakesSense() {
        RealtimeServer.Builder builder =
                RealtimeServer.builder().limit(SAY, SLOW).maxBytes(SAY, 10);
        assertEquals(
                "'say' has the limit 1 per PT1S, burst 2 already",
                assertThrows(IllegalArgumentException.class, () -> builder.limit(SAY, SLOW))
                        .getMessage());
        assertThrows(IllegalArgumentException.class, () -> builder.maxBytes(SAY, 20));
        assertThrows(IllegalArgumentException.class, () -> builder.maxBytes(TYPE, 0));
    }
}
