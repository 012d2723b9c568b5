package io.realtime.internal.wire;

import java.nio.charset.StandardCharsets;

/** A count of the entries of a JSON object that fit in a frame. Not safe for use by many threads. */
public final class EntryBudget {
    /** Quotes, colon and comma. */
    private static final int PUNCTUATION = 4;

    private int left;

    /**
     * Creates a budget.
     *
     * @param bytes the bytes for all entries together
     */
    public EntryBudget(int bytes) {
        this.left = bytes;
    }

    /** Takes the bytes of an entry; false, and nothing taken, if too few are left. */
    public boolean take(String name, int valueBytes) {
        int bytes = length(name) + valueBytes + PUNCTUATION;
        if (bytes > left) {
            return false;
        }
        left -= bytes;
        return true;
    }

    /** Returns the length of a string in JSON, in bytes, without its quotes. */
    public static int length(String text) {
        return Json.payload(String.class).write(text).getBytes(StandardCharsets.UTF_8).length - 2;
    }
}
