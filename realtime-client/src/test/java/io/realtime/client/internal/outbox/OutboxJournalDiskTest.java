package io.realtime.client.internal.outbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a journal has stored when the disk is full or power is lost. */
class OutboxJournalDiskTest extends OutboxJournalFixture {
    @Test
    void fullDiskLosesOnlyTheBatchThatItCouldNotTake() throws IOException {
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

    /** A crash at every change that the disk sees, in the middle of writes and around the replacement of the file. */
    @ParameterizedTest
    @EnumSource
    void crashLosesNoStoredAndRestoresNoCompactedMessage(BrokenDisk.Loss loss) throws IOException {
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
