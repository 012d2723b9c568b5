package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.client.World.Say;
import io.realtime.client.internal.outbox.BrokenDisk;
import io.realtime.client.internal.outbox.JournalDisk;
import io.realtime.client.internal.outbox.OutboxFile;
import io.realtime.client.internal.outbox.OutboxJournal;
import io.realtime.client.internal.outbox.StoredMessage;
import io.realtime.testing.HeldExecutor;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

@Timeout(30)
@Isolated("watches all threads")
class FileOutboxTest {
    @TempDir
    Path directory;

    private Path file() {
        return directory.resolve("outbox");
    }

    private static RealtimeClient.Builder builder(FileOutbox outbox) {
        return RealtimeClient.builder(URI.create("ws://host/ws")).outboxFile(outbox);
    }

    private String refusal(Path path) {
        return String.valueOf(
                assertThrows(IOException.class, () -> FileOutbox.open(path)).getMessage());
    }

    @Test
    void fileIsOpenOnceWhateverItsNames() throws IOException {
        try (FileOutbox outbox = FileOutbox.open(file())) {
            assertEquals("FileOutbox{" + file().toRealPath() + "}", outbox.toString());
            Path detour =
                    directory.resolve("..").resolve(directory.getFileName()).resolve("outbox");
            assertEquals("'" + detour + "' is in use by another FileOutbox of this process", refusal(detour));
            Path link = Files.createSymbolicLink(directory.resolve("link"), file());
            assertEquals("'" + link + "' is in use by another FileOutbox of this process", refusal(link));
        }
        FileOutbox.open(file()).close();
    }

    @Test
    void fileThatAnotherProcessHasIsRefused() throws Exception {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        ProcessBuilder builder = new ProcessBuilder(
                java.toString(), "-cp", System.getProperty("java.class.path"), Holder.class.getName(), file() + "");
        Process other = builder.redirectErrorStream(true).start();
        try {
            assertEquals('!', (char) other.getInputStream().read()); // it has the lock
            assertEquals("'" + file() + "' is in use by another process", refusal(file()));
        } finally {
            other.destroyForcibly();
        }
        assertTrue(other.waitFor(20, TimeUnit.SECONDS));
        FileOutbox.open(file()).close(); // a process that was killed holds nothing
    }

    /** Another process, which opens a file and holds it until it is killed. */
    static final class Holder {
        private Holder() {}

        public static void main(String[] arguments) throws IOException {
            FileOutbox held = FileOutbox.open(Path.of(arguments[0]));
            System.out.write('!');
            System.out.flush();
            int end = System.in.read();
            held.close();
            System.exit(end);
        }
    }

    @Test
    void refusedFileIsNotLocked() throws IOException {
        Files.writeString(file(), "something else, and long enough to hold a header of an outbox".repeat(2));
        assertEquals("'" + file() + "' is not an outbox", refusal(file()));
        Files.delete(file());
        FileOutbox.open(file()).close();
        assertThrows(NoSuchFileException.class, () -> FileOutbox.open(directory.resolve("none/outbox")));
    }

    @Test
    void fileServesOneClient() throws IOException {
        FileOutbox outbox = FileOutbox.open(file());
        try (RealtimeClient client = builder(outbox).build()) {
            IllegalStateException refusal = assertThrows(IllegalStateException.class, builder(outbox)::build);
            assertEquals(outbox + " has served a client", refusal.getMessage());
            outbox.close(); // the client's business
            assertThrows(IOException.class, () -> FileOutbox.open(file()));
            assertFalse(client.isConnected());
        }
        outbox.sync().join();
        FileOutbox unused = FileOutbox.open(file());
        unused.close();
        IllegalStateException refusal = assertThrows(IllegalStateException.class, builder(unused)::build);
        assertEquals(unused + " is closed", refusal.getMessage());
    }

    private static String json(StoredMessage message) {
        return StandardCharsets.UTF_8.decode(message.payload().duplicate()).toString();
    }

