package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The application is told who joins and leaves its rooms, why, and in order. */
class RoomListenerTest {
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final Event<String> GO = Event.of("go", String.class);

    private final List<String> told = new ArrayList<>();
    private boolean isAllowed = true;
    private boolean throwsOnJoin;
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> isAllowed)
                    .listener(new Sessions())
                    .roomListener(new Rooms())
                    .limits(Limits.builder().roomsPerSession(2).build())
                    .on(GO, (session, message) -> {
                        told.add("go");
                        session.join("placed");
                        session.leave("placed");
                        session.join("placed");
                    })
                    .on(SAID, (session, message) -> told.add(message.data() + " in " + session.rooms())));

    private final class Sessions implements SessionListener {
        @Override
        public void onOpen(Session session) {
            told.add("open");
            if (session.user().id().equals("zoe")) {
                session.join("lobby");
            }
        }

        @Override
        public void onClose(Session session, CloseReason reason) {
            told.add("close");
        }
    }

    private final class Rooms implements RoomListener {
        @Override
        public void onJoin(Session session, String room, JoinCause cause) {
            told.add("+" + room + " " + cause);
            if (throwsOnJoin) {
                throw new IllegalStateException("thrown by the test");
            }
        }

        @Override
        public void onLeave(Session session, String room, LeaveCause cause) {
            assertFalse(session.isIn(room) && cause == LeaveCause.SESSION_ENDED);
            told.add("-" + room + " " + cause);
        }
    }

    @AfterEach
    void close() {
        test.close();
    }

    private void expect(String... calls) {
        test.settle();
        assertEquals(List.of(calls), told);
        told.clear();
    }

    private static String join(String room) {
        return "{'type':'$join','room':'" + room + "','ref':'" + room + "'}";
    }

    private static String hello(String more) {
        return "{'type':'$hello','data':{'token':'ann','client':'client-0123456789012345'" + more + "}}";
    }

    private Session session() {
        return test.server.connections().sessions().iterator().next();
    }

    @Test
    void clientJoinsAndLeaves() {
        TestPeer ann = test.managed("ann");
        ann.send(join("a"));
        ann.send(join("a"));
        ann.send("{'type':'$leave','room':'a','ref':'1'}");
        ann.send("{'type':'$leave','room':'a','ref':'2'}");
        expect("open", "+a CLIENT", "-a CLIENT");
    }

    @Test
    void placementsAreToldInTheirOrder() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'go','data':'now'}");
        expect("open", "go", "+placed SERVER", "-placed SERVER", "+placed SERVER");
        ann.send(join("placed"));
        expect();
    }

    @Test
    void changesOfMessagesAreToldBetweenThem() {
        TestPeer ann = test.managed("ann");
        test.executor.hold();
        ann.post(join("a"));
        ann.post("{'type':'said','seq':1,'data':'x'}");
        ann.post("{'type':'$leave','room':'a','ref':'l'}");
        ann.post("{'type':'said','seq':2,'data':'y'}");
        test.settle();
        test.release();
        expect("open", "+a CLIENT", "x in [a]", "-a CLIENT", "y in []");
    }

    @Test
    void placementIsToldBeforeTheMessagesThatWait() {
        TestPeer ann = test.managed("ann");
        test.executor.hold();
        ann.post("{'type':'said','seq':1,'data':'x'}");
        test.settle();
        session().join("a");
        session().leave("a");
        session().join("b");
        test.release();
        expect("open", "+a SERVER", "-a SERVER", "+b SERVER", "x in [b]");
    }

    @Test
    void placementBeforeOpeningIsToldAfterIt() {
        test.plain("zoe").close("bye");
        expect("open", "+lobby SERVER", "-lobby SESSION_ENDED", "close");
    }

    @Test
    void joinBeyondTheLimitIsNotTold() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{'a':{},'b':{},'c':{}},'last':true}}");
        expect("open", "+a CLIENT", "+b CLIENT");
    }

    @Test
    void refusedResumeTellsWhy() {
        TestPeer first = test.connect("realtime.v1", "/ws");
        first.send(hello(""));
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        first.cut();
        expect("open", "+a CLIENT");
        isAllowed = false;
        TestPeer second = test.connect("realtime.v1", "/ws");
        second.send(hello(",'session':'" + welcome.get("session").getAsString() + "','positions':{}"));
        expect("-a REFUSED");
    }

    @Test
    void refusedRepeatOfAJoinTellsWhy() {
        TestPeer ann = test.managed("ann");
        ann.send(join("a"));
        isAllowed = false;
        assertEquals("forbidden", ann.errorOf(join("a")));
        expect("open", "+a CLIENT", "-a REFUSED");
    }

    @Test
    void expiredSessionLeavesItsRooms() {
        TestPeer ann = test.managed("ann");
        ann.send(join("b"));
        ann.send(join("a"));
        ann.cut();
        test.time.advance(Duration.ofMinutes(4));
        expect("open", "+b CLIENT", "+a CLIENT");
        test.time.advance(Duration.ofMinutes(2));
        expect("-a SESSION_ENDED", "-b SESSION_ENDED", "close");
    }

    @Test
    void disconnectedSessionLeavesItsRoomsOnce() {
        TestPeer ann = test.managed("ann");
        ann.send(join("a"));
        Session session = session();
        session.disconnect("out");
        session.leave("a");
        session.join("b");
        expect("open", "+a CLIENT", "-a SESSION_ENDED", "close");
    }

    @Test
    void roomsJoinedWhileTheSessionDrainsAreToldBeforeItsEnd() {
        TestPeer bob = test.plain("bob");
        Session session = session();
        test.executor.hold();
        bob.post("{'type':'go','data':'now'}");
        bob.cut();
        session.join("late");
        test.release();
        expect(
                "open",
                "+late SERVER",
                "go",
                "+placed SERVER",
                "-placed SERVER",
                "+placed SERVER",
                "-late SESSION_ENDED",
                "-placed SESSION_ENDED",
                "close");
    }

    @Test
    void listenerThatThrowsIsStillToldTheRest() {
        throwsOnJoin = true;
        TestPeer ann = test.managed("ann");
        ann.send(join("a"));
        ann.send(join("b"));
        test.server.connections().session(session().id()).orElseThrow().disconnect("out");
        expect("open", "+a CLIENT", "+b CLIENT", "-a SESSION_ENDED", "-b SESSION_ENDED", "close");
    }
}
