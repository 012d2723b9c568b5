package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.spi.Scheduler;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClientSendTest {
    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private CompletableFuture<Void> say(String text) {
        return world.client().send(World.SAY, new Say(text));
    }

    private static void assertDone(CompletableFuture<Void> sent) {
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally(), String.valueOf(sent));
    }

    private static void assertFailed(ErrorCode code, CompletableFuture<?> sent) {
        assertTrue(sent.isDone(), String.valueOf(sent));
        Throwable failure = assertThrows(ExecutionException.class, sent::get).getCause();
        assertEquals(code, ((RealtimeException) Objects.requireNonNull(failure)).code());
    }

    @Test
    void sendCompletesWhenAcknowledged() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        CompletableFuture<Void> third = say("three");
        world.settle();
        assertEquals(List.of("one", "two", "three"), world.peer().says());
        assertFalse(first.isDone());
        world.peer().send("{\"type\":\"$ack\",\"data\":{\"seq\":2}}");
        world.settle();
        assertDone(first);
        assertDone(second);
        assertFalse(third.isDone());
    }

    @Test
    void whatIsSentOfflineLeavesInOrderAtTheConnect() {
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = world.client().room("r").send(World.SAY, new Say("two"));
        world.connected();
        assertEquals(List.of("one", "two"), world.peer().says());
        assertEquals("r", world.peer().all("chat.say").get(1).room());
        assertDone(first);
        assertDone(second);
    }

    @Test
    void whatWasNotAcknowledgedIsSentAgainInOrderAndMarked() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> first = say("one");
        CompletableFuture<Void> second = say("two");
        world.settle();
        world.network.cutAll();
        CompletableFuture<Void> third = say("three");
        world.acks = true;
        world.seq = 1; // the server has processed the first
        world.advance(1_000);

        assertEquals(List.of("two*", "three"), world.peer().says());
        assertDone(first);
        assertDone(second);
        assertDone(third);
        List<Long> numbers = new ArrayList<>();
        world.peer().all("chat.say").forEach(frame -> numbers.add(frame.seq()));
        assertEquals(List.of(2L, 3L), numbers);
    }

    @Test
    void noMoreThanInflightAreOnTheirWay() {
        world.acks = false;
        world.inflight = 2;
        world.connected();
        for (int i = 0; i < 5; i++) {
            var unused = say("m" + i);
        }
        world.settle();
        assertEquals(List.of("m0", "m1"), world.peer().says());
        world.peer().send("{\"type\":\"$ack\",\"data\":{\"seq\":1}}");
        world.settle();
        assertEquals(List.of("m0", "m1", "m2"), world.peer().says());
    }

    @Test
    void noMoreBytesThanTheServerSaysAreOnTheirWayButOneMessageMayBeLonger() {
        world.acks = false;
        world.inflightBytes = 1_000;
        world.connected();
        String half = "h".repeat(400);
        String long1 = "l".repeat(2_000);
        for (String text : List.of(half, half, "short", long1, "next")) {
            var unused = say(text);
        }
        world.settle();
        assertEquals(List.of(half, half), world.peer().says());
        world.peer().send("{\"type\":\"$ack\",\"data\":{\"seq\":1}}");
        world.settle();
        assertEquals(List.of(half, half, "short"), world.peer().says());
        world.peer().send("{\"type\":\"$ack\",\"data\":{\"seq\":2}}");
        world.settle();
        assertEquals(List.of(half, half, "short"), world.peer().says(), "the long one goes alone");
        world.peer().send("{\"type\":\"$ack\",\"data\":{\"seq\":3}}");
        world.settle();
        assertEquals(List.of(half, half, "short", long1), world.peer().says());
        world.peer().send("{\"type\":\"$ack\",\"data\":{\"seq\":4}}");
        world.settle();
        assertEquals(List.of(half, half, "short", long1, "next"), world.peer().says());
    }

    @Test
    void aFullOutboxRefusesTheNewByDefault() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(2).build()));
        var one = say("one");
        var two = say("two");
        CompletableFuture<Void> three = say("three");
        world.settle();
        assertFailed(ErrorCode.OVERLOADED, three);
        assertEquals(new Say("three"), world.dropped.get(0).data(World.SAY));
        world.connected();
        assertDone(one);
        assertDone(two);
    }

    @Test
    void aFullOutboxDropsTheOldestIfToldSo() {
        world.use(world.builder()
                .outbox(OutboxLimits.builder()
                        .messages(2)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build()));
        CompletableFuture<Void> one = say("one");
        var two = say("two");
        var three = say("three");
        world.settle();
        assertFailed(ErrorCode.OVERLOADED, one);
        world.connected();
        assertEquals(List.of("two", "three"), world.peer().says());
        assertDone(two);
        assertDone(three);
    }

    @Test
    void nothingIsDroppedForAMessageThatDoesNotFitEvenSo() {
        world.acks = false;
        world.inflight = 1;
        world.use(world.builder()
                .outbox(OutboxLimits.builder()
                        .bytes(4_000)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build()));
        world.connected();
        CompletableFuture<Void> underWay = say("x".repeat(2_000));
        world.settle();
        CompletableFuture<Void> small = say("small");
        CompletableFuture<Void> large = say("x".repeat(2_500));
        world.settle();
        assertFailed(ErrorCode.OVERLOADED, large);
        assertEquals(1, world.dropped.size(), () -> world.dropped.toString());
        world.acks = true;
        world.peer().ack(1, 0);
        world.settle();
        assertDone(underWay);
        assertDone(small);
    }

    @Test
    void theOutboxIsBoundedInBytesToo() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(1_000).build()));
        CompletableFuture<Void> kept = say("x".repeat(500));
        CompletableFuture<Void> refused = say("x".repeat(500));
        world.settle();
        assertFalse(kept.isDone());
        assertFailed(ErrorCode.OVERLOADED, refused);
    }

    @Test
    void cancelOfARefusedMessageIsTooLateAndMakesNoRoom() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(1_000).build()));
        CompletableFuture<Void> kept = say("x".repeat(500));
        CompletableFuture<Void> refused = say("x".repeat(500));
        assertFalse(refused.cancel(false));
        CompletableFuture<Void> next = say("x".repeat(500));
        world.settle();
        assertFalse(kept.isDone());
        assertFailed(ErrorCode.OVERLOADED, refused);
        assertFailed(ErrorCode.OVERLOADED, next);
    }

    @Test
    void whatWaitsTooLongIsDropped() {
        world.use(world.builder()
                .outbox(OutboxLimits.builder().maxAge(Duration.ofMinutes(1)).build()));
        CompletableFuture<Void> sent = say("old");
        world.advance(59_999);
        assertFalse(sent.isDone());
        world.advance(1);
        assertFailed(ErrorCode.CONNECTION_LOST, sent);
        world.connected();
        assertEquals(List.of(), world.peer().says());
    }

    @Test
    void ephemeralMessagesLeaveNowOrNever() {
        CompletableFuture<Void> offline = world.client().send(World.TYPING, new Say("a"));
        world.settle();
        assertFailed(ErrorCode.CONNECTION_LOST, offline);
        assertEquals(1, world.dropped.size());

        world.connected();
        CompletableFuture<Void> online = world.client().send(World.TYPING, new Say("b"));
        world.settle();
        assertDone(online);
        List<Envelope> received = world.peer().all("chat.typing");
        assertEquals(1, received.size());
        assertEquals(0, received.get(0).seq());
    }

    @Test
    void anErrorWithItsNumberFailsTheMessage() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = say("bad");
        world.settle();
        world.peer()
                .send("{\"type\":\"$error\",\"seq\":1,\"data\":{\"code\":\"no_handler\",\"message\":\"nobody"
                        + " listens\"}}");
        world.settle();
        assertFailed(ErrorCode.NO_HANDLER, sent);
        assertEquals(RemoteException.class, world.errors.get(0).getClass());
    }

    @Test
    void aMessageLongerThanTheServerTakesFailsHere() {
        world.messageBytes = 1_000;
        CompletableFuture<Void> before = say("x".repeat(2_000));
        world.connected();
        CompletableFuture<Void> after = say("x".repeat(2_000));
        CompletableFuture<Void> fits = say("x".repeat(500));
        world.settle();
        assertFailed(ErrorCode.TOO_BIG, before);
        assertFailed(ErrorCode.TOO_BIG, after);
        assertDone(fits);
    }

    /** The server would close with 1009, and another message be taken for the one that was too long. */
    @Test
    void anEphemeralMessageLongerThanTheServerTakesFailsHereToo() {
        world.messageBytes = 1_000;
        world.connected();
        CompletableFuture<Void> tooLong = world.client().send(World.TYPING, new Say("x".repeat(2_000)));
        CompletableFuture<Void> fits = world.client().send(World.TYPING, new Say("x".repeat(500)));
        world.settle();
        assertFailed(ErrorCode.TOO_BIG, tooLong);
        assertDone(fits);
        assertEquals(1, world.peer().all("chat.typing").size());
        assertEquals(1, world.dropped.size());
    }

    @Test
    void aMessageThatClosesWith1009FailsAndTheOthersGoOn() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> small = say("small");
        CompletableFuture<Void> big = say("x".repeat(5_000));
        world.settle();
        world.peer().close(CloseReason.TOO_BIG);
        world.acks = true;
        world.advance(1_000);
        assertFailed(ErrorCode.TOO_BIG, big);
        assertDone(small);
        assertEquals(List.of("small*"), world.peer().says());
    }

    @Test
    void aPayloadThatIsNoJsonFailsAtOnce() {
        CompletableFuture<Void> sent = world.client().send(Event.of("number", Double.class), Double.NaN);
        Throwable failure = assertThrows(ExecutionException.class, sent::get).getCause();
        assertEquals(PayloadException.class, failure == null ? null : failure.getClass());
    }

    @Test
    void aPayloadWithHalfASurrogatePairFailsAtOnce() {
        world.connected();
        CompletableFuture<Void> sent = say("cut \uD83D");
        assertFailed(ErrorCode.BAD_DATA, sent);
        world.settle();
        assertEquals(List.of(), world.peer().all("chat.say"));
    }

    @Test
    void closeFailsWhatWaits() {
        CompletableFuture<Void> sent = say("never");
        world.client().close();
        world.settle();
        assertFailed(ErrorCode.CLOSED, sent);
        assertEquals(1, world.dropped.size());
    }

    @Test
    void disconnectKeepsWhatWaits() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = say("kept");
        world.settle();
        world.client().disconnect(Duration.ZERO);
        world.settle();
        assertFalse(sent.isDone());
        world.acks = true;
        world.connected();
        assertDone(sent);
        assertEquals(List.of("kept*"), world.peer().says());
    }

    @Test
    void cancelledMessageThatHasNotLeftIsNeverSent() {
        CompletableFuture<Void> first = say("first");
        CompletableFuture<Void> second = say("second");
        CompletableFuture<Void> third = say("third");
        assertTrue(second.cancel(true));
        world.connected();
        assertEquals(List.of("first", "third"), world.peer().says());
        assertDone(first);
        assertTrue(second.isCancelled());
        assertDone(third);
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void cancelledMessageMakesRoomInTheOutbox() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(1).build()));
        CompletableFuture<Void> first = say("first");
        assertTrue(first.cancel(false));
        CompletableFuture<Void> second = say("second");
        world.connected();
        assertDone(second);
        assertEquals(List.of("second"), world.peer().says());
    }

    @Test
    void cancelledMessageThatHasLeftIsNotSentAgain() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> first = say("first");
        CompletableFuture<Void> second = say("second");
        world.settle();
        assertEquals(List.of("first", "second"), world.peer().says());
        assertTrue(first.cancel(true));
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(List.of("second*"), world.peer().says());
        world.peer().ack(2, 0);
        world.settle();
        assertDone(second);
    }

    @Test
    void cancelledMessageUnderWayCountsUntilItIsAcknowledged() {
        world.acks = false;
        world.inflight = 1;
        world.connected();
        CompletableFuture<Void> first = say("first");
        CompletableFuture<Void> second = say("second");
        world.settle();
        assertTrue(first.cancel(true));
        world.settle();
        assertEquals(List.of("first"), world.peer().says());
        world.peer().ack(1, 0);
        world.settle();
        assertEquals(List.of("first", "second"), world.peer().says());
        assertFalse(second.isDone());
    }

    @Test
    void cancelAfterTheMessageWasHandledChangesNothing() {
        world.connected();
        CompletableFuture<Void> sent = say("first");
        world.settle();
        assertFalse(sent.cancel(true));
        assertDone(sent);
    }

    @Test
    void cancelBehindAcknowledgementIsTooLate() {
        world.use(world.builder().callbackExecutor(callbacks::add));
        world.connected();
        CompletableFuture<Void> sent = say("first");
        world.settle(); // acknowledged, which its callback is to tell
        assertFalse(sent.cancel(true));
        runCallbacks();
        assertDone(sent);
    }

    @Test
    void cancelBehindCloseIsTooLate() {
        CompletableFuture<Void> sent = say("first");
        world.client().close();
        assertFalse(sent.cancel(true));
        world.settle();
        assertFailed(ErrorCode.CLOSED, sent);
    }

    private final ArrayDeque<Runnable> callbacks = new ArrayDeque<>();

    private void runCallbacks() {
        while (!callbacks.isEmpty()) {
            callbacks.remove().run();
        }
    }

    @Test
    void cancelledEphemeralMessageIsNotSent() {
        world.connected();
        assertTrue(world.client().send(World.TYPING, new Say("a")).cancel(true));
        world.settle();
        assertEquals(List.of(), world.peer().all("chat.typing"));
        assertEquals(List.of(), world.dropped);
    }

    private void welcomeAt(long serverMillis) {
        world.onHello = peer -> peer.welcome(serverMillis);
    }

    private static final long NOW = new ManualScheduler().currentTimeMillis();
    private static final long DAYS_3 = Duration.ofDays(3).toMillis();

    @Test
    void messageOlderThanMaxAgeAfterSleepIsDropped() {
        welcomeAt(NOW);
        world.connected();
        world.network.refuseConnections(true);
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> slept = say("slept");
        world.settle();
        world.time.jumpWallClock(Duration.ofDays(3)); // the monotonic clock stands still in a sleep
        CompletableFuture<Void> young = say("young");
        welcomeAt(NOW + DAYS_3);
        world.network.refuseConnections(false);
        world.advance(30_000);
        assertFailed(ErrorCode.CONNECTION_LOST, slept);
        assertDone(young);
        assertEquals(List.of("young"), world.peer().says());
    }

    @Test
    void wallClockThatJumpsAloneDropsNothing() {
        welcomeAt(NOW);
        world.connected();
        world.network.refuseConnections(true);
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> kept = say("kept");
        world.time.jumpWallClock(Duration.ofDays(3));
        world.network.refuseConnections(false);
        welcomeAt(NOW + 30_000);
        world.advance(30_000);
        assertDone(kept);
    }

    @Test
    void serverClockThatJumpsAloneDropsNothing() {
        welcomeAt(NOW);
        world.connected();
        world.network.refuseConnections(true);
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> kept = say("kept");
        world.network.refuseConnections(false);
        welcomeAt(NOW + DAYS_3);
        world.advance(30_000);
        assertDone(kept);
    }

    @Test
    void clockSetBeforeFirstWelcomeDropsNothing() {
        CompletableFuture<Void> kept = say("kept");
        world.time.jumpWallClock(Duration.ofDays(3)); // it was behind at boot, and is right now
        welcomeAt(NOW + DAYS_3);
        world.connected();
        assertDone(kept);
    }

    @Test
    void clockSetBackHidesNoLaterSleep() {
        welcomeAt(NOW);
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = say("sent");
        world.settle();
        world.time.jumpWallClock(Duration.ofDays(-3));
        reconnectAt(NOW + 30_000);
        assertFalse(sent.isDone());
        world.time.jumpWallClock(Duration.ofDays(3)); // slept
        reconnectAt(NOW + DAYS_3);
        assertFailed(ErrorCode.CONNECTION_LOST, sent);
    }

    private void reconnectAt(long serverMillis) {
        welcomeAt(serverMillis);
        world.network.cutAll();
        world.advance(30_000);
    }

    @Test
    void sleepCountsOnceAndAddsUp() {
        welcomeAt(NOW);
        world.acks = false;
        world.connected();
        CompletableFuture<Void> sent = say("sent");
        world.settle();
        for (int i = 1; i <= 3; i++) {
            world.network.cutAll();
            world.settle();
            world.time.jumpWallClock(Duration.ofHours(5));
            welcomeAt(NOW + i * Duration.ofHours(5).toMillis());
            world.advance(30_000);
            assertEquals(i < 3, !sent.isDone(), "after " + 5 * i + " h");
        }
        assertFailed(ErrorCode.CONNECTION_LOST, sent);
    }

    /** Refuses one of its tasks or all from then on; catches what a task of its own throws, as a timer's thread does. */
    private final class FailingScheduler implements Scheduler {
        int failsAfter = -1;
        boolean isShut;

        @Override
        public long nanoTime() {
            return world.time.nanoTime();
        }

        @Override
        public boolean await(CountDownLatch latch, Duration timeout) throws InterruptedException {
            return world.time.await(latch, timeout);
        }

        @Override
        public long currentTimeMillis() {
            return world.time.currentTimeMillis();
        }

        @Override
        public Cancellable schedule(Duration delay, Runnable task) {
            if (isShut || failsAfter-- == 0) {
                throw new RejectedExecutionException("no memory for a task");
            }
            return world.time.schedule(delay, () -> attempt(task));
        }

        void attempt(Runnable task) {
            try {
                task.run();
            } catch (RejectedExecutionException expected) {
                assertEquals("no memory for a task", expected.getMessage());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1}) // of the sender: the message, then the pump
    void messageAfterSchedulerFailedIsSent(int failsAfter) {
        FailingScheduler scheduler = new FailingScheduler();
        world.use(world.builder().scheduler(scheduler));
        world.connected();
        scheduler.failsAfter = failsAfter;
        scheduler.attempt(() -> {
            var unused = say("one");
        });
        world.settle();
        scheduler.failsAfter = -1;
        CompletableFuture<Void> sent = say("two");
        world.settle();
        assertDone(sent);
    }

    @Test
    void frameThatTheSchedulerDoesNotTakeComesAgain() {
        FailingScheduler scheduler = new FailingScheduler();
        world.use(world.builder().scheduler(scheduler));
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.placeIn("r");
        world.connected();
        world.peer().said("r", 1, "one");
        world.settle();
        scheduler.failsAfter = 0;
        world.peer().said("r", 2, "two");
        world.settle();
        world.peer().said("r", 3, "three");
        world.settle();
        assertEquals(List.of("one"), world.heard);
        world.advance(1_000);
        assertEquals(2, world.peers.size(), "it has come back, from where it stands");
        assertEquals(
                "{r=Position[epoch=e1, offset=1]}",
                String.valueOf(world.peer().hello().positions()));
    }

    @Test
    void closeAfterSchedulerWasShutFailsWhatWaits() {
        FailingScheduler scheduler = new FailingScheduler();
        world.use(world.builder().scheduler(scheduler));
        world.acks = false;
        world.answersJoins = false;
        world.connected();
        CompletableFuture<Void> sent = say("sent");
        CompletableFuture<JoinResult> joined = world.client().room("a").join();
        world.settle();
        scheduler.isShut = true;
        world.client().close();
        world.settle();
        assertFailed(ErrorCode.CLOSED, sent);
        assertFailed(ErrorCode.CLOSED, joined);
        assertEquals(ConnectionState.Status.CLOSED, world.client().state().status());
        assertEquals(
                CloseReason.NORMAL, Objects.requireNonNull(world.peer().closed).code());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7})
    void closeRunsEachStepThoughSchedulerFails(int failsAfter) {
        FailingScheduler scheduler = new FailingScheduler();
        world.use(world.builder().scheduler(scheduler));
        world.acks = false;
        world.answersJoins = false;
        world.connected();
        CompletableFuture<Void> sent = say("sent");
        CompletableFuture<JoinResult> joined = world.client().room("a").join();
        world.settle();
        scheduler.failsAfter = failsAfter;
        world.client().close();
        world.settle();
        assertFailed(ErrorCode.CLOSED, sent);
        assertFailed(ErrorCode.CLOSED, joined);
        assertEquals(ConnectionState.Status.CLOSED, world.client().state().status());
        assertEquals(
                CloseReason.NORMAL, Objects.requireNonNull(world.peer().closed).code());
        assertFailed(ErrorCode.CLOSED, world.client().connect());
    }

    @Test
    void disconnectAfterSchedulerFailedDisconnects() {
        FailingScheduler scheduler = new FailingScheduler();
        world.use(world.builder().scheduler(scheduler));
        world.connected();
        scheduler.failsAfter = 0;
        assertThrows(RejectedExecutionException.class, () -> world.client().disconnect(Duration.ZERO));
        world.client().disconnect(Duration.ZERO);
        world.settle();
        assertEquals(ConnectionState.Status.CLOSED, world.client().state().status());
    }

    @Test
    void ephemeralMessageAfterSchedulerFailedIsSent() {
        FailingScheduler scheduler = new FailingScheduler();
        world.use(world.builder().scheduler(scheduler));
        world.connected();
        for (int i = 0; i < 1_000; i++) {
            scheduler.failsAfter = 0;
            scheduler.attempt(() -> {
                var unused = world.client().send(World.TYPING, new Say("lost"));
            });
        }
        CompletableFuture<Void> sent = world.client().send(World.TYPING, new Say("sent"));
        world.settle();
        assertDone(sent);
    }
}
