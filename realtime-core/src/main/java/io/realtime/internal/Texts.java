package io.realtime.internal;

import java.util.regex.Pattern;

/** Text from others, made safe for a message or a log. */
public final class Texts {
    /** Control characters and others that a terminal or a log viewer may interpret; U+2028 and U+2029 end lines. */
    private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{C}\\u2028\\u2029]");

    private Texts() {}

    /** Returns a text with a space for each character that is not printable. */
    public static String line(String text) {
        return UNPRINTABLE.matcher(text).replaceAll(" ");
    }

    /** Returns at most so many chars from the beginning of a text, as a {@linkplain #line(String) line}. */
    public static String line(String text, int most) {
        return line(text.length() <= most ? text : text.substring(0, most - 1) + "…");
    }

    /** Returns at most so many chars of a text: a third from its beginning, the rest from its end. */
    public static String ends(String text, int most) {
        if (text.length() <= most) {
            return text;
        }
        int head = most / 3;
        return text.substring(0, head) + "…" + text.substring(text.length() - (most - 1 - head));
    }
}
