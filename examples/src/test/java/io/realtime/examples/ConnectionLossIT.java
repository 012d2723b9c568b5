package io.realtime.examples;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertIterableEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.Event;
import io.realtime.Heartbeat;
import io.realtime.Message;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.DroppedMessage;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.testing.FaultProxy;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A server and two clients over real sockets that break all the time, in the middle of whatever is under way. Messages
 * flow both ways throughout: each cut waits for its part of them to have arrived. In full, and with another history for
 * each seed:
 *
 * <pre>mvn verify -pl examples -am -Dtest=none -Dsurefire.failIfNoSpecifiedTests=false \
 *     -Dit.test=ConnectionLossIT -Dfailsafe.failIfNoSpecifiedTests=false \
 *     -Dloss.messages=20000 -Dloss.cuts=200 -Dloss.seed=1</pre>
 */
@Timeout(180)
class ConnectionLossIT {
    record Note(int number, String text) {}

    private static final Event<Note> SAY = Event.of("say", Note.class);
    private static final Event<Note> NEWS = Event.of("news", Note.class);

    private static final long SEED = Long.getLong("loss.seed", 1);
    private static final int MESSAGES = Integer.getInteger("loss.messages", 4_000); // each way
    private static final int CUTS = Integer.getInteger("loss.cuts", 40);
    private static final int CLIENTS = 2;
    private static final int SENT = MESSAGES / CLIENTS; // by each client
    private static final int AHEAD = 3; // so many parts of the messages, one for each cut, may be under way
    private static final int UNACKNOWLEDGED = 500; // half of what an outbox holds by default

    private final Random random = new Random(SEED);
    private final Map<String, Queue<Integer>> handled = new ConcurrentHashMap<>(); // by user
    private final AtomicInteger handledCount = new AtomicInteger();
    private final AtomicInteger redelivered = new AtomicInteger();
    private final ReadWriteLock handlers = new ReentrantReadWriteLock(); // who writes holds them up
    private final Queue<String> trouble = new ConcurrentLinkedQueue<>();

    @Test
    void nothingIsLostRepeatedOrReordered() throws Exception {
        long start = System.nanoTime();
        try (RealtimeServer server = start();
                FaultProxy proxy = FaultProxy.to(server.port());
                Party ann = new Party("ann", proxy.port());
                Party bob = new Party("bob", proxy.port())) {
            List<Party> parties = List.of(ann, bob);
            List<Flow> flows = new ArrayList<>();
            for (Party party : parties) {
                party.client.connect().get(10, TimeUnit.SECONDS);
                party.client.room("news").join().get(10, TimeUnit.SECONDS);
                flows.add(new Flow(party.user, SENT, party::say));
            }
            flows.add(new Flow(
                    "server",
                    MESSAGES,
                    note -> server.connections().room("news").send(NEWS, note)));
            int sessions = server.connections().sessionCount();
            for (int cut = 0; cut < CUTS; cut++) {
                int progress = (int) ((cut + random.nextDouble()) * part(SENT) * CLIENTS);
                until(() ->
                        handledCount.get() >= progress && parties.stream().allMatch(p -> p.news.size() >= progress));
                proxy.delay(Duration.ofMillis(random.nextInt(4)));
                Runnable traffic = () -> flows.forEach(Flow::allowMore);
                if (random.nextBoolean()) {
                    cut(proxy, parties, traffic);
                } else {
                    cutWhileHandlersDawdle(proxy, parties, traffic);
                }
            }
            flows.forEach(Flow::allowAll);
            for (Flow flow : flows) {
                flow.done.get(60, TimeUnit.SECONDS);
            }
            for (Party party : parties) {
                CompletableFuture.allOf(party.fates.toArray(new CompletableFuture<?>[0]))
                        .get(60, TimeUnit.SECONDS);
            }
            until(() -> parties.stream().allMatch(p -> p.news.size() >= MESSAGES));
            assertEquals(sessions, server.connections().sessionCount(), "each session was resumed throughout");
            ann.client.close();
            bob.client.close();
            server.close(Duration.ofSeconds(5)); // whatever still comes has come by now
            report(start, parties);
            parties.forEach(this::check);
        }
        assertEquals(List.of(), List.copyOf(trouble), replay());
    }

