package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.client.World.Say;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client does when its scheduler takes no tasks. */
class ClientSchedulerFailureTest extends ClientSendFixture {
    /** Refuses one of its tasks or all from then on; catches what a task of its own throws, as a timer's thread does. */
    private final class FailingScheduler implements Scheduler {
        int failsAfter = -1;
        boolean isShut;
        Runnable beforeFailure = () -> {};

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
                beforeFailure.run();
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
    @ValueSource(ints = {0, 2}) // of the sender: the first message, or the pump after both
    void messageAfterSchedulerFailedIsSent(int failsAfter) {
        FailingScheduler scheduler = new FailingScheduler();
        world.use(world.builder().scheduler(scheduler));
        world.connected();
        scheduler.failsAfter = failsAfter;
        scheduler.attempt(() -> {
            var unused = say("one");
            var unusedToo = say("another");
        });
        world.settle();
        scheduler.failsAfter = -1;
        CompletableFuture<Void> sent = say("two");
        world.settle();
        assertDone(sent);
    }

    @Test
    void messageBehindOneThatTheSchedulerRefusesIsSent() {
        FailingScheduler scheduler = new FailingScheduler();
        world.use(world.builder().scheduler(scheduler));
        world.connected();
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        scheduler.beforeFailure = () -> {
            sent.add(say("two"));
            world.settle();
        };
        scheduler.failsAfter = 0;
        scheduler.attempt(() -> sent.add(say("one")));
        assertEquals(1, sent.size());
        world.settle();
        assertDone(sent.get(0));
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
