package io.realtime.client.internal.outbox;

import java.util.LinkedHashMap;
import java.util.Map;

/** The records of a file that are neither removed nor damaged, and the numbers that the file has used. */
final class LiveRecords {
    private static final long LARGEST_ON_THE_WIRE = (1L << 53) - 1;

    // The lengths of the live records, in the order of the file.
    private final Map<Long, Integer> lengths = new LinkedHashMap<>();
    private long bytes;
    private long lastSeq;
    // The highest number of a message in the records; an owner record may name a higher one.
    private long newestSeq;

    static boolean isSeq(long seq) {
        return seq >= 0 && seq <= LARGEST_ON_THE_WIRE;
    }

    long bytes() {
        return bytes;
    }

    /** Returns the highest number that was ever stored, or may have been. */
    long lastSeq() {
        return lastSeq;
    }

    /** Returns the highest number of a message in the records. */
    long newestSeq() {
        return newestSeq;
    }

    void added(long seq, int length) {
        lengths.put(seq, length);
        bytes += length;
        used(seq);
    }

    /** Notes a number, so that no other message gets it. */
    void used(long seq) {
        if (isSeq(seq)) {
            newestSeq = Math.max(newestSeq, seq);
            lastSeq = Math.max(lastSeq, seq);
        }
    }

    /** Notes that numbers up to this one may be used. */
    void mayHaveUsed(long seq) {
        lastSeq = Math.max(lastSeq, seq);
    }

    /** Removes a record. Returns false if it is not live. */
    boolean removed(long seq) {
        Integer length = lengths.remove(seq);
        if (length == null) {
            return false;
        }
        bytes -= length;
        return true;
    }

    /** Continues with the records of a file that was written anew. */
    void replaceWith(Map<Long, Integer> newLengths) {
        lengths.clear();
        bytes = 0;
        newLengths.forEach(this::added);
    }
}
