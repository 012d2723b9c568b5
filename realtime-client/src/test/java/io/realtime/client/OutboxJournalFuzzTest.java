package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.realtime.client.OutboxJournal.Stored;
import io.realtime.internal.wire.Names;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.zip.CRC32;
import org.junit.jupiter.api.io.TempDir;

/** Whatever a file holds: it is refused, or opened as an outbox that keeps what it gave and takes what comes. */
class OutboxJournalFuzzTest {
    private static final int ID_LENGTH = 24;

    @TempDir
    static Path directory; // one for all inputs: making it costs more than all else

    /** @param input the file as it is; or, behind a 0, the heads and payloads of records that get what makes them whole */
    @FuzzTest
    void anyFileIsRefusedOrOpenedAsAnOutbox(byte[] input) throws IOException {
        Path file = directory.resolve("file");
        Files.write(file, input.length > 0 && input[0] == 0 ? sealed(input) : input);
        OutboxJournal journal;
        try {
            journal = OutboxJournal.open(file, new BrokenDisk());
        } catch (IOException refused) {
            String message = String.valueOf(refused.getMessage());
            assertTrue(message.matches(".*( is not an outbox| has version ).*"), message);
            return;
        }
        byte[] before = Files.readAllBytes(file);
        List<Stored> restored = journal.takeRestored();
        OutboxJournal.Damage damage = journal.takeDamage();
        assertTrue(damage == null || damage.bytes() < before.length, before.length + " bytes");
        long lastSeq = 0;
        for (Stored message : restored) {
            assertTrue(message.seq() > lastSeq, message::toString);
            lastSeq = message.seq();
            Names.requireContract(message.name());
            if (message.room() != null) {
                Names.requireRoom(message.room());
            }
        }
        assertTrue(journal.lastSeq() >= lastSeq);
        assertEquals(ID_LENGTH, journal.clientId().length());
        if (journal.lastSeq() > OutboxJournal.LARGEST_SEQ) {
            return; // no client counts up to there
        }

        boolean isBinary = input.length % 2 == 0;
        ByteBuffer payload = isBinary ? ByteBuffer.wrap(input) : StandardCharsets.UTF_8.encode("{}");
        Stored next = new Stored(journal.lastSeq() + 1, 1, "chat.say", null, isBinary, payload);
        journal.ensureWhole(
                () -> restored.stream().map(one -> new Outbox.Entry(one, 0)).toList());
        journal.append(Collections.singletonList(new Outbox.Entry(next, 0)), Collections.emptyList());
        journal.close();
        Path aside = file.resolveSibling("file.damaged-1");
        assertEquals(damage == null ? -1 : damage.bytes(), Files.exists(aside) ? Files.size(aside) : -1);
        Files.deleteIfExists(aside);
        OutboxJournal again = OutboxJournal.open(file, new BrokenDisk());
        again.close();
        List<Stored> expected = new ArrayList<>(restored);
        expected.add(next);
        assertNull(again.takeDamage());
        assertEquals(expected, again.takeRestored());
        assertEquals(next.seq(), again.lastSeq());
        assertEquals(journal.clientId(), again.clientId());
    }

    /** A chance to get behind the checksums, which no fuzzer guesses. */
    private static byte[] sealed(byte[] input) {
        ByteBuffer in = ByteBuffer.wrap(input, 1, input.length - 1);
        ByteBuffer out = ByteBuffer.allocate(OutboxJournal.HEADER + 20 * input.length + 20);
        ByteBuffer owner = ByteBuffer.allocate(71).put((byte) 4).putInt(1);
        owner.putLong(in.remaining() < Long.BYTES ? 0 : in.getLong());
        owner.putShort((short) ID_LENGTH).put("abcdefghijklmnopqrstuvwx".getBytes(StandardCharsets.US_ASCII));
        record(out, owner.array(), new byte[0]);
        while (in.remaining() > 2) {
            byte[] head = new byte[Math.min(in.get() & 0xFF, in.remaining())];
            in.get(head);
            byte[] payload = new byte[in.hasRemaining() ? Math.min(in.get() & 0xFF, in.remaining()) : 0];
            in.get(payload);
            record(out, head, payload);
        }
        byte[] file = new byte[out.flip().remaining()];
        out.get(file);
        return file;
    }

    /** Writes a record as the journal does. */
    @SuppressWarnings("ByteBufferBackingArray") // the buffer was allocated, and begins at 0
    static void record(ByteBuffer out, byte[] head, byte[] payload) {
        int at = out.position();
        out.putInt(0xff52544f).putInt(head.length).putInt(payload.length);
        out.putInt(checksum(payload, 0, payload.length)).put(head);
        ByteBuffer checked =
                ByteBuffer.allocate(Long.BYTES + out.position() - at).putLong(at);
        checked.put(out.array(), at, out.position() - at);
        out.putInt(checksum(checked.array(), 0, checked.position())).put(payload);
    }

    private static int checksum(byte[] bytes, int offset, int length) {
        CRC32 crc = new CRC32();
        crc.update(bytes, offset, length);
        return (int) crc.getValue();
    }
}