    private RealtimeServer start() {
        return RealtimeServer.builder()
                .port(0)
                .authenticator(c -> CompletableFuture.completedFuture(Authentication.of(String.valueOf(c.token()))))
                .allowJoin((session, room) -> true)
                .on(SAY, (session, message) -> handle(session.user().id(), message))
                .limits(Limits.builder() // as fast as it goes
                        .rate(RateLimit.none())
                        .resumptionsPerSession(RateLimit.none())
                        .build())
                .retention(new Retention(MESSAGES, Duration.ofHours(1)))
                .heartbeat(new Heartbeat(Duration.ofMillis(150), Duration.ofMillis(400)))
                .build()
                .start();
    }

    private void handle(String user, Message<Note> message) {
        handlers.readLock().lock();
        try {
            handled.computeIfAbsent(user, first -> new ConcurrentLinkedQueue<>())
                    .add(message.data().number());
            handledCount.incrementAndGet();
            redelivered.addAndGet(message.isRedelivered() ? 1 : 0);
        } finally {
            handlers.readLock().unlock();
        }
    }

    /** Loses every connection, in one of the ways of networks, while more traffic begins. */
    private void cut(FaultProxy proxy, List<Party> parties, Runnable traffic) {
        switch (random.nextInt(6)) {
            case 0 -> { // in the middle of a message, of an upgrade, or of a resumption
                proxy.resetAfter(1 + random.nextInt(4_000));
                traffic.run();
                awaitLoss(parties);
                proxy.resetAfter(0);
            }
            case 1 -> { // silence, and what was sent into it arrives when it is too late
                proxy.halfOpen(true);
                traffic.run();
                awaitLoss(parties);
                proxy.halfOpen(false);
            }
            case 2 -> { // again, while they come back
                proxy.cutAll();
                traffic.run();
                until(() -> proxy.connections() > 0);
                proxy.cutAll();
            }
            default -> {
                traffic.run();
                proxy.cutAll();
            }
        }
    }

    /** As {@link #cut}; what was received is not processed yet when the clients are back, and send it again. */
    private void cutWhileHandlersDawdle(FaultProxy proxy, List<Party> parties, Runnable traffic) {
        until(() -> proxy.connections() == CLIENTS && parties.stream().allMatch(p -> p.client.isConnected()));
        List<Integer> before = losses(parties);
        handlers.writeLock().lock();
        try {
            cut(proxy, parties, traffic);
            until(() -> haveLost(parties, before) && parties.stream().allMatch(p -> p.client.isConnected()));
        } finally {
            handlers.writeLock().unlock();
        }
    }

    private static void awaitLoss(List<Party> parties) {
        List<Integer> before = losses(parties);
        until(() -> haveLost(parties, before));
    }

    private static List<Integer> losses(List<Party> parties) {
        return parties.stream().map(p -> p.losses.get()).toList();
    }

    private static boolean haveLost(List<Party> parties, List<Integer> before) {
        return IntStream.range(0, CLIENTS).allMatch(i -> parties.get(i).losses.get() > before.get(i));
    }

    private static void until(Callable<Boolean> condition) {
        await(replay())
                .atMost(Duration.ofSeconds(30))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .until(condition);
    }

    /** How many of these messages each cut lets go: some are left for the last one. */
    private static int part(int messages) {
        return messages / (CUTS + AHEAD);
    }

    private static String replay() {
        return "-Dloss.seed=" + SEED + " -Dloss.messages=" + MESSAGES + " -Dloss.cuts=" + CUTS;
    }

