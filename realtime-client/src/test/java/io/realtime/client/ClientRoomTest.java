package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.client.ConnectionState.Status;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ClientRoomTest {
    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private void listen() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
    }

    private Protocol.Join lastJoin() {
        List<Envelope> joins = world.peer().all(Protocol.JOIN);
        return joins.get(joins.size() - 1).data(Protocol.Join.class);
    }

    private void error(String ref, String code, boolean retryable) {
        world.peer()
                .send("{'type':'$error','ref':'" + ref + "','data':{'code':'" + code + "','message':'no','retryable':"
                        + retryable + "}}");
        world.settle();
    }

    private static void assertFailed(ErrorCode code, CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        assertEquals(code, ((RealtimeException) Objects.requireNonNull(failure)).code());
    }

    @Test
    void joinCompletesWithTheAnswer() {
        world.connected();
        CompletableFuture<JoinResult> joined = world.client().room("r").join(20);
        world.settle();
        assertEquals(new JoinResult(new Position("e1", 0), true, null, 3), joined.join());
        assertEquals(20, lastJoin().history());
        assertNull(lastJoin().since());
        assertEquals("r", world.peer().all(Protocol.JOIN).get(0).room());
    }

    @Test
    void noMessageOvertakesAJoinOrIsOvertakenByALeave() {
        world.connected();
        world.peer().frames.clear();
        List<CompletableFuture<?>> asked = List.of(
                world.client().send(World.SAY, new World.Say("before")),
                world.client().room("r").join(),
                world.client().room("r").send(World.SAY, new World.Say("inside")),
                world.client().room("r").leave(),
                world.client().send(World.SAY, new World.Say("after")));
        world.settle();
        assertTrue(asked.get(1).isDone() && !asked.get(1).isCompletedExceptionally(), "the join was not answered");
        List<String> order = world.peer().frames.stream().map(Envelope::type).toList();
        assertEquals(List.of("chat.say", Protocol.JOIN, "chat.say", "chat.say", Protocol.LEAVE), order);
    }

    @Test
    void messagesSentAsSoonAsConnectionOpensLeaveAfterJoin() {
        CompletableFuture<?> talk = world.client().connect().thenRun(() -> {
            CompletableFuture<?> joined = world.client().room("r").join();
            CompletableFuture<?> sent = world.client().room("r").send(World.SAY, new World.Say("first"));
            assertFalse(joined.isDone() || sent.isDone());
        });
        world.settle();
        assertTrue(talk.isDone() && !talk.isCompletedExceptionally(), String.valueOf(talk));
        List<String> order = world.peer().frames.stream().map(Envelope::type).toList();
        assertEquals(List.of(Protocol.HELLO, Protocol.JOIN, "chat.say"), order);
    }

    @Test
    void joinWhileOfflineIsDoneAtTheNextConnect() {
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        world.settle();
        assertFalse(joined.isDone());
        world.connected();
        assertTrue(joined.isDone());
    }

    @Test
    void lostSessionIsRejoinedFromItsPosition() {
        listen();
        world.connected();
        var unused = world.client().room("r").join(5);
        world.settle();
        world.peer().said("r", 7, "seven");
        world.settle();
        world.network.cutAll();
        world.joinReply = "{'epoch':'e1','offset':7,'recovered':true,'members':1}";
        world.advance(1_000);

        assertEquals(new Position("e1", 7), lastJoin().since());
        assertNull(lastJoin().history());
        assertEquals(Map.of("r", new Position("e1", 7)), world.peer().hello().positions());
        world.peer().said("r", 7, "seven again");
        world.peer().said("r", 8, "eight");
        world.settle();
        assertEquals(List.of("seven", "eight"), world.heard);
        assertEquals(List.of(), world.gaps);
    }

    @Test
    void resumedSessionIsNotRejoined() {
        listen();
        world.connected();
        var unused = world.client().room("r").join();
        world.settle();
        world.resumed = true;
        world.rooms = "{'r':{'epoch':'e1','offset':0,'recovered':true}}";
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
        world.peer().said("r", 1, "on");
        world.settle();
        assertEquals(List.of("on"), world.heard);
    }

    @Test
    void whatWasMissedForGoodIsAGapAndThePositionIsReset() {
        listen();
        world.connected();
        var unused = world.client().room("r").join();
        world.settle();
        world.peer().said("r", 90, "ninety");
        world.settle();
        world.joinReply = "{'epoch':'e2','offset':4,'recovered':false,'reason':'epoch','members':1}";
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(List.of(new Gap("r", new Position("e2", 4), "epoch")), world.gaps);
        world.peer().said("r", 5, "five");
        world.settle();
        assertEquals(List.of("ninety", "five"), world.heard);
    }

    @Test
    void gapWhileLiveResetsThePosition() {
        listen();
        world.connected();
        var unused = world.client().room("r").join();
        world.settle();
        world.peer().said("r", 9, "nine");
        world.peer().send("{'type':'$gap','room':'r','data':{'epoch':'e9','offset':0,'reason':'epoch'}}");
        world.peer().said("r", 1, "one");
        world.settle();
        assertEquals(List.of("nine", "one"), world.heard);
        assertEquals(List.of(new Gap("r", new Position("e9", 0), "epoch")), world.gaps);
    }

    @Test
    void inboxesHavePositionsToo() {
        listen();
        world.rooms = "{'@user':{'epoch':'u','offset':3},'@all':{'epoch':'a','offset':0}}";
        world.connected();
        world.peer().said("@user", 3, "seen");
        world.peer().said("@user", 4, "new");
        world.settle();
        assertEquals(List.of("new"), world.heard);
        assertEquals(List.of(), world.gaps);
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
    }

    @Test
    void newSessionAfterALostOneIsAGapOfItsInbox() {
        listen();
        world.rooms = "{'@session':{'epoch':'s1','offset':0}}";
        world.connected();
        world.peer().said("@session", 4, "four");
        world.settle();
        assertEquals(List.of(), world.gaps, "the very first welcome");
        world.rooms = "{'@session':{'epoch':'s2','offset':1}}";
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(List.of(new Gap("@session", new Position("s2", 1), "epoch")), world.gaps);
        world.peer().said("@session", 2, "two");
        world.settle();
        assertEquals(List.of("four", "two"), world.heard);
    }

    @Test
    void newSessionWhoseInboxTheServerCallsLostIsOneGap() {
        world.rooms = "{'@session':{'epoch':'s1','offset':0}}";
        world.connected();
        world.rooms = "{'@session':{'epoch':'s2','offset':0,'recovered':false,'reason':'limit'}}";
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(List.of(new Gap("@session", new Position("s2", 0), "limit")), world.gaps);
    }

    @Test
    void newSessionWithoutAPlaceInItsInboxIsReported() {
        world.rooms = "{'@session':{'epoch':'s1','offset':0}}";
        world.connected();
        world.rooms = "{}";
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(List.of(), world.gaps);
        assertEquals(
                "the server named no place in room '@session'",
                world.errors.get(0).getMessage());
    }

    @Test
    void resumedSessionHasNoGapInItsInbox() {
        world.rooms = "{'@session':{'epoch':'s1','offset':0}}";
        world.connected();
        world.resumed = true;
        world.rooms = "{'@session':{'epoch':'s1','offset':0,'recovered':true}}";
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(List.of(), world.gaps);
    }

    @Test
    void roomThatIsUnauthorizedAfterResumeIsGapAtLastPlaceAndIsLeft() {
        world.connected();
        var unused = world.client().room("r").join();
        var hook = world.client().room("r").onReload(gap -> {
            throw new AssertionError("there is nothing to load");
        });
        world.settle();
        world.peer().said("r", 6, "six");
        world.settle();
        world.resumed = true;
        world.rooms = "{'r':{'epoch':'','offset':0,'recovered':false,'reason':'unauthorized'}}";
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(List.of(new Gap("r", new Position("e1", 6), "unauthorized")), world.gaps);
        assertEquals(1, world.errors.size());
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
        hook.close();
    }

    @Test
    void joinNamesThePlaceWhereDeliveryBegins() {
        world.joinReply = "{'epoch':'e1','offset':40,'recovered':false,'members':1}";
        world.connected();
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        world.settle();
        world.peer().said("r", 44, "m");
        world.settle();
        assertEquals(new Position("e1", 40), joined.join().position());
        world.joinReply = "{'epoch':'e1','offset':44,'recovered':true,'members':1}";
        CompletableFuture<JoinResult> again = world.client().room("r").join();
        world.settle();
        assertEquals(new Position("e1", 44), again.join().position());
    }

    @Test
    void usersInboxIsAcknowledgedOnceASecond() {
        world.client().on(World.SAID, said -> {});
        world.rooms = "{'@user':{'epoch':'u','offset':0}}";
        world.connected();
        for (int i = 1; i <= 5; i++) {
            world.peer().said("@user", i, "m");
        }
        world.settle();
        assertEquals(0, world.peer().all(Protocol.ACK).size());
        world.advance(1_000);
        List<Envelope> acks = world.peer().all(Protocol.ACK);
        assertEquals(1, acks.size());
        assertEquals(
                5, acks.get(0).<Protocol.InboxAck>data(Protocol.InboxAck.class).offset());

        for (int i = 6; i <= 37; i++) {
            world.peer().said("@user", i, "m");
        }
        world.settle();
        assertEquals(2, world.peer().all(Protocol.ACK).size());
    }

    /** It comes no second time, whatever is acknowledged. */
    @Test
    void ephemeralMessageThatNobodyHandlesHoldsNoAcknowledgementBack() {
        world.client().on(World.SAID, said -> {});
        world.rooms = "{'@user':{'epoch':'u','offset':0}}";
        world.connected();
        world.peer().send("{'type':'chat.other','room':'@user','ts':1,'data':1}");
        world.peer().said("@user", 1, "m");
        world.advance(1_100);
        List<Envelope> acks = world.peer().all(Protocol.ACK);
        assertEquals(1, acks.size());
        assertEquals(
                1, acks.get(0).<Protocol.InboxAck>data(Protocol.InboxAck.class).offset());
    }

    @Test
    void whatWasHandledOfInboxThatBeganAnewIsNotAcknowledged() {
        world.client().on(World.SAID, said -> {});
        world.rooms = "{'@user':{'epoch':'u','offset':0}}";
        world.connected();
        world.peer().said("@user", 900, "m");
        world.settle();
        world.rooms = "{'@user':{'epoch':'v','offset':0,'recovered':false,'reason':'epoch'}}";
        world.network.cutAll();
        world.advance(5_000);
        assertEquals(2, world.peers.size());
        assertEquals(0, world.peer().all(Protocol.ACK).size());
        assertEquals(List.of(new Gap("@user", new Position("v", 0), "epoch")), world.gaps);
    }

    @Test
    void helloSaysHowLongAMessageTheClientTakes() {
        world.use(world.builder().messageBytes(100_000));
        world.connected();
        assertEquals(100_000, world.peer().hello().messageBytes());
    }

    @Test
    void messageThatIsTooLongIsSkippedOnceAndTold() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.placeIn("r");
        world.connected();
        world.peer().said("r", 1, "a");
        world.peer().send("{'type':'$gap','room':'r','data':" + "{'epoch':'e1','offset':2,'reason':'too_big'}}");
        world.peer().said("r", 3, "c");
        world.settle();
        assertEquals(List.of("a", "c"), world.heard);
        assertEquals(List.of(new Gap("r", new Position("e1", 2), "too_big")), world.gaps);
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(
                new Position("e1", 3),
                Objects.requireNonNull(world.peer().hello().positions()).get("r"));
    }

    @Test
    void repeatedTooLongMessagesCloseTheClient() {
        world.use(world.builder().messageBytes(1_024));
        world.acks = false;
        world.onHello = peer -> {
            peer.welcome();
            peer.said("r", 1, "x".repeat(2_000));
        };
        world.placeIn("r");
        var unused = world.client().connect();
        var sent = world.client().send(World.SAY, new World.Say("small"));
        world.advance(60_000);
        assertEquals(Status.CLOSED, world.client().state().status());
        assertEquals(3, world.peers.size());
        assertEquals(3, world.errors.size());
        assertTrue(
                String.valueOf(world.lastState().reason()).contains("messageBytes, 1024"),
                String.valueOf(world.lastState().reason()));
        assertEquals(List.of(), world.dropped); // it was not the client's message
        assertTrue(!sent.isDone());
    }

    @Test
    void forbiddenRoomIsForgotten() {
        world.answersJoins = false;
        world.connected();
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        world.settle();
        error(Objects.requireNonNull(world.peer().all(Protocol.JOIN).get(0).ref()), "forbidden", false);
        assertFailed(ErrorCode.FORBIDDEN, joined);
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
    }

    @Test
    void rejoinThatIsRefusedForNowIsTriedAgain() {
        world.connected();
        var unused = world.client().room("r").join();
        world.settle();
        world.answersJoins = false;
        world.network.cutAll();
        world.advance(600);
        error(Objects.requireNonNull(world.peer().all(Protocol.JOIN).get(0).ref()), "overloaded", true);
        world.answersJoins = true;
        world.advance(1_100);
        assertEquals(2, world.peer().all(Protocol.JOIN).size());
        assertEquals(1, world.errors.size());
    }

    @Test
    void messagesThatWaitForRoomLeaveWhenServerTakesItAway() {
        world.placeIn("a");
        world.connected();
        world.rooms = "{}";
        world.answersJoins = false;
        world.network.cutAll();
        world.advance(600);
        CompletableFuture<Void> sent = world.client().send(World.SAY, new World.Say("m"));
        world.settle();
        assertEquals(List.of(), world.peer().says());
        error(Objects.requireNonNull(world.peer().all(Protocol.JOIN).get(0).ref()), "overloaded", true);
        world.peer().send("{'type':'$left','room':'a','data':null}");
        world.settle();
        assertEquals(List.of("m"), world.peer().says());
        assertTrue(sent.isDone());
    }

    @Test
    void refusedRejoinIsRetriedAfterASecond() {
        world.placeIn("a", "b");
        world.connected();
        world.rooms = "{}";
        world.answersJoins = false;
        world.network.cutAll();
        world.advance(600);
        Envelope both = world.peer().all(Protocol.REJOIN).get(0);
        String refused = "{'code':'overloaded','message':'m','retryable':true}";
        world.peer()
                .send("{'type':'$reply','ref':'" + both.ref() + "','data':{'rooms':{'a':{'error':" + refused
                        + "},'b':{'error':" + refused + "}}}}");
        world.advance(1_100);
        List<Envelope> joins = world.peer().all(Protocol.JOIN);
        assertEquals(2, joins.size());
        error(Objects.requireNonNull(joins.get(0).ref()), "overloaded", true);
        world.advance(600);
        error(Objects.requireNonNull(joins.get(1).ref()), "overloaded", true);
        world.advance(900);
        assertEquals(2, world.peer().all(Protocol.JOIN).size(), "the second was refused 0.9 s ago");
        world.advance(200);
        assertEquals(4, world.peer().all(Protocol.JOIN).size());
    }

    @Test
    void joinInProgressWhenTheConnectionBreaksIsAskedAgain() {
        world.answersJoins = false;
        world.connected();
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        world.settle();
        world.network.cutAll();
        world.answersJoins = true;
        world.advance(1_000);
        assertTrue(joined.isDone() && !joined.isCompletedExceptionally());
    }

    @Test
    void leaveIsAnsweredAndForgetsThePosition() {
        world.connected();
        ClientRoom room = world.client().room("r");
        var unused = room.join();
        world.settle();
        CompletableFuture<Void> left = room.leave();
        world.settle();
        assertTrue(left.isDone() && !left.isCompletedExceptionally());
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(Map.of(), world.peer().hello().positions());
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
    }

    @Test
    void leaveWhileOfflineIsToldToAResumedSession() {
        world.connected();
        ClientRoom room = world.client().room("r");
        var unused = room.join();
        world.settle();
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> left = room.leave();
        world.resumed = true;
        world.rooms = "{'r':{'epoch':'e1','offset':0,'recovered':true}}";
        world.advance(1_000);
        assertEquals(1, world.peer().all(Protocol.LEAVE).size());
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
        assertTrue(left.isDone() && !left.isCompletedExceptionally());
    }

    @Test
    void joinAfterLeaveWhileTheLeaveIsInProgressJoinsAgain() {
        world.connected();
        ClientRoom room = world.client().room("r");
        var first = room.join();
        world.settle();
        CompletableFuture<Void> left = room.leave();
        CompletableFuture<JoinResult> again = room.join();
        world.settle();
        assertTrue(first.isDone() && left.isDone() && again.isDone());
        assertEquals(2, world.peer().all(Protocol.JOIN).size());
        assertNull(lastJoin().since());
    }

    @Test
    void roomThatTheServerNamesWhileItIsLeftIsNotHeard() {
        listen();
        world.connected();
        ClientRoom room = world.client().room("r");
        var first = room.join();
        world.settle();
        world.answersJoins = false;
        var left = room.leave();
        var again = room.join();
        world.settle();
        world.peer().send("{'type':'$joined','room':'r','data':{'epoch':'e1','offset':2}}");
        world.peer().said("r", 3, "before it was joined again");
        world.settle();
        assertEquals(List.of(), world.heard);
        assertEquals(List.of(), world.gaps);

        world.joinReply = "{'epoch':'e1','offset':3,'recovered':false,'members':1}";
        world.answersJoins = true;
        world.peer().reply(world.peer().all(Protocol.LEAVE).get(0));
        world.settle();
        world.peer().said("r", 4, "behind");
        world.settle();
        assertTrue(first.isDone() && left.isDone() && again.isDone());
        assertEquals(List.of("behind"), world.heard);
        assertEquals(List.of(), world.gaps);
    }

    @Test
    void sessionTheServerPutsInARoomStaysThere() {
        listen();
        world.connected();
        world.peer().send("{'type':'$joined','room':'r','data':{'epoch':'e','offset':2}}");
        world.peer().said("r", 2, "old");
        world.peer().said("r", 3, "new");
        world.settle();
        assertEquals(List.of("new"), world.heard);
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(new Position("e", 3), lastJoin().since());
        world.peer().send("{'type':'$left','room':'r','data':{'epoch':'e','offset':3}}");
        world.settle();
        world.network.cutAll();
        world.advance(5_000);
        assertEquals(3, world.peers.size());
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
    }

    @Test
    void disconnectFailsAJoinThatWaits() {
        world.answersJoins = false;
        world.connected();
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        world.settle();
        world.client().disconnect();
        world.settle();
        assertFailed(ErrorCode.CLOSED, joined);
    }

    @Test
    void handlersOfARoomHearThatRoomOnly() {
        world.client()
                .room("r")
                .on(World.SAID, said -> world.heard.add("r:" + said.data().text()));
        listen();
        world.placeIn("r", "s");
        world.connected();
        world.peer().said("r", 1, "a");
        world.peer().said("s", 1, "b");
        world.settle();
        assertEquals(List.of("a", "r:a", "b"), world.heard);
    }
}
