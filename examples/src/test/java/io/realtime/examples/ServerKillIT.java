package io.realtime.examples;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertIterableEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.client.ClientListener;
import io.realtime.client.DroppedMessage;
import io.realtime.client.FileOutbox;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.NavigableSet;
import java.util.Objects;
import java.util.Queue;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What holds when the server's process dies while a client sends, again and again: a server that keeps its logs in
 * memory forgets whom it has heard, so messages may be handled again, but then they say so, and none is lost. The client
 * keeps its messages in memory, and in a file. {@link ClientKillIT} is its counterpart.
 *
 * <p>{@code -Dkill.messages} (default 3,000), {@code -Dkill.kills} (3) and {@code -Dkill.seed} (1) give other sizes and
 * histories.
 */
@Timeout(120)
class ServerKillIT {
    static final Event<Integer> SAY = Event.of("say", Integer.class);
    private static final Event<Integer> SAID = Event.of("said", Integer.class);
    static final String ROOM = "said";

    static final long SEED = Long.getLong("kill.seed", 1);
    static final int MESSAGES = Integer.getInteger("kill.messages", 3_000);
    static final int KILLS = Integer.getInteger("kill.kills", 3);
    static final int UNACKNOWLEDGED = 500; // half of what an outbox holds by default
    static final int KILLED = 128 + 9; // what a process ends with after SIGKILL
    private static final Position GAP = new Position("gap", 0);

    /** The server, in a process of its own. Prints its port, and each message before its handler returns. */
    static final class Server {
        private Server() {}

        public static void main(String[] args) throws IOException {
            RealtimeServer server = server(
                    Integer.parseInt(args[0]),
                    message ->
                            Child.print("handled " + message.data() + (message.isRedelivered() ? " again" : "") + ";"));
            Child.print("port " + server.port() + ";");
            Child.untilTestEnds();
            server.close();
        }
    }

    /** Starts a server to which every client is the same user in all its lives, since that goes by the client's id. */
    static RealtimeServer server(int port, Consumer<Message<Integer>> handled) {
        return RealtimeServer.builder()
                .port(port)
                .anonymous()
                .allowJoin((session, room) -> room.equals(ROOM))
                .limits(Limits.builder() // as fast as it goes
                        .rate(RateLimit.none())
                        .resumptionsPerSession(RateLimit.none())
                        .build())
                .on(SAY, (session, message) -> {
                    handled.accept(message);
                    session.room(ROOM).send(SAID, message.data());
                })
                .build()
                .start();
    }

    /** From a start of the server to its end. */
    static final class Life {
        private static final Pattern HANDLED = Pattern.compile("handled (\\d+)( again)?;");

        final CompletableFuture<Integer> printedPort = new CompletableFuture<>();
        final Queue<Integer> handled = new ConcurrentLinkedQueue<>();
        final Queue<Integer> unmarked = new ConcurrentLinkedQueue<>(); // those not said to be redelivered
        final Child child;

        Life(int port) throws IOException {
            child = new Child(Server.class, this::onLine, String.valueOf(port));
        }

        int port() {
            return printedPort.orTimeout(30, TimeUnit.SECONDS).join();
        }

        private void onLine(String line) {
            Matcher message = HANDLED.matcher(line);
            if (message.matches()) {
                int number = Integer.parseInt(message.group(1));
                handled.add(number);
                if (message.group(2) == null) {
                    unmarked.add(number);
                }
            } else {
                assertTrue(line.matches("port \\d+;"), line);
                printedPort.complete(Integer.parseInt(line.substring(5, line.length() - 1)));
            }
        }
    }

    private final Random random = new Random(SEED);
    private final List<Life> lives = new ArrayList<>();
    private final Deque<Position> seen = new ConcurrentLinkedDeque<>(); // by the client, GAP included
    private final Queue<String> trouble = new ConcurrentLinkedQueue<>();
    private final Semaphore outbox = new Semaphore(UNACKNOWLEDGED);

    /** A client that is back soon. */
    static RealtimeClient.Builder clientOf(int port) {
        return RealtimeClient.builder(URI.create("ws://localhost:" + port + "/ws"))
                .backoff(Backoff.builder()
                        .floor(Duration.ofMillis(1))
                        .initial(Duration.ofMillis(20))
                        .cap(Duration.ofMillis(100))
                        .build());
    }

