package io.realtime.internal.wire;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The rules for names on the wire. */
public final class Names {
    /** The longest name of an event, request or stream, in characters. */
    public static final int MAX_TYPE = 128;

    /** The longest {@code ref}, in characters. */
    public static final int MAX_REF = 64;

    /** The longest room name, in bytes of UTF-8. */
    public static final int MAX_ROOM_BYTES = 256;

    /** The room of everyone. */
    public static final String ALL = "@all";

    /** The inbox of the user. */
    public static final String USER = "@user";

    /** The inbox of the session. */
    public static final String SESSION = "@session";

    private static final Pattern CONTROL = Pattern.compile("[\\p{Cc}\\u2028\\u2029]");

    private Names() {}

    /** Returns the name if an application may use it for a contract. */
    public static String requireContract(String name) {
        if (name.startsWith("$")) {
            throw new IllegalArgumentException(
                    "'" + abbreviate(name) + "': names that begin with $ belong to the protocol");
        }
        return requireName("name", name, MAX_TYPE);
    }

    /** Returns the name if it is 1 to {@code max} of the allowed characters. */
    public static String requireName(String what, String name, int max) {
        Objects.requireNonNull(name, what);
        if (!isName(name, 0, max)) {
            throw new IllegalArgumentException(
                    what + " '" + abbreviate(name) + "' is not 1 to " + max + " of A-Z a-z 0-9 _ . : / -");
        }
        return name;
    }

    /** Returns the name if an application may use it for a room. */
    public static String requireRoom(String name) {
        Objects.requireNonNull(name, "room");
        String fault = roomFault(name);
        if (fault != null) {
            throw new IllegalArgumentException(fault);
        }
        return name;
    }

    /** Returns what is wrong with a name that is to be an application's room, or null. */
    public static @Nullable String roomFault(String name) {
        if (name.isEmpty()) {
            return "room is empty";
        }
        if (name.length() > MAX_ROOM_BYTES || name.getBytes(StandardCharsets.UTF_8).length > MAX_ROOM_BYTES) {
            return "room '" + abbreviate(name) + "' is longer than " + MAX_ROOM_BYTES + " bytes";
        }
        if (!isText(name)) {
            return "room holds half a surrogate pair";
        }
        if (CONTROL.matcher(name).find()) {
            return "room '" + abbreviate(name) + "' holds a control character";
        }
        if (name.charAt(0) == '@') {
            return "room '" + abbreviate(name) + "': names that begin with @ belong to the protocol";
        }
        return null;
    }

    /** Returns whether a type on the wire is well-formed, a protocol's or an application's. */
    static boolean isType(String type) {
        return isName(type, type.startsWith("$") ? 1 : 0, MAX_TYPE);
    }

    /** Returns whether UTF-8 can carry the text: no surrogate stands without its other half. */
    private static boolean isText(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                if (i + 1 == text.length() || !Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1))) {
                    return false;
                }
                i++;
            }
        }
        return true;
    }

    /** Returns the text as one line of at most 64 characters, for a message or a log. */
    public static String abbreviate(String text) {
        return abbreviate(text, 64);
    }

    /** Returns the text as one line of at most {@code max} characters, a question mark for every control character. */
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
