package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.PayloadException;
import io.realtime.Subscription;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The client asks for presence, keeps it, and tells its listeners the differences. */
class ClientPresenceTest {
    private final World world = new World();
    private final List<String> told = new ArrayList<>();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private ClientRoom room() {
        return world.client().room("r");
    }

    private Subscription listen() {
        return room().onPresence(this::tell);
    }

    private void tell(PresenceChange change) {
        assertSame(change.now(), room().presence());
        told.add(change.now().kind() + " +" + ids(change.joined()) + " ~" + ids(change.changed()) + " -"
                + ids(change.left()));
    }

    private static String ids(List<RoomMember> members) {
        return members.stream()
                .map(member -> member.sessionId() + (member.connected() ? "" : "?"))
                .collect(Collectors.joining(","));
    }

    private void expect(String... calls) {
        world.settle();
        assertEquals(List.of(calls), told);
        told.clear();
    }

    private void joined() {
        world.connected();
        var unused = room().join();
        world.settle();
    }

    private static String member(String session) {
        return "{'session':'" + session + "','user':'u-" + session + "','connected':true,'since':1}";
    }

    private void send(String data) {
        world.peer().send("{'type':'$presence','room':'r','data':{" + data + "}}");
    }

    private void snapshot(long version, String... sessions) {
        send("'version':" + version + ",'members':"
                + List.of(sessions).stream().map(ClientPresenceTest::member).toList());
        world.settle();
    }

    private Protocol.PresenceRequest asked(int index) {
        return world.peer().all(Protocol.PRESENCE).get(index).data(Protocol.PresenceRequest.class);
    }

    private void answer(int index) {
        world.peer().reply(world.peer().all(Protocol.PRESENCE).get(index));
        world.settle();
    }

    private Protocol.Join join() {
        List<Envelope> joins = world.peer().all(Protocol.JOIN);
        return joins.get(joins.size() - 1).data(Protocol.Join.class);
    }

    // ---------------------------------------------------------------- what is told

    @Test
    void joinAsksOnlyForAListener() {
        joined();
        assertNull(join().presence());
        assertEquals(Presence.Kind.UNKNOWN, room().presence().kind());
        snapshot(1, "s");
        assertEquals(Presence.Kind.UNKNOWN, room().presence().kind());
    }

    @Test
    void snapshotAndDifferencesAreTold() {
        listen();
        joined();
        assertEquals(true, join().presence());
        snapshot(5, "a", "secret");
        expect("MEMBERS +a,secret ~ -");
        assertEquals("secret", room().presence().self().orElseThrow().sessionId());
        assertEquals(
                List.of("u-a", "u-secret"),
                List.copyOf(room().presence().byUser().keySet()));
        send("'version':6,'before':5,'joined':[" + member("b") + "],'changed':["
                + member("a").replace("true", "false") + "],'left':['secret']");
        expect("MEMBERS +b ~a? -secret");
        assertEquals(1, room().presence().online());
        assertEquals(2, room().presence().sessions());
        send("'version':7,'online':4000,'sessions':5000");
        expect("COUNTS + ~ -");
        assertEquals(4000, room().presence().online());
        snapshot(8, "a");
        expect("MEMBERS +a ~ -");
    }

    @Test
    void everyListenerIsToldWhatIsNewToIt() {
        Subscription first = listen();
        joined();
        snapshot(5, "a");
        expect("MEMBERS +a ~ -");
        listen();
        expect("MEMBERS +a ~ -");
        first.close();
        send("'version':6,'before':5,'joined':[" + member("b") + "]");
        expect("MEMBERS +b ~ -");
    }

    @Test
    void slowListenerIsToldTheSum() {
        listen();
        joined();
        snapshot(5, "a");
        told.clear();
        send("'version':6,'before':5,'joined':[" + member("b") + "," + member("c") + "]");
        send("'version':7,'before':6,'left':['b','a']");
        world.settle();
        assertTrue(told.size() <= 2, told.toString());
        assertEquals(
                List.of("c"),
                room().presence().members().stream().map(RoomMember::sessionId).toList());
    }

    @Test
    void repeatedSnapshotIsNoNews() {
        listen();
        joined();
        snapshot(5, "a");
        told.clear();
        snapshot(9, "a");
        expect();
        send("'version':9,'before':8,'left':['a']");
        expect();
    }

    @Test
    void listenerThatThrowsIsReported() {
        room().onPresence(change -> {
            throw new IllegalStateException("thrown by the test");
        });
        listen();
        joined();
        snapshot(5, "a");
        expect("MEMBERS +a ~ -");
        assertEquals(IllegalStateException.class, world.errors.get(0).getClass());
        assertEquals(1, world.errors.size());
    }