    /** The client that is tested, which keeps its messages in memory, or in a file too. */
    private RealtimeClient client(@Nullable FileOutbox file) {
        RealtimeClient.Builder builder = clientOf(last().port());
        return (file == null ? builder : builder.outboxFile(file))
                .listener(new ClientListener() {
                    @Override
                    public void onGap(Gap gap) {
                        if (gap.room().equals(ROOM)) {
                            seen.add(GAP);
                        }
                    }

                    @Override
                    public void onDropped(DroppedMessage message) {
                        trouble.add("dropped " + message);
                    }

                    @Override
                    public void onError(Throwable failure) {
                        trouble.add("told of " + failure);
                    }
                })
                .build();
    }

    @ParameterizedTest(name = "with its outbox in a file: {0}")
    @ValueSource(booleans = {false, true})
    void nothingIsLostAndRepeatsAreMarked(boolean inFile, @TempDir Path directory) throws Exception {
        FileOutbox file = inFile ? FileOutbox.open(directory.resolve("outbox")) : null;
        begin();
        try (RealtimeClient client = client(file)) {
            client.on(SAID, message -> seen.add(Objects.requireNonNull(message.position())));
            client.connect().get(10, TimeUnit.SECONDS);
            client.room(ROOM).join().get(10, TimeUnit.SECONDS);
            List<CompletableFuture<Void>> fates = new ArrayList<>();
            int part = MESSAGES / KILLS;
            int doomed = random.nextInt(part);
            for (int number = 0; number < MESSAGES; number++) {
                assertTrue(outbox.tryAcquire(30, TimeUnit.SECONDS), replay());
                fates.add(client.send(SAY, number).whenComplete((done, failure) -> outbox.release()));
                if (number == doomed) {
                    kill();
                    if (random.nextBoolean()) { // and again, while it is sent what it may have handled before
                        until(() -> !last().handled.isEmpty() || outbox.availablePermits() == UNACKNOWLEDGED);
                        kill();
                    }
                    doomed += part;
                }
            }
            for (CompletableFuture<Void> fate : fates) {
                fate.get(30, TimeUnit.SECONDS); // acknowledged
            }
            until(() ->
                    !seen.isEmpty() && seen.getLast().offset() == last().handled.size());
            assertEquals(KILLED, last().child.kill(), replay());
        } finally {
            lives.forEach(life -> life.child.close());
        }
        if (file != null) {
            file.sync().get(10, TimeUnit.SECONDS); // it is closed
        }
        assertEquals(List.of(), List.copyOf(trouble), replay());
        assertIterableEquals(IntStream.range(0, MESSAGES).boxed().toList(), checkHandled(lives), replay());
        checkSeen();
    }

    /** Kills the server, whatever it is at, and starts another one on its port. */
    private void kill() throws Exception {
        assertEquals(KILLED, last().child.kill(), replay());
        begin();
        assertEquals(lives.get(0).port(), last().port(), replay());
    }

    private void begin() throws IOException {
        lives.add(new Life(lives.isEmpty() ? 0 : last().port()));
    }

    private Life last() {
        return lives.get(lives.size() - 1);
    }

    static void until(Callable<Boolean> condition) {
        await(replay())
                .atMost(Duration.ofSeconds(30))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .until(condition);
    }

    static String replay() {
        return "-Dkill.seed=" + SEED + " -Dkill.messages=" + MESSAGES + " -Dkill.kills=" + KILLS;
    }

    /**
     * Checks that in each life messages were handled once and in order, and again only when they said so.
     *
     * @return all that were handled
     */
    static NavigableSet<Integer> checkHandled(List<Life> lives) {
        NavigableSet<Integer> before = new TreeSet<>();
        int again = 0;
        for (Life life : lives) {
            String what = replay() + ", life " + lives.indexOf(life);
            List<Integer> handled = List.copyOf(life.handled);
            assertIterableEquals(handled.stream().sorted().distinct().toList(), handled, what);
            assertEquals(
                    List.of(), life.unmarked.stream().filter(before::contains).toList(), what);
            again += (int) handled.stream().filter(before::contains).count();
            before.addAll(handled);
        }
        System.out.printf("%s: %d lives of the server, %d messages handled again%n", replay(), lives.size(), again);
        return before;
    }

    /** One life's messages came one after the other; between two lives the client was told of a gap. */
    private void checkSeen() {
        Position last = new Position("", 0);
        boolean gap = true;
        for (Position next : seen) {
            boolean isGap = next.equals(GAP);
            if (!isGap) {
                assertEquals(!next.epoch().equals(last.epoch()), gap, () -> replay() + " " + next);
                assertTrue(gap || next.offset() == last.offset() + 1, () -> replay() + " " + next);
                last = next;
            }
            gap = isGap;
        }
    }
}
