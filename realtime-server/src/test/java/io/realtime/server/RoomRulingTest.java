package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the application does to a room, frame by frame: it deletes, purges, closes, and sends with a key. */
@Timeout(60)
class RoomRulingTest {
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final Event<String> TYPING = Event.ephemeral("typing", String.class);

    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> true).retention(new Retention(10, Duration.ofHours(1))));
    private final Room room = test.server.connections().room("chat:1");

    @AfterEach
    void close() {
        test.settle();
        assertEquals(test.server.countLogBytes(), test.server.stats().logBytes());
        test.close();
    }

    private Position say(String text) {
        Position at = Objects.requireNonNull(room.send(SAID, text).join());
        test.settle();
        return at;
    }

    private static JsonObject join(TestPeer peer, String data) {
        peer.send("{'type':'$join','room':'chat:1','ref':'j','data':{" + data + "}}");
        return peer.data("$reply");
    }

    /** What a peer was sent of the log: texts, and which offsets were deleted. */
    private static List<String> seen(TestPeer peer) {
        List<String> seen = new ArrayList<>();
        for (JsonObject frame : peer.received()) {
            if (frame.get("type").getAsString().equals("said")) {
                seen.add(frame.get("data").getAsString());
            } else if (frame.get("type").getAsString().equals("$deleted")) {
                seen.add("-" + frame.getAsJsonObject("data").get("offset"));
            }
        }
        return seen;
    }

    private static String since(Position at) {
        return "'since':['" + at.epoch() + "'," + at.offset() + "]";
    }

    // ---------------------------------------------------------------- delete

    @Test
    void membersAreToldOfADeletionAndLaterReadersMissIt() {
        TestPeer ann = test.plain("ann");
        join(ann, "");
        Position first = say("a");
        Position second = say("b");
        assertTrue(room.delete(second).join());
        test.settle();
        say("c");
        assertEquals(List.of("a", "b", "-2", "c"), seen(ann));
        TestPeer late = test.plain("bob");
        join(late, "'history':9");
        assertEquals(List.of("a", "-2", "c"), seen(late));
        TestPeer back = test.plain("cid");
        assertTrue(join(back, since(first)).get("recovered").getAsBoolean());
        assertEquals(List.of("-2", "c"), seen(back));
        ann.send("{'type':'$history','room':'chat:1','ref':'h'}");
        assertEquals(2, ann.data("$reply").getAsJsonArray("messages").size());
    }

    @Test
    void onlyAMessageThatIsKeptIsDeleted() {
        assertFalse(room.delete(new Position("e", 1)).join());
        Position at = say("a");
        assertFalse(room.delete(new Position("other", 1)).join());
        assertFalse(room.delete(new Position(at.epoch(), 0)).join());
        assertFalse(room.delete(new Position(at.epoch(), 2)).join());
        assertTrue(room.delete(at).join());
        assertFalse(room.delete(at).join(), "twice");
        assertFalse(room.delete(new Position(at.epoch(), 2)).join(), "the notice itself");
        test.time.advance(Duration.ofHours(2));
        assertFalse(room.delete(at).join());
    }

    @Test
    void memberThatWasAwayIsToldWhenItComesBack() {
        TestPeer ann = test.managed("ann");
        test.server.connections().user("ann").sessions().get(0).join("chat:1");
        Position at = say("a");
        ann.cut();
        assertTrue(room.delete(at).join());
        TestPeer again = test.managed("ann");
        join(again, since(at));
        assertEquals(List.of("-1"), seen(again));
    }

    @Test
    void unreadInboxMessageIsDeletedForEveryDevice() {
        User bob = test.server.connections().user("bob");
        Position at = Objects.requireNonNull(bob.send(SAID, "secret").join());
        bob.send(SAID, "plain");
        assertTrue(bob.inbox().delete(at).join());
        TestPeer device = test.managed("bob");
        assertEquals(List.of("plain", "-1"), seen(device));
    }

    // ---------------------------------------------------------------- purge

    @Test
    void purgeTellsMembersAndThoseWhoComeBack() {
        TestPeer ann = test.plain("ann");
        join(ann, "");
        Position last = say("a");
        Position end = room.purge().join();
        test.settle();
        assertEquals(new Position(last.epoch(), 2), end);
        JsonObject gap = ann.data("$gap");
        assertEquals("purged", gap.get("reason").getAsString());
        assertEquals(2, gap.get("offset").getAsLong());
        assertEquals(3, say("b").offset());
        assertEquals(List.of("a", "b"), seen(ann));
        JsonObject back = join(test.plain("bob"), since(last));
        assertEquals("trimmed", back.get("reason").getAsString());
    }

    @Test
    void purgeOfAForgottenRoomIsToldToItsReaders() {
        Position last = say("a");
        test.time.advance(Duration.ofHours(2));
        assertTrue(join(test.plain("ann"), since(last)).get("recovered").getAsBoolean());
        test.server.connections().user("ann").disconnect("out");
        room.purge();
        assertEquals(
                "trimmed", join(test.plain("bob"), since(last)).get("reason").getAsString());
        assertEquals(3, say("b").offset());
    }

    @Test
    void purgedInboxGivesNewDevicesNothing() {
        User bob = test.server.connections().user("bob");
        bob.send(SAID, "old");
        TestPeer phone = test.managed("bob");
        bob.inbox().purge();
        test.settle();
        assertEquals("purged", phone.data("$gap").get("reason").getAsString());
        bob.disconnect("out");
        bob.send(SAID, "new");
        assertEquals(List.of("new"), seen(test.managed("bob")));
    }

    // ---------------------------------------------------------------- close

    @Test
    void closedRoomHasNoMembersAndNoMessages() {
        TestPeer ann = test.plain("ann");
        join(ann, "");
        Position last = say("a");
        int rooms = test.server.stats().rooms();
        room.close("it is over");
        test.settle();
        assertEquals(List.of("a"), seen(ann));
        assertEquals("it is over", ann.data("$left").get("reason").getAsString());
        assertEquals(List.of(), room.localMembers());
        assertEquals(rooms - 1, test.server.stats().rooms());
        JsonObject back = join(ann, since(last));
        assertEquals("trimmed", back.get("reason").getAsString());
    }

    @Test
    void leaveByTheApplicationHasNoReason() {
        TestPeer ann = test.plain("ann");
        join(ann, "");
        test.server.connections().user("ann").sessions().get(0).leave("chat:1");
        test.settle();
        assertFalse(ann.data("$left").has("reason"));
    }

    @Test
    void inboxesAreNotClosed() {
        assertThrows(
                IllegalStateException.class,
                () -> test.server.connections().everyone().close("x"));
        assertThrows(
                IllegalStateException.class,
                () -> test.server.connections().user("ann").inbox().close("x"));
        assertThrows(IllegalArgumentException.class, () -> room.close("two\nlines"));
        assertThrows(IllegalArgumentException.class, () -> room.close("x".repeat(256)));
    }

    // ---------------------------------------------------------------- keys

    @Test
    void keyIsPublishedOnceAndAnswersTheFirstPosition() {
        TestPeer ann = test.plain("ann");
        join(ann, "");
        Position first = room.send(SAID, "a", "k").join();
        assertEquals(first, room.except("x").send(SAID, "another", "k").join());
        assertNotEquals(first, room.send(SAID, "b", "k2").join());
        Room other = test.server.connections().room("chat:2");
        assertEquals(1, other.send(SAID, "c", "k").join().offset());
        test.settle();
        assertEquals(List.of("a", "b"), seen(ann));
    }

    @Test
    void keyIsForgottenWithItsMessage() {
        Position first = room.send(SAID, "a", "k").join();
        for (int i = 0; i < 9; i++) {
            say("x");
        }
        assertEquals(first, room.send(SAID, "a", "k").join());
        say("the tenth after it");
        Position second = room.send(SAID, "a", "k").join();
        assertEquals(12, second.offset());
        test.time.advance(Duration.ofHours(1));
        assertEquals(second, room.send(SAID, "a", "k").join());
        test.time.advance(Duration.ofNanos(1));
        assertEquals(13, room.send(SAID, "a", "k").join().offset());
        room.purge();
        assertEquals(15, room.send(SAID, "a", "k").join().offset());
    }

    @Test
    void keyOfADeletedMessageIsKnown() {
        Position first = room.send(SAID, "a", "k").join();
        assertTrue(room.delete(first).join());
        assertEquals(first, room.send(SAID, "a", "k").join());
    }

    @Test
    void inboxKnowsKeysToo() {
        User bob = test.server.connections().user("bob");
        Position first = bob.send(SAID, "a", "k").join();
        assertEquals(first, bob.send(SAID, "a", "k").join());
        assertEquals(List.of("a"), seen(test.managed("bob")));
    }

    @Test
    void badKeysAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> room.send(SAID, "a", ""));
        assertThrows(IllegalArgumentException.class, () -> room.send(SAID, "a", "k".repeat(256)));
        assertThrows(IllegalArgumentException.class, () -> room.send(TYPING, "a", "k"));
        assertNull(room.send(TYPING, "a").join());
    }
}
