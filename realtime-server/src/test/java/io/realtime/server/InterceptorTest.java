package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.Mockito.mock;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What interceptors see, change and refuse, and what becomes of those that break the rules. */
class InterceptorTest extends ChatServerFixture {
    private static final ErrorCode MUTED = ErrorCode.of("muted");

    private final List<String> seen = new ArrayList<>();

    /** Code around the handling of a message. */
    @FunctionalInterface
    private interface Around {
        CompletionStage<?> handle(IncomingMessage message, Interceptor.Handling next) throws Exception;
    }

    private static Interceptor handling(Around around) {
        return new Interceptor() {
            @Override
            public CompletionStage<?> handle(IncomingMessage message, Handling next) throws Exception {
                return around.handle(message, next);
            }
        };
    }

    private static Interceptor joining(JoinRule.Async rule) {
        return new Interceptor() {
            @Override
            public CompletionStage<Boolean> join(Session session, String room, JoinRule.Async next) {
                return rule.allows(session, room);
            }
        };
    }

    private TestPeer annBehind(Interceptor... interceptors) {
        start(builder -> {
            for (Interceptor interceptor : interceptors) {
                builder.intercept(interceptor);
            }
            return builder;
        });
        return test.managed("ann");
    }

    private static String say(int seq, String text) {
        return "{'type':'say','seq':" + seq + ",'data':{'text':'" + text + "'}}";
    }

    private Interceptor named(String name) {
        return handling((message, next) -> {
            seen.add(name + " before");
            CompletionStage<?> answered = next.handle(message);
            seen.add(name + " after");
            return answered;
        });
    }

    // ---- handling

    @Test
    void firstInterceptorIsOutermost() {
        annBehind(named("first"), named("second")).send(say(1, "hi"));
        assertEquals(List.of("first before", "second before", "second after", "first after"), seen);
        assertEquals(List.of("hi"), handled);
    }

    @Test
    void interceptorSeesMessageWithoutReadingItsPayload() {
        TestPeer ann = annBehind(handling((message, next) -> {
            seen.add(message.session().user().id() + " " + message.type() + " " + message.room() + " " + message.ref()
                    + " " + message.trace() + " " + message.json());
            return next.handle(message);
        }));
        ann.send("{'type':'say','seq':1,'ref':'7','trace':'00-a-b-01','data': {'text' : 3 } }");
        assertEquals(List.of("ann say null 7 00-a-b-01 {\"text\" : 3 }"), seen);
        assertEquals("bad_data", ann.data("$error").get("code").getAsString());
        ann.send("{'type':'fail','seq':2}");
        assertEquals("ann fail null null null null", seen.get(1));
    }

    @Test
    void refusalReachesTheClientAndNotTheHandler() {
        TestPeer ann = annBehind(handling((message, next) -> {
            if (message.data(Say.class).text().equals("spam")) {
                throw new RealtimeException(MUTED, "no spam");
            }
            return next.handle(message);
        }));
        ann.send(say(1, "spam"));
        JsonObject error = ann.next("$error");
        assertEquals("muted", error.getAsJsonObject("data").get("code").getAsString());
        assertEquals(1, error.get("seq").getAsInt());
        ann.send(say(2, "ham"));
        assertEquals(List.of("ham"), handled);
        test.time.advance(Duration.ofMillis(100));
        assertEquals(2, ann.data("$ack").get("seq").getAsInt());
        assertEquals(List.of("open ann"), life);
    }

    @Test
    void changedPayloadIsWhatHandlersAndInnerInterceptorsGet() {
        TestPeer ann = annBehind(
                handling((message, next) -> next.handle(message.withJson(" {\"text\":\"b\"} "))),
                handling((message, next) -> {
                    seen.add(message.json());
                    return next.handle(
                            message.withData(new Say(message.data(Say.class).text() + "c")));
                }));
        ann.send(say(1, "a"));
        assertEquals(List.of("{\"text\":\"b\"}"), seen);
        assertEquals(List.of("bc"), handled);
    }

