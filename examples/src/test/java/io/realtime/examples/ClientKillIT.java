package io.realtime.examples;

import static io.realtime.examples.ServerKillIT.KILLED;
import static io.realtime.examples.ServerKillIT.KILLS;
import static io.realtime.examples.ServerKillIT.MESSAGES;
import static io.realtime.examples.ServerKillIT.ROOM;
import static io.realtime.examples.ServerKillIT.SAY;
import static io.realtime.examples.ServerKillIT.replay;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertIterableEquals;

import io.realtime.client.ClientListener;
import io.realtime.client.DroppedMessage;
import io.realtime.client.FileOutbox;
import io.realtime.client.OutboxLimits;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.NavigableSet;
import java.util.Queue;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What holds when the client's process dies while it sends from a {@link FileOutbox}, again and again: what was on the
 * disk is handled by a server that lives, once and in order, and the next process goes on behind it. When the server
 * dies too, messages may be handled again, but then they say so.
 *
 * <p>A life of the client says what it is at; when a part of its share of {@code -Dkill.messages} (default 3,000) is on
 * the disk, acknowledged or handled, or when nothing is left to do, it is killed, {@code -Dkill.kills} (3) times; {@code
 * -Dkill.seed} (1) says when.
 */
@Timeout(120)
class ClientKillIT {
    private static final int UNACKNOWLEDGED =
            200; // fewer than a server takes at once: only the disk holds a message back
    private static final int SHARE = Math.max(1, MESSAGES / (KILLS + 1));
    private static final int NUMBERS = 1_000_000; // more than a life sends before it is killed
    private static final int LEFT_OVER = 100_000; // more than all lives leave to the last

    private static final int OTHERS_BYTES = 1 << 20;

    /** The client, in a process of its own. Prints what becomes of its messages. */
    static final class Client {
        private Client() {}

        public static void main(String[] args) throws IOException {
            Thread work = new Thread(
                    () -> {
                        try {
                            live(
                                    Integer.parseInt(args[0]),
                                    Path.of(args[1]),
                                    Integer.parseInt(args[2]),
                                    Integer.parseInt(args[3]));
                        } catch (Exception failure) {
                            Child.print("failed: " + failure);
                        }
                    },
                    "client");
            work.setDaemon(true);
            work.start();
            Child.untilTestEnds();
        }

        /** Sends the numbers, without waiting for the server, and closes the file when they are acknowledged. */
        private static void live(int port, Path path, int first, int end) throws Exception {
            Semaphore outbox = new Semaphore(UNACKNOWLEDGED);
            FileOutbox file = FileOutbox.open(path, busyDisk(path.resolveSibling("others")));
            try (RealtimeClient client = ServerKillIT.clientOf(port)
                    .outbox(OutboxLimits.builder().messages(LEFT_OVER).build())
                    .outboxFile(file)
                    .listener(new ClientListener() {
                        @Override
                        public void onDropped(DroppedMessage message) {
                            Child.print("dropped " + message);
                        }

                        @Override
                        public void onError(Throwable failure) {
                            Child.print("told of " + failure);
                        }
                    })
                    .build()) {
                Child.print("opened;");
                tell("joined;", client.room(ROOM).join());
                tell("connected;", client.connect());
                for (int number = first; number < end; number++) {
                    outbox.acquire();
                    CompletableFuture<Void> sent = client.send(SAY, number);
                    tell("synced " + number + ";", file.sync());
                    tell("acknowledged " + number + ";", sent.whenComplete((done, failure) -> outbox.release()));
                }
                outbox.acquire(UNACKNOWLEDGED);
                file.sync().get(10, TimeUnit.SECONDS); // that nothing is left is written too
                Child.print("idle;");
            }
            file.sync().get(10, TimeUnit.SECONDS);
            Child.print("closed;");
        }

