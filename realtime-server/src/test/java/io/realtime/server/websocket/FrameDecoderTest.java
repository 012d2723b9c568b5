package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.testing.RawWebSocket;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
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

    /** Texts that come together share a buffer: none may show what another left there, or be changed by the next. */
    @Test
    void whateverComesTogetherIsHeardAsItWasSent() throws Exception {
        for (long seed = 0; seed < 500; seed++) {
            Random random = new Random(seed);
            List<String> sent = new ArrayList<>();
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            for (int messages = 30; messages > 0; messages--) {
                String text = "\u00e9".repeat(random.nextInt(3)) + sent.size() + "x".repeat(random.nextInt(300));
                boolean isText = random.nextInt(4) > 0;
                sent.add(text);
                byte[] payload = text.getBytes(StandardCharsets.UTF_8);
                int opcode = isText ? RawWebSocket.TEXT : RawWebSocket.BINARY;
                int cut = random.nextInt(4) == 0 ? random.nextInt(payload.length + 1) : payload.length;
                if (cut < payload.length) {
                    bytes.writeBytes(RawWebSocket.encode(false, opcode, Arrays.copyOf(payload, cut)));
                    opcode = RawWebSocket.CONTINUATION;
                }
                byte[] rest = cut < payload.length ? Arrays.copyOfRange(payload, cut, payload.length) : payload;
                bytes.writeBytes(RawWebSocket.encode(true, opcode, rest));
            }
            List<Supplier<String>> heard = new ArrayList<>();
            FrameDecoder each = new FrameDecoder(LIMIT, new Lengths() {
                @Override
                public void text(String text) {
                    heard.add(() -> text);
                }

                @Override
                public void binary(ByteBuffer payload) {
                    heard.add(() ->
                            StandardCharsets.UTF_8.decode(payload.duplicate()).toString());
                }
            });
            ByteBuffer all = ByteBuffer.wrap(bytes.toByteArray());
            while (all.hasRemaining()) {
                int count = Math.min(all.remaining(), 1 + random.nextInt(2000));
                each.decode(all.duplicate().limit(all.position() + count));
                all.position(all.position() + count);
                assertTrue(each.held() <= 2 * 310, "seed " + seed);
            }
            assertEquals(sent, heard.stream().map(Supplier::get).toList(), "seed " + seed);
            assertEquals(0, each.held(), "seed " + seed);
        }
    }

    @Test
    void progressIsToldOfUnfinishedMessagesOnlyAndOnce() throws Exception {
        Lengths lengths = new Lengths();
        FrameDecoder own = new FrameDecoder(1_000, lengths);
        byte[] frame = new byte[6 + 100];
        frame[0] = (byte) 0x82;
        frame[1] = (byte) (0x80 | 100);
        own.decode(ByteBuffer.wrap(frame, 0, 106));
        assertEquals(List.of(), lengths.progress, "it came whole");
        own.decode(ByteBuffer.wrap(frame, 0, 3));
        assertEquals(List.of(), lengths.progress, "a header is nothing yet");
        own.decode(ByteBuffer.wrap(frame, 3, 43));
        own.decode(ByteBuffer.wrap(frame, 46, 0));
        own.decode(ByteBuffer.wrap(frame, 46, 20));
        own.decode(ByteBuffer.wrap(frame, 66, 40));
        assertEquals(List.of(40, 20), lengths.progress);
        own.decode(ByteBuffer.wrap(frame, 0, 16));
        assertEquals(List.of(40, 20, 10), lengths.progress, "the next begins anew");
    }

    private void decode(byte[] bytes) throws FrameDecoder.Violation {
        decoder.decode(ByteBuffer.wrap(bytes));
    }

    private static class Lengths implements FrameDecoder.Sink {
        private int last;
        private final List<Integer> progress = new ArrayList<>();

        @Override
        public void progress(int bytes) {
            progress.add(bytes);
        }

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
