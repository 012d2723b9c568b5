package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Who may join and send to a room, and who receives what is sent. */
class RoomDeliveryTest extends ChatServerFixture {
    // ------------------------------------------------------------ rooms

    @Test
    void membersReceiveInOrderWithOffsets() {
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        ann.send("{'type':'$join','room':'chat:1','ref':'j'}");
        JsonObject joined = ann.next("$reply");
        assertEquals("j", joined.get("ref").getAsString());
        assertEquals(0, joined.getAsJsonObject("data").get("offset").getAsLong());
        bob.send("{'type':'$join','room':'chat:1','ref':'j'}");
        for (int i = 1; i <= 3; i++) {
            ann.send("{'type':'say','room':'chat:1','data':{'text':'m" + i + "'}}");
        }
        for (int i = 1; i <= 3; i++) {
            JsonObject said = bob.next("said");
            assertEquals(i, said.get("offset").getAsLong());
            assertEquals("ann", said.get("from").getAsString());
            assertEquals("chat:1", said.get("room").getAsString());
            assertEquals("m" + i, said.getAsJsonObject("data").get("text").getAsString());
        }
    }

    @Test
    void joiningIsDeniedUnlessTheRuleAllowsIt() {
        TestPeer ann = test.plain("ann");
        assertEquals("forbidden", ann.errorOf("{'type':'$join','room':'vault','ref':'1'}"));
        assertEquals("forbidden", ann.errorOf("{'type':'say','room':'chat:1','data':{'text':'x'}}"));
        assertEquals("forbidden", ann.errorOf("{'type':'say','room':'@all','data':{'text':'x'}}"));
        assertEquals("bad_data", ann.errorOf("{'type':'$join','room':'@user','ref':'1'}"));
        assertEquals("bad_data", ann.errorOf("{'type':'$join','ref':'1'}"));
        assertEquals("forbidden", ann.errorOf("{'type':'$history','room':'vault','ref':'1'}"));
        assertEquals(List.of(), handled);
    }

    @Test
    void sendRuleDecidesWhoMaySendToARoom() {
        start(builder -> builder.allowSend((session, event, room) ->
                event.equals(SAY) && session.user().id().equals("root")));
        TestPeer root = test.plain("root");
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1'}");
        root.send("{'type':'say','ref':'r','room':'chat:1','data':{'text':'x'}}");
        assertEquals(List.of("x"), handled, "a rule of the application replaces membership");
        assertEquals("forbidden", root.data("$error").get("code").getAsString(), "session.room() still asks for it");
        assertEquals("forbidden", ann.errorOf("{'type':'say','room':'chat:1','data':{'text':'y'}}"));
        assertEquals(List.of("x"), handled);
    }

    @Test
    void joinWithoutRuleNamesTheMissingRule() {
        test.close();
        test = new TestServer(TestServer::byName, builder -> builder);
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        assertTrue(ann.data("$error").get("message").getAsString().contains("allowJoin"));
    }

    @Test
    void excludedSessionsNeverSeeTheMessage() {
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        ann.send("{'type':'$join','room':'chat:1'}");
        bob.send("{'type':'$join','room':'chat:1'}");
        Session annSession = session("ann");
        test.server.connections().room("chat:1").except(annSession.id()).send(SAID, new Said("x", "not ann"));
        test.server
                .connections()
                .room("chat:1")
                .filter(session -> session.user().id().equals("ann"))
                .send(SAID, new Said("x", "only ann"));
        test.settle();
        assertEquals(2, ann.next("said").get("offset").getAsLong());
        assertEquals(1, bob.next("said").get("offset").getAsLong());
        assertFalse(ann.types().contains("said"));
        assertFalse(bob.types().contains("said"));
        bob.send("{'type':'$history','room':'chat:1','ref':'h'}");
        ann.clear();
        JsonObject page = bob.received().stream()
                .filter(frame ->
                        frame.has("ref") && frame.get("ref").getAsString().equals("h"))
                .findFirst()
                .orElseThrow();
        assertEquals("$reply", page.get("type").getAsString());
        assertEquals(1, page.getAsJsonObject("data").getAsJsonArray("messages").size());
    }

    @Test
    void leavingEndsTheDelivery() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1'}");
        ann.send("{'type':'$leave','room':'chat:1','ref':'l'}");
        test.server.connections().room("chat:1").send(SAID, new Said("x", "late"));
        test.settle();
        assertFalse(ann.types().contains("said"));
        assertEquals(0, test.server.connections().room("chat:1").localMembers().size());
    }

    @Test
    void serverPutsASessionInARoomAndTakesItOut() {
        TestPeer ann = test.plain("ann");
        session("ann").join("vip");
        test.settle();
        assertEquals("vip", ann.next("$joined").get("room").getAsString());
        test.server.connections().room("vip").send(SAID, new Said("x", "hello"));
        test.settle();
        ann.next("said");
        session("ann").leave("vip");
        test.settle();
        ann.next("$left");
    }
}