        /** A writer that finds the disk busy with what others write, so that much is sent before it is stored. */
        private static Executor busyDisk(Path others) {
            ExecutorService writer = Executors.newSingleThreadExecutor(task -> {
                Thread thread = new Thread(task, "writer");
                thread.setDaemon(true);
                return thread;
            });
            return task -> writer.execute(() -> {
                try (FileChannel out = FileChannel.open(others, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                    out.write(ByteBuffer.allocate(OTHERS_BYTES));
                    out.force(true);
                } catch (IOException failure) {
                    Child.print("failed: " + failure);
                }
                task.run();
            });
        }

        private static void tell(String line, CompletableFuture<?> fate) {
            var unused =
                    fate.whenComplete((done, failure) -> Child.print(failure == null ? line : "failed: " + failure));
        }
    }

    /** From a start of the client to its end. */
    private final class Life {
        final Queue<String> stages = new ConcurrentLinkedQueue<>();
        final Queue<Integer> synced = new ConcurrentLinkedQueue<>();
        final Queue<Integer> acknowledged = new ConcurrentLinkedQueue<>();
        final int first;
        final Child child;

        Life(int port, int first, int messages) throws IOException {
            this.first = first;
            child = new Child(
                    Client.class,
                    this::onLine,
                    String.valueOf(port),
                    directory.resolve("outbox").toString(),
                    String.valueOf(first),
                    String.valueOf(first + messages));
        }

        private void onLine(String line) {
            if (line.matches("synced \\d+;")) {
                synced.add(number(line));
            } else if (line.matches("acknowledged \\d+;")) {
                acknowledged.add(number(line));
            } else if (line.matches("(opened|joined|connected|idle|closed);")) {
                stages.add(line);
            } else {
                trouble.add(line);
            }
        }

        private int number(String line) {
            return Integer.parseInt(line.substring(line.indexOf(' ') + 1, line.length() - 1));
        }
    }

    @TempDir
    private Path directory;

    private final Random random = new Random(ServerKillIT.SEED);
    private final List<Life> lives = new CopyOnWriteArrayList<>();
    private final AtomicInteger untilDoom =
            new AtomicInteger(); // so many messages are handled before the client is killed
    private final Queue<String> trouble = new ConcurrentLinkedQueue<>();

    @Test
    void messagesOnDiskAreHandledOnceAndInOrder() throws Exception {
        Queue<Integer> handled = new ConcurrentLinkedQueue<>();
        try (RealtimeServer server = ServerKillIT.server(0, message -> {
            handled.add(message.data());
            if (untilDoom.decrementAndGet() == 0) { // at once: what was sent last is not on the disk yet
                last().child.signal();
            }
        })) {
            for (int kill = 0; kill < KILLS; kill++) {
                int progress = 1 + random.nextInt(SHARE);
                switch (kill % 3) {
                    case 0 -> {
                        untilDoom.set(UNACKNOWLEDGED + progress); // the first were on the disk before it was connected
                        begin(server.port(), NUMBERS);
                        untilOrTrouble(() -> untilDoom.get() <= 0);
                    }
                    case 1 -> {
                        begin(server.port(), progress);
                        untilOrTrouble(() -> last().stages.contains("idle;")); // nothing is left but the last number
                    }
                    default -> {
                        begin(server.port(), NUMBERS);
                        untilClientIsAtWork(handled);
                    }
                }
                assertEquals(KILLED, last().child.kill(), replay());
            }
            begin(server.port(), SHARE);
            finish();
        } finally {
            lives.forEach(life -> life.child.close());
        }
        checkComplete(handled);
        assertIterableEquals(new TreeSet<>(handled), handled, replay());
        checkFileIsEmpty();
    }

