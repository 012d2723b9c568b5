package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** No token and no session secret leaves the server by a log line, an error, a close or another peer's frame. */
@Isolated("reads the log")
class SecretsTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final String KEY = "0123456789abcdef0123456789abcdef";
    private static final Algorithm HS256 = Algorithm.HMAC256(KEY);
    private static final String GOOD = JWT.create().withSubject("ann").sign(HS256);
    private static final String OF_BOB = JWT.create().withSubject("bob").sign(HS256);
    private static final String FOREIGN = JWT.create().withSubject("ann").sign(Algorithm.HMAC256(KEY + "x"));
    private static final String EXPIRED =
            JWT.create().withSubject("ann").withExpiresAt(Instant.EPOCH).sign(HS256);
    private static final String UNNAMED = JWT.create().withIssuer("shop").sign(HS256);
    private static final String NO_JWT = "swordfish-swordfish-swordfish";
    private static final List<String> TOKENS = List.of(GOOD, OF_BOB, FOREIGN, EXPIRED, UNNAMED, NO_JWT);

    private final Logger root = Logger.getLogger("");
    private final Level usual = root.getLevel();
    private final Recorder log = new Recorder();
    private final List<TestPeer> peers = new ArrayList<>();
    private TestServer test = start(JwtAuthenticator.hmac256(KEY));

    /** Keeps every record, as it would be written. */
    private static final class Recorder extends Handler {
        private final List<LogRecord> records = new ArrayList<>();

        @Override
        public synchronized void publish(LogRecord entry) {
            records.add(entry);
        }

        /** Returns the messages alone. */
        synchronized List<String> messages() {
            return records.stream().map(new SimpleFormatter()::formatMessage).toList();
        }

        /** Returns everything, stack traces included. */
        synchronized String text() {
            StringBuilder text = new StringBuilder();
            records.forEach(entry -> text.append(new SimpleFormatter().format(entry)));
            return text.toString();
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }

    private TestServer start(Authenticator authenticator) {
        return new TestServer(
                authenticator,
                builder -> builder.allowJoin((session, room) -> {
                            if (room.startsWith("broken")) {
                                throw new IllegalStateException("no such room in the database");
                            }
                            return true;
                        })
                        .on(SAY, (session, message) -> {
                            if (message.data().equals("fail")) {
                                throw new IllegalStateException("a handler that fails");
                            }
                            session.room(message.requireRoom()).send(SAY, message.data());
                        }));
    }

    @BeforeEach
    void record() {
        log.setLevel(Level.ALL);
        root.setLevel(Level.ALL);
        root.addHandler(log);
    }

    @AfterEach
    void stop() {
        root.removeHandler(log);
        root.setLevel(usual);
        test.close();
    }

    private TestPeer connect(String subprotocol, String path, Map<String, String> headers) {
        TestPeer peer = test.connect(subprotocol, path, headers);
        peers.add(peer);
        return peer;
    }

    private TestPeer hello(String token, String more) {
        TestPeer peer = connect("realtime.v1", "/ws", Map.of());
        peer.send("{'type':'$hello','data':{'token':'" + token + "','client':'client-0123456789'" + more + "}}");
        return peer;
    }

    /** Fails when a secret was logged, or stands in any frame or close that was kept. */
    private void assertNowhere(List<String> secrets) {
        String seen = log.text()
                + peers.stream()
                        .map(peer -> peer.received() + " " + peer.closed() + " " + peer.failure())
                        .toList();
        for (String secret : secrets) {
            assertFalse(seen.contains(secret), () -> secret + " in " + seen);
        }
    }

    @Test
    void noTokenIsLoggedOrAnswered() {
        for (String token : TOKENS) {
            hello(token, "");
            connect("", "/ws?token=" + token, Map.of());
            connect("", "/ws", Map.of("Authorization", "Bearer " + token));
            connect("", "/other?token=" + token, Map.of());
            connect("", "/ws?token=" + token, Map.of("Origin", "https://evil.example", "Host", "here"));
            hello(token + "\u0000", "");
            hello(token, ",'positions':{'chat:1':'none'}");
            hello(token, ",'heartbeat':'" + token + "'");
            hello(token, "}}{");
            TestPeer twice = hello(token, "");
            twice.send("{'type':'$hello','data':{'token':'" + token + "'}}");
            TestPeer odd = connect("realtime.v1", "/ws", Map.of());
            odd.send("{'type':'$hello','data':{'token':['" + token + "']}}");
            TestPeer raw = connect("realtime.v1", "/ws", Map.of());
            raw.send(token);
            TestPeer ann = connect("", "/ws?token=" + GOOD, Map.of());
            ann.send("{'type':'$auth','ref':'1','data':{'token':'" + token + "'}}");
            ann.send("{'type':'$auth','ref':'2','data':{'token':{'" + token + "':1}}}");
            test.time.advance(Duration.ofMinutes(1)); // the log takes so many refusals a minute
        }
        assertTrue(peers.stream().anyMatch(peer -> peer.types().contains("$welcome")));
        assertTrue(
                peers.stream().anyMatch(peer -> peer.closed() != null && peer.closeCode() == CloseReason.UNAUTHORIZED));
        assertTrue(log.text().contains("token is invalid: the signature is not of this key"), log.text());
        assertNowhere(TOKENS);
    }

    private List<String> refusals() {
        return log.records.stream()
                .filter(entry -> entry.getLevel().equals(Level.WARNING))
                .map(new SimpleFormatter()::formatMessage)
                .filter(message -> message.startsWith("refused a peer from "))
                .toList();
    }

    @Test
    void refusalsAreWarnedOfTenTimesAMinute() {
        String refused = "refused a peer from \\S+: token is invalid: the signature is not of this key";
        for (int peer = 1; peer <= 12; peer++) {
            hello(FOREIGN, "");
            assertEquals(Math.min(peer, 10), refusals().size());
        }
        assertTrue(
                refusals().stream().allMatch(line -> line.matches(refused)),
                refusals().toString());
        test.time.advance(Duration.ofMinutes(1));
        hello(FOREIGN, "");
        hello(FOREIGN, "");
        assertEquals(12, refusals().size());
        String next = refusals().get(10);
        assertTrue(next.matches(refused + " \\(and 2 others since the last such line\\)"), next);
        assertTrue(refusals().get(11).matches(refused), refusals().get(11));
    }

    @Test
    void noSessionSecretIsLoggedOrSentToAnotherPeer() {
        TestPeer first = hello(GOOD, "");
        JsonObject welcome = first.data("$welcome");
        String secret = welcome.get("session").getAsString();
        String id = secret.substring(0, 12);
        first.cut();
        TestPeer again = hello(GOOD, ",'session':'" + secret + "'");
        assertTrue(again.data("$welcome").get("resumed").getAsBoolean());
        TestPeer bob = hello(OF_BOB, ",'session':'" + secret + "'");
        assertFalse(bob.data("$welcome").get("resumed").getAsBoolean());
        for (TestPeer peer : List.of(again, bob)) {
            peer.send("{'type':'$join','room':'chat:1','ref':'1'}");
            peer.send("{'type':'$join','room':'broken','ref':'2'}");
            peer.send("{'type':'say','room':'chat:1','seq':1,'data':'hello'}");
            peer.send("{'type':'say','room':'chat:1','seq':2,'data':'fail'}");
        }
        test.server.connections().session(id).orElseThrow().disconnect("that is all");
        test.settle();
        assertEquals(CloseReason.KICKED, again.closeCode());
        assertTrue(log.text().contains("a handler that fails"), "the log was not recorded");
        assertTrue(log.text().contains("Session{" + id + ", user=ann}"), "the public id is for the log");
        assertNowhere(List.of(secret, secret.substring(12), GOOD, OF_BOB));
    }

    @Test
    void tokenThatAuthenticatorsFailureQuotesIsMaskedInLog() {
        test.close();
        test = start(credentials -> {
            String token = String.valueOf(credentials.token());
            throw new IllegalStateException("cannot check " + credentials, new IllegalArgumentException(token));
        });
        hello(NO_JWT, "");
        connect("", "/ws?token=" + NO_JWT, Map.of());
        assertTrue(log.text().contains("java.lang.IllegalArgumentException: ***"), log.text());
        assertTrue(log.text().contains("SecretsTest.java"), "the stack trace says where");
        assertNowhere(List.of(NO_JWT));
        test.close();
        test = start(credentials -> CompletableFuture.failedFuture(new IllegalStateException("the database is away")));
        hello(NO_JWT, "");
        LogRecord last = log.records.get(log.records.size() - 1);
        assertInstanceOf(IllegalStateException.class, last.getThrown(), "what quotes no token is logged as it is");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\n", "\\r", "\\u001b[2J", "\\u0085", "\\u2028"})
    void peerCannotForgeLogLines(String control) {
        TestPeer ann = hello(GOOD, "");
        String join = "{'type':'$join','ref':'1','room':'broken" + control + "2026-01-01 ERROR forged'}";
        assertEquals("bad_message", ann.errorOf(join));
        ann.send("{'type':'say','room':'broken" + control + "forged'}");
        ann.send("{'type':'" + control + "forged'}");
        List<String> messages = log.messages();
        assertTrue(
                messages.stream().allMatch(message -> message.matches("[^\\p{Cc}\\u2028\\u2029]*")),
                messages.toString());
    }

    @Test
    void sessionSecretsAreRandomAndUselessInPart() {
        assertInstanceOf(SecureRandom.class, RealtimeServer.builder().random);
        String one = hello(GOOD, "").data("$welcome").get("session").getAsString();
        String two = hello(OF_BOB, "").data("$welcome").get("session").getAsString();
        assertTrue(one.matches("[A-Za-z0-9_-]{36}"), "72 bits that name it and 144 that guard it: " + one);
        assertNotEquals(one.substring(12), two.substring(12));
        String id = one.substring(0, 12);
        for (String guess : List.of(id, one.substring(0, 35), one + "A", id + two.substring(12), id + "\\u0000")) {
            TestPeer again = hello(GOOD, ",'session':'" + guess + "'");
            assertFalse(again.data("$welcome").get("resumed").getAsBoolean(), guess);
        }
    }
}
