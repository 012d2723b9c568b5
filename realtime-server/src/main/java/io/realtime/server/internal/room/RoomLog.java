package io.realtime.server.internal.room;

import io.realtime.internal.wire.Protocol;
import io.realtime.server.Retention;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The log of one room: entries with consecutive offsets. The room's {@link Retention} trims the oldest. Reading from an
 * offset costs only what is read, however much the log holds. Times and weights, which trimming reads, are in an array
 * of their own: the oldest message has left the processor's caches long before it is dropped.
 *
 * <p>Every method that changes the size of the log ends in {@link #settle}, which tells the {@link LogBudget}.
 *
 * <p>Not safe for use by many threads: guarded by its room's lock, except for the place in the budget's lists.
 */
final class RoomLog {
    /** A frame and the header of its array, both padded to eight bytes. */
    private static final int ENTRY = 40;

    // A reference, a time and a weight.
    private static final int SLOT = 20;
    // The headers of the arrays.
    private static final int ARRAYS = 32;
    // A table of keys without its keys; an entry of it, its offset and its slot.
    private static final int KEYS = 64;
    private static final int KEY = 72;
    private static final int MOST_GIVEN = 256;
    private static final @Nullable WireMessage[] NOTHING = new WireMessage[0];
    private static final @Nullable Audience[] NOBODY = new Audience[0];
    private static final long[] NO_MARKS = new long[0];

    // In place of a message that was deleted.
    private static final WireMessage DELETED = WireMessage.text(new byte[0]);
    private static final LogEntry GONE = new LogEntry(DELETED, Audience.NOBODY);
    // How the frame begins that says so.
    private static final byte[] NOTICE = ("{\"type\":\"" + Protocol.DELETED + '"').getBytes(StandardCharsets.US_ASCII);

    private final Retention retention;
    private final LogBudget.Group budget;
    private final LogBudget.Owner owner;
    private @Nullable WireMessage[] ring = NOTHING;
    // Parallel to ring; empty until there is a message that is not for everyone.
    private @Nullable Audience[] audiences = NOBODY;
    // Parallel to ring: the time of each entry, then its weight.
    private long[] marks = NO_MARKS;
    // The offsets of the kept messages that have a key, in ascending order; null if there are none.
    private @Nullable Map<String, Long> keys;
    // How many keys the table has had since it was made: it does not shrink.
    private int mostKeys;
    private int head;
    private int size;
    private long top;
    // The weight of all entries.
    private long weight;
    // The size that was last reported to the budget.
    private long settled;

    // The place in the budget's lists, which LogBudget.lock guards. The check whether to move is made under the room's
    // lock alone.
    volatile int listed = -1;

    @Nullable
    RoomLog older;

    @Nullable
    RoomLog newer;

    /**
     * Creates an empty log.
     *
     * @param top the offset of the newest entry of the log that this one continues; 0 for none
     */
    RoomLog(Retention retention, long top, LogBudget.Group budget, LogBudget.Owner owner) {
        this.retention = retention;
        this.top = top;
        this.budget = budget;
        this.owner = owner;
    }

    LogBudget.Owner owner() {
        return owner;
    }

    /** Returns the offset of the newest entry ever appended; 0 before the first. */
    long top() {
        return top;
    }

    /** Returns the offset just before the oldest entry that is kept; equal to {@link #top} if none is. */
    long floor() {
        return top - size;
    }

    /** Returns how many entries are kept. */
    int size() {
        return size;
    }

    /** Returns how many bytes of heap the entries take; 0 if there are none. */
    long bytes() {
        return ring.length == 0 ? 0 : weight + ARRAYS + (long) SLOT * ring.length + audienceBytes() + keysBytes();
    }

    private int audienceBytes() {
        return audiences.length == 0 ? 0 : 16 + 4 * audiences.length;
    }

    private int keysBytes() {
        return keys == null ? 0 : KEYS;
    }

    /**
     * Appends the entry with the offset {@code top() + 1}. The entry is kept even if it alone exceeds the retention.
     */
    void append(WireMessage frame, Audience audience, long nanoTime) {
        append(frame, audience, nanoTime, null);
    }

    /** Like {@link #append(WireMessage, Audience, long)}, with a key that no entry has, or null for none. */
    void append(WireMessage frame, Audience audience, long nanoTime, @Nullable String key) {
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
        long added = weightOf(frame) + (key == null ? 0 : KEY + LocalBroker.weight(key));
        if (!audience.isEveryone()) {
            added += keep(audience, at);
        }
        ring[at] = frame;
        marks[2 * at] = nanoTime;
        marks[2 * at + 1] = added;
        weight += added;
        size++;
        top++;
        if (key != null) {
            keep(key);
        }
        while (size > 1 && bytes() > retention.bytes()) {
            dropOldest();
        }
        settle();
    }

    private static long weightOf(WireMessage frame) {
        return ENTRY + (frame.length() + 7L) / 8 * 8;
    }

    /** Keeps the key of the newest entry. */
    private void keep(String key) {
        Map<String, Long> known = keys == null ? new LinkedHashMap<>() : keys;
        known.put(key, top);
        keys = known;
        mostKeys = Math.max(mostKeys, known.size());
    }

    /** Drops the key of the entry that was just dropped, if it has one. */
    private void dropKey(Map<String, Long> known) {
        Iterator<Long> offsets = known.values().iterator();
        if (offsets.next() > floor()) {
            return;
        }
        offsets.remove();
        if (known.size() <= mostKeys / 4) {
            mostKeys = known.size();
            keys = known.isEmpty() ? null : new LinkedHashMap<>(known);
        }
    }

    /** Returns the offset of the kept entry that has this key; 0 if none has. Drops entries that are too old. */
    long offsetOf(String key, long nanoTime) {
        trim(nanoTime);
        Long offset = keys == null ? null : keys.get(key);
        return offset == null ? 0 : offset;
    }

    /**
     * Removes the message at an offset. Its place stays, with its key, until it is dropped. Returns false if there is
     * no message of the application, or no longer one.
     */
    boolean delete(long offset) {
        if (offset <= floor() || offset > top) {
            return false;
        }
        int at = place((int) (offset - floor() - 1));
        WireMessage frame = ring[at];
        if (frame == null || frame == DELETED || isNotice(frame)) {
            return false;
        }
        ring[at] = DELETED;
        // The audience stays: the next message may share it.
        marks[2 * at + 1] -= weightOf(frame);
        weight -= weightOf(frame);
        settle();
        return true;
    }

    /** Drops every entry, and skips an offset: a reader that had read all has missed something, too. */
    void purge() {
        clear();
        top++;
    }

    /** Returns whether an entry says that another one was deleted. */
    static boolean isNotice(WireMessage frame) {
        ByteBuffer payload = frame.payload();
        return frame.isText()
                && payload.remaining() > NOTICE.length
                && payload.slice().limit(NOTICE.length).equals(ByteBuffer.wrap(NOTICE));
    }

    /**
     * Keeps an audience and returns its weight. An audience that equals the previous message's is kept, and weighed,
     * once.
     */
    private long keep(Audience audience, int at) {
        if (audiences.length == 0) {
            audiences = new Audience[ring.length];
        }
        int previous = place(Math.max(0, size - 1));
        if (size > 0 && audience.equals(audiences[previous])) {
            audiences[at] = audiences[previous];
            // The newest message that has the audience carries its weight.
            marks[2 * previous + 1] -= audience.weight();
            weight -= audience.weight();
        } else {
            audiences[at] = audience;
        }
        return audience.weight();
    }

    /** Drops entries that are older than the retention allows. */
    void trim(long nanoTime) {
        dropOlderThan(nanoTime);
        compact();
        settle();
    }

    /** Drops every entry up to an offset. */
    void forgetUpTo(long offset) {
        while (size > 0 && floor() < offset) {
            dropOldest();
        }
        compact();
        settle();
    }

    /** Drops every entry. Offsets continue. */
    void clear() {
        forgetUpTo(top);
    }

    /** Drops the oldest messages of a log that holds more than its share: at most half of it, and no more than 256. */
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

    /** Removes the log from the budget's lists. It becomes empty and is not used again. */
    void retire() {
        clear();
        budget.unlist(this);
    }

    /** Tells the budget the current size of the log. No other method does. */
    private void settle() {
        long bytes = bytes();
        if (bytes != settled) {
            long before = settled;
            settled = bytes;
            budget.resized(this, before, bytes);
        }
    }

    /**
     * Returns at most {@code limit} entries after an offset, oldest first. The offset must not be below {@link #floor}.
     */
    List<LogEntry> after(long offset, int limit) {
        int from = (int) (offset - floor());
        int count = Math.min(limit, size - from);
        List<LogEntry> entries = new ArrayList<>(Math.max(0, count));
        for (int i = from; i < from + count; i++) {
            entries.add(at(i));
        }
        return entries;
    }

    /** Returns the audience of the entry at an offset above {@link #floor} and up to {@link #top}. */
    Audience audience(long offset) {
        return at((int) (offset - floor() - 1)).audience;
    }

    private LogEntry at(int index) {
        int at = place(index);
        WireMessage frame = ring[at];
        if (frame == null) {
            throw new IllegalStateException("no entry at " + index + " of " + size);
        }
        if (frame == DELETED) {
            return GONE;
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
        if (keys != null) {
            dropKey(keys);
        }
    }

    /** Frees the memory that an emptied log does not need. */
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
        // The entries up to the end of the ring. The others are at its beginning.
        int first = Math.min(size, ring.length - head);
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

    /** One message in the log. A deleted one is addressed to nobody. */
    record LogEntry(WireMessage frame, Audience audience) {
        /** Returns whether a reader of the history is to get it, if it is addressed to that reader. */
        boolean isMessage() {
            return frame != DELETED && !isNotice(frame);
        }
    }
}
