package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.session.ServerSession;
import java.time.Duration;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** The limits of a server, and the deadlines and bounds that they set for one connection. */
class LimitsTest extends LimitsFixture {
    // ---- what is sent

    @Test
    void messageTooLongForAnyConnectionIsRefusedToItsSender() {
        start(limits -> limits.messageBytes(1_000).outboundBytes(10_000));
        Event<String> news = Event.of("news", String.class);
        TestPeer ann = test.plain("ann");
        RealtimeException refused = assertThrows(
                RealtimeException.class,
                () -> test.server.connections().everyone().send(news, "x".repeat(5_000)));
        assertEquals(ErrorCode.TOO_BIG, refused.code());
        test.server.connections().everyone().send(news, "x".repeat(4_800));
        test.settle();
        assertEquals(4_800, ann.next("news").get("data").getAsString().length());
        assertNull(ann.closed());
    }

    // ---- time

    @Test
    void idleConnectionIsClosedThoughItAnswersPings() {
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
        assertNull(ann.closed());
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
        assertNull(silent.closed());
        test.time.advance(Duration.ofMillis(100));
        assertEquals(CloseReason.HELLO_TIMEOUT, silent.closeCode());
    }

    @Test
    void deadlinesRunOnTheExecutor() {
        start(limits -> limits.helloTimeout(Duration.ofSeconds(3)));
        test.managed("ann").cut();
        ServerSession lost =
                (ServerSession) test.server.connections().user("ann").sessions().get(0);
        TestPeer silent = test.connect(Protocol.SUBPROTOCOL, "/ws");
        test.executor.hold();
        test.time.advance(Duration.ofMinutes(5));
        assertNull(silent.closed());
        assertTrue(lost.isOpen(), "its end is nothing for the timer's thread");
        test.executor.release();
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
    void defaultsAreAsDocumented() {
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
    void contradictoryLimitsAreRefused() {
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
