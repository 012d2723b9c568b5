package io.realtime.internal.wire;

import org.jspecify.annotations.Nullable;

/**
 * A scanner of JSON, strictly by RFC 8259. It does not build what it skips. Every received frame passes it before
 * {@link Json} reads the payload. Gson's reader needs 3 KB for this, and accepts two malformed forms.
 *
 * <p>Not safe for use by many threads.
 */
final class JsonScanner {
    /** The longest number that Gson accepts when it reads the payload. */
    static final int LONGEST_NUMBER = 1023;

    private static final long MAX_INTEGER = 1L << 53;

    /** Invalid JSON, or JSON that nests too deep. */
    static final class NotJsonException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        NotJsonException() {
            // Hostile input is normal input, so there is no stack trace.
            super("not JSON", null, false, false);
        }
    }

    private final String text;
    private final int nesting;
    private int at;
    private int depth;

    /**
     * Creates a scanner.
     *
     * @param nesting how deep arrays and objects may nest
     */
    JsonScanner(String text, int nesting) {
        this.text = text;
        this.nesting = nesting;
    }

    /** Skips whitespace; returns the position of the next character. */
    int position() {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
                break;
            }
            at++;
        }
        return at;
    }

    boolean isAtEnd() {
        return position() == text.length();
    }

    /** Skips whitespace; returns the next character without reading it. */
    char peek() {
        if (isAtEnd()) {
            throw new NotJsonException();
        }
        return text.charAt(at);
    }

    /** Enters an object, or an array. */
    void begin(char bracket) {
        expect(bracket);
        if (++depth > nesting) {
            throw new NotJsonException();
        }
    }

    /**
     * Returns true if an object or array has another element, and moves to it; false if it ends, and moves after its
     * end.
     */
    boolean hasNext(char closing, boolean isFirst) {
        char next = peek();
        if (next == closing) {
            at++;
            depth--;
            return false;
        }
        if (!isFirst) {
            expect(',');
        }
        return true;
    }

    /** Reads the name of a field. */
    String name() {
        String name = string();
        expect(':');
        return name;
    }

    /**
     * Reads the name of a field if it is one of these, written without escapes; returns its index, or -1 with nothing
     * read.
     */
    int name(String[] known) {
        peek();
        for (int i = 0; i < known.length; i++) {
            int end = at + 1 + known[i].length();
            if (end < text.length() && text.charAt(end) == '"' && text.startsWith(known[i], at + 1)) {
                expect('"');
                at = end + 1;
                expect(':');
                return i;
            }
        }
        return -1;
    }

    /** Reads a string. */
    String string() {
        expect('"');
        int from = at;
        boolean isPlain = endString();
        String raw = text.substring(from, at - 1);
        return isPlain ? raw : whole(unescape(raw));
    }

    /**
     * Skips the rest of a string. Returns whether its text needs no conversion: it has no escapes and no surrogates.
     */
    private boolean endString() {
        boolean isPlain = true;
        int next = at;
        while (next < text.length()) {
            char c = text.charAt(next++);
            if (c == '"') {
                at = next;
                return isPlain;
            }
            if (c < ' ') {
                break;
            }
            if (c == '\\') {
                isPlain = false;
                at = next;
                escape();
                next = at;
            } else if (c >= Character.MIN_SURROGATE) {
                isPlain = false;
            }
        }
        throw new NotJsonException();
    }

    private void escape() {
        char c = at < text.length() ? text.charAt(at++) : 0;
        if (c == 'u' && text.length() - at >= 4) {
            for (int end = at + 4; at < end; at++) {
                if (Character.digit(text.charAt(at), 16) < 0 || text.charAt(at) > 'f') {
                    throw new NotJsonException();
                }
            }
        } else if ("\"\\/bfnrt".indexOf(c) < 0) {
            throw new NotJsonException();
        }
    }

    private static String unescape(String raw) {
        StringBuilder plain = new StringBuilder(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c != '\\') {
                plain.append(c);
                continue;
            }
            char escaped = raw.charAt(++i);
            if (escaped == 'u') {
                plain.append((char) Integer.parseInt(raw.substring(i + 1, i + 5), 16));
                i += 4;
            } else {
                int control = "bfnrt".indexOf(escaped);
                plain.append(control < 0 ? escaped : "\b\f\n\r\t".charAt(control));
            }
        }
        return plain.toString();
    }

    /** Refuses half a surrogate pair, because no frame can carry it back. */
    private static String whole(String string) {
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            if (Character.isHighSurrogate(c)
                    && i + 1 < string.length()
                    && Character.isLowSurrogate(string.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                throw new NotJsonException();
            }
        }
        return string;
    }

    /**
     * Reads a value.
     *
     * @return the number, if it is an integer from 0 to 2^53-1 without fraction and exponent; else -1
     */
    long integer() {
        int from = position();
        value();
        if (at - from > 16) {
            return -1;
        }
        long value = 0;
        for (int i = from; i < at; i++) {
            char c = text.charAt(i);
            if (c < '0' || c > '9') {
                return -1;
            }
            value = 10 * value + (c - '0');
        }
        return value < MAX_INTEGER ? value : -1;
    }

    /** Skips a number; false if there is none. */
    private boolean number() {
        int from = position();
        at += is('-') ? 1 : 0;
        boolean isWhole = is('0') ? skip(1) : digits();
        if (isWhole && is('.')) {
            at++;
            isWhole = digits();
        }
        if (isWhole && (is('e') || is('E'))) {
            at++;
            at += is('+') || is('-') ? 1 : 0;
            isWhole = digits();
        }
        if (!isWhole || at - from > LONGEST_NUMBER) {
            at = from;
            return false;
        }
        return true;
    }

    private boolean is(char c) {
        return at < text.length() && text.charAt(at) == c;
    }

    private boolean skip(int count) {
        at += count;
        return true;
    }

    private boolean digits() {
        int from = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        return at > from;
    }

    /** Skips a value of any kind. */
    void value() {
        switch (peek()) {
            case '{' -> {
                begin('{');
                for (boolean isFirst = true; hasNext('}', isFirst); isFirst = false) {
                    expect('"');
                    endString();
                    expect(':');
                    value();
                }
            }
            case '[' -> {
                begin('[');
                for (boolean isFirst = true; hasNext(']', isFirst); isFirst = false) {
                    value();
                }
            }
            case '"' -> {
                at++;
                endString();
            }
            case 't' -> literal("true");
            case 'f' -> literal("false");
            case 'n' -> literal("null");
            default -> {
                if (!number()) {
                    throw new NotJsonException();
                }
            }
        }
    }

    private void literal(String word) {
        if (!text.startsWith(word, at)) {
            throw new NotJsonException();
        }
        at += word.length();
    }

    /** Reads true or false; if the next value is neither, returns null and reads nothing. */
    @Nullable
    Boolean bool() {
        char next = peek();
        if (next != 't' && next != 'f') {
            return null;
        }
        literal(next == 't' ? "true" : "false");
        return next == 't';
    }

    private void expect(char c) {
        if (peek() != c) {
            throw new NotJsonException();
        }
        at++;
    }
}
