package io.realtime.internal.websocket;

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

/** Whatever bytes a peer sends, and however the network cuts them: the same messages, and never too many bytes kept. */
class FrameReaderFuzzTest {
    private static final int[] LIMITS = {0, 1, 125, 126, 1000, 65_535, 65_536, 70_000};

    /** @param input which limit, how to cut, and then what the peer sends */
    @FuzzTest
    void cuttingTheBytesChangesNothing(byte[] input) {
        if (input.length < 2) {
            return;
        }
        int limit = LIMITS[input[0] & 7];
        byte[] bytes = Arrays.copyOfRange(input, 2, input.length);
        for (Role self : Role.values()) {
            Seen whole = decoded(self, bytes, limit, new Random(0), bytes.length);
            assertSame(whole, decoded(self, bytes, limit, new Random(0), 1), self + ", byte by byte");
            Random random = new Random(input[1]);
            assertSame(whole, decoded(self, bytes, limit, random, 100), self + ", in pieces");
        }
    }

    private static void assertSame(Seen whole, Seen parts, String how) {
        assertEquals(whole.calls, parts.calls, how);
        assertArrayEquals(whole.pongs(), parts.pongs(), how);
    }

    /** Decodes in pieces of 1 to {@code most} bytes. */
    private static Seen decoded(Role self, byte[] bytes, int limit, Random random, int most) {
        Seen seen = new Seen(self, limit);
        FrameReader reader = new FrameReader(self, limit, seen);
        for (int from = 0; from < bytes.length; ) {
            int to = Math.min(bytes.length, from + (most == bytes.length ? most : 1 + random.nextInt(most)));
            boolean wasOver = seen.over;
            ByteBuffer piece = ByteBuffer.wrap(Arrays.copyOfRange(bytes, from, to));
            try {
                reader.read(piece);
                assertEquals(0, piece.remaining());
            } catch (FrameException violation) {
                assertTrue(!wasOver, "a second end");
                seen.end("violation " + violation.reason());
            }
            // what is held has arrived, or is the second half of a buffer that doubles
            assertTrue(reader.held() <= Math.min(limit, 2L * to), "held " + reader.held());
            assertTrue(!seen.over || reader.held() == 0, "held behind the end");
            from = to;
        }
        seen.assertNothingChanged();
        return seen;
    }

    /** What the reader said, in order. */
    private static final class Seen implements FrameReader.Sink {
        final List<String> calls = new ArrayList<>();
        private final List<ByteBuffer> given = new ArrayList<>();
        private final List<ByteBuffer> copies = new ArrayList<>();
        private final Role self;
        private final int limit;
        private final ByteArrayOutputStream pongs = new ByteArrayOutputStream();
        boolean over;

        Seen(Role self, int limit) {
            this.self = self;
            this.limit = limit;
        }

        /** The pongs without their masks, whose keys are random. */
        byte[] pongs() {
            byte[] bytes = pongs.toByteArray();
            for (int at = 0; self == Role.CLIENT && at < bytes.length; ) {
                int length = bytes[at + 1] & 0x7F;
                for (int i = 0; i < length; i++) {
                    bytes[at + 6 + i] ^= bytes[at + 2 + i % 4];
                }
                Arrays.fill(bytes, at + 2, at + 6, (byte) 0);
                at += 6 + length;
            }
            return bytes;
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
                    reason.code() == CloseReason.NO_STATUS || CloseCodes.isSendable(reason.code()), reason::toString);
            end("closed " + reason);
        }
    }
}
