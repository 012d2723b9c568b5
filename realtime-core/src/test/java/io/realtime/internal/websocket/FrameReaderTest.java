package io.realtime.internal.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
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
class FrameReaderTest {
    private static final int LIMIT = 64 * 1024 - 1;
    private static final byte[] ONE = {1};

    private final Lengths lengths = new Lengths();
    private final FrameReader reader = new FrameReader(Role.SERVER, LIMIT, lengths);

    @Test
    void fragmentsOfAByteAreNotCopiedWithEachThatComes() throws Exception {
        Set<Integer> sizes = new HashSet<>();
        for (int i = 1; i < LIMIT; i++) {
            decode(HandMadeFrame.masked(false, i == 1 ? HandMadeFrame.BINARY : HandMadeFrame.CONTINUATION, ONE));
            assertTrue(reader.held() <= Math.min(LIMIT, 2 * i), i + " bytes came, held are " + reader.held());
            sizes.add(reader.held());
        }
        decode(HandMadeFrame.masked(true, HandMadeFrame.CONTINUATION, ONE));
        assertEquals(LIMIT, lengths.last);
        assertEquals(0, reader.held());
        assertTrue(sizes.size() <= 17, "doubled, not grown by each: " + sizes.size());
    }

    @Test
    void noMoreIsHeldThanTwiceWhatCameWhateverHeaderClaims() throws Exception {
        byte[] frame = HandMadeFrame.masked(true, HandMadeFrame.BINARY, new byte[LIMIT]);
        int header = frame.length - LIMIT;
        for (int i = 0; i < frame.length; i++) {
            assertTrue(reader.held() <= 2 * Math.max(0, i - header), i + " bytes came, held are " + reader.held());
            decode(new byte[] {frame[i]});
        }
        assertEquals(LIMIT, lengths.last);
    }

    @Test
    void violationForgetsTheMessage() throws Exception {
        decode(HandMadeFrame.masked(false, HandMadeFrame.BINARY, new byte[LIMIT]));
        assertEquals(LIMIT, reader.held());
        byte[] oneMore = HandMadeFrame.masked(true, HandMadeFrame.CONTINUATION, ONE);
        assertThrows(FrameException.class, () -> decode(oneMore));
        assertEquals(0, reader.held());
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
                int opcode = isText ? HandMadeFrame.TEXT : HandMadeFrame.BINARY;
                int cut = random.nextInt(4) == 0 ? random.nextInt(payload.length + 1) : payload.length;
                if (cut < payload.length) {
                    bytes.writeBytes(HandMadeFrame.masked(false, opcode, Arrays.copyOf(payload, cut)));
                    opcode = HandMadeFrame.CONTINUATION;
                }
                byte[] rest = cut < payload.length ? Arrays.copyOfRange(payload, cut, payload.length) : payload;
                bytes.writeBytes(HandMadeFrame.masked(true, opcode, rest));
            }
            List<Supplier<String>> heard = new ArrayList<>();
            FrameReader each = new FrameReader(Role.SERVER, LIMIT, new Lengths() {
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
                each.read(all.duplicate().limit(all.position() + count));
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
        FrameReader own = new FrameReader(Role.SERVER, 1_000, lengths);
        byte[] frame = new byte[6 + 100];
        frame[0] = (byte) 0x82;
        frame[1] = (byte) (0x80 | 100);
        own.read(ByteBuffer.wrap(frame, 0, 106));
        assertEquals(List.of(), lengths.progress, "it came whole");
        own.read(ByteBuffer.wrap(frame, 0, 3));
        assertEquals(List.of(), lengths.progress, "a header is nothing yet");
        own.read(ByteBuffer.wrap(frame, 3, 43));
        own.read(ByteBuffer.wrap(frame, 46, 0));
        own.read(ByteBuffer.wrap(frame, 46, 20));
        own.read(ByteBuffer.wrap(frame, 66, 40));
        assertEquals(List.of(40, 20), lengths.progress);
        own.read(ByteBuffer.wrap(frame, 0, 16));
        assertEquals(List.of(40, 20, 10), lengths.progress, "the next begins anew");
    }

    private void decode(byte[] bytes) throws FrameException {
        reader.read(ByteBuffer.wrap(bytes));
    }

    private static class Lengths implements FrameReader.Sink {
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
