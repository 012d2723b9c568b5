package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How many rooms there are: what makes one, what ends it, and what happens when there are too many. */
@Timeout(60)
class RoomsTest {
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final Event<String> TYPING = Event.ephemeral("typing", String.class);

    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> true)
                    .limits(Limits.builder().rooms(3).build())
                    .retention(new Retention(10, Duration.ofMinutes(1))));
    private final TestPeer ann = test.managed("ann");

    @AfterEach
    void close() {
        test.close();
    }

    private int rooms() {
        return test.server.stats().rooms();
    }

    private void join(String room) {
        ann.send("{'type':'$join','room':'" + room + "','ref':'j'}");
    }

    @Test
    void historyMakesNoRoom() {
        int before = rooms();
        for (int i = 0; i < 50; i++) {
            ann.send("{'type':'$history','room':'chat:" + i + "','ref':'h'}");
            JsonObject page = ann.data("$reply");
            assertEquals(0, page.getAsJsonArray("messages").size());
            assertEquals(1, page.get("next").getAsLong());
        }
        for (String inbox : new String[] {"@user", "@session", "@all"}) {
            ann.send("{'type':'$history','room':'" + inbox + "','ref':'h','data':{'after':7}}");
            assertEquals(7, ann.data("$reply").get("next").getAsLong());
        }
        assertEquals(before, rooms());
    }

    @Test
    void historyOfAForgottenRoomSaysWhereItEnded() {
        test.server.connections().room("chat:1").send(SAID, "x");
        ann.send("{'type':'$history','room':'chat:1','ref':'h'}");
        JsonObject before = ann.data("$reply");
        test.time.advance(Duration.ofMinutes(2));
        int rooms = rooms();
        ann.send("{'type':'$history','room':'chat:1','ref':'h'}");
        JsonObject after = ann.data("$reply");
        assertEquals(before.get("epoch"), after.get("epoch"));
        assertEquals(2, after.get("next").getAsLong());
        assertEquals(1, after.get("floor").getAsLong());
        assertEquals(rooms, rooms());
    }

    @Test
    void joinBeyondTheLimitIsOverloadedUntilARoomEnds() {
        join("chat:1");
        join("chat:2");
        join("chat:3");
        ann.clear();
        join("chat:4");
        assertEquals("overloaded", ann.data("$error").get("code").getAsString());
        ann.send("{'type':'$leave','room':'chat:2','ref':'l'}");
        ann.clear();
        join("chat:4");
        assertNotNull(ann.data("$reply"));
    }

    @Test
    void roomsOfAllSessionsOfAUserCountTogetherUntilOneEnds() {
        TestServer strict = new TestServer(
                TestServer::byName,
                builder -> builder.allowJoin((session, room) -> true)
                        .limits(Limits.builder().roomsPerUser(2).build()));
        TestPeer first = strict.plain("ann");
        TestPeer second = strict.plain("ann");
        TestPeer bob = strict.managed("bob");
        first.send("{'type':'$join','room':'a','ref':'1'}");
        second.send("{'type':'$join','room':'a','ref':'1'}");
        second.send("{'type':'$join','room':'b','ref':'2'}");
        assertEquals("overloaded", second.data("$error").get("code").getAsString());
        bob.send("{'type':'$join','room':'b','ref':'1'}");
        assertNotNull(bob.data("$reply"));
        Session session =
                strict.server.connections().user("ann").sessions().iterator().next();
        RealtimeException refused = assertThrows(RealtimeException.class, () -> session.join("c"));
        assertEquals(ErrorCode.OVERLOADED, refused.code());
        strict.server.connections().user("ann").disconnect("enough");
        strict.settle();
        TestPeer third = strict.plain("ann");
        third.send("{'type':'$join','room':'a','ref':'1'}");
        third.clear();
        third.send("{'type':'$join','room':'b','ref':'2'}");
        assertNotNull(third.data("$reply"), "the rooms of sessions that are over do not count");
        strict.close();
    }

    @Test
    void messageThatWouldMakeARoomTooManyIsRefused() {
        test.server.connections().room("chat:1").send(SAID, "x");
        test.server.connections().room("chat:2").send(SAID, "x");
        test.server.connections().room("chat:3").send(SAID, "x");
        RealtimeException refused = assertThrows(
                RealtimeException.class,
                () -> test.server.connections().room("chat:4").send(SAID, "x"));
        assertEquals(ErrorCode.OVERLOADED, refused.code());
        assertTrue(refused.isRetryable());
        assertNull(test.server.connections().room("chat:4").send(TYPING, "x").join(), "nobody is there to receive it");
        String tooLong = "x".repeat(Limits.defaults().outboundBytes());
        RealtimeException tooBig = assertThrows(
                RealtimeException.class,
                () -> test.server.connections().room("chat:4").send(TYPING, tooLong));
        assertEquals(ErrorCode.TOO_BIG, tooBig.code(), "as if somebody were");
        assertNotNull(test.server.connections().room("chat:3").send(SAID, "y").join());
        assertNotNull(test.server
                .connections()
                .user("ann")
                .inbox()
                .send(SAID, "to a user")
                .join());
        assertNotNull(test.server
                .connections()
                .user("bob")
                .inbox()
                .send(SAID, "to a user without a session")
                .join());
        assertNotNull(test.server.connections().everyone().send(SAID, "to all").join());
        test.settle();
        assertEquals(2, ann.types().stream().filter("said"::equals).count());
        test.time.advance(Duration.ofMinutes(2));
        assertNotNull(
                test.server.connections().room("chat:4").send(SAID, "x").join(),
                "the others ended with their messages");
    }

    @Test
    void applicationsJoinBeyondLimitThrowsAndChangesNothing() {
        Session session = test.server.connections().user("ann").sessions().get(0);
        session.join("chat:1");
        session.join("chat:2");
        session.join("chat:3");
        assertThrows(RealtimeException.class, () -> session.join("chat:4"));
        assertFalse(session.isIn("chat:4"));
    }

    @Test
    void roomEndsWithItsLastMemberOrMessage() {
        int before = rooms();
        join("chat:1");
        assertEquals(before + 1, rooms());
        ann.send("{'type':'$leave','room':'chat:1','ref':'l'}");
        assertEquals(before, rooms());
        test.server.connections().room("chat:2").send(SAID, "x");
        assertEquals(before + 1, rooms());
        test.time.advance(Duration.ofSeconds(91));
        assertEquals(before, rooms());
    }
}
