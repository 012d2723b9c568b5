package io.realtime.internal.websocket;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Frames by hand from RFC 6455 section 5.2, so that the code of this package is not tested with itself. */
final class HandMadeFrame {
    static final int CONTINUATION = 0x0;
    static final int TEXT = 0x1;
    static final int BINARY = 0x2;

    private HandMadeFrame() {}

    /** Returns a client's frame, masked with any key. */
    static byte[] masked(boolean fin, int opcode, byte[] payload) {
        return masked(fin, opcode, payload, 0x1F2E3D4C);
    }

    /** Returns a client's frame, masked with this key. */
    static byte[] masked(boolean fin, int opcode, byte[] payload, int mask) {
        ByteBuffer out = ByteBuffer.allocate(14 + payload.length);
        header(out, fin, opcode, payload.length, 0x80);
        byte[] key = ByteBuffer.allocate(4).putInt(mask).array();
        out.put(key);
        for (int i = 0; i < payload.length; i++) {
            out.put((byte) (payload[i] ^ key[i % 4]));
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    /** Returns a server's frame. */
    static byte[] unmasked(boolean fin, int opcode, byte[] payload) {
        ByteBuffer out = ByteBuffer.allocate(10 + payload.length);
        header(out, fin, opcode, payload.length, 0);
        out.put(payload);
        return Arrays.copyOf(out.array(), out.position());
    }

    private static void header(ByteBuffer out, boolean fin, int opcode, int length, int masked) {
        out.put((byte) ((fin ? 0x80 : 0) | opcode));
        if (length < 126) {
            out.put((byte) (masked | length));
        } else if (length < 1 << 16) {
            out.put((byte) (masked | 126)).putShort((short) length);
        } else {
            out.put((byte) (masked | 127)).putLong(length);
        }
    }
}
