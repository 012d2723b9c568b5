package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who receives the messages of a view of a room: at once, in a replay and in the history. */
@Timeout(60)
class AudienceTest {
    private static final Event<String> SAID = Event.of("said", String.class);

    private Runnable turn = () -> {};
    private final TestServer test = new TestServer(
            AudienceTest::authenticate,
            builder -> builder.allowJoin((session, room) -> room.equals("hall"))
                    .on(Event.of("turn", String.class), (session, message) -> turn.run()));
    private final Room hall = test.server.connections().room("hall");

    /** The token is {@code user/role}. */
    private static CompletableFuture<Authentication> authenticate(Credentials credentials) {
        String[] token = String.valueOf(credentials.token()).split("/", 2);
        return CompletableFuture.completedFuture(Authentication.of(token[0]).withTag("role", token[1]));
    }

    @AfterEach
    void close() {
        test.close();
    }

    /** A client of one user, which is in the hall. */
    private final class Device {
        final String user;
        TestPeer peer;
        JsonObject welcome;

        Device(String user, String role) {
            this.user = user;
            this.peer = connect(role, "");
            this.welcome = peer.data("$welcome");
            peer.send("{'type':'$join','room':'hall','ref':'j'}");
        }

        private TestPeer connect(String role, String more) {
            TestPeer opened = test.connect("realtime.v1", "/ws");
            opened.send("{'type':'$hello','data':{'token':'" + user + "/" + role + "','client':'client-of-" + user
                    + "-0123456789'" + more + "}}");
            return opened;
        }

        /** Resumes from the beginning of the log. */
        void resume(String role) {
            JsonObject at = peer.data("$reply");
            peer = connect(
                    role,
                    ",'session':'" + welcome.get("session").getAsString() + "','positions':{'hall':['"
                            + at.get("epoch").getAsString() + "',0]}");
            assertTrue(peer.data("$welcome").get("resumed").getAsBoolean());
        }

        Session session() {
            return test.server.connections().user(user).sessions().get(0);
        }

        String id() {
            return session().id();
        }

        List<String> said() {
            test.settle();
            List<String> said = new ArrayList<>();
            while (peer.types().contains("said")) {
                said.add(peer.next("said").get("data").getAsString());
            }
            return said;
        }

        List<String> history() {
            peer.send("{'type':'$history','room':'hall','ref':'h'}");
            JsonObject page = peer.received().stream()
                    .filter(frame ->
                            frame.has("ref") && frame.get("ref").getAsString().equals("h"))
                    .findFirst()
                    .orElseThrow()
                    .getAsJsonObject("data");
            return StreamSupport.stream(page.getAsJsonArray("messages").spliterator(), false)
                    .map(message -> message.getAsJsonObject().get("data").getAsString())
                    .toList();
        }
    }

    // ---------------------------------------------------------------- by id

    @Test
    void idsSelectAtOnceInReplayAndInHistory() {
        Device ann = new Device("ann", "guest");
        Device bob = new Device("bob", "guest");
        Device cid = new Device("cid", "guest");
        hall.send(SAID, "all");
        hall.except(ann.id()).send(SAID, "not ann");
        hall.only(ann.id(), bob.id()).send(SAID, "ann and bob");
        hall.only(List.of(cid.id())).send(SAID, "cid");
        hall.only().send(SAID, "nobody");
        hall.except(List.of()).send(SAID, "all again");
        List<String> ofAnn = List.of("all", "ann and bob", "all again");
        List<String> ofBob = List.of("all", "not ann", "ann and bob", "all again");
        List<String> ofCid = List.of("all", "not ann", "cid", "all again");
        assertEquals(ofAnn, ann.said());
        assertEquals(ofBob, bob.said());
        assertEquals(ofCid, cid.said());
        assertEquals(ofAnn, ann.history());
        assertEquals(ofCid, cid.history());
        ann.peer.cut();
        ann.resume("guest");
        assertEquals(ofAnn, ann.said());
    }

    @Test
    void idsMayBeOfSessionsThatJoinLater() {
        Device ann = new Device("ann", "guest");
        ann.peer.send("{'type':'$leave','room':'hall','ref':'l'}");
        hall.only(ann.id()).send(SAID, "ann");
        hall.except(ann.id()).send(SAID, "the others");
        ann.peer.send("{'type':'$join','room':'hall','ref':'again','data':{'history':10}}");
        assertEquals(List.of("ann"), ann.said());
    }

    @Test
    void onlyIsTheIntersectionAndExceptTheUnion() {
        Device ann = new Device("ann", "guest");
        Device bob = new Device("bob", "guest");
        hall.only(ann.id(), bob.id()).only(bob.id()).send(SAID, "bob");
        hall.only(ann.id()).only(bob.id()).send(SAID, "nobody");
        hall.except(ann.id()).except(bob.id()).send(SAID, "nobody either");
        hall.only(ann.id(), bob.id()).except(bob.id()).send(SAID, "ann");
        assertEquals(List.of("ann"), ann.said());
        assertEquals(List.of("bob"), bob.said());
    }