    @Test
    void changedPayloadMustBeJson() {
        TestPeer ann = annBehind(handling((message, next) -> {
            for (String bad : List.of("", "{", "1 2", "nul", "[".repeat(32) + "]".repeat(32))) {
                assertThrows(IllegalArgumentException.class, () -> message.withJson(bad), bad);
            }
            return next.handle(message);
        }));
        ann.send(say(1, "hi"));
        assertEquals(List.of("hi"), handled);
    }

    @Test
    void bytesAreReadAndChanged() {
        Event<byte[]> bytes = Event.of("bytes", byte[].class);
        start(builder -> builder.on(bytes, (session, message) -> handled.add("" + message.data()[0]))
                .intercept(handling((message, next) -> {
                    assertTrue(message.isBinary());
                    assertThrows(IllegalStateException.class, message::json);
                    byte[] data = message.data(byte[].class);
                    data[0]++;
                    return next.handle(message.withData(data));
                })));
        TestPeer ann = test.plain("ann");
        byte[] header = "{\"type\":\"bytes\"}".getBytes(StandardCharsets.US_ASCII);
        byte[] frame = new byte[3 + header.length + 1];
        frame[0] = 1;
        frame[2] = (byte) header.length;
        System.arraycopy(header, 0, frame, 3, header.length);
        frame[frame.length - 1] = 41;
        ann.postBinary(frame);
        test.settle();
        assertEquals(List.of("42"), handled);
    }

    @Test
    void handlersFailurePassesThroughInterceptors() {
        TestPeer ann = annBehind(handling((message, next) -> {
            try {
                return next.handle(message);
            } catch (RealtimeException refused) {
                seen.add(refused.code().value());
                throw refused;
            }
        }));
        assertEquals("sold_out", ann.errorOf("{'type':'refuse','seq':1}"));
        assertEquals(List.of("sold_out"), seen);
        assertEquals("internal", ann.errorOf("{'type':'fail','seq':2}"));
    }

    @Test
    void failureOfAnInterceptorIsInternalAndReported() {
        TestPeer ann = annBehind(handling((message, next) -> {
            throw new IllegalStateException("secret detail");
        }));
        ann.send(say(1, "hi"));
        assertFalse(ann.next("$error").toString().contains("secret"));
        assertEquals(List.of("open ann", "error secret detail"), life);
        assertEquals(List.of(), handled);
    }

    @Test
    void interceptorThatDoesNotCallNextFailsTheMessage() {
        TestPeer ann = annBehind(handling((message, next) -> CompletableFuture.completedFuture(null)));
        assertEquals("internal", ann.errorOf("{'type':'echo','seq':1,'ref':'1','data':1}"));
        assertEquals("error an interceptor of 'echo' neither called next nor threw", life.get(1));
    }

    @Test
    void secondCallOfNextIsReportedAndRunsNoHandler() {
        TestPeer ann = annBehind(handling((message, next) -> {
            CompletionStage<?> unused = next.handle(message);
            return next.handle(message);
        }));
        ann.clear();
        ann.send(say(1, "hi"));
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(List.of("hi"), handled);
        assertEquals(List.of("$ack"), ann.types(), "the message is handled");
        assertTrue(life.get(1).startsWith("error an interceptor of 'say' called next twice"), life::toString);
    }

    @Test
    void nextAfterTheInterceptorHasReturnedRunsNoHandler() {
        AtomicReference<Interceptor.@Nullable Handling> kept = new AtomicReference<>();
        AtomicReference<@Nullable IncomingMessage> first = new AtomicReference<>();
        TestPeer ann = annBehind(handling((message, next) -> {
            if (first.compareAndSet(null, message)) {
                kept.set(next);
                throw new RealtimeException(MUTED, "later");
            }
            IncomingMessage late = Objects.requireNonNull(first.get());
            assertThrows(
                    IllegalStateException.class,
                    () -> Objects.requireNonNull(kept.get()).handle(late));
            return next.handle(message);
        }));
        ann.send(say(1, "one"));
        ann.send(say(2, "two"));
        assertEquals(List.of("two"), handled);
    }

