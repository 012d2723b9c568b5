package io.realtime.internal.wire;

import java.nio.charset.StandardCharsets;

/** How many entries of a JSON object fit in a frame. Not safe for use by many threads. */
public final class EntryBudget {
    /** Quotes, colon and comma. */
    private static final int PUNCTUATION = 4;

    private int left;

    /** @param bytes for all entries together */
    public EntryBudget(int bytes) {
        this.left = bytes;
    }

    /** Takes the bytes of an entry if there are so many left. */
    public boolean take(String name, int valueBytes) {
        int bytes = length(name) + valueBytes + PUNCTUATION;
        if (bytes > left) {
            return false;
        }
        left -= bytes;
        return true;
    }

    /** Returns how many bytes of JSON a string is, without its quotes. */
    public static int length(String text) {
        return Json.payload(String.class).write(text).getBytes(StandardCharsets.UTF_8).length - 2;
    }
}
