package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.Position;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a member reads of the messages before its join. */
class JoinReplayTest extends ChatServerFixture {
    @Test
    void joinReplaysHistoryAfterItsReply() {
        for (int i = 1; i <= 5; i++) {
            test.server.connections().room("chat:1").send(SAID, new Said("x", "m" + i));
        }
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'j','data':{'history':2}}");
        assertEquals(List.of("$reply", "said", "said"), ann.types());
        JsonObject reply = ann.data("$reply");
        assertEquals(3, reply.get("offset").getAsLong());
        assertEquals(4, ann.next("said").get("offset").getAsLong());
        assertEquals(5, ann.next("said").get("offset").getAsLong());
    }

    @ParameterizedTest
    @CsvSource({"2,true,", "5,true,", "6,false,ahead", "0,true,"})
    void joinWithPositionRecoversOrSaysWhyNot(long offset, boolean recovered, String reason) {
        String epoch = "";
        for (int i = 1; i <= 5; i++) {
            epoch = publish("m" + i).epoch();
        }
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'j','data':{'since':['" + epoch + "'," + offset + "]}}");
        JsonObject reply = ann.data("$reply");
        assertEquals(recovered, reply.get("recovered").getAsBoolean());
        assertEquals(reason, reply.has("reason") ? reply.get("reason").getAsString() : null);
        assertEquals(recovered ? offset : 5, reply.get("offset").getAsLong());
        assertEquals(recovered ? 5 - offset : 0, ann.types().size());
    }

    @Test
    void trimmedAndForeignPositionsAreNotRecovered() {
        start(builder -> builder.retention(new Retention(2, Duration.ofMinutes(1))));
        String epoch = "";
        for (int i = 1; i <= 5; i++) {
            epoch = publish("m" + i).epoch();
        }
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'j','data':{'since':['" + epoch + "',2]}}");
        assertEquals("trimmed", ann.data("$reply").get("reason").getAsString());
        ann.send("{'type':'$join','room':'chat:1','ref':'j','data':{'since':['other',5]}}");
        assertEquals("epoch", ann.data("$reply").get("reason").getAsString());
        test.time.advance(Duration.ofMinutes(2));
        TestPeer bob = test.plain("bob");
        bob.send("{'type':'$join','room':'chat:1','ref':'j','data':{'since':['" + epoch + "',5]}}");
        assertTrue(bob.data("$reply").get("recovered").getAsBoolean(), "the top of an empty log is recovered");
    }

    @Test
    void historyIsReadInPages() {
        for (int i = 1; i <= 5; i++) {
            test.server.connections().room("chat:1").send(SAID, new Said("x", "m" + i));
        }
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$history','room':'chat:1','ref':'h','data':{'limit':2}}");
        JsonObject newest = ann.data("$reply");
        assertTrue(newest.get("more").getAsBoolean());
        assertEquals(
                4,
                newest.getAsJsonArray("messages")
                        .get(0)
                        .getAsJsonObject()
                        .get("offset")
                        .getAsLong());
        ann.send("{'type':'$history','room':'chat:1','ref':'h','data':{'before':4,'limit':10}}");
        JsonObject older = ann.data("$reply");
        assertFalse(older.get("more").getAsBoolean());
        assertEquals(3, older.getAsJsonArray("messages").size());
        ann.send("{'type':'$history','room':'chat:1','ref':'h','data':{'after':3,'limit':1}}");
        JsonObject next = ann.data("$reply");
        assertTrue(next.get("more").getAsBoolean());
        assertEquals(
                4,
                next.getAsJsonArray("messages")
                        .get(0)
                        .getAsJsonObject()
                        .get("offset")
                        .getAsLong());
    }

    private Position publish(String text) {
        return Objects.requireNonNull(test.server
                .connections()
                .room("chat:1")
                .send(SAID, new Said("x", text))
                .join());
    }
}