    @Test
    void nextOnAnotherThreadRunsNoHandler() {
        TestPeer ann = annBehind(handling((message, next) -> {
            FutureTask<CompletionStage<?>> call = new FutureTask<>(() -> next.handle(message));
            Thread other = new Thread(call, "other");
            other.start();
            other.join();
            Exception failure = assertThrows(ExecutionException.class, call::get);
            seen.add(String.valueOf(Objects.requireNonNull(failure.getCause()).getMessage()));
            return next.handle(message);
        }));
        ann.send(say(1, "hi"));
        assertEquals(List.of("an interceptor of 'say' called next on another thread"), seen);
        assertEquals(List.of("hi"), handled);
    }

    @Test
    void stageOfALateAnswerCompletesWithItAndHoldsNoMessage() {
        TestPeer ann = annBehind(handling((message, next) -> next.handle(message)
                .whenComplete((done, failure) -> seen.add(message.type() + " " + done + " " + failure))));
        ann.send("{'type':'later','seq':1,'ref':'1','data':1}");
        ann.send(say(2, "hi"));
        assertEquals(List.of("say null null"), seen);
        assertEquals(List.of("hi"), handled);
        later.complete(7);
        test.settle();
        assertEquals(List.of("say null null", "later 7 null"), seen);
        assertEquals(7, ann.next("$reply").get("data").getAsInt());
    }

    @Test
    void eventWithRefIsAnsweredOnce() {
        TestPeer ann = annBehind(named("one"));
        ann.send("{'type':'say','seq':1,'ref':'1','data':{'text':'hi'}}");
        assertEquals("1", ann.next("$reply").get("ref").getAsString());
        assertFalse(ann.types().contains("$reply"));
        assertFalse(ann.types().contains("$error"));
    }

    @Test
    void messageThatTheSendRuleRefusesReachesNoInterceptor() {
        TestPeer ann = annBehind(named("one"));
        assertEquals("forbidden", ann.errorOf("{'type':'say','seq':1,'room':'chat:1','data':{'text':'hi'}}"));
        assertEquals(List.of(), seen);
    }

    @Test
    void messageBehindALateSendRuleIsIntercepted() {
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        start(builder -> builder.intercept(named("one")).allowSendAsync((session, event, room) -> answer));
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        ann.send("{'type':'say','seq':1,'room':'chat:1','data':{'text':'hi'}}");
        assertEquals(List.of(), seen);
        answer.complete(true);
        test.settle();
        assertEquals(List.of("one before", "one after"), seen);
        assertEquals(List.of("hi"), handled);
    }

    @Test
    void lateSendRuleRefusesWithItsCode() {
        start(builder -> builder.allowSendAsync(
                (session, event, room) -> CompletableFuture.failedFuture(new RealtimeException(MUTED, "until noon"))));
        TestPeer ann = test.managed("ann");
        assertEquals("muted", ann.errorOf("{'type':'say','seq':1,'room':'chat:1','data':{'text':'hi'}}"));
        assertEquals(List.of("open ann"), life);
    }

    // ---- joins

    @Test
    void interceptorRefusesAJoinWithItsCode() {
        TestPeer ann = annBehind(joining((session, room) -> {
            throw new RealtimeException(ErrorCode.of("full"), "the room is full");
        }));
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        JsonObject error = ann.next("$error");
        assertEquals("full", error.getAsJsonObject("data").get("code").getAsString());
        assertEquals(
                "the room is full", error.getAsJsonObject("data").get("message").getAsString());
        ann.send("{'type':'$rejoin','ref':'2','data':{'rooms':{'chat:1':{}},'last':true}}");
        assertTrue(ann.next("$reply").toString().contains("\"full\""));
        assertEquals("full", ann.errorOf("{'type':'$history','ref':'3','room':'chat:1'}"));
        assertEquals(List.of("open ann"), life, "a refusal is no failure");
        assertFalse(session("ann").isIn("chat:1"));
    }

