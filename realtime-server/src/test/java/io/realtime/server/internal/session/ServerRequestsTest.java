package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.connection.PeerAcceptor;
import io.realtime.server.internal.dispatch.Dispatcher;
import java.lang.ref.WeakReference;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The requests of clients: how many may wait, and who gets the answer. */
class ServerRequestsTest extends ServerCallsFixture {
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    @SuppressWarnings("NullAway") // what a handler that forgets its answer returns
    void moreRequestsThanLimitAreRefusedUntilOneIsAnswered(boolean isManaged) {
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
        ann.clear();
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
        test.executor.hold();
        ann.send("{'type':'later','ref':'a','data':''}");
        ann.send("{'type':'later','ref':'b','data':''}");
        ann.send("{'type':'later','ref':'c','data':''}");
        ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        test.release();
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
                .handle(
                        (ServerSession)
                                server.connections().user("ann").sessions().get(0),
                        Objects.requireNonNull(frame.get()));
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
        test.server.connections().user("ann").disconnect("enough");
        test.settle();
        TestPeer next = test.managed("ann");
        open.remove();
        open.remove().complete("late");
        open.remove().completeExceptionally(new IllegalStateException("late"));
        test.settle();
        assertEquals(List.of(), next.received());
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
    void malformedAnswerOfPeerIsNotBlamedOnTheSender(String question) {
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
    void failedFutureOfHandlerIsTheRefusal() {
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
    void questionThatNoConnectionTakesIsRefusedToItsAsker() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1_000).outboundBytes(4_000).build()));
        TestPeer page = test.plain("ann");
        page.clear();
        Session session = sessions.get(0);
        RealtimeException failure =
                assertThrows(RealtimeException.class, () -> session.request(LENGTH, "x".repeat(2_000)));
        assertEquals(ErrorCode.TOO_BIG, failure.code());
        test.settle();
        assertEquals(List.of(), page.types());
        assertNull(page.closed());
    }
}
