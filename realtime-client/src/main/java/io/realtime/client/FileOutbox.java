package io.realtime.client;

import io.realtime.client.internal.outbox.OutboxFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/**
 * A file in which a client's reliable messages survive the end of the process. The next client that opens the file
 * sends what was not acknowledged, with the same client id and numbers, so that the server recognises what it has
 * processed. Given to {@link RealtimeClient.Builder#outboxFile}; one file serves one client at a time.
 *
 * <p>A message is sent to the server only when it is on the disk. The file is forced for all waiting messages together.
 * That a message was acknowledged or dropped is written too, but not forced. After a power failure, though not after a
 * crash of the process alone, such a message may be sent once more, marked {@code redelivered}. {@link OutboxLimits}
 * bound the file: it stays within about twice their bytes. While the disk cannot be written, messages fail with code
 * {@code storage} and reach {@link ClientListener#onDropped}; later ones are tried again.
 *
 * <p><b>One file per user.</b> The file belongs to the user that the server's first welcome names. When a later welcome
 * names another user, the messages in the file are dropped with code {@code user_changed} and never sent. From then on
 * the file belongs to that user.
 *
 * <p><b>One device per file.</b> Two devices would use the same numbers, and the server would treat the second message
 * of a number as a repeat. An old copy of the file is noticed when the server welcomes the client; the messages that it
 * numbered twice are dropped with code {@code storage}. On Android put the file into {@code
 * Context.getNoBackupFilesDir()}. It holds messages in clear text, so its directory should be private. A file with the
 * same name and the suffix {@code .lock} is made beside it and never removed.
 *
 * <p>Safe for use by many threads.
 */
public final class FileOutbox implements Closeable {
    private final OutboxFile file;

    FileOutbox(OutboxFile file) {
        this.file = file;
    }

    /**
     * Like {@link #open(Path, Executor)}, with a daemon thread of this file as the writer. The thread ends after 10 s
     * without work, and when the file is closed.
     *
     * @throws IOException as there
     */
    public static FileOutbox open(Path file) throws IOException {
        return new FileOutbox(OutboxFile.open(file));
    }

    /**
     * Opens a file, or makes it if there is none; its directory must exist. Reads all of it on the calling thread.
     * Records that a crash left half written are dropped, with a warning in the log.
     *
     * @param writer writes to the file, one task at a time; it blocks on the disk and is never shut down here
     * @throws IOException when the file cannot be read or written, is in use by another process or another {@code
     *     FileOutbox}, is not an outbox, or is of a newer version; the message says which
     */
    public static FileOutbox open(Path file, Executor writer) throws IOException {
        return new FileOutbox(OutboxFile.open(file, writer));
    }

    /**
     * Waits for the disk; returns immediately.
     *
     * @return completes when every message that was sent before is on the disk, acknowledged or dropped. Fails with
     *     code {@code storage} when the file could not be written now, or when a message that was sent since the last
     *     {@code sync} could not be stored. Fails with {@code overloaded} when 1,000 others wait. Completes on the
     *     callback executor of the client
     */
    public CompletableFuture<Void> sync() {
        return file.sync();
    }

    /**
     * Closes a file that was given to no client, on the calling thread. Otherwise does nothing, since the client's
     * {@link RealtimeClient#close} closes it.
     */
    @Override
    public void close() {
        file.close();
    }

    /** Returns the implementation, for the builder of the client that the file is given to. */
    OutboxFile file() {
        return file;
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
