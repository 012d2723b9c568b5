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
 * Every reliable message from {@code send} to its acknowledgement, in order, within {@link OutboxLimits}. Messages are
 * added by any thread, so that the limit holds before anything waits for the engine; a {@link FileOutbox} asks from its
 * writer's thread what it has to store; all else is the engine's. Nobody is called under the lock: what leaves the outbox
 * is returned.
 */
final class Outbox {
    /** What an entry costs beside its encoded bytes. */
    private static final int OVERHEAD = 128;

    private final OutboxLimits limits;
    private final boolean stores;
    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<OutboxEntry> inflight = new ArrayDeque<>(); // guarded by lock; all older than what waits
    private final ArrayDeque<OutboxEntry> waiting = new ArrayDeque<>(); // guarded by lock
    private long lastSeq; // guarded by lock
    private long bytes; // guarded by lock
    private boolean closed; // guarded by lock
    private boolean held; // guarded by lock; while the file does not name the user, or is gone
    private final int ownBytes; // the longest message that this client sends, half of its outboundBytes
    private int serverBytes = Integer.MAX_VALUE; // guarded by lock; the longest that the server takes
    private List<Long> removed = new ArrayList<>(); // guarded by lock; no longer here, but in the file

    /**
     * @param stores whether a file keeps the messages too: none is sent before it is {@link #stored}
     * @param outboundBytes what may wait in a connection: a message takes half of it at most
     */
    Outbox(OutboxLimits limits, boolean stores, int outboundBytes) {
        this.ownBytes = outboundBytes / 2;
        this.limits = limits;
        this.stores = stores;
    }

