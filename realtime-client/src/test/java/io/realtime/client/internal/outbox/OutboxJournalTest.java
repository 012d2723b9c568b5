package io.realtime.client.internal.outbox;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.client.OutboxLimits;
import io.realtime.internal.wire.Outgoing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class OutboxJournalTest {
    @TempDir
    Path directory;

    private Path file = Path.of("set before each test");

    @BeforeEach
    void aFileOfItsOwn() {
        file = directory.resolve("outbox");
    }

    /** Some are of bytes, which are no UTF-8. */
    private static StoredMessage message(long seq) {
        boolean isBinary = seq % 3 == 0;
        String json = "{\"text\":\"" + "ä€😀".repeat((int) (seq % 5)) + seq + "\"}";
        byte[] payload = json.getBytes(isBinary ? StandardCharsets.UTF_16 : StandardCharsets.UTF_8);
        String room = seq % 2 == 0 ? "raum-ü" : null;
        return new StoredMessage(seq, 1_700_000_000_000L + seq, "chat.say", room, isBinary, ByteBuffer.wrap(payload));
    }

    private static List<StoredMessage> messages(long... numbers) {
        List<StoredMessage> messages = new ArrayList<>();
        for (long seq : numbers) {
            messages.add(message(seq));
        }
        return messages;
    }

    private final TreeMap<Long, StoredMessage> alive = new TreeMap<>(); // what an outbox would have in memory

    private void append(OutboxJournal journal, List<StoredMessage> added, Long... removed) throws IOException {
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

    private List<OutboxEntry> memory() {
        return alive.values().stream()
                .map(message -> new OutboxEntry(message, 0, 0))
                .toList();
    }

    /** Opens the file, and has the memory hold what it holds. */
    private OutboxJournal recovered(JournalDisk disk) throws IOException {
        OutboxJournal journal = OutboxJournal.open(file, disk);
        alive.clear();
        journal.takeRestored().forEach(message -> alive.put(message.seq(), message));
        return journal;
    }

    private void startAnew() throws IOException {
        alive.clear();
        try (Stream<Path> all = Files.list(directory)) {
            for (Path one : all.toList()) {
                Files.delete(one);
            }
        }
    }

    private Path aside(int number) {
        return directory.resolve("outbox.damaged-" + number);
    }

    private OutboxJournal open() throws IOException {
        return OutboxJournal.open(file, new BrokenDisk());
    }

    private List<StoredMessage> reopened() throws IOException {
        OutboxJournal journal = open();
        journal.close();
        return journal.takeRestored();
    }

    private String refusal() {
        return String.valueOf(assertThrows(IOException.class, this::open).getMessage());
    }

    /** Writes five messages one by one; returns where each of the records ends. */
    private List<Long> fiveRecords() throws IOException {
        List<Long> ends = new ArrayList<>();
        OutboxJournal journal = open();
        for (long seq = 1; seq <= 5; seq++) {
            append(journal, messages(seq));
            ends.add(Files.size(file));
        }
        journal.close();
        return ends;
    }

    @Test
    void whatWasAppendedAndNotRemovedIsThereAgainInItsOrder() throws IOException {
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
    void anEmptyFileIsANewOne() throws IOException {
        Files.createFile(file);
        append(open(), messages(1));
        assertEquals(messages(1), reopened());
    }

    @Test
    void truncationAnywhereKeepsWholeRecordsBeforeIt() throws IOException {
        List<Long> ends = fiveRecords();
        byte[] whole = Files.readAllBytes(file);
        for (int length = 1; length <= whole.length; length++) {
            Files.write(file, Arrays.copyOf(whole, length));
            if (length < RecordFormat.HEADER / 2) {
                assertEquals("'" + file + "' is not an outbox", refusal(), "length " + length);
                continue;
            }
            int kept = 0;
            while (kept < ends.size() && ends.get(kept) <= length) {
                kept++;
            }
            assertEquals(messages(1, 2, 3, 4, 5).subList(0, kept), reopened(), "length " + length);
            assertEquals(messages(1, 2, 3, 4, 5).subList(0, kept), reopened(), "again, length " + length);
        }
    }

    @Test
    void whatFollowsTheLargestNumberOfAServerIsReadAgainAlsoBehindADamagedTail() throws IOException {
        long seq = OutboxJournal.LARGEST_SEQ + 1;
        append(open(), messages(seq));
        assertEquals(messages(seq), reopened());
        Files.write(file, new byte[] {1, 2, 3}, StandardOpenOption.APPEND);
        assertEquals(messages(seq), reopened());
        assertEquals(messages(seq), reopened());
    }

    @Test
    void flippedByteCostsItsRecordAndIsToldAndSetAside() throws IOException {
        List<Long> ends = fiveRecords();
        byte[] whole = Files.readAllBytes(file);
        String id = open().clientId();
        for (int at = 0; at < whole.length; at++) {
            for (int mask : new int[] {0x01, 0x80, 0xff}) {
                String which = "byte " + at + ", mask " + mask;
                startAnew();
                byte[] flipped = whole.clone();
                flipped[at] ^= (byte) mask;
                Files.write(file, flipped);
                long from = at < RecordFormat.HEADER / 2 ? 0 : RecordFormat.HEADER / 2;
                long to = at < RecordFormat.HEADER / 2 ? RecordFormat.HEADER / 2 : RecordFormat.HEADER;
                List<StoredMessage> expected = messages(1, 2, 3, 4, 5);
                for (int i = 0; at >= RecordFormat.HEADER && from < RecordFormat.HEADER; i++) {
                    if (at < ends.get(i)) {
                        from = i == 0 ? RecordFormat.HEADER : ends.get(i - 1);
                        to = ends.get(i);
                        expected.remove(i);
                    }
                }
                OutboxJournal.Damage damage = open().takeDamage();
                assertNotNull(damage, which);
                assertEquals(to - from, damage.bytes(), which);
                assertEquals(1, damage.places(), which);
                OutboxJournal journal = recovered(new BrokenDisk());
                assertEquals(expected, List.copyOf(alive.values()), which);
                assertEquals(id, journal.clientId(), which);
                assertTrue(journal.lastSeq() > 5, "number " + journal.lastSeq() + " may be used again, " + which);
                journal.ensureWhole(this::memory);
                journal.close();
                assertArrayEquals(
                        Arrays.copyOfRange(flipped, (int) from, (int) to), Files.readAllBytes(aside(1)), which);
                OutboxJournal again = open();
                assertNull(again.takeDamage(), which);
                assertEquals(expected, again.takeRestored(), which);
                assertEquals(journal.lastSeq(), again.lastSeq(), which);
            }
        }
    }

    @Test
    void messageWithDamagedPayloadIsNamedUnlessItWasRemoved() throws IOException {
        List<Long> ends = fiveRecords();
        byte[] flipped = Files.readAllBytes(file);
        flipped[(int) (ends.get(1) - 1)] ^= 1;
        Files.write(file, flipped);
        OutboxJournal.Damage damage = open().takeDamage();
        assertNotNull(damage);
        assertEquals(List.of(2L), damage.lost().stream().map(StoredMessage::seq).toList());
        assertEquals("chat.say", damage.lost().get(0).name());
        assertEquals("raum-ü", damage.lost().get(0).room());

        Files.write(file, flipped);
        OutboxJournal journal = recovered(new BrokenDisk());
        journal.append(List.of(), List.of(3L)); // behind the damage, which is still there
        journal.close();
        assertEquals(messages(1, 4, 5), reopened());
    }

    @Test
    void fileWithoutOwnerIsNoUsersWhoMayCome() throws IOException {
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
    void ownerIsReadAgainThoughOneOfItsRecordsIsDamaged() throws IOException {
        OutboxJournal journal = open();
        append(journal, messages(1, 2));
        String id = "x".repeat(24);
        journal.own("alice", id, this::memory);
        append(journal, messages(3));
        journal.close();
        byte[] bytes = Files.readAllBytes(file);
        bytes[30] ^= 1;
        Files.write(file, bytes);
        OutboxJournal again = open();
        assertTrue(again.isOwnedBy("alice"));
        assertEquals(id, again.clientId());
        assertEquals(messages(1, 2, 3), again.takeRestored());
        again.close();
    }

    @Test
    void recordInDamagedPayloadIsNoRecord() throws IOException {
        OutboxJournal inner = open();
        append(inner, messages(7));
        inner.close();
        byte[] bytes = Files.readAllBytes(file);
        startAnew();
        OutboxJournal outer = open();
        append(outer, List.of(new StoredMessage(1, 0, "file", null, true, ByteBuffer.wrap(bytes))));
        append(outer, messages(2));
        outer.close();
        byte[] flipped = Files.readAllBytes(file);
        flipped[RecordFormat.HEADER + 12] ^= 1; // its length: the payload is looked through
        Files.write(file, flipped);
        assertEquals(messages(2), reopened());
    }

    /** Its author knows the format and the place, and not the file's mark. */
    @Test
    void craftedRecordInDamagedRecordIsNoMessage() throws IOException {
        byte[] payload = new byte[100];
        appendOne(payload);
        ByteBuffer crafted = ByteBuffer.allocate((int) Files.size(file));
        int at = crafted.capacity() - payload.length;
        crafted.position(at);
        ByteBuffer head = ByteBuffer.allocate(29).put((byte) 1).putLong(7).putLong(0);
        head.putShort((short) 8)
                .put("chat.say".getBytes(StandardCharsets.US_ASCII))
                .putShort((short) 0);
        OutboxJournalFuzzTest.record(crafted, 1, head.array(), new byte[] {'1'});
        startAnew();
        appendOne(Arrays.copyOfRange(crafted.array(), at, crafted.capacity()));
        byte[] flipped = Files.readAllBytes(file);
        flipped[RecordFormat.HEADER] ^= 1;
        Files.write(file, flipped);
        assertEquals(List.of(), reopened());
    }

    @Test
    void craftedOwnerInFileWithoutOwnersIsNone() throws IOException {
        fiveRecords();
        ByteBuffer head = ByteBuffer.allocate(71).put((byte) 4).putInt(1).putLong(9);
        head.putShort((short) 24).put("abcdefghijklmnopqrstuvwx".getBytes(StandardCharsets.US_ASCII));
        appendRecord(head.array());
        byte[] bytes = Files.readAllBytes(file);
        Arrays.fill(bytes, 0, RecordFormat.HEADER, (byte) 0);
        Files.write(file, bytes);
        OutboxJournal journal = open();
        journal.close();
        assertNotEquals("abcdefghijklmnopqrstuvwx", journal.clientId());
        assertTrue(journal.isOwned()); // by nobody who may come
        assertEquals(messages(1, 2, 3, 4, 5), journal.takeRestored());
    }

    private void appendOne(byte[] payload) throws IOException {
        OutboxJournal journal = open();
        append(journal, List.of(new StoredMessage(1, 0, "file", null, true, ByteBuffer.wrap(payload))));
        journal.close();
    }

    @Test
    void blockOfZerosCostsTheRecordsThatItHits() throws IOException {
        OutboxJournal journal = open();
        for (long seq = 1; seq <= 500; seq++) {
            append(journal, messages(seq));
        }
        journal.close();
        byte[] bytes = Files.readAllBytes(file);
        Arrays.fill(bytes, 8_192, 12_288, (byte) 0);
        Files.write(file, bytes);
        int kept = reopened().size();
        int perRecord = bytes.length / 500;
        int hit = 4_096 / perRecord;
        assertTrue(kept < 500 && kept >= 500 - 2 * hit, kept + " of 500");
    }

    @Test
    void fileThatIsGoneReplacedOrCutIsWrittenAnewFromMemory() throws IOException {
        OutboxJournal journal = open();
        append(journal, messages(1, 2), 0L);
        Files.delete(file);
        append(journal, messages(3), 1L);
        assertEquals(messages(2, 3), reopened());
        Files.delete(file);
        Files.writeString(file, "somebody else's".repeat(100));
        append(journal, messages(4));
        assertEquals(messages(2, 3, 4), reopened());
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), RecordFormat.HEADER));
        append(journal, messages(5));
        assertEquals(messages(2, 3, 4, 5), reopened());
        Files.delete(file);
        journal.ensureWhole(this::memory); // what a sync does
        journal.close();
        OutboxJournal again = open();
        assertEquals(messages(2, 3, 4, 5), again.takeRestored());
        assertEquals(journal.clientId(), again.clientId());
        assertEquals(5, again.lastSeq());
    }

    @Test
    void damagedFileOnFullDiskIsReadAndHealedLater() throws IOException {
        List<Long> ends = fiveRecords();
        byte[] torn = Arrays.copyOf(Files.readAllBytes(file), (int) (ends.get(4) - 3));
        Files.write(file, torn);
        BrokenDisk disk = new BrokenDisk();
        disk.full = true;
        OutboxJournal journal = recovered(disk);
        assertEquals(messages(1, 2, 3, 4), List.copyOf(alive.values()));
        assertThrows(IOException.class, () -> append(journal, messages(6)));
        assertArrayEquals(torn, Files.readAllBytes(file));
        disk.full = false;
        StoredMessage next = message(journal.lastSeq() + 1);
        append(journal, List.of(next));
        journal.close();
        List<StoredMessage> expected = messages(1, 2, 3, 4);
        expected.add(next);
        assertEquals(expected, reopened());
        assertTrue(Files.size(aside(1)) > 0);
    }

    @Test
    void damagedBytesAreKeptInNineFilesAtMost() throws IOException {
        for (int i = 1; i <= 11; i++) {
            OutboxJournal journal = recovered(new BrokenDisk());
            journal.ensureWhole(this::memory);
            journal.close();
            Files.write(file, new byte[i], StandardOpenOption.APPEND);
        }
        assertEquals(1, Files.size(aside(1)));
        assertEquals(9, Files.size(aside(9)));
        assertFalse(Files.exists(aside(10)));
    }

    @Test
    void garbageBehindRecordsIsSkipped() throws IOException {
        for (int seed = 0; seed < 200; seed++) {
            startAnew();
            fiveRecords();
            byte[] garbage = new byte[seed];
            new Random(seed).nextBytes(garbage);
            Files.write(file, garbage, StandardOpenOption.APPEND);
            assertEquals(messages(1, 2, 3, 4, 5), reopened(), "seed " + seed);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {Integer.MAX_VALUE, Integer.MIN_VALUE, -1, 0, 5 << 20, 1 << 30})
    void anAbsurdLengthAllocatesNothing(int length) throws IOException {
        fiveRecords();
        byte[] header = ByteBuffer.allocate(40)
                .putInt(0xff52544f)
                .putLong(mark(Files.readAllBytes(file)))
                .putInt(length)
                .putInt(length)
                .array();
        Files.write(file, header, StandardOpenOption.APPEND);
        assertEquals(messages(1, 2, 3, 4, 5), reopened());
    }

    /** Appends a record with the right checksums. */
    private void appendRecord(byte[] head) throws IOException {
        byte[] before = Files.readAllBytes(file);
        ByteBuffer out = ByteBuffer.allocate(before.length + head.length + 28).put(before);
        OutboxJournalFuzzTest.record(out, mark(before), head, new byte[0]);
        Files.write(file, out.array());
    }

    private static long mark(byte[] bytes) {
        return bytes.length == 0 ? 1 : ByteBuffer.wrap(bytes).getLong(4);
    }

    @Test
    void recordThatNoClientWritesIsSkippedWhateverItsChecksum() throws IOException {
        for (byte[] head : List.of(
                new byte[] {9},
                new byte[] {1},
                new byte[] {2, 0, 0},
                ByteBuffer.allocate(21).put((byte) 1).putLong(5).putLong(0).array(), // a number that was there before
                ByteBuffer.allocate(21).put((byte) 1).putLong(-1).putLong(0).array(),
                ByteBuffer.allocate(21).put((byte) 1).putLong(6).putLong(0).array())) { // no name
            startAnew();
            fiveRecords();
            appendRecord(head);
            appendRecord(ByteBuffer.allocate(9).put((byte) 2).putLong(2).array());
            assertEquals(messages(1, 3, 4, 5), reopened(), Arrays.toString(head));
        }
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
    void theFileStaysWithinTwiceWhatIsAlive() throws IOException {
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
    void aQuestionLeavesItsNumberAndNothingElse() throws IOException {
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
    void aQuestionThatCouldNotBeWrittenCostsNoOtherMessage() throws IOException {
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

    @Test
    void aFullDiskLosesOnlyTheBatchThatItCouldNotTake() throws IOException {
        BrokenDisk disk = new BrokenDisk();
        OutboxJournal journal = OutboxJournal.open(file, disk);
        append(journal, messages(1, 2));
        long before = Files.size(file);
        disk.full = true;
        assertThrows(IOException.class, () -> append(journal, messages(3), 1L));
        assertEquals(before, Files.size(file));
        assertThrows(IOException.class, () -> append(journal, messages(4)));
        disk.full = false;
        append(journal, messages(5));
        journal.close();
        assertEquals(messages(2, 5), reopened());
    }

    @Test
    void afterFailedForceTheWholeFileIsWrittenAnew() throws IOException {
        BrokenDisk disk = new BrokenDisk();
        OutboxJournal journal = OutboxJournal.open(file, disk);
        append(journal, messages(1, 2, 3));
        append(journal, List.of(), 1L);
        long good = Files.size(file);
        disk.forceFails = true;
        assertThrows(IOException.class, () -> append(journal, messages(4), 2L));
        assertEquals(good, Files.size(file));
        assertThrows(IOException.class, () -> append(journal, messages(4)));
        assertFalse(Files.exists(directory.resolve("outbox.new")), "a full disk needs its bytes");
        disk.forceFails = false;
        append(journal, List.of(), 99L);
        append(journal, messages(5));
        journal.close();
        assertEquals(messages(3, 5), reopened());
    }

    /** The first attempt to cut fails; what was written in vain must not be found by the next process. */
    @Test
    void closeCutsBackWhatFailedAppendCouldNot() throws IOException {
        BrokenDisk disk = new BrokenDisk();
        OutboxJournal journal = OutboxJournal.open(file, disk);
        append(journal, messages(1, 2));
        long good = Files.size(file);
        disk.forceFails = true;
        disk.truncateFails = true;
        assertThrows(IOException.class, () -> append(journal, messages(3)));
        assertTrue(Files.size(file) > good, "the third is in the file");
        disk.forceFails = false;
        disk.truncateFails = false;
        journal.close();
        assertEquals(good, Files.size(file));
        assertEquals(messages(1, 2), reopened());
    }

    @Test
    void failedMessageStaysAwayAfterLossOfPower() throws IOException {
        BrokenDisk disk = new BrokenDisk();
        disk.writesThrough = true;
        OutboxJournal journal = OutboxJournal.open(file, disk);
        append(journal, messages(1));
        disk.full = true;
        ByteBuffer longest = ByteBuffer.allocate(200_000);
        List<StoredMessage> failed = List.of(message(2), new StoredMessage(3, 0, "big", null, true, longest));
        assertThrows(IOException.class, () -> append(journal, failed));
        disk.losePower(BrokenDisk.Loss.CONTENTS);
        OutboxJournal again = open();
        assertNull(again.takeDamage());
        assertEquals(messages(1), again.takeRestored());
        again.close();
    }

    /** Nothing but what is promised: that a message is there, and the user whose it is. */
    @ParameterizedTest
    @EnumSource
    void lossOfPowerAfterEachStepLosesNothingStored(BrokenDisk.Loss loss) throws IOException {
        String id = "x".repeat(24);
        for (int steps = 1; steps <= 4; steps++) {
            startAnew();
            BrokenDisk disk = new BrokenDisk();
            OutboxJournal journal = OutboxJournal.open(file, disk);
            if (steps >= 2) {
                append(journal, messages(1, 2));
            }
            if (steps >= 3) {
                journal.own("alice", id, this::memory);
            }
            if (steps >= 4) {
                append(journal, messages(3));
            }
            disk.losePower(loss);
            OutboxJournal again = open();
            again.close();
            String which = steps + " steps";
            assertEquals(journal.clientId(), again.clientId(), which);
            assertEquals(steps >= 3, again.isOwnedBy("alice"), which);
            assertEquals(List.copyOf(alive.values()), again.takeRestored(), which);
        }
    }

    /** After a crash at every change, the damaged bytes are in the file still or beside it. */
    @ParameterizedTest
    @EnumSource
    void aCrashAnywhereLosesNoDamagedBytes(BrokenDisk.Loss loss) throws IOException {
        List<Long> ends = fiveRecords();
        byte[] torn = Arrays.copyOf(Files.readAllBytes(file), (int) (ends.get(4) - 3));
        byte[] tail = Arrays.copyOfRange(torn, (int) (long) ends.get(3), torn.length);
        boolean isWhole = false;
        for (int crash = 0; !isWhole; crash++) {
            startAnew();
            Files.write(file, torn);
            BrokenDisk disk = new BrokenDisk();
            disk.failsAt = crash;
            OutboxJournal journal = recovered(disk);
            try {
                journal.ensureWhole(this::memory);
                isWhole = true;
            } catch (IOException crashed) {
                assertTrue(disk.changes.size() > crash, "crash " + crash + ": " + crashed);
            }
            disk.losePower(loss);
            String which = "crash " + crash + " of " + disk.changes;
            if (!Arrays.equals(torn, Files.readAllBytes(file))) {
                assertArrayEquals(tail, Files.readAllBytes(aside(1)), which);
            }
            assertEquals(messages(1, 2, 3, 4), reopened(), which);
        }
    }

    /** A crash at every change that the disk sees, in the middle of writes and around the replacement of the file. */
    @ParameterizedTest
    @EnumSource
    void aCrashAnywhereLosesNothingThatWasStoredAndBringsNothingBackThatWasCompactedAway(BrokenDisk.Loss loss)
            throws IOException {
        int changes = Integer.MAX_VALUE;
        int compactions = 0;
        for (int crash = 0; crash < changes; crash++) {
            startAnew();
            BrokenDisk disk = new BrokenDisk();
            disk.failsAt = crash;
            List<Long> stored = new ArrayList<>();
            List<Long> tried = new ArrayList<>();
            String id = null;
            try {
                OutboxJournal journal = OutboxJournal.open(file, disk);
                id = journal.clientId();
                for (long seq = 1; seq <= 12; seq++) {
                    Long removed = seq > 2 ? seq - 2 : 0;
                    tried.add(seq);
                    ByteBuffer payload = ByteBuffer.allocate(40_000);
                    append(journal, List.of(new StoredMessage(seq, 0, "big", null, true, payload)), removed);
                    stored.add(seq);
                    journal.compact(this::memory);
                }
            } catch (IOException crashed) {
                assertTrue(disk.changes.size() > crash, "crash " + crash + ": " + crashed);
            }
            if (disk.changes.size() <= crash) { // it ran to its end
                changes = disk.changes.size();
                compactions = Collections.frequency(disk.changes, "replace") - 1;
            }
            disk.losePower(loss);
            OutboxJournal journal = open();
            journal.close();
            List<Long> found = new ArrayList<>();
            journal.takeRestored().forEach(message -> found.add(message.seq()));
            List<Long> expected = new ArrayList<>(stored);
            expected.removeIf(seq -> seq <= tried.size() - 2); // their removal was asked for, and may be on the disk
            assertTrue(found.containsAll(expected), "crash " + crash + ": " + found + " of " + stored);
            assertTrue(tried.containsAll(found), "crash " + crash + ": " + found + " of " + tried);
            assertTrue(found.size() <= 4, "crash " + crash + ": " + found);
            assertEquals(found.stream().sorted().toList(), found, "crash " + crash);
            assertTrue(journal.lastSeq() >= stored.size(), "crash " + crash);
            if (id != null) {
                assertEquals(id, journal.clientId(), "crash " + crash);
            }
            assertFalse(Files.exists(directory.resolve("outbox.new")), "crash " + crash);
        }
        assertTrue(compactions >= 2, "compacted " + compactions + " times");
    }
}
