package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import io.realtime.Position;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Limits;
import io.realtime.server.Retention;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.mockito.Mockito;

class RoomChannelTest {
    private static final int MANY = 1 << 20;

    private final ManualScheduler time = new ManualScheduler();
    private final List<LocalBroker> brokers = new ArrayList<>();

    private LocalBroker broker(Retention retention, long budget) {
        return broker(retention, budget, Runnable::run);
    }

    private LocalBroker broker(Retention retention, long budget, Executor executor) {
        Limits limits = Limits.builder()
                .logBytes(budget)
                .rooms(200_000)
                .roomsPerUser(1_000_000)
                .build();
        LocalBroker made = new LocalBroker(time, executor, new Random(1), room -> retention, limits);
        brokers.add(made);
        return made;
    }

    /** A lock that was kept would hold up another thread for ever. */
    @AfterEach
    void noLockIsKept() throws Exception {
        for (LocalBroker one : brokers) {
            long account = CompletableFuture.supplyAsync(one::countLogBytes).get(10, TimeUnit.SECONDS);
            assertEquals(account, one.logBytes());
        }
    }

    /**
     * The hand-over from replay to live, with publishers, joiners and leavers all at once: no gap, no repeat, in order, and
     * nothing after a leave.
     */
    @Test
    void everyMemberSeesEveryOffsetFromWhereItBeganOnceAndInOrder() throws Exception {
        int publishers = 4;
        int each = 3000;
        int joiners = 40;
        LocalBroker broker = broker(new Retention(1_000_000, Duration.ofHours(1)), 1L << 30);
        List<Recorder> recorders = new ArrayList<>();
        ExecutorService pool = Executors.newFixedThreadPool(publishers + 4); // two for replays that pause
        CountDownLatch go = new CountDownLatch(1);
        List<Future<?>> running = new ArrayList<>();
        Phaser replays = new Phaser(1);
        for (int p = 0; p < publishers; p++) {
            running.add(pool.submit(() -> {
                go.await();
                for (int i = 0; i < each; i++) {
                    assertNotNull(broker.publish("r", "r", Outgoing.of("e").rawData("1"), Recipients.EVERYONE));
                }
                return null;
            }));
        }
        for (int j = 0; j < joiners; j++) {
            recorders.add(new Recorder(j % 3 == 0 ? pool : null, replays));
        }
        for (int half = 0; half < 2; half++) {
            List<Recorder> mine = recorders.subList(half * joiners / 2, (half + 1) * joiners / 2);
            running.add(pool.submit(() -> {
                go.await();
                for (int i = 0; i < mine.size(); i++) {
                    Recorder recorder = mine.get(i);
                    LocalBroker.JoinChange joined = broker.link("r", "r", recorder.session, recorder, null, 50);
                    recorder.begins = joined.at().offset();
                    joined.room().start(joined.link());
                    if (i % 2 == 1) { // the one before, or this one, whose replay may be paused
                        mine.get(i % 4 == 1 ? i - 1 : i).leave(joined.room());
                    }
                }
                return null;
            }));
        }
        go.countDown();
        for (Future<?> future : running) {
            future.get();
        }
        replays.awaitAdvanceInterruptibly(
                replays.arrive(), 30, TimeUnit.SECONDS); // those that paused go on in the pool
        pool.shutdown();
        assertTrue(pool.awaitTermination(30, TimeUnit.SECONDS));
        assertNotNull(positionOf(broker, "r")); // to all members, of whom then one more leaves
        recorders.get(1).leave(Objects.requireNonNull(broker.find("r")));
        long top = Objects.requireNonNull(positionOf(broker, "r")).offset(); // for those who have stayed
        for (Recorder recorder : recorders) {
            long last = Math.min(recorder.until, top);
            assertEquals(
                    LongStream.rangeClosed(recorder.begins + 1, last).boxed().toList(), recorder.offsets());
            if (recorder.until < top) {
                assertEquals(recorder.offsets(), recorder.seenWhenTold, "all of it before it is told that it has left");
            }
        }
        assertEquals(
                joiners / 2 + 1,
                recorders.stream().filter(recorder -> recorder.until < top).count());
    }

