package io.realtime.internal.websocket;

/** The opcodes of frames (RFC 6455 section 5.2). */
public final class Opcode {
    public static final int CONTINUATION = 0x0;
    public static final int TEXT = 0x1;
    public static final int BINARY = 0x2;
    public static final int CLOSE = 0x8;
    public static final int PING = 0x9;
    public static final int PONG = 0xA;

    private Opcode() {}

    /** Returns whether frames with this opcode are control frames: they are final, and at most 125 bytes long. */
    static boolean isControl(int opcode) {
        return opcode >= CLOSE;
    }
}
