package io.realtime.internal.wire;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * The format of binary frames, section 8 of {@code docs/protocol.md}. A frame is a byte 1, the length of the header in
 * two bytes, the header (an envelope without {@code data}), and the payload as it is. In the reply to {@code $history},
 * which is text, it is the header with the payload in a field of its own.
 */
public final class BinaryEnvelope {
    private static final int VERSION = 1;
    private static final int PREFIX = 3;
    private static final int MAX_HEADER = 0xFFFF;
    private static final String BASE64 = "base64";

    private BinaryEnvelope() {}

    /**
     * Checks a binary frame; the transport bounds its length.
     *
     * @param frame neither moved nor copied: the payload is a view of it
     * @return the header, with the rest of the frame as its {@link Envelope#payload}
     * @throws MalformedException if the frame is malformed; the message says why
     */
    public static Envelope parse(ByteBuffer frame) {
        return parse(frame, Json.MAX_NESTING);
    }

    /**
     * Checks a binary frame from a server, like {@link #parse}, with nesting as in {@link Envelope#parseFromServer}.
     *
     * @throws MalformedException if the frame is malformed; the message says why
     */
    public static Envelope parseFromServer(ByteBuffer frame) {
        return parse(frame, Json.MAX_NESTING_FROM_SERVER);
    }

    private static Envelope parse(ByteBuffer frame, int nesting) {
        ByteBuffer in = frame.asReadOnlyBuffer();
        if (in.remaining() < PREFIX) {
            throw new MalformedException("a binary frame has at least " + PREFIX + " bytes");
        }
        int version = in.get() & 0xFF;
        if (version != VERSION) {
            throw new MalformedException("a binary frame begins with byte 1, not " + version);
        }
        int length = in.getShort() & 0xFFFF;
        if (length > in.remaining()) {
            throw new MalformedException(
                    "a header of " + length + " bytes does not fit into the " + in.remaining() + " that follow");
        }
        byte[] header = new byte[length];
        in.get(header);
        Envelope envelope = Envelope.parse(utf8(header), nesting, in.slice());
        if (envelope.isProtocol()) {
            throw new MalformedException("'" + envelope.type() + "' comes in a text frame, not in a binary one")
                    .about(envelope);
        }
        return envelope;
    }

    private static String utf8(byte[] header) {
        // A new decoder reports malformed input instead of replacing it.
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(header))
                    .toString();
        } catch (CharacterCodingException malformed) {
            throw new MalformedException("the header of a binary frame is not UTF-8");
        }
    }

    /**
     * Encodes a frame of a header and a payload; both are copied.
     *
     * @throws IllegalArgumentException if the header is longer than 65,535 bytes
     */
    static WireMessage encode(byte[] header, ByteBuffer payload) {
        byte[] bytes = new byte[length(header.length, payload)];
        ByteBuffer.wrap(bytes)
                .put((byte) VERSION)
                .putShort((short) 0)
                .put(header)
                .put(payload.duplicate());
        return WireMessage.binary(endHeader(bytes, PREFIX + header.length));
    }

    /**
     * Returns the length of a frame.
     *
     * @throws IllegalArgumentException if the header is longer than 65,535 bytes
     */
    static int length(int header, ByteBuffer payload) {
        return PREFIX + requireHeader(header) + payload.remaining();
    }

    private static int requireHeader(int length) {
        if (length > MAX_HEADER) {
            throw new IllegalArgumentException("a header of " + length + " bytes is longer than " + MAX_HEADER);
        }
        return length;
    }

    /** Returns where the header ends in a frame that we encoded. */
    static int headerEnd(ByteBuffer frame) {
        return PREFIX + (frame.getShort(1) & 0xFFFF);
    }

    /**
     * Writes the length of its header into a frame, and returns the frame.
     *
     * @throws IllegalArgumentException if the header is longer than 65,535 bytes
     */
    static byte[] endHeader(byte[] frame, int end) {
        ByteBuffer.wrap(frame).putShort(1, (short) requireHeader(end - PREFIX));
        return frame;
    }

    // ---------------------------------------------------------------- history

    /** Returns a frame that we encoded, binary or not, as JSON for the reply to {@code $history}. */
    public static String toHistory(WireMessage frame) {
        if (frame.isText()) {
            return frame.asText();
        }
        ByteBuffer in = frame.payload();
        byte[] header = new byte[headerEnd(in)];
        in.get(header);
        String open =
                new String(header, PREFIX, header.length - PREFIX - 1, StandardCharsets.UTF_8); // without its brace
        String payload =
                StandardCharsets.US_ASCII.decode(Base64.getEncoder().encode(in)).toString();
        return open + ",\"" + BASE64 + "\":\"" + payload + "\"}";
    }

    /** Returns a close upper bound of the bytes that {@link #toHistory} returns for a frame. */
    public static int historyLength(WireMessage frame) {
        return frame.isText() ? frame.length() : (frame.length() + 2) / 3 * 4 + 16;
    }

    /**
     * Checks a message, binary or not, of the reply to {@code $history}.
     *
     * @param message is changed: the payload is removed, so that it is not kept twice
     * @throws MalformedException if the message is malformed; the failure says why
     */
    public static Envelope fromHistory(JsonElement message) {
        JsonElement base64 = message instanceof JsonObject object ? object.remove(BASE64) : null;
        return base64 == null
                ? Envelope.parse(message.toString())
                : Envelope.parse(message.toString(), Json.MAX_NESTING, decode(base64));
    }

    private static ByteBuffer decode(JsonElement base64) {
        if (!(base64 instanceof JsonPrimitive primitive) || !primitive.isString()) {
            throw new MalformedException("field '" + BASE64 + "' is not a string");
        }
        try {
            return ByteBuffer.wrap(Base64.getDecoder().decode(primitive.getAsString()))
                    .asReadOnlyBuffer();
        } catch (IllegalArgumentException malformed) {
            throw new MalformedException("field '" + BASE64 + "' is not base64");
        }
    }
}
