package io.realtime.server;

import io.realtime.spi.Frame;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The log of one room: entries with consecutive offsets, the oldest trimmed by the room's {@link Retention}. Reading
 * from an offset costs what is read, whatever the log holds. What trimming looks at stands in an array of its own: the
 * oldest message has long left the processor's caches when it is dropped.
 *
 * <p>Not safe for use by many threads: guarded by its room's lock.
 */
final class RoomLog {
    private static final int OVERHEAD = 64;
    private static final @Nullable Entry[] NOTHING = new Entry[0];
    private static final long[] NO_MARKS = new long[0];

    private final Retention retention;
    private @Nullable Entry[] ring = NOTHING;
    private long[] marks = NO_MARKS; // likewise a ring: of each entry its time, then its weight
    private int head;
    private int size;
    private long top;
    private long bytes;

    /** @param top the offset of the newest entry of the log that this one continues; 0 for none */
    RoomLog(Retention retention, long top) {
        this.retention = retention;
        this.top = top;
    }

    /** The offset of the newest entry ever appended; 0 before the first. */
    long top() {
        return top;
    }

    /** The offset just before the oldest entry that is kept; equal to {@link #top} when none is. */
    long floor() {
        return top - size;
    }

    long bytes() {
        return bytes;
    }

    /** Appends the entry with the offset {@code top() + 1}. */
    void append(Frame frame, Audience audience, long nanoTime) {
        top++;
        if (retention.messages() == 0) {
            return;
        }
        trim(nanoTime);
        if (size == retention.messages()) {
            dropOldest();
        }
        if (size == ring.length) {
            grow();
        }
        int at = place(size);
        int weight = frame.length() + OVERHEAD + audience.weight();
        ring[at] = new Entry(frame, audience);
        marks[2 * at] = nanoTime;
        marks[2 * at + 1] = weight;
        size++;
        bytes += weight;
        while (bytes > retention.bytes()) {
            dropOldest();
        }
    }

    /** Drops what is older than the retention allows. */
    void trim(long nanoTime) {
        long oldest = nanoTime - retention.age().toNanos();
        while (size > 0 && marks[2 * head] - oldest < 0) {
            dropOldest();
        }
    }

    /** Drops everything up to an offset. */
    void forgetUpTo(long offset) {
        while (size > 0 && floor() < offset) {
            dropOldest();
        }
    }

    /** Returns how many entries are kept. */
    int size() {
        return size;
    }

    /** Drops everything; the offsets go on. */
    void clear() {
        ring = NOTHING;
        marks = NO_MARKS;
        head = 0;
        size = 0;
        bytes = 0;
    }

    /** Returns at most {@code limit} entries after an offset that is not below {@link #floor}, oldest first. */
    List<Entry> after(long offset, int limit) {
        int from = (int) (offset - floor());
        int count = Math.min(limit, size - from);
        List<Entry> entries = new ArrayList<>(Math.max(0, count));
        for (int i = from; i < from + count; i++) {
            entries.add(at(i));
        }
        return entries;
    }

    /** Returns the entry with an offset above {@link #floor} and up to {@link #top}. */
    Entry entry(long offset) {
        return at((int) (offset - floor() - 1));
    }

    private Entry at(int index) {
        Entry entry = ring[place(index)];
        if (entry == null) {
            throw new IllegalStateException("no entry at " + index + " of " + size);
        }
        return entry;
    }

    private int place(int index) {
        int at = head + index;
        return at < ring.length ? at : at - ring.length;
    }

    private void dropOldest() {
        bytes -= marks[2 * head + 1];
        ring[head] = null;
        head = place(1);
        size--;
    }

    private void grow() {
        int first = ring.length - head; // up to the end of the ring; the others are at its beginning
        @Nullable Entry[] larger = new Entry[Math.max(8, size * 2)];
        System.arraycopy(ring, head, larger, 0, first);
        System.arraycopy(ring, 0, larger, first, head);
        long[] moreMarks = new long[2 * larger.length];
        System.arraycopy(marks, 2 * head, moreMarks, 0, 2 * first);
        System.arraycopy(marks, 0, moreMarks, 2 * first, 2 * head);
        ring = larger;
        marks = moreMarks;
        head = 0;
    }

    /** One message in the log. */
    record Entry(Frame frame, Audience audience) {}
}
