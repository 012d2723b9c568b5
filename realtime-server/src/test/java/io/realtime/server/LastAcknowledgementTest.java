package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.session.ServerSession;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client is told of its messages when its session ends sooner than the next acknowledgement is due. */
class LastAcknowledgementTest {
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);

    private static final Event<String> SAY = Event.of("say", String.class);

    private final Deque<Runnable> during = new ArrayDeque<>();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.onRequest(ASK, (session, question) -> question)
                    .on(SAY, this::handle)
                    .limits(Limits.builder()
                            .messageBytes(2048)
                            .outboundBytes(16 * 1024)
                            .sessionsPerUser(1, SessionOverflow.CLOSE_OLDEST)
                            .build()));

    private void handle(Session session, Message<String> message) {
        if (!during.isEmpty()) {
            during.remove().run();
            throw new RealtimeException(ErrorCode.FORBIDDEN, "refused");
        }
    }

    @AfterEach
    void close() {
        test.close();
    }

    /** The ways in which a server ends a session that is connected. */
    private enum Way {
        CLOSE,
        DISCONNECT,
        SURPLUS
    }

    private void end(Way way) {
        switch (way) {
            case CLOSE -> test.server.close(Duration.ZERO);
            case DISCONNECT -> test.server.connections().user("ann").disconnect("out");
            case SURPLUS -> test.plain("ann");
        }
        test.settle();
    }

    @ParameterizedTest
    @EnumSource
    void endedSessionIsAcknowledgedWhatWasHandled(Way way) {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'ask','ref':'a','seq':1,'data':'x'}");
        ann.send("{'type':'ask','ref':'b','seq':2,'data':'x'}");
        assertFalse(ann.types().contains("$ack"), "it is not due yet");
        end(way);
        List<String> types = ann.types();
        assertEquals(List.of("$ack", "$error"), types.subList(types.size() - 2, types.size()));
        JsonObject ack = ann.data("$ack");
        assertEquals(2, ack.get("seq").getAsInt());
        assertEquals(2, ack.get("answers").getAsInt());
    }

    /** A client that has stopped reading, with more in its backlog than one write may hold. */
    private TestPeer stalled() {
        TestPeer ann = test.managed("ann");
        test.network.stallClients(true);
        for (int i = 0; i < 12; i++) {
            test.server.connections().user("ann").send(SAY, "x".repeat(1000));
        }
        ann.send("{'type':'say','seq':1,'data':'handled'}");
        return ann;
    }

    private void read() {
        test.network.stallClients(false);
        test.time.advance(Duration.ofSeconds(2));
    }

    @ParameterizedTest
    @EnumSource(names = {"DISCONNECT", "SURPLUS"})
    void closeThatWaitsKeepsTheLastAcknowledgement(Way way) {
        TestPeer ann = stalled();
        end(way);
        test.time.advance(Duration.ofMillis(1300)); // the timer of the acknowledgement, and that of the close
        read();
        assertEquals(1, ann.data("$ack").get("seq").getAsInt());
        assertEquals(way == Way.SURPLUS ? CloseReason.TOO_MANY_SESSIONS : CloseReason.KICKED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(ints = {CloseReason.KICKED, CloseReason.TOO_MANY_SESSIONS})
    void messageThatIsRefusedAfterTheEndIsNotAcknowledged(int code) {
        TestPeer ann = stalled();
        ServerSession session =
                (ServerSession) test.server.connections().sessions().iterator().next();
        during.add(() -> session.end(new CloseReason(code, "out"), ServerSession.EndReason.AT_ONCE));
        ann.send("{'type':'say','seq':2,'data':'refused'}");
        read();
        assertEquals(1, ann.data("$ack").get("seq").getAsInt());
        assertEquals(code, ann.closeCode());
    }

    /** What a session acknowledges that is not the one which was disconnected: its client came back meanwhile. */
    @Test
    void nextSessionAcknowledgesARefusalAfterIt() {
        TestPeer ann = test.managed("ann");
        TestPeer[] anew = new TestPeer[1];
        during.add(() -> {
            test.server.connections().user("ann").disconnect("out");
            anew[0] = test.managed("ann");
        });
        ann.send("{'type':'say','seq':1,'data':'refused'}");
        test.time.advance(Duration.ofSeconds(1));
        List<String> types = anew[0].types();
        assertEquals(List.of("$error", "$ack"), types);
        assertEquals(1, anew[0].next("$error").get("seq").getAsInt());
        JsonObject ack = anew[0].data("$ack");
        assertEquals(1, ack.get("seq").getAsInt());
        assertEquals(1, ack.get("answers").getAsInt());
    }

    @Test
    void welcomeIsAnAcknowledgement() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        String hello = "{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'";
        ann.send(hello + "}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        ann.send("{'type':'say','seq':1,'data':'handled'}");
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send(hello + ",'session':'" + secret + "'}}");
        assertEquals(1, again.data("$welcome").get("seq").getAsInt());
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(List.of(), again.types());
    }

    @Test
    void closedServerAcknowledgesNothingTwice() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'ask','ref':'a','seq':1,'data':'x'}");
        test.time.advance(Duration.ofMillis(200));
        ann.next("$ack");
        end(Way.CLOSE);
        assertFalse(ann.types().contains("$ack"));
    }
}
