package io.realtime.internal.websocket;

import io.realtime.CloseReason;
import java.nio.ByteBuffer;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Frames as they are sent (RFC 6455 section 5.2): always final, and with the shortest form of their length. A server's
 * are not masked. A client's are, with a random key for each.
 */
public final class FrameWriter {
    private static final byte[] NONE = new byte[0];
    private static final int FINAL = 0x80;
    private static final int MASKED = 0x80;

    private FrameWriter() {}

    /** Returns how many bytes a frame has, with its header. */
    public static int length(Role sender, int payload) {
        int header = payload < 126 ? 2 : payload < 1 << 16 ? 4 : 10;
        return (sender.masks() ? header + Integer.BYTES : header) + payload;
    }

    /** Writes the header of a server's frame. */
    public static void header(ByteBuffer out, int opcode, int payload) {
        header(out, opcode, payload, 0);
    }

    /** Writes the header of a client's frame, whose payload is masked with this key. */
    public static void maskedHeader(ByteBuffer out, int opcode, int payload, int key) {
        header(out, opcode, payload, MASKED);
        out.putInt(key);
    }

    private static void header(ByteBuffer out, int opcode, int payload, int masked) {
        out.put((byte) (FINAL | opcode));
        if (payload < 126) {
            out.put((byte) (masked | payload));
        } else if (payload < 1 << 16) {
            out.put((byte) (masked | 126)).putShort((short) payload);
        } else {
            out.put((byte) (masked | 127)).putLong(payload);
        }
    }

    /** Returns a whole frame. It has an array of its own, without an offset. */
    public static ByteBuffer frame(Role sender, int opcode, byte[] payload) {
        return frame(sender, opcode, ByteBuffer.wrap(payload));
    }

    /** Returns a whole frame, as above. The position of the payload does not change. */
    public static ByteBuffer frame(Role sender, int opcode, ByteBuffer payload) {
        int length = payload.remaining();
        byte[] bytes = new byte[length(sender, length)];
        ByteBuffer out = ByteBuffer.wrap(bytes);
        int start = bytes.length - length;
        payload.duplicate().get(bytes, start, length);
        if (sender.masks()) {
            int key = ThreadLocalRandom.current().nextInt();
            maskedHeader(out, opcode, length, key);
            Masking.apply(bytes, start, length, key, 0);
        } else {
            header(out, opcode, length);
        }
        return ByteBuffer.wrap(bytes);
    }

    /** Returns a ping without payload. */
    public static ByteBuffer ping(Role sender) {
        return frame(sender, Opcode.PING, NONE);
    }

    /** Returns a close frame. It contains no code if the code must not be sent. */
    public static ByteBuffer close(Role sender, CloseReason reason) {
        return frame(sender, Opcode.CLOSE, CloseCodes.encode(reason));
    }
}
