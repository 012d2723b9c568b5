package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Retention;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Phaser;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What the log of a room keeps and forgets. */
class RoomRetentionTest extends RoomChannelFixture {
    private static final int MANY = 1 << 20;

    @Test
    void evictionKeepsTheOffsetsOfTheRest() {
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
    void logOfUnusedRoomIsEvictedAndContinuesItsOffsets() {
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
    void logBeginsANewEpochOnceItsEndIsForgotten() {
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

    @Test
    void joinReplaysNothingOlderThanTheRetention() {
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
    void pageIsFilledToItsByteLimit() {
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
    void ephemeralMessagesHaveNoPlaceInTheLog() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        assertNull(broker.publish("r", "r", Outgoing.ephemeral("typing"), Recipients.EVERYONE));
        assertEquals(0, broker.logBytes());
        assertEquals(0, broker.size(), "a room needs members or a log");
    }
}
