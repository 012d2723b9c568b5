package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.spi.WireMessage;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

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
                arguments(frame("{\"type\":\"t\"}{}"), "a frame must hold one JSON object and nothing after it"),
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
    void payloadMayBeEmpty() {
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
    void longestHeaderIsRead() {
        String header = "{\"type\":\"t\"" + " ".repeat(65535 - 12) + "}";
        Envelope envelope = BinaryEnvelope.parse(frame(header, 9));
        assertEquals("t", envelope.type());
        assertEquals(bytes(9), payload(envelope));
    }

    @Test
    void payloadIsReadOnlyAndEveryReaderHasPositionOfItsOwn() {
        Envelope envelope = BinaryEnvelope.parse(frame("{\"type\":\"t\"}", 1, 2));
        assertEquals(1, payload(envelope).get());
        assertEquals(bytes(1, 2), payload(envelope));
        assertTrue(payload(envelope).isReadOnly());
    }

    @Test
    void frameIsReadFromItsPositionWhateverItsOrderAndNotMoved() {
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
        WireMessage frame = header.rawData(bytes(1, 0, 255)).frame();
        assertFalse(frame.isText());
        Envelope envelope = BinaryEnvelope.parse(frame.payload());
        assertEquals("file", envelope.type());
        assertEquals("räume", envelope.room());
        assertEquals("r", envelope.ref());
        assertEquals(3, envelope.seq());
        assertEquals(bytes(1, 0, 255), payload(envelope));
    }

    @Test
    void exampleOfTheProtocolPageIsWhatIsEncoded() {
        ByteBuffer example = bytes(
                0x01, 0x00, 0x0F, 0x7b, 0x22, 0x74, 0x79, 0x70, 0x65, 0x22, 0x3a, 0x22, 0x66, 0x69, 0x6c, 0x65, 0x22,
                0x7d, 0xCA, 0xFE);
        WireMessage frame = Outgoing.of("file").rawData(bytes(0xCA, 0xFE)).frame();
        assertEquals(example, frame.payload());
    }

    @Test
    void headerThatItsLengthCannotSayIsRefused() {
        Outgoing header = Outgoing.of("t").from("x".repeat(65535)).rawData(bytes());
        var refused = assertThrows(IllegalArgumentException.class, header::frame);
        assertEquals("a header of 65557 bytes is longer than 65535", refused.getMessage());
    }

    @Test
    void logAddsItsOffsetToTheHeader() {
        Outgoing outgoing = Outgoing.of("t").room("é").data(new byte[] {1, 0, -1}, byte[].class);
        int size = outgoing.length();
        for (long offset : new long[] {1, 9007199254740991L}) {
            WireMessage frame = outgoing.frame(offset);
            assertEquals(size + Long.toString(offset).length() + 1, frame.length());
            Envelope envelope = BinaryEnvelope.parse(frame.payload());
            assertEquals(offset, envelope.offset());
            assertEquals("é", envelope.room());
            assertEquals(bytes(1, 0, 255), payload(envelope));
        }
    }

    @Test
    void headerThatGrowsTooLongIsRefused() {
        Outgoing header = Outgoing.of("t").from("x".repeat(65535 - 22)).rawData(bytes(1));
        assertEquals(3 + 65535 + 1, header.frame().length());
        assertEquals(65535 + 13, header.length());
        var refused = assertThrows(IllegalArgumentException.class, () -> header.frame(1));
        assertEquals("a header of 65546 bytes is longer than 65535", refused.getMessage());
    }

    @Test
    void whatIsSentIsWhatTheArrayHeldThen() {
        byte[] array = {1, 2};
        WireMessage frame = Outgoing.of("t").data(array, byte[].class).frame();
        array[0] = 9;
        assertEquals(bytes(1, 2), payload(BinaryEnvelope.parse(frame.payload())));
    }

    @Test
    void bufferIsSentFromItsPositionToItsLimitAndNotMoved() {
        ByteBuffer buffer = bytes(1, 2, 3, 4).order(ByteOrder.LITTLE_ENDIAN);
        buffer.position(1).limit(3);
        WireMessage frame = Outgoing.of("t").data(buffer, ByteBuffer.class).frame();
        assertEquals(bytes(2, 3), payload(BinaryEnvelope.parse(frame.payload())));
        assertEquals(1, buffer.position());
    }

    @Test
    void arrayIsACopyAndABufferAViewThatIsReadOnly() {
        ByteBuffer frame = frame("{\"type\":\"t\"}", 1, 2);
        Envelope envelope = BinaryEnvelope.parse(frame);
        byte[] first = envelope.data(byte[].class);
        first[0] = 9;
        byte[] second = envelope.data(byte[].class);
        assertArrayEquals(new byte[] {1, 2}, second);
        ByteBuffer view = envelope.data(ByteBuffer.class);
        assertTrue(view.isReadOnly());
        frame.put(frame.limit() - 1, (byte) 7);
        assertEquals(bytes(1, 7), view);
        assertArrayEquals(new byte[] {1, 2}, second);
    }

    @Test
    void noPayloadIsRefusedAndAnEmptyOneIsNot() {
        Outgoing outgoing = Outgoing.of("t");
        var array = assertThrows(PayloadException.class, () -> outgoing.data(null, byte[].class));
        assertEquals("data is required: null is not a byte[]", array.getMessage());
        assertThrows(PayloadException.class, () -> outgoing.data(null, ByteBuffer.class));
        assertEquals(15, outgoing.data(new byte[0], byte[].class).frame().length());
    }

    @Test
    void bytesAreForAContractOfBytesAndJsonForTheOthers() {
        Envelope binary = BinaryEnvelope.parse(frame("{\"type\":\"t\"}", 1));
        for (Type type : new Type[] {String.class, int[].class, Byte[].class, Void.class, JsonElement.class}) {
            var refused = assertThrows(PayloadException.class, () -> binary.data(type));
            assertEquals("'t' comes in a text frame, not in a binary one", refused.getMessage());
        }
        for (String data : new String[] {"[1,2]", "\"yv4=\"", "null"}) {
            Envelope text = Envelope.parse("{\"type\":\"t\",\"data\":" + data + "}");
            for (Type type : new Type[] {byte[].class, ByteBuffer.class}) {
                var refused = assertThrows(PayloadException.class, () -> text.data(type));
                assertEquals("'t' comes in a binary frame, not in a text one", refused.getMessage());
            }
        }
    }

    @Test
    void serversHeaderMayNestAsDeepAsItsText() {
        String deep = "{\"type\":\"t\",\"x\":" + "[".repeat(34) + "]".repeat(34) + "}";
        assertThrows(MalformedException.class, () -> BinaryEnvelope.parse(frame(deep)));
        assertEquals("t", BinaryEnvelope.parseFromServer(frame(deep, 1)).type());
        assertEquals("t", Envelope.parseFromServer(deep).type());
        String deeper = deep.replace("[]", "[[]]");
        assertThrows(MalformedException.class, () -> BinaryEnvelope.parseFromServer(frame(deeper)));
    }

    @Test
    void inAHistoryThePayloadIsBase64() {
        Outgoing outgoing = Outgoing.of("file").room("räume").ts(7).rawData(bytes(0xCA, 0xFE));
        WireMessage frame = outgoing.frame(3);
        String json = "{\"type\":\"file\",\"room\":\"räume\",\"ts\":7,\"offset\":3,\"base64\":\"yv4=\"}";
        assertEquals(json, BinaryEnvelope.toHistory(frame));
        Envelope envelope = BinaryEnvelope.fromHistory(JsonParser.parseString(json));
        assertEquals(3, envelope.offset());
        assertEquals("räume", envelope.room());
        assertEquals(bytes(0xCA, 0xFE), payload(envelope));
        assertTrue(payload(envelope).isReadOnly());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 1000, 1001, 1002, 60_000})
    void historyLengthBoundsWhatIsWrittenClosely(int size) {
        WireMessage frame = Outgoing.of("file")
                .room("räume")
                .ts(7)
                .rawData(ByteBuffer.allocate(size))
                .frame(3);
        int written = BinaryEnvelope.toHistory(frame).getBytes(StandardCharsets.UTF_8).length;
        int bound = BinaryEnvelope.historyLength(frame);
        assertTrue(written <= bound, () -> written + " bytes are above the bound " + bound);
        assertTrue(bound <= written + 40, () -> written + " bytes are far below the bound " + bound);
    }

    @Test
    void whatATextFrameHoldsIsThereInAHistoryAsItIs() {
        WireMessage frame = Outgoing.of("t").data("x", String.class).frame();
        assertEquals(frame.asText(), BinaryEnvelope.toHistory(frame));
        assertEquals(frame.length(), BinaryEnvelope.historyLength(frame));
        Envelope envelope = BinaryEnvelope.fromHistory(JsonParser.parseString(frame.asText()));
        assertNull(envelope.payload());
        assertEquals("x", envelope.<String>data(String.class));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'t','base64':'y v4='",
                "{'type':'t','base64':'-_-_'",
                "{'type':'t','base64':1234",
                "{'type':'t','base64':null",
                "{'type':'t','base64':['yv4=']",
                "{'type':'t','base64':'','data':1",
                "{'base64':''"
            })
    void whatIsNoBase64InAHistoryIsRefused(String json) {
        JsonElement message = JsonParser.parseString(json.replace('\'', '"') + "}");
        assertThrows(MalformedException.class, () -> BinaryEnvelope.fromHistory(message));
    }
}
