package io.realtime.client.internal.outbox;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.OutboxLimits;
import io.realtime.internal.wire.Payloads;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The reliable messages between {@code send} and their acknowledgement, in order, within {@link OutboxLimits}. Any
 * thread adds messages, so that the limit holds before anything waits for the engine. An {@link OutboxFile} asks on its
 * writer's thread what to store. Everything else is done by the engine. No other object is called under the lock:
 * messages that leave the outbox are returned.
 */
final class Outbox {
    private final OutboxLimits limits;
    private final boolean stores;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final OutboxQueues queues;

    @GuardedBy("lock")
    private long lastSeq;

    @GuardedBy("lock")
    private boolean closed;
    // Whether no message may be sent, because the file does not name the user or is gone.
    @GuardedBy("lock")
    private boolean held;
    // The longest message that this client sends: half of its outboundBytes.
    private final int ownBytes;
    // The longest message that the server accepts.
    @GuardedBy("lock")
    private int serverBytes = Integer.MAX_VALUE;

    /**
     * @param stores whether a file keeps the messages too: then none is sent before it is {@link #stored}
     * @param outboundBytes how many bytes may wait in a connection; a message may take half of it
     */
    Outbox(OutboxLimits limits, boolean stores, int outboundBytes) {
        this.ownBytes = outboundBytes / 2;
        this.limits = limits;
        this.stores = stores;
        this.queues = new OutboxQueues(stores);
    }

