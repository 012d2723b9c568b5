package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.realtime.Backoff;
import io.realtime.Event;
import io.realtime.Heartbeat;
import io.realtime.Request;
import io.realtime.client.ConnectionState;
import io.realtime.client.OutboxLimits;
import io.realtime.client.RealtimeClient;
import io.realtime.server.JwtAuthenticator;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/**
 * Every duration that an application can give: one that is too long means "for ever" or is refused, one that is too short is
 * refused.
 */
class DurationsTest {
    private static final List<Duration> LONG = List.of(
            Duration.ofSeconds(Long.MAX_VALUE),
            ChronoUnit.FOREVER.getDuration(),
            Duration.ofNanos(Long.MAX_VALUE).plusNanos(1));
    private static final Duration DAY = Duration.ofDays(1);
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private static final Request<String, String> ASK_BACK = Request.of("ask.back", String.class, String.class);

    /** What a duration must be, beside not too long. */
    private enum Rule {
        POSITIVE,
        WITHIN_DAY,
        NOT_NEGATIVE,
        ANY
    }

    /** Gives a duration to one method of a server, a client, or of what these are built with. */
    private record Use(Rule rule, BiConsumer<Life, Duration> call) {}

    // They have an upper bound of their own, and a test of it, or are what a server answers.
    private static final Set<String> BOUNDED = Set.of(
            "PresenceRule.<init>",
            "PresenceRule.withGrace",
            "PresenceRule.withInterval",
            "RealtimeServer.drain",
            "ServerStats$Times.<init>",
            "Session.reconnect");

    private final Map<String, Use> uses = new TreeMap<>();

