package io.realtime.server.websocket;

import io.realtime.CloseReason;
import java.io.ByteArrayOutputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A decoder that turns a client's bytes into messages (RFC 6455 section 5). For an unfinished message it holds at most
 * twice what has arrived, and never more than the limit.
 *
 * <p>It replaces the library's. Draft_6455 of Java-WebSocket 1.6.0 allocates what a header claims before it arrives,
 * counts fragments only at the last one, and accepts unmasked frames. It drops the valid frames of a read if an invalid
 * one follows, and logs every violation with its stack trace.
 *
 * <p>For one thread: the connection's I/O thread.
 */
public final class FrameDecoder {
    private static final int INVALID_UTF8 = 1007;
    private static final int CONTINUATION = 0x0;
    private static final int TEXT = 0x1;
    private static final int BINARY = 0x2;
    private static final int CLOSE = 0x8;
    private static final int PING = 0x9;
    private static final int PONG = 0xA;
    private static final int MAX_CONTROL = 125;
    private static final byte[] NONE = new byte[0];
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    /** The receiver of what was decoded. */
    public interface Sink {
        /** Receives a whole text message. */
        void text(String text);

        /** Receives a whole binary message. The buffer belongs to the receiver. */
        void binary(ByteBuffer payload);

        /** Called for each ping and each pong, including unsolicited pongs. */
        void activity();

        /**
         * Called when this many more bytes of an unfinished message have arrived; at most once for each {@link
         * #decode}.
         */
        void progress(int bytes);

        /**
         * Receives the frames to send to the peer: the pongs for all pings of one {@link #decode}. With one write for
         * each pong, a flood of pings would keep the thread from other connections.
         */
        void answer(ByteBuffer pongs);

        /**
         * Receives the reason of the peer's close frame, which is its last frame; {@link CloseReason#NO_STATUS} if it
         * contains no code.
         */
        void peerClosed(CloseReason reason);
    }

    /** The peer violated the protocol or a limit. Nothing after the violation can be decoded. */
    public static final class Violation extends Exception {
        private static final long serialVersionUID = 1L;

        private final transient CloseReason reason;

        Violation(int code, String text) {
            // Hostile input is normal input, so there is no stack trace.
            super(text, null, false, false);
            this.reason = new CloseReason(code, text);
        }

        /** Returns the reason to close the connection with. */
        public CloseReason reason() {
            return reason;
        }
    }

    // Read by the I/O thread; set by any thread.
    private volatile int limit;
    private final Sink sink;
    private final byte[] header = new byte[14];
    private int headerRead;

    private boolean inPayload;
    private boolean fin;
    private int opcode;
    private int mask;
    private int frameLength;
    private int frameRead;

    // CONTINUATION while no message is unfinished.
    private int messageOpcode;
    private byte[] message = NONE;
    private int messageLength;
    // How many bytes of the message were reported to the sink.
    private int told;
    // The array of the last text of this decode(). A client that sends one text often sends more.
    private byte[] spare = NONE;
    private byte[] control = NONE;
    // Null while no pong is pending.
    private @Nullable ByteArrayOutputStream pongs;
    private boolean over;

    /**
     * Creates a decoder for a new connection.
     *
     * @param limit the longest message in bytes, in one frame or in fragments
     */
    public FrameDecoder(int limit, Sink sink) {
        this.limit = limit;
        this.sink = sink;
    }

    /** Sets the longest message in bytes. It applies from the next frame on. Any thread may call this. */
    public void limit(int bytes) {
        limit = bytes;
    }

