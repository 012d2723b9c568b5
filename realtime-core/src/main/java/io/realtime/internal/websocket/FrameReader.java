package io.realtime.internal.websocket;

import io.realtime.CloseReason;
import java.io.ByteArrayOutputStream;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A reader that turns a peer's bytes into messages (RFC 6455 section 5). For an unfinished message it holds at most
 * twice what has arrived, and never more than the limit.
 *
 * <p>It replaces the library's. Draft_6455 of Java-WebSocket 1.6.0 allocates what a header claims before it arrives,
 * counts fragments only at the last one, and accepts frames that are masked on the wrong side. It drops the valid frames
 * of a read if an invalid one follows, and logs every violation with its stack trace.
 *
 * <p>For one thread: the connection's I/O thread.
 */
public final class FrameReader {
    private static final byte[] NONE = new byte[0];

    /** The receiver of what was read. */
    public interface Sink {
        /** Receives a whole text message. */
        void text(String text);

        /** Receives a whole binary message. The buffer belongs to the receiver. */
        void binary(ByteBuffer payload);

        /** Called for each ping and each pong, including unsolicited pongs. */
        void activity();

        /**
         * Called when this many more bytes of an unfinished message have arrived; at most once for each {@link #read}.
         */
        void progress(int bytes);

        /**
         * Receives the frames to send to the peer: the pongs for all pings of one {@link #read}. With one write for
         * each pong, a flood of pings would keep the thread from other connections.
         */
        void answer(ByteBuffer pongs);

        /**
         * Receives the reason of the peer's close frame, which is its last frame; {@link CloseReason#NO_STATUS} if it
         * contains no code.
         */
        void peerClosed(CloseReason reason);
    }

    // Read by the I/O thread; set by any thread.
    private volatile int limit;
    private final Role self;
    private final Sink sink;
    private final FrameHeader header;

    private boolean inPayload;
    private int frameLength;
    private int frameRead;

    // CONTINUATION while no message is unfinished.
    private int messageOpcode = Opcode.CONTINUATION;
    private byte[] message = NONE;
    private int messageLength;
    // How many bytes of the message were reported to the sink.
    private int told;
    // The array of the last text of this read(). A peer that sends one text often sends more.
    private byte[] spare = NONE;
    private byte[] control = NONE;
    // Null while no pong is pending.
    private @Nullable ByteArrayOutputStream pongs;
    private boolean over;

    /**
     * Creates a reader for a new connection.
     *
     * @param self the side that reads
     * @param limit the longest message in bytes, in one frame or in fragments
     */
    public FrameReader(Role self, int limit, Sink sink) {
        this.self = self;
        this.limit = limit;
        this.sink = sink;
        this.header = new FrameHeader(self);
    }

    /** Sets the longest message in bytes. It applies from the next frame on. Any thread may call this. */
    public void limit(int bytes) {
        limit = bytes;
    }

    /** Reads all of the input. Ignores what follows a close frame or a violation. */
    public void read(ByteBuffer in) throws FrameException {
        try {
            while (!over) {
                if (!inPayload && !readHeader(in)) {
                    return;
                }
                readPayload(in);
                if (frameRead < frameLength) {
                    return;
                }
                inPayload = false;
                endFrame();
            }
            ((Buffer) in).position(in.limit());
        } catch (FrameException violation) {
            end();
            throw violation;
        } finally {
            spare = NONE;
            answer();
            tellProgress();
        }
    }

    private void tellProgress() {
        int news = messageLength - told;
        if (news > 0 && !over) {
            told = messageLength;
            sink.progress(news);
        }
    }

    private void answer() {
        ByteArrayOutputStream owed = pongs;
        if (owed != null) {
            pongs = null;
            sink.answer(ByteBuffer.wrap(owed.toByteArray()));
        }
    }

    /** Returns how many bytes of memory an unfinished message holds. */
    int held() {
        return message.length;
    }

    private void end() {
        over = true;
        message = NONE;
        control = NONE;
    }

