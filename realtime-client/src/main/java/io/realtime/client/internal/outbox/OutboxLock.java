package io.realtime.client.internal.outbox;

import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The lock on an outbox's file, against other processes and within this one. It is held on a file beside it with the
 * suffix {@code .lock}, which is never removed.
 */
final class OutboxLock {
    private static final Logger LOG = LoggerFactory.getLogger(OutboxLock.class);

    /** The files that are open in this process. Closing a second channel of a lock file would release the lock. */
    private static final Set<URI> OPEN = ConcurrentHashMap.newKeySet();

    private final Path file;
    private final FileChannel channel;

    private OutboxLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Locks a file.
     *
     * @throws IOException when it is in use, or cannot be locked; the message says which
     */
    static OutboxLock of(Path file) throws IOException {
        Path real = real(file);
        if (!OPEN.add(real.toUri())) {
            throw new IOException("'" + file + "' is in use by another FileOutbox of this process");
        }
        FileChannel channel = null;
        OutboxLock lock = null;
        try {
            channel = FileChannel.open(
                    real.resolveSibling(real.getFileName() + ".lock"),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE);
            lock(channel, file);
            lock = new OutboxLock(real, channel);
            return lock;
        } finally {
            if (lock == null) {
                try {
                    if (channel != null) {
                        channel.close();
                    }
                } finally {
                    OPEN.remove(real.toUri());
                }
            }
        }
    }

    /** Returns one name for one file, also if links lead to it. */
    private static Path real(Path file) throws IOException {
        if (Files.exists(file)) {
            return file.toRealPath();
        }
        Path absolute = file.toAbsolutePath();
        Path directory = absolute.getParent();
        return directory == null ? absolute : directory.toRealPath().resolve(absolute.getFileName());
    }

    private static void lock(FileChannel channel, Path file) throws IOException {
        FileLock held;
        try {
            held = channel.tryLock();
        } catch (OverlappingFileLockException here) {
            throw new IOException("'" + file + "' is in use by another FileOutbox of this process", here);
        }
        if (held == null) {
            throw new IOException("'" + file + "' is in use by another process");
        }
    }

    /** Returns the file's one name. */
    Path file() {
        return file;
    }

    /** Releases the lock, so that the file may be opened again. */
    void release() {
        try {
            channel.close();
        } catch (IOException failure) {
            LOG.warn("the lock of '{}' could not be released", file, failure);
        } finally {
            // Last, since the next opening would still find the lock.
            OPEN.remove(file.toUri());
        }
    }
}
