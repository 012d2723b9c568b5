package io.realtime.client;

import io.realtime.internal.Ids;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UTFDataFormatException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of a {@link FileOutbox}: a sequence of records. Each record is found and checked by itself, so that damage
 * costs only the records that it hit. Blocks on the disk. Used by one thread at a time, which the {@link FileOutbox}
 * ensures.
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
 *
 * <p>The live messages are in memory too, which is the authority. When the file is damaged, deleted or replaced, or a
 * write has failed, the whole file is rewritten from memory.
 */
final class OutboxJournal {
    private static final Logger LOG = LoggerFactory.getLogger(OutboxJournal.class);

    /** Begins with a byte that no UTF-8 text contains. */
    private static final int MAGIC = 0xff52544f;

    private static final int VERSION = 1;
    private static final int ID_LENGTH = 24;
    private static final int OWNER_LENGTH = 32;
    private static final int PREFIX = 4 + 8 + 4 + 4 + 4;
    private static final int CHECKSUM = 4;
    private static final byte ADDED = 1;
    private static final byte REMOVED = 2;
    private static final byte ADDED_BINARY = 3;
    private static final byte OWNER = 4;

    /** The length of the two records that a file begins with. */
    static final int HEADER = 2 * (PREFIX + 1 + 4 + 8 + 2 + ID_LENGTH + OWNER_LENGTH + CHECKSUM);

    /** The most numbers in one record of removals. */
    private static final int MOST_REMOVED = 8_192;

    /** The longest head, which is one of removals. */
    private static final int LONGEST_HEAD = 1 + Long.BYTES * MOST_REMOVED;

    /** The most bytes in one write. A longer one would not be better, and the channel copies the bytes. */
    private static final int WRITE_BYTES = 64 << 10;

    /** How many bytes are read at once. */
    private static final int WINDOW = 64 << 10;

    /** With fewer dead bytes than this, rewriting the file is not worth the effort. */
    static final int WASTE_BYTES = 64 << 10;

    /** How many files of damaged bytes are kept. */
    private static final int MOST_ASIDE = 9;

    /** More numbers than damaged records can have held. They are skipped, so that none of those is used again. */
    private static final long SKIPPED = 1L << 32;

    /** The largest number that is accepted from a server. As many numbers remain above it. */
    static final long LARGEST_SEQ = 1L << 52;

    private static final long LARGEST_ON_THE_WIRE = (1L << 53) - 1;

    private final Path file;
    private final Path successor;
    private final Disk disk;
    private @Nullable FileChannel channel;
    // The file system's key of the file that was opened or written last.
    private @Nullable Object key;
    private String clientId = "";
    // Zeros before the first welcome.
    private byte[] owner = new byte[OWNER_LENGTH];
    // The mark of each record; 0 before one was found.
    private long mark;
    private long lastSeq;
    // The highest number of a message in the records; an owner record may name a higher one.
    private long newestSeq;
    // The lengths of the live records, in the order of the file.
    private Map<Long, Integer> live = new LinkedHashMap<>();
    private long liveBytes;
    // Up to the last good record, or up to the end of a file that was found damaged.
    private long size;
    // Whether the file must be rewritten before anything is added to it.
    private boolean suspect;
    // The size from which the file is compacted, so that a full disk is not tried again at every write.
    private long compactFrom;
    private List<Stored> restored = new ArrayList<>();
    // The damaged ranges that are not set aside yet.
    private List<Range> damaged = new ArrayList<>();
    private @Nullable Damage damage;

    /** A part of the file. */
    private record Range(long from, long to) {
        long length() {
            return to - from;
        }
    }

    /**
     * The parts of a file that could not be read.
     *
     * @param bytes how many bytes, in how many {@code places}
     * @param lost the messages whose head could be read, but not their payload
     */
    record Damage(long bytes, int places, List<Stored> lost) {}

