package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonParser;
import io.realtime.Position;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Limits;
import io.realtime.server.Retention;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import io.realtime.testing.ManualScheduler;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.mockito.Mockito;

/** A broker in virtual time, and members that record what they are handed. */
abstract class RoomChannelFixture {
    final ManualScheduler time = new ManualScheduler();
    final List<LocalBroker> brokers = new ArrayList<>();

    final LocalBroker broker(Retention retention, long budget) {
        return broker(retention, budget, Runnable::run);
    }

    final LocalBroker broker(Retention retention, long budget, Executor executor) {
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
    final void noLockIsKept() throws Exception {
        for (LocalBroker one : brokers) {
            long account = CompletableFuture.supplyAsync(one::countLogBytes).get(10, TimeUnit.SECONDS);
            assertEquals(account, one.logBytes());
        }
    }

    static @Nullable Position positionOf(LocalBroker broker, String room) {
        return broker.publish(room, room, Outgoing.of("e"), Recipients.EVERYONE);
    }

    /** Records offsets; with a pool it asks for a pause now and then, and goes on over there. */
    static final class Recorder implements MemberConnection {
        final @Nullable ExecutorService pool;
        final Phaser replays;
        final Subscriber session = session();
        final List<Long> seen = new ArrayList<>(); // guarded by this
        volatile long begins;
        volatile long until = Long.MAX_VALUE; // the last message that was published before it left
        volatile List<Long> seenWhenTold = List.of();
        int pauses;

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

    static Subscriber session() {
        Subscriber session = Mockito.mock(Subscriber.class);
        Mockito.when(session.id()).thenReturn("session " + System.identityHashCode(session));
        Mockito.when(session.userId()).thenReturn("some user");
        return session;
    }

    static long offset(WireMessage frame) {
        return JsonParser.parseString(frame.asText())
                .getAsJsonObject()
                .get("offset")
                .getAsLong();
    }
}
