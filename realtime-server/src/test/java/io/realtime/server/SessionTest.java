package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a session tells the application, and what it does for it. */
class SessionTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<String> HINT = Event.ephemeral("hint", String.class);
    private static final Request<String, Integer> LENGTH = Request.of("length", String.class, Integer.class);

    private final List<Session> sessions = new ArrayList<>();
    private final List<CompletableFuture<Authentication>> proofs = new ArrayList<>();
    private boolean checksSlowly;
    private Consumer<Session> onOpen = sessions::add;
    private final TestServer test = new TestServer(
            this::authenticate,
            builder -> builder.limits(Limits.builder().sessions(3).build()).listener(new SessionListener() {
                @Override
                public void onOpen(Session session) {
                    onOpen.accept(session);
                }
            }));

    private CompletableFuture<Authentication> authenticate(Credentials credentials) {
        if (checksSlowly) {
            CompletableFuture<Authentication> proof = new CompletableFuture<>();
            proofs.add(proof);
            return proof;
        }
        Map<String, Object> attributes = "ann".equals(credentials.token()) ? Map.of("name", "Ann") : Map.of();
        return CompletableFuture.completedFuture(
                new Authentication(String.valueOf(credentials.token()), attributes, Map.of(), null));
    }

    @AfterEach
    void close() {
        test.close();
    }

    private TestPeer hello(String path, String data) {
        TestPeer peer = test.connect("realtime.v1", path);
        peer.send("{'type':'$hello','data':{" + data + "}}");
        return peer;
    }

    private static String secret(TestPeer peer) {
        return "'session':'" + peer.data("$welcome").get("session").getAsString() + "'";
    }

    @Test
    void sessionTellsHowItsNewestConnectionCame() {
        TestPeer first = hello("/ws?from=phone", "'token':'ann'");
        Session session = sessions.get(0);
        assertTrue(session.isManaged());
        assertEquals("from=phone", session.handshake().query());
        assertEquals("Ann", session.attributes().get("name"));
        hello("/ws?from=desk", "'token':'ann'," + secret(first)).next("$welcome");
        assertEquals("from=desk", session.handshake().query());
        assertEquals(1, sessions.size());
        test.plain("bob");
        assertFalse(sessions.get(1).isManaged());
        assertEquals(Map.of(), sessions.get(1).attributes());
    }

    @Test
    void sessionSendsAsItsUser() {
        TestPeer ann = test.managed("ann");
        TestPeer bob = test.managed("bob");
        Session session = sessions.get(0);
        assertSame(test.server.connections(), session.connections());
        session.connections().everyone().from(session).send(SAY, "all");
        session.connections().user("bob").inbox().from(session).send(SAY, "bob");
        test.settle();
        JsonObject toAll = bob.next("say");
        assertEquals("all", toAll.get("data").getAsString());
        assertEquals("ann", toAll.get("from").getAsString());
        JsonObject toBob = bob.next("say");
        assertEquals("bob", toBob.get("data").getAsString());
        assertEquals("ann", toBob.get("from").getAsString());
        assertEquals("all", ann.next("say").get("data").getAsString());
        assertFalse(ann.types().contains("say"));
    }

    @Test
    void sendAnswersWithThePosition() {
        test.managed("ann");
        Session session = sessions.get(0);
        assertEquals(1, session.send(SAY, "one").join().offset());
        assertEquals(2, session.send(SAY, "two").join().offset());
        assertEquals(1, session.user().send(SAY, "to the user").join().offset());
        assertEquals(
                1, session.connections().room("r").send(SAY, "to a room").join().offset());
        assertNull(session.send(HINT, "in no log").join());
        assertNull(session.user().send(HINT, "in no log").join());
        assertTrue(test.server
                .connections()
                .sendToSession(session.id(), SAY, "three")
                .join());
        session.disconnect("bye");
        assertNull(session.send(SAY, "too late").join());
        assertFalse(test.server
                .connections()
                .sendToSession(session.id(), SAY, "too late")
                .join());
    }

    @Test
    void disconnectEndsAPlainSession() {
        TestPeer page = test.plain("ann");
        sessions.get(0).disconnect("go away");
        test.settle();
        assertEquals(CloseReason.KICKED, page.closeCode());
        assertEquals(0, test.server.stats().sessions());
    }

    @Test
    void disconnectRefusesResumeWithoutClientId() {
        String secret = secret(hello("/ws", "'token':'ann'"));
        checksSlowly = true;
        TestPeer back = hello("/ws", "'token':'ann'," + secret);
        sessions.get(0).disconnect("go away");
        proofs.get(0).complete(Authentication.of("ann"));
        test.settle();
        assertEquals(CloseReason.KICKED, back.closeCode());
        assertFalse(back.types().contains("$welcome"));
        assertEquals(0, test.server.stats().sessions());
    }

    /** It has not been welcomed, so that nothing goes before the close. */
    @Test
    void disconnectOfASessionThatOpensClosesItsConnection() {
        onOpen = session -> session.disconnect("not today");
        TestPeer ann = hello("/ws", "'token':'ann','client':'client-0123456789'");
        assertEquals(CloseReason.KICKED, ann.closeCode());
        assertEquals(0, test.server.stats().sessions());
        test.time.advance(Duration.ofMinutes(1));
        assertEquals(CloseReason.KICKED, ann.closeCode());
    }

    /** Else sessions that were lost once would be counted as lost for ever. */
    @Test
    void sessionsThatCameBackAreNotCountedAsLost() {
        TestPeer ann = hello("/ws", "'token':'ann'");
        String secret = secret(ann);
        ann.cut();
        hello("/ws", "'token':'ann'," + secret).next("$welcome");
        TestPeer bob = hello("/ws", "'token':'bob'");
        bob.next("$welcome");
        bob.cut();
        hello("/ws", "'token':'cid'").next("$welcome");
        hello("/ws", "'token':'dan'").next("$welcome");
        assertEquals(3, test.server.stats().sessions());
        assertEquals(List.of(), test.server.connections().user("bob").sessions());
        assertEquals(1, test.server.connections().user("ann").sessions().size());
    }

    @Test
    void sessionLostAgainIsEvictedByItsLastLoss() {
        TestPeer first = hello("/ws", "'token':'ann'");
        String returning = secret(first);
        first.cut();
        TestPeer again = hello("/ws", "'token':'ann'," + returning);
        again.next("$welcome");
        TestPeer other = hello("/ws", "'token':'ann'");
        other.next("$welcome");
        other.cut();
        again.cut();
        test.plain("cid");
        test.plain("dan");
        TestPeer back = hello("/ws", "'token':'ann'," + returning);
        assertTrue(back.data("$welcome").get("resumed").getAsBoolean(), "the other one was lost before");
    }

    @Test
    void questionsFailWhenTheSessionExpires() {
        TestPeer ann = test.managed("ann");
        CompletableFuture<Integer> answer = sessions.get(0).request(LENGTH, "four", Duration.ofHours(1));
        ann.cut();
        test.time.advance(Duration.ofMinutes(4));
        assertFalse(answer.isDone());
        test.time.advance(Duration.ofMinutes(2));
        Throwable failure =
                assertThrows(CompletionException.class, answer::join).getCause();
        RealtimeException lost = assertInstanceOf(RealtimeException.class, failure);
        assertEquals(ErrorCode.CONNECTION_LOST, lost.code());
    }
}
