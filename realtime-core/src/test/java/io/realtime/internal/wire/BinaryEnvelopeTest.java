package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.realtime.ErrorCode;
import io.realtime.spi.Frame;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class BinaryEnvelopeTest {
    private static final String NOT_JSON = "a frame must hold JSON (RFC 8259), nested at most 32 deep";
    private static final String NOT_UTF_8 = "the header of a binary frame is not UTF-8";
    private static final String HAS_DATA = "the header of a binary frame has a field 'data'";

    /** A frame of bytes from 0 to 255. */
    private static ByteBuffer bytes(int... values) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int value : values) {
            bytes.write(value);
        }
        return ByteBuffer.wrap(bytes.toByteArray());
    }

    private static ByteBuffer frame(String header, int... payload) {
        byte[] utf8 = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(3 + utf8.length + payload.length)
                .put((byte) 1)
                .putShort((short) utf8.length)
                .put(utf8)
                .put(bytes(payload))
                .flip();
    }

    private static ByteBuffer payload(Envelope envelope) {
        ByteBuffer payload = envelope.payload();
        assertNotNull(payload);
        return payload;
    }

    static Stream<Arguments> hostile() {
        return Stream.of(
                arguments(bytes(), "a binary frame has at least 3 bytes"),
                arguments(bytes(1), "a binary frame has at least 3 bytes"),
                arguments(bytes(1, 0), "a binary frame has at least 3 bytes"),
                arguments(bytes(0, 0, 0), "a binary frame begins with byte 1, not 0"),
                arguments(bytes(2, 0, 0), "a binary frame begins with byte 1, not 2"),
                arguments(bytes(255, 0, 0), "a binary frame begins with byte 1, not 255"),
                arguments(bytes('{', '}', ' '), "a binary frame begins with byte 1, not 123"),
                arguments(bytes(1, 0, 1), "a header of 1 bytes does not fit into the 0 that follow"),
                arguments(bytes(1, 0, 3, '{', '}'), "a header of 3 bytes does not fit into the 2 that follow"),
                arguments(bytes(1, 255, 255, '{', '}'), "a header of 65535 bytes does not fit into the 2 that follow"),
                // UTF-8: alone, overlong, half a pair, cut off
                arguments(bytes(1, 0, 1, 0x80), NOT_UTF_8),
                arguments(bytes(1, 0, 2, 0xC0, 0xAF), NOT_UTF_8),
                arguments(bytes(1, 0, 3, 0xED, 0xA0, 0x80), NOT_UTF_8),
                arguments(bytes(1, 0, 2, 0xE2, 0x82, 0xAC), NOT_UTF_8),
                // what is no envelope is none here either
                arguments(bytes(1, 0, 0), NOT_JSON),
                arguments(bytes(1, 0, 0, '{', '}'), NOT_JSON),
                arguments(frame("{'type':'t'}"), NOT_JSON),
                arguments(frame("\uFEFF{\"type\":\"t\"}"), NOT_JSON),
                arguments(frame("{\"type\":\"t\"}{}"), NOT_JSON),
                arguments(frame("{\"type\":\"t\",\"x\":" + "[".repeat(32) + "]".repeat(32) + "}"), NOT_JSON),
                arguments(frame("[]"), "a frame must hold one JSON object"),
                arguments(frame("{}"), "field 'type' is missing"),
                arguments(frame("{\"type\":1}"), "field 'type' is not a string"),
                // the payload stands beside the header
                arguments(frame("{\"type\":\"t\",\"data\":1}"), HAS_DATA),
                arguments(frame("{\"type\":\"t\",\"data\":null}"), HAS_DATA),
                arguments(frame("{\"d\\u0061ta\":{},\"type\":\"t\"}"), HAS_DATA),
                arguments(frame("{\"type\":\"$hello\"}"), "'$hello' comes in a text frame, not in a binary one"),
                arguments(frame("{\"type\":\"$x\"}"), "'$x' comes in a text frame, not in a binary one"));
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void whatIsNoBinaryEnvelopeIsRefusedSayingWhy(ByteBuffer frame, String why) {
        var refused = assertThrows(MalformedException.class, () -> BinaryEnvelope.parse(frame));
        assertEquals(why, refused.getMessage());
        assertEquals(ErrorCode.BAD_MESSAGE, refused.code());
    }

    @Test
    void headerAndPayloadAreRead() {
        Envelope envelope =
                BinaryEnvelope.parse(frame("{\"type\":\"file\",\"room\":\"räume\",\"seq\":7}", 0, 255, '{'));
        assertEquals("file", envelope.type());
        assertEquals("räume", envelope.room());
        assertEquals(7, envelope.seq());
        assertFalse(envelope.hasData());
        assertEquals(bytes(0, 255, '{'), payload(envelope));
        assertNull(Envelope.parse("{\"type\":\"file\"}").payload());
    }

    @Test
    void aPayloadMayBeEmpty() {
        Envelope envelope = BinaryEnvelope.parse(frame("{\"type\":\"t\"}"));
        assertEquals(0, payload(envelope).remaining());
        assertEquals(12, envelope.length());
    }

    @Test
    void whatItCostsToKeepCountsThePayload() {
        assertEquals(
                15, BinaryEnvelope.parse(frame("{\"type\":\"t\"}", 1, 2, 3)).length());
    }

    @Test
    void theLongestHeaderIsRead() {
        String header = "{\"type\":\"t\"" + " ".repeat(65535 - 12) + "}";
        Envelope envelope = BinaryEnvelope.parse(frame(header, 9));
        assertEquals("t", envelope.type());
        assertEquals(bytes(9), payload(envelope));
    }

    @Test
    void thePayloadIsReadOnlyAndEveryReaderHasAPositionOfItsOwn() {
        Envelope envelope = BinaryEnvelope.parse(frame("{\"type\":\"t\"}", 1, 2));
        assertEquals(1, payload(envelope).get());
        assertEquals(bytes(1, 2), payload(envelope));
        assertTrue(payload(envelope).isReadOnly());
    }

    @Test
    void aFrameIsReadFromItsPositionWhateverItsOrderAndNotMoved() {
        ByteBuffer whole = frame("{\"type\":\"t\"}", 5);
        ByteBuffer shifted = ByteBuffer.allocate(whole.remaining() + 2)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put((byte) 9)
                .put(whole)
                .put((byte) 9)
                .flip();
        shifted.position(1).limit(shifted.limit() - 1);
        assertEquals(bytes(5), payload(BinaryEnvelope.parse(shifted)));
        assertEquals(1, shifted.position());
    }

    @Test
    void whatIsEncodedIsReadAgain() {
        Outgoing header = Outgoing.of("file").room("räume").ref("r").seq(3);
        Frame frame = BinaryEnvelope.encode(header, bytes(1, 0, 255));
        assertFalse(frame.isText());
        Envelope envelope = BinaryEnvelope.parse(frame.payload());
        assertEquals("file", envelope.type());
        assertEquals("räume", envelope.room());
        assertEquals("r", envelope.ref());
        assertEquals(3, envelope.seq());
        assertEquals(bytes(1, 0, 255), payload(envelope));
    }

    @Test
    void theExampleOfTheProtocolPageIsWhatIsEncoded() {
        ByteBuffer example = bytes(
                0x01, 0x00, 0x0F, 0x7b, 0x22, 0x74, 0x79, 0x70, 0x65, 0x22, 0x3a, 0x22, 0x66, 0x69, 0x6c, 0x65, 0x22,
                0x7d, 0xCA, 0xFE);
        Frame frame = BinaryEnvelope.encode(Outgoing.of("file"), bytes(0xCA, 0xFE));
        assertEquals(example, frame.payload());
    }

    @Test
    void aHeaderThatItsLengthCannotSayIsRefused() {
        Outgoing header = Outgoing.of("t").from("x".repeat(65535));
        var refused = assertThrows(IllegalArgumentException.class, () -> BinaryEnvelope.encode(header, bytes()));
        assertEquals("a header of 65557 bytes is longer than 65535", refused.getMessage());
    }
}
