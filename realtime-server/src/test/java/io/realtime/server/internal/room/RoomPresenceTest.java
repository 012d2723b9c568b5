package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.internal.wire.Protocol.PresenceNotice;
import io.realtime.internal.wire.Protocol.PresentMember;
import io.realtime.server.Limits;
import io.realtime.server.PresenceRule;
import io.realtime.server.Retention;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.mockito.Mockito;

/** The presence of one room: what its watchers are sent when they are slow, when it is large, and under concurrency. */
@Timeout(60)
class RoomPresenceTest extends RoomChannelFixture {
    private static final Duration INTERVAL = Duration.ofMillis(250);

    private final LocalBroker broker = broker(PresenceRule.forRooms("").withMostMembers(100), 1L << 30);

    private LocalBroker broker(PresenceRule rule, long bytes) {
        Limits limits = Limits.builder().logBytes(bytes).roomsPerUser(1_000_000).build();
        LocalBroker made =
                new LocalBroker(time, Runnable::run, new Random(1), room -> Retention.none(), List.of(rule), limits);
        brokers.add(made);
        return made;
    }

    private void step() {
        time.advance(INTERVAL.plusMillis(50));
    }

    /** A session, and what its connection is sent. */
    private static final class Person implements MemberConnection {
        final Subscriber session =
                Mockito.mock(Subscriber.class, Mockito.withSettings().stubOnly());
        final Map<String, PresentMember> shown = new HashMap<>();
        final List<String> wrong = new ArrayList<>();
        volatile boolean isConnected = true;
        volatile boolean isCrowded;

        @Nullable
        Runnable proceed;

        long version;
        int snapshots;
        int frames;

        @Nullable
        Integer online;

        Person(String id) {
            Mockito.when(session.id()).thenReturn(id);
            Mockito.when(session.userId()).thenReturn("some user");
            Mockito.when(session.tags()).thenReturn(Map.of());
            Mockito.when(session.isConnected()).thenAnswer(call -> isConnected);
        }

        @Override
        public synchronized void send(MessageBatch batch) {
            for (WireMessage frame : batch.frames()) {
                Envelope envelope = Envelope.parseFromServer(frame.asText());
                if (envelope.type().equals(Protocol.PRESENCE)) {
                    take(envelope.data(PresenceNotice.class));
                }
            }
        }

        private void take(PresenceNotice notice) {
            frames++;
            if (notice.version() < version) {
                wrong.add("back from " + version + ": " + notice);
            }
            online = notice.online();
            if (notice.before() == null) {
                snapshots++;
                shown.clear();
            } else if (notice.before() != version) {
                wrong.add("at " + version + ": " + notice);
            }
            for (PresentMember one : orEmpty(notice.members())) {
                shown.put(one.session(), one);
            }
            for (PresentMember one : orEmpty(notice.joined())) {
                if (shown.put(one.session(), one) != null) {
                    wrong.add("joined twice: " + one);
                }
            }
            for (PresentMember one : orEmpty(notice.changed())) {
                if (one.equals(shown.put(one.session(), one))) {
                    wrong.add("not changed: " + one);
                }
            }
            for (String one : orEmpty(notice.left())) {
                if (shown.remove(one) == null) {
                    wrong.add("left twice: " + one);
                }
            }
            version = notice.version();
        }

        private static <T> List<T> orEmpty(@Nullable List<T> list) {
            return list == null ? List.of() : list;
        }

        @Override
        public synchronized boolean awaitDrained(Runnable proceed) {
            if (isCrowded) {
                this.proceed = proceed;
            }
            return isCrowded;
        }

        void drain() {
            isCrowded = false;
            Objects.requireNonNull(proceed).run();
        }

        RoomChannel join(LocalBroker broker) {
            LocalBroker.JoinChange joined = broker.link("r", "r", session, this, null, 0);
            joined.start();
            return joined.room();
        }

        Person watch(LocalBroker broker) {
            LocalBroker.JoinChange joined = broker.link("r", "r", session, this, null, 0);
            joined.room().watchPresence(session, true);
            joined.start();
            return this;
        }

        /** The ids of the sessions that it is shown with a connection. */
        synchronized Set<String> present() {
            return shown.values().stream()
                    .filter(PresentMember::connected)
                    .map(PresentMember::session)
                    .collect(Collectors.toSet());
        }
    }

    @Test
    void crowdedWatcherGetsOneSnapshotWhenItIsDrained() {
        Person slow = new Person("slow").watch(broker);
        Person quick = new Person("quick").watch(broker);
        step();
        assertEquals(1, slow.snapshots);
        slow.isCrowded = true;
        int before = slow.frames;
        for (int i = 0; i < 20; i++) {
            new Person("p" + i).join(broker);
            step();
        }
        assertEquals(before, slow.frames);
        assertEquals(22, quick.present().size());
        slow.drain();
        step();
        assertEquals(before + 1, slow.frames);
        assertEquals(2, slow.snapshots);
        assertEquals(quick.shown, slow.shown);
        new Person("last").join(broker);
        step();
        assertEquals(before + 2, slow.frames);
        assertEquals(2, slow.snapshots, "differences again");
        assertEquals(List.of(), slow.wrong);
    }

