package io.realtime.client;

import io.realtime.internal.Ids;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of a {@link FileOutbox}. It begins with a header (magic, version, highest number given out, client id, SHA-256
 * of the user's id or zeros before the first welcome, CRC32) and goes on with records: the length of the body, the CRC32 of length and body, and the body, which is either an added
 * message (1, number, wall-clock milliseconds, event, room, JSON), one of bytes (3, and the same with these in place of the
 * JSON) or the numbers of removed ones (2, numbers). All integers are big-endian. Blocks on the disk; one thread at a time,
 * which the {@link FileOutbox} sees to.
 */
final class OutboxJournal {
    private static final Logger LOG = LoggerFactory.getLogger(OutboxJournal.class);

    private static final long MAGIC = 0x52544f5554424f58L; // "RTOUTBOX"
    private static final int VERSION = 1;
    private static final int ID_LENGTH = 24;
    private static final int OWNER_LENGTH = 32;
    static final int HEADER = 8 + 4 + 8 + 2 + ID_LENGTH + OWNER_LENGTH + 4;
    private static final int RECORD_HEADER = 4 + 4;
    private static final byte ADDED = 1;
    private static final byte REMOVED = 2;
    private static final byte ADDED_BINARY = 3;

    /** No record is longer: no client sends messages beyond half of this. */
    private static final int LONGEST_BODY = RealtimeClient.Builder.MOST_OUTBOUND_BYTES;

    /** A write of this many bytes is as good as a longer one, and the channel copies what it is given. */
    private static final int WRITE_BYTES = 64 << 10;

    /** Below this many dead bytes, writing the file anew is not worth it. */
    static final int WASTE_BYTES = 64 << 10;

    /** How many numbers a record of removals has at most. */
    private static final int MOST_REMOVED = 8_192;

    /** More numbers than a damaged tail can have held: none of them is ever used again. */
    private static final long SKIPPED = 1L << 32;

    /** The largest number that is taken over from a server; there are as many behind it to go on with. */
    static final long LARGEST_SEQ = 1L << 52;

    private static final long LARGEST_ON_THE_WIRE = (1L << 53) - 1;

    private final Path file;
    private final Path successor;
    private final Disk disk;
    private @Nullable FileChannel channel;
    private String clientId = "";
    private byte[] owner = new byte[OWNER_LENGTH];
    private long lastSeq;
    private long newestSeq; // of the records; a header may name a higher one
    private Map<Long, Slot> live = new LinkedHashMap<>(); // in the order of the file
    private long liveBytes;
    private long size = HEADER; // up to the last good record
    private long forced; // of that, what is on the disk for certain
    private final List<Long> unforced = new ArrayList<>(); // removed behind forced
    private boolean broken; // what lies behind size, and who was removed behind forced, is to be written again
    private long compactFrom; // not before the file has this size: a disk that was full is not tried at every turn
    private List<Stored> restored = new ArrayList<>();

    /** Where a record lies. */
    private record Slot(long offset, int length) {}

    /**
     * A message as the file has it.
     *
     * @param payload bytes when it is binary, else JSON in UTF-8
     */
    record Stored(
            long seq,
            long createdMillis,
            String name,
            @Nullable String room,
            boolean isBinary,
            ByteBuffer payload) {
        Outgoing message() {
            Outgoing message = Outgoing.of(name).room(room);
            return isBinary
                    ? message.rawData(payload)
                    : message.rawData(
                            StandardCharsets.UTF_8.decode(payload.duplicate()).toString());
        }
    }

    private OutboxJournal(Path file, Disk disk) {
        this.file = file;
        this.successor = file.resolveSibling(file.getFileName() + ".new");
        this.disk = disk;
    }

    /**
     * Opens a file, or makes one where there is none or an empty one. What a crash left half written is dropped.
     *
     * @throws IOException when the file cannot be read or written, or is not an outbox
     */
    static OutboxJournal open(Path file, Disk disk) throws IOException {
        OutboxJournal journal = new OutboxJournal(file, disk);
        boolean complete = false;
        try {
            Files.deleteIfExists(journal.successor);
            if (!Files.exists(file) || Files.size(file) == 0) {
                journal.clientId = Ids.secret(new SecureRandom());
                journal.rewrite();
            } else {
                journal.read();
            }
            complete = true;
            return journal;
        } finally {
            if (!complete) {
                journal.close();
            }
        }
    }

    /** Returns the client id, which is as old as the file, or as its being the user's. */
    String clientId() {
        return clientId;
    }

    /** Returns whether the messages are any user's. */
    boolean isOwned() {
        return !Arrays.equals(owner, new byte[OWNER_LENGTH]);
    }

    boolean isOwnedBy(String user) {
        return Arrays.equals(owner, fingerprint(user));
    }

    /**
     * Makes the file a user's, under this client id; on the disk when it returns.
     *
     * @throws IOException when it is as it was before
     */
    void own(String user, String newClientId) throws IOException {
        byte[] ownerBefore = owner;
        String idBefore = clientId;
        owner = fingerprint(user);
        clientId = newClientId;
        boolean complete = false;
        try {
            rewrite();
            complete = true;
        } finally {
            if (!complete) {
                owner = ownerBefore;
                clientId = idBefore;
            }
        }
    }

    private static byte[] fingerprint(String user) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(user.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException impossible) { // every Java platform has it
            throw new IllegalStateException(impossible);
        }
    }

    /** Returns the highest number that was ever stored, or may have been. */
    long lastSeq() {
        return lastSeq;
    }

    /** Returns the messages that the file held when it was opened, in their order; the first time only. */
    List<Stored> takeRestored() {
        List<Stored> taken = restored;
        restored = Collections.emptyList();
        return taken;
    }

    // Reading

    private void read() throws IOException {
        FileChannel in = channel();
        long length = in.size();
        DataInputStream data = new DataInputStream(new BufferedInputStream(Channels.newInputStream(in)));
        readHeader(data, length);
        Map<Long, Stored> messages = new LinkedHashMap<>();
        while (readRecord(data, length, messages)) {
            // one after the other, up to the first that is not whole
        }
        restored = new ArrayList<>(messages.values());
        forced = size;
        if (size < length) {
            LOG.warn("'{}' was damaged: its last {} bytes are dropped", file, length - size);
            lastSeq += SKIPPED;
            rewrite();
        }
    }

    private void readHeader(DataInputStream data, long length) throws IOException {
        if (length < HEADER) {
            throw new IOException("'" + file + "' is not an outbox: it has " + length + " bytes");
        }
        byte[] header = new byte[HEADER];
        data.readFully(header);
        DataInputStream fields = new DataInputStream(new ByteArrayInputStream(header));
        if (fields.readLong() != MAGIC) {
            throw new IOException("'" + file + "' is not an outbox");
        }
        int version = fields.readInt();
        if (version != VERSION) {
            throw new IOException("'" + file + "' has version " + version + "; this library knows " + VERSION);
        }
        lastSeq = fields.readLong();
        int idLength = fields.readUnsignedShort();
        byte[] id = new byte[ID_LENGTH];
        fields.readFully(id);
        fields.readFully(owner);
        if (fields.readInt() != checksum(header, 0, HEADER - 4) || idLength != ID_LENGTH || !isSeq(lastSeq)) {
            throw new IOException("the first " + HEADER + " bytes of '" + file + "' are damaged");
        }
        clientId = new String(id, StandardCharsets.US_ASCII);
    }

    /** Reads the next record, unless it is none, or not whole. */
    private boolean readRecord(DataInputStream data, long length, Map<Long, Stored> messages) throws IOException {
        long left = length - size - RECORD_HEADER;
        if (left < 1) {
            return false;
        }
        int bodyLength = data.readInt();
        int checksum = data.readInt();
        if (bodyLength < 1 || bodyLength > Math.min(left, LONGEST_BODY)) {
            return false;
        }
        byte[] record = new byte[RECORD_HEADER + bodyLength];
        ByteBuffer.wrap(record).putInt(bodyLength).putInt(checksum);
        data.readFully(record, RECORD_HEADER, bodyLength);
        if (!isIntact(record)) {
            return false;
        }
        DataInputStream body = new DataInputStream(new ByteArrayInputStream(record, RECORD_HEADER, bodyLength));
        byte kind = body.readByte();
        if (kind == ADDED || kind == ADDED_BINARY) {
            Stored message = readMessage(body, kind == ADDED_BINARY);
            if (message == null) {
                return false;
            }
            added(message.seq(), new Slot(size, record.length));
            messages.put(message.seq(), message);
        } else if (kind == REMOVED && (bodyLength - 1) % Long.BYTES == 0) {
            for (int i = 1; i < bodyLength; i += Long.BYTES) {
                long seq = body.readLong();
                removed(seq);
                messages.remove(seq);
                used(seq);
            }
        } else {
            return false;
        }
        size += record.length;
        return true;
    }

    /** Returns null for a message that no client writes, whatever its checksum. */
    private @Nullable Stored readMessage(DataInputStream body, boolean isBinary) {
        try {
            long seq = body.readLong();
            long createdMillis = body.readLong();
            String name = Names.requireContract(body.readUTF());
            String room = body.readUTF();
            byte[] payload = new byte[body.available()];
            body.readFully(payload);
            String checkedRoom = room.isEmpty() ? null : Names.requireRoom(room);
            return seq > newestSeq && isSeq(seq)
                    ? new Stored(seq, createdMillis, name, checkedRoom, isBinary, ByteBuffer.wrap(payload))
                    : null;
        } catch (IOException | IllegalArgumentException nonsense) {
            LOG.warn("'{}' holds a record that makes no sense: {}", file, nonsense.toString());
            return null;
        }
    }

    private static boolean isSeq(long seq) {
        return seq >= 0 && seq <= LARGEST_ON_THE_WIRE;
    }

    // Writing

    /**
     * Appends removals and messages; the messages are on the disk when it returns, the removals some time later.
     *
     * @throws IOException when none of it is stored; the removals are written again with the next call
     */
    void append(List<Outbox.Entry> messages, List<Long> removals) throws IOException {
        List<Long> gone = new ArrayList<>();
        for (Long seq : removals) {
            if (removed(seq)) {
                gone.add(seq);
            }
        }
        unforced.addAll(gone);
        if (messages.isEmpty() && gone.isEmpty()) {
            return;
        }
        Map<Long, Slot> slots = new LinkedHashMap<>();
        long end = size;
        boolean complete = false;
        try {
            FileChannel out = channel();
            if (broken) {
                out.truncate(size);
                gone = unforced;
            }
            ByteArrayOutputStream pending = new ByteArrayOutputStream();
            for (int i = 0; i < gone.size(); i += MOST_REMOVED) {
                pending.write(removal(gone.subList(i, Math.min(gone.size(), i + MOST_REMOVED))));
            }
            for (Outbox.Entry message : messages) {
                if (pending.size() >= WRITE_BYTES) {
                    end = write(out, end, pending.toByteArray());
                    pending.reset();
                }
                if (message.ref != null) { // only its number outlives this process
                    pending.write(removal(Collections.singletonList(message.seq())));
                    continue;
                }
                byte[] record = addition(message);
                slots.put(message.seq(), new Slot(end + pending.size(), record.length));
                pending.write(record);
            }
            end = write(out, end, pending.toByteArray());
            if (!messages.isEmpty()) {
                out.force(false);
            }
            complete = true;
        } finally {
            if (!complete) {
                cutBack();
            }
        }
        broken = false;
        size = end;
        slots.forEach(this::added);
        for (Outbox.Entry message : messages) {
            used(message.seq());
        }
        if (!messages.isEmpty()) {
            forced = end;
            unforced.clear();
        }
    }

    /**
     * Forgets what is not on the disk for certain: after a failed force nobody knows what of it will be there. The
     * channel is opened anew, since an interrupt of the writing thread has closed it.
     */
    private void cutBack() {
        broken = true;
        size = forced;
        try {
            channel().truncate(size);
        } catch (IOException failure) { // tried again before the next write
            LOG.debug("'{}' could not be cut back", file, failure);
        }
        closeQuietly();
    }

    /** Writes the file anew without its dead records, when these are more than half and worth it. */
    void compact() {
        long dead = size - HEADER - liveBytes;
        if (dead <= Math.max(liveBytes, WASTE_BYTES) || size < compactFrom) {
            return;
        }
        try {
            rewrite();
            compactFrom = 0;
        } catch (IOException failure) {
            compactFrom = size + WASTE_BYTES;
            LOG.warn("'{}' could not be compacted, and grows on", file, failure);
        }
    }

    /** Writes a successor with what is alive and puts it in the place of the file. */
    private void rewrite() throws IOException {
        Map<Long, Slot> moved = new LinkedHashMap<>();
        long end;
        try (FileChannel out = disk.open(
                successor, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            end = write(out, 0, header());
            for (Map.Entry<Long, Slot> entry : live.entrySet()) {
                byte[] record = read(entry.getValue());
                moved.put(entry.getKey(), new Slot(end, record.length));
                end = write(out, end, record);
            }
            out.force(true);
        }
        closeQuietly(); // some systems replace no file that is open
        disk.replace(successor, file);
        live = moved;
        size = end;
        forced = end;
        unforced.clear();
        broken = false;
    }

    private byte[] read(Slot slot) throws IOException {
        ByteBuffer record = ByteBuffer.allocate(slot.length());
        FileChannel in = channel();
        while (record.hasRemaining()) {
            if (in.read(record, slot.offset() + record.position()) < 0) {
                break;
            }
        }
        if (record.hasRemaining() || !isIntact(record.array())) {
            throw new IOException("'" + file + "' is damaged at byte " + slot.offset());
        }
        return record.array();
    }

    private static long write(FileChannel out, long offset, byte[] bytes) throws IOException {
        for (int at = 0; at < bytes.length; ) {
            int length = Math.min(WRITE_BYTES, bytes.length - at);
            at += out.write(ByteBuffer.wrap(bytes, at, length), offset + at);
        }
        return offset + bytes.length;
    }

    private FileChannel channel() throws IOException {
        FileChannel open = channel;
        if (open == null || !open.isOpen()) {
            open = disk.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
            if (open.size() < forced) { // to write behind its end would lose all that follows
                open.close();
                throw new IOException("'" + file + "' was changed by somebody else");
            }
            channel = open;
        }
        return open;
    }

    /** Closes the file; the last good record is then the last of all. */
    void close() {
        if (broken) {
            cutBack();
        }
        closeQuietly();
    }

    private void closeQuietly() {
        FileChannel open = channel;
        channel = null;
        if (open != null) {
            try {
                open.close();
            } catch (IOException failure) { // nothing depends on it: what matters was forced
                LOG.debug("'{}' could not be closed", file, failure);
            }
        }
    }

    private void added(long seq, Slot slot) {
        live.put(seq, slot);
        liveBytes += slot.length();
        used(seq);
    }

    /** Notes a number that no other message may have. */
    private void used(long seq) {
        if (isSeq(seq)) {
            newestSeq = Math.max(newestSeq, seq);
            lastSeq = Math.max(lastSeq, seq);
        }
    }

    private boolean removed(long seq) {
        Slot slot = live.remove(seq);
        if (slot == null) {
            return false;
        }
        liveBytes -= slot.length();
        return true;
    }

    // Encoding

    private byte[] header() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(HEADER);
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeLong(MAGIC);
        out.writeInt(VERSION);
        out.writeLong(lastSeq);
        out.writeUTF(clientId);
        out.write(owner);
        out.writeInt(checksum(bytes.toByteArray(), 0, HEADER - 4));
        return bytes.toByteArray();
    }

    private static byte[] addition(Outbox.Entry message) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(message.wireLength() + 64);
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeLong(0); // length and checksum
        out.writeByte(message.isBinary() ? ADDED_BINARY : ADDED);
        out.writeLong(message.seq());
        out.writeLong(message.createdMillis);
        out.writeUTF(message.name);
        out.writeUTF(message.room == null ? "" : message.room); // no room has an empty name
        message.writePayload(out);
        return seal(bytes.toByteArray());
    }

    private static byte[] removal(List<Long> numbers) {
        ByteBuffer record = ByteBuffer.allocate(RECORD_HEADER + 1 + Long.BYTES * numbers.size());
        record.putLong(0).put(REMOVED);
        for (Long seq : numbers) {
            record.putLong(seq);
        }
        return seal(record.array());
    }

    private static byte[] seal(byte[] record) {
        ByteBuffer.wrap(record).putInt(record.length - RECORD_HEADER);
        ByteBuffer.wrap(record).putInt(4, checksum(record));
        return record;
    }

    private static boolean isIntact(byte[] record) {
        return ByteBuffer.wrap(record).getInt(4) == checksum(record);
    }

    /** Returns the checksum of a record: of its length and its body. */
    private static int checksum(byte[] record) {
        CRC32 crc = new CRC32();
        crc.update(record, 0, 4);
        crc.update(record, RECORD_HEADER, record.length - RECORD_HEADER);
        return (int) crc.getValue();
    }

    private static int checksum(byte[] bytes, int offset, int length) {
        CRC32 crc = new CRC32();
        crc.update(bytes, offset, length);
        return (int) crc.getValue();
    }

    /** The few things that are asked of a file system; tests pass one that fails. */
    static class Disk {
        FileChannel open(Path path, OpenOption... options) throws IOException {
            return FileChannel.open(path, options);
        }

        /** Puts a file in the place of another: after a crash there is the one or the other, whole. */
        void replace(Path from, Path to) throws IOException {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            try (FileChannel directory = FileChannel.open(to.resolveSibling("."), StandardOpenOption.READ)) {
                directory.force(true);
            } catch (IOException notAllowed) { // Windows opens no directory; there the move itself is logged
                LOG.debug("the directory of '{}' could not be forced", to, notAllowed);
            }
        }
    }
}
