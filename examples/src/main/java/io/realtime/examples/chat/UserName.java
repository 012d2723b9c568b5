package io.realtime.examples.chat;

import org.jspecify.annotations.Nullable;

/** The rule for the names of users. */
public final class UserName {
    /** The maximum length of a name in code points. */
    private static final int MAX = 32;
    // Used inside emoji.
    private static final int ZERO_WIDTH_JOINER = 0x200D;

    private UserName() {}

    /** Returns what is wrong with a name, as a sentence for people; null if it is valid. */
    public static @Nullable String fault(@Nullable String name) {
        if (name == null || name.isBlank()) {
            return "Please choose a name.";
        }
        if (name.codePointCount(0, name.length()) > MAX) {
            return "Please choose a name of at most " + MAX + " characters.";
        }
        return name.codePoints().anyMatch(UserName::isInvisible)
                ? "Please choose a name without invisible characters."
                : null;
    }

    private static boolean isInvisible(int c) {
        int type = Character.getType(c);
        return Character.isISOControl(c)
                || type == Character.SURROGATE // half of a pair, which no database stores
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR
                || (type == Character.FORMAT && c != ZERO_WIDTH_JOINER);
    }
}
