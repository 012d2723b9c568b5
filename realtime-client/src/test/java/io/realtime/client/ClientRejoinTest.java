package io.realtime.client;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Callers that wait for one join, and a client that comes back with many rooms. */
class ClientRejoinTest {
    private static final String LONGEST = "\"".repeat(252);

    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private ClientRoom room() {
        return world.client().room("r");
    }

    private static ErrorCode failure(CompletableFuture<?> future) {
        try {
            future.get(0, TimeUnit.SECONDS);
            throw new AssertionError("it did not fail");
        } catch (ExecutionException failed) {
            return ((RealtimeException) requireNonNull(failed.getCause())).code();
        } catch (Exception other) {
            throw new AssertionError(other);
        }
    }

    private static void assertDone(CompletableFuture<?> future) {
        assertTrue(future.isDone() && !future.isCompletedExceptionally(), String.valueOf(future));
    }

    private void answerJoin() {
        world.peer().reply(world.peer().all(Protocol.JOIN).get(0));
        world.settle();
    }

    // ---------------------------------------------------------------- callers

    @Test
    void callerThatCancelsItsJoinLeavesOthersAlone() {
        world.answersJoins = false;
        world.connected();
        CompletableFuture<JoinResult> first = room().join();
        CompletableFuture<JoinResult> second = room().join();
        CompletableFuture<JoinResult> third = room().join();
        world.settle();
        first.cancel(false);
        second.completeExceptionally(new IllegalStateException("its own affair"));
        world.settle();
        assertFalse(third.isDone());
        answerJoin();
        assertDone(third);
    }

    @Test
    void callerThatCancelsItsLeaveLeavesOthersAlone() {
        world.connected();
        CompletableFuture<JoinResult> joined = room().join();
        world.settle();
        world.answersJoins = false;
        CompletableFuture<Void> first = room().leave();
        CompletableFuture<Void> second = room().leave();
        world.settle();
        first.cancel(false);
        world.settle();
        assertFalse(second.isDone());
        world.peer().reply(world.peer().all(Protocol.LEAVE).get(0));
        world.settle();
        assertDone(joined);
        assertDone(second);
    }

    @Test
    void joinWithoutAnAnswerFailsAfterTenSeconds() {
        world.answersJoins = false;
        world.connected();
        CompletableFuture<JoinResult> first = room().join();
        CompletableFuture<JoinResult> patient = room().join(0, Duration.ofSeconds(11));
        world.advance(9_999);
        assertFalse(first.isDone());
        world.advance(1);
        assertEquals(ErrorCode.TIMEOUT, failure(first));
        assertFalse(patient.isDone());
        answerJoin();
        assertDone(patient);
    }

    @Test
    void joinWhileOfflineFailsInTimeAndIsDoneLater() {
        CompletableFuture<JoinResult> joined = room().join();
        world.advance(10_000);
        assertEquals(ErrorCode.TIMEOUT, failure(joined));
        world.connected();
        assertEquals(1, world.peer().all(Protocol.JOIN).size());
        world.peer().said("r", 1, "m");
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.settle();
        assertEquals(List.of("m"), world.heard);
    }

    @Test
    void unobservedJoinRefusalIsReported() {
        world.answersJoins = false;
        world.connected();
        CompletableFuture<JoinResult> joined = room().join();
        world.advance(10_000);
        assertEquals(ErrorCode.TIMEOUT, failure(joined));
        world.peer()
                .send("{'type':'$error','ref':'"
                        + world.peer().all(Protocol.JOIN).get(0).ref()
                        + "','data':{'code':'forbidden','message':'no','retryable':false}}");
        world.settle();
        assertEquals(1, world.errors.size());
    }

    @Test
    void cancelledJoinOfTheOnlyCallerStillJoins() {
        CompletableFuture<JoinResult> joined = room().join();
        joined.cancel(false);
        world.connected();
        assertEquals(1, world.peer().all(Protocol.JOIN).size());
    }

    @Test
    void callersOfOneRoomAreBounded() {
        List<CompletableFuture<JoinResult>> joined =
                IntStream.range(0, 1_001).mapToObj(i -> room().join()).toList();
        world.settle();
        assertEquals(ErrorCode.OVERLOADED, failure(joined.get(1_000)));
        assertFalse(joined.get(999).isDone());
        world.connected();
        assertDone(joined.get(999));
    }

    // ---------------------------------------------------------------- what the server does meanwhile