    // ---------------------------------------------------------------- by tag

    @Test
    void tagSelectsAtOnceInReplayAndInHistory() {
        Device ann = new Device("ann", "editor");
        Device bob = new Device("bob", "guest");
        hall.having("role", "editor").send(SAID, "editors");
        hall.having("role", "guest").send(SAID, "guests");
        hall.having("color", "red").send(SAID, "nobody");
        hall.having("role", "editor").having("role", "guest").send(SAID, "nobody is both");
        assertEquals(List.of("editors"), ann.said());
        assertEquals(List.of("guests"), bob.said());
        assertEquals(List.of("editors"), ann.history());
        ann.peer.cut();
        ann.resume("editor");
        assertEquals(List.of("editors"), ann.said());
        Device cid = new Device("cid", "editor");
        cid.peer.send("{'type':'$join','room':'hall','ref':'again','data':{'history':10}}");
        assertEquals(List.of("editors"), cid.said(), "one who joins later has the tag too");
    }

    @Test
    void tagSelectsByWhatAMemberHadWhenTheMessageWasSent() {
        Device ann = new Device("ann", "editor");
        Device bob = new Device("bob", "guest");
        ann.peer.cut();
        bob.peer.cut();
        hall.having("role", "editor").send(SAID, "editors");
        ann.session().untag("role");
        bob.session().tag("role", "editor");
        ann.resume("editor");
        bob.resume("guest");
        assertEquals(List.of("editors"), ann.said());
        assertEquals(List.of(), bob.said());
        assertEquals(List.of("editors"), ann.history());
        assertEquals(List.of(), bob.history());
        assertEquals(Map.of(), ann.session().tags(), "a resume changes no tag");
        assertEquals(Map.of("role", "editor"), bob.session().tags());
    }

    @Test
    void tagThatIsRemovedAfterTheSendDoesNotCount() {
        Device ann = new Device("ann", "editor");
        Device bob = new Device("bob", "guest");
        // What a handler sends is delivered when it returns.
        turn = () -> {
            hall.having("role", "editor").send(SAID, "to ann");
            ann.session().untag("role");
            bob.session().tag("role", "editor");
            hall.having("role", "editor").send(SAID, "to bob");
        };
        ann.peer.send("{'type':'turn','seq':1,'data':''}");
        assertEquals(List.of("to ann"), ann.said());
        assertEquals(List.of("to bob"), bob.said());
    }

    @Test
    void tagsAreBounded() {
        Session session = new Device("ann", "guest").session();
        for (int i = 1; i < 16; i++) {
            session.tag("tag" + i, "v".repeat(255));
        }
        assertThrows(IllegalArgumentException.class, () -> session.tag("one.more", "v"));
        session.tag("tag1", "replaced");
        assertEquals("replaced", session.tags().get("tag1"));
        session.untag("tag1");
        session.untag("tag1");
        session.tag("one.more", "安");
        assertEquals(16, session.tags().size());
        for (String value : List.of("", "a\nb", "v".repeat(256))) {
            assertThrows(IllegalArgumentException.class, () -> session.tag("tag2", value));
            assertThrows(IllegalArgumentException.class, () -> hall.having("tag2", value));
        }
        for (String name : List.of("", "a b", "n".repeat(65))) {
            assertThrows(IllegalArgumentException.class, () -> session.tag(name, "v"));
        }
        assertEquals("v".repeat(255), session.tags().get("tag2"));
    }

    // ---------------------------------------------------------------- combined

    @Test
    void allConditionsMustHold() {
        Device ann = new Device("ann", "editor");
        Device bob = new Device("bob", "editor");
        Device cid = new Device("cid", "guest");
        Device dan = new Device("dan", "editor");
        Room some = hall.filter(session -> !session.user().id().equals("dan")).having("role", "editor");
        some.except(bob.id()).send(SAID, "ann");
        some.only(bob.id(), cid.id(), dan.id()).send(SAID, "bob");
        assertEquals(List.of("ann"), ann.said());
        assertEquals(List.of("bob"), bob.said());
        assertEquals(List.of(), cid.said());
        assertEquals(List.of(), dan.said());
        assertEquals(List.of("ann"), ann.history());
        ann.session().tag("role", "guest");
        ann.peer.clear();
        assertEquals(List.of("ann"), ann.history(), "it had the tag when the message was sent");
        cid.session().tag("role", "editor");
        assertEquals(List.of(), cid.history(), "it did not pass the filter");
    }

    @Test
    void filterSeesOnlyMembersThatMeetTheOtherConditions() {
        Device ann = new Device("ann", "editor");
        Device bob = new Device("bob", "editor");
        new Device("cid", "guest");
        List<String> seen = new ArrayList<>();
        hall.filter(session -> seen.add(session.user().id()))
                .having("role", "editor")
                .except(bob.id())
                .send(SAID, "ann");
        assertEquals(List.of("ann"), seen);
        assertEquals(List.of("ann"), ann.said());
    }

