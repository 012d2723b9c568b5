package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Limits;
import io.realtime.server.Retention;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.mockito.Mockito;

/** What all rooms and logs cost together, and who gives way when it is too much. */
@Timeout(60)
class LogBudgetTest {
    private static final Protocol.HistoryRequest NEWEST = new Protocol.HistoryRequest(null, null, 100);

    private final ManualScheduler time = new ManualScheduler();

    private LocalBroker broker(Retention retention, long budget) {
        Limits limits = Limits.builder()
                .logBytes(budget)
                .rooms(1_000_000)
                .roomsPerUser(1_000_000)
                .build();
        return new LocalBroker(time, Runnable::run, new Random(1), room -> retention, limits);
    }

    /** Whatever is done to rooms, in any order: the account says what a walk over all of them finds. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void accountEqualsTheCount(long seed) {
        Random random = new Random(seed);
        LocalBroker broker = broker(
                new Retention(1 + random.nextInt(30), Duration.ofSeconds(20), 1_000 + random.nextInt(5_000)),
                20_000 + random.nextInt(40_000));
        broker.start();
        List<Subscriber> sessions = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            sessions.add(session());
        }
        for (int step = 0; step < 3_000; step++) {
            int number = random.nextInt(12);
            String name = number < 6 ? "room" + number : number < 9 ? Names.USER : Names.SESSION;
            String key = number < 6 ? name : name + ":" + number;
            Subscriber session = sessions.get(random.nextInt(sessions.size()));
            RoomChannel room = broker.find(key);
            switch (random.nextInt(10)) {
                case 0 -> assertNotNull(broker.link(key, name, session, null, null, 5));
                case 1 -> {
                    if (room != null) {
                        room.remove(session);
                    }
                }
                case 2 -> {
                    if (room != null) {
                        assertNotNull(room.page(session, NEWEST, 10_000, Integer.MAX_VALUE));
                    }
                }
                case 3 -> {
                    if (room != null) {
                        room.forgetUpTo(room.end().offset() - random.nextInt(5));
                    }
                }
                case 4 -> time.advance(Duration.ofSeconds(random.nextInt(20)));
                case 5 -> {
                    if (room != null && number >= 9) {
                        room.kill();
                    }
                }
                default -> {
                    Recipients to = random.nextInt(3) == 0
                            ? Recipients.EVERYONE.except(List.of(session.id()))
                            : random.nextInt(3) == 0
                                    ? Recipients.EVERYONE.filter(one -> random.nextBoolean())
                                    : Recipients.EVERYONE;
                    broker.publish(key, name, message(random.nextInt(300)), to);
                }
            }
            assertEquals(broker.countLogBytes(), broker.logBytes(), "seed " + seed + ", step " + step);
        }
        broker.stop();
    }

    /** Reading trims as well: what it trims is free for others. */
    @Test
    void readingLogsLeavesTheBudgetToMessages() {
        LocalBroker broker = broker(new Retention(300, Duration.ofMinutes(5)), 60L << 20);
        Subscriber reader = session();
        for (int second = 0; second < 900; second++) {
            for (int i = 0; i < 100; i++) {
                String name = "room" + i;
                publish(broker, name, 1_000);
                Objects.requireNonNull(broker.find(name)).page(reader, NEWEST, 1_000, Integer.MAX_VALUE);
            }
            time.advance(Duration.ofSeconds(1));
        }
        for (int i = 0; i < 100; i++) {
            assertEquals(300, kept(broker, "room" + i), "room" + i);
        }
    }

