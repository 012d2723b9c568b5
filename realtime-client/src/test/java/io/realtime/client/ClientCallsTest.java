package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.Subscription;
import io.realtime.TypeRef;
import io.realtime.client.World.Say;
import io.realtime.client.internal.outbox.BrokenDisk;
import io.realtime.client.internal.outbox.OutboxFile;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.AbstractList;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Requests and streams, asked and answered, through lost connections and lost sessions. */
class ClientCallsTest {
    private static final Request<String, Integer> LENGTH = Request.of("length", String.class, Integer.class);
    private static final StreamRequest<String, Integer> COUNT = StreamRequest.of("count", String.class, Integer.class);
    private static final StreamRequest<String, String> WORDS = StreamRequest.of("words", String.class, String.class);
    private static final Duration SECOND = Duration.ofSeconds(1);

    @TempDir
    Path directory;

    private final World world = new World();
    private long offset;

    @BeforeEach
    void noAcknowledgementOfItsOwn() {
        world.acks = false;
        world.rooms = inbox("s1", 0);
    }

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private static String inbox(String epoch, long offset) {
        return "{\"@session\":{\"epoch\":\"" + epoch + "\",\"offset\":" + offset + ",\"recovered\":true}}";
    }

    private boolean isHolding;

    private CompletableFuture<Integer> ask(String data) {
        CompletableFuture<Integer> result = world.client().request(LENGTH, data);
        world.settle();
        return result;
    }

    private Subscription stream(Heard heard) {
        Subscription open = world.client().stream(COUNT, "all", heard);
        world.settle();
        return open;
    }

    private static final class Heard implements StreamListener<Integer> {
        final List<Integer> items = new ArrayList<>();
        final List<Throwable> failures = new ArrayList<>();
        int ends;

        @Override
        public void onItem(Integer item) {
            items.add(item);
        }

        @Override
        public void onEnd() {
            ends++;
        }

        @Override
        public void onError(Throwable failure) {
            failures.add(failure);
        }

        ErrorCode failure() {
            assertEquals(1, failures.size(), failures.toString());
            return ((RealtimeException) failures.get(0)).code();
        }
    }

    /** Puts a frame in the session's inbox. */
    private void tell(String type, String more) {
        world.peer()
                .send("{\"type\":\"" + type + "\",\"room\":\"@session\",\"offset\":" + ++offset + ",\"ts\":1" + more
                        + "}");
    }

    private void answer(String type, String ref, String more) {
        tell(type, ",\"ref\":\"" + ref + "\"" + more);
        world.settle();
    }

    private void items(String ref, int from, int to) {
        for (int i = from; i < to; i++) {
            tell("$next", ",\"ref\":\"" + ref + "\",\"index\":" + i + ",\"data\":" + i);
        }
        world.settle();
    }

    private static String error(String code) {
        return ",\"data\":{\"code\":\"" + code + "\",\"message\":\"why\",\"retryable\":false}";
    }

    private Envelope only(String type) {
        List<Envelope> all = world.peer().all(type);
        assertEquals(1, all.size(), all.toString());
        return all.get(0);
    }

    private String refOf(String type) {
        return Objects.requireNonNull(only(type).ref());
    }

    private List<String> asked() {
        List<String> texts = new ArrayList<>();
        for (Envelope frame : world.peer().all("length")) {
            texts.add(frame.data(String.class) + (frame.isRedelivered() ? "*" : ""));
        }
        return texts;
    }

    private List<Protocol.Credit> credits() {
        List<Protocol.Credit> said = new ArrayList<>();
        for (Envelope frame : world.peer().all("$credit")) {
            said.add(frame.data(Protocol.Credit.class));
        }
        return said;
    }

    private static ErrorCode failure(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return ((RealtimeException) Objects.requireNonNull(failure)).code();
    }

    private void resume(long processed, long answers) {
        reconnect(true, processed, answers);
    }

    /** The next server may know the client, but not its session. */
    private void loseSession(long processed, long answers) {
        world.rooms = inbox("s2", 0);
        offset = 0;
        reconnect(false, processed, answers);
    }

    private void reconnect(boolean resumed, long processed, long answers) {
        world.resumed = resumed;
        world.seq = processed;
        world.answers = answers;
        world.network.cutAll();
        world.settle();
        for (int i = 0; i < 100 && world.client().state().status() != ConnectionState.Status.OPEN; i++) {
            world.advance(100);
        }
        assertEquals(ConnectionState.Status.OPEN, world.client().state().status());
    }

    // ---- requests

