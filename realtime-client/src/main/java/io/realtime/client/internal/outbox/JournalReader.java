package io.realtime.client.internal.outbox;

import io.realtime.internal.wire.Names;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UTFDataFormatException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads an outbox's file from its beginning to its end, a window at a time, and skips what is damaged. Used once. */
final class JournalReader {
    private static final Logger LOG = LoggerFactory.getLogger(JournalReader.class);

    /** How many bytes are read at once. */
    static final int WINDOW = 64 << 10;

    /** The client id; empty if no owner record could be read. */
    String clientId = "";

    final byte[] owner = new byte[RecordFormat.OWNER_LENGTH];
    // The mark of each record; 0 before one was found.
    long mark;
    final Map<Long, StoredMessage> messages = new LinkedHashMap<>();
    // Messages whose head could be read, but not their payload.
    final Map<Long, StoredMessage> lost = new LinkedHashMap<>();
    final List<Range> damaged = new ArrayList<>();
    final long length;

    private final Path file;
    private final FileChannel in;
    private final LiveRecords live;
    private byte[] window = new byte[0];
    private long base;

    /** A part of the file. */
    record Range(long from, long to) {
        long length() {
            return to - from;
        }
    }

    /** @param live gets the records that are found */
    JournalReader(Path file, FileChannel in, LiveRecords live) throws IOException {
        this.file = file;
        this.in = in;
        this.live = live;
        this.length = in.size();
    }

    /** @throws IOException when the file cannot be read, or is not an outbox */
    void read() throws IOException {
        long damagedFrom = -1;
        boolean isOutbox = false;
        for (long at = 0; at < length; ) {
            long end = readRecord(at);
            boolean isGood = end > at;
            isOutbox |= isGood;
            if (isGood && damagedFrom >= 0) {
                damaged.add(new Range(damagedFrom, at));
                damagedFrom = -1;
            } else if (!isGood && damagedFrom < 0) {
                damagedFrom = at;
            }
            at = isGood ? end : nextMagic(at + 1);
        }
        if (!isOutbox) {
            throw new IOException("'" + file + "' is not an outbox");
        }
        if (damagedFrom >= 0) {
            damaged.add(new Range(damagedFrom, length));
        }
    }

