package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.testing.RawWebSocket;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a message costs while it comes; what a peer sees is in the transport's contract. */
class FrameDecoderTest {
    private static final int LIMIT = 64 * 1024 - 1;
    private static final byte[] ONE = {1};

    private final Lengths lengths = new Lengths();
    private final FrameDecoder decoder = new FrameDecoder(LIMIT, lengths);

    @Test
    void fragmentsOfAByteAreNotCopiedWithEachThatComes() throws Exception {
        Set<Integer> sizes = new HashSet<>();
        for (int i = 1; i < LIMIT; i++) {
            decode(RawWebSocket.encode(false, i == 1 ? RawWebSocket.BINARY : RawWebSocket.CONTINUATION, ONE));
            assertTrue(decoder.held() <= Math.min(LIMIT, 2 * i), i + " bytes came, held are " + decoder.held());
            sizes.add(decoder.held());
        }
        decode(RawWebSocket.encode(true, RawWebSocket.CONTINUATION, ONE));
        assertEquals(LIMIT, lengths.last);
        assertEquals(0, decoder.held());
        assertTrue(sizes.size() <= 17, "doubled, not grown by each: " + sizes.size());
    }

    @Test
    void noMoreIsHeldThanTwiceWhatCameWhateverTheHeaderClaims() throws Exception {
        byte[] frame = RawWebSocket.encode(true, RawWebSocket.BINARY, new byte[LIMIT]);
        int header = frame.length - LIMIT;
        for (int i = 0; i < frame.length; i++) {
            assertTrue(decoder.held() <= 2 * Math.max(0, i - header), i + " bytes came, held are " + decoder.held());
            decode(new byte[] {frame[i]});
        }
        assertEquals(LIMIT, lengths.last);
    }

    @Test
    void aViolationForgetsTheMessage() throws Exception {
        decode(RawWebSocket.encode(false, RawWebSocket.BINARY, new byte[LIMIT]));
        assertEquals(LIMIT, decoder.held());
        byte[] oneMore = RawWebSocket.encode(true, RawWebSocket.CONTINUATION, ONE);
        assertThrows(FrameDecoder.Violation.class, () -> decode(oneMore));
        assertEquals(0, decoder.held());
    }

    private void decode(byte[] bytes) throws FrameDecoder.Violation {
        decoder.decode(ByteBuffer.wrap(bytes));
    }

    private static final class Lengths implements FrameDecoder.Sink {
        private int last;

        @Override
        public void text(String text) {
            throw new AssertionError(text);
        }

        @Override
        public void binary(ByteBuffer payload) {
            last = payload.remaining();
        }

        @Override
        public void activity() {
            throw new AssertionError("no ping was sent");
        }

        @Override
        public void answer(ByteBuffer pongs) {
            throw new AssertionError("no ping was sent");
        }

        @Override
        public void peerClosed(CloseReason reason) {
            throw new AssertionError(reason);
        }
    }
}