    /** One peer at the limits: 66 rooms, 100 messages of 65 KB a second, for 45 s. */
    @Test
    void floodEvictsOnlyTheRoomsItFills() {
        LocalBroker broker = broker(new Retention(1_000, Duration.ofHours(1)), 64L << 20);
        for (int i = 0; i < 100; i++) {
            inbox(broker, "user" + i, 500);
            publish(broker, "quiet", 1_000);
            publish(broker, "busy", 4_000);
        }
        Outgoing large = message(65_000);
        for (int i = 0; i < 4_500; i++) {
            broker.publish("flood" + i % 66, "flood" + i % 66, large, Recipients.EVERYONE);
            assertTrue(broker.logBytes() <= 64L << 20, "at " + i);
        }
        for (int i = 0; i < 100; i++) {
            assertEquals(1, kept(broker, Names.USER + ":user" + i));
        }
        assertEquals(100, kept(broker, "quiet"));
        assertEquals(100, kept(broker, "busy"), "400 KB are less than a share");
        assertTrue(broker.logBytes() > 60L << 20, "the flood is kept where there is room: " + broker.logBytes());
    }

    /** However many rooms a peer makes, they share the rooms' part. */
    @Test
    void manyRoomsLeaveInboxesTheirShare() {
        LocalBroker broker = broker(new Retention(1_000, Duration.ofHours(1)), 16L << 20);
        for (int i = 0; i < 1_000; i++) {
            inbox(broker, "user" + i % 10, 300);
        }
        for (int i = 0; i < 100_000; i++) {
            publish(broker, "flood" + i % 20_000, 1_000);
        }
        assertTrue(broker.logBytes() <= 16L << 20, "used " + broker.logBytes());
        for (int i = 0; i < 10; i++) {
            assertEquals(100, kept(broker, Names.USER + ":user" + i));
        }
    }

    /** However many sessions a user has, their inboxes share the sessions' part, and each has an equal share of that. */
    @Test
    void sessionsOfOneUserLeaveOthersTheirShares() {
        LocalBroker broker = broker(new Retention(1_000, Duration.ofHours(1)), 16L << 20);
        for (int i = 0; i < 2_000; i++) {
            inbox(broker, "user" + i % 10, 300);
        }
        for (int i = 0; i < 300; i++) {
            publish(broker, "family", 1_000);
        }
        for (int i = 0; i < 5; i++) {
            sessionInbox(broker, "of-ben", 300);
        }
        for (int i = 0; i < 100_000; i++) {
            sessionInbox(broker, "of-mallory" + i % 1_000, 1_000);
            assertTrue(broker.logBytes() <= 16L << 20, "at " + i);
        }
        for (int i = 0; i < 10; i++) {
            assertEquals(200, kept(broker, Names.USER + ":user" + i));
        }
        assertEquals(300, kept(broker, "family"));
        assertEquals(5, kept(broker, Names.SESSION + ":of-ben"));
        assertTrue(broker.logBytes() > 15L << 20, "the flood is kept where there is room: " + broker.logBytes());
    }

    /** Among logs of one size the one gives first that has been so large for longest, and it is forgotten whole. */
    @Test
    void messagesToAbsentUsersAreEvictedOldestFirst() {
        LocalBroker broker = broker(Retention.inboxDefaults(), 1L << 20);
        int users = 10_000;
        for (int i = 0; i < users; i++) {
            inbox(broker, "user" + i, 100);
            assertTrue(broker.logBytes() <= 1L << 20, "at " + i);
        }
        int first = users - broker.size();
        assertTrue(broker.size() > 1_000, broker.size() + " inboxes are left");
        for (int i = 0; i < users; i++) {
            assertEquals(i < first ? 0 : 1, kept(broker, Names.USER + ":user" + i), "user" + i);
        }
    }

    /** Sessions are not evicted, nor do they take what is for logs. */
    @Test
    void sessionsBeyondTheBudgetLeaveLogsTheirShares() {
        long limit = 256 * 1024;
        LocalBroker broker = broker(Retention.defaults(), limit);
        broker.budget().chargeFixed(limit);
        for (int i = 0; i < 40; i++) { // more than an equal share of the half that rooms have of the half for logs
            publish(broker, "family", 1_000);
        }
        publish(broker, "other", 100);
        assertEquals(40, kept(broker, "family"));
    }

