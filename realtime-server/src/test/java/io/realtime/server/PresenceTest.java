package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Members of a room are told who is here: in snapshots, differences and counts. */
class PresenceTest {
    private static final String HELLO = "{'type':'$hello','data':{'token':'%s','client':'client-of-%1$s-123456789'%s}}";

    private TestServer test = start(PresenceRule.forRooms("a", "b").withMostMembers(6));

    private static TestServer start(PresenceRule rule) {
        return new TestServer(
                TestServer::byName,
                builder -> builder.allowJoin((session, room) -> !room.equals("a-secret"))
                        .presence(rule));
    }

    @AfterEach
    void close() {
        assertEquals(test.server.countLogBytes(), test.server.stats().logBytes());
        test.close();
    }

    private static String join(String room, String more) {
        return "{'type':'$join','room':'" + room + "','ref':'" + room + "','data':{" + more + "}}";
    }

    private TestPeer watcher(String user) {
        TestPeer peer = test.managed(user);
        peer.send(join("a", "'presence':true"));
        peer.next("$reply");
        step();
        return peer;
    }

    /** Lets an announcement come. */
    private void step() {
        test.time.advance(Duration.ofMillis(300));
    }

    private TestPeer resume(String user, JsonObject welcome) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        String session = ",'session':'" + welcome.get("session").getAsString() + "','positions':{}";
        peer.send(String.format(HELLO, user, session));
        return peer;
    }

    private static JsonObject presence(TestPeer peer) {
        JsonObject frame = peer.next("$presence");
        assertEquals("a", frame.get("room").getAsString());
        return frame.getAsJsonObject("data");
    }

    private static boolean isTold(TestPeer peer) {
        return peer.types().contains("$presence");
    }

    /** The users of a list of members, each with a sign when it is away. */
    private static List<String> users(JsonElement members) {
        List<String> users = new ArrayList<>();
        for (JsonElement member : members == null ? new JsonArray() : members.getAsJsonArray()) {
            JsonObject one = member.getAsJsonObject();
            users.add(one.get("user").getAsString() + (one.get("connected").getAsBoolean() ? "" : " away"));
        }
        return users;
    }

    private static void requireNothingElse(JsonObject data, String... names) {
        assertEquals(new TreeSet<>(List.of(names)), new TreeSet<>(data.keySet()));
    }

    // ---------------------------------------------------------------- snapshots and differences

    @Test
    void joinIsFollowedByASnapshotWithTheJoiner() {
        TestPeer ann = test.managed("ann");
        ann.send(join("a", "'presence':true"));
        assertEquals(List.of("$reply", "$presence"), ann.types(), "at once, in a quiet room");
        JsonObject data = presence(ann);
        requireNothingElse(data, "version", "members");
        JsonObject self = data.getAsJsonArray("members").get(0).getAsJsonObject();
        requireNothingElse(self, "session", "user", "connected", "since");
        assertEquals(
                test.server.connections().sessions().iterator().next().id(),
                self.get("session").getAsString());
    }

    @Test
    void memberThatDoesNotAskIsToldNothing() {
        TestPeer ann = test.managed("ann");
        ann.send(join("a", ""));
        TestPeer bob = watcher("bob");
        step();
        assertFalse(isTold(ann));
        assertEquals(List.of("ann", "bob"), users(presence(bob).get("members")));
    }

    @Test
    void roomWithoutARuleHasNoPresence() {
        TestPeer ann = test.managed("ann");
        ann.send(join("other", "'presence':true,'state':'here'"));
        step();
        assertEquals(List.of("$reply"), ann.types());
        assertEquals("forbidden", ann.errorOf("{'type':'$presence','room':'other','ref':'1'}"));
        assertEquals("bad_data", ann.errorOf("{'type':'$presence','room':'@user','ref':'2'}"));
        assertEquals("bad_data", ann.errorOf("{'type':'$presence','ref':'3'}"));
    }

    @Test
    void onlyMembersAsk() {
        TestPeer ann = test.managed("ann");
        assertEquals("forbidden", ann.errorOf("{'type':'$presence','room':'a','ref':'1'}"));
        assertEquals("forbidden", ann.errorOf(join("a-secret", "'presence':true")));
        step();
        assertFalse(isTold(ann));
    }

    @Test
    void differencesNameBothVersions() {
        TestPeer ann = watcher("ann");
        long first = presence(ann).get("version").getAsLong();
        TestPeer bob = test.plain("bob");
        bob.send(join("a", ""));
        JsonObject joined = presence(ann);
        requireNothingElse(joined, "version", "before", "joined");
        assertEquals(first, joined.get("before").getAsLong());
        assertEquals(first + 1, joined.get("version").getAsLong());
        assertEquals(List.of("bob"), users(joined.get("joined")));
        step();
        bob.send("{'type':'$leave','room':'a','ref':'1'}");
        assertFalse(isTold(ann), "it may come back");
        step();
        JsonObject left = presence(ann);
        requireNothingElse(left, "version", "before", "left");
        assertEquals(first + 1, left.get("before").getAsLong());
    }

    @Test
    void changesOfAnIntervalAreAnnouncedTogether() {
        TestPeer ann = watcher("ann");
        ann.clear();
        test.managed("bob").send(join("a", ""));
        assertEquals(List.of("bob"), users(presence(ann).get("joined")));
        test.managed("cid").send(join("a", ""));
        test.managed("dan").send(join("a", ""));
        assertFalse(isTold(ann));
        step();
        assertEquals(List.of("cid", "dan"), users(presence(ann).get("joined")));
        assertFalse(isTold(ann));
    }

    @Test
    void leaveAndJoinWithinAnIntervalAreNeither() {
        TestPeer ann = watcher("ann");
        TestPeer bob = watcher("bob");
        step();
        ann.clear();
        bob.send("{'type':'$leave','room':'a','ref':'1'}");
        test.time.advance(Duration.ofMillis(100));
        bob.send(join("a", ""));
        step();
        step();
        List<JsonObject> told = ann.received();
        assertTrue(
                told.stream()
                        .map(frame -> frame.getAsJsonObject("data"))
                        .noneMatch(data -> data.has("left") || data.has("joined")),
                told.toString());
    }

    @Test
    void plainClientIsToldAndLeavesWithItsConnection() {
        TestPeer ann = test.plain("ann");
        ann.send(join("a", "'presence':true"));
        assertEquals(List.of("ann"), users(presence(ann).get("members")));
        TestPeer bob = test.plain("bob");
        step();
        bob.send(join("a", ""));
        presence(ann);
        bob.cut();
        step();
        assertEquals(1, presence(ann).getAsJsonArray("left").size());
    }

    // ---------------------------------------------------------------- lost connections

    @Test
    void lostConnectionIsAwayAndLeavesAfterTheGrace() {
        TestPeer ann = watcher("ann");
        TestPeer bob = watcher("bob");
        ann.clear();
        bob.cut();
        step();
        assertEquals(List.of("bob away"), users(presence(ann).get("changed")));
        test.time.advance(Duration.ofMillis(14_300));
        assertFalse(isTold(ann));
        test.time.advance(Duration.ofMillis(500));
        assertEquals(1, presence(ann).getAsJsonArray("left").size());
        assertEquals(2, test.server.connections().room("a").localMembers().size(), "it is a member all the same");
        test.time.advance(Duration.ofMinutes(10));
        assertFalse(isTold(ann));
        assertEquals(1, test.server.connections().room("a").localMembers().size());
    }

    @Test
    void shortLossIsNoDifferenceAndAResumeGetsASnapshot() {
        TestPeer ann = watcher("ann");
        TestPeer bob = test.connect("realtime.v1", "/ws");
        bob.send(String.format(HELLO, "bob", ""));
        JsonObject welcome = bob.data("$welcome");
        bob.send(join("a", "'presence':true"));
        step();
        ann.clear();
        bob.cut();
        TestPeer back = resume("bob", welcome);
        step();
        assertFalse(isTold(ann));
        assertEquals(List.of("ann", "bob"), users(presence(back).get("members")), "without another join");
        back.cut();
        step();
        assertEquals(List.of("bob away"), users(presence(ann).get("changed")));
        TestPeer again = resume("bob", welcome);
        step();
        assertEquals(List.of("bob"), users(presence(ann).get("changed")));
        again.cut();
        test.time.advance(Duration.ofSeconds(20));
        ann.clear();
        resume("bob", welcome);
        step();
        assertEquals(List.of("bob"), users(presence(ann).get("joined")));
    }

    @Test
    void sessionThatEndsLeavesAtOnce() {
        TestPeer ann = watcher("ann");
        TestPeer bob = watcher("bob");
        ann.clear();
        bob.close("bye");
        step();
        assertEquals(1, presence(ann).getAsJsonArray("left").size());
        assertFalse(isTold(ann));
    }

    // ---------------------------------------------------------------- state and tags

    @Test
    void stateAndTagsAreShown() {
        TestPeer ann = watcher("ann");
        presence(ann);
        ann.send("{'type':'$presence','room':'a','ref':'1','data':{'state':'typing'}}");
        assertEquals("1", ann.next("$reply").get("ref").getAsString());
        JsonObject self = presence(ann).getAsJsonArray("changed").get(0).getAsJsonObject();
        assertEquals("typing", self.get("state").getAsString());
        step();
        test.server.connections().sessions().iterator().next().tag("team", "red");
        step();
        self = presence(ann).getAsJsonArray("changed").get(0).getAsJsonObject();
        assertEquals("red", self.getAsJsonObject("tags").get("team").getAsString());
        ann.send("{'type':'$presence','room':'a','data':{'state':''}}");
        step();
        self = presence(ann).getAsJsonArray("changed").get(0).getAsJsonObject();
        assertNull(self.get("state"));
        ann.send("{'type':'$presence','room':'a','data':{'state':''}}");
        step();
        assertFalse(isTold(ann), "nothing has changed");
    }

    @Test
    void joinSetsTheState() {
        TestPeer ann = test.managed("ann");
        ann.send(join("a", "'presence':true,'state':'new'"));
        JsonObject self = presence(ann).getAsJsonArray("members").get(0).getAsJsonObject();
        assertEquals("new", self.get("state").getAsString());
        assertEquals("bad_data", ann.errorOf(join("a", "'state':'" + "x".repeat(1025) + "'")));
        assertEquals(
                "bad_data",
                ann.errorOf("{'type':'$rejoin','ref':'2','data':{'rooms':{'a':{'state':'" + "x".repeat(1025)
                        + "'}},'last':true}}"));
    }

    @Test
    void watchingEndsWhenAsked() {
        TestPeer ann = watcher("ann");
        ann.clear();
        ann.send("{'type':'$presence','room':'a','data':{'watch':false}}");
        test.managed("bob").send(join("a", ""));
        step();
        assertFalse(isTold(ann));
        ann.send("{'type':'$presence','room':'a'}");
        step();
        assertEquals(List.of("ann", "bob"), users(presence(ann).get("members")));
    }

    @Test
    void repeatedWishesForSnapshotsAreAnsweredOncePerInterval() {
        TestPeer ann = watcher("ann");
        ann.clear();
        for (int i = 0; i < 50; i++) {
            ann.post("{'type':'$presence','room':'a'}");
            ann.post(join("a", "'presence':true"));
        }
        step();
        long snapshots =
                ann.types().stream().filter(type -> type.equals("$presence")).count();
        assertTrue(snapshots <= 2, snapshots + " snapshots");
    }

    // ---------------------------------------------------------------- bounds

    @Test
    void largeRoomTellsCountsAndLaterMembersAgain() {
        TestPeer ann = watcher("ann");
        List<TestPeer> others = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            TestPeer other = test.plain("u" + i);
            other.send(join("a", ""));
            others.add(other);
        }
        step();
        ann.clear();
        TestPeer last = test.plain("last");
        last.send(join("a", "'presence':true"));
        step();
        JsonObject counts = presence(ann);
        requireNothingElse(counts, "version", "online", "sessions");
        assertEquals(8, counts.get("online").getAsInt());
        assertEquals(8, presence(last).get("sessions").getAsInt());
        last.cut();
        others.remove(0).cut();
        others.remove(0).cut();
        step();
        assertEquals(5, presence(ann).get("online").getAsInt(), "still more than three quarters");
        others.remove(0).cut();
        step();
        assertEquals(List.of("ann", "u3", "u4", "u5"), users(presence(ann).get("members")));
        others.remove(0).cut();
        step();
        assertEquals(1, presence(ann).getAsJsonArray("left").size());
    }

    @Test
    void snapshotThatWouldBeTooLongIsReplacedByCounts() {
        test.close();
        test = start(PresenceRule.forRooms("a"));
        TestPeer ann = watcher("ann");
        assertEquals(1, presence(ann).getAsJsonArray("members").size());
        String state = "x".repeat(1024);
        for (int i = 0; i < 300; i++) {
            test.plain("user" + i).send(join("a", "'state':'" + state + "'"));
        }
        step();
        ann.clear();
        TestPeer late = watcher("late");
        assertEquals(302, presence(late).get("sessions").getAsInt());
        assertEquals(List.of("late"), users(presence(ann).get("joined")));
        assertEquals(302, presence(ann).get("sessions").getAsInt());
    }

    @Test
    void clientThatAcceptsLittleGetsCounts() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send(String.format(HELLO, "ann", ",'messageBytes':1024"));
        ann.next("$welcome");
        ann.send(join("a", "'presence':true,'state':'" + "x".repeat(1000) + "'"));
        assertEquals(1, presence(ann).get("online").getAsInt());
        test.managed("bob").send(join("a", ""));
        step();
        assertEquals(2, presence(ann).get("online").getAsInt());
    }

    @Test
    void presenceEndsWithItsRoom() {
        int before = test.time.pending();
        TestPeer ann = watcher("ann");
        TestPeer bob = watcher("bob");
        bob.cut();
        step();
        ann.send("{'type':'$leave','room':'a','ref':'1'}");
        step();
        test.time.advance(Duration.ofMinutes(6));
        ann.close("bye");
        step();
        assertEquals(0, test.server.connections().room("a").localMembers().size());
        assertEquals(before, test.time.pending());
    }

    private static final String BIG = "\u20ac".repeat(1_024);

    @Test
    void stateThatIsOneTooManyCostsNoMembership() {
        test.close();
        test = new TestServer(
                TestServer::byName,
                builder -> builder.allowJoin((session, room) -> true)
                        .presence(PresenceRule.forRooms("a"))
                        .limits(Limits.builder().logBytes(64 * 1024).build()));
        TestPeer ann = test.managed("ann");
        Session session = test.server.connections().user("ann").sessions().get(0);
        session.join("a");
        test.settle();
        ann.clear();
        ann.send("{'type':'$join','room':'a','ref':'j','data':{'state':'" + BIG + "'}}");
        ann.next("$reply");
        assertTrue(session.isIn("a"));
        assertEquals(
                "overloaded", ann.errorOf("{'type':'$presence','room':'a','ref':'s','data':{'state':'" + BIG + "'}}"));
        assertTrue(session.isIn("a"));
        assertEquals(2L, test.server.stats().refusedMessages().get("overloaded"));
    }

    @Test
    void statesOfOneUserLeavePlacesForOthers() {
        test.close();
        RateLimit fast = RateLimit.perSecond(100_000);
        test = new TestServer(
                TestServer::byName,
                builder -> builder.allowJoin((session, room) -> true)
                        .presence(PresenceRule.forRooms("a"))
                        .limits(Limits.builder()
                                .logBytes(8 << 20)
                                .ratePerSession(fast)
                                .ratePerUser(fast)
                                .build()));
        for (int s = 0; s < 3; s++) {
            TestPeer hog = test.plain("hog");
            for (int i = 0; i < 1_000; i++) {
                hog.post("{'type':'$join','room':'a" + s + "." + i + "','data':{'state':'" + BIG + "'}}");
                if (i % 20 == 0) {
                    test.settle();
                }
            }
        }
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','room':'a','ref':'j','data':{'state':'here'}}");
        assertEquals(List.of("$reply"), ann.types());
        assertFalse(test.server.stats().refusedMessages().containsKey("internal"));
    }
}