    @Test
    void aRequestIsNumberedHasARefAndIsAnsweredThroughTheInbox() {
        world.connected();
        CompletableFuture<Integer> result = ask("seven");
        Envelope question = only("length");
        assertEquals("seven", question.data(String.class));
        assertEquals(1, question.seq());
        assertNull(question.room());
        answer("$reply", refOf("length"), ",\"data\":5");
        assertEquals(5, result.join());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void anErrorFailsTheRequestAndIsNobodyElsesNews() {
        world.connected();
        CompletableFuture<Integer> result = ask("x");
        answer("$error", refOf("length"), error("forbidden"));
        assertEquals(ErrorCode.FORBIDDEN, failure(result));
        assertInstanceOf(
                RemoteException.class,
                assertThrows(ExecutionException.class, result::get).getCause());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void aRequestThatWasNotSentInTimeNeverIs() {
        CompletableFuture<Integer> result = world.client().request(LENGTH, "x", SECOND);
        world.advance(999);
        assertFalse(result.isDone());
        world.advance(1);
        assertEquals(ErrorCode.TIMEOUT, failure(result));
        world.connected();
        assertEquals(List.of(), asked());
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void aTimeoutThatIsNotPositiveIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> world.client().request(LENGTH, "x", Duration.ZERO));
        assertThrows(IllegalArgumentException.class, () -> world.client().request(LENGTH, "x", Duration.ofMillis(-1)));
    }

    @Test
    void aRequestThatTheOutboxHasNoRoomForFailsAndNobodyElseHears() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(1).build()));
        CompletableFuture<Integer> first = ask("a");
        CompletableFuture<Integer> second = ask("b");
        assertFalse(first.isDone());
        assertEquals(ErrorCode.OVERLOADED, failure(second));
        assertEquals(List.of(), world.dropped);
        assertEquals(List.of(), world.errors);
    }

    @Test
    void aThousandQuestionsMayBeOpen() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(5_000).build()));
        for (int i = 0; i < 1_000; i++) {
            var unused = world.client().request(LENGTH, "x");
        }
        world.settle();
        assertEquals(ErrorCode.OVERLOADED, failure(ask("one more")));
    }

    @Test
    void aRequestIsAskedAgainOnTheNextConnectionUntilItIsProcessed() {
        world.connected();
        CompletableFuture<Integer> result = ask("x");
        resume(0, 0);
        assertEquals(List.of("x*"), asked());
        String ref = refOf("length");
        resume(1, 1);
        assertEquals(List.of(), asked());
        assertFalse(result.isDone());
        answer("$reply", ref, ",\"data\":1");
        assertEquals(1, result.join());
    }

    @Test
    void aRequestThatWasAnsweredIsNotAskedAgainWhateverTheServerHasForgotten() {
        world.connected();
        CompletableFuture<Integer> good = ask("good");
        answer("$reply", refOf("length"), ",\"data\":1");
        CompletableFuture<Integer> bad = ask("bad");
        answer(
                "$error",
                Objects.requireNonNull(world.peer().all("length").get(1).ref()),
                error("forbidden"));
        loseSession(0, 0);
        assertEquals(List.of(), asked());
        assertEquals(1, good.join());
        assertEquals(ErrorCode.FORBIDDEN, failure(bad));
    }

    @Test
    void whatALostSessionHasProcessedFailsAndTheRestIsAskedAgain() {
        world.connected();
        CompletableFuture<Integer> processed = ask("processed");
        CompletableFuture<Integer> not = ask("not");
        loseSession(1, 0);
        assertEquals(ErrorCode.CONNECTION_LOST, failure(processed));
        assertEquals(List.of("not*"), asked());
        assertFalse(not.isDone());
        answer("$reply", refOf("length"), ",\"data\":3");
        assertEquals(3, not.join());
    }

    @Test
    void whatALostSessionAnsweredInTheNextInboxIsReadBeforeItsQuestionsFail() {
        world.connected();
        CompletableFuture<Integer> answered = ask("answered");
        CompletableFuture<Integer> not = ask("not");
        String ref = Objects.requireNonNull(world.peer().all("length").get(0).ref());
        loseSession(2, 1);
        assertFalse(answered.isDone() || not.isDone());
        answer("$reply", ref, ",\"data\":8");
        assertEquals(8, answered.join());
        assertEquals(ErrorCode.CONNECTION_LOST, failure(not));
    }

    @Test
    void whatIsProcessedFailsWhenSomeOfTheInboxIsLost() {
        world.connected();
        CompletableFuture<Integer> processed = ask("processed");
        CompletableFuture<Integer> not = ask("not");
        world.rooms = "{\"@session\":{\"epoch\":\"s1\",\"offset\":9,\"recovered\":false,\"reason\":\"trimmed\"}}";
        resume(1, 9);
        assertEquals(ErrorCode.CONNECTION_LOST, failure(processed));
        assertEquals(List.of("not*"), asked());
        assertFalse(not.isDone());
        world.peer()
                .send("{\"type\":\"$gap\",\"room\":\"@session\",\"data\":{\"epoch\":\"s1\",\"offset\":12,"
                        + "\"reason\":\"trimmed\"}}");
        world.settle();
        assertEquals(ErrorCode.CONNECTION_LOST, failure(not));
    }

    @Test
    void messageThatIsTooBigFailsNoQuestion() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        CompletableFuture<Integer> result = ask("x");
        world.peer()
                .send("{\"type\":\"$gap\",\"room\":\"@session\",\"data\":{\"epoch\":\"s1\",\"offset\":12,"
                        + "\"reason\":\"too_big\"}}");
        world.peer().ack(2, 12);
        world.settle();
        assertFalse(result.isDone());
        world.advance(200);
        assertEquals(12L, credits().get(credits().size() - 1).read());
        offset = 12;
        items(refOf("count"), 0, 1);
        assertEquals(List.of(0), heard.items);
    }

    @Test
    void allFailWhenTheClientIsClosed() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        CompletableFuture<Integer> result = ask("x");
        world.client().close();
        world.settle();
        assertEquals(ErrorCode.CLOSED, failure(result));
        assertEquals(ErrorCode.CLOSED, heard.failure());
    }

    // ---- streams

    @Test
    void aStreamBringsItsItemsAndItsEnd() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        String ref = refOf("count");
        assertEquals(1, only("count").seq());
        items(ref, 0, 3);
        answer("$end", ref, ",\"index\":3");
        assertEquals(List.of(0, 1, 2), heard.items);
        assertEquals(1, heard.ends);
        assertEquals(List.of(), heard.failures);
    }

    @Test
    void theServerHearsOfCreditAtHalfAWindow() {
        world.connected();
        stream(new Heard());
        String ref = refOf("count");
        items(ref, 0, 31);
        assertTrue(
                credits().stream().allMatch(credit -> credit.streams() == null),
                credits().toString());
        items(ref, 31, 32);
        List<Protocol.Credit> said = credits();
        assertEquals(Map.of(ref, 96L), said.get(said.size() - 1).streams());
    }

    @Test
    void noCreditIsSaidOnceTheEndHasArrived() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        String ref = refOf("count");
        for (int i = 0; i < 40; i++) {
            tell("$next", ",\"ref\":\"" + ref + "\",\"index\":" + i + ",\"data\":" + i);
        }
        answer("$end", ref, ",\"index\":40");
        assertEquals(1, heard.ends);
        assertFalse(credits().isEmpty());
        assertTrue(
                credits().stream().allMatch(credit -> credit.streams() == null),
                credits().toString());
    }

    @Test
    void theServerHearsHowFarItsInboxIsReadAfter32FramesOr100Milliseconds() {
        world.connected();
        stream(new Heard());
        String ref = refOf("count");
        items(ref, 0, 1); // arrives after some milliseconds of the 20
        world.advance(60);
        assertEquals(List.of(), credits());
        world.advance(60);
        assertEquals(1, credits().size());
        assertEquals(1L, credits().get(0).read());
        for (int i = 1; i < 32; i++) {
            world.peer()
                    .send("{\"type\":\"chat.said\",\"room\":\"@session\",\"ts\":1,\"data\":{\"text\":\"x\"},\"offset\":"
                            + ++offset + "}");
        }
        world.settle();
        assertEquals(1, credits().size());
        tell("chat.said", ",\"data\":{\"text\":\"x\"}");
        world.settle();
        assertEquals(2, credits().size());
        assertEquals(33L, credits().get(1).read());
    }

    @Test
    void whoAsksNothingSaysNothingOfASmallInbox() {
        world.connected();
        for (int i = 0; i < 31; i++) {
            tell("chat.said", ",\"data\":{\"text\":\"x\"}");
        }
        world.advance(10_000);
        assertEquals(List.of(), credits());
    }

    @Test
    void creditIsSaidAgainAfterAResume() {
        world.connected();
        stream(new Heard());
        String ref = refOf("count");
        items(ref, 0, 32);
        resume(1, 32);
        assertEquals(List.of(), world.peer().all("count"));
        assertEquals(Map.of(ref, 96L), credits().get(0).streams());
        assertEquals(32L, credits().get(0).read());
    }

    @Test
    void whatIsReadIsSaidAgainToALaterStreamsServerAfterAResume() {
        world.connected();
        Subscription first = stream(new Heard());
        items(refOf("count"), 0, 32);
        assertEquals(32L, credits().get(0).read(), "which the server may not have heard");
        first.close();
        world.settle();
        resume(2, 32);
        world.advance(1_000);
        assertEquals(List.of(), credits(), "nobody waits for it");
        stream(new Heard());
        world.advance(200);
        assertEquals(32L, credits().get(0).read());
    }

    @Test
    void nothingOfALostSessionsInboxIsSaidOfTheNext() {
        world.connected();
        stream(new Heard());
        items(refOf("count"), 0, 5);
        Heard second = new Heard();
        stream(second);
        loseSession(1, 0);
        assertEquals(1, world.peer().all("count").size(), "the second is asked again");
        assertFalse(credits().isEmpty());
        for (Protocol.Credit credit : credits()) {
            assertNull(credit.read(), "nothing of this inbox is read");
        }
        items(refOf("count"), 0, 1);
        world.advance(200);
        assertEquals(1L, credits().get(credits().size() - 1).read());
        assertEquals(List.of(0), second.items);
    }

    @Test
    void whatIsLostOfAnInboxIsSaidToBeReadSoThatStreamsHaveItsRoom() {
        world.connected();
        stream(new Heard());
        items(refOf("count"), 0, 5);
        world.rooms = "{\"@session\":{\"epoch\":\"s2\",\"offset\":2,\"recovered\":false,\"reason\":\"epoch\"}}";
        stream(new Heard());
        resume(1, 2);
        assertEquals(2L, credits().get(0).read(), "and no 5 of another log");
        world.peer()
                .send("{\"type\":\"$gap\",\"room\":\"@session\",\"data\":{\"epoch\":\"s2\",\"offset\":9,"
                        + "\"reason\":\"trimmed\"}}");
        world.settle();
        stream(new Heard());
        world.advance(200);
        assertEquals(9L, credits().get(credits().size() - 1).read());
    }

    @Test
    void aStreamThatHasBegunIsNotAskedAgainInAnotherSession() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        items(refOf("count"), 0, 2);
        loseSession(0, 0);
        assertEquals(List.of(), world.peer().all("count"));
        assertEquals(ErrorCode.CONNECTION_LOST, heard.failure());
        assertEquals(List.of(0, 1), heard.items);
    }

    @Test
    void aStreamThatHasNotBegunIsAskedAgain() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        loseSession(0, 0);
        items(refOf("count"), 0, 2);
        assertEquals(List.of(0, 1), heard.items);
        assertEquals(List.of(), heard.failures);
    }

    @Test
    void cancellingAStreamThatWasNotAskedYetSendsNothing() {
        Subscription open = stream(new Heard());
        open.close();
        world.connected();
        world.advance(1_000);
        assertEquals(List.of(), world.peer().all("count"));
        assertEquals(List.of(), world.peer().all("$cancel"));
    }

    @Test
    void cancellingAStreamTellsTheServerOnceAndTheListenerHearsNothingMore() {
        world.connected();
        Heard heard = new Heard();
        Subscription open = stream(heard);
        String ref = refOf("count");
        items(ref, 0, 1);
        open.close();
        open.close();
        world.settle();
        items(ref, 1, 3);
        answer("$error", ref, error("cancelled"));
        assertEquals(ref, refOf("$cancel"));
        assertEquals(List.of(0), heard.items);
        assertEquals(0, heard.ends);
        assertEquals(List.of(), heard.failures);
    }

    @Test
    void cancellingAStreamThatIsOverSendsNothing() {
        world.connected();
        Subscription open = stream(new Heard());
        String ref = refOf("count");
        tell("$next", ",\"ref\":\"" + ref + "\",\"index\":0,\"data\":0");
        answer("$end", ref, ",\"index\":1");
        open.close();
        world.settle();
        assertEquals(List.of(), world.peer().all("$cancel"));
    }

    @Test
    void cancellingAStreamThatWasRefusedSendsNothing() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(2).build()));
        var first = ask("x");
        var second = ask("x");
        Heard heard = new Heard();
        world.client().stream(COUNT, "all", heard).close(); // before it was told of the refusal
        world.connected();
        world.peer().ack(2, 0);
        world.settle();
        assertEquals(List.of(), world.peer().all("$cancel"));
        assertFalse(first.isDone() || second.isDone());
    }

    @Test
    void whatWasToBeToldOfAStreamIsNoErrorWhenTheClientIsClosed() {
        world.connected();
        Subscription open = stream(new Heard());
        items(refOf("count"), 0, 1);
        open.close();
        world.settle();
        world.client().close();
        world.settle();
        assertEquals(List.of(), world.errors);
    }

    // ---- the server asks

    @Test
    void theServersRequestIsAnswered() {
        world.client().onRequest(LENGTH, String::length);
        world.connected();
        answer("length", "s-1", ",\"data\":\"four\"");
        Envelope reply = only("$reply");
        assertEquals("s-1", reply.ref());
        assertEquals(4, reply.<Integer>data(Integer.class));
        assertTrue(reply.seq() > 0, "it is kept until it is acknowledged");
        resume(0, 0);
        assertEquals("s-1", only("$reply").ref());
    }

    @Test
    void aRequestThatNothingHandlesIsRefused() {
        world.connected();
        answer("length", "s-1", ",\"data\":\"four\"");
        assertEquals("s-1", only("$error").ref());
        assertEquals(ErrorCode.NO_HANDLER, only("$error").error().exception().code());
    }

    @Test
    void aHandlerThatThrowsIsReportedAndTheServerLearnsNoMore() {
        NoSuchFieldError thrown = new NoSuchFieldError("secret");
        world.client().onRequest(LENGTH, text -> {
            throw thrown;
        });
        world.connected();
        answer("length", "s-1", ",\"data\":\"four\"");
        RemoteException told = only("$error").error().exception();
        assertEquals(ErrorCode.INTERNAL, told.code());
        assertFalse(told.getMessage().contains("secret"), told.getMessage());
        assertEquals(List.of(thrown), world.errors);
    }

    @Test
    void aHandlersRefusalIsTheAnswer() {
        world.client()
                .onRequestAsync(
                        LENGTH,
                        text -> CompletableFuture.failedFuture(
                                new RealtimeException(ErrorCode.FORBIDDEN, "not for you")));
        world.connected();
        answer("length", "s-1", ",\"data\":\"four\"");
        RemoteException told = only("$error").error().exception();
        assertEquals(ErrorCode.FORBIDDEN, told.code());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void aHandlersFailureWithOtherDataIsNoFaultOfTheServer() {
        PayloadException unfit = new PayloadException("$: no");
        world.client().onRequest(LENGTH, text -> {
            throw new CompletionException(
                    text.equals("bad") ? unfit : new RealtimeException(ErrorCode.FORBIDDEN, "not for you"));
        });
        world.connected();
        answer("length", "s-1", ",\"data\":\"bad\"");
        assertEquals(ErrorCode.INTERNAL, only("$error").error().exception().code());
        assertEquals(List.of(unfit), world.errors);
        answer("length", "s-2", ",\"data\":\"four\"");
        Envelope second = world.peer().all("$error").get(1);
        assertEquals(ErrorCode.FORBIDDEN, second.error().exception().code());
    }

    @Test
    void aQuestionThatDoesNotFitIsRefused() {
        world.client().onRequest(LENGTH, String::length);
        world.connected();
        answer("length", "s-1", ",\"data\":{}");
        assertEquals(ErrorCode.BAD_DATA, only("$error").error().exception().code());
    }

    @Test
    void aReplyThatIsTooBigForTheServerIsAnsweredWithThatError() {
        world.messageBytes = 1_000;
        Request<String, String> long0 = Request.of("long", String.class, String.class);
        world.client().onRequest(long0, text -> "x".repeat(2_000));
        world.connected();
        answer("long", "s-1", ",\"data\":\"x\"");
        assertEquals("s-1", only("$error").ref());
        assertEquals(ErrorCode.TOO_BIG, only("$error").error().exception().code());
    }

    @Test
    void anAnswerThatTheOutboxHasNoRoomForIsSentWhenItHas() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(2).build()));
        world.client().onRequest(LENGTH, String::length);
        world.connected();
        var first = world.client().send(World.SAY, new Say("a"));
        var second = world.client().send(World.SAY, new Say("b"));
        world.settle();
        answer("length", "s-1", ",\"data\":\"four\"");
        assertEquals(List.of(), world.peer().all("$reply"));
        world.peer().ack(2, 0);
        world.settle();
        assertEquals("s-1", only("$reply").ref());
        assertTrue(first.isDone() && second.isDone());
        assertEquals(List.of(), world.errors);
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void replyThatTheOutboxCanNeverHoldIsAnsweredAsTooBig() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(8_000).build()));
        Request<String, String> padded = Request.of("long", String.class, String.class);
        world.client().onRequest(padded, text -> "x".repeat(20_000));
        world.connected();
        answer("long", "s-1", ",\"data\":\"x\"");
        assertEquals("s-1", only("$error").ref());
        assertEquals(ErrorCode.TOO_BIG, only("$error").error().exception().code());
        assertEquals(1, world.errors.size());
        assertEquals(ErrorCode.TOO_BIG, ((RealtimeException) world.errors.get(0)).code());
    }

    @Test
    void itemThatTheOutboxCanNeverHoldIsRefusedAsTooBig() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(8_000).build()));
        StreamRequest<String, String> words = StreamRequest.of("words", String.class, String.class);
        List<StreamSink<String>> sinks = new ArrayList<>();
        world.client().onStreamAsync(words, (question, out) -> sinks.add(out));
        world.connected();
        answer("words", "s-1", ",\"data\":\"all\"");
        RealtimeException refused =
                assertThrows(RealtimeException.class, () -> sinks.get(0).offer("x".repeat(20_000)));
        assertEquals(ErrorCode.TOO_BIG, refused.code());
        world.settle();
        assertEquals(ErrorCode.TOO_BIG, only("$error").error().exception().code());
    }

    @Test
    void replyWhoseWritingFailsWithAnErrorIsAnswered() {
        Request<String, List<String>> lazy = Request.of("lazy", String.class, new TypeRef<List<String>>() {});
        world.client().onRequest(lazy, text -> new AbstractList<String>() {
            @Override
            public String get(int index) {
                throw new NoClassDefFoundError("loaded lazily");
            }

            @Override
            public int size() {
                return 1;
            }
        });
        world.connected();
        answer("lazy", "s-1", ",\"data\":\"x\"");
        assertEquals(ErrorCode.INTERNAL, only("$error").error().exception().code());
        assertEquals(1, world.errors.size());
        assertInstanceOf(NoClassDefFoundError.class, world.errors.get(0).getCause());
    }

    @Test
    void oneNameHasOneHandler() {
        Subscription first = world.client().onRequest(LENGTH, String::length);
        assertThrows(IllegalArgumentException.class, () -> world.client().onRequest(LENGTH, String::length));
        first.close();
        world.client().onRequest(LENGTH, String::length);
    }

    // ---- streams from here

    private List<Integer> produced() {
        List<Integer> values = new ArrayList<>();
        for (Envelope frame : world.peer().all("$next")) {
            assertEquals(values.size(), frame.index());
            values.add(frame.data(Integer.class));
        }
        return values;
    }

    private List<StreamSink<Integer>> sinks() {
        List<StreamSink<Integer>> sinks = new ArrayList<>();
        world.client().onStreamAsync(COUNT, (question, out) -> sinks.add(out));
        world.connected();
        answer("count", "s-1", ",\"data\":\"all\"");
        return sinks;
    }

    @Test
    void aStreamFromHereGoesAsFarAsTheServerTakes() {
        StreamSink<Integer> out = sinks().get(0);
        for (int i = 0; i < 64; i++) {
            assertTrue(out.offer(i));
        }
        assertFalse(out.offer(64));
        world.settle();
        assertEquals(64, produced().size());
        tell("$credit", ",\"data\":{\"streams\":{\"s-1\":66,\"s-9\":5}}");
        world.settle();
        assertTrue(out.offer(64));
        assertTrue(out.offer(65));
        assertFalse(out.offer(66));
        out.end();
        world.settle();
        assertEquals(66, produced().size());
        assertEquals("s-1", only("$end").ref());
        assertEquals(66, only("$end").index());
    }

    @Test
    void aStreamFromHereIsCancelledByTheServer() {
        StreamSink<Integer> out = sinks().get(0);
        answer("$cancel", "s-1", "");
        assertTrue(out.isCancelled());
        assertFalse(out.offer(1));
        assertEquals(ErrorCode.CANCELLED, only("$error").error().exception().code());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void aStreamFromHereGoesOnWhenTheSessionIsResumedAndEndsWithIt() {
        StreamSink<Integer> out = sinks().get(0);
        assertTrue(out.offer(0));
        world.settle();
        resume(1, 1);
        assertFalse(out.isCancelled());
        assertTrue(out.offer(1));
        world.settle();
        loseSession(0, 0);
        assertTrue(out.isCancelled());
    }

    @Test
    void streamFromHereEndsWhenSomeOfTheInboxIsLost() {
        StreamSink<Integer> before = sinks().get(0);
        world.rooms = "{\"@session\":{\"epoch\":\"s1\",\"offset\":9,\"recovered\":false,\"reason\":\"trimmed\"}}";
        resume(1, 9);
        assertTrue(before.isCancelled());
        assertEquals(ErrorCode.CANCELLED, only("$error").error().exception().code());
    }

    @Test
    void streamFromHereEndsAtAGapInTheInboxAndALaterOneDoesNot() {
        List<StreamSink<Integer>> sinks = sinks();
        gapInTheInbox(12);
        assertTrue(sinks.get(0).isCancelled());
        offset = 12;
        answer("count", "s-2", ",\"data\":\"all\"");
        assertFalse(sinks.get(1).isCancelled());
        assertTrue(sinks.get(1).offer(0));
    }

    private void gapInTheInbox(long upTo) {
        world.peer()
                .send("{\"type\":\"$gap\",\"room\":\"@session\",\"data\":{\"epoch\":\"s1\",\"offset\":" + upTo
                        + ",\"reason\":\"trimmed\"}}");
        world.settle();
    }

    /** Has two streams be asked for while callbacks wait. */
    private List<StreamSink<Integer>> waitingSinks(Runnable meanwhile) {
        List<Runnable> held = new ArrayList<>();
        world.use(world.builder().callbackExecutor(task -> {
            if (isHolding) {
                held.add(task);
            } else {
                task.run();
            }
        }));
        List<StreamSink<Integer>> sinks = new ArrayList<>();
        world.client().onStreamAsync(COUNT, (question, out) -> sinks.add(out));
        world.connected();
        isHolding = true;
        answer("count", "s-1", ",\"data\":\"all\"");
        meanwhile.run();
        answer("count", "s-2", ",\"data\":\"all\"");
        isHolding = false;
        while (!held.isEmpty()) {
            held.remove(0).run();
        }
        world.settle();
        assertEquals(2, sinks.size());
        assertFalse(sinks.get(1).isCancelled());
        return sinks;
    }

    @Test
    void cancelThatOvertakesItsQuestionIsHeard() {
        assertTrue(waitingSinks(() -> answer("$cancel", "s-1", "")).get(0).isCancelled());
    }

    @Test
    void streamWhoseQuestionWaitsAtAGapInTheInboxIsCancelled() {
        assertTrue(waitingSinks(() -> {
                    gapInTheInbox(12);
                    offset = 12;
                })
                .get(0)
                .isCancelled());
    }

    @Test
    void aStreamFromHereFillsNoMoreThanHalfOfTheOutbox() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(10).build()));
        StreamSink<Integer> out = sinks().get(0);
        List<Integer> sent = new ArrayList<>();
        out.onReady(() -> {
            while (out.offer(sent.size())) {
                sent.add(sent.size());
            }
        });
        world.settle();
        assertEquals(5, sent.size());
        world.peer().ack(3, 0);
        world.settle();
        assertEquals(8, sent.size());
    }

    @Test
    void itemDroppedForNewerMessagesEndsTheStream() {
        world.use(world.builder()
                .outbox(OutboxLimits.builder()
                        .messages(10)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build()));
        StreamSink<Integer> out = sinks().get(0);
        world.network.cutAll();
        world.settle();
        assertTrue(out.offer(0));
        assertTrue(out.offer(1));
        for (int i = 0; i < 9; i++) {
            var unused = world.client().send(World.SAY, new Say("newer"));
        }
        world.settle();
        assertTrue(out.isCancelled());
        assertEquals(1, world.errors.size(), world.errors.toString());
        assertEquals(ErrorCode.OVERLOADED, ((RealtimeException) world.errors.get(0)).code());
        world.resumed = true;
        world.advance(2_000);
        assertEquals("s-1", only("$error").ref());
        assertEquals(ErrorCode.OVERLOADED, only("$error").error().exception().code());
    }

    @Test
    void anItemThatIsTooBigForTheServerIsRefusedAsThatAndEndsTheStream() {
        world.messageBytes = 1_000;
        StreamRequest<String, String> words = StreamRequest.of("words", String.class, String.class);
        List<StreamSink<String>> sinks = new ArrayList<>();
        world.client().onStreamAsync(words, (question, out) -> sinks.add(out));
        world.connected();
        answer("words", "s-1", ",\"data\":\"all\"");
        RealtimeException refused =
                assertThrows(RealtimeException.class, () -> sinks.get(0).offer("x".repeat(2_000)));
        assertEquals(ErrorCode.TOO_BIG, refused.code());
        world.settle();
        assertEquals(ErrorCode.TOO_BIG, only("$error").error().exception().code());
    }

    @Test
    void whatMakesNoSenseOfAStreamDoesNoHarm() {
        StreamSink<Integer> out = sinks().get(0);
        for (String data : List.of(
                "null",
                "{}",
                "{\"streams\":null}",
                "{\"streams\":{\"s-1\":null}}",
                "{\"streams\":{\"s-1\":-5}}",
                "{\"streams\":{\"s-1\":\"x\"}}",
                "{\"streams\":[1]}",
                "7")) {
            tell("$credit", ",\"data\":" + data);
        }
        answer("$cancel", "s-9", "");
        tell("$cancel", "");
        answer("$next", "nobody", ",\"index\":0,\"data\":1");
        answer("$end", "nobody", "");
        assertTrue(out.offer(1));
        world.settle();
        assertEquals(1, produced().size());
        assertEquals(ConnectionState.Status.OPEN, world.client().state().status());
    }

    // ---- with a file

    private void start() {
        try {
            world.use(world.builder()
                    .outboxFile(new FileOutbox(
                            OutboxFile.open(directory.resolve("outbox"), world.time, () -> {}, new BrokenDisk()))));
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    private void restart() {
        world.client().close();
        world.settle();
        start();
    }

    @Test
    void aQuestionIsNotSentByTheNextProcessWhichGivesItsNumberToNobody() {
        start();
        world.connected();
        CompletableFuture<Integer> lost = ask("one");
        assertEquals(1, only("length").seq());
        var kept = world.client().send(World.SAY, new Say("kept"));
        world.settle();
        CompletableFuture<Integer> alsoLost = ask("three");
        assertEquals(3, world.peer().all("length").get(1).seq());
        restart();
        assertEquals(ErrorCode.CLOSED, failure(lost));
        assertEquals(ErrorCode.CLOSED, failure(alsoLost));
        assertTrue(kept.isDone());
        world.connected();
        assertEquals(List.of("kept*"), world.peer().says());
        assertEquals(List.of(), asked());
        var next = ask("four");
        assertFalse(next.isDone());
        assertEquals(4, only("length").seq());
    }

    @Test
    void aQuestionThatWasAskedOfflineIsSentOnceItsNumberIsInTheFile() {
        start();
        CompletableFuture<Integer> result = ask("x");
        world.connected();
        assertEquals(List.of("x"), asked());
        answer("$reply", refOf("length"), ",\"data\":1");
        assertEquals(1, result.join());
        assertSame(ConnectionState.Status.OPEN, world.client().state().status());
    }

    @Test
    void requestThatTimesOutOnFrozenConnectionIsNotSentAgain() {
        world.connected();
        CompletableFuture<Integer> slow = world.client().request(LENGTH, "slow", SECOND);
        CompletableFuture<Integer> patient = ask("patient");
        assertEquals(List.of("slow", "patient"), asked());
        world.advance(1_000);
        assertEquals(ErrorCode.TIMEOUT, failure(slow));
        resume(0, 0);
        assertEquals(List.of("patient*"), asked());
        answer("$reply", refOf("length"), ",\"data\":7");
        assertEquals(7, patient.join());
    }

    @Test
    void timedOutRequestsCountUntilTheyAreAcknowledged() {
        world.inflight = 2;
        world.connected();
        CompletableFuture<Integer> first = world.client().request(LENGTH, "a", SECOND);
        CompletableFuture<Integer> second = world.client().request(LENGTH, "b", SECOND);
        CompletableFuture<Integer> third = ask("c");
        world.advance(1_000);
        assertEquals(ErrorCode.TIMEOUT, failure(first));
        assertEquals(ErrorCode.TIMEOUT, failure(second));
        assertEquals(List.of("a", "b"), asked()); // the server has them in its mailbox
        world.peer().ack(2, 0);
        world.settle();
        assertEquals(List.of("a", "b", "c"), asked());
        assertFalse(third.isDone());
    }

    @Test
    void cancelledRequestIsNotSentAndLateAnswerIsIgnored() {
        CompletableFuture<Integer> unsent = world.client().request(LENGTH, "unsent");
        assertTrue(unsent.cancel(true));
        world.connected();
        assertEquals(List.of(), asked());
        CompletableFuture<Integer> sent = ask("sent");
        assertTrue(sent.cancel(true));
        answer("$reply", refOf("length"), ",\"data\":4");
        resume(0, 0);
        assertEquals(List.of(), asked());
        assertTrue(sent.isCancelled());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void cancelOfRequestBehindItsAnswerIsTooLate() {
        ArrayDeque<Runnable> callbacks = new ArrayDeque<>();
        world.use(world.builder().callbackExecutor(callbacks::add));
        world.connected();
        CompletableFuture<Integer> asked = ask("sent");
        answer("$reply", refOf("length"), ",\"data\":4");
        assertFalse(asked.cancel(true));
        while (!callbacks.isEmpty()) {
            callbacks.remove().run();
        }
        assertEquals(4, asked.getNow(0));
    }

    /** On the callback executor, an item takes as much of inboundBytes as it costs, and no more. */
    @Test
    void streamItemCountsOnceAgainstInboundBytes() {
        List<Runnable> held = new ArrayList<>();
        world.use(world.builder().messageBytes(2_048).inboundBytes(8_192).callbackExecutor(task -> {
            if (isHolding) {
                held.add(task);
            } else {
                task.run();
            }
        }));
        world.connected();
        List<String> items = new ArrayList<>();
        world.client().stream(WORDS, "all", items::add);
        world.settle();
        String ref = Objects.requireNonNull(world.peer().all("words").get(0).ref());
        isHolding = true;
        for (int i = 0; i < 5; i++) { // 5 * (1,000 + 256 and the envelope), which is less than 8,192
            tell("$next", ",\"ref\":\"" + ref + "\",\"index\":" + i + ",\"data\":\"" + "x".repeat(1_000) + "\"");
            world.settle();
        }
        assertTrue(world.client().isConnected());
        isHolding = false;
        new ArrayList<>(held).forEach(Runnable::run);
        world.settle();
        assertEquals(5, items.size());
    }
}
