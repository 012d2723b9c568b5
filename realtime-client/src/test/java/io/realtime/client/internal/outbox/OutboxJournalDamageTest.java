package io.realtime.client.internal.outbox;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a journal reads of a damaged file, and what it keeps of the rest. */
class OutboxJournalDamageTest extends OutboxJournalFixture {
    private Path aside(int number) {
        return directory.resolve("outbox.damaged-" + number);
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
    void largestServerNumberIsReadAfterADamagedTail() throws IOException {
        long seq = OutboxJournal.LARGEST_SEQ + 1;
        append(open(), messages(seq));
        assertEquals(messages(seq), reopened());
        Files.write(file, new byte[] {1, 2, 3}, StandardOpenOption.APPEND);
        assertEquals(messages(seq), reopened());
        assertEquals(messages(seq), reopened());
    }

    @Test
    void flippedByteCostsItsRecordAndIsReportedAndSetAside() throws IOException {
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
    void recordInsideDamagedPayloadIsIgnored() throws IOException {
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
    void craftedRecordInDamagedRecordIsIgnored() throws IOException {
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
    void craftedOwnerIsIgnored() throws IOException {
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
    void garbageAfterRecordsIsSkipped() throws IOException {
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
    void absurdLengthAllocatesNothing(int length) throws IOException {
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

    /** After a crash at every change, the damaged bytes are in the file still or beside it. */
    @ParameterizedTest
    @EnumSource
    void crashAnywhereLosesNoDamagedBytes(BrokenDisk.Loss loss) throws IOException {
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
}