    /**
     * A message as it is in the file.
     *
     * @param payload bytes if the message is binary, otherwise JSON in UTF-8
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
     * Opens a file, or makes one if there is none or an empty one. Writes nothing to an existing file: damaged parts
     * are skipped, and {@link #ensureWhole} sets them aside.
     *
     * @throws IOException when the file cannot be read or made, or is not an outbox
     */
    static OutboxJournal open(Path file, Disk disk) throws IOException {
        OutboxJournal journal = new OutboxJournal(file, disk);
        boolean complete = false;
        try {
            journal.deleteQuietly(journal.successor);
            if (!Files.exists(file) || Files.size(file) == 0) {
                journal.clientId = Ids.secret(new SecureRandom());
                journal.mark = new SecureRandom().nextLong();
                journal.rewrite(Collections.emptyList());
            } else {
                journal.read();
            }
            complete = true;
            return journal;
        } finally {
            if (!complete) {
                journal.closeQuietly();
            }
        }
    }

    /** Returns the client id. It is new when the file is made, gets another user, or has lost its client id. */
    String clientId() {
        return clientId;
    }

    /** Returns true if the file belongs to a user. */
    boolean isOwned() {
        return !Arrays.equals(owner, new byte[OWNER_LENGTH]);
    }

    boolean isOwnedBy(String user) {
        return Arrays.equals(owner, fingerprint(user));
    }

    boolean isOwnedBy(String user, String hisClientId) {
        return clientId.equals(hisClientId) && isOwnedBy(user);
    }

    /**
     * Makes the user the owner of the file, under this client id. This is on the disk when it returns.
     *
     * @throws IOException when it failed, and the owner is as before; then call {@link #ensureWhole}, or this again
     */
    void own(String user, String newClientId, Supplier<List<Outbox.OutboxEntry>> memory) throws IOException {
        byte[] ownerBefore = owner;
        String idBefore = clientId;
        owner = fingerprint(user);
        clientId = newClientId;
        boolean complete = false;
        try {
            rewrite(memory.get());
            complete = true;
        } finally {
            if (!complete) {
                owner = ownerBefore;
                clientId = idBefore;
                suspect = true;
            }
        }
    }