    /** Members of a room are not evicted, so they are refused before they take what is for logs. */
    @Test
    void membersLeaveHalfOfTheBudgetToLogs() {
        long limit = 256 * 1024;
        LocalBroker broker = broker(Retention.defaults(), limit);
        inbox(broker, "away", 100);
        publish(broker, "family", 100);
        int members = 0;
        RealtimeException refused = null;
        for (int i = 0; refused == null; i++) {
            try {
                assertNotNull(broker.link("room" + i % 50, "room" + i % 50, sessionOf("user" + i), null, null, 0));
                members++;
            } catch (RealtimeException full) {
                refused = full;
            }
        }
        assertEquals(ErrorCode.OVERLOADED, refused.code());
        assertTrue(refused.isRetryable());
        assertTrue(members > 550, members + " members");
        assertTrue(broker.logBytes() < limit / 2 + 1_000, "used " + broker.logBytes());
        int rooms = broker.size();
        assertThrows(RealtimeException.class, () -> broker.link("new", "new", sessionOf("late"), null, null, 0));
        assertThrows(RealtimeException.class, () -> {
            for (int i = 0; i < 10; i++) {
                publish(broker, "new" + i, 100);
            }
        });
        assertNull(broker.find("new"), "who is refused leaves no room behind");
        assertTrue(broker.size() < rooms + 10);
        assertNotNull(broker.link("@all", "@all", sessionOf("late"), null, null, 0), "its session begins");
        assertEquals(1, kept(broker, Names.USER + ":away"));
        assertEquals(1, kept(broker, "family"));
        for (int i = 0; i < 1_000; i++) {
            publish(broker, "room7", 1_000);
        }
        assertTrue(kept(broker, "room7") > 30, "kept " + kept(broker, "room7"));
        assertEquals(1, kept(broker, Names.USER + ":away"));
        assertTrue(broker.logBytes() <= limit, "used " + broker.logBytes());
        assertEquals(broker.countLogBytes(), broker.logBytes());
    }

    /** Each of its sessions counts, each of its rooms too; a link that is renewed does not. */
    @Test
    void roomsOfOneUserAreBoundedTogether() {
        Limits limits = Limits.builder().roomsPerUser(3).build();
        LocalBroker broker = new LocalBroker(time, Runnable::run, new Random(1), room -> Retention.defaults(), limits);
        Subscriber first = sessionOf("mallory");
        Subscriber second = sessionOf("mallory");
        assertNotNull(broker.link("a", "a", first, null, null, 0));
        assertNotNull(broker.link("b", "b", first, null, null, 0));
        assertNotNull(broker.link("b", "b", second, null, null, 0));
        RealtimeException refused =
                assertThrows(RealtimeException.class, () -> broker.link("c", "c", second, null, null, 0));
        assertEquals(ErrorCode.OVERLOADED, refused.code());
        assertNull(broker.find("c"));
        assertNotNull(broker.link("b", "b", second, null, null, 0), "is in it");
        assertNotNull(broker.link("@all", "@all", second, null, null, 0));
        assertNotNull(broker.link("c", "c", sessionOf("bob"), null, null, 0));
        assertNotNull(Objects.requireNonNull(broker.find("a")).remove(first));
        assertNotNull(broker.link("c", "c", second, null, null, 0));
        assertThrows(RealtimeException.class, () -> broker.link("a", "a", second, null, null, 0));
        assertEquals(broker.countLogBytes(), broker.logBytes());
    }

    @Test
    void refusedMemberIsNotCountedForItsUser() {
        Limits limits = Limits.builder().roomsPerUser(3).logBytes(64 * 1024).build();
        LocalBroker broker = new LocalBroker(time, Runnable::run, new Random(1), room -> Retention.defaults(), limits);
        List<Subscriber> others = new ArrayList<>();
        assertThrows(RealtimeException.class, () -> {
            for (int i = 0; i < 10_000; i++) {
                Subscriber other = sessionOf("user" + i);
                assertNotNull(broker.link("r", "r", other, null, null, 0));
                others.add(other);
            }
        });
        Subscriber late = sessionOf("late");
        for (int i = 0; i < 5; i++) {
            RealtimeException full =
                    assertThrows(RealtimeException.class, () -> broker.link("r", "r", late, null, null, 0));
            assertTrue(String.valueOf(full.getMessage()).contains("logBytes"), full::toString);
        }
        others.forEach(
                other -> assertNotNull(Objects.requireNonNull(broker.find("r")).remove(other)));
        for (String room : List.of("a", "b", "c")) {
            assertNotNull(broker.link(room, room, late, null, null, 0));
        }
        assertEquals(broker.countLogBytes(), broker.logBytes());
    }

