package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.realtime.CloseReason;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.DirectTransport.Line;
import io.realtime.server.internal.TestServer;
import io.realtime.spi.Scheduler;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A server that has no memory left for one step: its clock stands for whatever may throw then. */
class FailingClockTest {
    private final ManualScheduler time = new ManualScheduler();
    private final DirectTransport transport = new DirectTransport();
    private final RealtimeServer server = RealtimeServer.builder()
            .transport(transport)
            .scheduler(new FailingClock())
            .executor(time)
            .limits(Limits.builder().rate(RateLimit.none()).build())
            .authenticator(this::authenticate)
            .allowJoin(this::mayJoin)
            .build()
            .start();

    private int untilFailure; // how many readings of the clock, the one that fails included; 0 for none
    private boolean failsBehindProof;
    private boolean failsBehindRule;

    private final class FailingClock implements Scheduler {
        @Override
        public long nanoTime() {
            if (untilFailure > 0) {
                untilFailure--;
                if (untilFailure == 0) {
                    throw new OutOfMemoryError("as the test wants");
                }
            }
            return time.nanoTime();
        }

        @Override
        public long currentTimeMillis() {
            return time.currentTimeMillis();
        }

        @Override
        public Cancellable schedule(Duration delay, Runnable task) {
            return time.schedule(delay, task);
        }
    }

    private CompletableFuture<Authentication> authenticate(Credentials credentials) {
        untilFailure = failsBehindProof ? 1 : 0;
        return TestServer.byName(credentials);
    }

    private boolean mayJoin(Session session, String room) {
        untilFailure = failsBehindRule ? 1 : 0;
        return !room.startsWith("no");
    }

    @AfterEach
    void close() {
        server.close(Duration.ZERO);
    }

    private Line hello(String more) {
        Line line = transport.open("", Protocol.SUBPROTOCOL);
        line.say("{'type':'$hello','data':{'token':'ann','client':'c-0123456789'" + more + "}}");
        settle();
        return line;
    }

    private void settle() {
        time.advance(Duration.ofMillis(20));
    }

    private static JsonObject last(Line line) {
        return JsonParser.parseString(line.received.get(line.received.size() - 1))
                .getAsJsonObject();
    }

    private static String resumed(Line line) {
        String welcome = line.received.get(0);
        return ",'session':'"
                + JsonParser.parseString(welcome)
                        .getAsJsonObject()
                        .getAsJsonObject("data")
                        .get("session")
                        .getAsString()
                + "'";
    }

    private Session session() {
        return server.connections().user("ann").sessions().get(0);
    }

    private static int closeCode(Line line) {
        return Objects.requireNonNull(line.closed.get()).code();
    }

    @Test
    void messageThatIsNotReadCutsItsConnection() {
        Line ann = hello("");
        untilFailure = 2; // the first notes that something arrived
        assertThrows(OutOfMemoryError.class, () -> ann.say("{'type':'$ping'}"));
        assertEquals(CloseReason.ABNORMAL, closeCode(ann));
    }

    @Test
    void resumptionThatFailsClosesWith1011AndKeepsSession() {
        Line ann = hello("");
        ann.abort();
        failsBehindProof = true;
        Line refused = hello(resumed(ann));
        assertEquals(CloseReason.INTERNAL_ERROR, closeCode(refused));
        failsBehindProof = false;
        Line back = hello(resumed(ann));
        assertTrue(back.received.get(0).contains("\"resumed\":true"), back.received::toString);
    }

    @Test
    void joinThatFailsIsAnsweredAndEndsTheMembership() {
        Line ann = hello("");
        ann.say("{'type':'$join','room':'a','ref':'1'}");
        settle();
        assertEquals(Set.of("a"), session().rooms());
        failsBehindRule = true;
        ann.say("{'type':'$join','room':'a','ref':'2'}");
        settle();
        JsonObject answer = last(ann);
        assertEquals("2", answer.get("ref").getAsString());
        assertEquals("internal", answer.getAsJsonObject("data").get("code").getAsString());
        assertEquals(Set.of(), session().rooms());
        failsBehindRule = false;
        ann.say("{'type':'$join','room':'a','ref':'3'}");
        settle();
        assertEquals("$reply", last(ann).get("type").getAsString());
    }

    @Test
    void rejoinThatFailsForOneRoomJoinsTheOthers() {
        Line ann = hello("");
        failsBehindRule = true;
        ann.say("{'type':'$rejoin','ref':'1','data':{'rooms':{'a':{},'b':{}}}}");
        settle();
        JsonObject rooms = last(ann).getAsJsonObject("data").getAsJsonObject("rooms");
        assertEquals(
                "internal",
                rooms.getAsJsonObject("a").getAsJsonObject("error").get("code").getAsString());
        assertFalse(rooms.getAsJsonObject("b").has("error"));
        assertEquals(Set.of("b"), session().rooms());
    }

    /** The client takes it for a member, and is one again on its next connection. */
    @Test
    void roomThatDoesNotBeginAfterAResumeEndsTheConnection() {
        Line ann = hello("");
        ann.say("{'type':'$join','room':'a','ref':'1'}");
        settle();
        Line again = hello(resumed(ann) + ",'partial':true");
        failsBehindRule = true;
        again.say("{'type':'$rejoin','ref':'2','data':{'rooms':{'no':{}},'last':true}}");
        settle();
        assertEquals(CloseReason.INTERNAL_ERROR, closeCode(again));
        assertEquals(Set.of("a"), session().rooms());
        failsBehindRule = false;
        Line third = hello(resumed(ann));
        assertTrue(third.received.get(0).contains("\"a\":{"), third.received::toString);
        assertFalse(third.received.get(0).contains("unauthorized"));
    }
}
