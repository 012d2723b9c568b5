package io.realtime.server.websocket;

import io.realtime.CloseReason;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Control frames as a server sends them: unmasked, final, at most 125 bytes (RFC 6455 section 5.5). */
public final class ControlFrames {
    private static final int CLOSE = 0x8;
    private static final int PING = 0x9;
    private static final int PONG = 0xA;

    private ControlFrames() {}

    /** Returns a ping without payload. */
    public static ByteBuffer ping() {
        return frame(PING, new byte[0]);
    }

    /** Returns the pong for a ping of at most 125 bytes. */
    public static ByteBuffer pong(byte[] payload) {
        return frame(PONG, payload);
    }

    /** Returns a close frame. It contains no code if the code must not be sent. */
    public static ByteBuffer close(CloseReason reason) {
        if (!isSendable(reason.code())) {
            return frame(CLOSE, new byte[0]);
        }
        byte[] text = reason.text().getBytes(StandardCharsets.UTF_8);
        return frame(
                CLOSE,
                ByteBuffer.allocate(2 + text.length)
                        .putShort((short) reason.code())
                        .put(text)
                        .array());
    }

    /**
     * Returns whether a close frame may contain a code (RFC 6455 section 7.4 and the registry that it established).
     */
    public static boolean isSendable(int code) {
        return (code >= 3000 && code <= 4999) || (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    }

    private static ByteBuffer frame(int opcode, byte[] payload) {
        return ByteBuffer.allocate(2 + payload.length)
                .put((byte) (0x80 | opcode))
                .put((byte) payload.length)
                .put(payload)
                .flip();
    }
}
