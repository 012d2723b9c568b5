package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The largest and the least value of each limit: it is refused by name, or a server works with it. */
@Timeout(60)
class ExtremeLimitsTest {
    private static final Request<String, String> ECHO = Request.of("echo", String.class, String.class);
    private static final Duration LONGEST = Duration.ofSeconds(Long.MAX_VALUE, 999_999_999);

    private static final Map<String, BiFunction<Limits.Builder, Integer, Limits.Builder>> COUNTS = new TreeMap<>(Map.of(
            "messageBytes", Limits.Builder::messageBytes,
            "outboundBytes", Limits.Builder::outboundBytes,
            "connections", Limits.Builder::connections,
            "connectionsPerAddress", Limits.Builder::connectionsPerAddress,
            "pendingUpgrades", Limits.Builder::pendingUpgrades,
            "handshakeBytes", Limits.Builder::handshakeBytes,
            "sessionsPerUser", (builder, count) -> builder.sessionsPerUser(count),
            "sessions", Limits.Builder::sessions,
            "mailbox", Limits.Builder::mailbox,
            "badMessages", Limits.Builder::badMessages));

    private static final Map<String, BiFunction<Limits.Builder, Integer, Limits.Builder>> MORE_COUNTS = Map.of(
            "inflight", Limits.Builder::inflight,
            "roomsPerSession", Limits.Builder::roomsPerSession,
            "rooms", Limits.Builder::rooms,
            "requestsPerSession", Limits.Builder::requestsPerSession,
            "streamsPerSession", Limits.Builder::streamsPerSession,
            "logBytes", (builder, count) -> builder.logBytes(count == Integer.MAX_VALUE ? Long.MAX_VALUE : count));

    private static final Map<String, BiFunction<Limits.Builder, Duration, Limits.Builder>> TIMES = Map.of(
            "handshakeTimeout", Limits.Builder::handshakeTimeout,
            "helloTimeout", Limits.Builder::helloTimeout,
            "ruleTimeout", Limits.Builder::ruleTimeout,
            "idleTimeout", Limits.Builder::idleTimeout);

    static {
        COUNTS.putAll(MORE_COUNTS);
    }

    record Case(
            String limit,
            String value,
            Limits.@Nullable Builder builder,
            @Nullable String refusal) {
        @Override
        public String toString() {
            return limit + " " + value;
        }
    }

    private static <T> Case of(String limit, BiFunction<Limits.Builder, T, Limits.Builder> setter, T value) {
        try {
            return new Case(limit, value.toString(), setter.apply(Limits.builder(), value), null);
        } catch (IllegalArgumentException refused) {
            return new Case(limit, value.toString(), null, refused.getMessage());
        }
    }

    static Stream<Case> largest() {
        List<Case> cases = new ArrayList<>();
        COUNTS.forEach((limit, setter) -> cases.add(of(limit, setter, Integer.MAX_VALUE)));
        TIMES.forEach((limit, setter) -> cases.add(of(limit, setter, LONGEST)));
        // What is refused alone, with what it needs.
        cases.add(of(
                "messageBytes",
                (builder, bytes) -> builder.messageBytes(bytes).outboundBytes(Integer.MAX_VALUE),
                Integer.MAX_VALUE / 2));
        cases.add(of(
                "messageBytes",
                (builder, bytes) -> builder.messageBytes(bytes).outboundBytes(Integer.MAX_VALUE),
                1 << 27));
        cases.add(of(
                "inflight",
                (builder, count) -> builder.inflight(count).mailbox(Integer.MAX_VALUE),
                Integer.MAX_VALUE / 2));
        return cases.stream();
    }

