package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What one connection is told, and when it is closed. */
class PeerTest {
    private static final Event<Integer> COUNT = Event.of("count", Integer.class);

    private final List<Integer> handled = new ArrayList<>();
    private final ArrayDeque<CompletableFuture<Authentication>> unanswered = new ArrayDeque<>();
    private final TestServer test = new TestServer(
            this::authenticate,
            builder -> builder.on(COUNT, (session, message) -> handled.add(message.data()))
                    .limits(Limits.builder()
                            .rate(RateLimit.perSecond(10).withBurst(1))
                            .mailbox(4)
                            .inflight(2)
                            .build()));

    @AfterEach
    void close() {
        test.close();
    }

    /** The token is the user's name; some have an end, and one has no answer. */
    private CompletableFuture<Authentication> authenticate(Credentials credentials) {
        String token = String.valueOf(credentials.token());
        if (token.equals("expired")) {
            throw new RealtimeException(ErrorCode.TOKEN_EXPIRED, "it was Monday's");
        }
        if (token.equals("later")) {
            CompletableFuture<Authentication> answer = new CompletableFuture<>();
            unanswered.add(answer);
            return answer;
        }
        if (token.endsWith("-for-10s")) {
            Instant end = Instant.ofEpochMilli(test.time.currentTimeMillis() + 10_000);
            return CompletableFuture.completedFuture(
                    Authentication.of(token.substring(0, token.indexOf('-'))).withExpiry(end));
        }
        return TestServer.byName(credentials);
    }

