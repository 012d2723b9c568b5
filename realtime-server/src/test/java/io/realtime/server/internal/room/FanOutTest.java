package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import io.realtime.Position;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Limits;
import io.realtime.server.Retention;
import io.realtime.server.Session;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import io.realtime.testing.HeldExecutor;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.mockito.Mockito;

/** Who receives what, in which order, and on whose thread. */
@Timeout(60)
class FanOutTest {
    private final HeldExecutor executor = new HeldExecutor();

    private LocalBroker broker(Executor tasks) {
        Retention retention = new Retention(1_000_000, Duration.ofHours(1), 1L << 30);
        Limits limits = Limits.builder().logBytes(1L << 30).build();
        return new LocalBroker(new ManualScheduler(), tasks, new Random(1), room -> retention, limits);
    }

    private static final class Member implements MemberConnection {
        final Subscriber session = session();
        final List<Long> offsets = new ArrayList<>();
        int batches;
        int longestBatch; // in bytes
        boolean lags;
        int aborts;
        Runnable onSend = () -> {};
        private volatile @Nullable Runnable proceed;

        Member join(LocalBroker broker) {
            return join(broker, 0);
        }

        Member join(LocalBroker broker, int history) {
            LocalBroker.JoinChange joined = broker.link("r", "r", session, this, null, history);
            joined.start();
            return this;
        }

        @Override
        public void send(MessageBatch batch) {
            batches++;
            longestBatch = Math.max(
                    longestBatch,
                    batch.frames().stream().mapToInt(WireMessage::length).sum());
            batch.frames().forEach(frame -> offsets.add(offset(frame)));
            onSend.run();
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

        @Override
        public void abort() {
            aborts++;
        }

        void catchUp() {
            Runnable held = Objects.requireNonNull(proceed);
            lags = false;
            proceed = null;
            held.run();
        }

        /** Catches up if a flush waits for it: none does while no message is for it. */
        void stopLagging() {
            lags = false;
            if (proceed != null) {
                catchUp();
            }
        }
    }

    private static Subscriber session() {
        Subscriber session =
                Mockito.mock(Subscriber.class, Mockito.withSettings().stubOnly());
        Mockito.when(session.id()).thenReturn("session " + System.identityHashCode(session));
        Mockito.when(session.userId()).thenReturn("some user");
        Mockito.when(session.tags()).thenReturn(Map.of());
        Mockito.when(session.tagHistory()).thenReturn(TagHistory.of(Map.of()));
        return session;
    }

    @Test
    void messageThatCannotBeAddedEndsTheConnectionsThatLackIt() {
        LocalBroker broker = broker(executor);
        Member ann = new Member().join(broker);
        Member bob = new Member().join(broker);
        Audience audience = Mockito.spy(Audience.EVERYONE);
        Mockito.when(audience.allBut()).thenThrow(new OutOfMemoryError("as requested"));
        Recipients to = Mockito.mock(Recipients.class);
        Mockito.when(to.untested()).thenReturn(audience);
        publish(broker, Recipients.EVERYONE);
        Position at = broker.publish("r", "r", Outgoing.of("e"), to);
        assertEquals(2, Objects.requireNonNull(at).offset(), "the message is in the log, and is not to be sent again");
        assertEquals(1, ann.aborts);
        assertEquals(1, bob.aborts);
        assertEquals(List.of(1L), bob.offsets);
        publish(broker, Recipients.EVERYONE);
        assertEquals(List.of(1L, 2L, 3L), new Member().join(broker, 10).offsets);
    }

    /** Many members who are not looked at. */
    private static void crowd(LocalBroker broker, int members) {
        MemberConnection nowhere = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {}

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        for (int i = 0; i < members; i++) {
            Subscriber session =
                    Mockito.mock(Subscriber.class, Mockito.withSettings().stubOnly());
            Mockito.when(session.id()).thenReturn("session " + i);
            Mockito.when(session.userId()).thenReturn("user " + i);
            broker.link("r", "r", session, nowhere, null, 0).start();
        }
    }

    private static void publish(LocalBroker broker, Recipients to) {
        assertNotNull(broker.publish("r", "r", Outgoing.of("e").rawData("1"), to));
    }

    private static long offset(WireMessage frame) {
        return JsonParser.parseString(frame.asText())
                .getAsJsonObject()
                .get("offset")
                .getAsLong();
    }

