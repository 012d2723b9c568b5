package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Limits;
import io.realtime.server.PresenceRule;
import io.realtime.server.Retention;
import io.realtime.spi.MessageBatch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.mockito.Mockito;

/** What presence costs: passes over the watchers, and bytes of the account. */
@Timeout(60)
class PresenceCostTest extends RoomChannelFixture {
    private final AtomicInteger passes = new AtomicInteger();
    private final MemberConnection sink = new MemberConnection() {
        @Override
        public void send(MessageBatch batch) {}

        @Override
        public boolean awaitDrained(Runnable proceed) {
            return false;
        }
    };

    private LocalBroker broker(int most) {
        Limits limits =
                Limits.builder().logBytes(1L << 30).roomsPerUser(1_000_000).build();
        LocalBroker made = new LocalBroker(
                time,
                task -> {
                    passes.incrementAndGet();
                    task.run();
                },
                new Random(1),
                room -> Retention.none(),
                List.of(PresenceRule.forRooms("").withMostMembers(most)),
                limits);
        brokers.add(made);
        return made;
    }

    private static Subscriber session(int i) {
        Subscriber session =
                Mockito.mock(Subscriber.class, Mockito.withSettings().stubOnly());
        Mockito.when(session.id()).thenReturn("s" + i);
        Mockito.when(session.userId()).thenReturn("some user");
        Mockito.when(session.tags()).thenReturn(Map.of());
        Mockito.when(session.isConnected()).thenReturn(true);
        return session;
    }

    /** A member sends a thousand messages in a second. */
    private void flood(int most, int members, boolean isState) {
        LocalBroker broker = broker(most);
        Subscriber hostile = null;
        for (int i = 0; i < members; i++) {
            Subscriber member = session(i);
            hostile = member;
            LocalBroker.JoinChange joined = broker.link("r", "r", member, sink, null, 0);
            if (i < members - 1) {
                joined.room().watchPresence(member, true);
            }
            joined.start();
        }
        RoomChannel room = Objects.requireNonNull(broker.find("r"));
        Subscriber one = Objects.requireNonNull(hostile);
        time.advance(Duration.ofSeconds(2));
        passes.set(0);
        for (int i = 0; i < 1000; i++) {
            if (isState) {
                room.setState(one, i % 2 == 0 ? "a" : "b");
            } else {
                broker.link("r", "r", one, sink, null, 0).start();
            }
            time.advance(Duration.ofMillis(1));
        }
        assertTrue(passes.get() <= 8, passes + " passes over " + members + " watchers in a second, which may be 4");
    }

    @Test
    void statesInARoomThatTellsCountsCostNoPasses() {
        flood(1000, 10_000, true);
    }

    @Test
    void repeatedJoinsCostFewPasses() {
        flood(1000, 900, false);
    }

    @Test
    void statesMakeLogsGiveUpMessages() {
        long limit = 1 << 20;
        Limits limits = Limits.builder().logBytes(limit).roomsPerUser(1_000_000).build();
        LocalBroker broker = new LocalBroker(
                time,
                Runnable::run,
                new Random(1),
                room -> new Retention(1_000_000, Duration.ofHours(1)),
                List.of(PresenceRule.forRooms("")),
                limits);
        brokers.add(broker);
        List<Subscriber> all = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            Subscriber one = session(i);
            all.add(one);
            broker.link("r", "r", one, sink, null, 0).start();
        }
        while (broker.logBytes() < limit - 1000) {
            broker.publish("r", "r", Outgoing.of("e").rawData("\"" + "x".repeat(500) + "\""), Recipients.EVERYONE);
        }
        RoomChannel room = Objects.requireNonNull(broker.find("r"));
        int fit = 0;
        for (Subscriber one : all) {
            try {
                room.setState(one, "\u20ac".repeat(1000));
                fit++;
            } catch (RealtimeException full) {
                assertEquals("overloaded", full.code().value());
            }
        }
        assertTrue(fit > 2 && fit < 10, fit + " states of one user take a 64th of the limit");
        assertTrue(broker.logBytes() <= limit, broker.logBytes() + " bytes, the limit is " + limit);
    }

    @Test
    void accountEqualsTheWalkAfterAnything() {
        LocalBroker broker = broker(5);
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            Limits limits =
                    Limits.builder().logBytes(40_000).roomsPerUser(1_000_000).build();
            broker = new LocalBroker(
                    time,
                    Runnable::run,
                    new Random(1),
                    room -> new Retention(8, Duration.ofSeconds(3)),
                    List.of(PresenceRule.forRooms("").withMostMembers(5)),
                    limits);
            List<Subscriber> people = new ArrayList<>();
            for (int i = 0; i < 9; i++) {
                people.add(session(i));
            }
            for (int step = 0; step < 400; step++) {
                String name = "r" + random.nextInt(3);
                Subscriber who = people.get(random.nextInt(9));
                RoomChannel room = broker.find(name);
                try {
                    switch (random.nextInt(10)) {
                        case 0, 1 ->
                            broker.link(name, name, who, random.nextBoolean() ? sink : null, null, random.nextInt(5))
                                    .start();
                        case 2 -> {
                            if (room != null) {
                                room.remove(who);
                            }
                        }
                        case 3 -> {
                            if (room != null) {
                                room.setState(who, "\u20ac".repeat(random.nextInt(100)));
                                room.watchPresence(who, random.nextBoolean());
                            }
                        }
                        case 4 -> {
                            if (room != null) {
                                room.delete(new Position(
                                        room.epoch, Math.max(0, room.end().offset() - random.nextInt(4))));
                            }
                        }
                        case 5 -> {
                            if (random.nextInt(4) == 0) {
                                LocalBroker of = broker;
                                of.purge(() -> of.room(name, name, null));
                            }
                        }
                        case 6 -> time.advance(Duration.ofMillis(random.nextInt(1500)));
                        case 7 -> {
                            if (room != null) {
                                room.detach(who, sink);
                            }
                        }
                        default ->
                            broker.publish(
                                    name,
                                    name,
                                    Outgoing.of("e").rawData("1"),
                                    random.nextBoolean()
                                            ? Recipients.EVERYONE
                                            : Recipients.EVERYONE.except(List.of("s1")),
                                    random.nextBoolean() ? "k" + random.nextInt(20) : null);
                    }
                } catch (RealtimeException full) {
                    assertEquals("overloaded", full.code().value());
                }
                assertEquals(broker.countLogBytes(), broker.logBytes(), "seed " + seed + " step " + step);
            }
        }
    }
}
