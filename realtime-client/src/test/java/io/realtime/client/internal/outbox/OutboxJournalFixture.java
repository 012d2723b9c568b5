package io.realtime.client.internal.outbox;

import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A journal in a file of its own, and what it should hold. */
abstract class OutboxJournalFixture {
    @TempDir
    Path directory;

    Path file = Path.of("set before each test");

    @BeforeEach
    final void aFileOfItsOwn() {
        file = directory.resolve("outbox");
    }

    /** Some are of bytes, which are no UTF-8. */
    static StoredMessage message(long seq) {
        boolean isBinary = seq % 3 == 0;
        String json = "{\"text\":\"" + "ä€😀".repeat((int) (seq % 5)) + seq + "\"}";
        byte[] payload = json.getBytes(isBinary ? StandardCharsets.UTF_16 : StandardCharsets.UTF_8);
        String room = seq % 2 == 0 ? "raum-ü" : null;
        return new StoredMessage(seq, 1_700_000_000_000L + seq, "chat.say", room, isBinary, ByteBuffer.wrap(payload));
    }

    static List<StoredMessage> messages(long... numbers) {
        List<StoredMessage> messages = new ArrayList<>();
        for (long seq : numbers) {
            messages.add(message(seq));
        }
        return messages;
    }

    final TreeMap<Long, StoredMessage> alive = new TreeMap<>(); // what an outbox would have in memory

    final void append(OutboxJournal journal, List<StoredMessage> added, Long... removed) throws IOException {
        List<OutboxEntry> entries = new ArrayList<>();
        for (StoredMessage message : added) {
            entries.add(new OutboxEntry(message, 0, 0));
        }
        for (Long seq : removed) {
            alive.remove(seq);
        }
        journal.ensureWhole(this::memory);
        journal.append(entries, List.of(removed));
        added.forEach(message -> alive.put(message.seq(), message));
    }

    final List<OutboxEntry> memory() {
        return alive.values().stream()
                .map(message -> new OutboxEntry(message, 0, 0))
                .toList();
    }

    /** Opens the file, and has the memory hold what it holds. */
    final OutboxJournal recovered(JournalDisk disk) throws IOException {
        OutboxJournal journal = OutboxJournal.open(file, disk);
        alive.clear();
        journal.takeRestored().forEach(message -> alive.put(message.seq(), message));
        return journal;
    }

    final void startAnew() throws IOException {
        alive.clear();
        try (Stream<Path> all = Files.list(directory)) {
            for (Path one : all.toList()) {
                Files.delete(one);
            }
        }
    }

    final OutboxJournal open() throws IOException {
        return OutboxJournal.open(file, new BrokenDisk());
    }

    final List<StoredMessage> reopened() throws IOException {
        OutboxJournal journal = open();
        journal.close();
        return journal.takeRestored();
    }

    final String refusal() {
        return String.valueOf(assertThrows(IOException.class, this::open).getMessage());
    }

    /** Writes five messages one by one; returns where each of the records ends. */
    final List<Long> fiveRecords() throws IOException {
        List<Long> ends = new ArrayList<>();
        OutboxJournal journal = open();
        for (long seq = 1; seq <= 5; seq++) {
            append(journal, messages(seq));
            ends.add(Files.size(file));
        }
        journal.close();
        return ends;
    }

    /** Appends a record with the right checksums. */
    final void appendRecord(byte[] head) throws IOException {
        byte[] before = Files.readAllBytes(file);
        ByteBuffer out = ByteBuffer.allocate(before.length + head.length + 28).put(before);
        OutboxJournalFuzzTest.record(out, mark(before), head, new byte[0]);
        Files.write(file, out.array());
    }

    static long mark(byte[] bytes) {
        return bytes.length == 0 ? 1 : ByteBuffer.wrap(bytes).getLong(4);
    }
}