    @Test
    void nonsenseIsReported() {
        listen();
        joined();
        send("'version':6");
        send("'version':6,'members':[{'user':'u','connected':true,'since':1}]");
        send("'version':6,'members':[null]");
        send("'version':'x'");
        world.settle();
        assertEquals(4, world.errors.size(), world.errors.toString());
        expect();
    }

    // ---------------------------------------------------------------- what the server is told

    @Test
    void listenerOfAJoinedRoomAsks() {
        joined();
        Subscription listening = listen();
        world.settle();
        assertEquals(new Protocol.PresenceRequest(true, null), asked(0));
        answer(0);
        snapshot(5, "a");
        listening.close();
        world.settle();
        assertEquals(new Protocol.PresenceRequest(false, null), asked(1));
        answer(1);
        assertEquals(2, world.peer().all(Protocol.PRESENCE).size());
    }

    @Test
    void missingDifferencesAskForASnapshotOnce() {
        listen();
        joined();
        snapshot(5, "a");
        told.clear();
        send("'version':7,'before':6,'joined':[" + member("c") + "]");
        send("'version':8,'before':7,'joined':[" + member("d") + "]");
        expect();
        assertEquals(1, world.peer().all(Protocol.PRESENCE).size());
        assertEquals(true, asked(0).watch());
        answer(0);
        snapshot(8, "a", "c", "d");
        expect("MEMBERS +c,d ~ -");
        assertEquals(1, world.peer().all(Protocol.PRESENCE).size());
    }

    @Test
    void stateIsToldOneRequestAtATime() {
        joined();
        room().setState("one");
        world.settle();
        room().setState("two");
        room().setState("three");
        world.settle();
        assertEquals(1, world.peer().all(Protocol.PRESENCE).size());
        assertEquals(new Protocol.PresenceRequest(null, "one"), asked(0));
        answer(0);
        assertEquals(new Protocol.PresenceRequest(null, "three"), asked(1));
        answer(1);
        room().setState("three");
        world.settle();
        assertEquals(2, world.peer().all(Protocol.PRESENCE).size());
    }

    @Test
    void unfitStateIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> room().setState("x".repeat(1025)));
        assertThrows(PayloadException.class, () -> room().setState("\ud83d"));
    }

    @Test
    void refusalIsReportedAndNotRepeated() {
        joined();
        room().setState("one");
        world.settle();
        String ref = world.peer().all(Protocol.PRESENCE).get(0).ref();
        world.peer()
                .send("{'type':'$error','ref':'" + ref
                        + "','data':{'code':'forbidden','message':'no','retryable':false}}");
        world.settle();
        assertEquals(1, world.errors.size());
        world.advance(60_000);
        assertEquals(1, world.peer().all(Protocol.PRESENCE).size());
    }

    // ---------------------------------------------------------------- connections

    @Test
    void resumeTellsOneDifferenceAndAsksNothing() {
        listen();
        joined();
        snapshot(5, "a", "b");
        told.clear();
        world.resumed = true;
        world.placeIn("r");
        world.peer().connection.abort();
        world.advance(10_000);
        expect();
        assertEquals(2, room().presence().members().size());
        snapshot(9, "b", "c");
        expect("MEMBERS +c ~ -a");
        assertEquals(0, world.peer().all(Protocol.PRESENCE).size());
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
    }

    @Test
    void openRequestIsSentAgainAfterAResume() {
        joined();
        room().setState("one");
        world.settle();
        world.resumed = true;
        world.placeIn("r");
        world.peer().connection.abort();
        world.advance(10_000);
        assertEquals(new Protocol.PresenceRequest(false, "one"), asked(0));
        answer(0);
    }

    @Test
    void newSessionIsToldAllWithItsJoin() {
        listen();
        joined();
        room().setState("one");
        world.settle();
        answer(0);
        snapshot(5, "a");
        told.clear();
        world.peer().connection.abort();
        world.advance(10_000);
        assertEquals(true, join().presence());
        assertEquals("one", join().state());
        assertEquals(0, world.peer().all(Protocol.PRESENCE).size());
        snapshot(2, "a");
        expect();
    }

    @Test
    void leftRoomIsUnknown() {
        listen();
        joined();
        snapshot(5, "a");
        told.clear();
        var unused = room().leave();
        expect("UNKNOWN + ~ -a");
        send("'version':6,'before':5,'joined':[" + member("b") + "]");
        expect();
        var unusedToo = room().join();
        world.settle();
        assertEquals(true, join().presence());
    }
}
