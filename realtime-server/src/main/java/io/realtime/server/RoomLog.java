package io.realtime.server;

import io.realtime.spi.Frame;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The log of one room: entries with consecutive offsets, the oldest trimmed by the room's {@link Retention}. Reading
 * from an offset costs what is read, whatever the log holds. What trimming looks at stands in arrays of its own: the
 * oldest message has long left the processor's caches when it is dropped.
 *
 * <p>Not safe for use by many threads: guarded by its room's lock.
 */
final class RoomLog {
    private static final int OVERHEAD = 64;
    private static final @Nullable Frame[] NO_FRAMES = new Frame[0];
    private static final @Nullable Audience[] NO_AUDIENCES = new Audience[0];
    private static final int[] NO_WEIGHTS = new int[0];
    private static final long[] NO_TIMES = new long[0];

    private final Retention retention;
    private @Nullable Frame[] frames = NO_FRAMES; // a ring, as are the next three
    private @Nullable Audience[] audiences = NO_AUDIENCES;
    private int[] weights = NO_WEIGHTS;
    private long[] times = NO_TIMES;
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
        if (size == frames.length) {
            resize(Math.max(8, size * 2));
        }
        int at = place(size);
        frames[at] = frame;
        audiences[at] = audience;
        weights[at] = frame.length() + OVERHEAD + audience.weight();
        times[at] = nanoTime;
        size++;
        bytes += weights[at];
        while (bytes > retention.bytes()) {
            dropOldest();
        }
    }

    /** Drops what is older than the retention allows. */
    void trim(long nanoTime) {
        long oldest = nanoTime - retention.age().toNanos();
        while (size > 0 && times[head] - oldest < 0) {
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
        frames = NO_FRAMES;
        audiences = NO_AUDIENCES;
        weights = NO_WEIGHTS;
        times = NO_TIMES;
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
        Frame frame = frames[place(index)];
        Audience audience = audiences[place(index)];
        if (frame == null || audience == null) {
            throw new IllegalStateException("no entry at " + index + " of " + size);
        }
        return new Entry(frame, audience);
    }

    private int place(int index) {
        int at = head + index;
        return at < frames.length ? at : at - frames.length;
    }

    private void dropOldest() {
        bytes -= weights[head];
        frames[head] = null;
        audiences[head] = null;
        head = place(1);
        size--;
    }

    private void resize(int length) {
        int first = Math.min(size, frames.length - head); // up to the end of the ring; the others are at its beginning
        frames = unrolled(frames, first, new Frame[length]);
        audiences = unrolled(audiences, first, new Audience[length]);
        weights = unrolled(weights, first, new int[length]);
        times = unrolled(times, first, new long[length]);
        head = 0;
    }

    @SuppressWarnings("SuspiciousSystemArraycopy") // both are the same kind of array
    private <A> A unrolled(A ring, int first, A larger) {
        System.arraycopy(ring, head, larger, 0, first);
        System.arraycopy(ring, 0, larger, first, size - first);
        return larger;
    }

    /** One message in the log. */
    record Entry(Frame frame, Audience audience) {}
}