    @Test
    void syncCompletesWhenWhatWasSentWouldSurvive() throws IOException {
        FileOutbox outbox = FileOutbox.open(file());
        outbox.sync().join(); // nothing was sent
        RealtimeClient client = builder(outbox).build();
        CompletableFuture<Void> sent = client.send(World.SAY, new Say("kept"));
        outbox.sync().join();
        byte[] asAfterACrash = Files.readAllBytes(file());
        assertFalse(sent.isDone());
        client.close();
        outbox.sync().join();

        Path copy = Files.write(directory.resolve("copy"), asAfterACrash);
        OutboxJournal journal = OutboxJournal.open(copy, new JournalDisk());
        assertEquals("{\"text\":\"kept\"}", json(journal.takeRestored().get(0)));
        journal.close();
    }

    @Test
    void fileMayBeOpenedAgainWhenCloseHasReturned() throws IOException {
        for (int i = 0; i < 100; i++) {
            FileOutbox outbox = FileOutbox.open(file());
            RealtimeClient client = builder(outbox).build();
            CompletableFuture<Void> sent = client.send(World.SAY, new Say("m" + i));
            client.close();
            FileOutbox.open(file()).close();
            assertThrows(CompletionException.class, sent::join);
            outbox.sync().join();
        }
        OutboxJournal journal = OutboxJournal.open(file(), new JournalDisk());
        assertEquals(100, journal.takeRestored().size());
        journal.close();
    }

    /** What closes may still cut the file, so the next must not have read it yet, in this process or another. */
    @Test
    void fileIsInUseUntilItIsClosed() throws IOException {
        FileOutbox.open(file()).close();
        BrokenDisk disk = new BrokenDisk();
        FileOutbox outbox = new FileOutbox(OutboxFile.open(file(), Runnable::run, () -> {}, disk));
        List<String> seen = new ArrayList<>(); // asserted later: what is thrown here would only be logged
        Path lockFile = directory.resolve("outbox.lock");
        disk.onClose = () -> {
            seen.add(refusal(file()));
            try (FileChannel channel = FileChannel.open(lockFile, StandardOpenOption.WRITE)) {
                seen.add("locked: " + channel.tryLock());
            } catch (OverlappingFileLockException held) {
                seen.add("is locked");
            } catch (IOException failure) {
                seen.add(failure.toString());
            }
        };
        outbox.close();
        assertEquals(List.of("'" + file() + "' is in use by another FileOutbox of this process", "is locked"), seen);
        FileOutbox.open(file()).close();
    }

    @Test
    void closeLeavesNeitherWriterNorTimer() throws Exception {
        RealtimeClient client = builder(FileOutbox.open(file())).build();
        CompletableFuture<Void> sent = client.send(World.SAY, new Say("kept"));
        Set<Thread> before = threads();
        assertFalse(before.isEmpty());
        client.close();
        for (Thread thread : before) {
            thread.join(5_000); // its pool has ended; it has a few instructions left
            assertFalse(thread.isAlive(), thread.getName());
        }
        assertThrows(CompletionException.class, sent::join);
    }

    private static Set<Thread> threads() {
        Set<Thread> threads = new HashSet<>(Thread.getAllStackTraces().keySet());
        threads.removeIf(
                thread -> !Set.of("realtime-client", "realtime-client-outbox").contains(thread.getName()));
        return threads;
    }

    @Test
    void closeWaitsForNoExecutorOfTheApplication() throws IOException {
        HeldExecutor neverRun = new HeldExecutor();
        FileOutbox outbox = FileOutbox.open(file(), neverRun);
        RealtimeClient client = builder(outbox).callbackExecutor(neverRun).build();
        CompletableFuture<Void> sent = client.send(World.SAY, new Say("kept"));
        client.close();
        OutboxJournal journal = OutboxJournal.open(file(), new JournalDisk());
        assertEquals("{\"text\":\"kept\"}", json(journal.takeRestored().get(0)));
        journal.close();
        assertFalse(sent.isDone());
    }

