package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.realtime.CloseReason;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Whatever bytes a client sends, and however the network cuts them: the same messages, and never too many bytes kept. */
class FrameDecoderFuzzTest {
    private static final int[] LIMITS = {0, 1, 125, 126, 1000, 65_535, 65_536, 70_000};

    /** @param input which limit, how to cut, and then what the client sends */
    @FuzzTest
    void cuttingTheBytesChangesNothing(byte[] input) {
        if (input.length < 2) {
            return;
        }
        int limit = LIMITS[input[0] & 7];
        byte[] bytes = Arrays.copyOfRange(input, 2, input.length);
        Seen whole = decoded(bytes, limit, new Random(0), bytes.length);
        assertSame(whole, decoded(bytes, limit, new Random(0), 1), "byte by byte");
        Random random = new Random(input[1]);
        assertSame(whole, decoded(bytes, limit, random, 100), "in pieces");
    }

    private static void assertSame(Seen whole, Seen parts, String how) {
        assertEquals(whole.calls, parts.calls, how);
        assertArrayEquals(whole.pongs.toByteArray(), parts.pongs.toByteArray(), how);
    }

    /** Decodes in pieces of 1 to {@code most} bytes. */
    private static Seen decoded(byte[] bytes, int limit, Random random, int most) {
        Seen seen = new Seen(limit);
        FrameDecoder decoder = new FrameDecoder(limit, seen);
        for (int from = 0; from < bytes.length; ) {
            int to = Math.min(bytes.length, from + (most == bytes.length ? most : 1 + random.nextInt(most)));
            boolean wasOver = seen.over;
            ByteBuffer piece = ByteBuffer.wrap(Arrays.copyOfRange(bytes, from, to));
            try {
                decoder.decode(piece);
                assertEquals(0, piece.remaining());
            } catch (FrameDecoder.Violation violation) {
                assertTrue(!wasOver, "a second end");
                seen.end("violation " + violation.reason());
            }
            // what is held has arrived, or is the second half of a buffer that doubles
            assertTrue(decoder.held() <= Math.min(limit, 2L * to), "held " + decoder.held());
            assertTrue(!seen.over || decoder.held() == 0, "held behind the end");
            from = to;
        }
        seen.assertNothingChanged();
        return seen;
    }

    /** What the decoder said, in order. */
    private static final class Seen implements FrameDecoder.Sink {
        final List<String> calls = new ArrayList<>();
        private final List<ByteBuffer> given = new ArrayList<>();
        private final List<ByteBuffer> copies = new ArrayList<>();
        private final int limit;
        private final ByteArrayOutputStream pongs = new ByteArrayOutputStream();
        boolean over;

        Seen(int limit) {
            this.limit = limit;
        }

        void end(String call) {
            add(call);
            over = true;
        }

        private void add(String call) {
            assertTrue(!over, () -> call + " behind the end");
            calls.add(call);
        }

        /** What was handed over is the receiver's, and not written to again. */
        void assertNothingChanged() {
            assertEquals(copies, given);
        }

        private String keep(ByteBuffer payload) {
            byte[] copy = new byte[payload.remaining()];
            payload.duplicate().get(copy);
            given.add(payload);
            copies.add(ByteBuffer.wrap(copy));
            return Arrays.toString(copy);
        }

        @Override
        public void text(String text) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            assertTrue(utf8.length <= limit);
            assertEquals(text, new String(utf8, StandardCharsets.UTF_8));
            add("text " + text);
        }

        @Override
        public void binary(ByteBuffer payload) {
            assertTrue(payload.remaining() <= limit);
            add("binary " + keep(payload));
        }

        @Override
        public void progress(int bytes) {
            assertTrue(!over && bytes > 0, "no progress");
        }

        @Override
        public void activity() {
            add("activity");
        }

        /** In as many pieces as the bytes came in. */
        @Override
        public void answer(ByteBuffer frames) {
            assertTrue(!over, "an answer behind the end");
            assertTrue(frames.hasRemaining());
            byte[] copy = new byte[frames.remaining()];
            frames.get(copy);
            pongs.writeBytes(copy);
        }

        @Override
        public void peerClosed(CloseReason reason) {
            assertTrue(
                    reason.code() == CloseReason.NO_STATUS || ControlFrames.isSendable(reason.code()),
                    reason::toString);
            end("closed " + reason);
        }
    }
}
