package io.realtime.server;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who is in which room, what the rules have to say about it, and what the client is told of it. */
class MembershipTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<String> SAID = Event.of("said", String.class);

    private final Map<String, List<CompletableFuture<Boolean>>> asked = new LinkedHashMap<>(); // by room
    private final List<String> handled = new ArrayList<>();
    private boolean answersAtOnce = true;
    private TestServer test = start(builder -> builder);

    private TestServer start(UnaryOperator<RealtimeServer.Builder> config) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                TestServer::byName,
                builder -> config.apply(builder.allowJoinAsync((session, room) -> ask(room))
                        .on(SAY, (session, message) -> handled.add(message.data()))));
        return test;
    }

    private CompletionStage<Boolean> ask(String room) {
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        asked.computeIfAbsent(room, name -> new ArrayList<>()).add(answer);
        if (answersAtOnce) {
            answer.complete(!room.startsWith("no"));
        }
        return answer;
    }

    private CompletableFuture<Boolean> question(String room, int number) {
        return asked.getOrDefault(room, List.of()).get(number);
    }

    private void answer(String room, int number, boolean yes) {
        question(room, number).complete(yes);
        test.settle();
    }

    @AfterEach
    void close() {
        test.close();
    }

    private TestPeer hello(String more) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'ann','client':'client-0123456789012345'" + more + "}}");
        return peer;
    }

    private static String resume(JsonObject welcome, String positions) {
        return ",'session':'" + welcome.get("session").getAsString() + "','positions':{" + positions + "}";
    }

    private Session session() {
        return test.server.connections().sessions().iterator().next();
    }

    private static Set<String> rooms(JsonObject welcome) {
        return welcome.getAsJsonObject("rooms").keySet().stream()
                .filter(name -> !name.startsWith("@"))
                .collect(Collectors.toSet());
    }

    private static String join(String room) {
        return "{'type':'$join','room':'" + room + "','ref':'" + room + "'}";
    }

    // ---------------------------------------------------------------- rules on a resume

    @Test
    void overtakenResumeLeavesTheRoomsOfTheWinner() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        answersAtOnce = false;
        TestPeer slow = hello(resume(welcome, ""));
        TestPeer winner = hello(resume(welcome, ""));
        answer("a", 2, true); // the first question was that of the join
        assertEquals(Set.of("a"), rooms(winner.data("$welcome")));
        answer("a", 1, false);

        assertEquals(4006, slow.closeCode());
        assertEquals(Set.of("a"), session().rooms());
        test.server.connections().room("a").send(SAID, "on");
        test.settle();
        assertEquals(List.of("said"), winner.types());
    }

    @Test
    void resumeWhoseRuleRefusesLosesTheRoom() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        first.send(join("b"));
        answersAtOnce = false;
        TestPeer second = hello(resume(welcome, ""));
        assertEquals(List.of(), second.types());
        assertEquals(Set.of("a", "b"), session().rooms(), "nothing changes before the answers");
        answer("a", 1, false);
        answer("b", 1, true);
        JsonObject answer = second.data("$welcome");
        JsonObject states = answer.getAsJsonObject("rooms");
        assertEquals("unauthorized", states.getAsJsonObject("a").get("reason").getAsString());
        assertFalse(states.getAsJsonObject("b").has("reason"));
        assertFalse(answer.has("partial"), "these are all of its rooms");
        assertEquals(Set.of("b"), session().rooms());
        assertEquals(0, test.server.connections().room("a").localMembers().size());
    }

    @Test
    void olderRuleAnswerDoesNotUndoAResume() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        answersAtOnce = false;
        first.send(join("a"));
        TestPeer second = hello(resume(welcome, ""));
        answer("a", 2, false);
        answer("a", 1, true); // its connection is gone
        assertEquals(Set.of(), session().rooms(), "nobody would tell the client");

        second.send(join("a"));
        answer("a", 3, true);
        assertEquals(Set.of("a"), session().rooms());
    }

    @Test
    void roomThatTheServerChoseDuringTheRuleIsKept() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        answersAtOnce = false;
        TestPeer second = hello(resume(welcome, ""));
        session().join("a");
        answer("a", 1, false);
        assertEquals(Set.of("a"), rooms(second.data("$welcome")));
        assertEquals(Set.of("a"), session().rooms());
    }

    @Test
    void rulesOfAResumeAreAskedInParallelWithinABound() {
        start(builder -> builder.limits(Limits.builder().rate(RateLimit.none()).build()));
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        IntStream.range(0, 100).forEach(i -> first.send(join("r" + i)));
        asked.clear();
        answersAtOnce = false;
        TestPeer second = hello(resume(welcome, ""));
        assertEquals(32, asked.size());
        List<CompletableFuture<Boolean>> round = new ArrayList<>();
        for (int rounds = 1; rounds <= 4; rounds++) {
            assertEquals(Math.min(100, 32 * rounds), asked.size());
            assertEquals(List.of(), second.types());
            round.clear();
            asked.values().forEach(round::addAll);
            round.forEach(open -> open.complete(true));
            test.settle();
        }
        assertEquals(100, rooms(second.data("$welcome")).size());
    }

    @Test
    void lateRuleAnswerIsARefusal() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        first.send(join("b"));
        answersAtOnce = false;
        TestPeer second = hello(resume(welcome, ""));
        answer("b", 1, true);
        test.time.advance(Duration.ofMillis(4_950));
        assertEquals(List.of(), second.types());
        test.time.advance(Duration.ofMillis(50));
        assertEquals(Set.of("b"), session().rooms());
        assertTrue(second.types().contains("$welcome"));
        answer("a", 1, true);
        assertEquals(Set.of("b"), session().rooms());
    }

    @Test
    void helloTimeoutExcludesTheRules() {
        start(builder -> builder.limits(Limits.builder()
                .helloTimeout(Duration.ofSeconds(2))
                .ruleTimeout(Duration.ofSeconds(4))
                .build()));
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        answersAtOnce = false;
        TestPeer second = hello(resume(welcome, ""));
        test.time.advance(Duration.ofSeconds(3));
        assertNull(second.closed());
        answer("a", 1, true);
        assertEquals(Set.of("a"), rooms(second.data("$welcome")));
        test.time.advance(Duration.ofSeconds(30));
        assertNull(second.closed());
    }

    // ---------------------------------------------------------------- joins and rules

    @Test
    void messagesWaitForTheRuleOfTheJoinBeforeThem() {
        TestPeer ann = hello("");
        ann.next("$welcome");
        answersAtOnce = false;
        ann.send(join("a"));
        ann.send("{'type':'say','room':'a','seq':1,'data':'hi'}");
        ann.send("{'type':'$ping','data':7}");
        assertEquals(List.of("$pong"), ann.types());
        assertEquals(List.of(), handled);
        answer("a", 0, true);
        assertEquals(List.of("hi"), handled);
    }

    @Test
    void joinWithoutAnAnswerIsRefusedInTime() {
        TestPeer ann = hello("");
        ann.next("$welcome");
        answersAtOnce = false;
        ann.send(join("a"));
        ann.send("{'type':'say','seq':1,'data':'behind'}");
        test.time.advance(Duration.ofSeconds(5));
        assertEquals("forbidden", ann.data("$error").get("code").getAsString());
        assertEquals(List.of("behind"), handled);
        assertEquals(Set.of(), session().rooms());
    }

    @Test
    void joinThatFailsIsRefused() {
        TestPeer ann = hello("");
        ann.next("$welcome");
        answersAtOnce = false;
        ann.send(join("a"));
        question("a", 0).completeExceptionally(new IllegalStateException("as the test wants"));
        test.settle();
        assertEquals("forbidden", ann.data("$error").get("code").getAsString());
    }

    @Test
    void memberWhoseNewJoinIsRefusedIsOut() {
        TestPeer ann = hello("");
        ann.next("$welcome");
        ann.send(join("a"));
        answersAtOnce = false;
        ann.send(join("a"));
        answer("a", 1, false);
        assertEquals(List.of("$reply", "$error"), ann.types());
        assertEquals(Set.of(), session().rooms());
        assertEquals(0, test.server.connections().room("a").localMembers().size());
    }

    @Test
    void joinOfARoomThatTheServerChoseNeedsNoRule() {
        TestPeer ann = hello("");
        ann.next("$welcome");
        session().join("no:1");
        test.settle();
        ann.send(join("no:1"));
        assertEquals(List.of("$joined", "$reply"), ann.types());
        assertEquals(Set.of("no:1"), session().rooms());
    }

    @Test
    void messagePublishedBetweenJoinedAndJoinIsNotLost() {
        TestPeer ann = hello("");
        ann.next("$welcome");
        session().join("a");
        test.server.connections().room("a").send(SAID, "first");
        ann.send(join("a"));
        assertEquals(
                Set.of("said"),
                Set.copyOf(ann.types().stream()
                        .filter(type -> !type.startsWith("$"))
                        .toList()));
    }

    // ---------------------------------------------------------------- what is on its way

    private TestPeer memberOf(String room) {
        TestPeer ann = hello("");
        ann.next("$welcome");
        ann.send(join(room));
        ann.clear();
        return ann;
    }

    private void publishWhileTheTransportLags() {
        test.network.lag(true);
        test.server.connections().room("a").send(SAID, "pending");
        test.settle();
    }

    private void catchUp() {
        test.network.lag(false);
        test.settle();
    }

    @Test
    void joinWithoutPositionGetsOnceWhatIsPending() {
        TestPeer ann = memberOf("a");
        publishWhileTheTransportLags();
        ann.send(join("a"));
        catchUp();
        test.server.connections().room("a").send(SAID, "later");
        test.settle();
        assertEquals(List.of("said", "$reply", "said"), ann.types());
        assertEquals(1, ann.data("$reply").get("offset").getAsInt());
    }

    @Test
    void messageBeforeALeaveArrivesBeforeLeft() {
        TestPeer ann = memberOf("a");
        publishWhileTheTransportLags();
        session().leave("a");
        test.server.connections().room("a").send(SAID, "later");
        test.settle();
        assertEquals(List.of(), ann.types());
        catchUp();
        assertEquals(List.of("said", "$left"), ann.types());
        session().join("a");
        test.settle();
        assertEquals("$joined", ann.types().get(2));
    }

    @Test
    void rejoinWithoutPositionIsAnsweredAfterWhatIsPending() {
        TestPeer ann = memberOf("a");
        publishWhileTheTransportLags();
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + wish("a") + "}}}");
        assertEquals(List.of(), ann.types());
        catchUp();
        test.server.connections().room("a").send(SAID, "later");
        test.settle();
        assertEquals(List.of("said", "$reply", "said"), ann.types());
    }

    @Test
    void clientThatReadsMoreSlowlyThanItsRoomsChangeIsClosed() {
        TestPeer ann = memberOf("a");
        publishWhileTheTransportLags();
        Session session = session();
        session.leave("a"); // of which it is told behind the message
        for (int i = 0; i < 5_000; i++) {
            session.join("b");
            session.leave("b");
        }
        test.settle();
        assertNull(ann.closed(), "10,000 changes wait");
        int before = test.time.pending();
        session.join("b");
        assertEquals(before + 1, test.time.pending(), "a close is due");
        session.leave("b");
        assertEquals(before + 1, test.time.pending(), "and no other one");
        test.settle();
        assertEquals(4102, ann.closeCode());
        catchUp();
        assertFalse(ann.types().contains("$joined"), ann.types()::toString);
    }

    @Test
    void messageBeforeLeaveOfClientArrivesBeforeItsReply() {
        TestPeer ann = memberOf("a");
        publishWhileTheTransportLags();
        ann.send("{'type':'$leave','room':'a','ref':'1'}");
        assertEquals(List.of(), ann.types());
        catchUp();
        assertEquals(List.of("said", "$reply"), ann.types());
        ann.clear();
        ann.send("{'type':'$leave','room':'a','ref':'2'}");
        assertEquals(List.of("$reply"), ann.types(), "though it is not in it");
    }

    @Test
    void messageBeforeADisconnectArrivesBeforeTheClose() {
        TestPeer ann = memberOf("a");
        publishWhileTheTransportLags();
        Session session = session();
        session.disconnect("bye");
        assertEquals(
                Set.of(),
                test.server.connections().room("a").localMembers().stream().collect(Collectors.toSet()));
        test.settle();
        assertNull(ann.closed());
        catchUp();
        assertEquals("said", ann.types().get(0));
        assertEquals(4005, ann.closeCode());
    }

    @Test
    void closeAfterALaggingTransportLeavesNoTimer() {
        int before = test.time.pending();
        memberOf("a");
        publishWhileTheTransportLags();
        session().disconnect("bye");
        catchUp();
        assertEquals(before, test.time.pending());
    }

    @Test
    void laggingTransportDelaysADisconnectByASecond() {
        TestPeer ann = memberOf("a");
        publishWhileTheTransportLags();
        session().disconnect("bye");
        test.time.advance(Duration.ofMillis(900));
        assertNull(ann.closed());
        test.time.advance(Duration.ofMillis(200));
        assertEquals(4005, ann.closeCode());
    }

    @Test
    void roomEnteredWhileAwayIsReadFromItsBeginning() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.cut();
        session().join("a");
        test.server.connections().room("a").send(SAID, "while away");
        TestPeer second = hello(resume(welcome, ""));
        assertEquals(List.of("$welcome", "said"), second.types());
    }

    @Test
    void roomWhoseJoinedIsLostIsReadFromItsBeginning() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        session().join("a");
        test.server.connections().room("a").send(SAID, "lost with the connection");
        first.cut();
        TestPeer second = hello(resume(welcome, "") + ",'partial':true");
        second.send("{'type':'$rejoin','ref':'1','data':{'rooms':{},'last':true}}");
        assertEquals(List.of("$welcome", "$reply", "$joined", "said"), second.types());
    }

    // ---------------------------------------------------------------- send rules

    @Test
    void sendRuleThatAnswersLaterKeepsTheOrder() {
        Map<String, CompletableFuture<Boolean>> open = new LinkedHashMap<>();
        start(builder -> builder.allowSendAsync(
                (session, event, room) -> open.computeIfAbsent(room, name -> new CompletableFuture<>())));
        TestPeer ann = hello("");
        ann.next("$welcome");
        ann.send("{'type':'say','room':'a','seq':1,'data':'one'}");
        ann.send("{'type':'say','room':'b','seq':2,'data':'two'}");
        ann.send("{'type':'say','seq':3,'data':'three'}");
        assertEquals(List.of("a"), List.copyOf(open.keySet()));
        assertEquals(List.of(), handled);
        requireNonNull(open.get("a")).complete(true);
        test.settle();
        assertEquals(List.of("one"), handled);
        requireNonNull(open.get("b")).complete(false);
        test.settle();
        assertEquals(List.of("one", "three"), handled);
        assertEquals("forbidden", ann.data("$error").get("code").getAsString());
        test.time.advance(Duration.ofMillis(100));
        assertEquals(3, ann.data("$ack").get("seq").getAsLong());
    }

    @Test
    void sendRuleWithoutAnAnswerRefusesInTime() {
        start(builder -> builder.allowSendAsync((session, event, room) -> new CompletableFuture<>()));
        TestPeer ann = hello("");
        ann.next("$welcome");
        ann.send("{'type':'say','room':'a','seq':1,'data':'one'}");
        test.time.advance(Duration.ofMillis(4_900));
        assertFalse(ann.types().contains("$error"));
        test.time.advance(Duration.ofMillis(100));
        assertEquals("forbidden", ann.data("$error").get("code").getAsString());
        assertEquals(List.of(), handled);
    }

    // ---------------------------------------------------------------- many rooms

    private static String wish(String room) {
        return "'" + room + "':{}";
    }

    private static JsonObject reply(TestPeer peer) {
        return peer.data("$reply").getAsJsonObject("rooms");
    }

    @Test
    void rejoinAnswersForEachOfItsRooms() {
        TestPeer ann = hello("");
        ann.next("$welcome");
        test.server.connections().room("a").send(SAID, "old");
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{'a':{'history':1}," + wish("no:1") + "},'last':true}}");
        assertEquals(List.of("$reply", "said"), ann.types());
        JsonObject rooms = reply(ann);
        assertEquals(0, rooms.getAsJsonObject("a").get("offset").getAsInt());
        assertEquals(
                "forbidden",
                rooms.getAsJsonObject("no:1")
                        .getAsJsonObject("error")
                        .get("code")
                        .getAsString());
        assertEquals(Set.of("a"), session().rooms());
    }

    @Test
    void partialHelloStartsTheOtherRoomsByRejoin() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        for (String room : List.of("a", "b", "c")) {
            first.send(join(room));
        }
        String epoch = first.data("$reply").get("epoch").getAsString();
        first.cut();
        for (String room : List.of("a", "b", "c")) {
            test.server.connections().room(room).send(SAID, room);
        }
        asked.clear();
        TestPeer second = hello(resume(welcome, "'a':['" + epoch + "',0]") + ",'partial':true");
        JsonObject again = second.data("$welcome");
        assertEquals(Set.of("a"), rooms(again));
        assertTrue(again.get("partial").getAsBoolean());
        assertEquals(List.of("said"), second.types());
        second.clear();
        test.server.connections().room("b").send(SAID, "live");
        test.settle();
        assertEquals(List.of(), second.types());

        second.send("{'type':'$rejoin','ref':'1','data':{'rooms':{'b':{'since':['" + epoch + "',0]}},'last':true}}");
        assertEquals(List.of("$reply", "said", "said", "$joined", "said"), second.types());
        assertEquals("c", second.next("$joined").get("room").getAsString());
        assertTrue(reply(second).getAsJsonObject("b").get("recovered").getAsBoolean());
        assertEquals(1, requireNonNull(asked.get("b")).size(), "the resume has asked already");
    }

    @Test
    void welcomeNamesNoMoreRoomsThanFit() {
        start(builder -> builder.limits(Limits.builder()
                .messageBytes(1000)
                .outboundBytes(4000)
                .rate(RateLimit.none())
                .build()));
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        List<String> names = IntStream.range(0, 30)
                .mapToObj(i -> "\\\\".repeat(252) + (1000 + i))
                .toList();
        names.forEach(name -> first.send(join(name).replace("'ref':'" + name + "'", "'ref':'1'")));
        assertEquals(30, session().rooms().size());
        first.cut();
        TestPeer second = hello(resume(welcome, ""));
        assertTrue(second.data("$welcome").get("partial").getAsBoolean());
        for (String name : names) {
            second.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + wish(name) + "}}}");
            assertEquals(1, reply(second).size());
        }
        assertNull(second.closed());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "@user", "a\\nERROR forged", "a\\u2028"})
    void rejoinOfInvalidNameReachesNoRule(String name) {
        TestPeer ann = hello("");
        ann.next("$welcome");
        String rooms = wish("a") + "," + wish(name);
        assertEquals("bad_data", ann.errorOf("{'type':'$rejoin','ref':'1','data':{'rooms':{" + rooms + "}}}"));
        assertEquals(Map.of(), asked);
        assertEquals(Set.of(), session().rooms());
    }

    @Test
    void rejoinIsOneMessageByTheRateAndBounded() {
        start(builder -> builder.limits(Limits.builder()
                .roomsPerSession(3)
                .ratePerSession(RateLimit.perSecond(1).withBurst(2))
                .build()));
        TestPeer ann = hello("");
        ann.next("$welcome");
        String many = IntStream.range(0, 4).mapToObj(i -> wish("r" + i)).collect(Collectors.joining(","));
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + many + "}}}");
        assertEquals(Set.of("r3"), refused(reply(ann)));
        assertEquals(Set.of("r0", "r1", "r2"), asked.keySet(), "no rule is asked about one room more");
        ann.send("{'type':'$rejoin','ref':'2','data':{'rooms':{" + wish("r4") + "}}}");
        assertEquals(Set.of("r4"), refused(reply(ann)), "the second message of the burst");
        ann.send("{'type':'$rejoin','ref':'3','data':{'rooms':{" + wish("r5") + "}}}");
        test.time.advance(Duration.ofMillis(900));
        assertEquals(List.of(), ann.types());
        test.time.advance(Duration.ofMillis(100));
        assertEquals(Set.of("r5"), refused(reply(ann)));
        assertEquals(Set.of("r0", "r1", "r2"), asked.keySet(), "nor about those that later ones name");
        ann.cut();
        TestPeer again = hello("");
        again.next("$welcome");
        again.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + wish("a") + "},'last':true}}");
        assertEquals(Set.of(), refused(reply(again)));
        again.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + wish("b") + "}}}");
        assertEquals(Set.of("b"), refused(reply(again)));
    }

    @Test
    void rejoinThatIsRefusedForTooManyRoomsLeavesThose() {
        start(builder -> builder.limits(Limits.builder().roomsPerSession(2).build()));
        TestPeer ann = hello("");
        ann.next("$welcome");
        ann.send(join("c"));
        ann.next("$reply");
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + wish("a") + "," + wish("b") + "," + wish("c")
                + "},'last':true}}");
        assertEquals(Set.of("b", "c"), refused(reply(ann)));
        assertEquals(Set.of("a"), session().rooms());
        assertEquals(0, test.server.connections().room("c").localMembers().size());
    }

    @Test
    void rejoinBeyondTheServersRoomsJoinsAndAnswersTheRest() {
        start(builder -> builder.limits(Limits.builder().rooms(2).build()));
        TestPeer ann = hello("");
        ann.next("$welcome");
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + wish("a") + "," + wish("b") + "," + wish("c")
                + "},'last':true}}");
        assertEquals(Set.of("c"), refused(reply(ann)));
        assertEquals(Set.of("a", "b"), session().rooms());
        test.server.connections().room("a").send(SAID, "live");
        test.settle();
        assertEquals(List.of("said"), ann.types());
    }

    @Test
    void rejoinBeyondTheServersRoomsBeginsTheUnnamed() {
        start(builder -> builder.limits(Limits.builder().rooms(2).build()));
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        first.send(join("b"));
        TestPeer ann = hello(resume(welcome, "") + ",'partial':true");
        ann.next("$welcome");
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + wish("new") + "},'last':true}}");
        assertEquals(List.of("$reply", "$joined", "$joined"), ann.types());
        assertEquals(Set.of("new"), refused(reply(ann)));
    }

    @Test
    void roomLeftBeforeTheLastRejoinStaysLeft() {
        TestPeer first = hello("");
        JsonObject welcome = first.data("$welcome");
        first.send(join("a"));
        first.send(join("b"));
        TestPeer ann = hello(resume(welcome, "") + ",'partial':true");
        ann.next("$welcome");
        session().leave("b");
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{},'last':true}}");
        assertEquals("a", ann.next("$joined").get("room").getAsString());
        assertFalse(ann.types().contains("$joined"));
        assertEquals(Set.of("a"), session().rooms());
    }

    @Test
    void rejoinOfTooManyRoomsKeepsThoseOfTheApplication() {
        start(builder -> builder.limits(Limits.builder().roomsPerSession(1).build()));
        TestPeer ann = hello("");
        JsonObject welcome = ann.next("$welcome").getAsJsonObject("data");
        session().join("placed");
        test.settle();
        ann.next("$joined");
        TestPeer back = hello(",'session':'" + welcome.get("session").getAsString() + "'");
        back.next("$welcome");
        back.send("{'type':'$rejoin','ref':'1','data':{'rooms':{" + wish("a") + "," + wish("b") + "," + wish("placed")
                + "},'last':true}}");
        assertFalse(refused(reply(back)).contains("placed"));
        assertTrue(session().isIn("placed"));
    }

    private static Set<String> refused(JsonObject rooms) {
        return rooms.entrySet().stream()
                .filter(room -> room.getValue().getAsJsonObject().has("error"))
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
    }
}
