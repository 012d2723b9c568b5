package io.realtime.client.internal.outbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.client.OutboxLimits;
import io.realtime.internal.wire.Outgoing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What a journal appends, compacts and reads again. */
class OutboxJournalTest extends OutboxJournalFixture {
    @Test
    void appendedMessagesAreReadAgainInOrder() throws IOException {
        OutboxJournal journal = open();
        append(journal, messages(1, 2, 3));
        append(journal, messages(4, 7), 1L, 3L);
        append(journal, List.of(), 7L, 99L);
        journal.close();
        OutboxJournal again = open();
        assertEquals(messages(2, 4), again.takeRestored());
        assertEquals(7, again.lastSeq());
        assertEquals(journal.clientId(), again.clientId());
        append(again, messages(8), 2L);
        again.close();
        assertEquals(messages(4, 8), reopened());
    }

    @Test
    void everyFileHasAClientIdOfItsOwn() throws IOException {
        String first = open().clientId();
        Files.delete(file);
        assertNotEquals(first, open().clientId());
        assertEquals(24, first.length()); // 144 bits
    }

    @Test
    void emptyFileIsANewOne() throws IOException {
        Files.createFile(file);
        append(open(), messages(1));
        assertEquals(messages(1), reopened());
    }

    @Test
    void fileWithoutOwnerBelongsToNoLaterUser() throws IOException {
        fiveRecords();
        String id = open().clientId();
        byte[] zeros = Files.readAllBytes(file);
        Arrays.fill(zeros, 0, RecordFormat.HEADER, (byte) 0);
        Files.write(file, zeros);
        OutboxJournal journal = recovered(new BrokenDisk());
        assertEquals(messages(1, 2, 3, 4, 5), List.copyOf(alive.values()));
        assertNotEquals(id, journal.clientId());
        assertEquals(24, journal.clientId().length());
        assertTrue(journal.isOwned());
        assertFalse(journal.isOwnedBy("") || journal.isOwnedBy("alice"));
        journal.ensureWhole(this::memory);
        journal.close();
        assertEquals(journal.clientId(), open().clientId());
        assertTrue(open().isOwned());
        assertEquals(messages(1, 2, 3, 4, 5), reopened());
    }

    @Test
    void otherKindOfFileAndNewerVersionAreRefusedByName() throws IOException {
        Files.writeString(file, "x".repeat(1_000));
        assertEquals("'" + file + "' is not an outbox", refusal());
        Files.write(file, new byte[0]);
        appendRecord(ByteBuffer.allocate(71).put((byte) 4).putInt(2).array());
        assertEquals("'" + file + "' has version 2; this library knows 1", refusal());
    }

    @Test
    void fileStaysWithinTwiceItsLiveMessages() throws IOException {
        OutboxJournal journal = open();
        long largest = 0;
        for (long seq = 1; seq <= 5_000; seq++) {
            append(journal, messages(seq), seq - 10);
            journal.compact(this::memory);
            largest = Math.max(largest, Files.size(file));
        }
        journal.close();
        assertTrue(largest < OutboxJournal.WASTE_BYTES + 4_096, "it grew to " + largest);
        OutboxJournal again = open();
        assertEquals(5_000, again.lastSeq());
        assertEquals(10, again.takeRestored().size());
    }

    @Test
    void compactionOfAnEmptyOutboxRemembersTheNumber() throws IOException {
        OutboxJournal journal = open();
        for (long seq = 1; seq <= 2_000; seq++) {
            append(journal, messages(seq));
            append(journal, List.of(), seq);
        }
        journal.compact(this::memory);
        journal.close();
        assertEquals(RecordFormat.HEADER, Files.size(file));
        assertEquals(2_000, open().lastSeq());
    }

    private static OutboxEntry numbered(Outbox outbox, String name, @Nullable String ref) {
        Outgoing message = Outgoing.of(name).ref(ref).rawData("\"kept to itself\"");
        OutboxEntry entry = new OutboxEntry(name, null, ref, message, new CompletableFuture<>(), 0, 0);
        assertEquals(List.of(), outbox.add(entry));
        return entry;
    }

    @Test
    void requestStoresItsNumberOnly() throws IOException {
        Outbox outbox = new Outbox(OutboxLimits.defaults(), true, 4 << 20);
        OutboxJournal journal = open();
        OutboxEntry first = numbered(outbox, "length", "r-1");
        OutboxEntry message = numbered(outbox, "chat.say", null);
        OutboxEntry last = numbered(outbox, "length", "r-2");
        journal.append(List.of(first, message, last), List.of());
        journal.append(List.of(), List.of(1L, 3L)); // acknowledged
        journal.close();
        OutboxJournal again = open();
        List<StoredMessage> restored = again.takeRestored();
        assertEquals(1, restored.size());
        assertEquals(2, restored.get(0).seq());
        assertEquals(3, again.lastSeq());
        again.close();
        assertEquals(-1, Files.readString(file, StandardCharsets.ISO_8859_1).indexOf("r-1"));
        assertEquals(-1, Files.readString(file, StandardCharsets.ISO_8859_1).indexOf("length"));
    }

    @Test
    void compactionOfQuestionsRemembersTheNumber() throws IOException {
        Outbox outbox = new Outbox(OutboxLimits.builder().messages(10_000).build(), true, 4 << 20);
        OutboxJournal journal = open();
        List<OutboxEntry> questions = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            questions.add(numbered(outbox, "q", "r"));
        }
        journal.append(questions, List.of());
        journal.compact(this::memory);
        journal.close();
        assertEquals(RecordFormat.HEADER, Files.size(file));
        assertEquals(10_000, open().lastSeq());
    }

    @Test
    void questionThatCouldNotBeWrittenCostsNoOtherMessage() throws IOException {
        Outbox outbox = new Outbox(OutboxLimits.defaults(), true, 4 << 20);
        BrokenDisk disk = new BrokenDisk();
        OutboxJournal journal = OutboxJournal.open(file, disk);
        journal.append(List.of(numbered(outbox, "chat.say", null)), List.of());
        disk.failsAt = disk.changes.size();
        OutboxEntry question = numbered(outbox, "length", "r-1");
        assertThrows(IOException.class, () -> journal.append(List.of(question), List.of()));
        journal.close();
        assertEquals(List.of(1L), reopened().stream().map(StoredMessage::seq).toList());
    }

    @Test
    void manyRemovalsAtOnceAreReadAgain() throws IOException {
        OutboxJournal journal = open();
        List<StoredMessage> many = new ArrayList<>();
        List<Long> numbers = new ArrayList<>();
        for (long seq = 1; seq <= 20_000; seq++) {
            many.add(message(seq));
            numbers.add(seq);
        }
        append(journal, many);
        assertEquals(many, reopened());
        append(journal, List.of(), numbers.toArray(new Long[0]));
        journal.close();
        assertEquals(List.of(), reopened());
    }
}
