package io.realtime.client.javawebsocket;

import io.realtime.internal.Texts;
import io.realtime.spi.UpgradeException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.java_websocket.WebSocketImpl;
import org.java_websocket.drafts.Draft;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.enums.HandshakeState;
import org.java_websocket.enums.Opcode;
import org.java_websocket.exceptions.IncompleteHandshakeException;
import org.java_websocket.exceptions.InvalidDataException;
import org.java_websocket.exceptions.InvalidHandshakeException;
import org.java_websocket.exceptions.LimitExceededException;
import org.java_websocket.framing.Framedata;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.handshake.Handshakedata;
import org.java_websocket.handshake.ServerHandshake;
import org.java_websocket.protocols.Protocol;
import org.jspecify.annotations.Nullable;

/**
 * RFC 6455 for one connection, with bounds that Java-WebSocket 1.6.0 lacks. It limits frames only when told to
 * (otherwise to 2 GiB), does not count fragments between the first and the last, and keeps an upgrade's answer of any
 * length. No extensions, since it inflates without a bound.
 */
final class ClientDraft extends Draft_6455 {
    private static final int HANDSHAKE_BYTES = 16 << 10;

    private static final int MOST_QUOTED = 100;

    /** A line feed alone also ends a line (RFC 9112 section 2.2). */
    private static final Pattern LINE_END = Pattern.compile("\r?\n");

    private static final Pattern END = Pattern.compile("\r?\n\r?\n");
    private static final Pattern STATUS = Pattern.compile("HTTP/1\\.[0-9] ([1-9][0-9][0-9])((?: [^\r\n]*)?)\r?\n");

    private final String subprotocol;
    private final int messageBytes;
    private IntConsumer queued = bytes -> {};
    private IntConsumer progress = bytes -> {};
    // The answer to the upgrade, as far as it has arrived; written by the reading thread.
    private volatile String answer = "";
    private long fragmentBytes;
    private int fragments;

    ClientDraft(String subprotocol, int messageBytes) {
        super(Collections.emptyList(), Collections.singletonList(new Protocol(subprotocol)), messageBytes);
        this.subprotocol = subprotocol;
        this.messageBytes = messageBytes;
    }

    /**
     * Sets the callbacks; called before the connection begins.
     *
     * @param queued called with the bytes of each frame that is about to be queued
     * @param progress called with the bytes that have arrived of an incomplete message
     */
    void tell(IntConsumer queued, IntConsumer progress) {
        this.queued = queued;
        this.progress = progress;
    }

    /** Returns this, since it serves one connection. */
    @Override
    public Draft copyInstance() {
        return this;
    }

    @Override
    public Handshakedata translateHandshake(ByteBuffer received) throws InvalidHandshakeException {
        int length = received.remaining();
        String head = text(received.duplicate());
        answer = head;
        if (isRefusal(head)) {
            if (length <= HANDSHAKE_BYTES && !END.matcher(head).find()) {
                // Its headers may explain more; 1.6.0 would read none of them.
                throw new IncompleteHandshakeException();
            }
            // 1.6.0 waits when no line ends with CR LF.
            throw new InvalidHandshakeException("the upgrade was refused");
        }
        try {
            return super.translateHandshake(received);
        } catch (IncompleteHandshakeException incomplete) {
            if (length > HANDSHAKE_BYTES) {
                throw new InvalidHandshakeException("the answer to the upgrade is longer than " + HANDSHAKE_BYTES);
            }
            throw incomplete;
        }
    }

    /** Returns the answer that refused the upgrade, as far as it has arrived; null if there is none. On any thread. */
    @Nullable
    UpgradeException refusal() {
        return isRefusal(answer) ? refusal(answer) : null;
    }

    /** Returns what has arrived, when nothing else explains why there is no connection. On any thread. */
    String whatCame() {
        String head = answer;
        if (head.isEmpty()) {
            return "the connection was closed before the server answered";
        }
        String first = "'" + Texts.line(LINE_END.split(head, 2)[0], MOST_QUOTED) + "'";
        return head.startsWith("HTTP/")
                ? "the connection was closed in the middle of the server's answer: " + first
                : "the server's answer is not HTTP: " + first;
    }

    /** Returns true if the first line has arrived, with another status than 101. */
    private static boolean isRefusal(String head) {
        Matcher first = STATUS.matcher(head);
        return first.lookingAt() && !first.group(1).equals("101");
    }

