package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
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

    /** @param input the file as it is; or, behind a 0, a header's number and records that get their right checksums */
    @FuzzTest
    void anyFileIsRefusedOrOpenedAsAnOutbox(byte[] input) throws IOException {
        Path file = directory.resolve("file");
        Files.write(file, input.length > 0 && input[0] == 0 ? sealed(input) : input);
        OutboxJournal journal;
        try {
            journal = OutboxJournal.open(file, new BrokenDisk());
        } catch (IOException refused) {
            String message = String.valueOf(refused.getMessage());
            assertTrue(
                    message.matches(".*( is not an outbox| has version |first 50 bytes of .* are damaged).*"), message);
            return;
        }
        List<Stored> restored = journal.takeRestored();
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
        journal.append(Collections.singletonList(new Outbox.Entry(next, 0)), Collections.emptyList());
        journal.close();
        OutboxJournal again = OutboxJournal.open(file, new BrokenDisk());
        again.close();
        List<Stored> expected = new ArrayList<>(restored);
        expected.add(next);
        assertEquals(expected, again.takeRestored());
        assertEquals(next.seq(), again.lastSeq());
        assertEquals(journal.clientId(), again.clientId());
    }

    /** A chance to get behind the checksums, which no fuzzer guesses. */
    private static byte[] sealed(byte[] input) {
        ByteBuffer in = ByteBuffer.wrap(input, 1, input.length - 1);
        ByteBuffer out = ByteBuffer.allocate(OutboxJournal.HEADER + 8 * input.length + 8);
        out.putLong(0x52544f5554424f58L).putInt(1);
        out.putLong(in.remaining() < Long.BYTES ? 0 : in.getLong());
        out.putShort((short) ID_LENGTH).put("abcdefghijklmnopqrstuvwx".getBytes(StandardCharsets.US_ASCII));
        out.put(new byte[32]); // nobody's
        out.putInt(checksum(out.array(), 0, out.position()));
        while (in.remaining() > 2) {
            int length = Math.min(in.getShort() & 0xFFFF, in.remaining());
            byte[] record = new byte[4 + length];
            ByteBuffer.wrap(record).putInt(length);
            in.get(record, 4, length);
            out.putInt(length).putInt(checksum(record, 0, record.length)).put(record, 4, length);
        }
        byte[] file = new byte[out.flip().remaining()];
        out.get(file);
        return file;
    }

    private static int checksum(byte[] bytes, int offset, int length) {
        CRC32 crc = new CRC32();
        crc.update(bytes, offset, length);
        return (int) crc.getValue();
    }
}
