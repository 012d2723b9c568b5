package io.realtime.client.internal.outbox;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The operations on the file system; tests pass one that fails. */
public class JournalDisk {
    private static final Logger LOG = LoggerFactory.getLogger(JournalDisk.class);

    FileChannel open(Path path, OpenOption... options) throws IOException {
        return FileChannel.open(path, options);
    }

    /**
     * Returns what distinguishes a file from another one that replaces it: its key or, if there is none, its
     * creation time.
     */
    public Object key(Path path) throws IOException {
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
