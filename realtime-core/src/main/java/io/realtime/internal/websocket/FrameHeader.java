package io.realtime.internal.websocket;

import java.nio.ByteBuffer;

/**
 * The header of a frame (RFC 6455 section 5.2), read as its bytes arrive. One object reads the headers of a connection
 * one after the other, and allocates nothing. For one thread.
 */
public final class FrameHeader {
    private static final int FINAL = 0x80;
    private static final int RESERVED = 0x70;
    private static final int OPCODE = 0x0F;
    private static final int MASKED = 0x80;
    private static final int LENGTH = 0x7F;
    private static final int MAX_CONTROL = 125;
    private static final int LENGTH_OF_2_BYTES = 126;

    private final Role sender;
    private final byte[] bytes = new byte[14];
    private int read;
    private long length;
    private int mask;

    /**
     * Creates a reader of headers.
     *
     * @param receiver the side that reads
     */
    public FrameHeader(Role receiver) {
        this.sender = receiver.peer();
    }

    /**
     * Reads as much of the header as has arrived. After it is whole, the next call begins with the next header.
     *
     * @return whether the header is whole
     * @throws FrameException if no frame of the sender may begin like this
     */
    public boolean read(ByteBuffer in) throws FrameException {
        int needed = needed();
        while (read < needed) {
            if (!in.hasRemaining()) {
                return false;
            }
            bytes[read++] = in.get();
            if (read == 2) {
                checkFirstBytes();
                needed = needed();
            }
        }
        read = 0;
        int maskAt = sender.masks() ? needed - Integer.BYTES : needed;
        length = maskAt == 2 ? bytes[1] & LENGTH : number(2, maskAt);
        if (maskAt > 2 && length < (maskAt == 4 ? LENGTH_OF_2_BYTES : 1 << 16)) {
            throw FrameException.protocolError("length negative or not in its shortest form");
        }
        mask = (int) number(maskAt, needed);
        return true;
    }

    private void checkFirstBytes() throws FrameException {
        if ((bytes[0] & RESERVED) != 0) {
            throw FrameException.protocolError("reserved bit set");
        }
        if (((bytes[1] & MASKED) != 0) != sender.masks()) {
            throw FrameException.protocolError(sender.masks() ? "frame not masked" : "frame masked");
        }
        switch (opcode()) {
            case Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY -> {}
            case Opcode.CLOSE, Opcode.PING, Opcode.PONG -> {
                if (!isFinal() || (bytes[1] & LENGTH) > MAX_CONTROL) {
                    throw FrameException.protocolError("control frame fragmented or too long");
                }
            }
            default -> throw FrameException.protocolError("unknown opcode");
        }
    }

    private int needed() {
        if (read < 2) {
            return 2;
        }
        int first = bytes[1] & LENGTH;
        int unmasked = first < LENGTH_OF_2_BYTES ? 2 : first == LENGTH_OF_2_BYTES ? 4 : 10;
        return sender.masks() ? unmasked + Integer.BYTES : unmasked;
    }

    private long number(int from, int to) {
        long number = 0;
        for (int i = from; i < to; i++) {
            number = (number << 8) | (bytes[i] & 0xFF);
        }
        return number;
    }

    /** Forgets what was read of a header that is not whole. */
    public void reset() {
        read = 0;
    }

    /** Returns whether the frame ends its message. */
    public boolean isFinal() {
        return (bytes[0] & FINAL) != 0;
    }

    /** Returns the frame's {@link Opcode}. */
    public int opcode() {
        return bytes[0] & OPCODE;
    }

    /** Returns the length of the payload in bytes; 0 or more. */
    public long length() {
        return length;
    }

    /** Returns the key that the payload is masked with; 0 if it is not masked. */
    int mask() {
        return mask;
    }
}
