package io.realtime.internal.websocket;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.CloseReason;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What RFC 6455 says of frames, section 5, byte by byte. */
class FrameRulesTest {
    private static final int LIMIT = 70_000;
    private final Heard heard = new Heard();
    private final FrameReader reader = new FrameReader(Role.SERVER, LIMIT, heard);

    /** Frames in hex, each masked with zeros, so that the payload is readable. */
    @ParameterizedTest
    @CsvSource({
        "c1 80 00000000, 1002, reserved bit set",
        "a1 80 00000000, 1002, reserved bit set",
        "91 80 00000000, 1002, reserved bit set",
        "81 00, 1002, frame not masked",
        "09 80 00000000, 1002, control frame fragmented or too long",
        "89 fe 007e 00000000, 1002, control frame fragmented or too long",
        "8a fe 007e 00000000, 1002, control frame fragmented or too long",
        "88 ff 0000000000000000 00000000, 1002, control frame fragmented or too long",
        "80 80 00000000, 1002, continuation of nothing",
        "01 80 00000000 81 80 00000000, 1002, message within a message",
        "01 80 00000000 82 80 00000000, 1002, message within a message",
        "81 80 00000000 80 80 00000000, 1002, continuation of nothing",
        "83 80 00000000, 1002, unknown opcode",
        "87 80 00000000, 1002, unknown opcode",
        "8b 80 00000000, 1002, unknown opcode",
        "8f 80 00000000, 1002, unknown opcode",
        "82 fe 007d 00000000, 1002, length negative or not in its shortest form",
        "82 ff 000000000000ffff 00000000, 1002, length negative or not in its shortest form",
        "82 ff 8000000000010000 00000000, 1002, length negative or not in its shortest form",
        "82 ff 0000000000011171 00000000, 1009, message longer than 70000 bytes",
        "82 ff 7fffffffffffffff 00000000, 1009, message longer than 70000 bytes",
        "81 82 00000000 c328, 1007, text is not UTF-8",
        "81 83 00000000 eda080, 1007, text is not UTF-8",
        "01 81 00000000 e2 80 81 00000000 82, 1007, text is not UTF-8",
        "88 81 00000000 03, 1002, invalid close code",
        "88 82 00000000 03ed, 1002, invalid close code",
        "88 82 00000000 03e7, 1002, invalid close code",
        "88 82 00000000 1388, 1002, invalid close code",
        "88 84 00000000 03e8 c328, 1007, close reason is not UTF-8",
    })
    void violationEndsTheConnectionAndSaysWhy(String bytes, int code, String why) {
        byte[] frames = hex(bytes);
        for (int step : List.of(frames.length, 1)) {
            Heard mine = new Heard();
            FrameReader each = new FrameReader(Role.SERVER, LIMIT, mine);
            FrameException violation = assertThrows(FrameException.class, () -> decode(each, frames, step), bytes);
            assertEquals(new CloseReason(code, why), violation.reason());
            assertEquals(0, each.held());
            mine.all.clear();
            assertNothingIsHeard(each, mine);
        }
    }

    private static void assertNothingIsHeard(FrameReader over, Heard heard) {
        ByteBuffer more = ByteBuffer.wrap(hex("81 81 00000000 41"));
        try {
            over.read(more);
        } catch (FrameException violation) {
            throw new AssertionError(violation.reason().toString());
        }
        assertEquals(0, more.remaining());
        assertEquals(List.of(), heard.all);
    }

