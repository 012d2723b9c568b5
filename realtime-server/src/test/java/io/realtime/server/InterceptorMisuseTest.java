package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Interceptors that catch failures, throw too late, call next twice or not at all. */
class InterceptorMisuseTest extends ChatServerFixture {
    private static final Request<String, String> BUY = Request.of("buy", String.class, String.class);
    private static final StreamRequest<String, String> TICKS = StreamRequest.of("ticks", String.class, String.class);

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

    @FunctionalInterface
    private interface Publish {
        CompletableFuture<@Nullable Position> publish(OutgoingMessage message, Interceptor.Publishing next);
    }

    private static Interceptor publishing(Publish around) {
        return new Interceptor() {
            @Override
            public CompletableFuture<@Nullable Position> publish(OutgoingMessage message, Publishing next) {
                return around.publish(message, next);
            }
        };
    }

    private static final Interceptor SWALLOWS = handling((message, next) -> {
        try {
            return next.handle(message);
        } catch (RealtimeException observed) {
            return CompletableFuture.completedStage(null);
        }
    });

    @Test
    void requestWhoseFailureAnInterceptorSwallowsIsAnswered() {
        start(builder -> builder.intercept(SWALLOWS).onRequest(BUY, (session, what) -> {
            throw new RealtimeException(ErrorCode.of("sold_out"), "nothing left");
        }));
        TestPeer ann = test.managed("ann");
        ann.clear();
        ann.send("{'type':'buy','ref':'r1','seq':1,'data':'x'}");
        test.time.advance(Duration.ofSeconds(60));
        List<String> answers = ann.types().stream()
                .filter(t -> t.equals("$reply") || t.equals("$error"))
                .toList();
        assertEquals(1, answers.size(), "answers: " + ann.received());
    }

    @Test
    void badDataIsNotAcknowledgedAsSuccess() {
        start(builder -> builder.intercept(SWALLOWS));
        TestPeer ann = test.managed("ann");
        ann.clear();
        ann.send("{'type':'say','ref':'r1','seq':1,'data':{'text':3}}");
        test.settle();
        assertTrue(ann.types().contains("$error"), "answers: " + ann.received());
    }

    private static Interceptor throwsAfter() {
        return handling((message, next) -> {
            next.handle(message);
            throw new RealtimeException(ErrorCode.of("audit"), "the audit failed");
        });
    }

    private List<String> answersOf(TestPeer ann, String json) {
        ann.clear();
        ann.send(json);
        test.settle();
        return ann.types().stream()
                .filter(t -> t.equals("$reply") || t.equals("$error") || t.equals("$next") || t.equals("$end"))
                .toList();
    }

    @Test
    void requestIsAnsweredOnceWhenAnInterceptorThrowsAfterNext() {
        start(builder -> builder.intercept(throwsAfter()));
        TestPeer ann = test.managed("ann");
        List<String> answers = answersOf(ann, "{'type':'echo','ref':'r1','seq':1,'data':'x'}");
        assertEquals(1, answers.size(), "one request, answers: " + answers);
    }

    @Test
    void asyncRequestIsAnsweredOnceWhenAnInterceptorThrowsAfterNext() {
        start(builder -> builder.intercept(throwsAfter()));
        TestPeer ann = test.managed("ann");
        List<String> answers = new ArrayList<>(answersOf(ann, "{'type':'later','ref':'r1','seq':1,'data':1}"));
        ann.clear();
        later.complete(7);
        test.settle();
        answers.addAll(ann.types().stream()
                .filter(t -> t.equals("$reply") || t.equals("$error"))
                .toList());
        assertEquals(1, answers.size(), "one request, answers: " + answers);
    }

    @Test
    void streamGoesOnWhenAnInterceptorThrowsAfterNext() {
        List<StreamSink<String>> sinks = new ArrayList<>();
        start(builder -> builder.intercept(throwsAfter()).onStreamAsync(TICKS, (session, what, out) -> sinks.add(out)));
        TestPeer ann = test.managed("ann");
        assertEquals(List.of(), answersOf(ann, "{'type':'ticks','ref':'r1','seq':1,'data':'x'}"));
        sinks.get(0).send("late");
        test.settle();
        assertTrue(ann.types().contains("$next"), () -> ann.received().toString());
    }

    @Test
    void sendThatNoInterceptorPassesOnFails() {
        start(builder -> builder.intercept(publishing((message, next) -> CompletableFuture.completedFuture(null))));
        TestPeer ann = member();
        Room room = test.server.connections().room("chat:1");
        assertThrows(IllegalStateException.class, () -> room.send(SAID, new Said("s", "x")));
        assertThrows(IllegalStateException.class, () -> room.send(SAID, new Said("s", "x"), "key"));
        test.settle();
        assertEquals(List.of(), ann.types());
    }

    @Test
    void refusalInTheFutureIsTheSendersFailure() {
        start(builder -> builder.intercept(publishing((message, next) ->
                CompletableFuture.failedFuture(new RealtimeException(ErrorCode.of("muted"), "not now")))));
        TestPeer ann = member();
        assertTrue(test.server
                .connections()
                .room("chat:1")
                .send(SAID, new Said("s", "x"))
                .isCompletedExceptionally());
        test.settle();
        assertEquals(List.of(), ann.types());
    }

    @Test
    void sendIsDoneThoughAnInterceptorFailsAfterThePublish() {
        start(builder -> builder.intercept(publishing((message, next) -> {
            var unused = next.publish(message);
            throw new IllegalStateException("the audit failed");
        })));
        TestPeer ann = member();
        Position at = test.server
                .connections()
                .room("chat:1")
                .send(SAID, new Said("s", "x"))
                .join();
        assertEquals(1, Objects.requireNonNull(at).offset());
        test.settle();
        assertEquals(List.of("said"), ann.types());
    }

    private TestPeer member() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','ref':'j','room':'chat:1'}");
        ann.clear();
        return ann;
    }

    @Test
    void publishCalledTwiceIsPublishedOnce() {
        start(builder -> builder.intercept(publishing((message, next) -> {
            var unused = next.publish(message);
            return next.publish(message);
        })));
        TestPeer ann = member();
        test.server.connections().room("chat:1").send(SAID, new Said("s", "x"));
        test.settle();
        assertEquals(List.of("said"), ann.types());
    }

    /** Its interceptor throws after the late answer has failed. */
    @Test
    void failedLateRequestIsCountedOnce() {
        start(builder -> builder.intercept(handling((message, next) -> {
            CompletionStage<?> answered = next.handle(message);
            answered.toCompletableFuture().join();
            return answered;
        })));
        TestPeer ann = test.managed("ann");
        later.completeExceptionally(new RealtimeException(ErrorCode.of("nope"), "no"));
        List<String> answers = answersOf(ann, "{'type':'later','ref':'r1','seq':1,'data':1}");
        assertEquals(1, answers.size(), answers::toString);
        assertEquals(Map.of("nope", 1L), test.server.stats().refusedMessages());
    }

    @Test
    void sendToSessionTellsOfARefusal() {
        start(builder -> builder.intercept(publishing((message, next) ->
                CompletableFuture.failedFuture(new RealtimeException(ErrorCode.of("muted"), "no")))));
        test.managed("ann");
        CompletableFuture<Boolean> sent =
                test.server.connections().sendToSession(session("ann").id(), SAID, new Said("s", "x"));
        assertTrue(sent.isCompletedExceptionally());
    }
}