    @Test
    void oldConnectionThatDrainsLateChangesNothing() {
        Person phone = new Person("phone").watch(broker);
        step();
        phone.isCrowded = true;
        RoomChannel room = new Person("other").join(broker);
        step();
        room.detach(phone.session, phone);
        Runnable late = Objects.requireNonNull(phone.proceed);
        phone.isCrowded = false;
        phone.join(broker);
        step();
        assertEquals(Set.of("phone", "other"), phone.present());
        int frames = phone.frames;
        late.run();
        step();
        assertEquals(frames, phone.frames);
        assertEquals(List.of(), phone.wrong);
    }

    @Test
    void placedSessionIsShownWhenItConnects() {
        Person watcher = new Person("watcher").watch(broker);
        Person absent = new Person("absent");
        absent.isConnected = false;
        broker.link("r", "r", absent.session, null, null, 0);
        step();
        assertEquals(Set.of("watcher"), watcher.shown.keySet());
        absent.isConnected = true;
        absent.join(broker);
        step();
        assertEquals(Set.of("watcher", "absent"), watcher.present());
        assertEquals(List.of(), watcher.wrong);
    }

    @Test
    void largeRoomThatChurnsTellsCountsOnly() {
        Person watcher = new Person("watcher").watch(broker);
        List<Person> people = new ArrayList<>();
        for (int i = 0; i < 5_000; i++) {
            people.add(new Person("p" + i));
            people.get(i).join(broker);
        }
        step();
        int before = watcher.frames;
        RoomChannel room = Objects.requireNonNull(broker.find("r"));
        for (Person one : people) {
            room.remove(one.session);
            one.join(broker);
        }
        step();
        assertEquals(5_001, watcher.online);
        assertTrue(watcher.frames - before <= 1, "the counts are the same");
        assertEquals(Map.of(), watcher.shown);
        people.forEach(one -> room.remove(one.session));
        step();
        assertEquals(Set.of("watcher"), watcher.present());
        assertEquals(List.of(), watcher.wrong);
    }

    @Test
    void stateIsChargedAndRefunded() {
        RoomChannel room = new Person("ann").watch(broker).join(broker);
        Person bob = new Person("bob");
        bob.join(broker);
        long before = broker.logBytes();
        assertTrue(room.setState(bob.session, "x".repeat(1_000)));
        assertTrue(broker.logBytes() - before >= 1_000);
        assertEquals(broker.countLogBytes(), broker.logBytes());
        assertTrue(room.setState(bob.session, ""));
        assertEquals(before, broker.logBytes());
        room.setState(bob.session, "x".repeat(1_000));
        room.remove(bob.session);
        assertTrue(broker.logBytes() < before);
        assertFalse(room.setState(bob.session, "late"));
    }

    @Test
    void unwatchedRoomNeedsNoTimer() {
        int before = time.pending();
        Person ann = new Person("ann");
        RoomChannel room = ann.join(broker);
        assertEquals(before, time.pending());
        room.watchPresence(ann.session, true);
        step();
        assertEquals(before, time.pending());
        assertEquals(1, ann.frames);
    }

    /** Threads join, leave, lose and regain connections, while others announce. In the end all are shown the truth. */
    @Test
    void watchersConvergeUnderConcurrency() throws Exception {
        int threads = 4;
        ExecutorService pool = Executors.newFixedThreadPool(threads + 2);
        LocalBroker shared = new LocalBroker(
                time,
                pool,
                new Random(1),
                room -> Retention.none(),
                List.of(PresenceRule.forRooms("").withMostMembers(30).withInterval(Duration.ofMillis(10))),
                Limits.defaults());
        brokers.add(shared);
        List<Person> watchers = List.of(new Person("w1").watch(shared), new Person("w2").watch(shared));
        List<Person> people = new ArrayList<>();
        CountDownLatch done = new CountDownLatch(threads);
        List<Future<?>> work = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            Random random = new Random(t);
            List<Person> mine = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                mine.add(new Person("p" + t + "-" + i));
            }
            people.addAll(mine);
            work.add(pool.submit(() -> {
                try {
                    for (int i = 0; i < 3_000; i++) {
                        act(shared, mine.get(random.nextInt(mine.size())), random.nextInt(4));
                    }
                } finally {
                    done.countDown();
                }
            }));
        }
        while (!done.await(1, TimeUnit.MILLISECONDS)) {
            time.advance(Duration.ofMillis(5));
        }
        for (Future<?> one : work) {
            one.get();
        }
        people.forEach(one -> act(shared, one, people.indexOf(one) % 3 == 0 ? 0 : 1));
        for (int i = 0; i < 50; i++) {
            time.advance(Duration.ofSeconds(1));
            pool.submit(() -> {}).get();
        }
        pool.shutdown();
        assertTrue(pool.awaitTermination(10, TimeUnit.SECONDS));
        Set<String> truth = people.stream()
                .filter(one -> people.indexOf(one) % 3 == 0)
                .map(one -> one.session.id())
                .collect(Collectors.toSet());
        truth.addAll(Set.of("w1", "w2"));
        for (Person watcher : watchers) {
            assertEquals(List.of(), watcher.wrong);
            assertEquals(truth, watcher.present());
            assertEquals(truth, watcher.shown.keySet());
        }
    }

    private static void act(LocalBroker broker, Person one, int how) {
        RoomChannel room = broker.find("r");
        if (how == 1 && room != null) {
            room.remove(one.session);
        } else if (how == 2 && room != null) {
            one.isConnected = false;
            room.detach(one.session, one);
        } else {
            one.isConnected = true;
            one.join(broker);
        }
    }
}