    /** Decodes all of the input. Ignores what follows a close frame or a violation. */
    public void decode(ByteBuffer in) throws Violation {
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
            in.position(in.limit());
        } catch (Violation violation) {
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

    private boolean readHeader(ByteBuffer in) throws Violation {
        int needed = headerLength();
        while (headerRead < needed) {
            if (!in.hasRemaining()) {
                return false;
            }
            header[headerRead++] = in.get();
            if (headerRead == 2) {
                checkFirstBytes();
                needed = headerLength();
            }
        }
        headerRead = 0;
        int maskAt = needed - Integer.BYTES;
        long declared = needed == 6 ? header[1] & 0x7F : number(2, maskAt);
        if (needed > 6 && declared < (needed == 8 ? 126 : 1 << 16)) {
            throw protocolError("length negative or not in its shortest form");
        }
        if (isControl()) {
            control = new byte[(int) declared];
        } else if (declared > limit - messageLength) {
            throw new Violation(CloseReason.TOO_BIG, "message longer than " + limit + " bytes");
        }
        mask = (int) number(maskAt, needed);
        frameLength = (int) declared;
        frameRead = 0;
        inPayload = true;
        return true;
    }

    private int headerLength() {
        if (headerRead < 2) {
            return 2;
        }
        int length = header[1] & 0x7F;
        return length < 126 ? 6 : length == 126 ? 8 : 14;
    }

    private long number(int from, int to) {
        long number = 0;
        for (int i = from; i < to; i++) {
            number = (number << 8) | (header[i] & 0xFF);
        }
        return number;
    }

    private void checkFirstBytes() throws Violation {
        int first = header[0] & 0xFF;
        int second = header[1] & 0xFF;
        fin = (first & 0x80) != 0;
        opcode = first & 0x0F;
        if ((first & 0x70) != 0) {
            throw protocolError("reserved bit set");
        }
        if ((second & 0x80) == 0) {
            throw protocolError("frame not masked");
        }
        switch (opcode) {
            case CLOSE, PING, PONG -> {
                if (!fin || (second & 0x7F) > MAX_CONTROL) {
                    throw protocolError("control frame fragmented or too long");
                }
            }
            case CONTINUATION -> {
                if (messageOpcode == CONTINUATION) {
                    throw protocolError("continuation of nothing");
                }
            }
            case TEXT, BINARY -> {
                if (messageOpcode != CONTINUATION) {
                    throw protocolError("message within a message");
                }
                messageOpcode = opcode;
            }
            default -> throw protocolError("unknown opcode");
        }
    }

    private boolean isControl() {
        return opcode >= CLOSE;
    }

    private void readPayload(ByteBuffer in) {
        int count = Math.min(frameLength - frameRead, in.remaining());
        if (count == 0) {
            return;
        }
        if (isControl()) {
            unmask(in, control, frameRead, count);
        } else {
            int needed = messageLength + count;
            boolean isWhole = fin && count == frameLength && messageLength == 0;
            if (isWhole && messageOpcode == TEXT && count <= spare.length) {
                message = spare;
            } else if (needed > message.length) {
                // Doubles, but not beyond what the message can still need.
                int most = fin ? messageLength + frameLength - frameRead : limit;
                message = Arrays.copyOf(message, (int) Math.max(needed, Math.min(most, 2L * message.length)));
            }
            unmask(in, message, messageLength, count);
            messageLength += count;
        }
        frameRead += count;
    }

    private void unmask(ByteBuffer in, byte[] out, int at, int count) {
        in.get(out, at, count);
        int key = Integer.rotateLeft(mask, 8 * (frameRead & 3));
        long wide = ((long) key << 32) | (key & 0xFFFF_FFFFL);
        int next = at;
        for (int end = at + count; end - next >= Long.BYTES; next += Long.BYTES) {
            LONGS.set(out, next, (long) LONGS.get(out, next) ^ wide);
        }
        for (int shift = 24; next < at + count; next++, shift = (shift - 8) & 31) {
            out[next] ^= (byte) (key >>> shift);
        }
    }

    private void endFrame() throws Violation {
        switch (opcode) {
            case PING -> {
                pongs = pongs == null ? new ByteArrayOutputStream() : pongs;
                pongs.writeBytes(ControlFrames.pong(control).array());
                sink.activity();
            }
            case PONG -> sink.activity();
            case CLOSE -> {
                CloseReason reason = closeReason(control);
                end();
                answer();
                sink.peerClosed(reason);
            }
            default -> {
                if (fin) {
                    endMessage();
                }
            }
        }
        control = NONE;
    }

    private void endMessage() throws Violation {
        byte[] bytes = message;
        int length = messageLength;
        boolean text = messageOpcode == TEXT;
        message = NONE;
        messageLength = 0;
        told = 0;
        messageOpcode = CONTINUATION;
        if (!text) {
            sink.binary(ByteBuffer.wrap(bytes, 0, length).slice());
            return;
        }
        String decoded = utf8(bytes, 0, length);
        if (decoded == null) {
            throw new Violation(INVALID_UTF8, "text is not UTF-8");
        }
        spare = bytes;
        sink.text(decoded);
    }

    private static CloseReason closeReason(byte[] payload) throws Violation {
        if (payload.length == 0) {
            return new CloseReason(CloseReason.NO_STATUS, "");
        }
        int code = payload.length == 1 ? -1 : ((payload[0] & 0xFF) << 8) | (payload[1] & 0xFF);
        if (!ControlFrames.isSendable(code)) {
            throw protocolError("invalid close code");
        }
        String text = utf8(payload, 2, payload.length - 2);
        if (text == null) {
            throw new Violation(INVALID_UTF8, "close reason is not UTF-8");
        }
        return new CloseReason(code, text);
    }

    /**
     * Decodes UTF-8; returns null if it is malformed. Uses the JDK's fast decoder unless its result contains a
     * replacement character.
     */
    private static @Nullable String utf8(byte[] bytes, int from, int length) {
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

    private static Violation protocolError(String text) {
        return new Violation(CloseReason.WEBSOCKET_PROTOCOL_ERROR, text);
    }
}