    // ---------------------------------------------------------------- the flusher

    /** Each message that is handed out brings the next: as if other threads published all the time. */
    private static Member endless(LocalBroker broker, int messages) {
        Member member = new Member().join(broker);
        crowd(broker, 99);
        int[] left = {messages};
        member.onSend = () -> {
            if (left[0]-- > 0) {
                publish(broker, Recipients.EVERYONE);
            }
        };
        return member;
    }

    @Test
    void publisherDoesBoundedWorkForOthersAndHandsOver() {
        LocalBroker broker = broker(executor);
        Member member = endless(broker, 10_000);
        publish(broker, Recipients.EVERYONE);
        assertTrue(member.offsets.size() <= 12, "the first publisher handed out " + member.offsets.size());
        assertEquals(1, executor.size());
        while (executor.size() > 0) {
            int before = member.offsets.size();
            executor.runNext();
            assertTrue(member.offsets.size() - before <= 12, "so does who goes on");
        }
        assertEquals(LongStream.rangeClosed(1, 10_001).boxed().toList(), member.offsets);
    }

    @Test
    void publisherGoesOnWhenTheExecutorRejects() {
        LocalBroker broker = broker(task -> {
            throw new RejectedExecutionException("as requested");
        });
        Member member = endless(broker, 10_000);
        publish(broker, Recipients.EVERYONE);
        assertEquals(LongStream.rangeClosed(1, 10_001).boxed().toList(), member.offsets);
    }

    @Test
    void executorThatRunsTasksAtOnceDoesNotNestFlushes() {
        LocalBroker broker = broker(Runnable::run);
        Member member = endless(broker, 50_000);
        publish(broker, Recipients.EVERYONE);
        assertEquals(50_001, member.offsets.size());
    }

    @Test
    void flushGoesOnAfterALagThoughTheExecutorRejects() {
        LocalBroker broker = broker(task -> {
            throw new RejectedExecutionException("as requested");
        });
        Member member = new Member().join(broker);
        member.lags = true;
        publish(broker, Recipients.EVERYONE);
        publish(broker, Recipients.EVERYONE);
        assertEquals(List.of(), member.offsets);
        member.catchUp();
        assertEquals(List.of(1L, 2L), member.offsets);
    }

    // ---------------------------------------------------------------- audiences

