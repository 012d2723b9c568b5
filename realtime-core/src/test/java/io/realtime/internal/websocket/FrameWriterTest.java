package io.realtime.internal.websocket;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import io.realtime.CloseReason;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FrameWriterTest {
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 125, 126, 127, 65_535, 65_536, 70_001})
    void frameOfEachLengthIsAsTheStandardSays(int length) {
        byte[] payload = new byte[length];
        new Random(length).nextBytes(payload);
        ByteBuffer shared = ByteBuffer.wrap(payload).asReadOnlyBuffer();
        assertArrayEquals(
                HandMadeFrame.unmasked(true, HandMadeFrame.BINARY, payload),
                FrameWriter.frame(Role.SERVER, Opcode.BINARY, shared).array());
        byte[] masked = FrameWriter.frame(Role.CLIENT, Opcode.TEXT, shared).array();
        int key = ByteBuffer.wrap(masked).getInt(masked.length - length - 4);
        assertArrayEquals(HandMadeFrame.masked(true, HandMadeFrame.TEXT, payload, key), masked);
        assertEquals(masked.length, FrameWriter.length(Role.CLIENT, length));
        assertEquals(length, shared.remaining());
    }

    @Test
    void clientMasksEachFrameWithAnotherKey() {
        byte[] zeros = new byte[64];
        assertNotEquals(
                FrameWriter.frame(Role.CLIENT, Opcode.BINARY, zeros),
                FrameWriter.frame(Role.CLIENT, Opcode.BINARY, zeros));
    }

    @Test
    void maskedHeaderIsFollowedByItsKey() {
        ByteBuffer out = ByteBuffer.allocate(8);
        FrameWriter.maskedHeader(out, Opcode.TEXT, 300, 0x01020304);
        assertEquals("81fe012c01020304", HexFormat.of().formatHex(out.array()));
    }

    @Test
    void closeFrameHasNoCodeThatMustNotBeSent() {
        assertEquals("8900", hex(FrameWriter.ping(Role.SERVER)));
        assertEquals("880503e8c3bc21", hex(FrameWriter.close(Role.SERVER, new CloseReason(1000, "ü!"))));
        assertEquals("88021387", hex(FrameWriter.close(Role.SERVER, new CloseReason(4999, ""))));
        for (int code : new int[] {0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70_000}) {
            assertEquals("8800", hex(FrameWriter.close(Role.SERVER, new CloseReason(code, "why"))), "code " + code);
        }
    }

    private static String hex(ByteBuffer frame) {
        byte[] bytes = new byte[frame.remaining()];
        frame.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }
}
