package io.realtime.internal.wire;

import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The rules for names on the wire. */
public final class Names {
    /** The longest name of an event, request or stream, in characters. */
    public static final int MAX_TYPE = 128;

    /** The longest {@code ref}, in characters. */
    public static final int MAX_REF = 64;

    /** The longest trace context, in characters; a {@code traceparent} of version 00 has 55. */
    public static final int MAX_TRACE = 128;

    /** The longest room name, in bytes of UTF-8. */
    public static final int MAX_ROOM_BYTES = 256;
    // As long as an OpenID Connect subject.
    private static final int MAX_USER = 255;

    /** The room of all sessions. */
    public static final String ALL = "@all";

    /** The inbox of the user. */
    public static final String USER = "@user";

    /** The inbox of the session. */
    public static final String SESSION = "@session";

    private static final Pattern CONTROL = Pattern.compile("[\\p{Cc}\\u2028\\u2029]");

    private Names() {}

    /** Returns the name; refuses one that an application must not use for a contract. */
    public static String requireContract(String name) {
        if (name.startsWith("$")) {
            throw new IllegalArgumentException(
                    "'" + abbreviate(name) + "': names that begin with $ belong to the protocol");
        }
        return requireName("name", name, MAX_TYPE);
    }

    /** Returns the name; refuses one that is not 1 to {@code max} of the allowed characters. */
    public static String requireName(String what, String name, int max) {
        Objects.requireNonNull(name, what);
        if (!isName(name, 0, max)) {
            throw new IllegalArgumentException(
                    what + " '" + abbreviate(name) + "' is not 1 to " + max + " of A-Z a-z 0-9 _ . : / -");
        }
        return name;
    }

    /** Returns the trace context; refuses one that an envelope cannot carry. */
    public static String requireTrace(String trace) {
        return requireName("trace", trace, MAX_TRACE);
    }

    /** Returns whether an envelope may carry this trace context. */
    static boolean isTrace(String trace) {
        return isName(trace, 0, MAX_TRACE);
    }

    /** Returns the name; refuses one that an application must not use for a room. */
    public static String requireRoom(String name) {
        Objects.requireNonNull(name, "room");
        String fault = roomFault(name);
        if (fault != null) {
            throw new IllegalArgumentException(fault);
        }
        return name;
    }

    /** Returns why a name is invalid for a room of the application, or null if it is valid. */
    public static @Nullable String roomFault(String name) {
        if (name.isEmpty()) {
            return "room is empty";
        }
        if (!isLine(name, Integer.MAX_VALUE)) {
            return "room '" + abbreviate(name) + "' holds a control character or half a surrogate pair";
        }
        if (!isLine(name, MAX_ROOM_BYTES)) {
            return "room '" + abbreviate(name) + "' is longer than " + MAX_ROOM_BYTES + " bytes";
        }
        if (name.charAt(0) == '@') {
            return "room '" + abbreviate(name) + "': names that begin with @ belong to the protocol";
        }
        return null;
    }

    /** Returns what is wrong with the id of a user, without its text, or null if it is valid. */
    public static @Nullable String userFault(String user) {
        if (user.isEmpty()) {
            return "is empty";
        }
        if (user.length() > MAX_USER) {
            return "is longer than " + MAX_USER + " characters";
        }
        return user.codePoints().anyMatch(Names::isControl) ? "holds a control character" : null;
    }

    /**
     * Returns whether a character may not be in the id of a user. Half a surrogate pair may not, since on the wire all
     * of them look alike.
     */
    private static boolean isControl(int c) {
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR
                || type == Character.SURROGATE;
    }

    /** Returns whether a type on the wire is well-formed, for a frame of the protocol or of an application. */
    static boolean isType(String type) {
        return isName(type, type.startsWith("$") ? 1 : 0, MAX_TYPE);
    }

    /**
     * Returns whether a text can be logged as one line and sent as UTF-8 unchanged: not empty, at most so many bytes of
     * UTF-8, no control characters, no half of a surrogate pair.
     */
    public static boolean isLine(String text, int maxBytes) {
        int length = text.length();
        int bytes = 0;
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                if (c < ' ' || c == 0x7F) {
                    return false;
                }
                bytes++;
            } else if (Character.isSurrogate(c)) {
                if (i + 1 == length || !Character.isSurrogatePair(c, text.charAt(i + 1))) {
                    return false;
                }
                i++;
                bytes += 4;
            } else {
                if (c < 0xA0 || c == 0x2028 || c == 0x2029) {
                    return false;
                }
                bytes += c < 0x800 ? 2 : 3;
            }
            if (bytes > maxBytes) {
                return false;
            }
        }
        return length > 0;
    }

    /** Returns the text as one line of at most 64 characters, for a message or a log. */
    public static String abbreviate(String text) {
        return abbreviate(text, 64);
    }

    /**
     * Returns the text as one line of at most {@code max} characters, with a question mark for each control character.
     */
    static String abbreviate(String text, int max) {
        String brief = text;
        if (text.length() > max) {
            int end = max - 3;
            brief = text.substring(0, Character.isHighSurrogate(text.charAt(end - 1)) ? end - 1 : end) + "...";
        }
        return CONTROL.matcher(brief).replaceAll("?");
    }

    private static boolean isName(String name, int from, int max) {
        if (name.length() <= from || name.length() > max) {
            return false;
        }
        for (int i = from; i < name.length(); i++) {
            char c = name.charAt(i);
            boolean isAlphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (!isAlphanumeric && "_.:/-".indexOf(c) < 0) {
                return false;
            }
        }
        return true;
    }
}