    /** Adds the messages that an earlier process left, oldest first; returns those beyond the limits. */
    List<Dropped> restore(List<OutboxEntry> entries, long highestSeq) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            lastSeq = highestSeq;
            for (OutboxEntry entry : entries) {
                entry.stage = OutboxEntry.Stage.STORED;
                entry.admitted = true;
                // It may have been sent; nobody knows.
                entry.everSent = true;
                takeIn(entry, dropped);
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    /**
     * Numbers a message and adds it. Returns the messages that were dropped to make room, or the message itself if it
     * was refused.
     */
    List<Dropped> add(OutboxEntry entry) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            entry.stage = stores ? OutboxEntry.Stage.NEW : OutboxEntry.Stage.STORED;
            takeIn(entry, dropped);
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    /** Numbers and adds a new message, or adds a restored one; if it is refused, adds it to the dropped ones. */
    @GuardedBy("lock")
    private void takeIn(OutboxEntry entry, List<Dropped> dropped) {
        RealtimeException refusal = refusal(entry);
        while (refusal == null && !fits(entry)) {
            boolean mayDrop = limits.overflow() == OutboxLimits.Overflow.DROP_OLDEST
                    // Messages that do not make enough room are not dropped.
                    && (!dropped.isEmpty() || fitsWithoutOthers(entry));
            OutboxEntry oldest = mayDrop ? queues.pollOldest() : null;
            if (oldest == null) {
                refusal = overflow(
                        "the outbox is full: it holds " + queues.size() + " messages, " + queues.bytes() + " bytes");
            } else {
                dropped.add(new Dropped(oldest, overflow("dropped for newer messages")));
            }
        }
        if (refusal != null) {
            queues.refused(entry);
            dropped.add(new Dropped(entry, refusal));
        } else {
            entry.seq = entry.restored ? entry.seq : ++lastSeq;
            queues.add(entry);
        }
    }

    @GuardedBy("lock")
    private @Nullable RealtimeException refusal(OutboxEntry entry) {
        if (closed) {
            return closed();
        }
        if (isTooBig(entry)) {
            return tooBig(entry);
        }
        if (entry.cost() > limits.bytes()) {
            // No amount of dropped messages would make room for it.
            String why = "the message takes " + entry.cost() + " bytes, the outbox holds " + limits.bytes();
            return new RealtimeException(ErrorCode.TOO_BIG, why);
        }
        return null;
    }

    @GuardedBy("lock")
    private boolean fits(OutboxEntry entry) {
        return queues.size() < limits.messages() && queues.bytes() + entry.cost() <= limits.bytes();
    }

    /** Returns true if there are enough bytes for the message after all others that are not in flight are dropped. */
    @GuardedBy("lock")
    private boolean fitsWithoutOthers(OutboxEntry entry) {
        return queues.bytesUnderWay() + entry.cost() <= limits.bytes();
    }

    private static RealtimeException overflow(String message) {
        return new RealtimeException(ErrorCode.OVERLOADED, message, true, null);
    }

    @GuardedBy("lock")
    private RealtimeException tooBig(OutboxEntry entry) {
        String limit = serverBytes < ownBytes
                ? "the server takes " + serverBytes
                : "this client sends " + ownBytes + " at most, half of its outboundBytes";
        return new RealtimeException(ErrorCode.TOO_BIG, "the message has " + entry.wireLength() + " bytes, " + limit);
    }

    @GuardedBy("lock")
    private boolean isTooBig(OutboxEntry entry) {
        return entry.wireLength() > longest();
    }

    @GuardedBy("lock")
    private int longest() {
        return Math.min(serverBytes, ownBytes);
    }

    /**
     * Gives a message up: it is not sent any more, and no file keeps it. One that is in flight counts as in flight
     * until it is acknowledged or its connection is lost, since the server counts it too.
     *
     * @return false when its outcome is already decided
     */
    boolean giveUp(OutboxEntry entry) {
        lock.lock();
        try {
            if (closed || entry.stage == OutboxEntry.Stage.GONE || entry.givenUp) {
                return false;
            }
            queues.giveUp(entry);
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Returns true if a message was ever sent, or may have been sent by an earlier process. */
    boolean wasSent(OutboxEntry entry) {
        lock.lock();
        try {
            return entry.everSent;
        } finally {
            lock.unlock();
        }
    }

    /** Returns true if a message is not acknowledged and has no other outcome yet. */
    boolean holds(OutboxEntry entry) {
        lock.lock();
        try {
            return entry.stage != OutboxEntry.Stage.GONE;
        } finally {
            lock.unlock();
        }
    }

    /** Returns true if the outbox is half full, so that a producer should wait. */
    boolean isHalfFull() {
        lock.lock();
        try {
            int most = limits.messages();
            // Never true for an empty outbox.
            return queues.size() >= most - most / 2 || queues.bytes() >= limits.bytes() / 2;
        } finally {
            lock.unlock();
        }
    }

    /** Returns why a message would be refused even by an empty outbox, or null. */
    @Nullable
    RealtimeException refusalOrNull(OutboxEntry entry) {
        lock.lock();
        try {
            return refusal(entry);
        } finally {
            lock.unlock();
        }
    }

    /** Returns why a message is too long for the server or this client, or null. */
    @Nullable
    RealtimeException tooBigOrNull(OutboxEntry entry) {
        lock.lock();
        try {
            return isTooBig(entry) ? tooBig(entry) : null;
        } finally {
            lock.unlock();
        }
    }

    /** Sets the longest message that the server accepts; removes and returns those that are longer. */
    List<Dropped> limitMessages(int newServerBytes) {
        lock.lock();
        try {
            serverBytes = newServerBytes;
            List<Dropped> dropped = new ArrayList<>();
            int longest = longest();
            for (OutboxEntry entry : queues.removeWaiting(entry -> entry.wireLength() > longest)) {
                dropped.add(new Dropped(entry, tooBig(entry)));
            }
            return dropped;
        } finally {
            lock.unlock();
        }
    }

    /** Removes and returns all messages: they belonged to another user. */
    List<Dropped> removeAll(RealtimeException cause) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            for (OutboxEntry entry : queues.removeAll()) {
                dropped.add(new Dropped(entry, cause));
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    /** Sets whether no message may be sent. True while the file is gone or does not name the user. */
    void hold(boolean holds) {
        lock.lock();
        try {
            held = holds;
        } finally {
            lock.unlock();
        }
    }

    /** Returns true if no message may be sent because of the file. */
    boolean isHeld() {
        lock.lock();
        try {
            return held;
        } finally {
            lock.unlock();
        }
    }

    /** Allows a message to be sent, after those that were added before it, once it is stored. */
    void admit(OutboxEntry entry) {
        lock.lock();
        try {
            entry.admitted = true;
        } finally {
            lock.unlock();
        }
    }

    /** Returns the number of the newest message. */
    long lastSeq() {
        lock.lock();
        try {
            return lastSeq;
        } finally {
            lock.unlock();
        }
    }

    /** Returns true if no message up to this number is in the outbox any more. */
    boolean isDone(long seq) {
        lock.lock();
        try {
            OutboxEntry oldest = queues.oldest();
            return oldest == null || oldest.seq > seq;
        } finally {
            lock.unlock();
        }
    }

    /** The changes that the file does not have yet. */
    record Changes(List<OutboxEntry> added, List<Long> removed) {}

    /**
     * Returns the changes that the file does not have yet. The caller must call {@link #stored} or {@link #notStored}
     * before the next call.
     */
    Changes changes() {
        lock.lock();
        try {
            return queues.changes();
        } finally {
            lock.unlock();
        }
    }

    /** Returns the messages that a rewritten file must hold, oldest first: those that were stored and not given up. */
    List<OutboxEntry> kept() {
        lock.lock();
        try {
            return queues.kept();
        } finally {
            lock.unlock();
        }
    }

    /** Marks the changes as stored in the file. */
    void stored(Changes changes) {
        lock.lock();
        try {
            for (OutboxEntry entry : changes.added()) {
                if (entry.stage == OutboxEntry.Stage.STORING) {
                    entry.stage = OutboxEntry.Stage.STORED;
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Removes and returns the messages that could not be stored in the file. */
    List<Dropped> notStored(RealtimeException cause) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            for (OutboxEntry entry : queues.removeWaiting(entry -> entry.stage == OutboxEntry.Stage.STORING)) {
                dropped.add(new Dropped(entry, cause));
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    /**
     * Returns the next admitted messages to send. The caller must then call {@link #sent} or {@link #notSent}. A
     * message that is alone may exceed the bounds in bytes.
     *
     * @param maxInflight how many messages may be unacknowledged
     * @param maxInflightBytes how many bytes may be unacknowledged
     * @param maxBytes how many bytes are sent at a time
     */
    List<OutboxEntry> unsent(int maxInflight, long maxInflightBytes, int maxBytes) {
        lock.lock();
        try {
            return closed || held ? Collections.emptyList() : queues.unsent(maxInflight, maxInflightBytes, maxBytes);
        } finally {
            lock.unlock();
        }
    }

    /** Marks messages as sent. */
    void sent(List<OutboxEntry> entries) {
        lock.lock();
        try {
            queues.sent(entries);
        } finally {
            lock.unlock();
        }
    }

    /** Puts messages that the connection did not take back among those that wait. */
    void notSent(List<OutboxEntry> entries) {
        lock.lock();
        try {
            queues.notSent(entries);
        } finally {
            lock.unlock();
        }
    }

    /** Handles the loss of the connection: messages in flight wait again, before all newer ones. */
    void connectionLost() {
        lock.lock();
        try {
            queues.connectionLost();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Handles a new session: messages that were sent and that the server has processed, up to this number, are not sent
     * again.
     */
    void resumed(long processed) {
        lock.lock();
        try {
            queues.resumed(processed);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Handles the highest number that the server has processed. A message that was never sent from here has such a
     * number only if the file is an old copy of itself. The server would treat it as a repeat. Removes and returns such
     * messages.
     */
    List<Dropped> skip(long processed) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            if (stores && processed <= OutboxJournal.LARGEST_SEQ) {
                lastSeq = Math.max(lastSeq, processed);
                for (OutboxEntry entry : queues.removeWaiting(entry -> !entry.everSent && entry.seq <= processed)) {
                    dropped.add(new Dropped(
                            entry,
                            new RealtimeException(
                                    ErrorCode.STORAGE, "the outbox is an old copy of its file", true, null)));
                }
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    /** Removes and returns the messages up to this number that were ever sent: the server has processed them. */
    List<OutboxEntry> acknowledged(long seq) {
        lock.lock();
        try {
            return queues.takeUpTo(seq);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Removes and returns a message that was ever sent, also when it waits to be sent again. Returns null if it is not
     * here.
     */
    @Nullable
    OutboxEntry failed(long seq) {
        lock.lock();
        try {
            return queues.take(seq);
        } finally {
            lock.unlock();
        }
    }

    /** Returns the longest message in flight, or null: the one that some hop found too big. */
    @Nullable
    OutboxEntry longestInflight() {
        lock.lock();
        try {
            return queues.longestInflight();
        } finally {
            lock.unlock();
        }
    }

    /** Adjusts the age of messages that an earlier process left, when the first welcome brings the server's time. */
    void ageRestored(long nanoTime, long trueMillis) {
        lock.lock();
        try {
            queues.forEachWaiting(entry -> {
                if (entry.restored) {
                    long age = TimeUnit.MILLISECONDS.toNanos(trueMillis - entry.createdMillis);
                    entry.created = nanoTime - Math.max(nanoTime - entry.created, age);
                }
            });
        } finally {
            lock.unlock();
        }
    }

    /**
     * Adds the machine's sleep to the age of waiting messages, at each welcome: the monotonic clock does not count it.
     * The wall clock and the server's clock must agree on it, since one clock alone may have been set.
     *
     * @param wallMillis this machine's wall clock
     * @param slept by how much the server's clock has advanced more than the monotonic clock since the welcome before
     */
    void slept(long nanoTime, long wallMillis, long slept) {
        long wallAhead = OutboxEntry.ahead(wallMillis, nanoTime);
        lock.lock();
        try {
            queues.forEachWaiting(entry -> {
                long jumped = TimeUnit.MILLISECONDS.toNanos(wallAhead - entry.wallAhead);
                entry.created -= Math.max(0, Math.min(slept, jumped));
                entry.wallAhead = wallAhead;
            });
        } finally {
            lock.unlock();
        }
    }

    /** Removes and returns the waiting messages that have expired. */
    List<Dropped> expire(long nanoTime) {
        long maxAge = limits.maxAge().toNanos();
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            for (OutboxEntry entry : queues.removeWaiting(entry -> nanoTime - entry.created >= maxAge)) {
                dropped.add(new Dropped(
                        entry,
                        new RealtimeException(
                                ErrorCode.CONNECTION_LOST, "not delivered within " + limits.maxAge(), true, null)));
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    /** Returns the time until {@link #expire} may have something to remove, or null if nothing waits, or all is closed. */
    @Nullable
    Duration untilExpiry(long nanoTime) {
        lock.lock();
        try {
            OutboxEntry oldest = queues.oldestWaiting();
            return closed || oldest == null ? null : limits.maxAge().minusNanos(nanoTime - oldest.created);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Closes the outbox: refuses all messages from now on, and returns the remaining ones. Messages that a file has, or
     * is still to store, also stay here.
     */
    List<Dropped> close() {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            closed = true;
            queues.all().forEach(entry -> dropped.add(new Dropped(entry, closed())));
            if (!stores) {
                queues.clear();
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    private static RealtimeException closed() {
        return new RealtimeException(ErrorCode.CLOSED, "the client is closed");
    }

    /** A message that left the outbox undelivered. */
    record Dropped(OutboxEntry entry, RealtimeException cause) {
        UndeliveredMessage message(Payloads payloads) {
            return new UndeliveredMessage(entry.name, entry.room, entry, payloads, cause);
        }
    }
}
