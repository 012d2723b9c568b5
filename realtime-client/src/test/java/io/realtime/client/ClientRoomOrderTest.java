package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.testing.InMemoryNetwork;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Joins, leaves and messages of one caller, in the order of the calls, whatever the connection does meanwhile. */
class ClientRoomOrderTest {
    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private ClientRoom room() {
        return world.client().room("r");
    }

    private CompletableFuture<Void> say(String text) {
        return room().send(World.SAY, new Say(text));
    }

    private void listen() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
    }

    /** Connects and joins the room, and has the server do nothing more by itself. */
    private void joined() {
        world.connected();
        CompletableFuture<JoinResult> joined = room().join();
        world.settle();
        assertDone(joined);
        world.peer().frames.clear();
        world.acks = false;
        world.answersJoins = false;
    }

    private void reconnect() {
        world.network.cutAll();
        world.advance(5_000);
        assertEquals(ConnectionState.Status.OPEN, world.client().state().status());
    }

    /** What the newest connection was asked and told about rooms: the text of a message, else the type. */
    private List<String> told() {
        List<String> told = new ArrayList<>();
        for (Envelope frame : world.peer().frames) {
            if (frame.type().equals("chat.say")) {
                told.add(frame.<Say>data(Say.class).text());
            } else if (!frame.type().equals(Protocol.HELLO)) {
                told.add(frame.type());
            }
        }
        return told;
    }

    private void assertTold(String... expected) {
        world.settle();
        assertEquals(List.of(expected), told());
    }

    /** Answers the newest question. */
    private void reply(String type) {
        List<Envelope> questions = world.peer().all(type);
        world.peer().reply(questions.get(questions.size() - 1));
        world.settle();
    }

    private void refuse(Envelope question, String code, boolean isRetryable) {
        world.peer()
                .send("{'type':'$error','ref':'" + question.ref() + "','data':{'code':'" + code
                        + "','message':'no','retryable':" + isRetryable + "}}");
        world.settle();
    }

    private static void assertDone(CompletableFuture<?> future) {
        assertTrue(future.isDone() && !future.isCompletedExceptionally(), String.valueOf(future));
    }

    // ---------------------------------------------------------------- leaving behind what was sent

    @Test
    void roomIsJoinedAgainForWhatWasSentToItBeforeLeaveWhileOffline() {
        joined();
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> sent = say("m");
        CompletableFuture<Void> left = room().leave();
        world.answersJoins = true;
        world.advance(1_000);
        assertTold(Protocol.JOIN, "m");
        assertFalse(sent.isDone() || left.isDone());
        world.peer().ack(1, 0);
        assertTold(Protocol.JOIN, "m", Protocol.LEAVE);
        assertDone(sent);
        assertDone(left);
        reconnect();
        assertTold();
    }

    @Test
    void offlineMessagesToARoomPrecedeItsOfflineLeave() {
        joined();
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> sent = say("m");
        CompletableFuture<Void> left = room().leave();
        world.resumed = true;
        world.rooms = "{'r':{'epoch':'e1','offset':0,'recovered':true}}";
        world.answersJoins = true;
        world.advance(1_000);
        assertTold("m");
        world.peer().ack(1, 0);
        assertTold("m", Protocol.LEAVE);
        assertDone(sent);
        assertDone(left);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void leaveWaitsForMessagesThatTheWindowHoldsBack(boolean connectionLost) {
        world.inflight = 1;
        joined();
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        CompletableFuture<Void> third = say("three");
        CompletableFuture<Void> left = room().leave();
        assertTold("one");
        world.answersJoins = true;
        if (connectionLost) {
            reconnect();
            assertTold(Protocol.JOIN, "one");
        }
        world.peer().ack(1, 0);
        world.settle();
        world.peer().ack(2, 0);
        world.settle();
        assertDone(first);
        assertDone(second);
        assertEquals(List.of(), world.peer().all(Protocol.LEAVE), "the third is not processed");
        assertFalse(left.isDone());
        world.peer().ack(3, 0);
        world.settle();
        List<String> expected = new ArrayList<>(List.of("one", "two", "three", Protocol.LEAVE));
        if (connectionLost) {
            expected.add(0, Protocol.JOIN);
        }
        assertEquals(expected, told());
        assertDone(third);
        assertDone(left);
    }

    @Test
    void leaveWhoseFutureIsCancelledStillLeaves() {
        joined();
        CompletableFuture<Void> sent = say("m");
        assertTrue(room().leave().cancel(true));
        assertTold("m");
        world.answersJoins = true;
        world.peer().ack(1, 0);
        assertTold("m", Protocol.LEAVE);
        assertDone(sent);
        reconnect();
        assertTold();
    }

    @Test
    void leaveOutlivesADisconnect() {
        joined();
        CompletableFuture<Void> sent = say("m");
        CompletableFuture<Void> left = room().leave();
        world.settle();
        world.client().disconnect(Duration.ZERO);
        world.settle();
        assertTrue(left.isCompletedExceptionally());
        world.resumed = true;
        world.seq = 1;
        world.rooms = "{'r':{'epoch':'e1','offset':0,'recovered':true}}";
        world.answersJoins = true;
        world.connected();
        assertTold(Protocol.LEAVE);
        assertDone(sent);
    }

    @Test
    void leaveWhileOfflineAlsoLeavesARoomOfANewSession() {
        joined();
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> left = room().leave();
        world.placeIn("r");
        world.answersJoins = true;
        world.advance(1_000);
        assertTold(Protocol.LEAVE);
        assertDone(left);
    }

    @Test
    void leaveIsDoneWhenItsJoinIsRefused() {
        world.connected();
        world.answersJoins = false;
        CompletableFuture<JoinResult> joining = room().join();
        CompletableFuture<Void> left = room().leave();
        world.settle();
        refuse(world.peer().all(Protocol.JOIN).get(0), "forbidden", false);
        assertTrue(joining.isCompletedExceptionally());
        assertDone(left);
    }

    // ---------------------------------------------------------------- thinking better of it

    @Test
    void messageAfterAJoinWaitsForTheLeaveThatIsInProgress() {
        joined();
        CompletableFuture<Void> left = room().leave();
        assertTold(Protocol.LEAVE);
        CompletableFuture<JoinResult> again = room().join();
        CompletableFuture<Void> sent = say("m");
        assertTold(Protocol.LEAVE);
        assertDone(left);
        reply(Protocol.LEAVE);
        assertTold(Protocol.LEAVE, Protocol.JOIN, "m");
        assertFalse(again.isDone() || sent.isDone());
        reply(Protocol.JOIN);
        assertDone(again);
    }

    @Test
    void leavesAroundAJoinCompleteAtTheJoinAndAtTheLeave() {
        joined();
        CompletableFuture<Void> first = room().leave();
        CompletableFuture<JoinResult> again = room().join();
        CompletableFuture<Void> last = room().leave();
        assertTold(Protocol.LEAVE);
        assertDone(first);
        assertFalse(last.isDone());
        assertTrue(again.isCompletedExceptionally(), "left before it was joined");
        reply(Protocol.LEAVE);
        assertTold(Protocol.LEAVE);
        assertDone(last);
        reconnect();
        assertTold();
    }

    @Test
    void lastOfTwoLeavesAroundJoinThatIsInProgressReallyLeaves() {
        joined();
        CompletableFuture<Void> first = room().leave();
        CompletableFuture<JoinResult> again = room().join();
        world.settle();
        reply(Protocol.LEAVE);
        assertTold(Protocol.LEAVE, Protocol.JOIN);
        CompletableFuture<Void> last = room().leave();
        world.settle();
        assertDone(first);
        reply(Protocol.JOIN);
        assertDone(again);
        assertTold(Protocol.LEAVE, Protocol.JOIN, Protocol.LEAVE);
        assertFalse(last.isDone());
        reply(Protocol.LEAVE);
        assertDone(last);
        reconnect();
        assertTold();
    }

    @Test
    void messagesBetweenJoinAndLeaveHaveTheirRoomJoined() {
        joined();
        CompletableFuture<Void> first = room().leave();
        world.settle();
        CompletableFuture<JoinResult> again = room().join();
        CompletableFuture<Void> sent = say("m");
        CompletableFuture<Void> last = room().leave();
        world.settle();
        assertDone(first);
        reply(Protocol.LEAVE);
        assertTold(Protocol.LEAVE, Protocol.JOIN, "m");
        assertFalse(last.isDone());
        reply(Protocol.JOIN);
        assertDone(again);
        assertTold(Protocol.LEAVE, Protocol.JOIN, "m");
        world.peer().ack(1, 0);
        assertTold(Protocol.LEAVE, Protocol.JOIN, "m", Protocol.LEAVE);
        assertDone(sent);
        reply(Protocol.LEAVE);
        assertDone(last);
    }

    // ---------------------------------------------------------------- many questions

    @Test
    void questionsFillHalfWindowAndNoMessagePassesOneThatIsNotAsked() {
        world.inflight = 4;
        world.answersJoins = false;
        world.acks = false;
        world.connected();
        List<CompletableFuture<?>> joined = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            joined.add(world.client().room("room" + i).join());
        }
        for (int i = 0; i < 4; i++) {
            CompletableFuture<Void> unused = world.client().room("room99").send(World.SAY, new Say("m" + i));
        }
        for (int answered = 0; answered < 100; answered++) {
            world.settle();
            List<Envelope> asked = world.peer().all(Protocol.JOIN);
            int underWay = asked.size() - answered;
            assertEquals(Math.min(2, 100 - answered), underWay, "after " + answered + " answers");
            List<String> says = asked.size() < 100
                    ? List.of()
                    : List.of("m0", "m1", "m2", "m3").subList(0, 4 - underWay);
            assertEquals(says, world.peer().says(), "after " + answered + " answers");
            assertEquals("room" + answered, asked.get(answered).room());
            world.peer().reply(asked.get(answered));
        }
        world.settle();
        joined.forEach(ClientRoomOrderTest::assertDone);
        assertEquals(List.of("m0", "m1", "m2", "m3"), world.peer().says());
    }

    @Test
    void windowOfOneStillAsks() {
        world.inflight = 1;
        world.connected();
        CompletableFuture<JoinResult> joined = room().join();
        CompletableFuture<Void> sent = say("m");
        world.settle();
        assertDone(joined);
        assertDone(sent);
    }

    @Test
    void questionsThatConnectionDoesNotTakeAreAskedOnceItIsDrained() {
        world.messageBytes = 1 << 20;
        world.connected();
        InMemoryNetwork.Link link = world.network.links().get(0);
        link.latency(Duration.ofSeconds(5));
        String filling = "x".repeat((1 << 20) - 100);
        for (int i = 0; i < 4; i++) {
            CompletableFuture<Void> unused = world.client().send(World.SAY, new Say(filling));
        }
        List<CompletableFuture<?>> joined = new ArrayList<>();
        for (int i = 0; i < 20; i++) { // longer than what is left of the connection's 4 MiB
            joined.add(world.client().room("r".repeat(200) + i).join());
        }
        CompletableFuture<Void> sent = world.client().room("r".repeat(200) + 0).send(World.SAY, new Say("m"));
        world.settle();
        long room = (4 << 20) - link.outboundBytes(InMemoryNetwork.Direction.TO_SERVER);
        assertTrue(room < 2_000, room + " bytes are free");
        link.latency(Duration.ofMillis(1));
        world.advance(6_000);
        assertEquals(1, world.peers.size());
        assertEquals(20, world.peer().all(Protocol.JOIN).size());
        joined.forEach(ClientRoomOrderTest::assertDone);
        assertDone(sent);
        List<Envelope> frames = world.peer().frames;
        int first = frames.indexOf(world.peer().all(Protocol.JOIN).get(0));
        assertEquals("m", frames.get(first + 20).<Say>data(Say.class).text(), "behind all that waited to be asked");
    }

    @Test
    void messagesDoNotOvertakeRejoinHoweverManyAreUnsettled() {
        world.inflight = 16;
        world.acks = false;
        List<CompletableFuture<?>> joined = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            joined.add(world.client().room("r" + i).join());
        }
        world.connected();
        for (int i = 1; i <= 8; i++) {
            CompletableFuture<Void> unused = world.client().send(World.SAY, new Say("old"));
        }
        world.settle();
        joined.forEach(ClientRoomOrderTest::assertDone);
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> unused = world.client().room("r2").send(World.SAY, new Say("new"));
        world.inflight = 4;
        world.seq = 8; // all that was sent is processed, and the answers are on their way
        world.answers = 3;
        world.rooms = "{'@session':{'epoch':'s2','offset':0,'recovered':false}}";
        world.messageBytes = 1_024;
        world.answersJoins = false;
        String longName = "x".repeat(250);
        for (int i = 0; i < 8; i++) {
            joined.add(world.client().room(longName + i).join());
        }
        world.advance(1_000);
        assertTold(Protocol.REJOIN);
    }

    @Test
    void messagesWaitWhileARejoinIsRefusedForNow() {
        joined();
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> sent = say("m");
        world.advance(1_000);
        assertTold(Protocol.JOIN);
        refuse(world.peer().frames.get(1), "overloaded", true);
        assertTold(Protocol.JOIN);
        world.advance(1_000);
        assertTold(Protocol.JOIN, Protocol.JOIN);
        reply(Protocol.JOIN);
        assertTold(Protocol.JOIN, Protocol.JOIN, "m");
        assertFalse(sent.isDone());
    }

    @Test
    void messagesLeaveWhenARoomIsRefusedAgainAndAgain() {
        joined();
        world.network.cutAll();
        world.settle();
        world.inflight = 1;
        CompletableFuture<Void> unused = say("m");
        world.advance(1_000);
        for (int i = 0; i < 10; i++) {
            assertEquals(List.of(), world.peer().says());
            List<Envelope> asked = world.peer().all(Protocol.JOIN);
            assertEquals(i + 1, asked.size());
            refuse(asked.get(i), "overloaded", true);
            world.advance(1_000);
        }
        refuse(world.peer().all(Protocol.JOIN).get(10), "overloaded", true);
        assertEquals(List.of("m"), world.peer().says(), "one room must not stop all others for ever");
    }

    // ---------------------------------------------------------------- what is handed over

    @Test
    void lostJoinReplyIsRequestedAgainBeforeDelivery() {
        listen();
        world.answersJoins = false;
        world.connected();
        CompletableFuture<JoinResult> joined = room().join(20);
        world.settle();
        world.resumed = true;
        world.rooms = "{'r':{'epoch':'e1','offset':5,'recovered':false}}";
        world.onHello = peer -> {
            peer.welcome();
            peer.said("r", 6, "live");
        };
        reconnect();
        assertEquals(List.of(), world.heard);
        assertFalse(joined.isDone());
        List<Envelope> questions = world.peer().all(Protocol.JOIN);
        assertEquals(1, questions.size());
        assertEquals(new Protocol.Join(null, 20), questions.get(0).data(Protocol.Join.class));

        world.joinReply = "{'epoch':'e1','offset':4,'recovered':false,'members':1}";
        reply(Protocol.JOIN);
        world.peer().said("r", 5, "history");
        world.peer().said("r", 6, "live");
        world.settle();
        assertEquals(List.of("history", "live"), world.heard);
        assertEquals(new Position("e1", 4), joined.join().position());
        assertEquals(List.of(), world.gaps);
    }

    @Test
    void whatIsInLogOfRoomThatWasNeverJoinedIsNotHandedOver() {
        listen();
        world.connected();
        world.peer().said("r", 1, "one");
        world.peer().send("{'type':'chat.said','room':'r','ts':1,'data':{'text':'ephemeral'}}");
        world.settle();
        assertEquals(List.of("ephemeral"), world.heard, "which has no place in a log");
        assertEquals(List.of(), world.errors);
    }

    @Test
    void whatIsInTheLogOfARoomThatWasLeftIsNotHandedOver() {
        listen();
        joined();
        CompletableFuture<Void> left = room().leave();
        world.peer().said("r", 1, "before");
        world.settle();
        reply(Protocol.LEAVE);
        assertDone(left);
        world.peer().said("r", 2, "behind");
        world.settle();
        assertEquals(List.of("before"), world.heard);
    }
}
