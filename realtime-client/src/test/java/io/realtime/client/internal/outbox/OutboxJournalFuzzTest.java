package io.realtime.client.internal.outbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.realtime.internal.wire.Names;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever a file holds: it is refused, or opened as an outbox that keeps what it gave and takes what comes. */
class OutboxJournalFuzzTest {
    private static final int ID_LENGTH = 24;

    @TempDir
    static Path directory; // one for all inputs: making it costs more than all else

    /** @param input the file as it is; or, behind a 0, the heads and payloads of records that get what makes them whole */
    @FuzzTest
    void anyFileIsRefusedOrOpenedAsAnOutbox(byte[] input) throws IOException {
        Path file = write(input);
        OutboxJournal journal;
        try {
            journal = OutboxJournal.open(file, new BrokenDisk());
        } catch (IOException refused) {
            String message = String.valueOf(refused.getMessage());
            assertTrue(message.matches(".*( is not an outbox| has version ).*"), message);
            return;
        }
        byte[] before = Files.readAllBytes(file);
        List<StoredMessage> restored = journal.takeRestored();
        OutboxJournal.Damage damage = journal.takeDamage();
        assertTrue(damage == null || damage.bytes() < before.length, before.length + " bytes");
        long lastSeq = 0;
        for (StoredMessage message : restored) {
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
        StoredMessage next = new StoredMessage(journal.lastSeq() + 1, 1, "chat.say", null, isBinary, payload);
        journal.ensureWhole(
                () -> restored.stream().map(one -> new OutboxEntry(one, 0, 0)).toList());
        journal.append(Collections.singletonList(new OutboxEntry(next, 0, 0)), Collections.emptyList());
        journal.close();
        Path aside = file.resolveSibling("file.damaged-1");
        assertEquals(damage == null ? -1 : damage.bytes(), Files.exists(aside) ? Files.size(aside) : -1);
        Files.deleteIfExists(aside);
        OutboxJournal again = OutboxJournal.open(file, new BrokenDisk());
        again.close();
        List<StoredMessage> expected = new ArrayList<>(restored);
        expected.add(next);
        assertNull(again.takeDamage());
        assertEquals(expected, again.takeRestored());
        assertEquals(next.seq(), again.lastSeq());
        assertEquals(journal.clientId(), again.clientId());
    }

    /** When this fails the format has changed: the kept inputs no longer get where they should, and are to be made anew. */
    @ParameterizedTest
    @CsvSource({
        "file, 5 6, 0",
        "records, 2 7, 0",
        "binary, 1 2 3, 0",
        "record-in-payload, 4 6, 0",
        "removed-unknown, '', 0",
        "largest-number, 4503599627370496, 0",
        "descending, 5, 1",
        "bad-room, '', 1",
        "unknown-kind, 2, 1",
        "cut-off, 5, 1",
        "damaged-owner, 4 5, 1",
        "damaged-head, 5 6, 1",
        "damaged-payload, 5 6, 1",
        "text-between, 4, 1",
        "zeros-behind, 4 5 6, 1",
        "twice, 4 5 6, 1",
    })
    void keptInputHoldsWhatItsNameSays(String name, String numbers, int damages) throws IOException {
        String method = "anyFileIsRefusedOrOpenedAsAnOutbox";
        String resource = getClass().getSimpleName() + "Inputs/" + method + "/" + name;
        byte[] input;
        try (InputStream in = Objects.requireNonNull(getClass().getResourceAsStream(resource), resource)) {
            input = in.readAllBytes();
        }
        OutboxJournal journal = OutboxJournal.open(write(input), new BrokenDisk());
        journal.close();
        OutboxJournal.Damage damage = journal.takeDamage();
        String restored = journal.takeRestored().stream()
                .map(message -> String.valueOf(message.seq()))
                .collect(Collectors.joining(" "));
        assertEquals(numbers, restored);
        assertEquals(damages, damage == null ? 0 : damage.places());
    }

    private static Path write(byte[] input) throws IOException {
        return Files.write(directory.resolve("file"), input.length > 0 && input[0] == 0 ? sealed(input) : input);
    }

    /** A chance to get behind the checksums, which no fuzzer guesses. */
    private static byte[] sealed(byte[] input) {
        ByteBuffer in = ByteBuffer.wrap(input, 1, input.length - 1);
        ByteBuffer out = ByteBuffer.allocate(RecordFormat.HEADER + 28 * input.length + 28);
        ByteBuffer owner = ByteBuffer.allocate(71).put((byte) 4).putInt(1);
        owner.putLong(in.remaining() < Long.BYTES ? 0 : in.getLong());
        owner.putShort((short) ID_LENGTH).put("abcdefghijklmnopqrstuvwx".getBytes(StandardCharsets.US_ASCII));
        record(out, 1, owner.array(), new byte[0]);
        while (in.remaining() > 2) {
            byte[] head = new byte[Math.min(in.get() & 0xFF, in.remaining())];
            in.get(head);
            byte[] payload = new byte[in.hasRemaining() ? Math.min(in.get() & 0xFF, in.remaining()) : 0];
            in.get(payload);
            record(out, 1, head, payload);
        }
        byte[] file = new byte[out.flip().remaining()];
        out.get(file);
        return file;
    }

    /** Writes a record as the journal of a file with this mark does. */
    @SuppressWarnings("ByteBufferBackingArray") // the buffer was allocated, and begins at 0
    static void record(ByteBuffer out, long mark, byte[] head, byte[] payload) {
        int at = out.position();
        out.putInt(0xff52544f).putLong(mark).putInt(head.length).putInt(payload.length);
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
