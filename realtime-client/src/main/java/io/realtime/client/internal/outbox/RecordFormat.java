package io.realtime.client.internal.outbox;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;

/**
 * The format of the records of an outbox's file.
 *
 * <p>A record consists of a prefix, the head, a checksum and the payload. The prefix is: magic, the file's mark, length
 * of the head, length of the payload, CRC32 of the payload. The checksum is a CRC32 of the record's offset in the file,
 * of the prefix and of the head. All integers are big-endian. The mark is random, so bytes in a payload that look like
 * a record are not taken for one: the payload's author does not know the mark. Only when both owner records are damaged
 * is the mark of the first record used. Then no message is sent, since its user is unknown. Heads begin with their
 * kind:
 *
 * <ul>
 *   <li>4, the owner: version, highest number given out, client id, SHA-256 of the user's id or zeros. A file begins with
 *       two of these, of which one may be damaged.
 *   <li>1, an added message: number, wall-clock milliseconds, event, room (empty for none); the payload is its JSON.
 *   <li>3, the same with bytes as the payload.
 *   <li>2, removed messages: their numbers.
 * </ul>
 */
final class RecordFormat {
    /** Begins with a byte that no UTF-8 text contains. */
    static final int MAGIC = 0xff52544f;

    static final int VERSION = 1;
    static final int ID_LENGTH = 24;
    static final int OWNER_LENGTH = 32;
    static final int PREFIX = 4 + 8 + 4 + 4 + 4;
    static final int CHECKSUM = 4;
    static final byte ADDED = 1;
    static final byte REMOVED = 2;
    static final byte ADDED_BINARY = 3;
    static final byte OWNER = 4;

    /** The length of the two records that a file begins with. */
    static final int HEADER = 2 * (PREFIX + 1 + 4 + 8 + 2 + ID_LENGTH + OWNER_LENGTH + CHECKSUM);

    /** The most numbers in one record of removals. */
    static final int MOST_REMOVED = 8_192;

    /** The longest head, which is one of removals. */
    static final int LONGEST_HEAD = 1 + Long.BYTES * MOST_REMOVED;

    private RecordFormat() {}

    /** Encodes the owner for this offset in the file. */
    static byte[] owner(long mark, long offset, long lastSeq, String clientId, byte[] owner) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(HEADER);
        DataOutputStream out = begin(bytes, OWNER);
        out.writeInt(VERSION);
        out.writeLong(lastSeq);
        out.writeUTF(clientId);
        out.write(owner);
        out.writeInt(0);
        return seal(mark, offset, bytes.toByteArray(), bytes.size());
    }

    /** Encodes a message. */
    static byte[] addition(long mark, long offset, OutboxEntry message) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(message.wireLength() + 64);
        DataOutputStream out = begin(bytes, message.isBinary() ? ADDED_BINARY : ADDED);
        out.writeLong(message.seq());
        out.writeLong(message.createdMillis);
        out.writeUTF(message.name);
        // No room has an empty name.
        out.writeUTF(message.room == null ? "" : message.room);
        out.writeInt(0);
        int payload = bytes.size();
        message.writePayload(out);
        return seal(mark, offset, bytes.toByteArray(), payload);
    }

    /** Encodes the numbers of removed messages. */
    static byte[] removal(long mark, long offset, List<Long> numbers) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(PREFIX + 1 + Long.BYTES * numbers.size() + CHECKSUM);
        DataOutputStream out = begin(bytes, REMOVED);
        for (Long seq : numbers) {
            out.writeLong(seq);
        }
        out.writeInt(0);
        return seal(mark, offset, bytes.toByteArray(), bytes.size());
    }

    private static DataOutputStream begin(ByteArrayOutputStream bytes, byte kind) throws IOException {
        DataOutputStream out = new DataOutputStream(bytes);
        out.write(new byte[PREFIX]);
        out.writeByte(kind);
        return out;
    }

    /** Fills in the prefix of a record, and the checksum before its payload. */
    private static byte[] seal(long mark, long offset, byte[] record, int payload) {
        int headEnd = payload - CHECKSUM;
        ByteBuffer.wrap(record)
                .putInt(MAGIC)
                .putLong(mark)
                .putInt(headEnd - PREFIX)
                .putInt(record.length - payload)
                .putInt(checksum(Arrays.copyOfRange(record, payload, record.length)));
        ByteBuffer.wrap(record).putInt(headEnd, headChecksum(offset, record, headEnd));
        return record;
    }

    /**
     * Returns the checksum of a head. It includes the offset, so that a record at another offset, for example in the
     * payload of another one, is not valid.
     */
    static int headChecksum(long offset, byte[] record, int length) {
        CRC32 crc = new CRC32();
        crc.update(ByteBuffer.allocate(Long.BYTES).putLong(offset).array());
        crc.update(record, 0, length);
        return (int) crc.getValue();
    }

    /** Returns the checksum of a payload. */
    static int checksum(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return (int) crc.getValue();
    }
}
