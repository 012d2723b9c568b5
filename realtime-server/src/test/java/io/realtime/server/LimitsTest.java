package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.session.ServerSession;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What one peer may cost, and what it is told when it wants more. */
class LimitsTest {
    private static final Event<Integer> COUNT = Event.of("count", Integer.class);

    private final List<Integer> handled = new ArrayList<>();
    private final ArrayDeque<Runnable> held = new ArrayDeque<>();
    private boolean holding;
    private TestServer test = start(limits -> limits);

    private TestServer start(UnaryOperator<Limits.Builder> limits) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                TestServer::byName,
                builder -> builder.limits(limits.apply(Limits.builder()).build())
                        .executor(task -> {
                            if (holding) {
                                held.add(task);
                            } else {
                                test.time.execute(task);
                            }
                        })
                        .on(COUNT, (session, message) -> handled.add(message.data())));
        return test;
    }

    @AfterEach
    void close() {
        holding = false;
        held.forEach(Runnable::run);
        test.close();
    }

    private static String count(int number) {
        return "{'type':'count','data':" + number + "}";
    }

    private static String reliable(int number) {
        return "{'type':'count','seq':" + number + ",'data':" + number + "}";
    }

    private static void burst(TestPeer peer, int from, int to, boolean isReliable) {
        for (int i = from; i <= to; i++) {
            peer.sendRaw((isReliable ? reliable(i) : count(i)).replace('\'', '"'));
        }
    }

    // ---- rates

    @Test
    void plainMessagesAboveTheRateAreRefusedOneByOneAndTheConnectionStays() {
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
        assertNull(ann.closed);
    }

    @Test
    void plainSessionHasItsTurnBesideTheUsersOtherOneThatHasMuchToSay() {
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
        assertNull(page.closed);
        page.cut();
        test.time.advance(Duration.ofSeconds(30));
        assertTrue(handled.containsAll(IntStream.rangeClosed(1, 200).boxed().toList()));
    }

    @Test
    void pagesThatComeAndGoKeepNoTokenOfTheirUser() {
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
    void aRefusalNamesTheQuestionItBelongsTo() {
        start(limits -> limits.rate(RateLimit.perSecond(1)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 1, false);
        ann.send("{'type':'count','ref':'q','data':2}");
        assertEquals("q", ann.next("$error").get("ref").getAsString());
    }

    @Test
    void aPlainClientThatGoesOnIsClosed() {
        start(limits -> limits.rate(RateLimit.perSecond(10).withBurst(5)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 100, false);
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
        assertEquals(List.of(1, 2, 3, 4, 5), handled);
        assertEquals(6, ann.received.size(), "five refusals and the error of the close");
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
    void plainClientThatGoesOnAboveTheUsersRateIsClosed() {
        start(limits -> limits.ratePerSession(RateLimit.none())
                .ratePerUser(RateLimit.perSecond(10).withBurst(5)));
        TestPeer ann = test.plain("ann");
        burst(ann, 1, 100, false);
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
        assertEquals(List.of(1, 2, 3, 4, 5), handled);
        assertEquals(6, ann.received.size(), "five refusals and the error of the close");
    }

    @Test
    void managedMessagesAboveTheRateWaitForTheirTurnAndNoneIsLost() {
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
        assertNull(ann.closed);
        assertFalse(ann.types().contains("$error"));
        test.time.advance(Duration.ofMillis(200));
        long acknowledged = 0;
        while (ann.types().contains("$ack")) {
            acknowledged = ann.data("$ack").get("seq").getAsLong();
        }
        assertEquals(25, acknowledged);
    }

    @Test
    void aManagedClientThatOverfillsItsMailboxMeanwhileIsClosedAndResumesWithoutLoss() {
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
    void sessionsOfAUserShareTheUsersRateAndOtherUsersHaveTheirs() {
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
    void aUserWhoComesBackFindsNoFreshBurst() {
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
            ann.sendRaw("{\"type\":\"$ping\"}");
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
    void acknowledgementThatIsNoNewsIsBoundedLikePings() {
        TestPeer ann = test.managed("ann");
        for (int i = 1; i <= 300; i++) {
            test.server.user("ann").send(COUNT, i);
        }
        test.settle();
        for (int i = 1; i <= 300; i++) {
            ann.sendRaw("{\"type\":\"$ack\",\"data\":{\"offset\":" + i + "}}");
        }
        test.settle();
        assertNull(ann.closed, "each says something new");
        for (int i = 1; i <= 300; i++) {
            ann.sendRaw("{\"type\":\"$ack\",\"data\":{\"offset\":300}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @Test
    void creditThatIsNewsIsNotBounded() {
        TestPeer ann = test.managed("ann");
        Session session = test.server.user("ann").sessions().get(0);
        for (int i = 1; i <= 300; i++) {
            session.send(COUNT, i);
            ann.sendRaw("{\"type\":\"$credit\",\"data\":{\"read\":" + i + "}}");
        }
        test.settle();
        assertNull(ann.closed, "each says something new");
        for (int i = 1; i <= 300; i++) {
            ann.sendRaw("{\"type\":\"$credit\",\"data\":{\"read\":300}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aHeartMayBeatHoweverFewMessagesAreAllowed(boolean isManaged) {
        start(limits -> limits.rate(RateLimit.perMinute(1)));
        TestPeer ann = isManaged ? test.managed("ann") : test.plain("ann");
        for (int i = 0; i < 100; i++) {
            ann.sendRaw("{\"type\":\"$ping\"}");
            ann.ping();
            test.time.advance(Duration.ofSeconds(1));
        }
        assertNull(ann.closed);
        assertEquals(100, ann.types().stream().filter("$pong"::equals).count());
    }

    @Test
    void withoutALimitNothingIsHeldBack() {
        start(limits -> limits.rate(RateLimit.none()).mailbox(10_000));
        TestPeer plain = test.plain("ann");
        burst(plain, 1, 5_000, false);
        test.settle();
        assertEquals(5_000, handled.size());
    }

    @Test
    void aNumberThatComesOverAndOverCloses() {
        start(limits -> limits.mailbox(300).inflight(100));
        TestPeer ann = test.managed("ann");
        for (int i = 0; i < 301; i++) {
            ann.send(reliable(1));
        }
        assertNull(ann.closed);
        ann.send(reliable(1));
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
        assertEquals(List.of(1), handled);
    }

    @Test
    void aQuarterOfWhatMayBeOnTheWayIsAcknowledgedAtOnce() {
        start(limits -> limits.inflight(8));
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 5; seq++) {
            ann.send(reliable(seq));
        }
        assertEquals(2, ann.data("$ack").get("seq").getAsLong());
        assertEquals(4, ann.data("$ack").get("seq").getAsLong());
        assertFalse(ann.types().contains("$ack"), "the fifth waits for others");
        test.time.advance(Duration.ofMillis(100));
        assertEquals(5, ann.data("$ack").get("seq").getAsLong());
        test.time.advance(Duration.ofSeconds(1));
        assertFalse(ann.types().contains("$ack"), "nothing is owed");
    }

    @Test
    void quarterOfTheBytesThatMayBeOnTheWayIsAcknowledgedAtOnce() {
        start(limits -> limits.messageBytes(4_096)); // 32 KiB under way
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 5; seq++) {
            ann.send(reliable(seq) + " ".repeat(3_900));
        }
        assertEquals(3, ann.data("$ack").get("seq").getAsLong());
        assertFalse(ann.types().contains("$ack"), "the fourth and the fifth wait for others");
        test.time.advance(Duration.ofMillis(100));
        assertEquals(5, ann.data("$ack").get("seq").getAsLong());
    }

    @Test
    void twoOfTheLongestMessagesAreAQuarter() {
        start(limits -> limits.messageBytes(4_096)); // 32 KiB under way
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 2; seq++) {
            ann.send(reliable(seq) + " ".repeat(4_096 - reliable(seq).length()));
        }
        assertEquals(2, ann.data("$ack").get("seq").getAsLong());
    }

    @Test
    void repetitionOfAMessageKeepsNoAcknowledgementBack() {
        TestPeer ann = test.managed("ann");
        ann.send(reliable(1));
        ann.send(reliable(1));
        test.time.advance(Duration.ofMillis(100));
        assertEquals(1, ann.data("$ack").get("seq").getAsLong());
    }

    /** As many as the protocol allows at once, while all wait for a thread. */
    @Test
    void longestQuestionsBesideLongestMessagesOverfillNoMailbox() {
        start(limits -> limits.messageBytes(1_000).rate(RateLimit.none()));
        TestPeer ann = test.managed("ann");
        holding = true;
        for (int i = 0; i < 128; i++) {
            String room = "r".repeat(250) + i;
            ann.sendRaw("{\"type\":\"$join\",\"room\":\"" + room + "\",\"ref\":\"" + "r".repeat(60) + i + "\"}");
        }
        for (int seq = 1; seq <= 8; seq++) {
            ann.sendRaw((reliable(seq) + " ".repeat(960)).replace('\'', '"'));
        }
        test.settle();
        assertNull(ann.closed);
        assertEquals(List.of(), handled, "all wait");
        assertTrue(
                test.server.stats().waiting() >= 135, () -> test.server.stats().toString());
    }

    // ---- sessions

    @Test
    void oneSessionTooManyIsRefusedAndToldWhy() {
        start(limits -> limits.sessionsPerUser(2));
        TestPeer first = test.plain("ann");
        TestPeer second = test.plain("ann");
        TestPeer third = test.connect("", "/ws?token=ann");
        assertEquals(CloseReason.TOO_MANY_SESSIONS, third.closeCode());
        assertEquals("too_many_sessions", third.data("$error").get("code").getAsString());
        assertFalse(third.types().contains("$welcome"));
        assertNull(first.closed);
        assertNull(second.closed);
        test.plain("bob");
        assertEquals(2, test.server.user("ann").sessions().size());
        first.cut();
        test.plain("ann");
    }

    @Test
    void theOldestMakesRoomWhenTheServerSaysSo() {
        start(limits -> limits.sessionsPerUser(2, SessionOverflow.CLOSE_OLDEST));
        TestPeer first = test.plain("ann");
        TestPeer second = test.plain("ann");
        TestPeer third = test.plain("ann");
        assertEquals(CloseReason.TOO_MANY_SESSIONS, first.closeCode());
        assertNull(second.closed);
        assertNull(third.closed);
    }

    @ParameterizedTest
    @ValueSource(strings = {"REFUSE_NEW", "CLOSE_OLDEST"})
    void aSessionThatWaitsForItsClientGoesFirst(SessionOverflow overflow) {
        start(limits -> limits.sessionsPerUser(2, overflow));
        TestPeer connected = test.plain("ann");
        TestPeer away = test.managed("ann");
        away.cut();
        assertEquals(2, test.server.user("ann").sessions().size());
        TestPeer third = test.plain("ann");
        assertNull(connected.closed);
        assertNull(third.closed);
        assertEquals(2, test.server.user("ann").sessions().size());
    }

    @Test
    void aClientThatBeginsAnotherSessionReplacesItsOwn() {
        start(limits -> limits.sessionsPerUser(1));
        TestPeer before = test.managed("ann");
        TestPeer after = test.managed("ann");
        assertEquals(CloseReason.SESSION_REPLACED, before.closeCode());
        assertNull(after.closed);
    }

    @Test
    void resumingDoesNotCountAsAnotherSession() {
        start(limits -> limits.sessionsPerUser(1));
        TestPeer ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        ann.cut();
        assertTrue(resume(secret, "ann").data("$welcome").get("resumed").getAsBoolean());
    }

    // ---- resumptions

    private TestPeer resume(String secret, String user) {
        TestPeer peer = test.connect(Protocol.SUBPROTOCOL, "/ws");
        peer.send("{'type':'$hello','data':{'token':'" + user + "','client':'c','session':'" + secret + "'}}");
        return peer;
    }

    @Test
    void aSessionIsNotResumedOverAndOver() {
        start(limits -> limits.resumptionsPerSession(RateLimit.perMinute(3)));
        TestPeer ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        for (int i = 0; i < 3; i++) {
            ann = resume(secret, "ann");
            assertTrue(ann.data("$welcome").get("resumed").getAsBoolean());
        }
        TestPeer tooMany = resume(secret, "ann");
        assertEquals(CloseReason.RATE_LIMITED, tooMany.closeCode());
        assertNull(ann.closed, "the one that has the session keeps it");
        test.time.advance(Duration.ofSeconds(21));
        assertTrue(resume(secret, "ann").data("$welcome").get("resumed").getAsBoolean());
    }

    @Test
    void guessingAtSessionsIsSlowAndTheOwnerIsNotLockedOut() {
        start(limits -> limits.failedResumptionsPerAddress(RateLimit.perMinute(3)));
        TestPeer ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        String guess = secret.substring(0, secret.length() - 1) + (secret.endsWith("A") ? "B" : "A");
        for (int i = 0; i < 3; i++) {
            JsonObject welcome = resume(guess, "eve").data("$welcome");
            assertFalse(welcome.get("resumed").getAsBoolean());
            assertNotEquals(secret, welcome.get("session").getAsString());
        }
        assertEquals(CloseReason.RATE_LIMITED, resume(guess, "eve").closeCode());
        assertEquals(CloseReason.RATE_LIMITED, resume(secret, "eve").closeCode());
        assertTrue(resume(secret, "ann").data("$welcome").get("resumed").getAsBoolean());
        JsonObject unknown = resume("nosuchsession0123456789", "ann").data("$welcome");
        assertFalse(unknown.get("resumed").getAsBoolean(), "as every client is after a restart of the server");
    }

    @Test
    void reconnectingOverAndOverCannotFillAMailboxWhoseHandlersAreStuck() {
        start(limits -> limits.mailbox(8).inflight(4).resumptionsPerSession(RateLimit.none()));
        TestPeer ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        ServerSession session =
                (ServerSession) test.server.user("ann").sessions().iterator().next();
        session.mailbox()
                .offer(1, 0, () -> Duration.ofMinutes(1).toNanos(), () -> {}); // stands for a handler that blocks
        test.settle();
        int resumed = 0;
        TestPeer last = ann;
        for (int i = 0; i < 50; i++) {
            last = resume(secret, "ann");
            resumed += last.types().contains("$welcome") ? 1 : 0;
        }
        assertTrue(resumed > 0 && resumed <= 8, resumed + " were let in");
        assertEquals(CloseReason.OVERLOADED, last.closeCode());
    }

    // ---- what is sent

    @Test
    void aMessageThatNoConnectionCouldTakeIsRefusedToItsSenderAndClosesNobody() {
        start(limits -> limits.messageBytes(1_000).outboundBytes(10_000));
        Event<String> news = Event.of("news", String.class);
        TestPeer ann = test.plain("ann");
        RealtimeException refused =
                assertThrows(RealtimeException.class, () -> test.server.all().send(news, "x".repeat(5_000)));
        assertEquals(ErrorCode.TOO_BIG, refused.code());
        test.server.all().send(news, "x".repeat(4_800));
        test.settle();
        assertEquals(4_800, ann.next("news").get("data").getAsString().length());
        assertNull(ann.closed);
    }

    // ---- time

    @Test
    void anIdleConnectionIsClosedThoughItAnswersPings() {
        start(limits -> limits.idleTimeout(Duration.ofMinutes(5)));
        TestPeer ann = test.managed("ann");
        for (int minute = 0; minute < 4; minute++) {
            test.time.advance(Duration.ofMinutes(1));
            ann.send("{'type':'$ping'}");
        }
        ann.send(reliable(1));
        for (int minute = 0; minute < 4; minute++) {
            test.time.advance(Duration.ofMinutes(1));
            ann.send("{'type':'$ping'}");
        }
        assertNull(ann.closed);
        test.time.advance(Duration.ofSeconds(61));
        assertEquals(CloseReason.IDLE, ann.closeCode());
        assertEquals("idle", ann.data("$error").get("code").getAsString());
    }

    @Test
    void connectionThatIsGoneLeavesNoTimer() {
        start(limits -> limits.idleTimeout(Duration.ofMinutes(5)));
        int before = test.time.pending();
        test.plain("ann").cut();
        test.connect(Protocol.SUBPROTOCOL, "/ws").cut();
        assertEquals(before, test.time.pending());
    }

    @Test
    void helloHasADeadlineOfItsOwn() {
        start(limits -> limits.helloTimeout(Duration.ofSeconds(3)));
        TestPeer silent = test.connect(Protocol.SUBPROTOCOL, "/ws");
        test.time.advance(Duration.ofMillis(2900));
        assertNull(silent.closed);
        test.time.advance(Duration.ofMillis(100));
        assertEquals(CloseReason.HELLO_TIMEOUT, silent.closeCode());
    }

    @Test
    void deadlinesAreMetOnTheServersThreads() {
        start(limits -> limits.helloTimeout(Duration.ofSeconds(3)));
        test.managed("ann").cut();
        ServerSession lost = (ServerSession) test.server.user("ann").sessions().get(0);
        TestPeer silent = test.connect(Protocol.SUBPROTOCOL, "/ws");
        holding = true;
        test.time.advance(Duration.ofMinutes(5));
        assertNull(silent.closed);
        assertTrue(lost.isOpen(), "its end is nothing for the timer's thread");
        holding = false;
        for (Runnable task = held.poll(); task != null; task = held.poll()) {
            task.run();
        }
        test.settle();
        assertEquals(CloseReason.HELLO_TIMEOUT, silent.closeCode());
        assertTrue(lost.hasEnded());
    }

    // ---- the values

    @Test
    void limitsKeepNothingOfTheirBuilder() {
        Limits.Builder builder = Limits.builder();
        Limits built = builder.build();
        builder.messageBytes(2_000)
                .outboundBytes(4_000)
                .connections(7)
                .connectionsPerAddress(7)
                .pendingUpgrades(7)
                .handshakeBytes(777)
                .handshakeTimeout(Duration.ofSeconds(7))
                .helloTimeout(Duration.ofSeconds(7))
                .ruleTimeout(Duration.ofSeconds(7))
                .sessions(7)
                .sessionsPerUser(7, SessionOverflow.CLOSE_OLDEST)
                .idleTimeout(Duration.ofSeconds(7))
                .rate(RateLimit.perSecond(7))
                .resumptionsPerSession(RateLimit.perSecond(7))
                .failedResumptionsPerAddress(RateLimit.perSecond(7))
                .mailbox(7)
                .inflight(3)
                .badMessages(7)
                .roomsPerSession(7)
                .roomsPerUser(7)
                .rooms(7)
                .requestsPerSession(7)
                .streamsPerSession(7)
                .logBytes(70_000);
        assertEquals(Limits.defaults().toString(), built.toString());
        assertNotEquals(built.toString(), builder.build().toString());
    }

    @Test
    void handshakeBytesAreBounded() {
        assertEquals(65_536, Limits.builder().handshakeBytes(65_536).build().handshakeBytes());
        Limits.Builder longer = Limits.builder().handshakeBytes(65_537);
        assertTrue(assertThrows(IllegalArgumentException.class, longer::build)
                .toString()
                .contains("65536"));
    }

    @Test
    void defaultsAreSafeAndNamed() {
        Limits limits = Limits.defaults();
        assertEquals(RateLimit.perSecond(100).withBurst(200), limits.ratePerSession());
        assertEquals(RateLimit.perSecond(100).withBurst(200), limits.ratePerUser());
        assertEquals(limits.connections() / 2, limits.connectionsPerAddress());
        assertEquals(Duration.ZERO, limits.idleTimeout());
        assertEquals(Integer.MAX_VALUE, limits.sessionsPerUser());
        assertEquals(10_000, Limits.builder().logBytes(256 << 20).build().roomsPerUser());
        assertEquals(4_096, Limits.builder().logBytes(16 << 20).build().roomsPerUser());
        assertEquals(1_000, Limits.builder().logBytes(1).build().roomsPerUser(), "as many as one session");
        for (String name : List.of(
                "messageBytes=65536",
                "connections=20000",
                "connectionsPerAddress=10000",
                "pendingUpgrades=1000",
                "sessions=100000",
                "sessionsPerUser=unlimited",
                "idleTimeout=off",
                "ratePerUser=100 per PT1S, burst 200")) {
            assertTrue(limits.toString().contains(name), () -> name + " in " + limits);
        }
    }

    @Test
    void valuesThatCannotHoldAreRefused() {
        for (UnaryOperator<Limits.Builder> wrong : List.<UnaryOperator<Limits.Builder>>of(
                limits -> limits.connections(0),
                limits -> limits.connectionsPerAddress(0),
                limits -> limits.pendingUpgrades(-1),
                limits -> limits.sessionsPerUser(0),
                limits -> limits.helloTimeout(Duration.ZERO),
                limits -> limits.idleTimeout(Duration.ofMillis(-1)),
                limits -> limits.inflight(2000),
                limits -> limits.outboundBytes(1000))) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> wrong.apply(Limits.builder()).build());
        }
    }
}
