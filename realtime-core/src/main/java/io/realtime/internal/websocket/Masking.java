package io.realtime.internal.websocket;

import java.nio.ByteBuffer;

/** The masking of a client's payload (RFC 6455 section 5.3). Applied twice, it changes nothing. */
final class Masking {
    private Masking() {}

    /**
     * Masks or unmasks bytes in place, eight at a time.
     *
     * @param offset the position of the first of them in the payload of their frame
     */
    static void apply(byte[] bytes, int from, int count, int key, int offset) {
        int turned = Integer.rotateLeft(key, 8 * (offset & 3));
        long wide = ((long) turned << 32) | (turned & 0xFFFF_FFFFL);
        // Android 8 has no VarHandle. The JVM makes no object of this view, and in a loop of this form it checks the
        // bounds once.
        ByteBuffer view = ByteBuffer.wrap(bytes);
        int end = from + count;
        int next = from;
        for (int last = end - Long.BYTES; next <= last; next += Long.BYTES) {
            view.putLong(next, view.getLong(next) ^ wide);
        }
        for (int shift = Long.SIZE - Byte.SIZE; next < end; next++, shift -= Byte.SIZE) {
            bytes[next] ^= (byte) (wide >>> shift);
        }
    }
}
