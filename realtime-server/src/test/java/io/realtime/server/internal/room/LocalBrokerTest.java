package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Limits;
import io.realtime.server.Retention;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.mockito.Mockito;

/** How rooms begin and end, and what is charged for them. */
class LocalBrokerTest {
    private static final Retention NONE = new Retention(0, Duration.ZERO);

    private final ManualScheduler time = new ManualScheduler();
    private final List<LocalBroker> brokers = new ArrayList<>();

    private LocalBroker broker(Retention retention, long budget) {
        return broker(retention, Limits.builder().logBytes(budget).build());
    }

    private LocalBroker broker(Retention retention, Limits limits) {
        LocalBroker made = new LocalBroker(time, Runnable::run, new Random(1), room -> retention, limits);
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

    private static Subscriber session() {
        Subscriber session = Mockito.mock(Subscriber.class);
        Mockito.when(session.id()).thenReturn("session " + System.identityHashCode(session));
        Mockito.when(session.userId()).thenReturn("some user");
        return session;
    }

    private static Position publish(LocalBroker broker, String key, String name, int length) {
        Outgoing message = Outgoing.of("e").rawData('"' + "x".repeat(length) + '"');
        return Objects.requireNonNull(broker.publish(key, name, message, Recipients.EVERYONE));
    }

    private static Position publish(LocalBroker broker, String room) {
        return publish(broker, room, room, 1);
    }

    private static LocalBroker.JoinChange join(LocalBroker broker, String room, Subscriber session) {
        return broker.link(room, room, session, null, null, 0);
    }

    @Test
    void stopBeforeStartLeavesNoTimer() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        broker.stop();
        broker.start();
        assertEquals(0, time.pending());
    }

    // ---- one room after the other

    /** Two threads that find the same dead room: the slower one must not take the new room away. */
    @Test
    void joinIntoAnEndedRoomGoesToItsSuccessor() {
        LocalBroker broker = broker(NONE, 1 << 20);
        LocalBroker.JoinChange first = join(broker, "r", session());
        RoomChannel dead = first.room();
        assertNotNull(dead.remove(first.link().session));
        RoomChannel next = join(broker, "r", session()).room();
        ArrayDeque<RoomChannel> found = new ArrayDeque<>(List.of(dead, next));
        Subscriber late = session();
        assertSame(next, broker.link(found::remove, late, null, null, 0).room());
        assertSame(next, broker.find("r"));
        assertEquals(2, next.size());
    }

    @Test
    void refusedJoinLeavesNoRoom() {
        LocalBroker broker = broker(
                Retention.defaults(),
                Limits.builder().roomsPerUser(1).roomsPerSession(1).build());
        Subscriber session = session();
        assertNotNull(join(broker, "a", session));
        assertThrows(RealtimeException.class, () -> join(broker, "b", session));
        assertEquals(1, broker.size());
        assertEquals(broker.countLogBytes(), broker.logBytes());
    }

    // ---- the ends of logs

    @Test
    void roomThatWasNeverPublishedToLeavesNothingBehind() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber session = session();
        assertNotNull(join(broker, "r", session).room().remove(session));
        assertEquals(0, broker.logBytes());
    }

    /** 120 bytes for the end of a log with a short name; a sixteenth of the budget is for ends. */
    @Test
    void endsOfLogsFillTheirShareExactly() {
        LocalBroker broker = broker(NONE, 16 * 1_200);
        for (int i = 0; i < 10; i++) {
            assertNotNull(publish(broker, "r" + i));
        }
        assertEquals(1_200, broker.logBytes());
        assertEquals(1_200, broker.countLogBytes());
        assertEquals(1, broker.end("r0").offset());
        String epoch = broker.end("r0").epoch();
        assertNotNull(publish(broker, "one more"));
        assertEquals(120, broker.logBytes());
        assertEquals(0, broker.end("r0").offset());
        assertNotEquals(epoch, broker.end("r0").epoch());
    }

    /** Another epoch has begun meanwhile, but its readers still have missed nothing. */
    @Test
    void emptyLogOfAnEarlierEpochIsContinued() {
        LocalBroker broker = broker(NONE, 16 * 240); // of two ends
        Subscriber member = session();
        LocalBroker.JoinChange joined = join(broker, "r", member);
        for (String other : List.of("a", "b", "c")) {
            assertNotNull(publish(broker, other));
        }
        Position begin = new Position(joined.at().epoch(), 0);
        assertNotEquals(begin.epoch(), broker.end("unused").epoch());
        assertNotNull(joined.room().remove(member));
        assertNull(broker.link("r", "r", member, null, begin, 0).at().reason());
    }

    // ---- the budget

    @Test
    void longNamesAreCharged() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        assertNotNull(join(broker, "a", session()));
        long first = broker.logBytes();
        assertNotNull(join(broker, "b".repeat(1_000), session()));
        long second = broker.logBytes() - first;
        assertTrue(second > first + 900, first + " and " + second);
        assertNotNull(publish(broker, "a"));
        assertEquals(broker.countLogBytes(), broker.logBytes());
    }

    @Test
    void logsAreEvictedForMembers() {
        long budget = 100_000;
        LocalBroker broker = broker(Retention.defaults(), budget);
        for (int i = 0; i < 1_000; i++) {
            assertNotNull(publish(broker, "r", "r", 100));
        }
        assertTrue(broker.logBytes() > budget * 9 / 10, "used " + broker.logBytes());
        for (int i = 0; i < 100; i++) {
            assertNotNull(join(broker, "r", session()));
            assertTrue(broker.logBytes() <= budget, i + ": used " + broker.logBytes());
        }
    }

    /** One publish visits a bounded number of logs. */
    @Test
    void sweepEvictsWhatOnePublishLeftOverTheLimit() {
        long budget = 1 << 20;
        LocalBroker broker = broker(Retention.defaults(), budget);
        broker.start();
        for (int i = 0; i < 500; i++) {
            assertNotNull(publish(broker, "r" + i, "r" + i, 2_000));
            assertTrue(broker.logBytes() <= budget, "used " + broker.logBytes());
        }
        assertNotNull(publish(broker, Names.USER + ":a", Names.USER, 200_000));
        assertTrue(broker.logBytes() > budget, "used " + broker.logBytes());
        time.advance(Duration.ofSeconds(60));
        assertTrue(broker.logBytes() <= budget, "used " + broker.logBytes());
        RoomChannel inbox = Objects.requireNonNull(broker.find(Names.USER + ":a"));
        assertEquals(1, inbox.end().offset());
        assertTrue(!inbox.keepsLessThan(1, Long.MAX_VALUE), "rooms pay, which hold more than their part");
        broker.stop();
    }

    @Test
    void floodEvictsOnlyLogsOfItsOwnKind() {
        for (String[] part :
                List.of(new String[] {Names.USER, Names.SESSION}, new String[] {Names.SESSION, "r"}, new String[] {
                    "r", Names.USER
                })) {
            LocalBroker broker = broker(Retention.defaults(), 200_000);
            assertNotNull(publish(broker, part[1] + ":kept", part[1], 20_000));
            for (int i = 0; i < 1_000; i++) {
                assertNotNull(publish(broker, part[0] + i, part[0], 1_000));
            }
            RoomChannel kept = broker.find(part[1] + ":kept");
            assertNotNull(kept, () -> Arrays.toString(part));
            assertTrue(!kept.keepsLessThan(1, Long.MAX_VALUE), () -> Arrays.toString(part));
        }
    }
}