    private void report(long start, List<Party> parties) {
        int losses = parties.stream().mapToInt(p -> p.losses.get()).sum();
        long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
        System.out.printf(
                "%s: %,d ms, %d lost connections, %d messages redelivered%n",
                replay(), millis, losses, redelivered.get());
        assertTrue(losses >= CUTS, () -> replay() + ": only " + losses + " connections were lost");
    }

    private void check(Party party) {
        String what = replay() + " " + party.user;
        assertIterableEquals(IntStream.range(0, SENT).boxed().toList(), handled.get(party.user), what);
        assertIterableEquals(IntStream.range(0, MESSAGES).boxed().toList(), party.news, what);
        assertIterableEquals(LongStream.rangeClosed(1, MESSAGES).boxed().toList(), party.offsets, what);
    }

    /** A client that sends and receives. */
    private final class Party implements ClientListener, AutoCloseable {
        final String user;
        final RealtimeClient client;
        final Semaphore outbox = new Semaphore(UNACKNOWLEDGED);
        final Queue<CompletableFuture<Void>> fates = new ConcurrentLinkedQueue<>();
        final AtomicInteger losses = new AtomicInteger();
        final Queue<Integer> news = new ConcurrentLinkedQueue<>();
        final Queue<Long> offsets = new ConcurrentLinkedQueue<>();

        Party(String user, int port) {
            this.user = user;
            client = RealtimeClient.builder(URI.create("ws://localhost:" + port + "/ws"))
                    .token(user)
                    .listener(this)
                    .connectTimeout(Duration.ofMillis(500)) // what a silent network costs an attempt
                    .backoff(Backoff.builder()
                            .floor(Duration.ofMillis(1))
                            .initial(Duration.ofMillis(10))
                            .cap(Duration.ofMillis(50))
                            .build())
                    .build();
            client.on(NEWS, this::onNews);
        }

        private void onNews(Message<Note> message) {
            offsets.add(Objects.requireNonNull(message.position()).offset());
            news.add(message.data().number());
        }

        void say(Note note) throws InterruptedException {
            outbox.acquire();
            fates.add(client.send(SAY, note).whenComplete((done, failure) -> outbox.release()));
        }

        @Override
        public void onState(ConnectionState state) {
            if (state.status() == ConnectionState.Status.WAITING) {
                losses.incrementAndGet();
            }
        }

        @Override
        public void onError(Throwable failure) {
            trouble.add(user + " was told " + failure);
        }

        @Override
        public void onDropped(DroppedMessage message) {
            trouble.add(user + " dropped " + message);
        }

        @Override
        public void onGap(Gap gap) {
            trouble.add(user + " was told of " + gap);
        }

        @Override
        public void close() {
            client.close();
        }
    }

    /** A thread that sends notes of all sizes, as many as the cuts allow. */
    private static final class Flow {
        final CompletableFuture<Void> done = new CompletableFuture<>();
        private final int part;
        private final Semaphore allowed;

        Flow(String name, int count, Sink sink) {
            part = part(count);
            allowed = new Semaphore(AHEAD * part);
            Thread thread = new Thread(() -> send(new Random(SEED + name.hashCode()), count, sink), "flow-" + name);
            thread.setDaemon(true);
            thread.start();
        }

        private void send(Random random, int count, Sink sink) {
            try {
                for (int number = 0; number < count; number++) {
                    allowed.acquire();
                    int length = random.nextInt(20) == 0 ? random.nextInt(20_000) : random.nextInt(200);
                    sink.send(new Note(number, "x".repeat(length)));
                }
                done.complete(null);
            } catch (InterruptedException | RuntimeException failure) {
                done.completeExceptionally(failure);
            }
        }

        void allowMore() {
            allowed.release(part);
        }

        void allowAll() {
            allowed.release(MESSAGES);
        }
    }

    private interface Sink {
        void send(Note note) throws InterruptedException;
    }
}