    @Test
    void batchOfMessagesToDifferentAudiencesKeepsItsOrder() {
        Device ann = new Device("ann", "editor");
        Device bob = new Device("bob", "guest");
        List<String> ofAnn = new ArrayList<>();
        List<String> ofBob = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            String text = "m" + i;
            switch (i % 4) {
                case 0 -> hall.send(SAID, text);
                case 1 -> hall.except(ann.id()).send(SAID, text);
                case 2 -> hall.only(ann.id()).send(SAID, text);
                default -> hall.having("role", "guest").send(SAID, text);
            }
            if (i % 2 == 0) {
                ofAnn.add(text);
            }
            if (i % 4 != 2) {
                ofBob.add(text);
            }
        }
        assertEquals(ofAnn, ann.said());
        assertEquals(ofBob, bob.said());
    }

    // ---------------------------------------------------------------- from

    @Test
    void viewFromASessionSendsAsItsUser() {
        Device ann = new Device("ann", "editor");
        Device bob = new Device("bob", "editor");
        ConnectionManager connections = test.server.connections();
        hall.from(bob.session()).except(bob.id()).send(SAID, "from, then except");
        hall.having("role", "editor").from(bob.session()).send(SAID, "having, then from");
        connections.user("ann").inbox().from(bob.session()).send(SAID, "to the inbox");
        connections.everyone().from(bob.session()).send(SAID, "to everyone");
        bob.session().room("hall").only(ann.id()).send(SAID, "by the session");
        test.settle();
        for (int i = 0; i < 5; i++) {
            assertEquals("bob", ann.peer.next("said").get("from").getAsString());
        }
        hall.from(bob.session());
        hall.send(SAID, "from the server");
        test.settle();
        assertFalse(ann.peer.next("said").has("from"), "a view does not change the room");
        bob.peer.send("{'type':'$leave','room':'hall','ref':'l'}");
        hall.from(bob.session()).send(SAID, "from a session that is not a member");
        test.settle();
        assertEquals("bob", ann.peer.next("said").get("from").getAsString());
    }

    // ---------------------------------------------------------------- members

    @Test
    void membersOfAnInboxAreInTheOrderInWhichTheyBegan() {
        List<String> began = new ArrayList<>();
        User ann = test.server.connections().user("ann");
        for (int i = 0; i < 40; i++) {
            Set<String> before = ann.sessions().stream().map(Session::id).collect(Collectors.toSet());
            test.connect("", "/ws?token=ann%2Fguest");
            test.settle();
            ann.sessions().stream()
                    .map(Session::id)
                    .filter(id -> !before.contains(id))
                    .forEach(began::add);
        }
        assertEquals(40, began.size());
        assertEquals(
                began,
                ann.inbox().members().join().stream().map(Member::sessionId).toList());
        assertEquals(began, ann.inbox().localMembers().stream().map(Session::id).toList());
    }

    @Test
    void membersAreThoseOnlineAndThoseKept() {
        Device ann = new Device("ann", "editor");
        long joined = test.time.currentTimeMillis();
        test.time.advance(Duration.ofSeconds(20));
        Device bob = new Device("bob", "guest");
        ann.peer.cut();
        test.settle();
        List<Member> members = hall.members().join();
        assertEquals(List.of("ann", "bob"), members.stream().map(Member::userId).toList());
        Member first = members.get(0);
        assertEquals(ann.id(), first.sessionId());
        assertEquals(Map.of("role", "editor"), first.tags());
        assertFalse(first.connected());
        assertTrue(members.get(1).connected());
        assertTrue(Math.abs(first.since().toEpochMilli() - joined) < 1_000, first + " at " + joined);
        assertEquals(new MemberCount(1, 2), hall.count().join());
        assertEquals(List.of(ann.session(), bob.session()), hall.localMembers());
        ConnectionManager connections = test.server.connections();
        assertEquals(1, connections.online());
        assertEquals(2, connections.sessionCount());
        assertEquals(2, connections.userCount());
        assertEquals(new MemberCount(1, 2), connections.everyone().count().join());
        assertEquals(
                new MemberCount(0, 1), connections.user("ann").inbox().count().join());
        assertEquals(
                Set.of(first.sessionId()),
                Set.of(connections.user("ann").inbox().members().join().get(0).sessionId()));
        ann.resume("editor");
        assertEquals(new MemberCount(2, 2), hall.count().join());
        assertEquals(2, connections.online());
        assertEquals(first.since(), hall.members().join().get(0).since(), "it has been a member all the time");
        ann.session().disconnect("out");
        assertEquals(new MemberCount(1, 1), hall.count().join());
        assertEquals(1, connections.online());
        assertEquals(new MemberCount(0, 0), connections.room("nowhere").count().join());
        assertEquals(List.of(), connections.room("nowhere").members().join());
    }
}