    @Test
    void interceptorDecidesAJoinLater() {
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        TestPeer ann = annBehind(joining((session, room) -> answer));
        ann.send("{'type':'$join','ref':'1','room':'staff'}");
        assertFalse(session("ann").isIn("staff"));
        answer.complete(true);
        test.settle();
        assertTrue(session("ann").isIn("staff"), "the interceptor did not ask the rule");
    }

    @Test
    void interceptorThatNeverDecidesAJoinMeansNo() {
        TestPeer ann = annBehind(joining((session, room) -> new CompletableFuture<>()));
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        test.time.advance(Duration.ofSeconds(6));
        assertEquals("forbidden", ann.data("$error").get("code").getAsString());
    }

    @Test
    void interceptorThatPassesOnIsRefusedWithoutAJoinRule() {
        test.close();
        test = new TestServer(
                TestServer::byName,
                builder -> builder.intercept(new Interceptor() {}).listener(new SessionListener() {
                    @Override
                    public void onError(Session session, Throwable failure) {
                        life.add(failure.toString());
                    }
                }));
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        JsonObject error = ann.data("$error");
        assertEquals("forbidden", error.get("code").getAsString());
        assertTrue(error.get("message").getAsString().contains("allowJoin"), error::toString);
        assertEquals(List.of(), life);
    }

