package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.fail;

import io.realtime.internal.Ids;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Limits;
import io.realtime.server.Retention;
import io.realtime.server.internal.session.Inboxes;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Isolated;
import org.mockito.Mockito;

/** What the budget counts is what the heap holds. */
@Timeout(120)
@Isolated("measures the heap")
class RoomCostTest {
    private final LocalBroker broker = new LocalBroker(
            new ManualScheduler(),
            Runnable::run,
            new Random(1),
            room -> new Retention(1_000, Duration.ofDays(7)),
            Limits.builder().logBytes(1L << 30).roomsPerUser(1_000_000).build());

    /** The counted cost covers the heap to a seventh, and is not more than a third above it. */
    private void check(Runnable fill) {
        check(broker::logBytes, () -> {}, fill);
    }

    /**
     * What the rest of the process allocates or frees meanwhile disturbs a measurement, but not three of them.
     *
     * @param prepare makes what is no part of the cost, before each filling
     */
    private static void check(LongSupplier account, Runnable prepare, Runnable fill) {
        prepare.run();
        fill.run(); // once before, so that classes and tables are there
        List<String> off = new ArrayList<>();
        while (off.size() < 3) {
            prepare.run();
            long counted = -account.getAsLong();
            long measured = -used();
            fill.run();
            measured += used();
            counted += account.getAsLong();
            if (counted > measured * 0.87 && counted < measured * 1.33) {
                return;
            }
            off.add("counted " + counted + " bytes, the heap holds " + measured);
        }
        fail(off.toString());
    }

    private static long used() {
        Runtime runtime = Runtime.getRuntime();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 4; i++) {
            System.gc();
            least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
        }
        return least;
    }

    private static final MemberConnection NOWHERE = new Nowhere();

    private final Random random = new Random(1);
    private int made;
    private final Map<Object, RoomChannel> joins =
            new ConcurrentHashMap<>(); // a session's entry for each room it is in

    @Test
    void inboxWithOneMessageIsCounted() {
        check(() -> {
            for (int i = 0; i < 30_000; i++) {
                String user = Inboxes.key("user" + made++);
                publish(user, Names.USER, 100, Recipients.EVERYONE);
            }
        });
    }

    @Test
    void fullLogIsCounted() {
        check(() -> {
            for (int i = 0; i < 40_000; i++) {
                publish("room" + made++ / 700, "r", 100, Recipients.EVERYONE);
            }
        });
    }

    @Test
    void shortMessageIsCounted() {
        check(() -> {
            for (int i = 0; i < 40_000; i++) {
                publish("room" + made++ / 9, "r", 1, Recipients.EVERYONE);
            }
        });
    }

    @Test
    void messageWithKeyIsCounted() {
        check(() -> {
            for (int i = 0; i < 40_000; i++) {
                String room = "room" + made++ / 700;
                Outgoing message = Outgoing.of("e").rawData("1");
                assertNotNull(broker.publish(room, "r", message, Recipients.EVERYONE, Ids.name(random)));
            }
        });
    }

    @Test
    void messageForSomeIsCounted() {
        LogBudget budget = new LogBudget(1 << 20);
        List<RoomLog> logs = new ArrayList<>();
        check(budget::used, () -> {}, () -> {
            for (int i = 0; i < 20_000; i++) {
                if (i % 1_000 == 0) {
                    logs.add(new RoomLog(Retention.defaults(), 0, budget.rooms(), share -> {}));
                }
                RoomLog log = logs.get(logs.size() - 1);
                long[] bits = new long[20];
                bits[i % 20] = 1;
                bits[7] = i;
                log.append(WireMessage.text(new byte[50]), audience(i % 6, bits), 0);
            }
        });
    }

    private Audience audience(int kind, long[] bits) {
        return switch (kind) {
            case 0 -> Audience.EVERYONE.except(Set.of(Ids.name(random)));
            case 1 -> Audience.EVERYONE.only(ids(3));
            case 2 -> Audience.EVERYONE.having(Ids.name(random), Ids.name(random) + "é安");
            case 3 -> Audience.EVERYONE.only(ids(20)).except(ids(5)).having("role", Ids.name(random));
            default -> Audience.EVERYONE.seated(5, bits);
        };
    }

    private List<String> ids(int count) {
        return Stream.generate(() -> Ids.name(random)).limit(count).toList();
    }

    @Test
    void roomWithOneMemberIsCounted() {
        Subscriber session =
                Mockito.mock(Subscriber.class, Mockito.withSettings().stubOnly());
        Mockito.when(session.id()).thenReturn("some session");
        Mockito.when(session.userId()).thenReturn("some user");
        check(() -> {
            for (int i = 0; i < 20_000; i++) {
                join("room" + made++, session);
            }
        });
    }

    @Test
    void memberOfALargeRoomIsCounted() {
        Subscriber[] sessions = new Subscriber[20_000];
        Runnable prepare = () -> {
            for (int i = 0; i < sessions.length; i++) {
                sessions[i] =
                        Mockito.mock(Subscriber.class, Mockito.withSettings().stubOnly());
                Mockito.when(sessions[i].id()).thenReturn(Ids.name(random));
                Mockito.when(sessions[i].userId()).thenReturn("some user");
                join("before", sessions[i]); // a mock keeps its last call: so it was the same before what is measured
            }
        };
        check(broker::logBytes, prepare, () -> {
            for (Subscriber session : sessions) {
                join("r", session);
            }
            broker.publish("r", "r", Outgoing.ephemeral("e"), Recipients.EVERYONE);
        });
    }

    private void join(String room, Subscriber session) {
        LocalBroker.JoinChange joined = broker.link(room, room, session, NOWHERE, null, 0);
        joined.start();
        joins.put(joined.link(), joined.room());
    }

    private void publish(String key, String name, int length, Recipients to) {
        assertNotNull(broker.publish(key, name, Outgoing.of("e").rawData('"' + "x".repeat(length) + '"'), to));
    }

    private static final class Nowhere implements MemberConnection {
        @Override
        public void send(MessageBatch batch) {}

        @Override
        public boolean awaitDrained(Runnable proceed) {
            return false;
        }
    }
}
