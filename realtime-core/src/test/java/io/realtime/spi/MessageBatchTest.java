package io.realtime.spi;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MessageBatchTest {
    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    /** Headers by hand from RFC 6455 section 5.2: the shortest form of each length, no mask. */
    @ParameterizedTest
    @CsvSource({
        "0, 8100",
        "1, 8101",
        "125, 817d",
        "126, 817e007e",
        "127, 817e007f",
        "256, 817e0100",
        "65535, 817effff",
        "65536, 817f0000000000010000",
        "100000, 817f00000000000186a0"
    })
    void wireHasTheShortestHeaderOfTheLength(int length, String header) {
        byte[] payload = new byte[length];
        Arrays.fill(payload, (byte) 'a');
        MessageBatch batch = MessageBatch.of(WireMessage.text(payload));
        byte[] wire = bytes(batch.wire());

        int headerLength = header.length() / 2;
        assertEquals(headerLength + length, wire.length);
        assertEquals(wire.length, batch.bytes());
        for (int i = 0; i < headerLength; i++) {
            assertEquals(Integer.parseInt(header.substring(2 * i, 2 * i + 2), 16), wire[i] & 0xff, "byte " + i);
        }
        assertArrayEquals(payload, Arrays.copyOfRange(wire, headerLength, wire.length));
    }

    @Test
    void framesFollowEachOtherInOneBuffer() {
        WireMessage text = WireMessage.text("hé".getBytes(StandardCharsets.UTF_8));
        WireMessage binary = WireMessage.binary(new byte[] {7, 8});
        MessageBatch batch = MessageBatch.of(List.of(text, binary), true);
        byte[] expected = {(byte) 0x81, 3, 'h', (byte) 0xc3, (byte) 0xa9, (byte) 0x82, 2, 7, 8};
        assertArrayEquals(expected, bytes(batch.wire()));
        assertEquals(expected.length, batch.bytes());
        assertTrue(batch.isEphemeral());
        assertFalse(MessageBatch.of(text).isEphemeral());
    }

    @Test
    void allReceiversHaveOneBufferThatNobodyCanWriteTo() {
        MessageBatch batch = MessageBatch.of(WireMessage.text(new byte[] {'x'}));
        byte[] once = bytes(batch.wire());
        assertSame(batch.wire(), batch.wire());
        assertArrayEquals(once, bytes(batch.wire()));
        assertThrows(ReadOnlyBufferException.class, () -> batch.wire().put(0, (byte) 0));
        assertThrows(
                ReadOnlyBufferException.class,
                () -> batch.frames().get(0).payload().put(0, (byte) 0));
    }

    @Test
    void emptyBatchHasNoBytes() {
        MessageBatch batch = MessageBatch.of(List.of(), false);
        assertEquals(0, batch.bytes());
        assertEquals(0, batch.wire().remaining());
    }

    @Test
    void batchDoesNotChangeWithTheListItWasMadeOf() {
        var frames = new ArrayList<WireMessage>();
        frames.add(WireMessage.text(new byte[] {'x'}));
        MessageBatch batch = MessageBatch.of(frames, false);
        frames.add(WireMessage.text(new byte[] {'y'}));
        assertEquals(1, batch.frames().size());
        assertEquals(3, batch.wire().remaining());
    }

    @Test
    void frameShowsItsLengthOnly() {
        WireMessage hello = WireMessage.text("{\"token\":\"secret\"}".getBytes(StandardCharsets.UTF_8));
        assertEquals("text frame of 18 bytes", hello.toString());
        assertEquals("[text frame of 18 bytes]", MessageBatch.of(hello).toString());
        assertEquals("binary frame of 2 bytes", WireMessage.binary(new byte[2]).toString());
        assertEquals(3, WireMessage.text("hé".getBytes(StandardCharsets.UTF_8)).length());
        assertFalse(WireMessage.binary(new byte[0]).isText());
    }
}