    DurationsTest() {
        use(Rule.POSITIVE, "Heartbeat.<init>", (life, time) -> {
            Heartbeat rule = new Heartbeat(time.compareTo(DAY) > 0 ? DAY : time, time.plusNanos(time.isZero() ? 1 : 0));
            life.server.heartbeat(rule);
            life.client.heartbeat(rule);
        });
        use(
                Rule.POSITIVE,
                "Backoff$Builder.initial",
                (life, time) -> life.client.backoff(
                        Backoff.builder().initial(time).cap(LONG.get(0)).build()));
        use(
                Rule.POSITIVE,
                "Backoff$Builder.cap",
                (life, time) -> life.client.backoff(
                        Backoff.builder().floor(Duration.ZERO).cap(time).build()));
        use(
                Rule.NOT_NEGATIVE,
                "Backoff$Builder.floor",
                (life, time) -> life.client.backoff(
                        Backoff.builder().floor(time).cap(LONG.get(0)).build()));
        use(
                Rule.POSITIVE,
                "OutboxLimits$Builder.maxAge",
                (life, time) ->
                        life.client.outbox(OutboxLimits.builder().maxAge(time).build()));
        use(Rule.WITHIN_DAY, "RealtimeClient$Builder.connectTimeout", (life, time) -> life.client.connectTimeout(time));
        use(Rule.WITHIN_DAY, "RealtimeClient$Builder.tokenTimeout", (life, time) -> life.client.tokenTimeout(time));
        use(Rule.POSITIVE, "RealtimeClient.connect", (life, time) -> life.connects = time);
        use(Rule.ANY, "RealtimeClient.disconnect", (life, time) -> life.disconnects = time);
        use(Rule.ANY, "RealtimeClient.close", (life, time) -> life.clientCloses = time);
        use(Rule.POSITIVE, "RealtimeClient.request", (life, time) -> life.asks = time);
        use(Rule.POSITIVE, "ClientRoom.join", (life, time) -> life.joins = time);
        use(
                Rule.ANY,
                "ConnectionState.<init>",
                (life, time) ->
                        assertEquals(time, new ConnectionState(ConnectionState.Status.WAITING, 1, time, null).delay()));
        use(Rule.NOT_NEGATIVE, "Retention.<init>", (life, time) -> life.server.retention(new Retention(9, time)));
        use(Rule.POSITIVE, "RateLimit.<init>", (life, time) -> {
            if (time.compareTo(DAY) < 0) {
                assertNull(new RateLimit(1, time, 1), "this is not reached");
            }
            assertThrows(IllegalArgumentException.class, () -> new RateLimit(1, time, 1)); // never full again
        });
        use(
                Rule.POSITIVE,
                "Limits$Builder.handshakeTimeout",
                (life, time) -> life.server.limits(
                        Limits.builder().handshakeTimeout(time).build()));
        use(
                Rule.POSITIVE,
                "Limits$Builder.helloTimeout",
                (life, time) ->
                        life.server.limits(Limits.builder().helloTimeout(time).build()));
        use(
                Rule.POSITIVE,
                "Limits$Builder.ruleTimeout",
                (life, time) ->
                        life.server.limits(Limits.builder().ruleTimeout(time).build()));
        use(
                Rule.NOT_NEGATIVE,
                "Limits$Builder.idleTimeout",
                (life, time) ->
                        life.server.limits(Limits.builder().idleTimeout(time).build()));
        use(Rule.NOT_NEGATIVE, "RealtimeServer$Builder.sessionTtl", (life, time) -> life.server.sessionTtl(time));
        use(
                Rule.NOT_NEGATIVE,
                "RealtimeServer$Builder.closeOnShutdown",
                (life, time) -> life.server.closeOnShutdown(time));
        use(Rule.ANY, "RealtimeServer.close", (life, time) -> life.closes = time);
        use(Rule.POSITIVE, "Session.request", (life, time) -> life.asksBack = time);
        use(
                Rule.NOT_NEGATIVE,
                "JwtAuthenticator.leeway",
                (life, time) -> JwtAuthenticator.hmac256(
                                "0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.UTF_8))
                        .leeway(time));
    }

    private void use(Rule rule, String name, BiConsumer<Life, Duration> call) {
        assertNull(uses.put(name, new Use(rule, call)), name);
    }

    /** A server and a client in virtual time, from the first message to the last. */
    private static final class Life {
        private final ManualScheduler time = new ManualScheduler();
        private final InMemoryNetwork network = new InMemoryNetwork(time);
        final RealtimeServer.Builder server = RealtimeServer.builder()
                .port(8080)
                .anonymous()
                .allowJoin((session, room) -> true)
                .scheduler(time)
                .executor(time)
                .transport(network.serverTransport());
        final RealtimeClient.Builder client = RealtimeClient.builder(URI.create("ws://host:8080/ws"))
                .transport(network.clientTransport())
                .scheduler(time)
                .callbackExecutor(time);
        Duration asks = DAY;
        Duration joins = DAY;
        Duration asksBack = DAY;
        Duration connects = DAY;
        Duration disconnects = Duration.ZERO;
        Duration clientCloses = Duration.ZERO;
        Duration closes = Duration.ZERO;

        /** Sends and asks both ways, before a lost connection and after it. */
        void live() {
            List<String> heard = new ArrayList<>();
            List<IllegalArgumentException> refusals = new ArrayList<>();
            RealtimeServer up = server.onRequest(ASK, (session, question) -> question)
                    .on(SAY, (session, message) -> {
                        try {
                            var unused = session.request(ASK_BACK, message.data(), asksBack)
                                    .thenAccept(heard::add);
                        } catch (IllegalArgumentException refused) { // the test's to see, not the server's
                            refusals.add(refused);
                        }
                    })
                    .build()
                    .start();
            RealtimeClient user = client.build();
            var answering = user.onRequest(ASK_BACK, question -> question + "!");
            var connected = user.connect(connects);
            var joined = user.room("r").join(0, joins);
            var one = user.send(SAY, "one");
            CompletableFuture<String> asked = user.request(ASK, "two", asks);
            time.advance(Duration.ofSeconds(1));
            assertEquals("two", asked.getNow("nothing yet"));
            network.cutAll();
            var three = user.send(SAY, "three");
            time.advance(Duration.ofSeconds(1));
            user.reconnectNow();
            time.advance(Duration.ofSeconds(1));
            for (IllegalArgumentException refused : refusals) {
                throw refused;
            }
            assertEquals(List.of("one!", "three!"), heard);
            for (CompletableFuture<?> done : List.of(connected, joined, one, three)) {
                assertTrue(done.isDone() && !done.isCompletedExceptionally(), done::toString);
            }
            time.advance(Duration.ofHours(1)); // whatever sweeps, does
            assertTrue(user.isConnected());
            answering.close();
            user.disconnect(disconnects);
            user.close(clientCloses);
            time.advance(Duration.ofSeconds(1)); // the grace would wait on this thread, which keeps time
            up.close(closes);
        }
    }

    @Test
    void everyPublicMethodThatTakesDurationIsTriedHere() {
        TreeMap<String, String> found = new TreeMap<>();
        for (JavaClass type : new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("io.realtime")) {
            String name = type.getPackageName();
            boolean isPublic = type.getModifiers().contains(JavaModifier.PUBLIC);
            if (isPublic && !name.matches(".*\\.(internal|spi|testing|examples|benchmarks|netty|websocket)\\b.*")) {
                for (JavaCodeUnit unit : type.getCodeUnits()) {
                    if (unit.getModifiers().contains(JavaModifier.PUBLIC)
                            && unit.getRawParameterTypes().stream()
                                    .anyMatch(one -> one.isEquivalentTo(Duration.class))) {
                        found.put(type.getName().substring(name.length() + 1) + "." + unit.getName(), name);
                    }
                }
            }
        }
        found.keySet().removeAll(BOUNDED);
        assertEquals(uses.keySet(), found.keySet());
    }

    @Test
    void durationsThatAreTooLongMeanForEverOrAreRefused() {
        uses.forEach((name, use) -> LONG.forEach(time -> use(name, use, time, use.rule == Rule.WITHIN_DAY)));
    }

    private static void use(String name, Use use, Duration time, boolean isRefused) {
        Executable call = () -> {
            Life life = new Life();
            use.call.accept(life, time);
            life.live();
        };
        if (isRefused) {
            assertThrows(IllegalArgumentException.class, call, name + " " + time);
        } else {
            assertDoesNotThrow(call, name + " " + time);
        }
    }

    @Test
    void durationsThatAreTooShortAreRefused() {
        uses.forEach((name, use) -> {
            for (Duration time : List.of(Duration.ZERO, Duration.ofNanos(-1), Duration.ofSeconds(Long.MIN_VALUE))) {
                boolean mayBeZero = use.rule == Rule.NOT_NEGATIVE && !time.isNegative();
                use(name, use, time, use.rule != Rule.ANY && !mayBeZero);
            }
        });
    }
}
