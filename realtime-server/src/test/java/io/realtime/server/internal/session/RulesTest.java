package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.DirectTransport.Line;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.execution.Pool;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.helpers.NOPLogger;

class RulesTest {
    /** No more than one user gets threads for, on any JVM. */
    private static final int TOGETHER = 8;

    private final ManualScheduler time = new ManualScheduler();
    private final Queue<Runnable> threads = new ArrayDeque<>(); // what would run: the test says when
    private final Pool pool = new Pool("rules", 4, threads::add, time);
    private final SessionContext context = mock(SessionContext.class);
    private final ServerSession ann = mock(ServerSession.class);
    private final List<CompletableFuture<Boolean>> answers = new ArrayList<>();

    private final Rules rules = new Rules(
            context,
            (session, room) -> {
                CompletableFuture<Boolean> answer = new CompletableFuture<>();
                answers.add(answer);
                return answer;
            },
            (session, event, room) -> true,
            null,
            pool);

    @BeforeEach
    void serve() {
        when(context.limits()).thenReturn(Limits.defaults());
        when(context.scheduler()).thenReturn(time);
        when(context.inFlight()).thenReturn(new UnfinishedWork(List::of));
        when(context.log()).thenReturn(NOPLogger.NOP_LOGGER);
        when(ann.userId()).thenReturn("ann");
    }

    @Test
    void questionThatIsTooLateWaitsForNoThread() {
        for (int i = 0; i < 100; i++) {
            CompletableFuture<Map<String, ErrorData>> forbidden = rules.forbidden(ann, Set.of("a", "b", "c"));
            time.advance(Duration.ofSeconds(6));
            assertEquals(Set.of("a", "b", "c"), forbidden.join().keySet());
        }
        assertTrue(pool.waiting() <= 2, () -> pool.waiting() + " wait"); // those that hold a thread of the executor's
    }

    /** On real threads: several rules must meet before any of them answers, at each question about a hundred rooms. */
    @Test
    @Timeout(60)
    void blockingJoinRulesRunSideBySide() throws Exception {
        AtomicReference<CountDownLatch> meeting = new AtomicReference<>(new CountDownLatch(TOGETHER));
        DirectTransport transport = new DirectTransport();
        RealtimeServer server = RealtimeServer.builder()
                .authenticator(TestServer::byName)
                .transport(transport)
                .limits(Limits.builder().ruleTimeout(Duration.ofSeconds(20)).build())
                .allowJoin((session, room) -> meet(Objects.requireNonNull(meeting.get())))
                .build()
                .start();
        try {
            Line first = transport.open("", Protocol.SUBPROTOCOL);
            JsonObject welcome = answer(first, "$welcome", hello(""));
            String rooms =
                    IntStream.range(0, 100).mapToObj(i -> "'room" + i + "':{}").collect(Collectors.joining(","));
            JsonObject joined = answer(
                    first, "$reply", "{'type':'$rejoin','ref':'1','data':{'rooms':{" + rooms + "},'last':true}}");
            assertFalse(joined.toString().contains("error"), joined::toString);
            assertEquals(0, Objects.requireNonNull(meeting.get()).getCount());

            meeting.set(new CountDownLatch(TOGETHER));
            first.abort();
            String session = welcome.get("session").getAsString();
            JsonObject resumed =
                    answer(transport.open("", Protocol.SUBPROTOCOL), "$welcome", hello(",'session':'" + session + "'"));
            assertTrue(resumed.get("resumed").getAsBoolean());
            assertFalse(resumed.toString().contains("unauthorized"), resumed::toString);
            assertEquals(0, Objects.requireNonNull(meeting.get()).getCount());
        } finally {
            server.close(Duration.ZERO);
        }
    }

    private static boolean meet(CountDownLatch others) {
        others.countDown();
        try {
            return others.await(20, TimeUnit.SECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static String hello(String more) {
        return "{'type':'$hello','data':{'token':'ann','client':'client-0123456789012345'" + more + "}}";
    }

    /** Returns the data of the first frame of this type that follows. */
    private static JsonObject answer(Line line, String type, String question) {
        CompletableFuture<JsonObject> answer = new CompletableFuture<>();
        line.reader = text -> {
            JsonObject frame = JsonParser.parseString(text).getAsJsonObject();
            if (frame.get("type").getAsString().equals(type)) {
                answer.complete(frame.getAsJsonObject("data"));
            }
        };
        line.say(question);
        return answer.join();
    }

    @Test
    void answerThatIsTooLateTakesNoThread() {
        CompletableFuture<Map<String, ErrorData>> forbidden = rules.forbidden(ann, Set.of("a", "b"));
        threads.remove().run();
        time.advance(Duration.ofSeconds(6));
        assertEquals(Set.of("a", "b"), forbidden.join().keySet());
        threads.clear();
        answers.get(0).complete(true);
        assertEquals(0, threads.size());
    }
}