    @Test
    void replayThatPausesGoesOnWhereItStopped() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        for (int i = 0; i < 1000; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        PausingOutlet outlet = new PausingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), outlet, null, 1000);
        joined.room().start(joined.link());
        assertEquals(256, outlet.offsets().size());
        broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        while (outlet.proceed != null) {
            Runnable proceed = outlet.proceed;
            outlet.proceed = null;
            proceed.run();
        }
        assertEquals(LongStream.rangeClosed(1, 1001).boxed().toList(), outlet.offsets());
    }

    @Test
    void replayThatTheLogOutranIsToldOfTheGap() {
        LocalBroker broker = broker(new Retention(300, Duration.ofHours(1)), 1 << 20);
        for (int i = 0; i < 300; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        PausingOutlet outlet = new PausingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), outlet, null, 300);
        joined.room().start(joined.link());
        for (int i = 0; i < 300; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        Objects.requireNonNull(outlet.proceed).run();
        String last = outlet.frames.get(outlet.frames.size() - 1).asText();
        assertTrue(last.contains("$gap") && last.contains("\"offset\":600"), last);
    }

    @Test
    void whatIsForgottenIsGoneAndTheRestStaysInItsPlace() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), null, null, 0);
        RoomChannel room = joined.room();
        String epoch = joined.at().epoch();
        assertFalse(room.forgetUpTo(5), "there is nothing yet");
        long empty = broker.logBytes();
        for (int i = 0; i < 10; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        long full = broker.logBytes() - empty;
        assertFalse(room.keepsLessThan(10, Long.MAX_VALUE));
        assertTrue(room.keepsLessThan(11, full + 1));
        assertFalse(room.keepsLessThan(11, full));

        assertTrue(room.forgetUpTo(4));
        assertFalse(room.forgetUpTo(4));
        assertFalse(room.forgetUpTo(3));
        assertFalse(room.forgetUpTo(Long.MIN_VALUE));
        assertTrue(broker.logBytes() - empty < full && broker.logBytes() - empty > full / 2);
        assertTrue(room.keepsLessThan(7, Long.MAX_VALUE));
        assertFalse(room.keepsLessThan(6, Long.MAX_VALUE));
        assertTrue(recovers(broker, epoch, 4));
        assertFalse(recovers(broker, epoch, 3));

        assertTrue(room.forgetUpTo(Long.MAX_VALUE));
        assertFalse(room.forgetUpTo(Long.MAX_VALUE));
        assertTrue(room.keepsLessThan(1, 1));
        assertTrue(recovers(broker, epoch, 10));
        Position next = Objects.requireNonNull(broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE));
        assertEquals(11, next.offset());
        assertTrue(room.forgetUpTo(Long.MAX_VALUE), "there is news to forget");
    }

    private static boolean recovers(LocalBroker broker, String epoch, long offset) {
        return broker.link("r", "r", session(), null, new Position(epoch, offset), 0)
                .at()
                .recovered();
    }

    @Test
    void replayOfWhatIsForgottenMeanwhileIsToldOfTheGap() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        for (int i = 0; i < 1000; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        PausingOutlet outlet = new PausingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), outlet, null, 1000);
        joined.room().start(joined.link());
        assertTrue(joined.room().forgetUpTo(100), "what it has is forgotten without harm");
        Runnable proceed = Objects.requireNonNull(outlet.proceed);
        outlet.proceed = null;
        proceed.run();
        assertEquals(512, outlet.offsets().size());
        joined.room().forgetUpTo(Long.MAX_VALUE); // a reader that claims what it cannot have
        Objects.requireNonNull(outlet.proceed).run();
        String last = outlet.frames.get(outlet.frames.size() - 1).asText();
        assertTrue(last.contains("$gap") && last.contains("\"offset\":1000"), last);
    }

    @Test
    void logOfARoomThatNobodyNeedsIsForgottenAndContinuesWhereItEnded() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        broker.start();
        Position first = Objects.requireNonNull(broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE));
        time.advance(Duration.ofMinutes(4));
        assertEquals(1, broker.size());
        time.advance(Duration.ofMinutes(7));
        assertEquals(0, broker.size());
        assertNull(reason(broker, "r", first), "nothing was missed");
        assertEquals("trimmed", reason(broker, "r", new Position(first.epoch(), 0)));
        assertEquals(new Position(first.epoch(), 2), broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE));
        broker.stop();
        assertEquals(0, time.pending());
    }

    @Test
    void whenTooManyEndsAreRememberedLogsBeginWithAnotherEpoch() {
        LocalBroker broker = broker(new Retention(0, Duration.ZERO), 1L << 30);
        broker.start();
        Position never =
                new Position(Objects.requireNonNull(positionOf(broker, "first")).epoch(), 0);
        for (int i = 0; i < 99_999; i++) {
            positionOf(broker, "room" + i);
        }
        assertNull(reason(broker, "unused", never), "nothing was ever published there");
        positionOf(broker, "one more");
        assertEquals("epoch", reason(broker, "another", never));
        broker.stop();
    }

    private static @Nullable Position positionOf(LocalBroker broker, String room) {
        return broker.publish(room, room, Outgoing.of("e"), Recipients.EVERYONE);
    }

    private static @Nullable String reason(LocalBroker broker, String room, Position since) {
        return broker.link(room, room, session(), null, since, 0).at().reason();
    }

    @Test
    void logHoldsNoMoreBytesThanItsRetention() {
        LocalBroker broker = broker(new Retention(1000, Duration.ofHours(1), 10_000), 1 << 20);
        Position first = Objects.requireNonNull(positionOf(broker, "r"));
        RoomChannel room = Objects.requireNonNull(broker.find("r"));
        for (int i = 0; i < 500; i++) {
            positionOf(broker, "r");
            assertTrue(room.keepsLessThan(500, 10_001), "at " + i + " " + broker.logBytes());
        }
        assertFalse(room.keepsLessThan(500, 9_000), "kept only " + broker.logBytes());
        assertEquals("trimmed", reason(broker, "r", first));
    }

    /** A message that is published while another is handed out waits, and is in the log that a joiner reads meanwhile. */
    @Test
    void whatWaitsToBeHandedOutIsNotDeliveredAgainToWhoReadItInTheLog() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Recorder joiner = new Recorder(null, new Phaser(1));
        MemberConnection meddler = new MemberConnection() {
            private boolean done;

            @Override
            public void send(MessageBatch batch) {
                if (!done) {
                    done = true;
                    assertNotNull(positionOf(broker, "r"));
                    LocalBroker.JoinChange joined = broker.link("r", "r", session(), joiner, null, 10);
                    assertNotNull(positionOf(broker, "r"));
                    joined.room().start(joined.link());
                }
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        LocalBroker.JoinChange first = broker.link("r", "r", session(), meddler, null, 0);
        first.room().start(first.link());
        assertNotNull(positionOf(broker, "r"));
        assertEquals(List.of(1L, 2L, 3L), joiner.offsets());
    }

    @Test
    void aRoomWaitsForATransportThatLagsAndGoesOnWhereItWas() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Recorder before = new Recorder(null, new Phaser(1));
        LaggingOutlet lagging = new LaggingOutlet();
        Recorder behind = new Recorder(null, new Phaser(1));
        for (MemberConnection member : List.of(before, lagging, behind)) {
            LocalBroker.JoinChange joined = broker.link("r", "r", session(), member, null, 0);
            joined.room().start(joined.link());
        }
        lagging.lags = true;
        for (int i = 0; i < 3; i++) {
            assertNotNull(positionOf(broker, "r"));
        }
        assertEquals(List.of(1L), before.offsets());
        assertEquals(List.of(), lagging.offsets());
        assertEquals(List.of(), behind.offsets());
        lagging.catchUp();
        assertEquals(List.of(List.of(1L), List.of(2L, 3L)), lagging.batches);
        assertEquals(List.of(1L, 2L, 3L), before.offsets());
        assertEquals(List.of(1L, 2L, 3L), behind.offsets());
    }

    /** Published to the room, and bound to the session's connection by a flush that a lagging member holds up. */
    private static LocalBroker.JoinChange heldUp(
            LocalBroker broker, Subscriber member, Recorder connection, LaggingOutlet lagging) {
        broker.link("r", "r", session(), lagging, null, 0).start();
        LocalBroker.JoinChange joined = broker.link("r", "r", member, connection, null, 0);
        joined.start();
        lagging.lags = true;
        assertNotNull(positionOf(broker, "r"));
        assertEquals(List.of(), connection.offsets());
        return joined;
    }

    @Test
    void linkThatIsReplacedIsHandedNothingMore() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber member = session();
        Recorder connection = new Recorder(null, new Phaser(1));
        LaggingOutlet lagging = new LaggingOutlet();
        LocalBroker.JoinChange before = heldUp(broker, member, connection, lagging);
        broker.link("r", "r", member, connection, new Position(before.room().epoch, 0), 0)
                .start();
        lagging.catchUp();
        assertEquals(List.of(1L), connection.offsets(), "from the log, and not by the earlier link as well");
    }

    @Test
    void joinOnANewConnectionWaitsForNothingOfTheOld() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber member = session();
        heldUp(broker, member, new Recorder(null, new Phaser(1)), new LaggingOutlet());
        Recorder next = new Recorder(null, new Phaser(1));
        LocalBroker.JoinChange anew = broker.link("r", "r", member, next, null, 0);
        assertFalse(anew.awaitDelivery(() -> {}));
    }

    @Test
    void memberThatHasLeftIsHandedWhatWasPendingAndNoMore() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber member = session();
        Recorder connection = new Recorder(null, new Phaser(1));
        LaggingOutlet lagging = new LaggingOutlet();
        LocalBroker.JoinChange joined = heldUp(broker, member, connection, lagging);
        LocalBroker.LeaveChange left = joined.room().remove(member);
        List<List<Long>> whenTold = new ArrayList<>();
        assertTrue(Objects.requireNonNull(left).awaitDelivery(() -> whenTold.add(connection.offsets())));
        assertNotNull(positionOf(broker, "r"));
        lagging.catchUp();
        assertEquals(List.of(List.of(1L)), whenTold);
        assertEquals(List.of(1L), connection.offsets());
    }

    @Test
    void memberThatLeavesIsHandedWhatWasPublishedBefore() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber member = session();
        Recorder connection = new Recorder(null, new Phaser(1));
        MemberConnection leavesAnother = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {
                RoomChannel room = Objects.requireNonNull(broker.find("r"));
                if (room.size() == 2) {
                    assertNotNull(positionOf(broker, "r")); // pending, as another is at the flush
                    room.remove(member);
                    assertNotNull(positionOf(broker, "r"));
                }
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        broker.link("r", "r", session(), leavesAnother, null, 0).start();
        broker.link("r", "r", member, connection, null, 0).start();
        assertNotNull(positionOf(broker, "r"));
        assertEquals(List.of(1L, 2L), connection.offsets());
    }

    @Test
    void publishIntoARoomThatDiedMeanwhileGoesToItsSuccessor() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        broker.start();
        assertNotNull(positionOf(broker, "r"));
        ArrayDeque<RoomChannel> found = new ArrayDeque<>(List.of(Objects.requireNonNull(broker.find("r"))));
        time.advance(Duration.ofMinutes(11));
        assertNull(broker.find("r"), "swept between the look-up and the publish");
        Position at = broker.publish(
                () -> found.isEmpty() ? broker.room("r", "r", null) : found.remove(),
                Outgoing.of("e"),
                Recipients.EVERYONE);
        assertEquals(2, Objects.requireNonNull(at).offset());
        assertEquals(2, Objects.requireNonNull(broker.find("r")).end().offset(), "in the log that readers find");
        broker.stop();
    }

    /** A pool all of whose threads wait in a publish has none left for the flush that they wait for. */
    @Test
    @Timeout(60)
    void aPublisherThatIsHeldByALaggingTransportFlushesItself() throws Exception {
        LocalBroker broker = broker(Retention.defaults(), 1 << 30, task -> {});
        LaggingOutlet member = new LaggingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), member, null, 0);
        joined.room().start(joined.link());
        member.lags = true;
        String data = '"' + "x".repeat(100_000) + '"';
        int messages = 100; // ten times what may be pending
        Thread publisher = new Thread(() -> {
            for (int i = 0; i < messages; i++) {
                broker.publish("r", "r", Outgoing.of("e").rawData(data), Recipients.EVERYONE);
            }
        });
        publisher.start();
        while (publisher.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        assertTrue(broker.logBytes() < 2_000_000, "published " + broker.logBytes());
        member.catchUp();
        publisher.join(30_000);
        assertEquals(LongStream.rangeClosed(1, messages).boxed().toList(), member.offsets());
    }

    /** Memory that has run out on the way to one member, say. */
    @Test
    void anErrorOfOneMembersTransportKeepsNothingFromTheOthers() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        MemberConnection broken = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {
                throw new NoClassDefFoundError("as requested");
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        Recorder other = new Recorder(null, new Phaser(1));
        for (MemberConnection member : List.of(broken, other)) {
            LocalBroker.JoinChange joined = broker.link("r", "r", session(), member, null, 0);
            joined.room().start(joined.link());
        }
        assertNotNull(positionOf(broker, "r"));
        assertNotNull(positionOf(broker, "r"));
        assertEquals(List.of(1L, 2L), other.offsets());
    }

    /** Memory that has run out during a replay, say, while the client joins anew from a position of its own. */
    @Test
    void joinBehindAReplayThatFailsIsTold() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber member = session();
        List<String> told = new ArrayList<>();
        Position first = Objects.requireNonNull(positionOf(broker, "r"));
        MemberConnection broken = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {
                LocalBroker.JoinChange anew = broker.link("r", "r", member, this, first, 0);
                assertTrue(anew.awaitDelivery(() -> told.add("joined")));
                throw new NoClassDefFoundError("as requested");
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        broker.link("r", "r", member, broken, null, 10).start();
        assertEquals(List.of("joined"), told);
    }

    @Test
    void whatWaitsForAReplayRunsBehindItInOrder() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        assertNotNull(positionOf(broker, "r"));
        PausingOutlet outlet = new PausingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), outlet, null, 10);
        joined.start();
        List<String> ran = new ArrayList<>();
        for (String one : List.of("first", "second", "third")) {
            assertTrue(joined.room().awaitDelivery(joined.link(), () -> ran.add(one)));
        }
        Objects.requireNonNull(outlet.proceed).run();
        assertEquals(List.of("first", "second", "third"), ran);
    }

    @Test
    void replayFillsABatchExactly() {
        String data = '"' + "x".repeat(10_000) + '"';
        int length = Outgoing.of("e").rawData(data).frame(1).length();
        Limits limits = Limits.builder()
                .messageBytes(20_000)
                .outboundBytes(4 * 3 * length)
                .build();
        LocalBroker broker = new LocalBroker(time, Runnable::run, new Random(1), room -> Retention.defaults(), limits);
        for (int i = 0; i < 9; i++) {
            broker.publish("r", "r", Outgoing.of("e").rawData(data), Recipients.EVERYONE);
        }
        PausingOutlet outlet = new PausingOutlet();
        broker.link("r", "r", session(), outlet, null, 10).start();
        assertEquals(List.of(1L, 2L, 3L), outlet.offsets());
    }

    /** What it had to answer is gone with the messages, as far as anybody can tell. */
    @Test
    void sessionLearnsThatItsInboxOutranItsReplay() {
        LocalBroker broker = broker(new Retention(300, Duration.ofHours(1)), 1 << 20);
        PausingOutlet outlet = new PausingOutlet();
        Subscriber reader = session();
        outrun(broker, Names.SESSION, reader, outlet);
        Objects.requireNonNull(outlet.proceed).run();
        Mockito.verify(reader).inboxLost();
        Subscriber member = session();
        outrun(broker, "r", member, outlet);
        Objects.requireNonNull(outlet.proceed).run();
        Mockito.verify(member, Mockito.never()).inboxLost();
    }

    @Test
    void replayEndsWithItsConnection() {
        LocalBroker broker = broker(new Retention(300, Duration.ofHours(1)), 1 << 20);
        PausingOutlet outlet = new PausingOutlet();
        Subscriber reader = session();
        RoomChannel room = outrun(broker, Names.SESSION, reader, outlet);
        room.detach(reader, outlet);
        Objects.requireNonNull(outlet.proceed).run();
        Mockito.verify(reader, Mockito.never()).inboxLost(); // its next connection says from where it goes on
        assertEquals(256, outlet.frames.size());
        assertEquals(List.of(reader), room.members());
    }

    /** Publishes more than a log holds while its replay pauses behind the first 256 messages. */
    private static RoomChannel outrun(LocalBroker broker, String name, Subscriber reader, PausingOutlet outlet) {
        for (int i = 0; i < 300; i++) {
            assertNotNull(positionOf(broker, name));
        }
        LocalBroker.JoinChange joined = broker.link(name, name, reader, outlet, null, 300);
        joined.start();
        for (int i = 0; i < 300; i++) {
            assertNotNull(positionOf(broker, name));
        }
        return joined.room();
    }

    @Test
    void endOfAReplacedConnectionEndsNoDelivery() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber member = session();
        Recorder before = new Recorder(null, new Phaser(1));
        Recorder after = new Recorder(null, new Phaser(1));
        broker.link("r", "r", member, before, null, 0).start();
        LocalBroker.JoinChange joined = broker.link("r", "r", member, after, null, 0);
        joined.start();
        joined.room().detach(member, before);
        assertNotNull(positionOf(broker, "r"));
        joined.room().detach(member, after);
        assertNotNull(positionOf(broker, "r"));
        assertEquals(List.of(), before.offsets());
        assertEquals(List.of(1L), after.offsets());
        assertEquals(List.of(member), joined.room().members());
    }

    @Test
    void memberThatJoinsAgainIsHandedWhatWasPending() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber member = session();
        Recorder connection = new Recorder(null, new Phaser(1));
        MemberConnection joinsAnother = new MemberConnection() {
            private boolean done;

            @Override
            public void send(MessageBatch batch) {
                if (!done) {
                    done = true;
                    assertNotNull(positionOf(broker, "r")); // pending, as another is at the flush
                    broker.link("r", "r", member, connection, null, 0).start();
                }
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        broker.link("r", "r", session(), joinsAnother, null, 0).start();
        broker.link("r", "r", member, connection, null, 0).start();
        assertNotNull(positionOf(broker, "r"));
        assertEquals(List.of(1L, 2L), connection.offsets());
    }

    /** Who is left out of a batch is known by a place among those who are live, and the places behind it move up. */
    @Test
    void messageLeavesItsMemberOutThoughAnotherDetaches() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Recorder leaving = new Recorder(null, new Phaser(1));
        Recorder without = new Recorder(null, new Phaser(1));
        Recorder other = new Recorder(null, new Phaser(1));
        MemberConnection detachesAnother = new MemberConnection() {
            private boolean done;

            @Override
            public void send(MessageBatch batch) {
                if (!done) {
                    done = true;
                    Recipients others = Recipients.EVERYONE.except(without.session);
                    assertNotNull(broker.publish("r", "r", Outgoing.of("e"), others)); // pending
                    Objects.requireNonNull(broker.find("r")).detach(leaving.session, leaving);
                }
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        broker.link("r", "r", session(), detachesAnother, null, 0).start();
        for (Recorder member : List.of(leaving, without, other)) {
            broker.link("r", "r", member.session, member, null, 0).start();
        }
        assertNotNull(positionOf(broker, "r"));
        assertEquals(List.of(1L), without.offsets());
        assertEquals(List.of(1L, 2L), other.offsets());
    }

    @Test
    void whatAMemberIsStillToGetIsKnownToBeUnderWay() {
        ArrayDeque<Runnable> tasks = new ArrayDeque<>();
        LocalBroker broker = broker(Retention.defaults(), 1 << 20, tasks::add);
        Subscriber member = session();
        LaggingOutlet lagging = new LaggingOutlet();
        RoomChannel room = heldUp(broker, member, new Recorder(null, new Phaser(1)), lagging)
                .room();
        List<String> ran = new ArrayList<>();
        assertFalse(room.delivery(session()).awaitDelivery(() -> ran.add("no member's")));
        assertTrue(room.delivery(member).awaitDelivery(() -> ran.add("the member's")));
        lagging.catchUp();
        assertEquals(List.of(), ran, "the transport's thread runs none of it");
        while (!tasks.isEmpty()) {
            tasks.remove().run();
        }
        assertEquals(List.of("the member's"), ran);
        assertFalse(room.delivery(member).awaitDelivery(() -> ran.add("again")));
    }

    @Test
    void joinOnTheSameConnectionGoesOnWithTheReplay() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        for (int i = 0; i < 300; i++) {
            assertNotNull(positionOf(broker, "r"));
        }
        Subscriber member = session();
        PausingOutlet outlet = new PausingOutlet();
        broker.link("r", "r", member, outlet, null, 300).start();
        assertEquals(256, outlet.offsets().size());
        LocalBroker.JoinChange anew = broker.link("r", "r", member, outlet, null, 10);
        assertEquals(256, anew.at().offset());
        anew.start();
        assertEquals(LongStream.rangeClosed(1, 300).boxed().toList(), outlet.offsets());
    }

    /** Its client does not know of the room, or it would name a place. */
    @Test
    void joinOnANewConnectionBeginsWhereTheMemberDid() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        for (int i = 0; i < 5; i++) {
            assertNotNull(positionOf(broker, "r"));
        }
        Subscriber member = session();
        Recorder before = new Recorder(null, new Phaser(1));
        broker.link("r", "r", member, before, null, 1).start();
        for (int i = 0; i < 2; i++) {
            assertNotNull(positionOf(broker, "r"));
        }
        LocalBroker.JoinChange again = broker.link("r", "r", member, before, null, 0);
        again.start();
        assertEquals(List.of(5L, 6L, 7L), before.offsets());
        assertEquals(7, again.at().offset());
        Recorder next = new Recorder(null, new Phaser(1));
        broker.link("r", "r", member, next, null, 0).start();
        assertEquals(List.of(5L, 6L, 7L), next.offsets());
        broker.link("r", "r", member, next, new Position(again.at().epoch(), 6), 0)
                .start();
        Recorder last = new Recorder(null, new Phaser(1));
        broker.link("r", "r", member, last, null, 0).start();
        assertEquals(List.of(7L), last.offsets(), "the client has named where it was");
    }

    @Test
    void onlyEphemeralMessagesMayBeDropped() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        List<Boolean> mayBeDropped = new ArrayList<>();
        MemberConnection member = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {
                mayBeDropped.add(batch.isEphemeral());
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        broker.link("r", "r", session(), member, null, 0).start();
        assertNotNull(positionOf(broker, "r"));
        assertNull(broker.publish("r", "r", Outgoing.ephemeral("typing"), Recipients.EVERYONE));
        assertEquals(List.of(false, true), mayBeDropped);
    }

    @Test
    void joinIsNotReadWhatIsOlderThanTheRetention() {
        LocalBroker broker = broker(new Retention(10, Duration.ofMinutes(5)), 1 << 20);
        assertNotNull(positionOf(broker, "r"));
        time.advance(Duration.ofMinutes(4));
        Position second = positionOf(broker, "r");
        time.advance(Duration.ofMinutes(1).plusMillis(1));
        Recorder member = new Recorder(null, new Phaser(1));
        broker.link("r", "r", member.session, member, null, 10).start();
        assertEquals(List.of(2L), member.offsets());
        time.advance(Duration.ofMinutes(5));
        assertEquals(
                "trimmed",
                reason(broker, "r", new Position(Objects.requireNonNull(second).epoch(), 1)));
    }

    @Test
    void emptyLogHasLostNothingOfItsEpoch() {
        Position end = new Position("e", 7);
        assertEquals(new Protocol.RoomPosition("e", 7, false, null), RoomChannel.atEnd(end, null));
        assertEquals(new Protocol.RoomPosition("e", 7, true, null), RoomChannel.atEnd(end, end));
        assertEquals(new Protocol.RoomPosition("e", 7, false, "trimmed"), RoomChannel.atEnd(end, new Position("e", 6)));
        assertEquals(new Protocol.RoomPosition("e", 7, false, "ahead"), RoomChannel.atEnd(end, new Position("e", 8)));
        assertEquals(new Protocol.RoomPosition("e", 7, false, "epoch"), RoomChannel.atEnd(end, new Position("f", 7)));
    }

    @Test
    void pageHoldsAsManyBytesAsItMay() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        for (int i = 0; i < 5; i++) {
            assertNotNull(positionOf(broker, "r"));
        }
        RoomChannel room = Objects.requireNonNull(broker.find("r"));
        Protocol.HistoryRequest newest = new Protocol.HistoryRequest(null, null, null);
        int length = room.page(session(), newest, 1, MANY).messages().get(0).length();
        assertEquals(
                2, room.page(session(), newest, 2 * length, MANY).messages().size());
        assertEquals(
                1, room.page(session(), newest, 2 * length - 1, MANY).messages().size());
        assertEquals(
                2, room.page(session(), newest, MANY, 2 * length).messages().size());
        RoomChannel.Page all = room.page(session(), newest, MANY, MANY);
        assertEquals(5, all.messages().size());
        assertEquals(room.epoch, all.epoch());
    }

    @Test
    void replayThatFailsEndsItsConnection() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        assertNotNull(positionOf(broker, "r"));
        List<String> calls = new ArrayList<>();
        MemberConnection broken = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {
                throw new NoClassDefFoundError("as requested");
            }

            @Override
            public void abort() {
                calls.add("abort");
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), broken, null, 10);
        joined.start();
        assertEquals(List.of("abort"), calls);
        assertFalse(joined.room().awaitDelivery(joined.link(), () -> calls.add("proceed")), "nothing is read any more");
    }

    @Test
    void ephemeralMessagesHaveNoPlaceInTheLog() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        assertNull(broker.publish("r", "r", Outgoing.ephemeral("typing"), Recipients.EVERYONE));
        assertEquals(0, broker.logBytes());
        assertEquals(0, broker.size(), "a room needs members or a log");
    }

    /** Records offsets; with a pool it asks for a pause now and then, and goes on over there. */
    private static final class Recorder implements MemberConnection {
        private final @Nullable ExecutorService pool;
        private final Phaser replays;
        private final Subscriber session = session();
        private final List<Long> seen = new ArrayList<>(); // guarded by this
        private volatile long begins;
        private volatile long until = Long.MAX_VALUE; // the last message that was published before it left
        private volatile List<Long> seenWhenTold = List.of();
        private int pauses;

        Recorder(@Nullable ExecutorService pool, Phaser replays) {
            this.pool = pool;
            this.replays = replays;
        }

        @Override
        public synchronized void send(MessageBatch batch) {
            batch.frames().forEach(frame -> seen.add(offset(frame)));
        }

        @Override
        public boolean awaitDrained(Runnable proceed) {
            if (pool == null || pauses++ > 5) {
                return false;
            }
            replays.register();
            pool.execute(() -> {
                try {
                    proceed.run();
                } finally {
                    replays.arriveAndDeregister();
                }
            });
            return true;
        }

        synchronized List<Long> offsets() {
            return new ArrayList<>(seen);
        }

        /** Leaves, and is told so after what it was to get before. */
        void leave(RoomChannel room) {
            LocalBroker.LeaveChange left = Objects.requireNonNull(room.remove(session));
            until = left.link().until;
            Runnable told = () -> seenWhenTold = offsets();
            if (!left.awaitDelivery(told)) {
                told.run();
            }
        }
    }

    private static Subscriber session() {
        Subscriber session = Mockito.mock(Subscriber.class);
        Mockito.when(session.id()).thenReturn("some session");
        Mockito.when(session.userId()).thenReturn("some user");
        return session;
    }

    /** Lags before each send, while told to. */
    private static final class LaggingOutlet implements MemberConnection {
        final List<List<Long>> batches = new CopyOnWriteArrayList<>();
        volatile boolean lags;
        private volatile @Nullable Runnable proceed;

        @Override
        public void send(MessageBatch batch) {
            batches.add(batch.frames().stream().map(RoomChannelTest::offset).toList());
        }

        @Override
        public boolean awaitWritable(Runnable next) {
            if (lags) {
                proceed = next;
            }
            return lags;
        }

        @Override
        public boolean awaitDrained(Runnable next) {
            return false;
        }

        void catchUp() {
            lags = false;
            Objects.requireNonNull(proceed).run();
        }

        List<Long> offsets() {
            return batches.stream().flatMap(List::stream).toList();
        }
    }

    private static final class PausingOutlet implements MemberConnection {
        private final List<WireMessage> frames = new ArrayList<>();
        private @Nullable Runnable proceed;
        private boolean isFull;

        @Override
        public void send(MessageBatch batch) {
            frames.addAll(batch.frames());
            isFull = true;
        }

        /** Pauses behind each batch, and is empty when it goes on. */
        @Override
        public boolean awaitDrained(Runnable next) {
            boolean pauses = isFull;
            proceed = pauses ? next : null;
            isFull = false;
            return pauses;
        }

        List<Long> offsets() {
            return frames.stream().map(RoomChannelTest::offset).toList();
        }
    }

    private static long offset(WireMessage frame) {
        return JsonParser.parseString(frame.asText())
                .getAsJsonObject()
                .get("offset")
                .getAsLong();
    }
}