    /** Each member receives what is meant for it, once and in order, in the batches of the others; so does the log's reader. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void everyMemberReceivesWhatIsMeantForIt(long seed) {
        Random random = new Random(seed);
        LocalBroker broker = broker(executor);
        List<Member> members = new ArrayList<>();
        List<List<Long>> meant = new ArrayList<>();
        for (int i = 0; i < 5 + random.nextInt(100); i++) {
            Member member = new Member();
            Map<String, String> tags = Map.of("team", "team" + random.nextInt(3));
            Mockito.when(member.session.tags()).thenReturn(tags);
            Mockito.when(member.session.tagHistory()).thenReturn(TagHistory.of(tags));
            members.add(member.join(broker));
            meant.add(new ArrayList<>());
        }
        Member first = members.get(0);
        long offset = 0;
        for (int step = 0; step < 300; step++) {
            if (random.nextInt(10) == 0) {
                if (first.lags) {
                    first.stopLagging();
                    executor.runAll();
                } else {
                    first.lags = true;
                }
            }
            offset++;
            Set<Subscriber> out = new HashSet<>();
            for (int i = random.nextInt(3); i > 0; i--) {
                out.add(members.get(random.nextInt(members.size())).session);
            }
            Recipients to =
                    Recipients.EVERYONE.except(out.stream().map(Session::id).toList());
            if (random.nextInt(4) == 0) {
                for (Member member : members) {
                    if (random.nextInt(3) == 0) {
                        out.add(member.session);
                    }
                }
                to = to.filter(session -> !out.contains(session));
            }
            if (random.nextInt(4) == 0) {
                List<Member> some = new ArrayList<>(members);
                some.removeIf(member -> random.nextInt(3) == 0);
                to = to.only(some.stream().map(member -> member.session.id()).toList());
                members.stream().filter(member -> !some.contains(member)).forEach(member -> out.add(member.session));
            }
            if (random.nextInt(4) == 0) {
                String team = "team" + random.nextInt(3);
                to = to.having("team", team);
                members.stream()
                        .filter(member -> !team.equals(member.session.tags().get("team")))
                        .forEach(member -> out.add(member.session));
            }
            for (int i = 0; i < members.size(); i++) {
                if (!out.contains(members.get(i).session)) {
                    meant.get(i).add(offset);
                }
            }
            publish(broker, to);
        }
        first.stopLagging();
        executor.runAll();
        for (int i = 0; i < members.size(); i++) {
            Member member = members.get(i);
            assertEquals(meant.get(i), member.offsets, "seed " + seed + ", member " + i);
            member.offsets.clear();
            member.join(broker, 1_000_000);
            assertEquals(meant.get(i), member.offsets, "seed " + seed + ", from the log, member " + i);
        }
    }

    @Test
    void messageWithoutOneMemberSharesTheBatchOfTheOthers() {
        LocalBroker broker = broker(executor);
        Member sender = new Member().join(broker);
        Member other = new Member().join(broker);
        sender.lags = true;
        for (int i = 0; i < 10; i++) {
            publish(
                    broker,
                    i % 2 == 0 ? Recipients.EVERYONE : Recipients.EVERYONE.except(List.of(sender.session.id())));
        }
        sender.catchUp();
        executor.runNext();
        assertEquals(List.of(1L, 3L, 5L, 7L, 9L), sender.offsets);
        assertEquals(10, other.offsets.size());
        assertEquals(2, other.batches, "the first message, and all others together");
    }

    /** The messages that wait for a transport that lags, and for the members after it, leave in several batches. */
    @Test
    void batchesAfterALagKeepTheByteBound() {
        LocalBroker broker = broker(executor);
        Member lagging = new Member().join(broker);
        Member other = new Member().join(broker);
        lagging.lags = true;
        String data = '"' + "x".repeat(5_000) + '"';
        int messages = 100;
        for (int i = 0; i < messages; i++) {
            assertNotNull(broker.publish("r", "r", Outgoing.of("e").rawData(data), Recipients.EVERYONE));
        }
        lagging.catchUp();
        executor.runAll();
        for (Member member : List.of(lagging, other)) {
            assertEquals(LongStream.rangeClosed(1, messages).boxed().toList(), member.offsets);
            assertTrue(member.longestBatch <= broker.batchBytes(), "a batch of " + member.longestBatch + " bytes");
            assertTrue(member.batches < 15, member.batches + " batches: they are as long as they may be");
        }
    }

    @Test
    void memberInAReusedSeatReceivesNothingOfTheFormer() {
        LocalBroker broker = broker(executor);
        new Member().join(broker);
        Member leaver = new Member().join(broker);
        publish(broker, Recipients.EVERYONE.filter(session -> session == leaver.session));
        Objects.requireNonNull(broker.find("r")).remove(leaver.session);
        Member successor = new Member().join(broker, 10);
        assertEquals(List.of(), successor.offsets);
        publish(broker, Recipients.EVERYONE.filter(session -> session == successor.session));
        assertEquals(List.of(2L), successor.offsets);
        assertEquals(List.of(1L), leaver.offsets);
    }

    @Test
    void memberKeepsItsSeatOnANewConnection() {
        LocalBroker broker = broker(executor);
        Member member = new Member().join(broker);
        publish(broker, Recipients.EVERYONE.filter(session -> true));
        publish(broker, Recipients.EVERYONE.filter(session -> false));
        member.offsets.clear();
        member.join(broker, 10);
        assertEquals(List.of(1L), member.offsets);
    }

    @Test
    void memberThatJoinsDuringTheFilterIsNotAddressed() {
        LocalBroker broker = broker(executor);
        new Member().join(broker);
        Member member = new Member().join(broker);
        Member late = new Member();
        publish(broker, Recipients.EVERYONE.filter(session -> {
            Objects.requireNonNull(broker.find("r")).remove(member.session);
            late.join(broker);
            return true;
        }));
        assertEquals(List.of(), late.offsets);
        assertEquals(List.of(), member.offsets);
    }

    private static void awaitWaiting(List<Thread> threads) {
        for (Thread thread : threads) {
            while (thread != Thread.currentThread() && thread.getState() != Thread.State.WAITING) {
                Thread.onSpinWait();
            }
        }
    }