    /** 16 for the array and 24 for the string; Latin-1 takes a byte a character, all else two; by eights. */
    @Test
    void roomNameIsChargedByItsString() {
        assertEquals(40, LocalBroker.weight(""));
        assertEquals(48, LocalBroker.weight("a"));
        assertEquals(48, LocalBroker.weight("aaaaaaa\u00ff"));
        assertEquals(56, LocalBroker.weight("aaaaaaaaa"));
        assertEquals(48, LocalBroker.weight("aaa\u0100"));
        assertEquals(56, LocalBroker.weight("\u0100aaaa"));
    }

    @Test
    void endsOfForgottenRoomsTakeASixteenthOfTheBudget() {
        LocalBroker broker = broker(new Retention(0, Duration.ZERO), 64 * 1024);
        for (int i = 0; i < 1_000; i++) {
            publish(broker, "room" + i, 10);
            assertTrue(broker.logBytes() <= 4 * 1024 + 500, "used " + broker.logBytes());
            assertEquals(broker.countLogBytes(), broker.logBytes());
        }
    }

    /** All at once, and the budget always met: nothing throws, and each message is published once. */
    @Test
    void publishersUnderPressureNeverFail() throws Exception {
        LocalBroker broker = broker(Retention.defaults(), 200_000);
        int threads = 4;
        int each = 20_000;
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        CyclicBarrier begin = new CyclicBarrier(threads);
        List<Future<?>> running = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            Random random = new Random(t);
            running.add(pool.submit(() -> {
                begin.await();
                for (int i = 0; i < each; i++) {
                    publish(broker, "room" + random.nextInt(300), random.nextInt(500));
                }
                return null;
            }));
        }
        for (Future<?> one : running) {
            one.get();
        }
        pool.shutdown();
        assertTrue(pool.awaitTermination(10, TimeUnit.SECONDS));
        long published = 0;
        for (int i = 0; i < 300; i++) {
            Position next =
                    Objects.requireNonNull(broker.publish("room" + i, "room" + i, message(1), Recipients.EVERYONE));
            published += next.offset() - 1;
        }
        assertEquals((long) threads * each, published);
        assertTrue(broker.logBytes() <= 200_000, "used " + broker.logBytes());
        assertEquals(broker.countLogBytes(), broker.logBytes());
    }

    private static void inbox(LocalBroker broker, String user, int length) {
        assertNotNull(broker.publish(Names.USER + ":" + user, Names.USER, message(length), Recipients.EVERYONE));
    }

    private static void sessionInbox(LocalBroker broker, String session, int length) {
        assertNotNull(
                broker.publish(Names.SESSION + ":" + session, Names.SESSION, message(length), Recipients.EVERYONE));
    }

    private static void publish(LocalBroker broker, String room, int length) {
        assertNotNull(broker.publish(room, room, message(length), Recipients.EVERYONE));
    }

    private static Outgoing message(int length) {
        return Outgoing.of("e").rawData('"' + "x".repeat(length) + '"');
    }

    private static long kept(LocalBroker broker, String key) {
        RoomChannel room = broker.find(key);
        return room == null
                ? 0
                : room.end().offset()
                        - room.page(session(), NEWEST, 1, Integer.MAX_VALUE).floor();
    }

    private static Subscriber sessionOf(String user) {
        Subscriber session = session();
        Mockito.when(session.userId()).thenReturn(user);
        return session;
    }

    private static Subscriber session() {
        Subscriber session = Mockito.mock(Subscriber.class);
        Mockito.when(session.id()).thenReturn("session " + System.identityHashCode(session));
        Mockito.when(session.userId()).thenReturn("some user");
        return session;
    }
}
