package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How many messages, pings and credits a peer, a session and a user may send, and what happens beyond that. */
class RateLimitTest extends LimitsFixture {
    private static String count(int number) {
        return "{'type':'count','data':" + number + "}";
    }

    private static void burst(TestPeer peer, int from, int to, boolean isReliable) {
        for (int i = from; i <= to; i++) {
            peer.post((isReliable ? reliable(i) : count(i)));
        }
    }

    // ---- rates

    @Test
    void plainMessagesAboveRateAreRefusedOneByOneAndConnectionStays() {
        start(limits -> limits.rate(RateLimit.perSecond(10).withBurst(5)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 6, false);
        test.settle();
        assertEquals(List.of(1, 2, 3, 4, 5), handled);
        JsonObject error = ann.data("$error");
        assertEquals("rate_limited", error.get("code").getAsString());
        assertTrue(error.get("retryable").getAsBoolean());
        long after = error.get("retryAfterMs").getAsLong();
        test.time.advance(Duration.ofMillis(after));
        ann.send(count(7));
        assertEquals(List.of(1, 2, 3, 4, 5, 7), handled);
        assertNull(ann.closed());
    }

    @Test
    void plainSessionIsNotStarvedByTheUsersOtherSession() {
        start(limits -> limits.ratePerSession(RateLimit.none())
                .ratePerUser(RateLimit.perSecond(10).withBurst(1)));
        TestPeer managed = test.managed("ann");
        burst(managed, 1, 200, true);
        TestPeer page = test.plain("ann");
        int before = handled.size();
        long end = test.time.nanoTime() + Duration.ofSeconds(10).toNanos();
        int asked = 1_000;
        while (test.time.nanoTime() < end) {
            page.send(count(++asked));
            if (page.types().contains("$error")) {
                long after = page.data("$error").get("retryAfterMs").getAsLong();
                test.time.advance(Duration.ofMillis(after));
            }
        }
        long said = handled.stream().filter(number -> number > 1_000).count();
        assertTrue(said >= 25, said + " of the page");
        assertTrue(handled.size() - before <= 101, "the user has one rate");
        assertNull(page.closed());
        page.cut();
        test.time.advance(Duration.ofSeconds(30));
        assertTrue(handled.containsAll(IntStream.rangeClosed(1, 200).boxed().toList()));
    }

    @Test
    void closedPlainSessionsKeepNoTokensOfTheUsersRate() {
        start(limits -> limits.ratePerSession(RateLimit.none())
                .ratePerUser(RateLimit.perSecond(10).withBurst(1)));
        for (int i = 0; i < 50; i++) {
            TestPeer page = test.plain("ann");
            burst(page, 1, 2, false);
            page.cut();
        }
        test.time.advance(Duration.ofMillis(200));
        handled.clear();
        TestPeer page = test.plain("ann");
        page.send(count(7));
        assertEquals(List.of(7), handled);
    }

    @Test
    void refusalNamesTheQuestionItBelongsTo() {
        start(limits -> limits.rate(RateLimit.perSecond(1)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 1, false);
        ann.send("{'type':'count','ref':'q','data':2}");
        assertEquals("q", ann.next("$error").get("ref").getAsString());
    }

    @Test
    void plainClientThatExceedsTheRateIsClosed() {
        start(limits -> limits.rate(RateLimit.perSecond(10).withBurst(5)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 100, false);
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
        assertEquals(List.of(1, 2, 3, 4, 5), handled);
        assertEquals(6, ann.received().size(), "five refusals and the error of the close");
    }

    @Test
    void refusalByTheUsersRateNamesThatLimit() {
        start(limits -> limits.ratePerSession(RateLimit.none())
                .ratePerUser(RateLimit.perSecond(10).withBurst(5)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 6, false);
        test.settle();
        assertEquals(
                "more messages than limits.ratePerUser, 10 per PT1S, burst 5",
                ann.data("$error").get("message").getAsString());
    }

    @Test
    void refusalByTheSessionsRateNamesThatLimit() {
        start(limits ->
                limits.ratePerSession(RateLimit.perSecond(10).withBurst(5)).ratePerUser(RateLimit.perSecond(100)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 6, false);
        test.settle();
        assertEquals(
                "more messages than limits.ratePerSession, 10 per PT1S, burst 5",
                ann.data("$error").get("message").getAsString());
    }

    @Test
    void plainClientThatExceedsTheUsersRateIsClosed() {
        start(limits -> limits.ratePerSession(RateLimit.none())
                .ratePerUser(RateLimit.perSecond(10).withBurst(5)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 100, false);
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
        assertEquals(List.of(1, 2, 3, 4, 5), handled);
        assertEquals(6, ann.received().size(), "five refusals and the error of the close");
    }

    @Test
    void managedMessagesAboveRateWaitForTheirTurnAndNoneIsLost() {
        start(limits -> limits.rate(RateLimit.perSecond(10).withBurst(5)));
        TestPeer ann = test.managed("ann");
        burst(ann, 1, 25, true);
        test.settle();
        assertEquals(5, handled.size());
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(15, handled.size());
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(25, handled.size());
        assertEquals(25, handled.get(24));
        assertNull(ann.closed());
        assertFalse(ann.types().contains("$error"));
        test.time.advance(Duration.ofMillis(200));
        long acknowledged = 0;
        while (ann.types().contains("$ack")) {
            acknowledged = ann.data("$ack").get("seq").getAsLong();
        }
        assertEquals(25, acknowledged);
    }

    @Test
    void managedClientThatOverflowsItsMailboxResumesWithoutLoss() {
        start(limits ->
                limits.rate(RateLimit.perSecond(10).withBurst(2)).mailbox(8).inflight(4));
        TestPeer ann = test.managed("ann");
        burst(ann, 1, 8, true);
        test.settle();
        burst(ann, 9, 20, true);
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
        test.time.advance(Duration.ofSeconds(2));
        TestPeer again = test.connect(Protocol.SUBPROTOCOL, "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        int next = again.data("$welcome").get("seq").getAsInt() + 1;
        assertEquals(handled.size() + 1, next);
        for (int i = next; i <= 20; i++) {
            again.send(reliable(i));
            test.time.advance(Duration.ofMillis(100));
        }
        test.time.advance(Duration.ofSeconds(2));
        assertEquals(20, handled.size());
        for (int i = 0; i < 20; i++) {
            assertEquals(i + 1, handled.get(i));
        }
        assertEquals(0, test.server.stats().waiting());
    }

    @Test
    void sessionsOfUserShareUsersRateAndOtherUsersHaveTheirs() {
        start(limits -> limits.ratePerSession(RateLimit.none())
                .ratePerUser(RateLimit.perSecond(10).withBurst(5)));
        TestPeer phone = test.plain("ann");
        TestPeer laptop = test.plain("ann");
        TestPeer bob = test.plain("bob");
        burst(phone, 1, 3, false);
        burst(laptop, 4, 6, false);
        burst(bob, 7, 11, false);
        test.settle();
        assertEquals(10, handled.size());
        assertEquals(
                1,
                phone.types().stream().filter("$error"::equals).count()
                        + laptop.types().stream().filter("$error"::equals).count());
        assertFalse(bob.types().contains("$error"));
    }

    @Test
    void reconnectedUserGetsNoNewBurst() {
        start(limits -> limits.rate(RateLimit.perMinute(5)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 5, false);
        test.settle();
        ann.cut();
        TestPeer again = test.plain("ann");
        again.send(count(6));
        assertEquals(List.of(1, 2, 3, 4, 5), handled);
        assertEquals("rate_limited", again.data("$error").get("code").getAsString());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void pingsAreBoundedWhateverTheRateIs(boolean isManaged) {
        start(limits -> limits.rate(RateLimit.none()));
        TestPeer ann = isManaged ? test.managed("ann") : test.plain("ann");
        for (int i = 0; i < 150; i++) {
            ann.post("{'type':'$ping'}");
            ann.ping();
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
        assertEquals(
                100,
                ann.types().stream().filter("$pong"::equals).count(),
                "half of a burst of 200, the others control frames");
    }

    @Test
    void repeatedAcknowledgementIsRateLimitedLikePings() {
        TestPeer ann = test.managed("ann");
        for (int i = 1; i <= 300; i++) {
            test.server.connections().user("ann").send(COUNT, i);
        }
        test.settle();
        for (int i = 1; i <= 300; i++) {
            ann.post("{'type':'$ack','data':{'offset':" + i + "}}");
        }
        test.settle();
        assertNull(ann.closed(), "each says something new");
        for (int i = 1; i <= 300; i++) {
            ann.post("{'type':'$ack','data':{'offset':300}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @Test
    void newCreditIsNotRateLimited() {
        TestPeer ann = test.managed("ann");
        Session session = test.server.connections().user("ann").sessions().get(0);
        for (int i = 1; i <= 300; i++) {
            session.send(COUNT, i);
            ann.post("{'type':'$credit','data':{'read':" + i + "}}");
        }
        test.settle();
        assertNull(ann.closed(), "each says something new");
        for (int i = 1; i <= 300; i++) {
            ann.post("{'type':'$credit','data':{'read':300}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void heartbeatIsAllowedAtAnyRateLimit(boolean isManaged) {
        start(limits -> limits.rate(RateLimit.perMinute(1)));
        TestPeer ann = isManaged ? test.managed("ann") : test.plain("ann");
        for (int i = 0; i < 100; i++) {
            ann.post("{'type':'$ping'}");
            ann.ping();
            test.time.advance(Duration.ofSeconds(1));
        }
        assertNull(ann.closed());
        assertEquals(100, ann.types().stream().filter("$pong"::equals).count());
    }

    @Test
    void unlimitedRateDelaysNothing() {
        start(limits -> limits.rate(RateLimit.none()).mailbox(10_000));
        TestPeer plain = test.plain("ann");
        burst(plain, 1, 5_000, false);
        test.settle();
        assertEquals(5_000, handled.size());
    }

    @Test
    void messageRepeatedTooOftenCloses() {
        start(limits -> limits.mailbox(300).inflight(100));
        TestPeer ann = test.managed("ann");
        for (int i = 0; i < 301; i++) {
            ann.send(reliable(1));
        }
        assertNull(ann.closed());
        ann.send(reliable(1));
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
        assertEquals(List.of(1), handled);
    }
}
