package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Retention;
import io.realtime.spi.MessageBatch;
import io.realtime.testing.HeldExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Phaser;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How a room waits for a member whose transport is not writable or fails. */
class RoomFlushTest extends RoomChannelFixture {
    @Test
    void flushSuspendsUntilTheTransportIsWritable() {
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
    void replacedConnectionReceivesNothingMore() {
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
    void memberThatLeftReceivesOnlyPendingMessages() {
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

    /** A pool all of whose threads wait in a publish has none left for the flush that they wait for. */
    @Test
    @Timeout(60)
    void blockedPublisherFlushesItself() throws Exception {
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
    void failedMemberTransportDelaysNoOther() {
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

    @Test
    void pendingMessagesOfAMemberAreReported() {
        HeldExecutor tasks = new HeldExecutor();
        LocalBroker broker = broker(Retention.defaults(), 1 << 20, tasks);
        Subscriber member = session();
        LaggingOutlet lagging = new LaggingOutlet();
        RoomChannel room = heldUp(broker, member, new Recorder(null, new Phaser(1)), lagging)
                .room();
        List<String> ran = new ArrayList<>();
        assertFalse(room.delivery(session()).awaitDelivery(() -> ran.add("no member's")));
        assertTrue(room.delivery(member).awaitDelivery(() -> ran.add("the member's")));
        lagging.catchUp();
        assertEquals(List.of(), ran, "the transport's thread runs none of it");
        tasks.runAll();
        assertEquals(List.of("the member's"), ran);
        assertFalse(room.delivery(member).awaitDelivery(() -> ran.add("again")));
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

    /** Lags before each send, while told to. */
    private static final class LaggingOutlet implements MemberConnection {
        final List<List<Long>> batches = new CopyOnWriteArrayList<>();
        volatile boolean lags;
        private volatile @Nullable Runnable proceed;

        @Override
        public void send(MessageBatch batch) {
            batches.add(batch.frames().stream().map(RoomFlushTest::offset).toList());
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
}