    @Test
    void messagesOnDiskAreHandledThoughServerDiesToo() throws Exception {
        List<ServerKillIT.Life> servers = new ArrayList<>();
        try {
            servers.add(new ServerKillIT.Life(0));
            int port = servers.get(0).port();
            for (int kill = 0; kill < KILLS; kill++) {
                ServerKillIT.Life server = servers.get(kill);
                begin(port, NUMBERS);
                int handled = server.handled.size() + UNACKNOWLEDGED + random.nextInt(SHARE);
                boolean atOnce = random.nextBoolean();
                untilOrTrouble(() -> server.handled.size() >= handled);
                assertEquals(KILLED, server.child.kill(), replay());
                if (atOnce) { // what the server handled, but did not acknowledge, is left to the client's next life
                    assertEquals(KILLED, last().child.kill(), replay());
                }
                servers.add(new ServerKillIT.Life(port));
                if (!atOnce) {
                    untilClientIsAtWork(servers.get(kill + 1).handled);
                    assertEquals(KILLED, last().child.kill(), replay());
                }
            }
            begin(port, SHARE);
            finish();
            assertEquals(KILLED, servers.get(KILLS).child.kill(), replay());
        } finally {
            lives.forEach(life -> life.child.close());
            servers.forEach(server -> server.child.close());
        }
        checkComplete(ServerKillIT.checkHandled(servers));
        checkFileIsEmpty();
    }

    /** Begins a life whose numbers are above those of all before. */
    private void begin(int port, int messages) throws IOException {
        lives.add(new Life(port, lives.size() * NUMBERS, messages));
    }

    private Life last() {
        return lives.get(lives.size() - 1);
    }

    private void untilClientIsAtWork(Queue<Integer> handled) {
        Life life = last();
        int progress = 1 + random.nextInt(SHARE);
        int before = handled.size();
        switch (random.nextInt(5)) {
            case 0 -> untilOrTrouble(() -> !life.stages.isEmpty()); // it has read what was left to it
            case 1 -> untilOrTrouble(() -> handled.size() > before); // and sends that
            case 2 -> untilOrTrouble(() -> handled.size() >= before + progress);
            case 3 -> untilOrTrouble(() -> life.synced.size() >= progress);
            default -> untilOrTrouble(() -> life.acknowledged.size() >= progress);
        }
    }

    private void finish() throws InterruptedException {
        untilOrTrouble(() -> last().stages.contains("closed;"));
        assertEquals(KILLED, last().child.kill(), replay());
    }

    private void untilOrTrouble(Callable<Boolean> condition) {
        ServerKillIT.until(() -> !trouble.isEmpty() || condition.call());
        assertEquals(List.of(), List.copyOf(trouble), replay());
    }

    /** Of each life a beginning without a hole was handled, and all that was said to be on the disk, or acknowledged. */
    private void checkComplete(Collection<Integer> handled) {
        assertEquals(List.of(), List.copyOf(trouble), replay());
        NavigableSet<Integer> all = new TreeSet<>(handled);
        int unreported = 0;
        for (Life life : lives) {
            NavigableSet<Integer> its = all.subSet(life.first, true, life.first + NUMBERS, false);
            String what = replay() + ", life " + lives.indexOf(life);
            assertIterableEquals(
                    IntStream.range(life.first, life.first + its.size()).boxed().toList(), its, what);
            assertEquals(List.of(), without(life.synced, its), what);
            assertEquals(List.of(), without(life.acknowledged, its), what);
            unreported += its.size() - life.synced.size();
        }
        assertEquals(SHARE, last().synced.size(), replay());
        System.out.printf(
                "%s: %d lives of the client, %d messages handled, %d of them without a word of the disk%n",
                replay(), lives.size(), all.size(), unreported);
    }

    private static List<Integer> without(Collection<Integer> numbers, Collection<Integer> those) {
        return numbers.stream().filter(number -> !those.contains(number)).toList();
    }

    /** A server that knows of nothing is sent nothing but what is new. */
    private void checkFileIsEmpty() throws Exception {
        Queue<Integer> handled = new ConcurrentLinkedQueue<>();
        FileOutbox file = FileOutbox.open(directory.resolve("outbox"));
        try (RealtimeServer server = ServerKillIT.server(0, message -> handled.add(message.data()));
                RealtimeClient client =
                        ServerKillIT.clientOf(server.port()).outboxFile(file).build()) {
            var joined = client.room(ROOM).join();
            client.connect().get(10, TimeUnit.SECONDS);
            client.send(SAY, -1).get(10, TimeUnit.SECONDS);
            joined.get(10, TimeUnit.SECONDS);
        }
        file.sync().get(10, TimeUnit.SECONDS);
        assertEquals(List.of(-1), List.copyOf(handled), replay());
    }
}