    @Test
    void deletedFileIsThereAgainWhenSyncCompletes() throws IOException {
        FileOutbox outbox = FileOutbox.open(file());
        try (RealtimeClient client = builder(outbox).build()) {
            List<CompletableFuture<Void>> sent = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                if (i == 50) {
                    Files.delete(file());
                }
                sent.add(client.send(World.SAY, new Say("m" + i)));
            }
            outbox.sync().join();
            assertEquals(100, sent.stream().filter(one -> !one.isDone()).count());
        }
        OutboxJournal journal = OutboxJournal.open(file(), new JournalDisk());
        assertEquals(100, journal.takeRestored().size());
        journal.close();
    }

    @Test
    void writerThatRefusesTasksIsReplaced() throws IOException {
        FileOutbox outbox = FileOutbox.open(file(), task -> {
            throw new RejectedExecutionException("stopped");
        });
        try (RealtimeClient client = builder(outbox).build()) {
            CompletableFuture<Void> sent = client.send(World.SAY, new Say("kept"));
            outbox.sync().join();
            assertFalse(sent.isDone());
        }
        outbox.sync().join();
    }

    @Test
    void writerThatIsInterruptedStoresAllTheSame() throws IOException {
        FileOutbox outbox = FileOutbox.open(file(), task -> {
            Thread thread = new Thread(() -> {
                Thread.currentThread().interrupt();
                task.run();
            });
            thread.start();
            join(thread);
        });
        RealtimeClient client = builder(outbox).build();
        CompletableFuture<Void> first = client.send(World.SAY, new Say("first"));
        outbox.sync().join();
        CompletableFuture<Void> second = client.send(World.SAY, new Say("second"));
        outbox.sync().join();
        assertFalse(first.isDone() || second.isDone());
        client.close();
        assertEquals(2, stored());
    }

    @Test
    void openAndCloseOnInterruptedThreadLoseNothing() throws IOException {
        Thread.currentThread().interrupt();
        FileOutbox outbox = FileOutbox.open(file(), neverRun -> {});
        RealtimeClient client = builder(outbox).build();
        CompletableFuture<Void> sent = client.send(World.SAY, new Say("kept"));
        client.close();
        FileOutbox.open(file()).close();
        assertTrue(Thread.interrupted());
        assertThrows(CompletionException.class, sent::join);
        assertEquals(1, stored());
    }

    /** In the middle of the last writing: an interrupt closes the channel that its thread writes to. */
    @Test
    void threadThatIsInterruptedWhileItClosesLosesNothing() throws IOException {
        Thread closer = Thread.currentThread();
        AtomicBoolean isClosing = new AtomicBoolean();
        JournalDisk disk = new JournalDisk() {
            @Override
            public Object key(Path path) throws IOException {
                if (isClosing.getAndSet(false)) {
                    closer.interrupt();
                }
                return super.key(path);
            }
        };
        FileOutbox outbox = new FileOutbox(OutboxFile.open(file(), neverRun -> {}, () -> {}, disk));
        RealtimeClient client = builder(outbox).build();
        CompletableFuture<Void> sent = client.send(World.SAY, new Say("kept"));
        isClosing.set(true);
        client.close(Duration.ZERO);
        assertTrue(Thread.interrupted(), "it stays interrupted");
        assertFalse(isClosing.get());
        assertThrows(CompletionException.class, sent::join);
        assertEquals(1, stored());
    }

    private int stored() throws IOException {
        OutboxJournal journal = OutboxJournal.open(file(), new JournalDisk());
        journal.close();
        return journal.takeRestored().size();
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException unexpected) {
            throw new AssertionError(unexpected);
        }
    }

    @Test
    void manyThreadsAndManyDropsLeaveExactlyRestInFile() throws Exception {
        Set<String> dropped = new HashSet<>(); // of the callback thread, until sync
        FileOutbox outbox = FileOutbox.open(file());
        RealtimeClient client = builder(outbox)
                .outbox(OutboxLimits.builder()
                        .messages(50)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build())
                .listener(new ClientListener() {
                    @Override
                    public void onDropped(DroppedMessage message) {
                        dropped.add(message.data(World.SAY).text());
                    }
                })
                .build();
        Set<String> sent = ConcurrentHashMap.newKeySet();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            String name = "t" + t + ".";
            Thread thread = new Thread(() -> {
                for (int i = 0; i < 2_000; i++) {
                    sent.add(name + i);
                    var unused = client.send(World.SAY, new Say(name + i));
                }
            });
            thread.start();
            threads.add(thread);
        }
        threads.forEach(FileOutboxTest::join);
        client.close();
        outbox.sync().join();
        OutboxJournal journal = OutboxJournal.open(file(), new JournalDisk());
        journal.close();
        List<StoredMessage> kept = journal.takeRestored();
        assertEquals(50, kept.size());
        for (StoredMessage message : kept) {
            String text = json(message).replaceAll(".*:\"|\"}", "");
            assertTrue(sent.remove(text), text);
        }
        assertEquals(sent, dropped);
    }
}
