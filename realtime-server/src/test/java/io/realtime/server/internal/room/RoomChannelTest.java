package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Retention;
import io.realtime.spi.MessageBatch;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Who is handed which message of a room, in which order. */
class RoomChannelTest extends RoomChannelFixture {
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

    /** A message that is published while another is handed out waits, and is in the log that a joiner reads meanwhile. */
    @Test
    void pendingMessagesAreNotDeliveredAfterTheirReplay() {
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
    void leavingMemberReceivesEarlierMessages() {
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
    void publishIntoAnEndedRoomGoesToItsSuccessor() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        broker.start();
        assertNotNull(positionOf(broker, "r"));
        ArrayDeque<RoomChannel> found = new ArrayDeque<>(List.of(Objects.requireNonNull(broker.find("r"))));
        time.advance(Duration.ofMinutes(11));
        assertNull(broker.find("r"), "swept between the look-up and the publish");
        Position at = broker.publish(
                () -> found.isEmpty() ? broker.room("r", "r", null) : found.remove(),
                Outgoing.of("e"),
                Recipients.EVERYONE,
                null);
        assertEquals(2, Objects.requireNonNull(at).offset());
        assertEquals(2, Objects.requireNonNull(broker.find("r")).end().offset(), "in the log that readers find");
        broker.stop();
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
        assertEquals(
                List.of(member),
                joined.room().members().stream().map(link -> link.session).toList());
    }

    @Test
    void rejoiningMemberReceivesPendingMessages() {
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
                    Recipients others = Recipients.EVERYONE.except(List.of(without.session.id()));
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
}
