package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A message that is longer than the client takes costs the client that message, and no other call. */
@Timeout(60)
class TooBigCallsTest {
    private static final Event<String> NEWS = Event.of("news", String.class);
    private static final StreamRequest<String, String> TICKS = StreamRequest.of("ticks", String.class, String.class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private static final Request<String, String> FAIL = Request.of("fail", String.class, String.class);
    private static final String LONG = "x".repeat(3_000);

    private final List<StreamSink<String>> sinks = new ArrayList<>();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.onStreamAsync(TICKS, (session, question, out) -> sinks.add(out))
                    .onRequest(FAIL, (session, question) -> {
                        throw new RealtimeException(ErrorCode.of("odd"), "\u20ac".repeat(1_000));
                    }));
    private final TestPeer ann = test.connect("realtime.v1", "/ws");

    @BeforeEach
    void twoStreams() {
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','messageBytes':2000}}");
        ann.send("{'type':'ticks','ref':'s1','seq':1,'data':''}");
        ann.send("{'type':'ticks','ref':'s2','seq':2,'data':''}");
        assertTrue(sinks.get(0).offer("item"));
        assertTrue(sinks.get(1).offer("item"));
        test.settle();
        ann.clear();
    }

    @AfterEach
    void close() {
        test.close();
    }

    private Session session() {
        return test.server.connections().user("ann").sessions().iterator().next();
    }

    private CompletableFuture<String> ask(String question) {
        CompletableFuture<String> answer = session().request(ASK, question, Duration.ofMinutes(1));
        test.settle();
        return answer;
    }

    private void assertStreamsGoOn() {
        test.time.advance(Duration.ofMillis(200)); // for acknowledgements
        ann.clear();
        for (StreamSink<String> sink : sinks) {
            assertFalse(sink.isCancelled());
            assertTrue(sink.offer("more"));
        }
        test.settle();
        assertEquals(List.of("$next", "$next"), ann.types());
    }

    @Test
    void eventThatIsTooLongIsAGapAlone() {
        CompletableFuture<String> answer = ask("short");
        String ref = ann.next("ask").get("ref").getAsString();
        session().send(NEWS, LONG);
        test.settle();
        assertEquals(List.of("$gap"), ann.types());
        assertFalse(answer.isDone());
        assertStreamsGoOn();
        ann.send("{'type':'$reply','ref':'" + ref + "','seq':3,'data':'yes'}");
        assertEquals("yes", answer.getNow(null));
    }

    @Test
    void itemThatIsTooLongEndsItsStreamAlone() {
        CompletableFuture<String> answer = ask("short");
        ann.clear();
        sinks.get(0).offer(LONG);
        test.settle();
        JsonObject error = ann.next("$error");
        assertEquals("s1", error.get("ref").getAsString());
        assertEquals("too_big", error.getAsJsonObject("data").get("code").getAsString());
        assertTrue(error.has("offset"));
        assertFalse(ann.types().contains("$gap"));
        assertTrue(sinks.remove(0).isCancelled());
        assertFalse(answer.isDone());
        test.time.advance(Duration.ofMillis(200));
        ann.clear();
        assertTrue(sinks.get(0).offer("more"));
        test.settle();
        assertEquals(List.of("$next"), ann.types());
    }

    @Test
    void questionThatIsTooLongFailsAlone() {
        CompletableFuture<String> other = ask("short");
        CompletableFuture<String> answer = ask(LONG);
        ExecutionException failed = assertThrows(ExecutionException.class, answer::get);
        RealtimeException failure = assertInstanceOf(RealtimeException.class, failed.getCause());
        assertEquals(ErrorCode.TOO_BIG, failure.code());
        assertEquals(List.of("ask", "$gap"), ann.types());
        assertFalse(other.isDone());
        assertStreamsGoOn();
    }

    @Test
    void errorThatIsTooLongKeepsItsCode() {
        ann.send("{'type':'fail','ref':'q','seq':3,'data':''}");
        JsonObject error = ann.next("$error");
        assertEquals("q", error.get("ref").getAsString());
        assertEquals("odd", error.getAsJsonObject("data").get("code").getAsString());
        assertTrue(error.toString().length() <= 2_000);
        assertStreamsGoOn();
    }
}
