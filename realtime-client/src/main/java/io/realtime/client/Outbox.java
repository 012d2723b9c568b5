package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.MalformedException;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Payloads;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The reliable messages between {@code send} and their acknowledgement, in order, within {@link OutboxLimits}. Any
 * thread adds messages, so that the limit holds before anything waits for the engine. A {@link FileOutbox} asks on its
 * writer's thread what to store. Everything else is done by the engine. No other object is called under the lock:
 * messages that leave the outbox are returned.
 */
final class Outbox {
    /** The cost of an entry in addition to its encoded bytes. */
    private static final int OVERHEAD = 128;

    private final OutboxLimits limits;
    private final boolean stores;
    private final ReentrantLock lock = new ReentrantLock();
    // Guarded by lock. All are older than those that wait.
    private final ArrayDeque<OutboxEntry> inflight = new ArrayDeque<>();
    private final ArrayDeque<OutboxEntry> waiting = new ArrayDeque<>(); // Guarded by lock.
    private long lastSeq; // Guarded by lock.
    private long bytes; // Guarded by lock.
    private boolean closed; // Guarded by lock.
    // Guarded by lock. Whether no message may be sent, because the file does not name the user or is gone.
    private boolean held;
    // The longest message that this client sends: half of its outboundBytes.
    private final int ownBytes;
    // Guarded by lock. The longest message that the server accepts.
    private int serverBytes = Integer.MAX_VALUE;
    // Guarded by lock. The numbers of messages that left the outbox and are still in the file.
    private List<Long> removed = new ArrayList<>();

    /**
     * @param stores whether a file keeps the messages too: then none is sent before it is {@link #stored}
     * @param outboundBytes how many bytes may wait in a connection; a message may take half of it
     */
    Outbox(OutboxLimits limits, boolean stores, int outboundBytes) {
        this.ownBytes = outboundBytes / 2;
        this.limits = limits;
        this.stores = stores;
    }

