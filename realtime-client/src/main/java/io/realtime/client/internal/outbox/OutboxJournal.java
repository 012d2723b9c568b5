package io.realtime.client.internal.outbox;

import io.realtime.internal.Ids;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of an {@link OutboxFile}: a sequence of records in the {@link RecordFormat}. Each record is found and checked by itself, so that damage
 * costs only the records that it hit. Blocks on the disk. Used by one thread at a time, which the {@link OutboxFile}
 * ensures.
 *
 * <p>The live messages are in memory too, which is the authority. When the file is damaged, deleted or replaced, or a
 * write has failed, the whole file is rewritten from memory.
 */
public final class OutboxJournal {
    private static final Logger LOG = LoggerFactory.getLogger(OutboxJournal.class);

    /** The length of a file without messages. */
    public static final int HEADER = RecordFormat.HEADER;

    /** The most bytes in one write. A longer one would not be better, and the channel copies the bytes. */
    private static final int WRITE_BYTES = 64 << 10;

    /** With fewer dead bytes than this, rewriting the file is not worth the effort. */
    static final int WASTE_BYTES = 64 << 10;

    /** How many files of damaged bytes are kept. */
    private static final int MOST_ASIDE = 9;

    /** More numbers than damaged records can have held. They are skipped, so that none of those is used again. */
    private static final long SKIPPED = 1L << 32;

    /** The largest number that is accepted from a server. As many numbers remain above it. */
    static final long LARGEST_SEQ = 1L << 52;

    private final Path file;
    private final Path successor;
    private final JournalDisk disk;
    private @Nullable FileChannel channel;
    // The file system's key of the file that was opened or written last.
    private @Nullable Object key;
    private String clientId = "";
    // Zeros before the first welcome.
    private byte[] owner = new byte[RecordFormat.OWNER_LENGTH];
    // The mark of each record.
    private long mark;
    private final LiveRecords live = new LiveRecords();
    // Up to the last good record, or up to the end of a file that was found damaged.
    private long size;
    // Whether the file must be rewritten before anything is added to it.
    private boolean suspect;
    // The size from which the file is compacted, so that a full disk is not tried again at every write.
    private long compactFrom;
    private List<StoredMessage> restored = new ArrayList<>();
    // The damaged ranges that are not set aside yet.
    private List<JournalReader.Range> damaged = new ArrayList<>();
    private @Nullable Damage damage;

    /**
     * The parts of a file that could not be read.
     *
     * @param bytes how many bytes, in how many {@code places}
     * @param lost the messages whose head could be read, but not their payload
     */
    record Damage(long bytes, int places, List<StoredMessage> lost) {}

    private OutboxJournal(Path file, JournalDisk disk) {
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
    public static OutboxJournal open(Path file, JournalDisk disk) throws IOException {
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
        return !Arrays.equals(owner, new byte[RecordFormat.OWNER_LENGTH]);
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
    void own(String user, String newClientId, Supplier<List<OutboxEntry>> memory) throws IOException {
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
        return live.lastSeq();
    }

    /** Returns the messages that the file held when it was opened, in order. Returns them only once. */
    public List<StoredMessage> takeRestored() {
        List<StoredMessage> taken = restored;
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

    private void read() throws IOException {
        JournalReader reader = new JournalReader(file, channel(), live);
        reader.read();
        clientId = reader.clientId;
        owner = reader.owner;
        mark = reader.mark;
        damaged = reader.damaged;
        size = reader.length;
        restored = new ArrayList<>(reader.messages.values());
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
            live.mayHaveUsed(live.lastSeq() + SKIPPED);
            long bytes = damaged.stream().mapToLong(JournalReader.Range::length).sum();
            damage = new Damage(bytes, damaged.size(), new ArrayList<>(reader.lost.values()));
            LOG.warn("'{}' is damaged: {} bytes in {} places cannot be read", file, bytes, damaged.size());
        }
    }

    // Writing

    /**
     * Ensures that the file exists and is whole. Rewrites it when it is damaged, was deleted or replaced, or a write
     * has failed.
     *
     * @param memory the messages that are stored and not removed
     * @throws IOException when it could not be written; it is tried again the next time
     */
    void ensureWhole(Supplier<List<OutboxEntry>> memory) throws IOException {
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
    void append(List<OutboxEntry> messages, List<Long> removals) throws IOException {
        List<Long> gone = new ArrayList<>();
        for (Long seq : removals) {
            if (live.removed(seq)) {
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
            for (int i = 0; i < gone.size(); i += RecordFormat.MOST_REMOVED) {
                List<Long> some = gone.subList(i, Math.min(gone.size(), i + RecordFormat.MOST_REMOVED));
                pending.write(RecordFormat.removal(mark, end + pending.size(), some));
            }
            for (OutboxEntry message : messages) {
                if (pending.size() >= WRITE_BYTES) {
                    end = write(out, end, pending.toByteArray());
                    pending.reset();
                }
                long offset = end + pending.size();
                if (message.ref != null) {
                    // Only its number outlives this process.
                    pending.write(RecordFormat.removal(mark, offset, Collections.singletonList(message.seq())));
                    continue;
                }
                byte[] record = RecordFormat.addition(mark, offset, message);
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
        lengths.forEach(live::added);
        for (OutboxEntry message : messages) {
            live.used(message.seq());
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
    void compact(Supplier<List<OutboxEntry>> memory) {
        if (size - live.bytes() <= Math.max(live.bytes(), WASTE_BYTES) || size < compactFrom) {
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
    private void rewrite(List<OutboxEntry> alive) throws IOException {
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
                pending.write(RecordFormat.owner(mark, 0, live.lastSeq(), clientId, owner));
                pending.write(RecordFormat.owner(mark, pending.size(), live.lastSeq(), clientId, owner));
                for (OutboxEntry message : alive) {
                    if (pending.size() >= WRITE_BYTES) {
                        end = write(out, end, pending.toByteArray());
                        pending.reset();
                    }
                    byte[] record = RecordFormat.addition(mark, end + pending.size(), message);
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
        live.replaceWith(lengths);
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
            for (JournalReader.Range range : damaged) {
                for (long at = range.from(); at < range.to(); at += JournalReader.WINDOW) {
                    int count = (int) Math.min(JournalReader.WINDOW, range.to() - at);
                    end = write(out, end, JournalReader.readFully(channel(), at, count));
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
    public void close() {
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
}
