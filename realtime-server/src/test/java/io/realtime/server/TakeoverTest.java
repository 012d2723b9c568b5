package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.DirectTransport.Line;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A client's connections and sessions that follow one another, and what happens between two steps of that. */
class TakeoverTest {
    private static final Event<String> NOTE = Event.of("note", String.class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);

    private final ManualScheduler time = new ManualScheduler();
    private final DirectTransport transport = new DirectTransport();
    private final CompletableFuture<String> answer = new CompletableFuture<>();
    private final RealtimeServer server = RealtimeServer.builder()
            .transport(transport)
            .scheduler(time)
            .executor(time)
            .authenticator(TestServer::byName)
            .onRequestAsync(ASK, (session, question) -> answer)
            .build()
            .start();

    private final List<CompletableFuture<Authentication>> proofs = new ArrayList<>();

    private CompletableFuture<Authentication> later(Credentials credentials) {
        CompletableFuture<Authentication> proof = new CompletableFuture<>();
        proofs.add(proof);
        return proof;
    }

    private Line hello(String more) {
        Line line = transport.open("", "realtime.v1");
        line.say("{'type':'$hello','data':{'token':'ann','client':'c-0123456789'" + more + "}}");
        return line;
    }

    /** Runs this while the next session of the client is its newest, and has no connection yet. */
    private static void whileUnattached(Line former, Runnable action) {
        former.reader = frame -> {
            if (frame.contains("session_replaced")) {
                action.run();
            }
        };
    }

    private static long count(Line line, String text) {
        return line.received.stream().filter(frame -> frame.contains(text)).count();
    }

    @Test
    void messageToASessionWithoutAConnectionYetArrives() {
        Line former = hello("");
        time.advance(Duration.ofMillis(20));
        List<Boolean> connected = new ArrayList<>();
        whileUnattached(former, () -> {
            for (Session session : server.connections().user("ann").sessions()) {
                connected.add(session.isConnected());
                server.connections().sendToSession(session.id(), NOTE, "for you");
            }
        });
        Line line = hello(",'positions':{'@session':['another',7]}");
        time.advance(Duration.ofMillis(20));
        assertEquals(List.of(false, false), connected, "the former, and the next");
        assertEquals(1, count(line, "for you"), line.received.toString());
        String welcome = line.received.get(0);
        assertTrue(welcome.contains("\"offset\":0,\"recovered\":false,\"reason\":\"epoch\""), welcome);
    }

    @Test
    void refusalReachesTheSessionThatIsNewMeanwhile() {
        Line former = hello("");
        former.say("{'type':'ask','seq':1,'ref':'q','data':'x'}");
        time.advance(Duration.ofMillis(20));
        whileUnattached(
                former, () -> answer.completeExceptionally(new RealtimeException(ErrorCode.FORBIDDEN, "not for you")));
        Line line = hello("");
        time.advance(Duration.ofSeconds(1));
        assertEquals(1, count(line, "not for you"), line.received.toString());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void connectionThatIsLostWithItsWelcomeIsNoConnectionOfItsSession(boolean isManaged) {
        Line line = transport.open("token=ann", isManaged ? "realtime.v1" : null);
        line.sender = batch -> {
            if (batch.frames().get(0).asText().contains("$welcome")) {
                line.abort();
            }
        };
        if (isManaged) {
            line.say("{'type':'$hello','data':{'token':'ann'}}");
        }
        time.advance(Duration.ofMillis(20));
        assertEquals(List.of(), line.received);
        assertEquals(isManaged ? 1 : 0, server.stats().sessions());
        server.connections().user("ann").sessions().forEach(session -> assertFalse(session.isConnected()));
        time.advance(Duration.ofMinutes(5));
        assertEquals(0, server.stats().sessions());
    }

    // ---------------------------------------------------------------- the newer one wins

    @Test
    void staleConnectionDoesNotCloseTheNewerOneOfItsClient() {
        try (TestServer test = new TestServer(
                this::later,
                b -> b.limits(Limits.builder()
                        .sessionsPerUser(1, SessionOverflow.CLOSE_OLDEST)
                        .build()))) {
            TestPeer stale = open(test, "c-of-ann-0123456789");
            TestPeer newer = open(test, "c-of-ann-0123456789");
            proofs.get(1).complete(Authentication.of("ann"));
            test.settle();
            proofs.get(0).complete(Authentication.of("ann"));
            test.settle();
            assertEquals(CloseReason.SESSION_REPLACED, stale.closeCode());
            assertNull(newer.closed());
            assertEquals(1, test.server.stats().sessions());
        }
    }

    @Test
    void staleConnectionDoesNotCloseAnotherDevice() {
        try (TestServer test = new TestServer(
                this::later,
                b -> b.limits(Limits.builder()
                        .sessionsPerUser(2, SessionOverflow.CLOSE_OLDEST)
                        .build()))) {
            TestPeer phone = open(test, "phone-0123456789");
            proofs.get(0).complete(Authentication.of("ann"));
            test.settle();
            TestPeer stale = open(test, "laptop-0123456789");
            TestPeer newer = open(test, "laptop-0123456789");
            proofs.get(2).complete(Authentication.of("ann"));
            test.settle();
            proofs.get(1).complete(Authentication.of("ann"));
            test.settle();
            assertEquals(CloseReason.SESSION_REPLACED, stale.closeCode());
            assertNull(phone.closed());
            assertNull(newer.closed());
            assertEquals(2, test.server.stats().sessions());
        }
    }

    private static TestPeer open(TestServer test, String client) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'ann','client':'" + client + "'}}");
        return peer;
    }

    // ---------------------------------------------------------------- it fails

    @Test
    void admissionThatFailsClosesWith1011AndKeepsNothing() {
        boolean[] isBroken = {false};
        @SuppressWarnings("serial")
        Random random = new Random(1) {
            @Override
            public void nextBytes(byte[] bytes) {
                if (isBroken[0]) {
                    throw new OutOfMemoryError("for a test");
                }
                super.nextBytes(bytes);
            }
        };
        try (TestServer test = new TestServer(TestServer::byName, builder -> builder.random(random))) {
            isBroken[0] = true;
            TestPeer refused = open(test, "phone-0123456789");
            assertEquals(CloseReason.INTERNAL_ERROR, refused.closeCode());
            assertEquals(0, test.server.stats().sessions());
            isBroken[0] = false;
            test.time.advance(Duration.ofHours(25));
            test.managed("bob");
            assertEquals(1, test.server.stats().clients(), "the record was in no use");
        }
    }
}