    @Test
    void joinedByTheServerBeforeTheAnswerIsNoGap() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.answersJoins = false;
        world.connected();
        CompletableFuture<JoinResult> joined = room().join();
        world.settle();
        world.peer().send("{'type':'$joined','room':'r','data':{'epoch':'e1','offset':2}}");
        world.peer().said("r", 3, "three");
        world.joinReply = "{'epoch':'e1','offset':4,'recovered':false,'members':1}";
        answerJoin();
        world.peer().said("r", 4, "four");
        world.settle();
        assertDone(joined);
        assertEquals(List.of(), world.gaps);
        assertEquals(List.of("three", "four"), world.heard);
    }

    @Test
    void leaveThatIsInProgressIsNotUndoneByTheServer() {
        world.connected();
        CompletableFuture<JoinResult> joined = room().join();
        world.settle();
        world.answersJoins = false;
        CompletableFuture<Void> left = room().leave();
        world.settle();
        world.peer().send("{'type':'$joined','room':'r','data':{'epoch':'e1','offset':2}}");
        world.settle();
        world.peer().reply(world.peer().all(Protocol.LEAVE).get(0));
        world.settle();
        assertDone(joined);
        assertDone(left);
        assertEquals(1, world.peer().all(Protocol.JOIN).size());
    }

    // ---------------------------------------------------------------- many rooms

    private void joinAll(List<String> names) {
        names.forEach(name -> {
            CompletableFuture<JoinResult> unused = world.client().room(name).join();
        });
        world.settle();
    }

    private Set<String> rejoined() {
        Set<String> all = new LinkedHashSet<>();
        for (Envelope question : world.peer().all(Protocol.REJOIN)) {
            for (String name : world.peer().rejoined(question).keySet()) {
                assertTrue(all.add(name), name + " was asked for twice");
            }
        }
        return all;
    }

    @Test
    void roomsOfLostSessionAreRejoinedInOneRequest() {
        List<String> names = IntStream.range(0, 100).mapToObj(i -> "room" + i).toList();
        world.connected();
        joinAll(names);
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(
                List.of(Protocol.HELLO, Protocol.REJOIN),
                world.peer().frames.stream().map(Envelope::type).toList());
        assertEquals(Set.copyOf(names), rejoined());
        Envelope question = world.peer().all(Protocol.REJOIN).get(0);
        assertEquals(
                new Protocol.Join(new Position("e1", 0), null),
                world.peer().rejoined(question).get("room7"));
        assertEquals(
                true,
                question.<Protocol.RejoinRequest>data(Protocol.RejoinRequest.class)
                        .last());
    }

    @Test
    void messagesWaitUntilAllRoomsAreJoinedAgain() {
        world.messageBytes = 4_000;
        List<String> names = IntStream.range(0, 100).mapToObj(i -> "room" + i).toList();
        world.connected();
        joinAll(names);
        world.network.cutAll();
        world.answersJoins = false;
        CompletableFuture<Void> sent = world.client().room("room99").send(World.SAY, new World.Say("m"));
        world.advance(1_000);
        int asked = 0;
        while (rejoined().size() < 100) {
            assertEquals(List.of(), world.peer().says());
            List<Envelope> questions = world.peer().all(Protocol.REJOIN);
            asked++;
            assertEquals(asked, questions.size(), "one at a time");
            assertNull(questions
                    .get(0)
                    .<Protocol.RejoinRequest>data(Protocol.RejoinRequest.class)
                    .last());
            world.peer().reply(questions.get(asked - 1));
            world.settle();
        }
        assertEquals(List.of(), world.peer().says());
        world.peer().reply(world.peer().all(Protocol.REJOIN).get(asked));
        world.settle();
        assertEquals(List.of("m"), world.peer().says());
        assertDone(sent);
    }

    /** The client comes back, and has sent a message to its rooms, of which it has no answer. */
    private CompletableFuture<Void> sendWhileAway(int rooms) {
        List<String> names = IntStream.range(0, rooms).mapToObj(i -> "room" + i).toList();
        world.connected();
        joinAll(names);
        world.network.cutAll();
        world.answersJoins = false;
        CompletableFuture<Void> sent = world.client().room("room0").send(World.SAY, new World.Say("m"));
        world.advance(1_000);
        return sent;
    }

    private void refuseForNow(Envelope question) {
        world.peer()
                .send("{'type':'$error','ref':'" + question.ref()
                        + "','data':{'code':'overloaded','message':'later','retryable':true}}");
        world.settle();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void messageWaitsForTheAnswerToEachRejoin(int rooms) {
        CompletableFuture<Void> sent = sendWhileAway(rooms);
        String type = rooms == 1 ? Protocol.JOIN : Protocol.REJOIN;
        refuseForNow(world.peer().all(type).get(0));
        assertEquals(List.of(), world.peer().says());
        world.advance(1_000);
        int before = rooms == 1 ? 1 : 0;
        List<Envelope> again = world.peer().all(Protocol.JOIN);
        assertEquals(before + rooms, again.size());
        assertEquals(List.of(), world.peer().says());
        again.subList(before, again.size()).forEach(this::refuseForNow);
        world.advance(1_000);
        List<Envelope> third = world.peer().all(Protocol.JOIN);
        assertEquals(before + 2 * rooms, third.size());
        assertEquals(List.of(), world.peer().says());
        third.subList(before + rooms, third.size()).forEach(world.peer()::reply);
        world.settle();
        assertEquals(List.of("m"), world.peer().says());
        assertDone(sent);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'$joined','room':'room0','data':{'epoch':'e1','offset':0}}",
                "{'type':'$left','room':'room0'}",
            })
    void messageLeavesWhenTheServerSettlesARefusedRoom(String frame) {
        CompletableFuture<Void> sent = sendWhileAway(1);
        refuseForNow(world.peer().all(Protocol.JOIN).get(0));
        assertEquals(List.of(), world.peer().says());
        world.peer().send(frame);
        world.settle();
        assertEquals(List.of("m"), world.peer().says());
        assertDone(sent);
    }

    @Test
    void messageIsSentAfterAMalformedRejoinReply() {
        CompletableFuture<Void> sent = sendWhileAway(1);
        world.joinReply = "{'offset':-7}";
        world.peer().reply(world.peer().all(Protocol.JOIN).get(0));
        world.advance(1_000);
        assertEquals(List.of("m"), world.peer().says());
        assertDone(sent);
    }

    @ParameterizedTest
    @ValueSource(ints = {1_000, 1_500, 20_000, 65_536, 1 << 20})
    void longestNamesFitInWhatTheServerTakes(int messageBytes) {
        world.messageBytes = messageBytes;
        List<String> names =
                IntStream.range(1_000, 2_000).mapToObj(i -> LONGEST + i).toList();
        world.connected();
        joinAll(names);
        for (int i = 0; i < 20; i++) { // for what waits for the window
            world.settle();
        }
        world.network.cutAll();
        world.resumed = true;
        world.partial = true;
        world.answersJoins = false; // the scripted server writes no quotes in names
        world.advance(1_000);
        Envelope hello = world.peer().frames.get(0);
        assertTrue(hello.length() <= Math.min(messageBytes, Protocol.MOST_HELLO_BYTES), hello.length() + " bytes");
        assertEquals(true, world.peer().hello().partial());
        Envelope question = world.peer().all(Protocol.REJOIN).get(0);
        assertTrue(question.length() <= messageBytes, question.length() + " bytes");
        int answer = world.peer().rejoined(question).keySet().stream()
                .mapToInt(name -> 2 * name.length() + 200)
                .sum();
        assertTrue(answer <= Math.max(1_000, messageBytes), "an answer of about " + answer + " bytes");
    }

    @Test
    void partialWelcomeIsFollowedByRejoinThoughNothingIsMissing() {
        world.connected();
        world.network.cutAll();
        world.resumed = true;
        world.partial = true;
        world.advance(1_000);
        assertEquals(1, world.peer().all(Protocol.REJOIN).size());
        assertEquals(Set.of(), rejoined());
    }

    @Test
    void roomThatIsRefusedAmongOthersIsForgotten() {
        world.connected();
        joinAll(List.of("a", "b"));
        world.network.cutAll();
        world.answersJoins = false;
        world.advance(1_000);
        String ref = world.peer().all(Protocol.REJOIN).get(0).ref();
        world.peer()
                .send("{'type':'$reply','ref':'" + ref + "','data':{'rooms':{'a':{'error':{'code':"
                        + "'forbidden','message':'no','retryable':false}},'b':" + world.joinReply + "}}}");
        world.settle();
        assertEquals(1, world.errors.size());
        world.network.cutAll();
        world.advance(2_000);
        assertEquals(
                Set.of("b"), requireNonNull(world.peer().hello().positions()).keySet());
    }

    @Test
    void roomLeftBeforeItWasAskedForIsNotJoined() {
        world.messageBytes = 2_000;
        List<String> names = IntStream.range(0, 20).mapToObj(i -> "room" + i).toList();
        world.connected();
        joinAll(names);
        world.network.cutAll();
        world.answersJoins = false;
        world.advance(1_000);
        assertFalse(rejoined().contains("room19"));
        CompletableFuture<Void> left = world.client().room("room19").leave();
        world.settle();
        world.answersJoins = true;
        new ArrayList<>(world.peer().all(Protocol.LEAVE)).forEach(world.peer()::reply);
        world.peer().reply(world.peer().all(Protocol.REJOIN).get(0));
        world.settle();
        assertDone(left);
        assertFalse(rejoined().contains("room19"));
        assertEquals(19, rejoined().size());
    }

    @Test
    void helloThatIsTooBigForAServerNamesNoRooms() {
        List<String> names = IntStream.range(0, 100).mapToObj(i -> "room" + i).toList();
        world.connected();
        joinAll(names);
        world.onHello = peer -> peer.close(CloseReason.TOO_BIG);
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(100, requireNonNull(world.peers.get(1).hello().positions()).size());
        world.onHello = World.Peer::welcome;
        world.advance(5_000);
        assertEquals(0, requireNonNull(world.peer().hello().positions()).size());
        assertEquals(Set.copyOf(names), rejoined());
    }
}
