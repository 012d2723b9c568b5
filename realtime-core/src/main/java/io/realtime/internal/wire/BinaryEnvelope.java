package io.realtime.internal.wire;

import io.realtime.spi.Frame;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * The form of a binary frame, section 8 of {@code docs/protocol.md}: a byte 1, the length of the header in two bytes, the
 * header, which is an envelope without {@code data}, and the payload as it is.
 */
public final class BinaryEnvelope {
    private static final int VERSION = 1;
    private static final int PREFIX = 3;
    private static final int MAX_HEADER = 0xFFFF;

    private BinaryEnvelope() {}

    /**
     * Checks a binary frame; its length is the transport's to bound.
     *
     * @param frame is neither moved nor copied: the payload is a view of it
     * @return the header, with the rest of the frame as its {@link Envelope#payload}
     * @throws MalformedException saying what is wrong with it
     */
    public static Envelope parse(ByteBuffer frame) {
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
        Envelope envelope = Envelope.parse(utf8(header), in.slice());
        if (envelope.isProtocol()) {
            throw new MalformedException("'" + envelope.type() + "' comes in a text frame, not in a binary one");
        }
        return envelope;
    }

    private static String utf8(byte[] header) {
        try { // a new decoder reports what is malformed
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(header))
                    .toString();
        } catch (CharacterCodingException malformed) {
            throw new MalformedException("the header of a binary frame is not UTF-8");
        }
    }

    /**
     * Returns the frame of an envelope without {@code data} and a payload, which is copied.
     *
     * @throws IllegalArgumentException when the envelope is longer than 65,535 bytes
     */
    public static Frame encode(Outgoing envelope, ByteBuffer payload) {
        ByteBuffer header = envelope.frame().payload();
        if (header.remaining() > MAX_HEADER) {
            throw new IllegalArgumentException(
                    "a header of " + header.remaining() + " bytes is longer than " + MAX_HEADER);
        }
        byte[] bytes = new byte[PREFIX + header.remaining() + payload.remaining()];
        ByteBuffer.wrap(bytes)
                .put((byte) VERSION)
                .putShort((short) header.remaining())
                .put(header)
                .put(payload.duplicate());
        return Frame.binary(bytes);
    }
}
