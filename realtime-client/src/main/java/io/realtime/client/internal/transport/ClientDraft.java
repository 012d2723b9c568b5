package io.realtime.client.internal.transport;

import io.realtime.internal.Texts;
import io.realtime.internal.websocket.FrameWriter;
import io.realtime.internal.websocket.Role;
import io.realtime.spi.UpgradeException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.java_websocket.drafts.Draft;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.enums.HandshakeState;
import org.java_websocket.enums.Opcode;
import org.java_websocket.exceptions.IncompleteHandshakeException;
import org.java_websocket.exceptions.InvalidHandshakeException;
import org.java_websocket.framing.Framedata;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.handshake.Handshakedata;
import org.java_websocket.handshake.ServerHandshake;
import org.java_websocket.protocols.Protocol;
import org.jspecify.annotations.Nullable;

/**
 * The point where the library hands a connection's bytes to us. Java-WebSocket 1.6.0 limits frames only when told to
 * (otherwise to 2 GiB), does not count fragments between the first and the last, and keeps an upgrade's answer of any
 * length. So frames are read and written by our own code, and the answer has a bound. No extensions, since the library
 * inflates without a bound.
 */
final class ClientDraft extends Draft_6455 {
    private static final int HANDSHAKE_BYTES = 16 << 10;

    private static final int MOST_QUOTED = 100;

    /** A line feed alone also ends a line (RFC 9112 section 2.2). */
    private static final Pattern LINE_END = Pattern.compile("\r?\n");

    private static final Pattern END = Pattern.compile("\r?\n\r?\n");
    private static final Pattern STATUS = Pattern.compile("HTTP/1\\.[0-9] ([1-9][0-9][0-9])((?: [^\r\n]*)?)\r?\n");

    private final String subprotocol;
    private IntConsumer queued = bytes -> {};
    private Consumer<ByteBuffer> received = bytes -> {};
    // The answer to the upgrade, as far as it has arrived; written by the reading thread.
    private volatile String answer = "";

    ClientDraft(String subprotocol, int messageBytes) {
        super(Collections.emptyList(), Collections.singletonList(new Protocol(subprotocol)), messageBytes);
        this.subprotocol = subprotocol;
    }

    /**
     * Sets the callbacks; called before the connection begins.
     *
     * @param queued called with the bytes of each frame that is about to be queued
     * @param received called with the bytes of each read after the upgrade
     */
    void tell(IntConsumer queued, Consumer<ByteBuffer> received) {
        this.queued = queued;
        this.received = received;
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

    /** Hands over the bytes of one read. Never returns a frame: the library's own reading has no bounds. */
    @Override
    public List<Framedata> translateFrame(ByteBuffer read) {
        received.accept(read);
        return Collections.emptyList();
    }

    /**
     * Encodes and masks a frame. The library's own method works byte by byte, and also writes payloads to its trace
     * log.
     */
    @Override
    public ByteBuffer createBinaryFrame(Framedata frame) {
        ByteBuffer bytes = FrameWriter.frame(Role.CLIENT, code(frame.getOpcode()), frame.getPayloadData());
        queued.accept(bytes.remaining());
        return bytes;
    }

    private static int code(Opcode opcode) {
        return switch (opcode) {
            case CONTINUOUS -> io.realtime.internal.websocket.Opcode.CONTINUATION;
            case TEXT -> io.realtime.internal.websocket.Opcode.TEXT;
            case BINARY -> io.realtime.internal.websocket.Opcode.BINARY;
            case CLOSING -> io.realtime.internal.websocket.Opcode.CLOSE;
            case PING -> io.realtime.internal.websocket.Opcode.PING;
            case PONG -> io.realtime.internal.websocket.Opcode.PONG;
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