    /** Adds the messages that an earlier process left, oldest first; returns those beyond the limits. */
    List<Dropped> restore(List<OutboxEntry> entries, long highestSeq) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            lastSeq = highestSeq;
            for (OutboxEntry entry : entries) {
                entry.stage = Stage.STORED;
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
            entry.stage = stores ? Stage.NEW : Stage.STORED;
            takeIn(entry, dropped);
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    /** Numbers and adds a new message, or adds a restored one; if it is refused, adds it to the dropped ones. */
    private void takeIn(OutboxEntry entry, List<Dropped> dropped) {
        RealtimeException refusal = refusal(entry);
        while (refusal == null && !fits(entry)) {
            boolean mayDrop = limits.overflow() == OutboxLimits.Overflow.DROP_OLDEST
                    // Messages that do not make enough room are not dropped.
                    && (!dropped.isEmpty() || fitsWithoutOthers(entry));
            OutboxEntry oldest = mayDrop ? pollOldest() : null;
            if (oldest == null) {
                refusal = overflow("the outbox is full: it holds " + size() + " messages, " + bytes + " bytes");
            } else {
                left(oldest);
                dropped.add(new Dropped(oldest, overflow("dropped for newer messages")));
            }
        }
        bytes += entry.cost();
        if (refusal != null) {
            left(entry);
            dropped.add(new Dropped(entry, refusal));
        } else {
            entry.seq = entry.restored ? entry.seq : ++lastSeq;
            waiting.add(entry);
        }
    }

    /** Removes the oldest message that is not in flight, or returns null. */
    private @Nullable OutboxEntry pollOldest() {
        for (Iterator<OutboxEntry> i = waiting.iterator(); i.hasNext(); ) {
            OutboxEntry entry = i.next();
            if (!entry.underWay) {
                i.remove();
                return entry;
            }
        }
        return null;
    }

    /** Updates the accounts for an entry that has left its queue. */
    private void left(OutboxEntry entry) {
        bytes -= entry.cost();
        if (stores && (entry.stage == Stage.STORING || entry.stage == Stage.STORED)) {
            removed.add(entry.seq);
        }
        entry.stage = Stage.GONE;
    }

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

    private boolean fits(OutboxEntry entry) {
        return size() < limits.messages() && bytes + entry.cost() <= limits.bytes();
    }

    /** Returns true if there are enough bytes for the message after all others that are not in flight are dropped. */
    private boolean fitsWithoutOthers(OutboxEntry entry) {
        long cost = bytes;
        for (OutboxEntry other : waiting) {
            cost -= other.underWay ? 0 : other.cost();
        }
        return cost + entry.cost() <= limits.bytes();
    }

    private int size() {
        return inflight.size() + waiting.size();
    }

    private static RealtimeException overflow(String message) {
        return new RealtimeException(ErrorCode.OVERLOADED, message, true, null);
    }

    private RealtimeException tooBig(OutboxEntry entry) {
        String limit = serverBytes < ownBytes
                ? "the server takes " + serverBytes
                : "this client sends " + ownBytes + " at most, half of its outboundBytes";
        return new RealtimeException(ErrorCode.TOO_BIG, "the message has " + entry.wireLength() + " bytes, " + limit);
    }

    private boolean isTooBig(OutboxEntry entry) {
        return entry.wireLength() > Math.min(serverBytes, ownBytes);
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
            if (closed || entry.stage == Stage.GONE || entry.givenUp) {
                return false;
            }
            if (!entry.underWay) {
                waiting.remove(entry);
                left(entry);
                return true;
            }
            entry.givenUp = true;
            if (stores) {
                removed.add(entry.seq);
            }
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
            return entry.stage != Stage.GONE;
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
            return size() >= most - most / 2 || bytes >= limits.bytes() / 2;
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
            for (OutboxEntry entry : removeWaiting(this::isTooBig)) {
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
            // Moved only to be removed with the others, in order.
            while (!inflight.isEmpty()) {
                waiting.addFirst(inflight.removeLast());
            }
            for (OutboxEntry entry : removeWaiting(entry -> true)) {
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
            OutboxEntry oldest = inflight.isEmpty() ? waiting.peek() : inflight.peek();
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
        ArrayDeque<OutboxEntry> added = new ArrayDeque<>();
        lock.lock();
        try {
            // The new messages are together at the end.
            Iterator<OutboxEntry> newest = waiting.descendingIterator();
            for (OutboxEntry entry = next(newest); entry != null && entry.stage == Stage.NEW; entry = next(newest)) {
                entry.stage = Stage.STORING;
                added.addFirst(entry);
            }
            List<Long> gone = removed;
            removed = new ArrayList<>();
            return new Changes(new ArrayList<>(added), gone);
        } finally {
            lock.unlock();
        }
    }

    private static @Nullable OutboxEntry next(Iterator<OutboxEntry> entries) {
        return entries.hasNext() ? entries.next() : null;
    }

    /** Returns the messages that a rewritten file must hold, oldest first: those that were stored and not given up. */
    List<OutboxEntry> kept() {
        List<OutboxEntry> kept = new ArrayList<>();
        lock.lock();
        try {
            for (ArrayDeque<OutboxEntry> queue : Arrays.asList(inflight, waiting)) {
                for (OutboxEntry entry : queue) {
                    if (entry.stage == Stage.STORED && entry.ref == null && !entry.givenUp) {
                        kept.add(entry);
                    }
                }
            }
        } finally {
            lock.unlock();
        }
        return kept;
    }

    /** Marks the changes as stored in the file. */
    void stored(Changes changes) {
        lock.lock();
        try {
            for (OutboxEntry entry : changes.added()) {
                if (entry.stage == Stage.STORING) {
                    entry.stage = Stage.STORED;
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
            for (OutboxEntry entry : removeWaiting(entry -> entry.stage == Stage.STORING)) {
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
        List<OutboxEntry> next = new ArrayList<>();
        lock.lock();
        try {
            int room = maxInflight - inflight.size();
            long underWay = room > 0 ? inflightBytes() : 0;
            long sum = 0;
            for (OutboxEntry entry : waiting) {
                sum += entry.wireLength();
                boolean mayLeave = entry.admitted && entry.stage == Stage.STORED;
                boolean isAlone = next.isEmpty() && inflight.isEmpty();
                boolean fits = underWay + sum <= maxInflightBytes || isAlone;
                boolean isOfBatch = sum <= maxBytes || next.isEmpty();
                if (closed || held || !mayLeave || next.size() >= room || !fits || !isOfBatch) {
                    break;
                }
                entry.underWay = true;
                next.add(entry);
            }
        } finally {
            lock.unlock();
        }
        return next;
    }

    // Guarded by lock.
    private long inflightBytes() {
        long sum = 0;
        for (OutboxEntry entry : inflight) {
            sum += entry.wireLength();
        }
        return sum;
    }

    /** Marks messages as sent. */
    void sent(List<OutboxEntry> entries) {
        lock.lock();
        try {
            for (OutboxEntry entry : entries) {
                entry.everSent = true;
                if (waiting.peek() == entry) {
                    waiting.remove();
                    inflight.add(entry);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Puts messages that the connection did not take back among those that wait. */
    void notSent(List<OutboxEntry> entries) {
        lock.lock();
        try {
            waiting.removeAll(entries);
            for (int i = entries.size() - 1; i >= 0; i--) {
                waitAgain(entries.get(i));
            }
        } finally {
            lock.unlock();
        }
    }

    /** Handles the loss of the connection: messages in flight wait again, before all newer ones. */
    void connectionLost() {
        lock.lock();
        try {
            while (!inflight.isEmpty()) {
                waitAgain(inflight.removeLast());
            }
        } finally {
            lock.unlock();
        }
    }

    private void waitAgain(OutboxEntry entry) {
        entry.underWay = false;
        if (entry.givenUp) {
            left(entry);
        } else {
            waiting.addFirst(entry);
        }
    }

    /**
     * Handles a new session: messages that were sent and that the server has processed, up to this number, are not sent
     * again.
     */
    void resumed(long processed) {
        lock.lock();
        try {
            for (OutboxEntry head = waiting.peek();
                    head != null && head.seq <= processed && head.everSent;
                    head = waiting.peek()) {
                head.underWay = true;
                inflight.add(waiting.remove());
            }
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
                for (OutboxEntry entry : removeWaiting(entry -> !entry.everSent && entry.seq <= processed)) {
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
        List<OutboxEntry> done = new ArrayList<>();
        lock.lock();
        try {
            take(inflight, seq, done);
            take(waiting, seq, done);
        } finally {
            lock.unlock();
        }
        return done;
    }

    private void take(ArrayDeque<OutboxEntry> from, long seq, List<OutboxEntry> to) {
        for (OutboxEntry head = from.peek(); head != null && head.seq <= seq && head.everSent; head = from.peek()) {
            from.remove();
            left(head);
            to.add(head);
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
            OutboxEntry failed = take(inflight, seq);
            return failed != null ? failed : take(waiting, seq);
        } finally {
            lock.unlock();
        }
    }

    private @Nullable OutboxEntry take(ArrayDeque<OutboxEntry> from, long seq) {
        for (Iterator<OutboxEntry> i = from.iterator(); i.hasNext(); ) {
            OutboxEntry entry = i.next();
            if (entry.seq == seq && entry.everSent) {
                i.remove();
                left(entry);
                return entry;
            }
        }
        return null;
    }

    /** Returns the longest message in flight, or null: the one that some hop found too big. */
    @Nullable
    OutboxEntry longestInflight() {
        lock.lock();
        try {
            OutboxEntry longest = null;
            for (OutboxEntry entry : inflight) {
                if (longest == null || entry.wireLength() > longest.wireLength()) {
                    longest = entry;
                }
            }
            return longest;
        } finally {
            lock.unlock();
        }
    }

    /** Adjusts the age of messages that an earlier process left, when the first welcome brings the server's time. */
    void ageRestored(long nanoTime, long trueMillis) {
        lock.lock();
        try {
            for (OutboxEntry entry : waiting) {
                if (entry.restored) {
                    long age = TimeUnit.MILLISECONDS.toNanos(trueMillis - entry.createdMillis);
                    entry.created = nanoTime - Math.max(nanoTime - entry.created, age);
                }
            }
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
            for (OutboxEntry entry : waiting) {
                long jumped = TimeUnit.MILLISECONDS.toNanos(wallAhead - entry.wallAhead);
                entry.created -= Math.max(0, Math.min(slept, jumped));
                entry.wallAhead = wallAhead;
            }
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
            for (OutboxEntry entry : removeWaiting(entry -> nanoTime - entry.created >= maxAge)) {
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

    /** Returns the time until {@link #expire} may have something to remove, or null while nothing waits. */
    @Nullable
    Duration untilExpiry(long nanoTime) {
        lock.lock();
        try {
            OutboxEntry oldest = waiting.peek();
            return oldest == null ? null : limits.maxAge().minusNanos(nanoTime - oldest.created);
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
            inflight.forEach(entry -> dropped.add(new Dropped(entry, closed())));
            waiting.forEach(entry -> dropped.add(new Dropped(entry, closed())));
            if (!stores) {
                inflight.clear();
                waiting.clear();
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    private static RealtimeException closed() {
        return new RealtimeException(ErrorCode.CLOSED, "the client is closed");
    }

    private List<OutboxEntry> removeWaiting(Predicate<OutboxEntry> which) {
        List<OutboxEntry> found = new ArrayList<>();
        for (Iterator<OutboxEntry> i = waiting.iterator(); i.hasNext(); ) {
            OutboxEntry entry = i.next();
            if (which.test(entry)) {
                i.remove();
                left(entry);
                found.add(entry);
            }
        }
        return found;
    }

    /** A message that left the outbox undelivered. */
    record Dropped(OutboxEntry entry, RealtimeException cause) {
        DroppedMessage message(Payloads payloads) {
            return new DroppedMessage(entry.name, entry.room, entry, payloads, cause);
        }
    }

    /** How far a message has come on its way to the file. Without a file it is stored from the beginning. */
    private enum Stage {
        NEW,
        STORING,
        STORED,
        GONE
    }

    /**
     * A message. The parts that vary from one sending to the next are added after its encoded bytes, which never vary.
     */
    static final class OutboxEntry {
        /** The longest text that {@link #frame} adds. */
        private static final int SUFFIX = ",\"seq\":9007199254740991,\"redelivered\":true}".length() - 1;

        final String name;
        final @Nullable String room;
        // Of a request or an answer. It ends with this process, so no file keeps it.
        final @Nullable String ref;
        final CompletableFuture<Void> result;
        final long createdMillis;
        private final boolean restored;
        private final WireMessage body;
        // Guarded by the outbox's lock until it has a value.
        private long seq;
        private Stage stage = Stage.NEW; // Guarded by the outbox's lock.
        private boolean admitted; // Guarded by the outbox's lock.
        private boolean everSent; // Guarded by the outbox's lock.
        // Guarded by the outbox's lock. Whether it is on a connection, or about to be.
        private boolean underWay;
        // Guarded by the outbox's lock. Whether it leaves the outbox as soon as it is not in flight.
        private boolean givenUp;
        // Guarded by the outbox's lock. On the monotonic clock, minus the machine's sleep since then.
        private long created;
        // Guarded by the outbox's lock. By how much the wall clock was ahead of the monotonic clock at the last
        // welcome.
        private long wallAhead;

        /**
         * @param created the time of its creation on the monotonic clock
         * @param createdMillis the same on the wall clock, for a later process
         */
        OutboxEntry(
                String name,
                @Nullable String room,
                @Nullable String ref,
                Outgoing message,
                CompletableFuture<Void> result,
                long created,
                long createdMillis) {
            this(name, room, ref, message, result, created, createdMillis, 0);
        }

        /**
         * Creates a message that an earlier process left, with its former number. Until the first welcome it is as old
         * as this process.
         */
        OutboxEntry(OutboxJournal.Stored stored, long nanoTime, long wallMillis) {
            this(
                    stored.name(),
                    stored.room(),
                    null,
                    stored.message(),
                    new CompletableFuture<>(),
                    nanoTime,
                    stored.createdMillis(),
                    stored.seq());
            wallAhead = ahead(wallMillis, nanoTime);
        }

        private OutboxEntry(
                String name,
                @Nullable String room,
                @Nullable String ref,
                Outgoing message,
                CompletableFuture<Void> result,
                long created,
                long createdMillis,
                long seq) {
            this.seq = seq;
            this.restored = seq > 0;
            this.name = name;
            this.room = room;
            this.ref = ref;
            this.result = result;
            this.created = created;
            this.createdMillis = createdMillis;
            this.wallAhead = ahead(createdMillis, created);
            this.body = message.frame();
        }

        private static long ahead(long wallMillis, long nanoTime) {
            return wallMillis - TimeUnit.NANOSECONDS.toMillis(nanoTime);
        }

        /** Returns true if an earlier process left it. */
        boolean isRestored() {
            return restored;
        }

        int wireLength() {
            return body.length() + SUFFIX;
        }

        long cost() {
            return (long) body.length() + OVERHEAD;
        }

        /** Returns the number; 0 for a message that was never in the outbox. */
        long seq() {
            return seq;
        }

        /** Returns true if the payload is bytes, false if it is JSON. */
        boolean isBinary() {
            return !body.isText();
        }

        /** Writes the payload as it was given: bytes, or JSON. */
        void writePayload(OutputStream out) throws IOException {
            Outgoing empty = Outgoing.of(name).room(room);
            WireMessage around = (isBinary() ? empty.rawData(ByteBuffer.allocate(0)) : empty.rawData("")).frame();
            // The last brace is after JSON, and before bytes.
            int after = isBinary() ? 0 : 1;
            int before = around.length() - after;
            byte[] bytes = new byte[body.length() - after];
            body.payload().get(bytes);
            out.write(bytes, before, bytes.length - before);
        }

        /**
         * Reads the payload.
         *
         * @throws PayloadException when it does not fit the type
         */
        // The caller names the contract's type.
        @SuppressWarnings("TypeParameterUnusedInFormals")
        <T> T data(Payload by) {
            try {
                Envelope envelope = isBinary() ? BinaryEnvelope.parse(body.payload()) : Envelope.parse(body.asText());
                T payload = envelope.data(by);
                return payload;
            } catch (MalformedException unfit) {
                // A server would refuse it too, for example for its nesting.
                throw new PayloadException(unfit.getMessage(), unfit);
            }
        }

        /** Returns the frame. Only for the engine, which alone sends, and never changes a number. */
        WireMessage frame() {
            // An ephemeral message has no number.
            String number = seq == 0 ? "" : ",\"seq\":" + seq;
            return Outgoing.extend(body, number + (everSent ? ",\"redelivered\":true" : ""));
        }
    }
}