    @Test
    void interceptorIsAskedAgainAtEachResume() {
        List<String> asked = new ArrayList<>();
        start(builder -> builder.intercept(new Interceptor() {
            @Override
            public CompletionStage<Boolean> join(Session session, String room, JoinRule.Async next) {
                asked.add(room);
                return asked.size() == 1 ? next.allows(session, room) : CompletableFuture.completedFuture(false);
            }
        }));
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-0123456789012345'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        assertTrue(session("ann").isIn("chat:1"));
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-0123456789012345','session':'" + secret
                + "','positions':{}}}");
        assertTrue(again.next("$welcome").toString().contains("\"unauthorized\""));
        assertEquals(List.of("chat:1", "chat:1"), asked);
        assertFalse(session("ann").isIn("chat:1"));
    }

    // ---- logins

    private static Interceptor login(BiFunction<Credentials, Authenticator, CompletionStage<Authentication>> around) {
        return new Interceptor() {
            @Override
            public CompletionStage<Authentication> authenticate(Credentials credentials, Authenticator next) {
                return around.apply(credentials, next);
            }
        };
    }

    @Test
    void interceptorChangesTheAuthentication() {
        TestPeer ann = annBehind(login((credentials, next) ->
                next.authenticate(credentials).thenApply(proof -> proof.withTag("team", "red"))));
        assertNull(ann.closed());
        assertEquals("red", session("ann").tags().get("team"));
    }

    @Test
    void interceptorRefusesALogin() {
        start(builder -> builder.intercept(login((credentials, next) -> {
            if ("bob".equals(credentials.token())) {
                throw new RealtimeException(ErrorCode.UNAUTHORIZED, "not today");
            }
            return next.authenticate(credentials);
        })));
        TestPeer bob = test.connect("", "/ws?token=bob");
        assertEquals(CloseReason.UNAUTHORIZED, bob.closeCode());
        assertEquals("not today", Objects.requireNonNull(bob.closed()).text());
        assertNull(test.plain("ann").closed());
    }

    @Test
    void interceptorIsAroundARefreshedTokenToo() {
        TestPeer ann = annBehind(login((credentials, next) ->
                next.authenticate(credentials).thenApply(proof -> Authentication.of("tenant-" + proof.user()))));
        assertEquals(1, test.server.connections().user("tenant-ann").sessions().size());
        ann.send("{'type':'$auth','ref':'1','data':{'token':'ann'}}");
        assertEquals("1", ann.next("$reply").get("ref").getAsString());
        assertEquals("unauthorized", ann.errorOf("{'type':'$auth','ref':'2','data':{'token':'bob'}}"));
    }

    // ---- publishes

    private static Interceptor publishing(
            BiFunction<OutgoingMessage, Interceptor.Publishing, CompletableFuture<@Nullable Position>> around) {
        return new Interceptor() {
            @Override
            public CompletableFuture<@Nullable Position> publish(OutgoingMessage message, Publishing next) {
                return around.apply(message, next);
            }
        };
    }

    @Test
    void publishesToEveryKindOfRoomAreIntercepted() {
        TestPeer ann = annBehind(publishing((message, next) -> {
            seen.add(message.room() + " " + message.user() + " " + message.from() + " "
                    + message.event().name() + " " + message.data());
            return next.publish(message.withTrace("t" + seen.size()));
        }));
        Said said = new Said("u", "x");
        Session session = session("ann");
        session.join("chat:1");
        assertEquals(
                1,
                Objects.requireNonNull(session.room("chat:1").send(SAID, said).join())
                        .offset());
        session.user().send(SAID, said);
        session.send(SAID, said);
        test.server.connections().everyone().send(SAID, said);
        assertTrue(test.server
                .connections()
                .sendToSession(session.id(), SAID, said)
                .join());
        test.settle();
        assertEquals(
                List.of(
                        "chat:1 null ann said " + said,
                        "@user ann null said " + said,
                        "@session ann null said " + said,
                        "@all null null said " + said,
                        "@session ann null said " + said),
                seen);
        for (String trace : List.of("t1", "t2", "t3", "t4", "t5")) {
            JsonObject frame = ann.next("said");
            assertEquals(trace, frame.get("trace").getAsString(), frame::toString);
        }
    }

    @Test
    void changedPublishIsWhatMembersGetAndTheLogKeeps() {
        TestPeer ann = annBehind(publishing((message, next) -> {
            Said said = (Said) Objects.requireNonNull(message.data());
            return next.publish(message.withData(new Said(said.user(), "***")));
        }));
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        ann.send("{'type':'say','seq':1,'room':'chat:1','data':{'text':'damn'}}");
        assertEquals("***", ann.data("said").get("text").getAsString());
        ann.clear();
        ann.send("{'type':'$history','ref':'2','room':'chat:1'}");
        assertTrue(ann.next("$reply").toString().contains("***"));
    }

    @Test
    void refusedPublishIsThrownAndReachesNobody() {
        TestPeer ann = annBehind(publishing((message, next) -> {
            throw new RealtimeException(MUTED, "nothing is said");
        }));
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        assertEquals("muted", ann.errorOf("{'type':'say','seq':1,'room':'chat:1','data':{'text':'hi'}}"));
        assertFalse(ann.types().contains("said"));
        Session session = session("ann");
        assertThrows(RealtimeException.class, () -> session.send(SAID, new Said("u", "x")));
    }

    @Test
    void publishWithAPayloadOfAnotherClassIsRefused() {
        annBehind(publishing((message, next) -> {
            assertThrows(IllegalArgumentException.class, () -> message.withData("text"));
            assertThrows(IllegalArgumentException.class, () -> message.withTrace("two words"));
            return next.publish(message);
        }));
        assertEquals(
                1,
                Objects.requireNonNull(
                                session("ann").send(SAID, new Said("u", "x")).join())
                        .offset());
    }

    @Test
    void messageOfSomebodyElseIsNotPassedOn() {
        TestPeer ann = annBehind(
                handling((message, next) -> next.handle(mock(IncomingMessage.class))),
                publishing((message, next) -> next.publish(mock(OutgoingMessage.class))));
        assertEquals("internal", ann.errorOf(say(1, "hi")));
        Session session = session("ann");
        assertThrows(IllegalArgumentException.class, () -> session.send(SAID, new Said("u", "x")));
    }
}
