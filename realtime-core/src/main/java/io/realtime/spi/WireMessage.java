package io.realtime.spi;

import io.realtime.internal.websocket.FrameWriter;
import io.realtime.internal.websocket.Opcode;
import io.realtime.internal.websocket.Role;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** An encoded WebSocket message. Immutable: all receivers share its bytes, which must not be changed. */
public final class WireMessage {
    private final boolean text;
    private final byte[] payload;

    private WireMessage(boolean text, byte[] payload) {
        this.text = text;
        this.payload = payload;
    }

    /** Returns a text message. The bytes are its UTF-8; they are not copied, and belong to the message from now on. */
    public static WireMessage text(byte[] utf8) {
        return new WireMessage(true, utf8);
    }

    /** Returns a binary message. The bytes are not copied, and belong to the message from now on. */
    public static WireMessage binary(byte[] payload) {
        return new WireMessage(false, payload);
    }

    /** Returns whether this is a text message. */
    public boolean isText() {
        return text;
    }

    /** Returns the number of payload bytes. */
    public int length() {
        return payload.length;
    }

    /** Returns the payload, read-only, with its own position. */
    public ByteBuffer payload() {
        return ByteBuffer.wrap(payload).asReadOnlyBuffer();
    }

    /** Returns the payload of a text message as a string. */
    public String asText() {
        return new String(payload, StandardCharsets.UTF_8);
    }

    /** Returns how many bytes {@link #writeUnmasked} writes. */
    int unmaskedLength() {
        return FrameWriter.length(Role.SERVER, payload.length);
    }

    /** Writes the message as a server's frame: final, and not masked. */
    void writeUnmasked(ByteBuffer out) {
        FrameWriter.header(out, text ? Opcode.TEXT : Opcode.BINARY, payload.length);
        out.put(payload);
    }

    /** Returns the length only: the payload may hold a token or a session's secret. */
    @Override
    public String toString() {
        return (text ? "text" : "binary") + " frame of " + payload.length + " bytes";
    }
}