    static Stream<Case> least() {
        List<Case> cases = new ArrayList<>();
        COUNTS.forEach((limit, setter) -> cases.add(of(limit, setter, 1)));
        TIMES.forEach((limit, setter) -> cases.add(of(limit, setter, Duration.ofNanos(1))));
        cases.add(of("idleTimeout", Limits.Builder::idleTimeout, Duration.ofMillis(2)));
        cases.add(of("mailbox", (builder, count) -> builder.inflight(1).mailbox(count), 2));
        cases.add(of("messageBytes", Limits.Builder::messageBytes, 1000));
        cases.add(of(
                "outboundBytes", (builder, bytes) -> builder.messageBytes(1000).outboundBytes(bytes), 2000));
        return cases.stream();
    }

    /** Returns null, after a look at the words, when the limits are refused. */
    private static @Nullable Limits build(Case extreme) {
        String refusal = extreme.refusal;
        try {
            if (refusal == null) {
                return Objects.requireNonNull(extreme.builder).build();
            }
        } catch (IllegalArgumentException refused) {
            refusal = refused.getMessage();
        }
        String why = String.valueOf(refusal);
        assertTrue(why.contains(extreme.limit + " " + extreme.value), why);
        return null;
    }

    private static TestServer start(Limits limits) {
        return new TestServer(
                TestServer::byName,
                builder -> builder.limits(limits)
                        .allowJoin((session, room) -> true)
                        .onRequest(ECHO, (session, text) -> text)
                        .listener(new SessionListener() {
                            @Override
                            public void onOpen(Session session) {
                                session.join("placed");
                            }
                        }));
    }

    @ParameterizedTest
    @MethodSource("largest")
    void largestValueIsRefusedByNameOrWorks(Case extreme) {
        Limits limits = build(extreme);
        if (limits == null) {
            return;
        }
        try (TestServer test = start(limits)) {
            TestPeer first = test.connect("realtime.v1", "/ws");
            first.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
            String secret = first.data("$welcome").get("session").getAsString();
            for (int seq = 1; seq <= 5; seq++) { // at once, so that they wait for each other
                first.post("{'type':'echo','ref':'" + seq + "','seq':" + seq + ",'data':'x'}");
            }
            test.settle();
            assertEquals(5, first.types().stream().filter("$reply"::equals).count(), first.received()::toString);
            first.cut();
            TestPeer again = test.connect("realtime.v1", "/ws");
            again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'" + secret
                    + "','partial':true,'positions':{}}}");
            assertTrue(again.data("$welcome").get("resumed").getAsBoolean());
            again.send("{'type':'$rejoin','ref':'r','data':{'rooms':{'a':{},'placed':{}},'last':true}}");
            JsonObject reply = again.next("$reply");
            while (!reply.get("ref").getAsString().equals("r")) { // of the echoes, which are replayed
                reply = again.next("$reply");
            }
            JsonObject rooms = reply.getAsJsonObject("data").getAsJsonObject("rooms");
            assertEquals("placed,a", String.join(",", new TreeMap<>(rooms.asMap()).descendingKeySet()));
            rooms.asMap()
                    .forEach((name, answer) ->
                            assertTrue(answer.getAsJsonObject().has("epoch"), rooms::toString));
            assertEquals(null, again.closed());
        }
    }

    @ParameterizedTest
    @MethodSource("least")
    void leastValueIsRefusedByNameOrMeansWhatItSays(Case extreme) {
        Limits limits = build(extreme);
        if (limits == null) {
            return;
        }
        try (TestServer test = start(limits)) {
            TestPeer peer = test.connect("realtime.v1", "/ws");
            assertNull(peer.failure());
            if (peer.closed() == null) {
                peer.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
            }
            CloseReason closed = peer.closed();
            if (closed == null) {
                peer.next("$welcome");
            } else {
                assertNotEquals(CloseReason.INTERNAL_ERROR, closed.code());
            }
        }
    }

    @Test
    void twoMessagesThatOverflowOutboundBytesAreRefused() {
        IllegalArgumentException refused = assertThrows(
                IllegalArgumentException.class,
                () -> Limits.builder()
                        .messageBytes(1 << 30)
                        .outboundBytes(1 << 20)
                        .build());
        String why = String.valueOf(refused.getMessage());
        assertTrue(why.contains("1048576") && why.contains("1073741824"), why);
    }
}
