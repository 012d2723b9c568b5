package io.realtime.client.internal.outbox;

import io.realtime.client.internal.outbox.OutboxEntry.Stage;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The messages of an outbox in order: those in flight, which are older, and those that wait. Keeps the account of their
 * bytes, and of what the file does not know yet. Guarded by the outbox's lock.
 */
final class OutboxQueues {
    private final boolean stores;
    private final ArrayDeque<OutboxEntry> inflight = new ArrayDeque<>();
    private final ArrayDeque<OutboxEntry> waiting = new ArrayDeque<>();
    private long bytes;
    // The numbers of messages that left the outbox and are still in the file.
    private List<Long> removed = new ArrayList<>();

    /** @param stores whether a file keeps the messages too */
    OutboxQueues(boolean stores) {
        this.stores = stores;
    }

    int size() {
        return inflight.size() + waiting.size();
    }

    long bytes() {
        return bytes;
    }

    /** Returns how many bytes remain after all messages that are not in flight are dropped. */
    long bytesUnderWay() {
        long cost = bytes;
        for (OutboxEntry entry : waiting) {
            cost -= entry.underWay ? 0 : entry.cost();
        }
        return cost;
    }

    /** Returns the oldest message, or null. */
    @Nullable
    OutboxEntry oldest() {
        return inflight.isEmpty() ? waiting.peek() : inflight.peek();
    }

    /** Returns the oldest message that waits, or null. */
    @Nullable
    OutboxEntry oldestWaiting() {
        return waiting.peek();
    }

    void forEachWaiting(Consumer<OutboxEntry> action) {
        waiting.forEach(action);
    }

    void add(OutboxEntry entry) {
        bytes += entry.cost();
        waiting.add(entry);
    }

    /** Removes the oldest message that is not in flight, or returns null. */
    @Nullable
    OutboxEntry pollOldest() {
        for (Iterator<OutboxEntry> i = waiting.iterator(); i.hasNext(); ) {
            OutboxEntry entry = i.next();
            if (!entry.underWay) {
                i.remove();
                left(entry);
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

    /** Notes that the file is not to have a message that was never added. */
    void refused(OutboxEntry entry) {
        bytes += entry.cost();
        left(entry);
    }

    /** Removes a message, or has it leave when it is not in flight any more. */
    void giveUp(OutboxEntry entry) {
        if (!entry.underWay) {
            waiting.remove(entry);
            left(entry);
            return;
        }
        entry.givenUp = true;
        if (stores) {
            removed.add(entry.seq);
        }
    }

    List<OutboxEntry> removeWaiting(Predicate<OutboxEntry> which) {
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

    /** Removes and returns all messages, in order. */
    List<OutboxEntry> removeAll() {
        // Moved only to be removed with the others, in order.
        while (!inflight.isEmpty()) {
            waiting.addFirst(inflight.removeLast());
        }
        return removeWaiting(entry -> true);
    }

    /** Returns all messages, in order. */
    List<OutboxEntry> all() {
        List<OutboxEntry> all = new ArrayList<>(inflight);
        all.addAll(waiting);
        return all;
    }

    /** Empties the queues at the end. */
    void clear() {
        inflight.clear();
        waiting.clear();
    }

    // The file

    /** Returns what the file does not have yet. */
    Outbox.Changes changes() {
        ArrayDeque<OutboxEntry> added = new ArrayDeque<>();
        // The new messages are together at the end.
        Iterator<OutboxEntry> newest = waiting.descendingIterator();
        for (OutboxEntry entry = next(newest); entry != null && entry.stage == Stage.NEW; entry = next(newest)) {
            entry.stage = Stage.STORING;
            added.addFirst(entry);
        }
        List<Long> gone = removed;
        removed = new ArrayList<>();
        return new Outbox.Changes(new ArrayList<>(added), gone);
    }

    private static @Nullable OutboxEntry next(Iterator<OutboxEntry> entries) {
        return entries.hasNext() ? entries.next() : null;
    }

    /** Returns the messages that a rewritten file must hold, oldest first: those that were stored and not given up. */
    List<OutboxEntry> kept() {
        List<OutboxEntry> kept = new ArrayList<>();
        for (ArrayDeque<OutboxEntry> queue : Arrays.asList(inflight, waiting)) {
            for (OutboxEntry entry : queue) {
                if (entry.stage == Stage.STORED && entry.ref == null && !entry.givenUp) {
                    kept.add(entry);
                }
            }
        }
        return kept;
    }

    // The connection

    /** Returns messages to send next; see {@link Outbox#unsent}. */
    List<OutboxEntry> unsent(int maxInflight, long maxInflightBytes, int maxBytes) {
        List<OutboxEntry> next = new ArrayList<>();
        int room = maxInflight - inflight.size();
        long underWay = room > 0 ? inflightBytes() : 0;
        long sum = 0;
        for (OutboxEntry entry : waiting) {
            sum += entry.wireLength();
            boolean mayLeave = entry.admitted && entry.stage == Stage.STORED;
            boolean isAlone = next.isEmpty() && inflight.isEmpty();
            boolean fits = underWay + sum <= maxInflightBytes || isAlone;
            boolean isOfBatch = sum <= maxBytes || next.isEmpty();
            if (!mayLeave || next.size() >= room || !fits || !isOfBatch) {
                break;
            }
            entry.underWay = true;
            next.add(entry);
        }
        return next;
    }

    private long inflightBytes() {
        long sum = 0;
        for (OutboxEntry entry : inflight) {
            sum += entry.wireLength();
        }
        return sum;
    }

    void sent(List<OutboxEntry> entries) {
        for (OutboxEntry entry : entries) {
            entry.everSent = true;
            if (waiting.peek() == entry) {
                waiting.remove();
                inflight.add(entry);
            }
        }
    }

    void notSent(List<OutboxEntry> entries) {
        waiting.removeAll(entries);
        for (int i = entries.size() - 1; i >= 0; i--) {
            waitAgain(entries.get(i));
        }
    }

    void connectionLost() {
        while (!inflight.isEmpty()) {
            waitAgain(inflight.removeLast());
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

    void resumed(long processed) {
        for (OutboxEntry head = waiting.peek();
                head != null && head.seq <= processed && head.everSent;
                head = waiting.peek()) {
            head.underWay = true;
            inflight.add(waiting.remove());
        }
    }

    /** Removes and returns the messages up to this number that were ever sent. */
    List<OutboxEntry> takeUpTo(long seq) {
        List<OutboxEntry> taken = new ArrayList<>();
        for (ArrayDeque<OutboxEntry> queue : Arrays.asList(inflight, waiting)) {
            for (OutboxEntry head = queue.peek();
                    head != null && head.seq <= seq && head.everSent;
                    head = queue.peek()) {
                queue.remove();
                left(head);
                taken.add(head);
            }
        }
        return taken;
    }

    /** Removes and returns a message that was ever sent, or returns null. */
    @Nullable
    OutboxEntry take(long seq) {
        for (ArrayDeque<OutboxEntry> queue : Arrays.asList(inflight, waiting)) {
            for (Iterator<OutboxEntry> i = queue.iterator(); i.hasNext(); ) {
                OutboxEntry entry = i.next();
                if (entry.seq == seq && entry.everSent) {
                    i.remove();
                    left(entry);
                    return entry;
                }
            }
        }
        return null;
    }

    @Nullable
    OutboxEntry longestInflight() {
        OutboxEntry longest = null;
        for (OutboxEntry entry : inflight) {
            if (longest == null || entry.wireLength() > longest.wireLength()) {
                longest = entry;
            }
        }
        return longest;
    }
}
