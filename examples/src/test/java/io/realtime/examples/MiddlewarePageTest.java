package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.Authenticator;
import io.realtime.server.Credentials;
import io.realtime.server.IncomingMessage;
import io.realtime.server.Interceptor;
import io.realtime.server.JoinRule;
import io.realtime.server.OutgoingMessage;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import io.realtime.testing.TestEnvironment;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The code of docs/middleware.md: it runs here, and stands there to the letter. */
class MiddlewarePageTest {
    record Say(String text) {}

    private static final Event<Say> SAY = Event.of("chat.say", Say.class);
    private static final Event<Say> SAID = Event.of("chat.said", Say.class);
    private static final Event<String> FAIL = Event.of("chat.fail", String.class);
    private static final Request<String, Integer> UPLOAD = Request.of("upload", String.class, Integer.class);

    private final TestEnvironment env = new TestEnvironment();
    private final List<String> log = new ArrayList<>();

    @AfterEach
    void close() {
        env.close();
    }

    private RealtimeServer serve(UnaryOperator<RealtimeServer.Builder> more) {
        RealtimeServer.Builder builder = RealtimeServer.builder()
                .authenticator(credentials ->
                        CompletableFuture.completedFuture(Authentication.of(String.valueOf(credentials.token()))))
                .transport(env.network().serverTransport())
                .scheduler(env.time())
                .executor(env.time())
                .allowJoin((session, room) -> true)
                .on(
                        SAY,
                        (session, message) ->
                                session.room(message.requireRoom()).send(SAID, message.data()))
                .on(FAIL, (session, message) -> {
                    throw new RealtimeException(ErrorCode.of("sold_out"), "nothing left");
                })
                .onRequest(UPLOAD, (session, text) -> text.length());
        return env.autoClose(more.apply(builder).build().start());
    }

    private RealtimeClient.Builder to(RealtimeServer server, String user) {
        return RealtimeClient.builder(env.uri(server.port()))
                .token(user)
                .transport(env.network().clientTransport())
                .scheduler(env.time())
                .callbackExecutor(env.time());
    }

    private RealtimeClient connect(RealtimeClient.Builder builder) {
        RealtimeClient client = env.autoClose(builder.build());
        env.await(client.connect());
        return client;
    }

    private String refusal(CompletionStage<?> stage) {
        Throwable failure = assertThrows(CompletionException.class, () -> env.await(stage));
        return Objects.requireNonNull((RemoteException) failure.getCause())
                .code()
                .value();
    }

    // @start timing
    /** Logs how long each message took, and how it ended. */
    static final class Timing implements Interceptor {
        private final List<String> log;

        Timing(List<String> log) {
            this.log = log;
        }

        @Override
        public CompletionStage<?> handle(IncomingMessage message, Handling next) throws Exception {
            long begin = System.nanoTime();
            try {
                CompletionStage<?> answered = next.handle(message); // inner interceptors, then the handler
                log(message, "ok", begin);
                return answered;
            } catch (Exception failure) {
                log(message, failure.toString(), begin);
                throw failure;
            }
        }

        private void log(IncomingMessage message, String result, long begin) {
            log.add(message.session().user().id() + " " + message.type() + ": " + result + ", "
                    + (System.nanoTime() - begin) / 1_000 + " µs");
        }
    }
    // @end

    @Test
    void messagesAreTimed() {
        RealtimeServer server = serve(builder -> builder.intercept(new Timing(log)));
        RealtimeClient client = connect(to(server, "ann"));
        assertEquals(3, env.await(client.request(UPLOAD, "abc")));
        assertEquals("sold_out", refusal(client.send(FAIL, "")));
        assertEquals(2, log.size());
        assertTrue(log.get(0).matches("ann upload: ok, \\d+ µs"), log::toString);
        assertTrue(log.get(1).matches("ann chat.fail: .*nothing left, \\d+ µs"), log::toString);
    }

    // @start rules
    /** Keeps banned users out, full rooms closed, and bad words out of what is published. */
    static final class House implements Interceptor {
        @Override
        public CompletionStage<Authentication> authenticate(Credentials credentials, Authenticator next) {
            return next.authenticate(credentials).thenApply(proof -> {
                if (proof.user().equals("mallory")) {
                    throw new RealtimeException(ErrorCode.UNAUTHORIZED, "you are banned");
                }
                return proof.withTag("floor", "1");
            });
        }

        @Override
        public CompletionStage<Boolean> join(Session session, String room, JoinRule.Async next) {
            boolean isFull = session.connections().room(room).localMembers().size() >= 2;
            if (isFull && !session.isIn(room)) { // a member that resumes is asked about again
                throw new RealtimeException(ErrorCode.of("full"), "the room is full", true, null);
            }
            return next.allows(session, room);
        }

        @Override
        public CompletionStage<?> handle(IncomingMessage message, Handling next) throws Exception {
            if (!message.type().equals(SAY.name())) {
                return next.handle(message);
            }
            Say say = message.data(Say.class);
            if (say.text().isBlank()) {
                throw new RealtimeException(ErrorCode.of("empty"), "say something");
            }
            return next.handle(message.withData(new Say(say.text().strip())));
        }