    private static byte[] fingerprint(String user) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(user.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException impossible) {
            // Every Java platform has it.
            throw new IllegalStateException(impossible);
        }
    }

    /** Returns the highest number that was ever stored, or may have been. */
    long lastSeq() {
        return lastSeq;
    }

    /** Returns the messages that the file held when it was opened, in order. Returns them only once. */
    List<Stored> takeRestored() {
        List<Stored> taken = restored;
        restored = Collections.emptyList();
        return taken;
    }

    /** Returns what could not be read when the file was opened, or null. Returns it only once. */
    @Nullable
    Damage takeDamage() {
        Damage taken = damage;
        damage = null;
        return taken;
    }

    // Reading

    private void read() throws IOException {
        Reader reader = new Reader(channel());
        Map<Long, Stored> messages = new LinkedHashMap<>();
        Map<Long, Stored> lost = new LinkedHashMap<>();
        long damagedFrom = -1;
        boolean isOutbox = false;
        for (long at = 0; at < reader.length; ) {
            long end = readRecord(reader, at, messages, lost);
            boolean isGood = end > at;
            isOutbox |= isGood;
            if (isGood && damagedFrom >= 0) {
                damaged.add(new Range(damagedFrom, at));
                damagedFrom = -1;
            } else if (!isGood && damagedFrom < 0) {
                damagedFrom = at;
            }
            at = isGood ? end : reader.nextMagic(at + 1);
        }
        if (!isOutbox) {
            throw new IOException("'" + file + "' is not an outbox");
        }
        if (damagedFrom >= 0) {
            damaged.add(new Range(damagedFrom, reader.length));
        }
        size = reader.length;
        restored = new ArrayList<>(messages.values());
        if (clientId.isEmpty()) {
            // Nobody knows which user the messages belong to, so they must not belong to any later user.
            clientId = Ids.secret(new SecureRandom());
            new SecureRandom().nextBytes(owner);
            // The mark that was found may be one that a payload's author made up.
            mark = new SecureRandom().nextLong();
            suspect = true;
        }
        if (!damaged.isEmpty()) {
            suspect = true;
            lastSeq += SKIPPED;
            long bytes = damaged.stream().mapToLong(Range::length).sum();
            damage = new Damage(bytes, damaged.size(), new ArrayList<>(lost.values()));
            LOG.warn("'{}' is damaged: {} bytes in {} places cannot be read", file, bytes, damaged.size());
        }
    }

    /** Reads the record that begins here. Returns where it ends, or -1 if there is none or it is damaged. */
    private long readRecord(Reader reader, long at, Map<Long, Stored> messages, Map<Long, Stored> lost)
            throws IOException {
        long left = reader.length - at;
        if (left < PREFIX + 1 + CHECKSUM) {
            return -1;
        }
        ByteBuffer prefix = ByteBuffer.wrap(reader.bytes(at, PREFIX));
        boolean isRecord = prefix.getInt() == MAGIC;
        long itsMark = prefix.getLong();
        int headLength = prefix.getInt();
        int payloadLength = prefix.getInt();
        int payloadChecksum = prefix.getInt();
        if (!isRecord
                || (itsMark != mark && mark != 0)
                || headLength < 1
                || headLength > Math.min(LONGEST_HEAD, left - PREFIX - CHECKSUM)
                || payloadLength < 0) {
            return -1;
        }
        byte[] head = reader.bytes(at, PREFIX + headLength + CHECKSUM);
        if (ByteBuffer.wrap(head).getInt(PREFIX + headLength) != headChecksum(at, head, PREFIX + headLength)) {
            return -1;
        }
        // The mark of the first record that is found: that of an owner, or of messages without an owner.
        mark = itsMark;
        byte[] payload = payloadLength > left - head.length ? null : reader.bytes(at + head.length, payloadLength);
        boolean isIntact = payload != null && checksum(payload) == payloadChecksum;
        int length = head.length + payloadLength;
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(head, PREFIX, headLength));
        try {
            byte kind = in.readByte();
            switch (kind) {
                case OWNER -> {
                    if (at >= HEADER) {
                        throw new IllegalArgumentException("an owner at " + at);
                    }
                    readOwner(in);
                }
                case ADDED, ADDED_BINARY -> {
                    ByteBuffer bytes = isIntact ? ByteBuffer.wrap(payload) : ByteBuffer.allocate(0);
                    Stored message = readMessage(in, kind == ADDED_BINARY, bytes);
                    used(message.seq());
                    (isIntact ? messages : lost).put(message.seq(), message);
                    if (isIntact) {
                        added(message.seq(), length);
                    }
                }
                case REMOVED -> {
                    while (in.available() > 0) {
                        long seq = in.readLong();
                        removed(seq);
                        messages.remove(seq);
                        lost.remove(seq);
                        used(seq);
                    }
                }
                default -> throw new IllegalArgumentException("kind " + kind);
            }
        } catch (EOFException | UTFDataFormatException | IllegalArgumentException nonsense) {
            LOG.warn("'{}' holds a record that makes no sense: {}", file, nonsense.toString());
            return -1;
        }
        return isIntact ? at + length : -1;
    }

    private void readOwner(DataInputStream in) throws IOException {
        int version = in.readInt();
        if (version != VERSION) {
            throw new IOException("'" + file + "' has version " + version + "; this library knows " + VERSION);
        }
        long seq = in.readLong();
        String id = in.readUTF();
        if (id.length() != ID_LENGTH || !isSeq(seq)) {
            throw new IllegalArgumentException("an owner '" + id + "' with number " + seq);
        }
        in.readFully(owner);
        clientId = id;
        lastSeq = Math.max(lastSeq, seq);
    }

    /** @throws IllegalArgumentException for a message that no client writes, even if its checksum is right */
    private Stored readMessage(DataInputStream in, boolean isBinary, ByteBuffer payload) throws IOException {
        long seq = in.readLong();
        long createdMillis = in.readLong();
        String name = Names.requireContract(in.readUTF());
        String room = in.readUTF();
        if (seq <= newestSeq || !isSeq(seq)) {
            throw new IllegalArgumentException("number " + seq + " after " + newestSeq);
        }
        return new Stored(seq, createdMillis, name, room.isEmpty() ? null : Names.requireRoom(room), isBinary, payload);
    }

    private static boolean isSeq(long seq) {
        return seq >= 0 && seq <= LARGEST_ON_THE_WIRE;
    }

    /** Reads a file from its beginning to its end, a window at a time. */
    private static final class Reader {
        final long length;
        private final FileChannel in;
        private byte[] window = new byte[0];
        private long base;

        Reader(FileChannel in) throws IOException {
            this.in = in;
            this.length = in.size();
        }

        byte[] bytes(long offset, int count) throws IOException {
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
        long nextMagic(long from) throws IOException {
            long at = from;
            while (at + Integer.BYTES <= length) {
                int first = seek(at, Integer.BYTES);
                for (int i = first; i + Integer.BYTES <= window.length; i++) {
                    if (window[i] == (byte) (MAGIC >>> 24)
                            && ByteBuffer.wrap(window).getInt(i) == MAGIC) {
                        return base + i;
                    }
                }
                at = base + window.length - Integer.BYTES + 1;
            }
            return length;
        }
    }

    private static byte[] readFully(FileChannel in, long offset, int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            if (in.read(bytes, offset + bytes.position()) < 0) {
                throw new EOFException("the file ends before byte " + (offset + count));
            }
        }
        return bytes.array();
    }

    // Writing

    /**
     * Ensures that the file exists and is whole. Rewrites it when it is damaged, was deleted or replaced, or a write
     * has failed.
     *
     * @param memory the messages that are stored and not removed
     * @throws IOException when it could not be written; it is tried again the next time
     */
    void ensureWhole(Supplier<List<Outbox.OutboxEntry>> memory) throws IOException {
        boolean isInPlace = isInPlace();
        if (!isInPlace && !suspect) {
            LOG.warn("'{}' is gone, or was changed by somebody else; it is written anew", file);
        }
        if (suspect || !isInPlace) {
            // Until it is written.
            suspect = true;
            rewrite(memory.get());
        }
    }

    /** Returns true if the file at the path is the one that was written, and not shorter. */
    boolean isInPlace() {
        try {
            return Objects.equals(key, disk.key(file)) && channel().size() >= size;
        } catch (IOException gone) {
            LOG.debug("'{}' cannot be looked at", file, gone);
            return false;
        }
    }

    /**
     * Appends removals and messages. The messages are on the disk when it returns, the removals some time later.
     *
     * @throws IOException when none of the messages is stored; {@link #ensureWhole} must come before the next call
     */
    void append(List<Outbox.OutboxEntry> messages, List<Long> removals) throws IOException {
        List<Long> gone = new ArrayList<>();
        for (Long seq : removals) {
            if (removed(seq)) {
                gone.add(seq);
            }
        }
        if (messages.isEmpty() && gone.isEmpty()) {
            return;
        }
        Map<Long, Integer> lengths = new LinkedHashMap<>();
        long end = size;
        boolean complete = false;
        try {
            FileChannel out = channel();
            ByteArrayOutputStream pending = new ByteArrayOutputStream();
            for (int i = 0; i < gone.size(); i += MOST_REMOVED) {
                pending.write(removal(gone.subList(i, Math.min(gone.size(), i + MOST_REMOVED)), end + pending.size()));
            }
            for (Outbox.OutboxEntry message : messages) {
                if (pending.size() >= WRITE_BYTES) {
                    end = write(out, end, pending.toByteArray());
                    pending.reset();
                }
                long offset = end + pending.size();
                if (message.ref != null) {
                    // Only its number outlives this process.
                    pending.write(removal(Collections.singletonList(message.seq()), offset));
                    continue;
                }
                byte[] record = addition(message, offset);
                lengths.put(message.seq(), record.length);
                pending.write(record);
            }
            end = write(out, end, pending.toByteArray());
            if (!messages.isEmpty()) {
                out.force(false);
            }
            complete = true;
        } finally {
            if (!complete) {
                // After a failed force nobody knows which part of the file will be there.
                suspect = true;
                cutBack();
            }
        }
        size = end;
        lengths.forEach(this::added);
        for (Outbox.OutboxEntry message : messages) {
            used(message.seq());
        }
    }

    /**
     * Cuts off what a failed write left, so that the next process does not find it, not even after a power failure. The
     * channel is opened again, since an interrupt of the writing thread may have closed it.
     */
    private void cutBack() {
        try {
            if (isInPlace()) {
                channel().truncate(size).force(true);
            }
        } catch (IOException failure) {
            // Tried again when the file is closed, unless it is rewritten before.
            LOG.debug("'{}' could not be cut back", file, failure);
        }
        closeQuietly();
    }

    /** Rewrites the file without its dead records, when these are more than half of it and worth the effort. */
    void compact(Supplier<List<Outbox.OutboxEntry>> memory) {
        if (size - liveBytes <= Math.max(liveBytes, WASTE_BYTES) || size < compactFrom) {
            return;
        }
        try {
            rewrite(memory.get());
            compactFrom = 0;
        } catch (IOException failure) {
            compactFrom = size + WASTE_BYTES;
            LOG.warn("'{}' could not be compacted, and grows on", file, failure);
        }
    }

    /** Writes a successor with the live messages and replaces the file with it. */
    private void rewrite(List<Outbox.OutboxEntry> alive) throws IOException {
        setAside();
        Map<Long, Integer> lengths = new LinkedHashMap<>();
        long end = 0;
        boolean complete = false;
        try {
            try (FileChannel out = disk.open(
                    successor,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                ByteArrayOutputStream pending = new ByteArrayOutputStream();
                pending.write(owner(0));
                pending.write(owner(pending.size()));
                for (Outbox.OutboxEntry message : alive) {
                    if (pending.size() >= WRITE_BYTES) {
                        end = write(out, end, pending.toByteArray());
                        pending.reset();
                    }
                    byte[] record = addition(message, end + pending.size());
                    lengths.put(message.seq(), record.length);
                    pending.write(record);
                }
                end = write(out, end, pending.toByteArray());
                out.force(true);
            }
            // Some systems do not replace a file that is open.
            closeQuietly();
            disk.replace(successor, file);
            disk.forceNames(file);
            complete = true;
        } finally {
            if (!complete) {
                deleteQuietly(successor);
            }
        }
        key = disk.key(file);
        live = new LinkedHashMap<>();
        liveBytes = 0;
        lengths.forEach(this::added);
        size = end;
        suspect = false;
    }

    /**
     * Copies the damaged parts into a file beside this one: the application, or its support, may be able to read them.
     */
    private void setAside() throws IOException {
        if (damaged.isEmpty()) {
            return;
        }
        Path aside = null;
        for (int i = MOST_ASIDE; i >= 1; i--) {
            Path free = file.resolveSibling(file.getFileName() + ".damaged-" + i);
            aside = Files.exists(free) ? aside : free;
        }
        if (aside == null) {
            LOG.warn("the damaged bytes of '{}' are not kept: there are {} such files already", file, MOST_ASIDE);
        } else {
            copyDamaged(aside);
            LOG.warn("the damaged bytes of '{}' are kept in '{}'", file, aside);
        }
        damaged = new ArrayList<>();
    }

    private void copyDamaged(Path aside) throws IOException {
        boolean complete = false;
        try (FileChannel out = disk.open(aside, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            long end = 0;
            for (Range range : damaged) {
                for (long at = range.from(); at < range.to(); at += WINDOW) {
                    int count = (int) Math.min(WINDOW, range.to() - at);
                    end = write(out, end, readFully(channel(), at, count));
                }
            }
            out.force(true);
            complete = true;
        } finally {
            if (!complete) {
                deleteQuietly(aside);
            }
        }
    }

    private void deleteQuietly(Path path) {
        try {
            disk.delete(path);
        } catch (IOException failure) {
            // It is overwritten the next time.
            LOG.debug("'{}' could not be deleted", path, failure);
        }
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
            channel = open;
            if (key == null) {
                key = disk.key(file);
            }
        }
        return open;
    }

    /** Closes the file, whose end is then the last good record. */
    void close() {
        if (suspect) {
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
            } catch (IOException failure) {
                // Harmless: all important bytes were forced.
                LOG.debug("'{}' could not be closed", file, failure);
            }
        }
    }

    private void added(long seq, int length) {
        live.put(seq, length);
        liveBytes += length;
        used(seq);
    }

    /** Notes a number, so that no other message gets it. */
    private void used(long seq) {
        if (isSeq(seq)) {
            newestSeq = Math.max(newestSeq, seq);
            lastSeq = Math.max(lastSeq, seq);
        }
    }

    private boolean removed(long seq) {
        Integer length = live.remove(seq);
        if (length == null) {
            return false;
        }
        liveBytes -= length;
        return true;
    }

    // Encoding

    private byte[] owner(long offset) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(HEADER);
        DataOutputStream out = begin(bytes, OWNER);
        out.writeInt(VERSION);
        out.writeLong(lastSeq);
        out.writeUTF(clientId);
        out.write(owner);
        out.writeInt(0);
        return seal(bytes.toByteArray(), bytes.size(), offset);
    }

    private byte[] addition(Outbox.OutboxEntry message, long offset) throws IOException {
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
        return seal(bytes.toByteArray(), payload, offset);
    }

    private byte[] removal(List<Long> numbers, long offset) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(PREFIX + 1 + Long.BYTES * numbers.size() + CHECKSUM);
        DataOutputStream out = begin(bytes, REMOVED);
        for (Long seq : numbers) {
            out.writeLong(seq);
        }
        out.writeInt(0);
        return seal(bytes.toByteArray(), bytes.size(), offset);
    }

    private static DataOutputStream begin(ByteArrayOutputStream bytes, byte kind) throws IOException {
        DataOutputStream out = new DataOutputStream(bytes);
        out.write(new byte[PREFIX]);
        out.writeByte(kind);
        return out;
    }

    /** Fills in the prefix of a record, and the checksum before its payload. */
    private byte[] seal(byte[] record, int payload, long offset) {
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
    private static int headChecksum(long offset, byte[] record, int length) {
        CRC32 crc = new CRC32();
        crc.update(ByteBuffer.allocate(Long.BYTES).putLong(offset).array());
        crc.update(record, 0, length);
        return (int) crc.getValue();
    }

    private static int checksum(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    /** The operations on the file system; tests pass one that fails. */
    static class Disk {
        FileChannel open(Path path, OpenOption... options) throws IOException {
            return FileChannel.open(path, options);
        }

        /**
         * Returns what distinguishes a file from another one that replaces it: its key or, if there is none, its
         * creation time.
         */
        Object key(Path path) throws IOException {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            Object fileKey = attributes.fileKey();
            return fileKey != null ? fileKey : attributes.creationTime();
        }

        void delete(Path path) throws IOException {
            Files.deleteIfExists(path);
        }

        /** Replaces a file by another: after a crash one of them is there, and whole. */
        void replace(Path from, Path to) throws IOException {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }

        /** Forces the names in a file's directory, so that a replaced file is there after a power failure. */
        void forceNames(Path file) throws IOException {
            try (FileChannel directory = FileChannel.open(file.resolveSibling("."), StandardOpenOption.READ)) {
                directory.force(true);
            } catch (IOException notAllowed) {
                // Windows opens no directory; there the move itself is logged.
                LOG.debug("the directory of '{}' could not be forced", file, notAllowed);
            }
        }
    }
}
