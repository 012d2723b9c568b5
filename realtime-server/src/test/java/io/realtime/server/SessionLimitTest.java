package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.session.ServerSession;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How many sessions there may be, and how often one may be resumed. */
class SessionLimitTest extends LimitsFixture {
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
        assertNull(first.closed());
        assertNull(second.closed());
        test.plain("bob");
        assertEquals(2, test.server.connections().user("ann").sessions().size());
        first.cut();
        test.plain("ann");
    }

    @Test
    void oldestSessionIsEvictedIfConfigured() {
        start(limits -> limits.sessionsPerUser(2, SessionOverflow.CLOSE_OLDEST));
        TestPeer first = test.plain("ann");
        TestPeer second = test.plain("ann");
        TestPeer third = test.plain("ann");
        assertEquals(CloseReason.TOO_MANY_SESSIONS, first.closeCode());
        assertNull(second.closed());
        assertNull(third.closed());
    }

    @ParameterizedTest
    @ValueSource(strings = {"REFUSE_NEW", "CLOSE_OLDEST"})
    void detachedSessionIsEvictedFirst(SessionOverflow overflow) {
        start(limits -> limits.sessionsPerUser(2, overflow));
        TestPeer connected = test.plain("ann");
        TestPeer away = test.managed("ann");
        away.cut();
        assertEquals(2, test.server.connections().user("ann").sessions().size());
        TestPeer third = test.plain("ann");
        assertNull(connected.closed());
        assertNull(third.closed());
        assertEquals(2, test.server.connections().user("ann").sessions().size());
    }

    @Test
    void clientThatBeginsAnotherSessionReplacesItsOwn() {
        start(limits -> limits.sessionsPerUser(1));
        TestPeer before = test.managed("ann");
        TestPeer after = test.managed("ann");
        assertEquals(CloseReason.SESSION_REPLACED, before.closeCode());
        assertNull(after.closed());
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
    void repeatedResumesAreRefused() {
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
        assertNull(ann.closed(), "the one that has the session keeps it");
        test.time.advance(Duration.ofSeconds(21));
        assertTrue(resume(secret, "ann").data("$welcome").get("resumed").getAsBoolean());
    }

    @Test
    void guessingSessionsIsRateLimitedButNotForTheOwner() {
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
    void repeatedReconnectsCannotFillABlockedMailbox() {
        start(limits -> limits.mailbox(8).inflight(4).resumptionsPerSession(RateLimit.none()));
        TestPeer ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        ServerSession session = (ServerSession)
                test.server.connections().user("ann").sessions().iterator().next();
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
}
