package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.SystemScheduler;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file in which a client's reliable messages survive the end of the process: what was not acknowledged is sent by the
 * next client that opens the file, under the same client id and number, so that the server recognises what it has
 * processed. Given to {@link RealtimeClient.Builder#outboxFile}; one file serves one client at a time.
 *
 * <p>A message leaves for the server only when it is on the disk, forced there together with whatever else waited. That
 * a message was acknowledged or dropped is written too, but not forced: after a loss of power, though not after a crash of
 * the process alone, it may be sent once more, marked {@code redelivered}. {@link OutboxLimits} bound the file: it stays
 * within about twice their bytes. While the disk cannot be written, messages fail with code {@code storage} and reach
 * {@link ClientListener#onDropped}; later ones are tried again.
 *
 * <p><b>One file per user</b>: the file belongs to the user whom the server's first welcome names. When a welcome names
 * another one, what the file holds is dropped with code {@code user_changed}, never sent, and the file is that user's.
 * <b>One device per file</b>: two would use the
 * same numbers, and the server would take the second message of a number for a repeat. An old copy of the file is noticed
 * when the server welcomes the client, and what it has numbered twice is dropped with code {@code storage}. On Android it
 * belongs into {@code Context.getNoBackupFilesDir()}. It holds messages as they are, so its directory should be private.
 * Beside it stands a file with {@code .lock} behind its name, which is never removed.
 *
 * <p>Safe for use by many threads.
 */
public final class FileOutbox implements Closeable {
    private static final Logger LOG = LoggerFactory.getLogger(FileOutbox.class);

    /** The files that are open in this process: to close a second channel of a lock file would lift the lock. */
    private static final Set<URI> OPEN = ConcurrentHashMap.newKeySet();

    private final Path file;
    private final FileChannel lockChannel;
    private final OutboxJournal journal; // guarded by disk; without a client, of the thread that opens or closes
    private final SerialExecutor writer;
    private final Runnable stopWriter;
    private final AtomicBoolean woken = new AtomicBoolean();
    /** Held for all that is done with the file; taken before {@link #lock}, and that before the outbox's. */
    private final ReentrantLock disk = new ReentrantLock();

    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable Client client; // guarded by lock
    private volatile boolean closed; // set under lock
    private @Nullable Owner newOwner; // guarded by lock; whom the file is to belong to, until that is on the disk
    private boolean isFailing; // guarded by disk; the last turn of the writer failed
    private @Nullable RealtimeException lost; // guarded by lock; since the last sync
    private List<CompletableFuture<Void>> syncs = new ArrayList<>(); // guarded by lock

    /** How many may wait for the disk in {@link #sync}. */
    private static final int MOST_SYNCS = 1_000;

    /** Whose messages these are, and who is told what became of them. */
    record Client(
            Outbox outbox,
            CallbackDispatcher callbacks,
            Runnable onStored,
            Consumer<List<Outbox.Dropped>> onNotStored) {}

    private record Owner(String user, String clientId) {}

    private FileOutbox(
            Path file, FileChannel lockChannel, OutboxJournal journal, Executor writer, Runnable stopWriter) {
        this.file = file;
        this.lockChannel = lockChannel;
        this.journal = journal;
        this.writer = new SerialExecutor(writer, task -> callbacks().substitute(task), this::retry);
        this.stopWriter = stopWriter;
    }

    /**
     * Like {@link #open(Path, Executor)}, with a daemon thread of the file's own as the writer, which ends when it has
     * been idle for 10 s, and when the file is closed.
     *
     * @throws IOException as there
     */
    public static FileOutbox open(Path file) throws IOException {
        ThreadPoolExecutor thread = writerThread();
        return open(file, thread, () -> SystemScheduler.stop(thread), new OutboxJournal.Disk());
    }

    /**
     * Opens a file, or makes it where there is none; its directory must exist. Reads all of it, on the calling thread.
     * Whatever a crash left half written is dropped, with a warning in the log.
     *
     * @param writer who writes to the file, one task at a time; it blocks on the disk and is never shut down here
     * @throws IOException when the file cannot be read or written, when it is in use by another process or another
     *     {@code FileOutbox}, when it is not an outbox, or one of a newer version; the message says which
     */
    public static FileOutbox open(Path file, Executor writer) throws IOException {
        Objects.requireNonNull(writer, "writer");
        return open(file, writer, () -> {}, new OutboxJournal.Disk());
    }

    static FileOutbox open(Path file, Executor writer, Runnable stopWriter, OutboxJournal.Disk disk)
            throws IOException {
        Path real = real(file);
        if (!OPEN.add(real.toUri())) {
            throw new IOException("'" + file + "' is in use by another FileOutbox of this process");
        }
        FileChannel lockChannel = null;
        FileOutbox opened = null;
        boolean isInterrupted = Thread.interrupted(); // it would close what is opened
        try {
            lockChannel = FileChannel.open(
                    real.resolveSibling(real.getFileName() + ".lock"),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE);
            lock(lockChannel, file);
            opened = new FileOutbox(real, lockChannel, OutboxJournal.open(real, disk), writer, stopWriter);
            return opened;
        } finally {
            restore(isInterrupted);
            if (opened == null) {
                try {
                    if (lockChannel != null) {
                        lockChannel.close();
                    }
                } finally {
                    OPEN.remove(real.toUri());
                }
            }
        }
    }

    /** One file has one name here, whatever links lead to it. */
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

    private static ThreadPoolExecutor writerThread() {
        return new ThreadPoolExecutor(0, 1, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
            Thread thread = new Thread(task, "realtime-client-outbox");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * Waits for the disk; returns immediately.
     *
     * @return completes when every message that was sent before is on the disk, acknowledged or dropped; fails with code
     *     {@code storage} when the file could not be written now, or one that was sent since the last {@code sync} could
     *     not be stored, and with {@code overloaded} when 1,000 others wait. Completes on the callback executor of the client
     */
    public CompletableFuture<Void> sync() {
        CompletableFuture<Void> result;
        boolean waits;
        boolean full;
        lock.lock();
        try {
            result = client == null
                    ? new CompletableFuture<>()
                    : client.callbacks().newFuture();
            if (result.isDone()) {
                return result;
            }
            waits = client != null && !closed;
            full = syncs.size() >= MOST_SYNCS;
            if (waits && !full) {
                syncs.add(result);
            }
        } finally {
            lock.unlock();
        }
        if (!waits) {
            complete(result, takeLost());
        } else if (full) {
            result.completeExceptionally( // here: nobody waits for it yet
                    new RealtimeException(ErrorCode.OVERLOADED, "too many wait for the disk", true, null));
        } else {
            wake();
        }
        return result;
    }

    /**
     * Closes a file that no client was given, on the calling thread; otherwise does nothing, since the client's {@link
     * RealtimeClient#close} does it.
     */
    @Override
    public void close() {
        lock.lock();
        try {
            if (client != null || closed) {
                return;
            }
            closed = true;
        } finally {
            lock.unlock();
        }
        boolean isInterrupted = Thread.interrupted();
        try {
            release();
        } finally {
            restore(isInterrupted);
        }
    }

    @Override
    public String toString() {
        return "FileOutbox{" + file + "}";
    }

    // For the client

    String clientId() {
        return journal.clientId();
    }

    /** Returns whether an earlier process had another user; before the first {@link #own}. */
    boolean isForeignTo(String user) {
        return journal.isOwned() && !journal.isOwnedBy(user);
    }

    /**
     * Makes the file a user's. Until that is on the disk no message leaves, and none is stored. Returns immediately.
     *
     * @param removal removes from the outbox, before the next message can be stored, what is not the user's
     * @return what it has removed
     */
    List<Outbox.Dropped> own(String user, String clientId, Function<Outbox, List<Outbox.Dropped>> removal) {
        List<Outbox.Dropped> removed;
        lock.lock();
        try {
            Outbox outbox = Objects.requireNonNull(client).outbox();
            newOwner = new Owner(user, clientId);
            outbox.hold(true);
            removed = removal.apply(outbox);
        } finally {
            lock.unlock();
        }
        wake();
        return removed;
    }

    /**
     * Takes the client in, and gives its outbox what an earlier process left; on the thread that builds the client.
     *
     * @return what was too much for its limits
     * @throws IllegalStateException when the file has or had a client, or is closed
     */
    List<Outbox.Dropped> attach(Client newClient, long nanoTime, long wallMillis) {
        lock.lock();
        try {
            if (client != null || closed) {
                throw new IllegalStateException(this + (client != null ? " has served a client" : " is closed"));
            }
            client = newClient;
        } finally {
            lock.unlock();
        }
        List<Outbox.OutboxEntry> entries = new ArrayList<>();
        for (OutboxJournal.Stored stored : journal.takeRestored()) {
            entries.add(new Outbox.OutboxEntry(stored, nanoTime, wallMillis));
        }
        return newClient.outbox().restore(entries, journal.lastSeq());
    }

    /** Has the writer look for changes of the outbox; returns immediately. */
    void wake() {
        if (!closed && woken.compareAndSet(false, true)) {
            writer.execute(() -> {
                woken.set(false); // before it looks, so that what comes later wakes it again
                write(false);
            });
        }
    }

    /** There is no thread to write: a timer tries again, and the next wake does where there is no timer either. */
    private void retry(Runnable again) {
        woken.set(false);
        callbacks().retry(again);
    }

    /** Returns those of the client; nothing is written before there is one. */
    private CallbackDispatcher callbacks() {
        lock.lock();
        try {
            return Objects.requireNonNull(client).callbacks();
        } finally {
            lock.unlock();
        }
    }

    /** Returns what could not be read of the file, or null; the first time only. On the thread that builds the client. */
    OutboxJournal.@Nullable Damage takeDamage() {
        return journal.takeDamage();
    }

    /**
     * Stores what is left of a closed outbox and closes the file; it may be opened again when this returns, whatever the
     * writer's executor does. A thread of its own writes: an interrupt of the calling thread would close the file during a
     * write.
     */
    void finish() {
        boolean isInterrupted = Thread.interrupted();
        CountDownLatch isWritten = new CountDownLatch(1);
        Runnable last = () -> Steps.run(() -> write(true), isWritten::countDown);
        try {
            Thread thread = new Thread(last, "realtime-client-outbox-last");
            thread.setDaemon(true);
            thread.start();
        } catch (OutOfMemoryError noThread) {
            last.run();
        }
        while (isWritten.getCount() > 0) {
            try {
                isWritten.await();
            } catch (InterruptedException interrupted) {
                isInterrupted = true;
            }
        }
        Steps.run(() -> {
            if (!writer.isRunningHere()) {
                stopWriter.run();
            }
        });
        restore(isInterrupted);
    }

    private static void restore(boolean isInterrupted) {
        if (isInterrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // The writer, and who closes the file

    private void write(boolean isLast) {
        Client served;
        List<CompletableFuture<Void>> waiting;
        Outcome outcome;
        disk.lock();
        try {
            Owner owner;
            Outbox.Changes changes;
            lock.lock();
            try {
                served = client;
                if (served == null || closed) {
                    return;
                }
                waiting = syncs; // before the changes, which hold all that was sent
                syncs = new ArrayList<>();
                owner = newOwner; // together with the changes, which are this user's
                changes = served.outbox().changes();
            } finally {
                lock.unlock();
            }
            outcome = store(served.outbox(), changes, owner);
            if (isLast) {
                release();
                waiting.addAll(closed());
            }
        } finally {
            disk.unlock();
        }
        Steps.run(
                () -> {
                    if (outcome.failure() != null) {
                        served.onNotStored().accept(outcome.dropped());
                    }
                },
                () -> {
                    if (outcome.hasChanged()) {
                        served.onStored().run();
                    }
                },
                () -> {
                    RealtimeException lostOne = waiting.isEmpty() ? null : takeLost();
                    RealtimeException failure = outcome.failure() != null ? outcome.failure() : lostOne;
                    Steps.each(waiting, sync -> complete(sync, failure));
                });
    }

    /** Notes that the file is closed; returns who waits for it. */
    private List<CompletableFuture<Void>> closed() {
        lock.lock();
        try {
            closed = true;
            return syncs;
        } finally {
            lock.unlock();
        }
    }

    /**
     * What has come of a turn of the writer.
     *
     * @param hasChanged whether messages may leave that could not before, or are gone
     * @param failure why the file is not up to date; null when it is
     * @param dropped what could not be stored
     */
    private record Outcome(boolean hasChanged, @Nullable RealtimeException failure, List<Outbox.Dropped> dropped) {}

    /** Brings the file up to date. */
    private Outcome store(Outbox outbox, Outbox.Changes changes, @Nullable Owner owner) {
        RealtimeException failure = null;
        List<Outbox.Dropped> dropped = Collections.emptyList();
        try {
            if (owner == null || isOwnedBy(owner)) {
                journal.ensureWhole(outbox::kept);
            } else {
                journal.own(owner.user(), owner.clientId(), outbox::kept);
            }
            journal.append(changes.added(), changes.removed());
            outbox.stored(changes);
            journal.compact(outbox::kept);
            isFailing = false;
        } catch (Throwable thrown) { // whatever it was, the futures must complete
            failure = failed(thrown);
            dropped = outbox.notStored(failure);
            if (!dropped.isEmpty()) {
                noteLost(failure);
            }
        }
        boolean isSafe = isOwnedBy(owner) && (failure == null || journal.isInPlace());
        boolean wasHeld = outbox.isHeld();
        lock.lock();
        try {
            if (Objects.equals(owner, newOwner)) { // else the file is to be another's by now
                newOwner = isOwnedBy(owner) ? null : owner;
                outbox.hold(!isSafe);
            }
        } finally {
            lock.unlock();
        }
        return new Outcome(wasHeld || !changes.added().isEmpty(), failure, dropped);
    }

    private boolean isOwnedBy(@Nullable Owner owner) {
        return owner == null || journal.isOwnedBy(owner.user(), owner.clientId());
    }

    private RealtimeException failed(Throwable thrown) {
        if (isFailing) {
            LOG.debug("'{}' could not be written", file, thrown);
        } else {
            LOG.warn("'{}' could not be written; it is tried again", file, thrown);
        }
        isFailing = true;
        return new RealtimeException(ErrorCode.STORAGE, "the message could not be stored: " + thrown, true, thrown);
    }

    private void noteLost(RealtimeException cause) {
        lock.lock();
        try {
            lost = cause;
        } finally {
            lock.unlock();
        }
    }

    private @Nullable RealtimeException takeLost() {
        lock.lock();
        try {
            RealtimeException taken = lost;
            lost = null;
            return taken;
        } finally {
            lock.unlock();
        }
    }

    private void complete(CompletableFuture<Void> sync, @Nullable RealtimeException failure) {
        Runnable completion = failure == null ? () -> sync.complete(null) : () -> sync.completeExceptionally(failure);
        Client served;
        lock.lock();
        try {
            served = client;
        } finally {
            lock.unlock();
        }
        if (served == null) {
            completion.run(); // nobody can wait for it yet
        } else {
            served.callbacks().execute(completion);
        }
    }

    private void release() {
        Steps.run(
                journal::close,
                () -> {
                    try {
                        lockChannel.close();
                    } catch (IOException failure) {
                        LOG.warn("the lock of '{}' could not be released", file, failure);
                    }
                },
                () -> OPEN.remove(file.toUri())); // not before: the next would meet the lock
    }
}