    private TestPeer hello(String token, String client) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'" + token + "','client':'" + client + "'}}");
        return peer;
    }

    @Test
    void refusedMessageIsTakenAfterTheTimeThatItsErrorNames() {
        TestPeer page = test.plain("ann");
        page.send("{'type':'count','data':1}");
        page.post("{'type':'count','data':2}");
        test.time.advance(Duration.ofMillis(5));
        long after = page.data("$error").get("retryAfterMs").getAsLong();
        test.time.advance(Duration.ofMillis(after - 5));
        page.send("{'type':'count','data':3}");
        assertEquals(List.of(1, 3), handled);
        assertTrue(after > 50 && after < 101, after + " ms");
    }

    @Test
    void tooManyMalformedMessagesInAMinuteClose() {
        test.time.advance(Duration.ofHours(1));
        TestPeer ann = test.managed("ann");
        int most = Limits.defaults().badMessages();
        for (int i = 1; i < most; i++) {
            ann.send("{'type':17}");
        }
        assertNull(ann.closed());
        ann.send("{'type':17}");
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
    }

    @Test
    void occasionalMalformedMessagesAreTolerated() {
        TestPeer ann = test.managed("ann");
        for (int i = 0; i < 3 * Limits.defaults().badMessages(); i++) {
            ann.send("{'type':17}");
            test.time.advance(Duration.ofSeconds(30));
            ann.ping();
            test.time.advance(Duration.ofSeconds(30));
            ann.ping();
        }
        assertNull(ann.closed());
    }

    @Test
    void clientIdHas128CharactersAtMost() {
        hello("ann", "c".repeat(128)).next("$welcome");
        TestPeer longer = hello("ann", "c".repeat(129));
        assertFalse(longer.types().contains("$welcome"));
        assertEquals(CloseReason.PROTOCOL_ERROR, longer.closeCode());
    }

    @Test
    void expiredTokenAndInvalidTokenCloseWithTheirCodes() {
        TestPeer late = hello("expired", "client-0123456789");
        assertTrue(late.data("$error").get("retryable").getAsBoolean(), "with a fresh one");
        assertEquals(CloseReason.TOKEN_EXPIRED, late.closeCode());
        TestPeer wrong = hello("bad", "client-0123456789");
        assertFalse(wrong.data("$error").get("retryable").getAsBoolean());
        assertEquals(CloseReason.UNAUTHORIZED, wrong.closeCode());
    }

    @Test
    void renewedTokenPutsTheEndOff() {
        TestPeer ann = hello("ann-for-10s", "client-of-ann-0123456789");
        ann.next("$welcome");
        test.time.advance(Duration.ofSeconds(5));
        ann.send("{'type':'$auth','ref':'1','data':{'token':'ann-for-10s'}}");
        ann.next("$reply");
        test.time.advance(Duration.ofSeconds(9));
        assertNull(ann.closed(), "the first has ended, the second has not");
        ann.send("{'type':'$auth','ref':'2','data':{'token':'ann'}}");
        ann.next("$reply");
        test.time.advance(Duration.ofSeconds(20));
        assertNull(ann.closed(), "the third has no end");
    }

    /** The close of a peer that does not read would wait for its answer. */
    @Test
    void floodOfPingsEndsTheConnectionAtOnce() {
        TestPeer page = test.plain("ann");
        test.network.stallClients(true);
        for (int i = 0; i < 300; i++) {
            page.post("{'type':'$ping'}");
        }
        test.settle();
        assertEquals(0, test.server.stats().connections());
    }

    @Test
    void renewedTokensLeaveNoTimers() {
        TestPeer ann = hello("ann-for-10s", "client-of-ann-0123456789");
        ann.next("$welcome");
        int before = test.time.pending();
        for (int i = 0; i < 5; i++) {
            ann.send("{'type':'$auth','ref':'" + i + "','data':{'token':'ann-for-10s'}}");
            ann.next("$reply");
            test.time.advance(Duration.ofSeconds(1));
        }
        assertEquals(before, test.time.pending());
    }

    @Test
    void overloadIsReportedAsRetryableWithItsReason() {
        TestPeer early = hello("later", "client-0123456789");
        for (int i = 0; i < 4 && early.closed() == null; i++) {
            early.send("{'type':'count','seq':" + (i + 1) + ",'data':1,'pad':'" + "x".repeat(5_000) + "'}");
        }
        JsonObject error = early.data("$error");
        assertTrue(error.get("retryable").getAsBoolean());
        assertEquals(CloseReason.OVERLOADED, error.get("closeCode").getAsInt());
        assertTrue(error.get("message").getAsString().contains("before the welcome"), error::toString);
        assertEquals(CloseReason.OVERLOADED, early.closeCode());
        unanswered.forEach(answer -> answer.complete(Authentication.of("late")));
        test.settle();
        assertEquals(0, test.server.stats().sessions());
        assertEquals(0, test.server.stats().waiting());
    }

    @Test
    void asManyMessagesAsTheMailboxHoldsMayComeEarly() {
        TestPeer early = hello("later", "client-0123456789");
        for (int seq = 1; seq <= 4; seq++) {
            early.send("{'type':'count','seq':" + seq + ",'data':" + seq + "}");
        }
        assertNull(early.closed());
        unanswered.remove().complete(Authentication.of("ann"));
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(List.of(1, 2, 3, 4), handled);
        TestPeer hasty = hello("later", "client-9876543210");
        for (int seq = 1; seq <= 5; seq++) {
            hasty.send("{'type':'count','seq':" + seq + ",'data':" + seq + "}");
        }
        assertEquals(CloseReason.OVERLOADED, hasty.closeCode());
    }

    @Test
    void closeBeforeHelloSaysWhatWasMissing() {
        TestPeer silent = test.connect("realtime.v1", "/ws");
        TestPeer page = test.connect("", "/ws?token=later");
        test.time.advance(Limits.defaults().helloTimeout().plusSeconds(1));
        assertEquals("no $hello, or no answer to it, in time", text(silent));
        assertEquals("not authenticated in time", text(page));
        assertEquals("no such user", text(hello("bad", "client-0123456789")));
        assertEquals("it was Monday's", text(hello("expired", "client-0123456789")));
    }

    private static String text(TestPeer peer) {
        assertEquals(peer.data("$error").get("closeCode").getAsInt(), peer.closeCode());
        return Objects.requireNonNull(peer.closed()).text();
    }
}