    private boolean readHeader(ByteBuffer in) throws FrameException {
        if (!header.read(in)) {
            return false;
        }
        int opcode = header.opcode();
        long declared = header.length();
        if (Opcode.isControl(opcode)) {
            control = new byte[(int) declared];
        } else {
            beginFrame(opcode);
            if (declared > limit - messageLength) {
                throw new FrameException(CloseReason.TOO_BIG, "message longer than " + limit + " bytes");
            }
        }
        frameLength = (int) declared;
        frameRead = 0;
        inPayload = true;
        return true;
    }

    private void beginFrame(int opcode) throws FrameException {
        if (opcode == Opcode.CONTINUATION) {
            if (messageOpcode == Opcode.CONTINUATION) {
                throw FrameException.protocolError("continuation of nothing");
            }
        } else {
            if (messageOpcode != Opcode.CONTINUATION) {
                throw FrameException.protocolError("message within a message");
            }
            messageOpcode = opcode;
        }
    }

    private void readPayload(ByteBuffer in) {
        int count = Math.min(frameLength - frameRead, in.remaining());
        if (count == 0) {
            return;
        }
        boolean fin = header.isFinal();
        if (Opcode.isControl(header.opcode())) {
            take(in, control, frameRead, count);
        } else {
            int needed = messageLength + count;
            boolean isWhole = fin && count == frameLength && messageLength == 0;
            if (isWhole && messageOpcode == Opcode.TEXT && count <= spare.length) {
                message = spare;
            } else if (needed > message.length) {
                // Doubles, but not beyond what the message can still need.
                int most = fin ? messageLength + frameLength - frameRead : limit;
                message = Arrays.copyOf(message, (int) Math.max(needed, Math.min(most, 2L * message.length)));
            }
            take(in, message, messageLength, count);
            messageLength += count;
        }
        frameRead += count;
    }

    private void take(ByteBuffer in, byte[] out, int at, int count) {
        in.get(out, at, count);
        int key = header.mask();
        if (key != 0) {
            Masking.apply(out, at, count, key, frameRead);
        }
    }

    private void endFrame() throws FrameException {
        switch (header.opcode()) {
            case Opcode.PING -> {
                pongs = pongs == null ? new ByteArrayOutputStream() : pongs;
                byte[] pong = FrameWriter.frame(self, Opcode.PONG, control).array();
                pongs.write(pong, 0, pong.length);
                sink.activity();
            }
            case Opcode.PONG -> sink.activity();
            case Opcode.CLOSE -> {
                CloseReason reason = CloseCodes.decode(control);
                end();
                answer();
                sink.peerClosed(reason);
            }
            default -> {
                if (header.isFinal()) {
                    endMessage();
                }
            }
        }
        control = NONE;
    }

    private void endMessage() throws FrameException {
        byte[] bytes = message;
        int length = messageLength;
        boolean text = messageOpcode == Opcode.TEXT;
        message = NONE;
        messageLength = 0;
        told = 0;
        messageOpcode = Opcode.CONTINUATION;
        if (!text) {
            sink.binary(ByteBuffer.wrap(bytes, 0, length).slice());
            return;
        }
        String decoded = utf8(bytes, 0, length);
        if (decoded == null) {
            throw new FrameException(CloseCodes.INVALID_UTF8, "text is not UTF-8");
        }
        spare = bytes;
        sink.text(decoded);
    }

    /**
     * Decodes UTF-8; returns null if it is malformed. Uses the JDK's fast decoder unless its result contains a
     * replacement character.
     */
    static @Nullable String utf8(byte[] bytes, int from, int length) {
        String text = new String(bytes, from, length, StandardCharsets.UTF_8);
        if (text.indexOf('\uFFFD') < 0) {
            return text;
        }
        try {
            // A new decoder reports malformed input.
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, from, length))
                    .toString();
        } catch (CharacterCodingException malformed) {
            return null;
        }
    }
}