    /** Takes in what an earlier process left, oldest first; returns what is too much. */
    List<Dropped> restore(List<OutboxEntry> entries, long highestSeq) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            lastSeq = highestSeq;
            for (OutboxEntry entry : entries) {
                entry.stage = Stage.STORED;
                entry.admitted = true;
                entry.everSent = true; // nobody knows
                takeIn(entry, dropped);
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    /** Numbers a message and takes it in; returns what was given up for it, the message itself if it was refused. */
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

    /** Numbers and takes in a message that is new or restored, or adds it to the dropped. */
    private void takeIn(OutboxEntry entry, List<Dropped> dropped) {
        RealtimeException refusal = refusal(entry);
        while (refusal == null && !fits(entry)) {
            boolean mayDrop = limits.overflow() == OutboxLimits.Overflow.DROP_OLDEST
                    && (!dropped.isEmpty() || fitsWithoutOthers(entry)); // else they would be dropped for nothing
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

    /** Removes the oldest message that is not under way, or returns null. */
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

    /** Notes that an entry is in no queue any more. */
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
        if (entry.cost() > limits.bytes()) { // nothing that could be dropped makes room for it
            String why = "the message takes " + entry.cost() + " bytes, the outbox holds " + limits.bytes();
            return new RealtimeException(ErrorCode.TOO_BIG, why);
        }
        return null;
    }

    private boolean fits(OutboxEntry entry) {
        return size() < limits.messages() && bytes + entry.cost() <= limits.bytes();
    }

    /** Returns whether a message fits once all are dropped that are not under way. */
    private boolean fitsWithoutOthers(OutboxEntry entry) {
        int count = inflight.size();
        long cost = bytes;
        for (OutboxEntry other : waiting) {
            if (other.underWay) {
                count++;
            } else {
                cost -= other.cost();
            }
        }
        return count < limits.messages() && cost + entry.cost() <= limits.bytes();
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
     * Gives a message up: it is not sent from now on, and no file keeps it. One that is under way counts as that until it
     * is acknowledged or its connection is lost, since the server counts it too.
     *
     * @return false when it has had another fate
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

    /** Returns whether a message was ever sent, or may have been by an earlier process. */
    boolean wasSent(OutboxEntry entry) {
        lock.lock();
        try {
            return entry.everSent;
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether a message is not acknowledged, and has no other fate yet. */
    boolean holds(OutboxEntry entry) {
        lock.lock();
        try {
            return entry.stage != Stage.GONE;
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether so much waits that a producer had better wait too. */
    boolean isHalfFull() {
        lock.lock();
        try {
            int most = limits.messages();
            return size() >= most - most / 2 || bytes >= limits.bytes() / 2; // an empty one never is
        } finally {
            lock.unlock();
        }
    }

    /** Returns why a message would be refused however much room there were, or null. */
    @Nullable
    RealtimeException refusalOrNull(OutboxEntry entry) {
        lock.lock();
        try {
            return refusal(entry);
        } finally {
            lock.unlock();
        }
    }

    /** Returns why a message is too long for the server or this client, or null when it is not. */
    @Nullable
    RealtimeException tooBigOrNull(OutboxEntry entry) {
        lock.lock();
        try {
            return isTooBig(entry) ? tooBig(entry) : null;
        } finally {
            lock.unlock();
        }
    }

    /** Learns how long a message the server takes; returns those that are too long. */
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

    /** Removes and returns everything: it was another user's. */
    List<Dropped> removeAll(RealtimeException cause) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            while (!inflight.isEmpty()) { // only to be removed with the others, in order
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

    /** Lets no message leave, or lets them again: the file must be there, and name the user. */
    void hold(boolean holds) {
        lock.lock();
        try {
            held = holds;
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether no message may leave, because of the file. */
    boolean isHeld() {
        lock.lock();
        try {
            return held;
        } finally {
            lock.unlock();
        }
    }

    /** Lets a message be sent, in its turn behind those that were added before it, once it is stored. */
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

    /** Returns whether no message up to this number is here any more. */
    boolean isDone(long seq) {
        lock.lock();
        try {
            OutboxEntry oldest = inflight.isEmpty() ? waiting.peek() : inflight.peek();
            return oldest == null || oldest.seq > seq;
        } finally {
            lock.unlock();
        }
    }

    /** What the file has to learn. */
    record Changes(List<OutboxEntry> added, List<Long> removed) {}

    /** Returns what the file does not know yet; {@link #stored} or {@link #notStored} comes before the next call. */
    Changes changes() {
        ArrayDeque<OutboxEntry> added = new ArrayDeque<>();
        lock.lock();
        try {
            Iterator<OutboxEntry> newest = waiting.descendingIterator(); // the new ones stand together at the end
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

    /** Returns what a file that is written anew has to hold, oldest first: what was stored, and is not to be forgotten. */
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

    /** The file has taken the changes. */
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

    /** The file could not take the changes: removes and returns those messages. */
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
     * Returns the next admitted messages to send; {@link #sent} or {@link #notSent} comes next. One that is alone may be
     * longer than the bounds in bytes.
     *
     * @param maxInflight how many may be unacknowledged
     * @param maxInflightBytes how many bytes of them
     * @param maxBytes how many bytes of them leave at a time
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

    private long inflightBytes() { // guarded by lock
        long sum = 0;
        for (OutboxEntry entry : inflight) {
            sum += entry.wireLength();
        }
        return sum;
    }

    /** Notes that these are on their way. */
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

    /** The connection did not take these: they wait again. */
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

    /** The connection is gone: what was on its way waits again, before all newer messages. */
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

    /** A session is open, and the server has processed everything up to this number that was ever sent: it is not sent again. */
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
     * The server names the highest number it has processed. What was never sent from here has such a number only when the
     * file is an old copy of itself, and the server would take it for a repeat: removes and returns that.
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

    /** Removes and returns what is processed: everything up to this number that was ever sent. */
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

    /** Removes and returns a message that was ever sent, also when it waits to be sent again; null if it is not here. */
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

    /** Returns the longest message on its way, or null: the one that some hop found too big. */
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

    /** Ages what an earlier process left, when the first welcome says what time it is. */
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
     * Ages what waits by the machine's sleep, which the monotonic clock does not count, at each welcome. The wall clock and
     * the server's must agree on it, since one clock alone may have been set.
     *
     * @param wallMillis this machine's wall clock
     * @param slept how much more than the monotonic clock the server's has advanced since the welcome before
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

    /** Removes and returns what waits for longer than it may. */
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

    /** Returns after how long {@link #expire} may have something to do, or null while nothing waits. */
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

    /** Refuses all from now on; returns what was left. What a file has, or is still to take, stays here too. */
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

    /** How far a message has come on its way to the file; without a file it is stored from the beginning. */
    private enum Stage {
        NEW,
        STORING,
        STORED,
        GONE
    }

    /** One message. What varies from one sending to the next is put behind the bytes that never do. */
    static final class OutboxEntry {
        /** The longest that {@link #frame} adds. */
        private static final int SUFFIX = ",\"seq\":9007199254740991,\"redelivered\":true}".length() - 1;

        final String name;
        final @Nullable String room;
        final @Nullable String ref; // of a question or an answer, which ends with this process: no file keeps it
        final CompletableFuture<Void> result;
        final long createdMillis;
        private final boolean restored;
        private final WireMessage body;
        private long seq; // guarded by lock of the outbox until it has one
        private Stage stage = Stage.NEW; // guarded by lock of the outbox
        private boolean admitted; // guarded by lock of the outbox
        private boolean everSent; // guarded by lock of the outbox
        private boolean underWay; // guarded by lock of the outbox: on a connection, or about to be
        private boolean givenUp; // guarded by lock of the outbox: gone as soon as it is not under way
        private long created; // guarded by lock of the outbox; on the monotonic clock, earlier by what it slept since
        // Guarded by lock of the outbox: by how much the wall clock was ahead of the monotonic one, at the last
        // welcome.
        private long wallAhead;

        /**
         * @param created when, on the monotonic clock
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

        /** What an earlier process left, with the number it had; as old as this process until the first welcome. */
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

        /** Returns whether an earlier process sent it. */
        boolean isRestored() {
            return restored;
        }

        int wireLength() {
            return body.length() + SUFFIX;
        }

        long cost() {
            return (long) body.length() + OVERHEAD;
        }

        /** Returns the number; 0 for what was never in the outbox. */
        long seq() {
            return seq;
        }

        /** Returns whether the payload is bytes, and not JSON. */
        boolean isBinary() {
            return !body.isText();
        }

        /** Writes the payload as it was given: bytes, or JSON. */
        void writePayload(OutputStream out) throws IOException {
            Outgoing empty = Outgoing.of(name).room(room);
            WireMessage around = (isBinary() ? empty.rawData(ByteBuffer.allocate(0)) : empty.rawData("")).frame();
            int after = isBinary() ? 0 : 1; // the last brace is behind JSON, and before bytes
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
        @SuppressWarnings("TypeParameterUnusedInFormals") // the caller names the contract's type
        <T> T data(Payload by) {
            try {
                Envelope envelope = isBinary() ? BinaryEnvelope.parse(body.payload()) : Envelope.parse(body.asText());
                T payload = envelope.data(by);
                return payload;
            } catch (MalformedException unfit) { // what no server would take either: too deep a nesting, say
                throw new PayloadException(unfit.getMessage(), unfit);
            }
        }

        /** Returns the frame; for the engine, which alone sends and numbers nothing anew. */
        WireMessage frame() {
            String number = seq == 0 ? "" : ",\"seq\":" + seq; // an ephemeral message has none
            return Outgoing.extend(body, number + (everSent ? ",\"redelivered\":true" : ""));
        }
    }
}
