package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.Frame;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Every reliable message from {@code send} to its acknowledgement, in order, within {@link OutboxLimits}. Messages are
 * added by any thread, so that the limit holds before anything waits for the engine; all else is the engine's. Nobody is
 * called under the lock: what leaves the outbox is returned.
 */
final class Outbox {
    /** What an entry costs beside its encoded bytes. */
    private static final int OVERHEAD = 128;

    private final OutboxLimits limits;
    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<Entry> inflight = new ArrayDeque<>(); // guarded by lock; all older than what waits
    private final ArrayDeque<Entry> waiting = new ArrayDeque<>(); // guarded by lock
    private long lastSeq; // guarded by lock
    private long bytes; // guarded by lock
    private boolean closed; // guarded by lock
    private int messageBytes = Integer.MAX_VALUE; // guarded by lock

    Outbox(OutboxLimits limits) {
        this.limits = limits;
    }

    /** Numbers a message and takes it in; returns what was given up for it, the message itself if it was refused. */
    List<Dropped> add(Entry entry) {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            RealtimeException refusal = refusal(entry);
            while (refusal == null && !fits(entry)) {
                Entry oldest = limits.overflow() == OutboxLimits.Overflow.DROP_OLDEST ? waiting.poll() : null;
                if (oldest == null) {
                    refusal = overflow("the outbox is full: it holds " + size() + " messages, " + bytes + " bytes");
                } else {
                    bytes -= oldest.cost();
                    dropped.add(new Dropped(oldest, overflow("dropped for newer messages")));
                }
            }
            if (refusal == null) {
                entry.seq = ++lastSeq;
                bytes += entry.cost();
                waiting.add(entry);
            } else {
                dropped.add(new Dropped(entry, refusal));
            }
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    private @Nullable RealtimeException refusal(Entry entry) {
        if (closed) {
            return new RealtimeException(ErrorCode.CLOSED, "the client is closed");
        }
        if (entry.wireLength() > messageBytes) {
            return tooBig(entry);
        }
        if (entry.cost() > limits.bytes()) { // nothing that could be dropped makes room for it
            return overflow("the message has " + entry.wireLength() + " bytes, the outbox takes " + limits.bytes());
        }
        return null;
    }

    private boolean fits(Entry entry) {
        return size() < limits.messages() && bytes + entry.cost() <= limits.bytes();
    }

    private int size() {
        return inflight.size() + waiting.size();
    }

    private static RealtimeException overflow(String message) {
        return new RealtimeException(ErrorCode.OVERLOADED, message, true, null);
    }

    private RealtimeException tooBig(Entry entry) {
        return new RealtimeException(
                ErrorCode.TOO_BIG,
                "the message has " + entry.wireLength() + " bytes, the server takes " + messageBytes);
    }

    /** Learns how long a message may be; returns those that are too long. */
    List<Dropped> limitMessages(int newMessageBytes) {
        lock.lock();
        try {
            messageBytes = newMessageBytes;
            List<Dropped> dropped = new ArrayList<>();
            for (Entry entry : removeWaiting(entry -> entry.wireLength() > messageBytes)) {
                dropped.add(new Dropped(entry, tooBig(entry)));
            }
            return dropped;
        } finally {
            lock.unlock();
        }
    }

    /** Lets a message be sent, in its turn behind those that were added before it. */
    void admit(Entry entry) {
        lock.lock();
        try {
            entry.admitted = true;
        } finally {
            lock.unlock();
        }
    }

    /** Returns the next admitted messages to send, at most {@code maxInflight} unacknowledged ones and some bytes at a time. */
    List<Entry> unsent(int maxInflight, int maxBytes) {
        List<Entry> next = new ArrayList<>();
        lock.lock();
        try {
            int room = maxInflight - inflight.size();
            long sum = 0;
            for (Entry entry : waiting) {
                sum += entry.wireLength();
                if (!entry.admitted || next.size() >= room || (sum > maxBytes && !next.isEmpty())) {
                    break;
                }
                next.add(entry);
            }
        } finally {
            lock.unlock();
        }
        return next;
    }

    /** Notes that these are on their way, unless they were dropped meanwhile. */
    void sent(List<Entry> entries) {
        lock.lock();
        try {
            for (Entry entry : entries) {
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

    /** The connection is gone: what was on its way waits again, before all newer messages. */
    void connectionLost() {
        lock.lock();
        try {
            while (!inflight.isEmpty()) {
                waiting.addFirst(inflight.removeLast());
            }
        } finally {
            lock.unlock();
        }
    }

    /** Removes and returns what is processed: everything up to this number that was ever sent. */
    List<Entry> acknowledged(long seq) {
        List<Entry> done = new ArrayList<>();
        lock.lock();
        try {
            take(inflight, seq, done);
            take(waiting, seq, done);
        } finally {
            lock.unlock();
        }
        return done;
    }

    private void take(ArrayDeque<Entry> from, long seq, List<Entry> to) {
        for (Entry head = from.peek(); head != null && head.seq <= seq && head.everSent; head = from.peek()) {
            from.remove();
            bytes -= head.cost();
            to.add(head);
        }
    }

    /** Removes and returns a message on its way, or null. */
    @Nullable
    Entry failed(long seq) {
        lock.lock();
        try {
            for (Iterator<Entry> i = inflight.iterator(); i.hasNext(); ) {
                Entry entry = i.next();
                if (entry.seq == seq) {
                    i.remove();
                    bytes -= entry.cost();
                    return entry;
                }
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    /** Returns the number of the longest message on its way, or 0: the one that some hop found too big. */
    long longestInflight() {
        lock.lock();
        try {
            Entry longest = null;
            for (Entry entry : inflight) {
                if (longest == null || entry.wireLength() > longest.wireLength()) {
                    longest = entry;
                }
            }
            return longest == null ? 0 : longest.seq;
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
            for (Entry entry : removeWaiting(entry -> nanoTime - entry.created >= maxAge)) {
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
            Entry oldest = waiting.peek();
            return oldest == null ? null : limits.maxAge().minusNanos(nanoTime - oldest.created);
        } finally {
            lock.unlock();
        }
    }

    /** Refuses all from now on; returns what was left. */
    List<Dropped> close() {
        List<Dropped> dropped = new ArrayList<>();
        lock.lock();
        try {
            closed = true;
            for (Entry entry : inflight) {
                dropped.add(new Dropped(entry, new RealtimeException(ErrorCode.CLOSED, "the client is closed")));
            }
            for (Entry entry : waiting) {
                dropped.add(new Dropped(entry, new RealtimeException(ErrorCode.CLOSED, "the client is closed")));
            }
            inflight.clear();
            waiting.clear();
            bytes = 0;
        } finally {
            lock.unlock();
        }
        return dropped;
    }

    private List<Entry> removeWaiting(Predicate<Entry> which) {
        List<Entry> removed = new ArrayList<>();
        for (Iterator<Entry> i = waiting.iterator(); i.hasNext(); ) {
            Entry entry = i.next();
            if (which.test(entry)) {
                i.remove();
                bytes -= entry.cost();
                removed.add(entry);
            }
        }
        return removed;
    }

    /** A message that left the outbox undelivered. */
    record Dropped(Entry entry, RealtimeException cause) {
        DroppedMessage message() {
            return new DroppedMessage(entry.event, entry.room, entry.data, cause);
        }
    }

    /** One message. What varies from one sending to the next is put behind the bytes that never do. */
    static final class Entry {
        /** The longest that {@link #frame} adds. */
        private static final int SUFFIX = ",\"seq\":9007199254740991,\"redelivered\":true}".length() - 1;

        final Event<?> event;
        final @Nullable String room;
        final @Nullable Object data;
        final CompletableFuture<Void> result;
        final long created;
        private final byte[] body;
        private long seq; // guarded by lock of the outbox
        private boolean admitted; // guarded by lock of the outbox
        private boolean everSent; // guarded by lock of the outbox

        Entry(
                Event<?> event,
                @Nullable String room,
                @Nullable Object data,
                String json,
                CompletableFuture<Void> result,
                long created) {
            this.event = event;
            this.room = room;
            this.data = data;
            this.result = result;
            this.created = created;
            Frame frame = Outgoing.of(event.name()).room(room).rawData(json).frame();
            this.body = new byte[frame.length()];
            frame.payload().get(body);
        }

        int wireLength() {
            return body.length + SUFFIX;
        }

        long cost() {
            return (long) body.length + OVERHEAD;
        }

        /** Returns the frame; for the engine, which alone sends and numbers nothing anew. */
        Frame frame() {
            String number = seq == 0 ? "" : ",\"seq\":" + seq; // an ephemeral message has none
            String suffix = number + (everSent ? ",\"redelivered\":true}" : "}");
            byte[] tail = suffix.getBytes(StandardCharsets.US_ASCII);
            byte[] bytes = new byte[body.length - 1 + tail.length];
            ByteBuffer.wrap(bytes).put(body, 0, body.length - 1).put(tail);
            return Frame.text(bytes);
        }
    }
}
