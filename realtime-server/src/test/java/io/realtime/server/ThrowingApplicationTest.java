package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.TypeRef;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.AbstractList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What an application's code throws, Errors too, is one answer and one line in the log, and ends nothing. */
class ThrowingApplicationTest {
    /** Fails when it is read, as one may that is loaded lazily. */
    private static final class Lazy extends AbstractList<Integer> {
        @Override
        public Integer get(int index) {
            throw new AssertionError("of the reply");
        }

        @Override
        public int size() {
            return 1;
        }
    }

    private static final Event<Void> FAIL = Event.of("fail", Void.class);
    private static final Request<Integer, Integer> ECHO = Request.of("echo", Integer.class, Integer.class);
    private static final Request<Void, List<Integer>> LAZY =
            Request.of("lazy", Void.class, new TypeRef<List<Integer>>() {});

    private final AtomicBoolean ruleThrows = new AtomicBoolean();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> {
                        if (ruleThrows.get()) {
                            throw new AssertionError("of the join rule");
                        }
                        return true;
                    })
                    .on(FAIL, (session, message) -> {
                        throw new AssertionError("of the handler");
                    })
                    .onRequest(ECHO, (session, number) -> number)
                    .onRequestAsync(LAZY, (session, nothing) -> CompletableFuture.completedFuture(new Lazy()))
                    .listener(new SessionListener() {
                        @Override
                        public void onError(Session session, Throwable failure) {
                            throw new AssertionError("of the listener");
                        }
                    }));

    @AfterEach
    void close() {
        test.close();
    }

    @Test
    void failureIsAnsweredThoughTheListenerFailsToo() {
        TestPeer peer = test.managed("ann");
        assertEquals("internal", peer.errorOf("{'type':'fail','seq':1}"));
        peer.send("{'type':'echo','ref':'1','seq':2,'data':42}");
        assertEquals(42, peer.next("$reply").get("data").getAsInt());
        test.time.advance(Duration.ofMillis(200));
        assertEquals(2, peer.data("$ack").get("seq").getAsLong());
    }

    @Test
    void joinRuleThatFailsAllowsNothing() {
        ruleThrows.set(true);
        assertEquals("forbidden", test.plain("ann").errorOf("{'type':'$join','room':'r','ref':'1'}"));
    }

    @Test
    void joinRuleThatFailsCostsClientThatResumesRoomAlone() {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        String hello = "{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'";
        peer.send(hello + "}}");
        String session = peer.data("$welcome").get("session").getAsString();
        peer.send("{'type':'$join','room':'r','ref':'1'}");
        peer.cut();
        ruleThrows.set(true);
        TestPeer back = test.connect("realtime.v1", "/ws");
        back.send(hello + ",'session':'" + session + "'}}");
        JsonObject welcome = back.data("$welcome");
        assertTrue(welcome.get("resumed").getAsBoolean());
        JsonObject room = welcome.getAsJsonObject("rooms").getAsJsonObject("r");
        assertEquals("unauthorized", room.get("reason").getAsString());
    }

    @Test
    void replyThatFailsWhileItIsWrittenIsAnswered() {
        assertEquals("internal", test.plain("ann").errorOf("{'type':'lazy','ref':'1'}"));
    }
}
