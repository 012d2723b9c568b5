package io.realtime.internal.wire;

import io.realtime.PayloadException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A growing text, encoded in UTF-8, to which frames are written. Not safe for use by many threads. */
final class Utf8 extends Writer {
    private byte[] bytes = new byte[256];
    private int length;

    int length() {
        return length;
    }

    /** Shortens the text to an earlier length. */
    void truncate(int length) {
        this.length = length;
    }

    /** Returns a copy of the bytes. */
    byte[] bytes() {
        return Arrays.copyOf(bytes, length);
    }

    /** Appends a text. */
    Utf8 add(String text) {
        write(text, 0, text.length());
        return this;
    }

    /** Appends a number, which must not be negative. */
    Utf8 add(long number) {
        int digits = 1;
        for (long rest = number; rest >= 10; rest /= 10) {
            digits++;
        }
        reserve(digits);
        length += digits;
        long rest = number;
        for (int at = length; digits > 0; digits--) {
            bytes[--at] = (byte) ('0' + rest % 10);
            rest /= 10;
        }
        return this;
    }

    /**
     * {@inheritDoc}
     *
     * @throws PayloadException if the text holds half a surrogate pair, which UTF-8 cannot encode
     */
    @Override
    public void write(String text, int from, int count) {
        reserve(count);
        byte[] target = bytes;
        int at = length;
        for (int i = from; i < from + count; i++) {
            char c = text.charAt(i);
            if (c >= 0x80) {
                length = at;
                encode(text, i, from + count);
                return;
            }
            target[at++] = (byte) c;
        }
        length = at;
    }

    private void encode(String text, int from, int to) {
        reserve(3 * (to - from));
        byte[] target = bytes;
        int at = length;
        for (int i = from; i < to; i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                target[at++] = (byte) c;
            } else if (c < 0x800) {
                target[at++] = (byte) (0xC0 | (c >> 6));
                target[at++] = (byte) (0x80 | (c & 0x3F));
            } else if (!Character.isSurrogate(c)) {
                target[at++] = (byte) (0xE0 | (c >> 12));
                target[at++] = (byte) (0x80 | ((c >> 6) & 0x3F));
                target[at++] = (byte) (0x80 | (c & 0x3F));
            } else if (++i < to && Character.isSurrogatePair(c, text.charAt(i))) {
                int pair = Character.toCodePoint(c, text.charAt(i));
                target[at++] = (byte) (0xF0 | (pair >> 18));
                target[at++] = (byte) (0x80 | ((pair >> 12) & 0x3F));
                target[at++] = (byte) (0x80 | ((pair >> 6) & 0x3F));
                target[at++] = (byte) (0x80 | (pair & 0x3F));
            } else {
                throw new PayloadException("data holds half a surrogate pair");
            }
        }
        length = at;
    }

    @Override
    public void write(int c) {
        if (c >= 0x80) {
            encode(String.valueOf((char) c), 0, 1);
            return;
        }
        reserve(1);
        bytes[length++] = (byte) c;
    }

    @Override
    public void write(char[] chars, int from, int count) {
        write(new String(chars, from, count), 0, count);
    }

    private void reserve(int count) {
        if (bytes.length - length < count) {
            bytes = Arrays.copyOf(bytes, Math.max(length + count, 2 * bytes.length));
        }
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}

    @Override
    public String toString() {
        return new String(bytes, 0, length, StandardCharsets.UTF_8);
    }
}