    /** Reads the record that begins here. Returns where it ends, or -1 if there is none or it is damaged. */
    private long readRecord(long at) throws IOException {
        long left = length - at;
        if (left < RecordFormat.PREFIX + 1 + RecordFormat.CHECKSUM) {
            return -1;
        }
        ByteBuffer prefix = ByteBuffer.wrap(bytes(at, RecordFormat.PREFIX));
        boolean isRecord = prefix.getInt() == RecordFormat.MAGIC;
        long itsMark = prefix.getLong();
        int headLength = prefix.getInt();
        int payloadLength = prefix.getInt();
        int payloadChecksum = prefix.getInt();
        if (!isRecord
                || (itsMark != mark && mark != 0)
                || headLength < 1
                || headLength > Math.min(RecordFormat.LONGEST_HEAD, left - RecordFormat.PREFIX - RecordFormat.CHECKSUM)
                || payloadLength < 0) {
            return -1;
        }
        byte[] head = bytes(at, RecordFormat.PREFIX + headLength + RecordFormat.CHECKSUM);
        if (ByteBuffer.wrap(head).getInt(RecordFormat.PREFIX + headLength)
                != RecordFormat.headChecksum(at, head, RecordFormat.PREFIX + headLength)) {
            return -1;
        }
        // The mark of the first record that is found: that of an owner, or of messages without an owner.
        mark = itsMark;
        byte[] payload = payloadLength > left - head.length ? null : bytes(at + head.length, payloadLength);
        boolean isIntact = payload != null && RecordFormat.checksum(payload) == payloadChecksum;
        int recordLength = head.length + payloadLength;
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(head, RecordFormat.PREFIX, headLength));
        try {
            byte kind = in.readByte();
            switch (kind) {
                case RecordFormat.OWNER -> {
                    if (at >= RecordFormat.HEADER) {
                        throw new IllegalArgumentException("an owner at " + at);
                    }
                    readOwner(in);
                }
                case RecordFormat.ADDED, RecordFormat.ADDED_BINARY -> {
                    ByteBuffer bytes = isIntact ? ByteBuffer.wrap(payload) : ByteBuffer.allocate(0);
                    StoredMessage message = readMessage(in, kind == RecordFormat.ADDED_BINARY, bytes);
                    live.used(message.seq());
                    (isIntact ? messages : lost).put(message.seq(), message);
                    if (isIntact) {
                        live.added(message.seq(), recordLength);
                    }
                }
                case RecordFormat.REMOVED -> {
                    while (in.available() > 0) {
                        long seq = in.readLong();
                        live.removed(seq);
                        messages.remove(seq);
                        lost.remove(seq);
                        live.used(seq);
                    }
                }
                default -> throw new IllegalArgumentException("kind " + kind);
            }
        } catch (EOFException | UTFDataFormatException | IllegalArgumentException nonsense) {
            LOG.warn("'{}' holds a record that makes no sense: {}", file, nonsense.toString());
            return -1;
        }
        return isIntact ? at + recordLength : -1;
    }

    private void readOwner(DataInputStream in) throws IOException {
        int version = in.readInt();
        if (version != RecordFormat.VERSION) {
            throw new IOException(
                    "'" + file + "' has version " + version + "; this library knows " + RecordFormat.VERSION);
        }
        long seq = in.readLong();
        String id = in.readUTF();
        if (id.length() != RecordFormat.ID_LENGTH || !LiveRecords.isSeq(seq)) {
            throw new IllegalArgumentException("an owner '" + id + "' with number " + seq);
        }
        in.readFully(owner);
        clientId = id;
        live.mayHaveUsed(seq);
    }

    /** @throws IllegalArgumentException for a message that no client writes, even if its checksum is right */
    private StoredMessage readMessage(DataInputStream in, boolean isBinary, ByteBuffer payload) throws IOException {
        long seq = in.readLong();
        long createdMillis = in.readLong();
        String name = Names.requireContract(in.readUTF());
        String room = in.readUTF();
        if (seq <= live.newestSeq() || !LiveRecords.isSeq(seq)) {
            throw new IllegalArgumentException("number " + seq + " after " + live.newestSeq());
        }
        return new StoredMessage(
                seq, createdMillis, name, room.isEmpty() ? null : Names.requireRoom(room), isBinary, payload);
    }

    private byte[] bytes(long offset, int count) throws IOException {
        int at = seek(offset, count);
        return Arrays.copyOfRange(window, at, at + count);
    }

    /** Moves the window so that it holds this range of the file; returns where in the window the range begins. */
    private int seek(long offset, int count) throws IOException {
        if (offset < base || offset + count > base + window.length) {
            window = readFully(in, offset, (int) Math.min(Math.max(count, WINDOW), length - offset));
            base = offset;
        }
        return (int) (offset - base);
    }

    /** Returns where the next record may begin, or the end. */
    private long nextMagic(long from) throws IOException {
        long at = from;
        while (at + Integer.BYTES <= length) {
            int first = seek(at, Integer.BYTES);
            for (int i = first; i + Integer.BYTES <= window.length; i++) {
                if (window[i] == (byte) (RecordFormat.MAGIC >>> 24)
                        && ByteBuffer.wrap(window).getInt(i) == RecordFormat.MAGIC) {
                    return base + i;
                }
            }
            at = base + window.length - Integer.BYTES + 1;
        }
        return length;
    }

    static byte[] readFully(FileChannel in, long offset, int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            if (in.read(bytes, offset + bytes.position()) < 0) {
                throw new EOFException("the file ends before byte " + (offset + count));
            }
        }
        return bytes.array();
    }
}
