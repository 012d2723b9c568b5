package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.testing.InMemoryNetwork;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a session is told of a room that it leaves while its client reads the room's log slowly. */
class SlowReplayTest {
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final int MESSAGES = 100;

    private boolean isAllowed = true;
    private TestServer test = start(builder -> builder);

    private TestServer start(UnaryOperator<RealtimeServer.Builder> config) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                TestServer::byName,
                builder -> config.apply(builder.allowJoin((session, room) -> isAllowed)
                        .limits(Limits.builder()
                                .messageBytes(2048)
                                .outboundBytes(16 * 1024)
                                .build())));
        return test;
    }

    @AfterEach
    void close() {
        test.close();
    }

    private void publish(String room, int from, int to) {
        IntStream.rangeClosed(from, to)
                .forEach(i -> test.server.connections().room(room).send(SAID, "%04d".formatted(i) + "x".repeat(1000)));
        test.settle();
    }

    private ServerSession session() {
        return (ServerSession) test.server.connections().sessions().iterator().next();
    }

    private static String join(String room) {
        return "{'type':'$join','room':'" + room + "','ref':'" + room + "','data':{'history':1000}}";
    }

    /** What the peer was sent of a room: offsets, and the types of what is no message. */
    private static List<String> told(TestPeer peer, String room) {
        List<String> told = new ArrayList<>();
        peer.received().forEach(frame -> {
            if (frame.has("room") && frame.get("room").getAsString().equals(room)) {
                told.add(
                        frame.has("offset")
                                ? frame.get("offset").getAsString()
                                : frame.get("type").getAsString());
            }
        });
        return told;
    }

    private static List<String> all(String first, int messages, String last) {
        List<String> all = new ArrayList<>(List.of(first));
        IntStream.rangeClosed(1, messages).forEach(i -> all.add(String.valueOf(i)));
        all.add(last);
        return all;
    }

    private TestPeer readerWhoseReplayIsUnderWay() {
        publish("a", 1, MESSAGES);
        TestPeer ann = test.managed("ann");
        ann.clear();
        test.network.stallClients(true);
        ann.send(join("a"));
        assertEquals(List.of(), told(ann, "a"));
        return ann;
    }

    /** The peer reads again. */
    private void read() {
        test.network.stallClients(false);
        test.time.advance(Duration.ofMillis(500));
    }

    /** The ways out of a room. */
    private enum Way {
        CLIENT("$reply"),
        APPLICATION("$left"),
        RULE("$error");

        final String last;

        Way(String last) {
            this.last = last;
        }
    }

    private void leave(TestPeer ann, String room, Way way) {
        switch (way) {
            case CLIENT -> ann.send("{'type':'$leave','room':'" + room + "','ref':'l'}");
            case APPLICATION -> session().leave(room);
            case RULE -> {
                isAllowed = false;
                ann.send(join(room));
                isAllowed = true;
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void roomLeftDuringItsReplayIsReadToThatPlace(Way way) {
        TestPeer ann = readerWhoseReplayIsUnderWay();
        leave(ann, "a", way);
        publish("a", MESSAGES + 1, MESSAGES + 10);
        read();
        assertEquals(all("$reply", MESSAGES, way.last), told(ann, "a"));
    }

    @Test
    void leftNamesThePlaceUpToWhichTheRoomWasRead() {
        TestPeer ann = readerWhoseReplayIsUnderWay();
        leave(ann, "a", Way.APPLICATION);
        publish("a", MESSAGES + 1, MESSAGES + 10);
        read();
        assertEquals(MESSAGES, ann.data("$left").get("offset").getAsInt());
    }

    @ParameterizedTest
    @EnumSource
    void roomLeftBeforeItsReplayIsReadToThatPlace(Way way) {
        publish("b", 1, MESSAGES);
        TestPeer ann = readerWhoseReplayIsUnderWay();
        ann.send(join("b")); // is answered when the replay of the other has come so far
        leave(ann, "b", way);
        read();
        assertEquals(all("$reply", MESSAGES, way.last), told(ann, "b"));
    }

    @Test
    void roomLeftDuringItsReplayAndTrimmedIsToldOfTheGap() {
        start(builder -> builder.retention(new Retention(MESSAGES, Duration.ofMinutes(5))));
        TestPeer ann = readerWhoseReplayIsUnderWay();
        leave(ann, "a", Way.APPLICATION);
        publish("a", MESSAGES + 1, MESSAGES + 50);
        read();
        List<String> told = told(ann, "a");
        assertEquals(List.of("$gap", "$left"), told.subList(told.size() - 2, told.size()));
        assertEquals(MESSAGES, ann.data("$gap").get("offset").getAsInt());
    }

    @Test
    void roomEnteredAgainDuringTheReplayIsReadOnce() {
        TestPeer ann = readerWhoseReplayIsUnderWay();
        leave(ann, "a", Way.APPLICATION);
        session().join("a");
        publish("a", MESSAGES + 1, MESSAGES + 1);
        read();
        List<String> told = all("$reply", MESSAGES, "$left");
        told.addAll(List.of("$joined", String.valueOf(MESSAGES + 1)));
        assertEquals(told, told(ann, "a"));
    }

    @Test
    void disconnectDuringAReplayComesAfterIt() {
        TestPeer ann = readerWhoseReplayIsUnderWay();
        session().disconnect("bye");
        publish("a", MESSAGES + 1, MESSAGES + 1);
        read();
        assertEquals(all("$reply", MESSAGES, "$error").subList(0, MESSAGES + 1), told(ann, "a"));
        assertEquals(4005, ann.closeCode());
    }

    @Test
    void disconnectDuringTheReplayOfTheInboxComesAfterIt() {
        TestPeer before = test.connect(Protocol.SUBPROTOCOL, "/ws");
        before.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        String epoch = before.data("$welcome")
                .getAsJsonObject("rooms")
                .getAsJsonObject("@session")
                .get("epoch")
                .getAsString();
        before.cut();
        IntStream.rangeClosed(1, MESSAGES).forEach(i -> session().send(SAID, "x".repeat(1000)));
        TestPeer ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        test.network.stallClients(true);
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + session().secret() + "','positions':{'@session':['" + epoch + "',0]}}}");
        session().disconnect("bye");
        read();
        assertEquals(all("", MESSAGES, "").subList(1, MESSAGES + 1), told(ann, "@session"));
        assertEquals(4005, ann.closeCode());
    }

    @Test
    void inboxOfAnEndedSessionIsForgotten() {
        TestPeer ann = test.managed("ann");
        session().send(SAID, "x");
        test.settle();
        assertEquals(1, ann.types().stream().filter("said"::equals).count());
        long before = test.server.stats().logBytes();
        session().disconnect("bye");
        test.settle();
        assertTrue(test.server.stats().logBytes() < before);
        assertEquals(test.server.countLogBytes(), test.server.stats().logBytes());
    }

    @Test
    void unreadReplayDelaysADisconnectByASecond() {
        readerWhoseReplayIsUnderWay();
        session().disconnect("bye");
        test.time.advance(Duration.ofMillis(1_100));
        read();
        assertEquals(0, test.network.connections());
        assertTrue(test.server.connections().sessions().isEmpty());
    }

    /** Ann's next connection, which resumes her session and names no room in its {@code $hello}. */
    private TestPeer resumed() {
        String secret = session().secret();
        TestPeer ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'" + secret
                + "','partial':true,'positions':{}}}");
        assertTrue(ann.data("$welcome").get("resumed").getAsBoolean());
        return ann;
    }

    private void cutDuringTheReplay() {
        readerWhoseReplayIsUnderWay().cut();
        read();
    }

    private void assertRejoins(TestPeer ann) {
        ann.send("{'type':'$rejoin','ref':'r','data':{'rooms':{'a':{}},'last':true}}");
        test.time.advance(Duration.ofMillis(500));
        assertEquals("r", ann.next("$reply").get("ref").getAsString());
        assertEquals(MESSAGES, told(ann, "a").size());
    }

    @Test
    void rejoinAfterACutReplayIsAnswered() {
        cutDuringTheReplay();
        assertRejoins(resumed());
    }

    @Test
    void roomLeftAfterACutReplayIsReported() {
        cutDuringTheReplay();
        TestPeer ann = resumed();
        session().leave("a");
        test.settle();
        assertEquals(List.of("$left"), told(ann, "a"));
    }

    @Test
    void rejoinDoesNotWaitForTheCloseOfAnEvictedReader() {
        publish("a", 1, MESSAGES);
        TestPeer before = test.managed("ann");
        test.network.links().get(0).halfOpen(InMemoryNetwork.Direction.TO_CLIENT);
        before.send(join("a"));
        assertRejoins(resumed());
        assertEquals(2, test.network.connections());
    }

    @Test
    void leaveDoesNotWaitForTheCloseOfAnEvictedReader() {
        publish("a", 1, MESSAGES);
        TestPeer before = test.managed("ann");
        test.network.links().get(0).halfOpen(InMemoryNetwork.Direction.TO_CLIENT);
        before.send(join("a"));
        TestPeer ann = resumed();
        session().leave("a");
        test.settle();
        assertEquals(List.of("$left"), told(ann, "a"));
        assertEquals(2, test.network.connections());
    }

    /** It is left before the session has let go of the connection that was evicted. */
    @Test
    void roomLeftWithinResumeIsReportedOnceEvictedIsClosed() {
        start(builder -> builder.executor(Runnable::run).listener(new SessionListener() {
            @Override
            public void onResume(Session session) {
                session.leave("a");
            }
        }));
        publish("a", 1, MESSAGES);
        TestPeer before = test.managed("ann");
        test.network.links().get(0).halfOpen(InMemoryNetwork.Direction.TO_CLIENT);
        before.send(join("a"));
        TestPeer ann = resumed();
        test.time.advance(Duration.ofSeconds(30));
        assertEquals(List.of("$left"), told(ann, "a"));
    }

    /** The thread that asks how much waits loses its processor, with the answer in its hand. */
    @Test
    void replayGoesOnThoughConnectionDrainedWhileItWasPausing() {
        List<Runnable> meanwhile = new ArrayList<>();
        test.close();
        test = new TestServer(
                TestServer::byName,
                builder -> builder.allowJoin((session, room) -> true)
                        .limits(Limits.builder()
                                .messageBytes(2048)
                                .outboundBytes(16 * 1024)
                                .build()),
                transport -> WatchedTransport.of(
                        transport,
                        connection -> WatchedTransport.connection((proxy, method, arguments) -> {
                            Object answer = method.invoke(connection, arguments);
                            boolean isMuch = method.getName().equals("outboundBytes") && (long) answer > 8 * 1024;
                            if (isMuch && !meanwhile.isEmpty()) {
                                meanwhile.remove(0).run();
                            }
                            return answer;
                        })));
        publish("r", 1, MESSAGES);
        TestPeer ann = test.managed("ann");
        test.network.stallClients(true);
        meanwhile.add(() -> {
            test.network.stallClients(false);
            test.settle();
            test.network.stallClients(true);
            test.server.connections().user("ann").send(SAID, "small");
        });
        ann.send(join("r"));
        assertEquals(List.of(), meanwhile);
        test.network.stallClients(false);
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(
                MESSAGES,
                told(ann, "r").stream().filter(what -> what.matches("[0-9]+")).count());
    }
}
