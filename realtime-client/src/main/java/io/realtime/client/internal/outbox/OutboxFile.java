package io.realtime.client.internal.outbox;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.FileOutbox;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.SerialExecutor;
import io.realtime.internal.Steps;
import io.realtime.internal.SystemScheduler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
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
 * The implementation of {@link FileOutbox}: an outbox's journal, the lock beside it, and the writer that brings the
 * journal up to date with the {@link Outbox}. Safe for use by many threads.
 */
public final class OutboxFile {
    private static final Logger LOG = LoggerFactory.getLogger(OutboxFile.class);

    private final Path file;
    private final OutboxLock fileLock;
    // Guarded by disk; without a client, used only by the thread that opens or closes.
    private final OutboxJournal journal;
    private final SerialExecutor writer;
    private final Runnable stopWriter;
    private final AtomicBoolean woken = new AtomicBoolean();
    /** Held for all work on the file. Taken before {@link #lock}, which is taken before the outbox's lock. */
    private final ReentrantLock disk = new ReentrantLock();

    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private @Nullable Client client;

    private volatile boolean closed; // Set under lock.
    // The owner that the file is to have, until this is on the disk.
    @GuardedBy("lock")
    private @Nullable Owner newOwner;
    // Whether the last run of the writer failed.
    @GuardedBy("disk")
    private boolean isFailing;
    // Why a message was lost since the last sync.
    @GuardedBy("lock")
    private @Nullable RealtimeException lost;

    @GuardedBy("lock")
    private List<CompletableFuture<Void>> syncs = new ArrayList<>();

    /** How many futures of {@link #sync} may wait for the disk. */
    private static final int MOST_SYNCS = 1_000;

    /** The client that the file serves: its messages, and where their outcomes are reported. */
    record Client(
            Outbox outbox,
            CallbackDispatcher callbacks,
            Runnable onStored,
            Consumer<List<Outbox.Dropped>> onNotStored) {}

    private record Owner(String user, String clientId) {}

    private OutboxFile(OutboxLock fileLock, OutboxJournal journal, Executor writer, Runnable stopWriter) {
        this.file = fileLock.file();
        this.fileLock = fileLock;
        this.journal = journal;
        this.writer = new SerialExecutor(writer, task -> callbacks().substitute(task), this::retry);
        this.stopWriter = stopWriter;
    }

    /** Opens a file with a daemon thread of its own as the writer; see {@link FileOutbox#open(Path)}. */
    public static OutboxFile open(Path file) throws IOException {
        ThreadPoolExecutor thread = writerThread();
        return open(file, thread, () -> SystemScheduler.stop(thread), new JournalDisk());
    }

    /** Opens a file with this writer; see {@link FileOutbox#open(Path, Executor)}. */
    public static OutboxFile open(Path file, Executor writer) throws IOException {
        Objects.requireNonNull(writer, "writer");
        return open(file, writer, () -> {}, new JournalDisk());
    }

    /**
     * Opens a file on this disk.
     *
     * @param stopWriter ends the writer's thread when the file is closed
     */
    public static OutboxFile open(Path file, Executor writer, Runnable stopWriter, JournalDisk disk)
            throws IOException {
        // An interrupt would close the channels that are opened.
        boolean isInterrupted = Thread.interrupted();
        OutboxLock held = null;
        OutboxFile opened = null;
        try {
            held = OutboxLock.of(file);
            opened = new OutboxFile(held, OutboxJournal.open(held.file(), disk), writer, stopWriter);
            return opened;
        } finally {
            restore(isInterrupted);
            if (held != null && opened == null) {
                held.release();
            }
        }
    }

    private static ThreadPoolExecutor writerThread() {
        return new ThreadPoolExecutor(0, 1, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
            Thread thread = new Thread(task, "realtime-client-outbox");
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Waits for the disk; see {@link FileOutbox#sync}. */
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
            // Completed on this thread, since nobody can wait for it yet.
            result.completeExceptionally(
                    new RealtimeException(ErrorCode.OVERLOADED, "too many wait for the disk", true, null));
        } else {
            wake();
        }
        return result;
    }

    /** Closes a file that has no client; see {@link FileOutbox#close}. */
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

    public String clientId() {
        return journal.clientId();
    }

    /** Returns true if an earlier process had another user. Only before the first {@link #own}. */
    boolean isForeignTo(String user) {
        return journal.isOwned() && !journal.isOwnedBy(user);
    }

    /**
     * Makes the user the owner of the file. Until this is on the disk no message is sent, and none is stored. Returns
     * immediately.
     *
     * @param removal removes the messages of other users from the outbox, before the next message can be stored
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
     * Attaches the client, and gives its outbox the messages that an earlier process left. Called on the thread that
     * builds the client.
     *
     * @return messages beyond the outbox's limits
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
        List<OutboxEntry> entries = new ArrayList<>();
        for (StoredMessage stored : journal.takeRestored()) {
            entries.add(new OutboxEntry(stored, nanoTime, wallMillis));
        }
        return newClient.outbox().restore(entries, journal.lastSeq());
    }

    /** Wakes the writer to look for changes of the outbox; returns immediately. */
    void wake() {
        if (!closed && woken.compareAndSet(false, true)) {
            writer.execute(() -> {
                // Cleared before the writer looks, so that a later change wakes it again.
                woken.set(false);
                write(false);
            });
        }
    }

    /**
     * Tries again when the executor has no thread for the writer: by a timer or, if there is no timer either, at the
     * next wake.
     */
    private void retry(Runnable again) {
        woken.set(false);
        callbacks().retry(again);
    }

    /** Returns the client's dispatcher; nothing is written before there is a client. */
    private CallbackDispatcher callbacks() {
        lock.lock();
        try {
            return Objects.requireNonNull(client).callbacks();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns what could not be read of the file, or null. Returns it only once. Called on the thread that builds the
     * client.
     */
    OutboxJournal.@Nullable Damage takeDamage() {
        return journal.takeDamage();
    }

    /**
     * Stores the rest of a closed outbox and closes the file. When this returns, the file may be opened again, whatever
     * the writer's executor does. A new thread writes, since an interrupt of the calling thread would close the file
     * during a write.
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

    // The writer, and the thread that closes the file

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
                // Taken before the changes: so the changes hold all messages that these futures wait for.
                waiting = syncs;
                syncs = new ArrayList<>();
                // Taken together with the changes, which belong to this user.
                owner = newOwner;
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

    /** Marks the file as closed; returns the futures that wait for it. */
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
     * The result of one run of the writer.
     *
     * @param hasChanged whether messages were stored that may be sent now, or were dropped
     * @param failure why the file is not up to date; null when it is
     * @param dropped messages that could not be stored
     */
    private record Outcome(boolean hasChanged, @Nullable RealtimeException failure, List<Outbox.Dropped> dropped) {}

    /** Writes the changes to the file. */
    @GuardedBy("disk")
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
        } catch (Throwable thrown) {
            // Catches anything: the futures must complete.
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
            // Otherwise the file is to belong to another user by now.
            if (Objects.equals(owner, newOwner)) {
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

    @GuardedBy("disk")
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
            // Nobody can wait for it yet.
            completion.run();
        } else {
            served.callbacks().execute(completion);
        }
    }

    private void release() {
        Steps.run(journal::close, fileLock::release);
    }
}