        @Override
        public CompletableFuture<@Nullable Position> publish(OutgoingMessage message, Publishing next) {
            return next.publish(
                    message.data() instanceof Say say
                            ? message.withData(new Say(say.text().replace("darn", "****")))
                            : message);
        }
    }
    // @end

    @Test
    void houseRulesHold() {
        RealtimeServer server = serve(builder -> builder.intercept(new House()));
        RealtimeClient ann = connect(to(server, "ann"));
        RealtimeClient bob = connect(to(server, "bob"));
        RealtimeClient eve = connect(to(server, "eve"));
        env.await(ann.room("chat:1").join());
        env.await(bob.room("chat:1").join());
        assertEquals("full", refusal(eve.room("chat:1").join()));
        var unused = bob.on(SAID, said -> log.add(said.data().text()));
        env.await(ann.room("chat:1").send(SAY, new Say("  darn it ")));
        assertEquals("empty", refusal(ann.room("chat:1").send(SAY, new Say(" "))));
        env.settle();
        assertEquals(List.of("**** it"), log);
        RealtimeClient mallory = env.autoClose(to(server, "mallory").build());
        CompletionStage<?> refused = mallory.connect();
        assertThrows(CompletionException.class, () -> env.await(refused));
        assertFalse(server.connections().user("mallory").isOnline());
    }

    @Test
    void unhandledMessagesAndLimits() {
        RealtimeServer server = serve(
                builder -> builder
                        // @start limits
                        .limit(SAY, RateLimit.perSecond(5)) // of each session
                        .maxBytes(UPLOAD, 10_000) // too_big beyond
                        .onUnhandled(
                                message -> { // no handler has this name
                                    log.add(message.type() + " " + (message.isBinary() ? "(binary)" : message.json()));
                                })
                // @end
                );
        RealtimeClient client = connect(to(server, "ann"));
        assertEquals("too_big", refusal(client.request(UPLOAD, "x".repeat(10_000))));
        assertEquals(9_998, env.await(client.request(UPLOAD, "x".repeat(9_998))));
        env.await(client.send(Event.of("old.say", Say.class), new Say("hi")));
        env.await(client.send(Event.of("old.bytes", byte[].class), new byte[] {1, 2}));
        assertEquals(List.of("old.say {\"text\":\"hi\"}", "old.bytes (binary)"), log);
    }

    /** A tracer in place of a real one: a span is its trace context, and the current one is the thread's. */
    private static final class Tracer {
        private static final ThreadLocal<@Nullable String> SPANS = new ThreadLocal<>();

        private int count;

        @Nullable
        String current() {
            return SPANS.get();
        }

        /** Begins a span, as a child of another one or of none, and makes it current until it ends. */
        Span begin(String name, @Nullable String parent) {
            String before = SPANS.get();
            count++;
            SPANS.set((parent == null ? "trace" : parent) + "." + name + count);
            return () -> SPANS.set(before);
        }
    }

    private interface Span {
        void end();
    }

    // @start tracing
    /** Continues the trace of each message in its handler, and in what the handler publishes. */
    static final class Tracing implements Interceptor {
        private final Tracer tracer;

        Tracing(Tracer tracer) {
            this.tracer = tracer;
        }

        @Override
        public CompletionStage<?> handle(IncomingMessage message, Handling next) throws Exception {
            Span span = tracer.begin(message.type(), message.trace());
            try {
                return next.handle(message);
            } finally {
                span.end();
            }
        }

        @Override
        public CompletableFuture<@Nullable Position> publish(OutgoingMessage message, Publishing next) {
            return next.publish(message.withTrace(tracer.current()));
        }
    }
    // @end

    @Test
    void traceGoesFromClientToServerToClient() {
        Tracer tracer = new Tracer();
        RealtimeServer server = serve(builder -> builder.intercept(new Tracing(tracer)));
        RealtimeClient.Builder builder = to(server, "ann");
        // @start client
        builder.trace(tracer::current); // asked on the thread that sends
        // @end
        RealtimeClient ann = connect(builder);
        RealtimeClient bob = connect(to(server, "bob"));
        env.await(ann.room("chat:1").join());
        env.await(bob.room("chat:1").join());
        var unused = bob.on(SAID, said -> log.add(said.data().text() + " " + said.trace()));
        Span click = tracer.begin("click", null);
        CompletableFuture<Void> sent = ann.room("chat:1").send(SAY, new Say("traced"));
        assertFalse(sent.isDone(), "it is handled later, outside of the span");
        click.end();
        env.settle();
        assertEquals(List.of("traced trace.click1.chat.say2"), log);
        assertNull(tracer.current());
        assertTrue(server.connections()
                .room("chat:1")
                .send(SAID, new Say("from nobody"))
                .isDone());
        env.settle();
        assertEquals("from nobody null", log.get(1));
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "docs/middleware.md",
                MiddlewarePageTest.class,
                List.of("timing", "rules", "limits", "tracing", "client"),
                code -> code.replace("staticfinalclass", "finalclass"));
    }
}
