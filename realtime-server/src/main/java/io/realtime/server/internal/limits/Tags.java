package io.realtime.server.internal.limits;

import io.realtime.internal.wire.Names;
import java.util.HashMap;
import java.util.Map;

/**
 * The rules for tags. Tags are kept for as long as their session, also without a connection, and a log keeps a copy of
 * those that a message names. So their number and length are bounded; all of a session's take 10 KB at most.
 */
public final class Tags {
    /** The most tags that a session has. */
    public static final int MOST = 16;

    private static final int MAX_NAME = 64;
    // As long as the id of a user.
    private static final int MAX_VALUE_BYTES = 255;

    private Tags() {}

    /**
     * Checks a tag.
     *
     * @throws IllegalArgumentException when the name is not 1 to 64 of {@code A-Z a-z 0-9 _ . : / -}, or the value is
     *     not one line of 1 to 255 bytes
     */
    public static void require(String name, String value) {
        Names.requireName("tag", name, MAX_NAME);
        if (!Names.isLine(value, MAX_VALUE_BYTES)) {
            throw new IllegalArgumentException("tag " + name + ": '" + Names.abbreviate(value)
                    + "' is not one line of 1 to " + MAX_VALUE_BYTES + " bytes");
        }
    }

    /**
     * Returns an immutable copy.
     *
     * @throws IllegalArgumentException when a tag is {@linkplain #require refused}, or there are more than {@link #MOST}
     */
    public static Map<String, String> copyOf(Map<String, String> tags) {
        tags.forEach(Tags::require);
        if (tags.size() > MOST) {
            throw new IllegalArgumentException(tags.size() + " tags: a session has at most " + MOST);
        }
        return Map.copyOf(tags);
    }

    /** Returns a copy with another tag, which replaces one of that name; throws as {@link #copyOf} does. */
    public static Map<String, String> with(Map<String, String> tags, String name, String value) {
        Map<String, String> all = new HashMap<>(tags);
        all.put(name, value);
        return copyOf(all);
    }

    /** Returns a copy without the tag of this name. */
    public static Map<String, String> without(Map<String, String> tags, String name) {
        Map<String, String> rest = new HashMap<>(tags);
        rest.remove(name);
        return Map.copyOf(rest);
    }
}