    @ParameterizedTest
    @CsvSource({
        "81 80 00000000, text ",
        "81 81 00000000 41, text A",
        "81 83 00000000 efbfbd, text \ufffd",
        "82 81 00000000 41, binary 41",
        "01 81 00000000 41 80 81 00000000 42, text AB",
        "01 80 00000000 00 81 00000000 41 80 80 00000000, text A",
        "02 81 00000000 41 89 81 00000000 70 80 81 00000000 42, activity; binary 4142; pongs 8a0170",
        "89 80 00000000 89 81 00000000 70, activity; activity; pongs 8a008a0170",
        "8a 81 00000000 70, activity",
        "88 80 00000000 81 81 00000000 41, closed 1005 ",
        "88 82 00000000 03e8, closed 1000 ",
        "88 84 00000000 1387 6f6b, closed 4999 ok",
        "89 80 00000000 88 80 00000000, activity; pongs 8a00; closed 1005 ",
    })
    void legalFramesAreDelivered(String bytes, String expected) throws Exception {
        decode(reader, hex(bytes), 1_000);
        assertEquals(expected.trim(), String.join("; ", heard.all).trim());
        assertEquals(0, reader.held());
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "125", "126", "127", "65535", "65536", "70000"})
    void eachLengthIsReadWithAnyMaskAndInAnyPieces(int length) throws Exception {
        Random random = new Random(length);
        for (int step : new int[] {1, 3, 7, 1_000, 1 << 20}) {
            byte[] payload = new byte[length];
            random.nextBytes(payload);
            heard.all.clear();
            decode(reader, HandMadeFrame.masked(true, HandMadeFrame.BINARY, payload, random.nextInt()), step);
            List<String> messages = heard.all.stream()
                    .filter(what -> !what.startsWith("progress"))
                    .toList();
            assertEquals(List.of("binary " + HexFormat.of().formatHex(payload)), messages);
        }
    }

    @Test
    void limitIsOfTheWholeMessage() throws Exception {
        decode(reader, hex("02 fe 8000 00000000" + "00".repeat(0x8000)), 1 << 20);
        decode(reader, hex("00 fe 9170 00000000" + "00".repeat(0x9170)), 1 << 20); // 70,000 in all
        byte[] oneMore = hex("80 81 00000000 00");
        assertEquals(
                new CloseReason(CloseReason.TOO_BIG, "message longer than 70000 bytes"),
                assertThrows(FrameException.class, () -> decode(reader, oneMore, 1 << 20))
                        .reason());
    }

    @Test
    void limitThatChangesHoldsFromTheNextFrameOn() throws Exception {
        decode(reader, hex("82 83 00000000 01"), 100);
        reader.limit(2);
        decode(reader, hex("0203"), 100);
        assertEquals("binary 010203", heard.all.get(heard.all.size() - 1));
        byte[] next = hex("82 83 00000000 010203");
        assertThrows(FrameException.class, () -> decode(reader, next, 100));
    }

    @Test
    void controlFramesCountForNoMessage() throws Exception {
        reader.limit(1);
        decode(reader, hex("89 82 00000000 0102 82 81 00000000 41"), 100);
        assertEquals(List.of("activity", "binary 41", "pongs 8a020102"), heard.all);
    }

    @ParameterizedTest
    @CsvSource({
        "81 00, text ",
        "81 02 c3bc, text ü",
        "01 01 41 89 01 70 80 01 42, activity; text AB; pongs 8a0170",
        "82 7e 007e, ",
        "88 02 03e8, closed 1000 ",
    })
    void clientReadsFramesWithoutAMask(String bytes, String expected) throws Exception {
        FrameReader client = new FrameReader(Role.CLIENT, LIMIT, heard);
        heard.isClient = true;
        decode(client, hex(bytes), 1_000);
        assertEquals(
                expected == null ? "" : expected.trim(),
                String.join("; ", heard.all).trim());
    }

    @Test
    void clientRefusesAFrameWithAMask() {
        FrameReader client = new FrameReader(Role.CLIENT, LIMIT, heard);
        FrameException violation = assertThrows(FrameException.class, () -> decode(client, hex("81 80"), 1));
        assertEquals(new CloseReason(1002, "frame masked"), violation.reason());
    }

    private static byte[] hex(String bytes) {
        return HexFormat.of().parseHex(bytes.replace(" ", ""));
    }

    private static void decode(FrameReader by, byte[] bytes, int step) throws FrameException {
        for (int at = 0; at < bytes.length; at += step) {
            ByteBuffer piece = ByteBuffer.wrap(bytes, at, Math.min(step, bytes.length - at));
            by.read(piece);
            assertEquals(0, piece.remaining());
        }
    }

    /** What the sink is told, a line each. */
    private static final class Heard implements FrameReader.Sink {
        private final List<String> all = new ArrayList<>();
        // Whether its pongs are masked.
        private boolean isClient;

        @Override
        public void text(String text) {
            all.add("text " + text);
        }

        @Override
        public void binary(ByteBuffer payload) {
            byte[] bytes = new byte[payload.remaining()];
            payload.duplicate().get(bytes);
            all.add("binary " + HexFormat.of().formatHex(bytes));
        }

        @Override
        public void activity() {
            all.add("activity");
        }

        @Override
        public void progress(int bytes) {
            all.add("progress " + bytes);
        }

        @Override
        public void answer(ByteBuffer pongs) {
            byte[] bytes = new byte[pongs.remaining()];
            pongs.duplicate().get(bytes);
            if (isClient) {
                int key = ByteBuffer.wrap(bytes).getInt(2);
                byte[] payload = {(byte) (bytes[6] ^ (key >>> 24))};
                assertArrayEquals(HandMadeFrame.masked(true, 0xA, payload, key), bytes);
                bytes = new byte[] {bytes[0], 1, payload[0]};
            }
            all.add("pongs " + HexFormat.of().formatHex(bytes));
        }

        @Override
        public void peerClosed(CloseReason reason) {
            all.add("closed " + reason.code() + " " + reason.text());
        }
    }
}
