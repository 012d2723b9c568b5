package io.realtime.internal.wire;

import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Text that grows, as the bytes of its UTF-8: what a frame is written to. Not safe for use by many threads. */
final class Utf8 extends Writer {
    private byte[] bytes = new byte[256];
    private int length;

    int length() {
        return length;
    }

    /** Forgets what is behind a length that it had. */
    void truncate(int length) {
        this.length = length;
    }

    /** Returns a copy of all of it. */
    byte[] bytes() {
        return Arrays.copyOf(bytes, length);
    }

    /** Appends a text. */
    Utf8 add(String text) {
        write(text, 0, text.length());
        return this;
    }

    /** Appends a number, which is not negative. */
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

    @Override
    public void write(String text, int from, int count) {
        reserve(count);
        byte[] target = bytes;
        int at = length;
        for (int i = from; i < from + count; i++) {
            char c = text.charAt(i);
            if (c >= 0x80) {
                length = at;
                encode(text.substring(i, from + count));
                return;
            }
            target[at++] = (byte) c;
        }
        length = at;
    }

    private void encode(String text) {
        byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
        reserve(encoded.length);
        System.arraycopy(encoded, 0, bytes, length, encoded.length);
        length += encoded.length;
    }

    @Override
    public void write(int c) {
        if (c >= 0x80) {
            encode(String.valueOf((char) c));
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