    private static String text(ByteBuffer received) {
        byte[] bytes = new byte[Math.min(received.remaining(), HANDSHAKE_BYTES)];
        received.get(bytes);
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    private static UpgradeException refusal(String head) {
        Matcher first = STATUS.matcher(head);
        if (!first.lookingAt()) {
            throw new IllegalArgumentException("no status line");
        }
        Matcher end = END.matcher(head);
        boolean isWhole = end.find();
        String[] lines = LINE_END.split(isWhole ? head.substring(0, end.start()) : head, -1);
        Map<String, String> headers = new TreeMap<>();
        for (int i = 1; i < (isWhole ? lines.length : lines.length - 1); i++) {
            // The last line may be incomplete.
            int colon = lines[i].indexOf(':');
            if (colon > 0) {
                headers.put(
                        lines[i].substring(0, colon).trim(),
                        lines[i].substring(colon + 1).trim());
            }
        }
        return new UpgradeException(
                Integer.parseInt(first.group(1)), first.group(2).trim(), headers);
    }

    @Override
    public HandshakeState acceptHandshakeAsClient(ClientHandshake request, ServerHandshake response)
            throws InvalidHandshakeException {
        String selected = response.getFieldValue("Sec-WebSocket-Protocol");
        if (!subprotocol.equals(selected)) {
            throw new InvalidHandshakeException("the server did not select the subprotocol " + subprotocol
                    + (selected.isEmpty() ? "" : " but '" + selected + "'"));
        }
        HandshakeState state = super.acceptHandshakeAsClient(request, response);
        if (state != HandshakeState.MATCHED) {
            throw new InvalidHandshakeException("the server's answer to the upgrade is not RFC 6455");
        }
        return state;
    }

    @Override
    public List<Framedata> translateFrame(ByteBuffer received) throws InvalidDataException {
        int bytes = received.remaining();
        List<Framedata> frames = super.translateFrame(received);
        if (frames.isEmpty()) {
            progress.accept(bytes);
        }
        return frames;
    }

    @Override
    public void processFrame(WebSocketImpl connection, Framedata frame) throws InvalidDataException {
        Opcode opcode = frame.getOpcode();
        boolean isPart = opcode == Opcode.CONTINUOUS || !frame.isFin();
        if (isPart) {
            if (opcode != Opcode.CONTINUOUS) {
                fragmentBytes = 0;
                fragments = 0;
            }
            fragmentBytes += frame.getPayloadData().remaining();
            fragments++;
            if (fragmentBytes > messageBytes || fragments > 1024 + messageBytes / 256) {
                // Empty fragments cost memory too.
                throw new LimitExceededException("a message in more fragments than the limit allows", messageBytes);
            }
        }
        super.processFrame(connection, frame);
        if (isPart && !frame.isFin()) {
            progress.accept(frame.getPayloadData().remaining());
        }
    }

    /**
     * Encodes and masks a frame. The library's own method works byte by byte, and also writes payloads to its trace
     * log.
     */
    @Override
    public ByteBuffer createBinaryFrame(Framedata frame) {
        ByteBuffer payload = frame.getPayloadData().duplicate();
        int length = payload.remaining();
        byte[] bytes = new byte[(length < 126 ? 2 : length < 1 << 16 ? 4 : 10) + 4 + length];
        ByteBuffer out = ByteBuffer.wrap(bytes);
        out.put((byte) ((frame.isFin() ? 0x80 : 0) | code(frame.getOpcode())));
        if (length < 126) {
            out.put((byte) (0x80 | length));
        } else if (length < 1 << 16) {
            out.put((byte) (0x80 | 126)).putShort((short) length);
        } else {
            out.put((byte) (0x80 | 127)).putLong(length);
        }
        int mask = ThreadLocalRandom.current().nextInt();
        out.putInt(mask);
        int start = bytes.length - length;
        payload.get(bytes, start, length);
        for (int i = 0; i < length; i++) {
            bytes[start + i] ^= (byte) (mask >> (24 - 8 * (i & 3)));
        }
        queued.accept(bytes.length);
        return ByteBuffer.wrap(bytes);
    }

    private static int code(Opcode opcode) {
        return switch (opcode) {
            case CONTINUOUS -> 0x0;
            case TEXT -> 0x1;
            case BINARY -> 0x2;
            case CLOSING -> 0x8;
            case PING -> 0x9;
            case PONG -> 0xa;
        };
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}
