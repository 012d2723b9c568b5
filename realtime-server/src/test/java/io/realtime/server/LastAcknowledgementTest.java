package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.google.gson.JsonObject;
import io.realtime.Request;
import io.realtime.server.TestServer.TestPeer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a client is told of its messages when its session ends sooner than the next acknowledgement is due. */
class LastAcknowledgementTest {
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);

    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.onRequest(ASK, (session, question) -> question)
                    .limits(Limits.builder()
                            .sessionsPerUser(1, SessionOverflow.CLOSE_OLDEST)
                            .build()));

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
            case DISCONNECT -> test.server.user("ann").disconnect("out");
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
