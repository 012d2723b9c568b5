package io.realtime.server;

import io.realtime.spi.WireMessage;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The log of one room: entries with consecutive offsets, the oldest trimmed by the room's {@link Retention}. Reading
 * from an offset costs what is read, whatever the log holds. What trimming looks at stands in an array of its own: the
 * oldest message has long left the processor's caches when it is dropped.
 *
 * <p>Whatever changes its size ends in {@link #settle}, which tells the {@link LogBudget}: nobody else needs to.
 *
 * <p>Not safe for use by many threads: guarded by its room's lock, but for the place in the budget's lists.
 */
final class RoomLog {
    /** A frame and the header of its array, both to be filled up to eight bytes. */
    private static final int ENTRY = 40;

    private static final int SLOT = 20; // a reference, a time, a weight
    private static final int ARRAYS = 32; // their headers
    private static final int MOST_GIVEN = 256;
    private static final @Nullable WireMessage[] NOTHING = new WireMessage[0];
    private static final @Nullable Audience[] NOBODY = new Audience[0];
    private static final long[] NO_MARKS = new long[0];

    private final Retention retention;
    private final LogBudget.Group budget;
    private final LogBudget.Owner owner;
    private @Nullable WireMessage[] ring = NOTHING;
    private @Nullable Audience[] audiences = NOBODY; // likewise, once there is a message that is not for everyone
    private long[] marks = NO_MARKS; // likewise: of each entry its time, then its weight
    private int head;
    private int size;
    private long top;
    private long weight; // of all entries
    private long settled; // what the budget knows of

    // The place in the budget's lists, which guards it; whether to move is asked under the room's lock alone.
    volatile int listed = -1;

    @Nullable
    RoomLog older;

    @Nullable
    RoomLog newer;

    /** @param top the offset of the newest entry of the log that this one continues; 0 for none */
    RoomLog(Retention retention, long top, LogBudget.Group budget, LogBudget.Owner owner) {
        this.retention = retention;
        this.top = top;
        this.budget = budget;
        this.owner = owner;
    }

    LogBudget.Owner owner() {
        return owner;
    }

    /** The offset of the newest entry ever appended; 0 before the first. */
    long top() {
        return top;
    }

    /** The offset just before the oldest entry that is kept; equal to {@link #top} when none is. */
    long floor() {
        return top - size;
    }

    /** Returns how many entries are kept. */
    int size() {
        return size;
    }

    /** Returns how much heap the entries take; 0 when there are none. */
    long bytes() {
        return ring.length == 0 ? 0 : weight + ARRAYS + (long) SLOT * ring.length + audienceBytes();
    }

    private int audienceBytes() {
        return audiences.length == 0 ? 0 : 16 + 4 * audiences.length;
    }

    /** Appends the entry with the offset {@code top() + 1}. It is kept even if it alone is more than the retention. */
    void append(WireMessage frame, Audience audience, long nanoTime) {
        if (retention.messages() == 0 || retention.bytes() == 0) {
            top++;
            return;
        }
        dropOlderThan(nanoTime);
        if (size == retention.messages()) {
            dropOldest();
        }
        if (size == ring.length) {
            resize(ring.length == 0 ? 1 : Math.max(4, 2 * ring.length));
        }
        int at = place(size);
        long added = ENTRY + (frame.length() + 7L) / 8 * 8;
        if (audience != Audience.EVERYONE) {
            added += keep(audience, at);
        }
        ring[at] = frame;
        marks[2 * at] = nanoTime;
        marks[2 * at + 1] = added;
        weight += added;
        size++;
        top++;
        while (size > 1 && bytes() > retention.bytes()) {
            dropOldest();
        }
        settle();
    }

    /** Keeps an audience, and returns its weight. One that is equal to the previous message's is kept, and weighed, once. */
    private long keep(Audience audience, int at) {
        if (audiences.length == 0) {
            audiences = new Audience[ring.length];
        }
        int previous = place(Math.max(0, size - 1));
        if (size > 0 && audience.equals(audiences[previous])) {
            audiences[at] = audiences[previous];
            marks[2 * previous + 1] -= audience.weight(); // it goes when the newest message goes that has it
            weight -= audience.weight();
        } else {
            audiences[at] = audience;
        }
        return audience.weight();
    }

    /** Drops what is older than the retention allows. */
    void trim(long nanoTime) {
        dropOlderThan(nanoTime);
        compact();
        settle();
    }

    /** Drops everything up to an offset. */
    void forgetUpTo(long offset) {
        while (size > 0 && floor() < offset) {
            dropOldest();
        }
        compact();
        settle();
    }

    /** Drops everything; the offsets go on. */
    void clear() {
        forgetUpTo(top);
    }

    /** Drops the oldest messages of a log that holds more than its share: half of it at most, and no more than 256. */
    void giveUp(long share) {
        long goal = Math.max(share, bytes() / 2);
        for (int given = 0; size > 0 && bytes() > goal && given < MOST_GIVEN; given++) {
            dropOldest();
        }
        compact();
        settle();
        if (size > 0) {
            budget.list(this, bytes());
        }
    }

    /** Leaves the budget's lists: the log is empty, and will not be used again. */
    void retire() {
        clear();
        budget.unlist(this);
    }

    /** Tells the budget how large the log is now. Nothing else does. */
    private void settle() {
        long bytes = bytes();
        if (bytes != settled) {
            long before = settled;
            settled = bytes;
            budget.resized(this, before, bytes);
        }
    }

    /** Returns at most {@code limit} entries after an offset that is not below {@link #floor}, oldest first. */
    List<LogEntry> after(long offset, int limit) {
        int from = (int) (offset - floor());
        int count = Math.min(limit, size - from);
        List<LogEntry> entries = new ArrayList<>(Math.max(0, count));
        for (int i = from; i < from + count; i++) {
            entries.add(at(i));
        }
        return entries;
    }

    /** Returns the audience of the entry with an offset above {@link #floor} and up to {@link #top}. */
    Audience audience(long offset) {
        return at((int) (offset - floor() - 1)).audience;
    }

    private LogEntry at(int index) {
        int at = place(index);
        WireMessage frame = ring[at];
        if (frame == null) {
            throw new IllegalStateException("no entry at " + index + " of " + size);
        }
        Audience audience = audiences.length == 0 ? null : audiences[at];
        return new LogEntry(frame, audience == null ? Audience.EVERYONE : audience);
    }

    private int place(int index) {
        int at = head + index;
        return at < ring.length ? at : at - ring.length;
    }

    private void dropOlderThan(long nanoTime) {
        long oldest = nanoTime - retention.age().toNanos();
        while (size > 0 && marks[2 * head] - oldest < 0) {
            dropOldest();
        }
    }

    private void dropOldest() {
        weight -= marks[2 * head + 1];
        ring[head] = null;
        if (audiences.length > 0) {
            audiences[head] = null;
        }
        head = place(1);
        size--;
    }

    /** Gives back what an emptied log does not need. */
    private void compact() {
        if (size == 0) {
            ring = NOTHING;
            audiences = NOBODY;
            marks = NO_MARKS;
            head = 0;
        } else if (ring.length > 4 && size < ring.length / 4) {
            resize(ring.length / 2);
        }
    }

    private void resize(int length) {
        int first = Math.min(size, ring.length - head); // up to the end of the ring; the others are at its beginning
        @Nullable WireMessage[] frames = new WireMessage[length];
        @Nullable Audience[] whose = audiences.length == 0 ? NOBODY : new Audience[length];
        long[] moved = new long[2 * length];
        System.arraycopy(ring, head, frames, 0, first);
        System.arraycopy(ring, 0, frames, first, size - first);
        System.arraycopy(marks, 2 * head, moved, 0, 2 * first);
        System.arraycopy(marks, 0, moved, 2 * first, 2 * (size - first));
        if (audiences.length > 0) {
            System.arraycopy(audiences, head, whose, 0, first);
            System.arraycopy(audiences, 0, whose, first, size - first);
        }
        ring = frames;
        audiences = whose;
        marks = moved;
        head = 0;
    }

    /** One message in the log. */
    record LogEntry(WireMessage frame, Audience audience) {}
}
