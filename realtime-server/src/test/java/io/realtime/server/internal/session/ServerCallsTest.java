package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.Subscription;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import io.realtime.server.SessionListener;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.connection.PeerAcceptor;
import io.realtime.server.internal.dispatch.Dispatcher;
import io.realtime.testing.InMemoryNetwork;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Streams that a client asks for, and what a client is asked. */
class ServerCallsTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final StreamRequest<Integer, Integer> COUNT =
            StreamRequest.of("count", Integer.class, Integer.class);
    private static final Request<String, Integer> LENGTH = Request.of("length", String.class, Integer.class);
    private static final StreamRequest<String, Integer> DIGITS =
            StreamRequest.of("digits", String.class, Integer.class);

    private final List<StreamSink<Integer>> sinks = new ArrayList<>();
    private final List<Session> sessions = new ArrayList<>();
    private final List<String> said = new ArrayList<>();
    private final List<Throwable> errors = new ArrayList<>();
    private final ArrayDeque<Runnable> held = new ArrayDeque<>();
    private boolean holding;
    private TestServer test = start(builder -> builder);

    private TestServer start(UnaryOperator<RealtimeServer.Builder> config) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                TestServer::byName,
                builder -> config.apply(builder.executor(task -> {
                            if (holding) {
                                held.add(task);
                            } else {
                                test.time.execute(task);
                            }
                        })
                        .listener(new SessionListener() {
                            @Override
                            public void onOpen(Session session) {
                                sessions.add(session);
                            }

                            @Override
                            public void onError(Session session, Throwable failure) {
                                errors.add(failure);
                            }
                        })
                        .on(SAY, (session, message) -> said.add(message.data()))
                        .onStreamAsync(COUNT, (session, upTo, out) -> count(upTo, out))));
        return test;
    }

    /** Counts up to a number as the reader takes it. */
    private void count(int upTo, StreamSink<Integer> out) {
        sinks.add(out);
        int[] next = {0};
        out.onReady(() -> {
            while (next[0] < upTo && out.offer(next[0])) {
                next[0]++;
            }
            if (next[0] == upTo) {
                out.end();
            }
        });
    }

    private void release() {
        holding = false;
        while (!held.isEmpty()) {
            held.remove().run();
        }
        test.settle();
    }

    @AfterEach
    void close() {
        release();
        test.close();
    }

    @Test
    void itemsKeepTheirPlaceAmongTheClientsMessages() {
        TestPeer ann = test.managed("ann");
        Subscription unused = sessions.get(0).stream(DIGITS, "go", new StreamListener<Integer>() {
            @Override
            public void onItem(Integer item) {
                said.add("item " + item);
            }

            @Override
            public void onEnd() {
                said.add("end");
            }

            @Override
            public void onError(Throwable why) {
                said.add("error " + why);
            }
        });
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        ann.sendRaw("{\"type\":\"$next\",\"ref\":\"" + ref + "\",\"index\":0,\"seq\":1,\"data\":1}");
        ann.sendRaw("{\"type\":\"say\",\"seq\":2,\"data\":\"2\"}");
        ann.sendRaw("{\"type\":\"$next\",\"ref\":\"" + ref + "\",\"index\":1,\"seq\":3,\"data\":3}");
        ann.sendRaw("{\"type\":\"say\",\"seq\":4,\"data\":\"4\"}");
        ann.sendRaw("{\"type\":\"$end\",\"ref\":\"" + ref + "\",\"index\":2,\"seq\":5}");
        ann.sendRaw("{\"type\":\"say\",\"seq\":6,\"data\":\"6\"}");
        test.settle();
        assertEquals(List.of("item 1", "2", "item 3", "4", "end", "6"), said);
    }

    @Test
    void streamsThatAListenerEndsAreToldBehindIt() {
        TestPeer ann = test.managed("ann");
        Session session = sessions.get(0);
        List<String> heard = new ArrayList<>();
        for (String name : List.of("a", "b")) {
            Subscription unused = session.stream(DIGITS, name, new StreamListener<Integer>() {
                @Override
                public void onItem(Integer item) {
                    heard.add(name + " begins");
                    session.disconnect("enough");
                    heard.add(name + " returns");
                }

                @Override
                public void onEnd() {
                    heard.add(name + " ended");
                }

                @Override
                public void onError(Throwable why) {
                    heard.add(name + " failed");
                }
            });
        }
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        ann.send("{'type':'$next','ref':'" + ref + "','index':0,'seq':1,'data':1}");
        assertEquals(List.of("a begins", "a returns"), heard.subList(0, 2));
        assertEquals(4, heard.size(), heard::toString);
        assertTrue(heard.containsAll(List.of("a failed", "b failed")), heard::toString);
    }

    @Test
    void answerDoesNotWaitForTheMessagesBeforeIt() {
        CompletableFuture<Boolean> rule = new CompletableFuture<>();
        test = start(builder -> builder.allowSendAsync((session, event, room) -> rule));
        TestPeer ann = test.managed("ann");
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "four");
        test.settle();
        String ref = ann.next("length").get("ref").getAsString();
        ann.send("{'type':'say','room':'r','seq':1,'data':'waits'}");
        ann.send("{'type':'$reply','ref':'" + ref + "','seq':2,'data':4}");
        assertEquals(4, length.getNow(0));
        assertEquals(List.of(), said);
        assertFalse(ann.types().contains("$ack"), "the answer is acknowledged in its turn");
        rule.complete(true);
        test.time.advance(Duration.ofMillis(200));
        assertEquals(List.of("waits"), said);
        assertEquals(2, ann.data("$ack").get("seq").getAsInt());
    }

    private TestPeer peer(boolean isManaged) {
        return isManaged ? test.managed("ann") : test.plain("ann");
    }

    private static String ask(String ref, int upTo) {
        return "{'type':'count','ref':'" + ref + "','data':" + upTo + "}";
    }

    private static String credit(String data) {
        return "{'type':'$credit','data':" + data + "}";
    }

    private static List<Integer> items(TestPeer peer, String ref) {
        List<Integer> items = new ArrayList<>();
        for (JsonObject frame : peer.received) {
            if (frame.get("type").getAsString().equals("$next")
                    && frame.get("ref").getAsString().equals(ref)) {
                assertEquals(items.size(), frame.get("index").getAsInt());
                items.add(frame.get("data").getAsInt());
            }
        }
        return items;
    }

    private static ErrorCode failure(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return ((RealtimeException) Objects.requireNonNull(failure)).code();
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

    // ---- streams for a client

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aStreamGoesOnAsFarAsItsReaderTakes(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 100));
        assertEquals(64, items(ann, "q").size());
        ann.send(credit("{'streams':{'q':70}}"));
        assertEquals(70, items(ann, "q").size());
        ann.send(credit("{'streams':{'q':69}}"));
        assertEquals(70, items(ann, "q").size());
        ann.send(credit("{'streams':{'q':9007199254740991}}"));
        assertEquals(100, items(ann, "q").size());
        JsonObject end = ann.next("$end");
        assertEquals("q", end.get("ref").getAsString());
        assertEquals(100, end.get("index").getAsInt());
        assertEquals(isManaged, end.has("offset"));
        assertNull(ann.closed);
    }

    @Test
    void aStreamLeavesNoMoreUnreadThanTheInboxHoldsAndWhatIsReadIsForgotten() {
        TestPeer ann = test.managed("ann");
        ann.send(ask("q", 600));
        ann.send(credit("{'streams':{'q':1000}}"));
        assertEquals(250, items(ann, "q").size());
        long full = test.server.stats().logBytes();
        ann.send(credit("{'read':250}"));
        assertEquals(500, items(ann, "q").size());
        assertTrue(test.server.stats().logBytes() <= full + 1_000, "what was read is forgotten");
        ann.send(credit("{'read':250}"));
        assertEquals(500, items(ann, "q").size());
        ann.send(credit("{'read':500}"));
        assertEquals(600, items(ann, "q").size());
        ann.send(credit("{'read':601}"));
        assertTrue(test.server.stats().logBytes() < full / 10, "nothing is kept that was read");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aCancelDoesNotWaitForAHandlerThatIsBusy(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 1_000));
        holding = true;
        ann.send("{'type':'say','data':'x'}");
        ann.send("{'type':'$cancel','ref':'q'}");
        assertEquals(List.of(), said);
        assertTrue(sinks.get(0).isCancelled());
        holding = false;
        held.forEach(Runnable::run);
        held.clear();
        test.settle();
        assertEquals("cancelled", ann.data("$error").get("code").getAsString());
        assertEquals(64, items(ann, "q").size());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void creditDoesNotWaitForAHandlerThatIsBusy(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 1_000));
        holding = true;
        ann.send("{'type':'say','data':'x'}");
        ann.send(credit("{'streams':{'q':65}}"));
        assertEquals(List.of(), said);
        assertTrue(sinks.get(0).isReady());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void acknowledgementOfTheInboxDoesNotWaitForAHandlerThatIsBusy(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        test.server.user("ann").send(SAY, "to the inbox");
        holding = true;
        ann.send("{'type':'say','data':'x'}");
        ann.send("{'type':'$ack','data':{'offset':1}}");
        assertEquals(List.of(), said);
        holding = false; // for others, the handler does not go on
        String all = test.managed("ann").received.toString();
        assertFalse(all.contains("to the inbox"), all);
    }

    @Test
    void aCancelBehindItsQuestionInABusyMailboxIsHeard() {
        TestPeer ann = test.managed("ann");
        ann.send(ask("first", 0)); // so that the session has streams at all
        holding = true;
        ann.send(ask("q", 1_000));
        ann.send("{'type':'$cancel','ref':'q'}");
        holding = false;
        held.forEach(Runnable::run);
        held.clear();
        test.settle();
        assertTrue(sinks.get(1).isCancelled());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aRefThatIsInUseIsRefusedAndItsStreamGoesOn(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 65));
        assertEquals("bad_message", ann.errorOf(ask("q", 5)));
        assertEquals(1, sinks.size());
        ann.send(credit("{'streams':{'q':65}}"));
        assertEquals(65, items(ann, "q").size());
        ann.next("$end");
        ann.send(ask("q", 0));
        ann.next("$end");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void moreStreamsThanTheLimitAreRefusedUntilOneEnds(boolean isManaged) {
        start(builder -> builder.limits(Limits.builder().streamsPerSession(2).build()));
        TestPeer ann = peer(isManaged);
        ann.send(ask("a", 100));
        ann.send(ask("b", 100));
        ann.send(ask("c", 100));
        JsonObject refused = ann.next("$error");
        assertEquals("c", refused.get("ref").getAsString());
        assertEquals("overloaded", refused.getAsJsonObject("data").get("code").getAsString());
        ann.send("{'type':'$cancel','ref':'a'}");
        ann.next("$error");
        ann.send(ask("c", 100));
        assertEquals(64, items(ann, "c").size());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    @SuppressWarnings("NullAway") // what a handler that forgets its answer returns
    void moreRequestsThanTheLimitAreRefusedUntilOneIsAnswered(boolean isManaged) {
        Deque<CompletableFuture<String>> open = new ArrayDeque<>();
        Request<String, String> later = Request.of("later", String.class, String.class);
        start(builder -> builder.limits(Limits.builder().requestsPerSession(2).build())
                .onRequestAsync(later, (session, question) -> switch (question) {
                    case "throws" -> throw new IllegalArgumentException(question);
                    case "null" -> null;
                    default -> {
                        open.add(new CompletableFuture<>());
                        yield open.getLast();
                    }
                }));
        TestPeer ann = peer(isManaged);
        for (String question : List.of("throws", "null", "throws", "null")) { // what never begins holds no place
            assertEquals("internal", ann.errorOf("{'type':'later','ref':'x','data':'" + question + "'}"));
        }
        ann.send("{'type':'later','ref':'a','data':''}");
        ann.send("{'type':'later','ref':'b','data':''}");
        assertEquals("overloaded", ann.errorOf("{'type':'later','ref':'c','data':''}"));
        assertEquals(2, open.size());
        open.getFirst().complete("yes");
        test.settle();
        assertEquals("a", ann.next("$reply").get("ref").getAsString());
        ann.send("{'type':'later','ref':'c','data':''}");
        assertEquals(3, open.size());
        open.getLast().completeExceptionally(new IllegalStateException("no"));
        test.settle();
        assertEquals("c", ann.next("$error").get("ref").getAsString());
        ann.send("{'type':'later','ref':'d','data':''}");
        assertEquals(4, open.size());
    }

    private static final Request<String, String> LATER = Request.of("later", String.class, String.class);

    /** A server whose handler of {@link #LATER} answers when these are completed. */
    private Deque<CompletableFuture<String>> startAnsweringLater(int most) {
        Deque<CompletableFuture<String>> open = new ArrayDeque<>();
        start(builder -> builder.limits(
                        Limits.builder().requestsPerSession(most).build())
                .onRequestAsync(LATER, (session, question) -> {
                    open.add(new CompletableFuture<>());
                    return open.getLast();
                }));
        return open;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void waitingRequestsOfEarlierSessionsCountToo(boolean isManaged) {
        Deque<CompletableFuture<String>> open = startAnsweringLater(2);
        TestPeer ann = peer(isManaged);
        for (int i = 0; i < 5; i++) {
            ann.send("{'type':'later','ref':'a" + i + "','data':''}");
            ann.send("{'type':'later','ref':'b" + i + "','data':''}");
            if (!isManaged) {
                ann.cut();
            }
            ann = peer(isManaged);
        }
        assertEquals(2, open.size());
        assertEquals(1, test.server.stats().sessions());
        open.remove().complete("");
        ann.received.clear();
        ann.send("{'type':'later','ref':'c','data':''}");
        assertEquals(2, open.size());
        assertEquals("overloaded", ann.errorOf("{'type':'later','ref':'d','data':''}"));
        open.forEach(answer -> answer.complete(""));
        ann.send("{'type':'later','ref':'e','data':''}");
        ann.send("{'type':'later','ref':'f','data':''}");
        assertEquals(4, open.size());
        TestPeer bob = test.plain("bob");
        bob.send("{'type':'later','ref':'a','data':''}");
        assertEquals(5, open.size(), "another user is not concerned");
    }

    @Test
    void requestsThatASessionLeavesWhileItDrainsCount() {
        Deque<CompletableFuture<String>> open = startAnsweringLater(2);
        TestPeer ann = test.managed("ann");
        holding = true;
        ann.send("{'type':'later','ref':'a','data':''}");
        ann.send("{'type':'later','ref':'b','data':''}");
        ann.send("{'type':'later','ref':'c','data':''}");
        ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        release();
        assertEquals(2, open.size());
        assertEquals("overloaded", ann.errorOf("{'type':'later','ref':'d','data':''}"));
        open.remove().complete("");
        ann.send("{'type':'later','ref':'e','data':''}");
        assertEquals(2, open.size());
    }

    @Test
    void waitingRequestHoldsNoFrame() throws Exception {
        DirectTransport transport = new DirectTransport();
        RealtimeServer server = RealtimeServer.builder()
                .transport(transport)
                .scheduler(test.time)
                .executor(Runnable::run)
                .authenticator(TestServer::byName)
                .build()
                .start();
        DirectTransport.Line ann = transport.open("", Protocol.SUBPROTOCOL);
        ann.say("{'type':'$hello','data':{'token':'ann'}}");
        Dispatcher dispatcher = ((PeerAcceptor) transport.acceptor()).dispatcher();
        CompletableFuture<String> answer = new CompletableFuture<>();
        WeakReference<Envelope> frame =
                new WeakReference<>(Envelope.parse("{\"type\":\"later\",\"ref\":\"a\",\"seq\":1,\"data\":\"long\"}"));
        dispatcher
                .asyncRequest(LATER, (session, question) -> answer)
                .handle((ServerSession) server.user("ann").sessions().get(0), Objects.requireNonNull(frame.get()));
        for (int i = 0; i < 10 && frame.get() != null; i++) {
            System.gc();
        }
        assertNull(frame.get());
        answer.completeExceptionally(new RealtimeException(ErrorCode.FORBIDDEN, "no"));
        String last = ann.received.get(ann.received.size() - 1);
        assertTrue(last.startsWith("{\"type\":\"$error\",\"ref\":\"a\",\"seq\":1,"), last);
        server.close();
    }

    @Test
    void lateAnswerOfADisconnectedSessionIsDropped() {
        Deque<CompletableFuture<String>> open = startAnsweringLater(3);
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'later','seq':1,'ref':'a','data':''}");
        ann = test.managed("ann"); // the session before drains, and is in no table any more
        ann.send("{'type':'later','seq':2,'ref':'b','data':''}");
        ann.send("{'type':'later','seq':3,'ref':'c','data':''}");
        test.server.user("ann").disconnect("enough");
        test.settle();
        TestPeer next = test.managed("ann");
        open.remove();
        open.remove().complete("late");
        open.remove().completeExceptionally(new IllegalStateException("late"));
        test.settle();
        assertEquals(List.of(), next.received);
    }

    private static final Request<String, Integer> RELAY = Request.of("relay", String.class, Integer.class);
    private static final StreamRequest<String, Integer> RELAYED =
            StreamRequest.of("relayed", String.class, Integer.class);

    /** Relays a good question of Ann's to Bob, and returns the code that Ann gets for his answer. */
    private String relayed(String question, String answer) {
        TestPeer ann = test.managed("ann");
        TestPeer bob = test.managed("bob");
        ann.send("{'type':'" + question + "','ref':'a','data':'good'}");
        String ref = bob.next("length").get("ref").getAsString();
        bob.send("{" + answer + ",'ref':'" + ref + "'}");
        JsonObject error = ann.next("$error");
        assertEquals("a", error.get("ref").getAsString());
        return error.getAsJsonObject("data").get("code").getAsString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"relay", "relayed"})
    void aMalformedAnswerOfAnotherPeerIsNoFaultOfTheSender(String question) {
        UnaryOperator<RealtimeServer.Builder> relaying = builder -> builder.onRequestAsync(
                        RELAY, (session, text) -> sessions.get(1).request(LENGTH, text))
                .onStreamAsync(RELAYED, (session, text, out) -> {
                    CompletableFuture<Integer> unused = sessions.get(1)
                            .request(LENGTH, text)
                            .whenComplete((length, failure) -> out.fail(Objects.requireNonNull(failure)));
                });
        sessions.clear();
        start(relaying);
        assertEquals("internal", relayed(question, "'type':'$reply','data':'x'"));
        assertEquals(1, errors.size(), errors.toString());
        assertTrue(errors.get(0) instanceof PayloadException, errors.toString());
        sessions.clear();
        start(relaying);
        assertEquals("internal", relayed(question, "'type':'$error','data':{'code':'bad_data','message':'no'}"));
        sessions.clear();
        start(relaying);
        assertEquals("forbidden", relayed(question, "'type':'$error','data':{'code':'forbidden','message':'no'}"));
    }

    @Test
    void aHandlerThatWaitedForAFutureRefusesWithTheFailureOfTheFuture() {
        start(builder -> builder.onRequest(RELAY, (session, text) -> {
            throw new CompletionException(
                    text.equals("bad")
                            ? new PayloadException("$: no")
                            : new RealtimeException(ErrorCode.FORBIDDEN, "no"));
        }));
        TestPeer ann = test.managed("ann");
        assertEquals("forbidden", ann.errorOf("{'type':'relay','ref':'1','data':'good'}"));
        assertEquals("internal", ann.errorOf("{'type':'relay','ref':'2','data':'bad'}"));
        assertEquals("bad_data", ann.errorOf("{'type':'relay','ref':'3','data':7}"));
    }

    @Test
    void aStreamNeedsARef() {
        TestPeer ann = test.plain("ann");
        assertEquals("bad_message", ann.errorOf("{'type':'count','data':5}"));
        assertEquals("bad_data", ann.errorOf("{'type':'count','ref':'q','data':'x'}"));
        assertEquals(List.of(), sinks);
    }

    @Test
    void streamsOfAPageLeaveHalfOfItsConnectionFree() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1_000).outboundBytes(4_000).build()));
        TestPeer page = test.plain("ann");
        page.received.clear();
        test.network.stallClients(true);
        page.send(ask("q", 1_000));
        page.send(credit("{'streams':{'q':1000}}"));
        long waiting = test.network.links().get(0).outboundBytes(InMemoryNetwork.Direction.TO_CLIENT);
        assertTrue(waiting > 2_000 && waiting < 2_200, waiting + " bytes");
        test.network.stallClients(false);
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(1_000, items(page, "q").size());
        assertNull(page.closed);
    }

    @Test
    void creditThatGrantsNothingNewIsBoundedLikePings() {
        TestPeer page = test.plain("ann");
        page.send(ask("q", 10_000));
        for (int i = 1; i <= 300; i++) {
            page.sendRaw(credit("{'streams':{'q':1}}").replace('\'', '"'));
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, page.closeCode());
    }

    @Test
    void questionThatNoConnectionTakesIsRefusedToItsAsker() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1_000).outboundBytes(4_000).build()));
        TestPeer page = test.plain("ann");
        page.received.clear();
        Session session = sessions.get(0);
        RealtimeException failure =
                assertThrows(RealtimeException.class, () -> session.request(LENGTH, "x".repeat(2_000)));
        assertEquals(ErrorCode.TOO_BIG, failure.code());
        test.settle();
        assertEquals(List.of(), page.types());
        assertNull(page.closed);
    }

    @Test
    void streamsEndWithTheirSession() {
        TestPeer plain = test.plain("bob");
        plain.send(ask("q", 100));
        plain.cut();
        assertTrue(sinks.get(0).isCancelled());

        TestPeer ann = test.managed("ann");
        ann.send(ask("q", 100));
        ann.cut();
        assertFalse(sinks.get(1).isCancelled(), "the session lives on");
        sessions.get(1).disconnect("enough");
        assertTrue(sinks.get(1).isCancelled());
        assertFalse(sinks.get(1).offer(1));
    }

    @Test
    void aLostConnectionCostsAStreamNothing() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        JsonObject welcome = ann.data("$welcome");
        String epoch = welcome.getAsJsonObject("rooms")
                .getAsJsonObject("@session")
                .get("epoch")
                .getAsString();
        ann.send(ask("q", 100));
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + welcome.get("session").getAsString() + "','positions':{'@session':['" + epoch + "',0]}}}");
        assertEquals(64, items(again, "q").size());
        again.send(credit("{'streams':{'q':100}}"));
        assertEquals(100, items(again, "q").size());
        again.next("$end");
    }

    @Test
    void aStreamWhoseTurnComesAfterItsSessionIsRefusedInTheNext() {
        TestPeer ann = test.managed("ann");
        holding = true;
        ann.send("{'type':'count','ref':'q','seq':1,'data':100}");
        holding = false;
        TestPeer again = test.managed("ann"); // who has lost the name of the session
        assertEquals(CloseReason.SESSION_REPLACED, ann.closeCode());
        held.forEach(Runnable::run);
        held.clear();
        test.settle();
        JsonObject error = again.next("$error");
        assertEquals("q", error.get("ref").getAsString());
        assertEquals(
                "connection_lost", error.getAsJsonObject("data").get("code").getAsString());
        assertEquals(List.of(), sinks);
    }

    @Test
    void aClientWithAGapInItsInboxLosesItsStreamsAndItsQuestions() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        JsonObject welcome = ann.data("$welcome");
        ann.send(ask("q", 100));
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "four");
        Heard heard = new Heard();
        sessions.get(0).stream(DIGITS, "pi", heard);
        test.settle();
        ann.cut();
        assertFalse(sinks.get(0).isCancelled() || length.isDone());
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + welcome.get("session").getAsString() + "','positions':{'@session':['other',1]}}}");
        assertTrue(again.data("$welcome").get("resumed").getAsBoolean());
        assertTrue(sinks.get(0).isCancelled());
        assertEquals(ErrorCode.CONNECTION_LOST, failure(length));
        assertEquals(ErrorCode.CONNECTION_LOST, heard.failure());
        assertTrue(again.next("$cancel").get("ref").getAsString().endsWith("-2"), "the stream's");
        assertFalse(again.types().contains("$cancel"), "the request is given up, and nobody need know");
    }

    // ---- hostile words

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void creditThatGrantsNothingIsBoundedLikePings(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 100));
        for (int i = 0; i < 250; i++) {
            ann.sendRaw("{\"type\":\"$credit\",\"data\":{\"streams\":{\"q\":64,\"r\":" + (100 + i) + "}}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void creditThatNoItemUsesIsBoundedLikePingsHoweverItGrows(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", -1)); // produces nothing
        for (int i = 0; i < 250; i++) {
            ann.sendRaw("{\"type\":\"$credit\",\"data\":{\"streams\":{\"q\":" + (65 + i) + "}}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void creditForOneItemAfterTheOtherIsNoFlood(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 1_000));
        for (int i = 1; i <= 640; i++) {
            String data = "{\"read\":" + i + ",\"streams\":{\"q\":" + (64 + i) + "}}";
            ann.sendRaw("{\"type\":\"$credit\",\"data\":" + data + "}");
            if (i % 64 == 0) { // no more than it has got
                test.settle();
            }
        }
        assertEquals(704, items(ann, "q").size());
        assertNull(ann.closed);
    }

    @Test
    void creditOfAStreamThatHasEndedMeanwhileIsNoPing() {
        TestPeer ann = peer(false);
        for (int batch = 0; batch < 3; batch++) {
            for (int i = 0; i < 50; i++) {
                ann.send(ask("q" + i, 64));
            }
            test.settle();
            for (int i = 0; i < 50; i++) {
                credit(ann, "q" + i, 96);
                credit(ann, "q" + i, 128);
            }
        }
        test.settle();
        assertNull(ann.closed);
    }

    @Test
    void creditOfAStreamThatHasEndedIsBoundedByItsItems() {
        TestPeer ann = peer(false);
        ann.send(ask("q", 40));
        test.settle();
        for (int i = 0; i < 240; i++) { // as many as items, and as many as pings at once
            credit(ann, "q", 96);
        }
        test.settle();
        assertNull(ann.closed);
        for (int i = 0; i < 10; i++) {
            credit(ann, "q", 96);
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    private static void credit(TestPeer from, String ref, long upTo) {
        from.sendRaw("{\"type\":\"$credit\",\"data\":{\"streams\":{\"" + ref + "\":" + upTo + "}}}");
    }

    @Test
    void readingThatIsNoNewsIsBoundedLikePings() {
        TestPeer ann = test.managed("ann");
        ann.send(ask("q", 100));
        for (int i = 0; i < 300; i++) {
            ann.sendRaw("{\"type\":\"$credit\",\"data\":{\"read\":" + (i + 1) + "}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "7",
                "'x'",
                "[]",
                "{}",
                "{'read':null,'streams':null}",
                "{'read':-1}",
                "{'read':-9223372036854775808}",
                "{'read':1e300}",
                "{'read':'x'}",
                "{'read':{}}",
                "{'read':0.5}",
                "{'streams':7}",
                "{'streams':[1,2]}",
                "{'streams':{'q':null}}",
                "{'streams':{'q':-1}}",
                "{'streams':{'q':-9223372036854775808}}",
                "{'streams':{'q':1e300}}",
                "{'streams':{'q':99999999999999999999999}}",
                "{'streams':{'q':'x'}}",
                "{'streams':{'q':{'q':1}}}",
                "{'streams':{'':100}}",
                "{'streams':{'r':100}}"
            })
    void creditThatMakesNoSenseDoesNoHarm(String data) {
        for (TestPeer ann : List.of(test.managed("ann"), test.plain("bob"))) {
            ann.send(ask("q", 100));
            ann.send(credit(data));
            assertEquals(64, items(ann, "q").size(), data);
            ann.send(credit("{'streams':{'q':100}}"));
            assertEquals(100, items(ann, "q").size(), data);
            assertNull(ann.closed);
        }
        assertEquals(List.of(), errors);
    }

    @Test
    void oneWhoClaimsToHaveReadWhatWasNeverSentLosesNobodysMessages() {
        TestPeer ann = test.managed("ann");
        ann.send(ask("q", 100));
        ann.send(credit("{'read':9223372036854775807,'streams':{'q':100}}"));
        assertEquals(100, items(ann, "q").size());
        ann.next("$end");
        sessions.get(0).send(SAY, "still here");
        test.settle();
        assertEquals("still here", ann.next("say").get("data").getAsString());
        assertNull(ann.closed);
    }

    @Test
    void nobodyGrantsOrCancelsTheStreamsOfOthers() {
        TestPeer ann = test.managed("ann");
        TestPeer bob = test.managed("bob");
        TestPeer eve = test.plain("eve");
        ann.send(ask("q", 100));
        bob.send(ask("r", 100));
        for (TestPeer other : List.of(bob, eve)) {
            other.send("{'type':'$cancel','ref':'q'}");
            other.send("{'type':'$cancel'}");
            other.send(credit("{'streams':{'q':100}}"));
        }
        assertEquals(64, items(ann, "q").size());
        assertFalse(sinks.get(0).isCancelled());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void answersToNobodysQuestionAreDropped(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        for (int round = 0; round < 2; round++) {
            for (String type : List.of("$reply", "$next", "$end", "$error")) {
                ann.send("{'type':'" + type + "','ref':'x-1','data':7}");
                ann.send("{'type':'" + type + "'}");
            }
            CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "four");
            test.settle();
            String ref = ann.next("length").get("ref").getAsString();
            ann.send("{'type':'$reply','ref':'" + ref + "','data':4}");
            assertEquals(4, length.join());
        }
        assertNull(ann.closed);
        assertEquals(List.of(), errors);
    }

    // ---- asking a client

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aClientsReplyCompletesTheRequest(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "four");
        test.settle();
        JsonObject question = ann.next("length");
        assertEquals("four", question.get("data").getAsString());
        String ref = question.get("ref").getAsString();
        assertFalse(length.isDone());
        ann.send("{'type':'$reply','ref':'" + ref + "','data':4}");
        assertEquals(4, length.join());
        ann.send("{'type':'$reply','ref':'" + ref + "','data':5}");
        assertEquals(4, length.join());
        assertFalse(ann.types().contains("$error"), ann.received.toString());
    }

    @Test
    void aClientsErrorFailsTheRequestWhateverItLeavesOut() {
        TestPeer ann = test.managed("ann");
        for (String data : List.of(
                "{'code':'forbidden','message':'no','retryable':false}",
                "{'code':'forbidden'}",
                "{'code':'forbidden','message':null}")) {
            CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "x");
            test.settle();
            ann.send("{'type':'$error','ref':'" + ann.next("length").get("ref").getAsString() + "','data':" + data
                    + "}");
            assertEquals(ErrorCode.FORBIDDEN, failure(length), data);
            assertTrue(assertThrows(ExecutionException.class, length::get).getCause() instanceof RemoteException);
        }
    }

    @Test
    void aReplyThatDoesNotFitFailsTheRequest() {
        TestPeer ann = test.managed("ann");
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "x");
        test.settle();
        ann.send("{'type':'$reply','ref':'" + ann.next("length").get("ref").getAsString() + "','data':'x'}");
        assertTrue(assertThrows(ExecutionException.class, length::get).getCause() instanceof PayloadException);
    }

    @Test
    void aRequestEndsWithItsTimeoutAndALateReplyIsDropped() {
        TestPeer ann = test.managed("ann");
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "x", Duration.ofSeconds(2));
        test.time.advance(Duration.ofMillis(1_999));
        assertFalse(length.isDone());
        test.time.advance(Duration.ofMillis(1));
        assertEquals(ErrorCode.TIMEOUT, failure(length));
        ann.send("{'type':'$reply','ref':'" + ann.next("length").get("ref").getAsString() + "','data':1}");
        assertNull(ann.closed);
        assertThrows(IllegalArgumentException.class, () -> sessions.get(0).request(LENGTH, "x", Duration.ZERO));
    }

    @Test
    void whatIsAskedOfASessionThatEndsFails() {
        test.managed("ann");
        CompletableFuture<Integer> before = sessions.get(0).request(LENGTH, "x");
        Heard heard = new Heard();
        sessions.get(0).stream(DIGITS, "pi", heard);
        sessions.get(0).disconnect("enough");
        CompletableFuture<Integer> after = sessions.get(0).request(LENGTH, "x");
        Heard tooLate = new Heard();
        sessions.get(0).stream(DIGITS, "pi", tooLate);
        test.settle();
        assertEquals(ErrorCode.CONNECTION_LOST, failure(before));
        assertEquals(ErrorCode.CONNECTION_LOST, failure(after));
        assertEquals(ErrorCode.CONNECTION_LOST, heard.failure());
        assertEquals(ErrorCode.CONNECTION_LOST, tooLate.failure());
    }

    @Test
    void aThousandQuestionsMayBeOpen() {
        test.managed("ann");
        for (int i = 0; i < 1_000; i++) {
            var unused = sessions.get(0).request(LENGTH, "x");
        }
        CompletableFuture<Integer> more = sessions.get(0).request(LENGTH, "x");
        test.settle();
        assertEquals(ErrorCode.OVERLOADED, failure(more));
    }

    @Test
    void aQuestionThatIsTooBigIsTheCallersMistakeAndNotOpen() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1_000).outboundBytes(4_000).build()));
        test.managed("ann");
        RealtimeException tooBig =
                assertThrows(RealtimeException.class, () -> sessions.get(0).request(LENGTH, "x".repeat(5_000)));
        assertEquals(ErrorCode.TOO_BIG, tooBig.code());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aClientsStreamComesInOrderAndIsAskedForMore(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        Heard heard = new Heard();
        sessions.get(0).stream(DIGITS, "pi", heard);
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        for (int i = 0; i < 32; i++) {
            ann.sendRaw("{\"type\":\"$next\",\"ref\":\"" + ref + "\",\"index\":" + i + ",\"data\":" + i + "}");
        }
        test.settle();
        assertEquals(32, heard.items.size());
        assertEquals(96, ann.data("$credit").getAsJsonObject("streams").get(ref).getAsInt());
        ann.send("{'type':'$end','ref':'" + ref + "','index':32}");
        assertEquals(1, heard.ends);
        assertEquals(List.of(), heard.failures);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'$next','ref':'REF','index':1,'data':1}",
                "{'type':'$next','ref':'REF','data':1}",
                "{'type':'$next','ref':'REF','index':0,'data':'x'}",
                "{'type':'$next','ref':'REF','index':0}"
            })
    void aClientsStreamThatMakesNoSenseIsEndedAndCancelled(String frame) {
        TestPeer ann = test.managed("ann");
        Heard heard = new Heard();
        sessions.get(0).stream(DIGITS, "pi", heard);
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        ann.send(frame.replace("REF", ref));
        assertEquals(1, heard.failures.size());
        assertEquals(ref, ann.next("$cancel").get("ref").getAsString());
        assertEquals(List.of(), heard.items);
        ann.send("{'type':'$next','ref':'" + ref + "','index':0,'data':1}");
        assertEquals(List.of(), heard.items);
    }

    @Test
    void itemsBeyondTheMailboxCloseTheConnection() {
        TestPeer ann = test.managed("ann");
        Subscription unused = sessions.get(0).stream(DIGITS, "pi", new Heard());
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        holding = true;
        for (int i = 0; i < 1_025; i++) {
            ann.sendRaw("{\"type\":\"$next\",\"ref\":\"" + ref + "\",\"index\":" + i + ",\"data\":" + i + "}");
        }
        test.settle();
        assertEquals(CloseReason.OVERLOADED, ann.closeCode());
    }

    @Test
    void aStreamOfAClientThatIsCancelledIsHeardNoMore() {
        TestPeer ann = test.managed("ann");
        Heard heard = new Heard();
        Subscription open = sessions.get(0).stream(DIGITS, "pi", heard);
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        open.close();
        open.close();
        ann.send("{'type':'$next','ref':'" + ref + "','index':0,'data':1}");
        assertEquals(ref, ann.next("$cancel").get("ref").getAsString());
        assertFalse(ann.types().contains("$cancel"));
        assertEquals(List.of(), heard.items);
        assertEquals(List.of(), heard.failures);
    }
}