    /** Several publishers are held by what waits for one transport; all go on when it has caught up. */
    @Test
    void allPublishersThatAreHeldGoOnWhenTransportCatchesUp() throws Exception {
        LocalBroker broker = broker(task -> {}); // a pool without a free thread
        Member lagging = new Member().join(broker);
        lagging.lags = true;
        String data = '"' + "x".repeat(300_000) + '"';
        List<Thread> publishers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Thread publisher = new Thread(() -> {
                for (int message = 0; message < 10; message++) {
                    broker.publish("r", "r", Outgoing.of("e").rawData(data), Recipients.EVERYONE);
                }
            });
            publisher.setDaemon(true);
            publishers.add(publisher);
            publisher.start();
        }
        while (lagging.proceed == null || broker.logBytes() < 1 << 20) {
            Thread.onSpinWait();
        }
        awaitWaiting(publishers);
        AtomicBoolean isFirst = new AtomicBoolean(true);
        lagging.onSend = () -> { // by the publisher that flushes: the others are held again meanwhile
            if (isFirst.getAndSet(false)) {
                awaitWaiting(publishers);
            }
        };
        lagging.catchUp();
        for (Thread publisher : publishers) {
            publisher.join(10_000);
            assertFalse(publisher.isAlive(), "a publisher is held for ever");
        }
        Objects.requireNonNull(broker.find("r")).flush();
        assertEquals(30, lagging.offsets.size());
    }

    /** What waits for a transport that lags: lists of receivers count, so the publisher is held at 1 MiB and not at 200. */
    @Test
    void receiversOfWaitingMessagesCountAgainstWhatMayBePending() throws Exception {
        LocalBroker broker = broker(executor);
        Member lagging = new Member().join(broker);
        crowd(broker, 5_000);
        lagging.lags = true;
        int messages = 5_000;
        Thread publisher = new Thread(() -> {
            for (int i = 0; i < messages; i++) {
                publish(broker, Recipients.EVERYONE.filter(session -> true));
            }
        });
        publisher.start();
        while (publisher.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        long published = Objects.requireNonNull(broker.find("r")).end().offset();
        assertTrue(published < 1_600, "published " + published + ", 632 bytes of bits each");
        lagging.catchUp();
        publisher.join(30_000);
        assertEquals(messages, lagging.offsets.size());
    }

    /** Returns how many bytes this thread has allocated; by reflection, since the module does not read jdk.management. */
    private static long allocated() throws ReflectiveOperationException {
        Object threads = Class.forName("java.lang.management.ManagementFactory")
                .getMethod("getThreadMXBean")
                .invoke(null);
        return (long) Class.forName("com.sun.management.ThreadMXBean")
                .getMethod("getCurrentThreadAllocatedBytes")
                .invoke(threads);
    }

    /** Returns the bytes that this thread allocates for each message to some of 5,000 members, on average of a thousand. */
    private long allocated(Function<Subscriber, Recipients> to) throws ReflectiveOperationException {
        LocalBroker broker = broker(executor);
        Member sender = new Member().join(broker);
        crowd(broker, 4_999);
        Recipients recipients = to.apply(sender.session); // once: a mock allocates when it is asked
        long before = 0;
        for (int i = -100; i < 1_000; i++) {
            if (i == 0) {
                before = allocated();
            }
            publish(broker, recipients);
            executor.runAll();
        }
        return (allocated() - before) / 1_000;
    }

    /** A list of the members would be 20,000 bytes at least; a bit for each is 632. */
    @Test
    void messageToSomeOfManyMakesNoListOfMembers() throws ReflectiveOperationException {
        long except = allocated(sender -> Recipients.EVERYONE.except(List.of(sender.id())));
        long filtered = allocated(sender -> Recipients.EVERYONE.filter(session -> session != sender));
        assertTrue(except < 6_000, "except: " + except + " bytes a message");
        assertTrue(filtered < 6_000, "filter: " + filtered + " bytes a message");
    }

    @Test
    void filteredMessageToManyMembersKeepsTheLog() {
        LocalBroker broker = new LocalBroker(
                new ManualScheduler(),
                executor,
                new Random(1),
                room -> new Retention(1_000, Duration.ofHours(1), 100_000),
                Limits.builder().logBytes(64 << 20).build());
        crowd(broker, 5_000); // with 64 bytes for each of them the second message would push out the first
        publish(broker, Recipients.EVERYONE);
        publish(broker, Recipients.EVERYONE.filter(session -> true));
        Member reader = new Member().join(broker, 10);
        assertEquals(List.of(1L), reader.offsets, "the second is not for one who came later");
    }
}
