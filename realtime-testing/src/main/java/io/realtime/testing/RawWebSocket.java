package io.realtime.testing;

import io.realtime.CloseReason;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.net.ssl.SSLSocketFactory;

/**
 * A WebSocket client that follows a test's commands, right or wrong. It sends the upgrade, frames and any bytes over a
 * plain socket, and answers nothing automatically. Reads block for at most ten seconds.
 *
 * <p>For one thread that reads and one that writes.
 */
public final class RawWebSocket implements AutoCloseable {
    /** The opcodes of RFC 6455 section 5.2. */
    public static final int CONTINUATION = 0x0;

    public static final int TEXT = 0x1;
    public static final int BINARY = 0x2;
    public static final int CLOSE = 0x8;
    public static final int PING = 0x9;
    public static final int PONG = 0xA;

    private static final int TIMEOUT_MILLIS = 10_000;
    private static final int MASK = 0x1F2E3D4C;

    private final Socket plain;
    private final Socket socket; // the plain socket, or TLS on it
    private final DataInputStream in;

    private RawWebSocket(Socket plain, Socket socket) throws IOException {
        this.plain = plain;
        this.socket = socket;
        this.in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
    }

    /** A frame as received. */
    public record RawFrame(boolean fin, int opcode, ByteBuffer payload) {
        /** Returns the payload as text. */
        public String text() {
            return StandardCharsets.UTF_8.decode(payload.duplicate()).toString();
        }

        /** Returns the code and text of a close frame. */
        public CloseReason closeReason() {
            if (payload.remaining() < 2) {
                return new CloseReason(CloseReason.NO_STATUS, "");
            }
            ByteBuffer copy = payload.duplicate();
            return new CloseReason(
                    copy.getShort() & 0xFFFF,
                    StandardCharsets.UTF_8.decode(copy).toString());
        }
    }

    /** Connects to a port of this machine, without an upgrade. */
    public static RawWebSocket connect(int port) throws IOException {
        return connect(port, 0);
    }

    /**
     * Connects like {@link #connect(int)}, with a limit for the system's buffer.
     *
     * @param receiveBuffer how many unread bytes the system may hold, or 0 for its default
     */
    public static RawWebSocket connect(int port, int receiveBuffer) throws IOException {
        Socket socket = connected(port, receiveBuffer);
        return new RawWebSocket(socket, socket);
    }

    /**
     * Connects like {@link #connect(int, int)}, with TLS. The TLS handshake begins with the first read or write. The
     * server's name is {@code localhost}.
     */
    public static RawWebSocket connect(int port, int receiveBuffer, SSLSocketFactory tls) throws IOException {
        Socket socket = connected(port, receiveBuffer);
        return new RawWebSocket(socket, tls.createSocket(socket, "localhost", port, true));
    }

    private static Socket connected(int port, int receiveBuffer) throws IOException {
        Socket socket = new Socket();
        if (receiveBuffer > 0) {
            socket.setReceiveBufferSize(receiveBuffer);
        }
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(TIMEOUT_MILLIS);
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), TIMEOUT_MILLIS);
        return socket;
    }

    /**
     * Connects and upgrades.
     *
     * @throws IOException if the status of the answer is not 101
     */
    public static RawWebSocket open(int port) throws IOException {
        RawWebSocket opened = connect(port);
        opened.upgrade("/");
        return opened;
    }

    /** Sends an upgrade request and returns the answer's head. Throws if its status is not 101. */
    public String upgrade(String target, String... headers) throws IOException {
        sendUpgrade(target, headers);
        String answer = readHead();
        if (!answer.startsWith("HTTP/1.1 101 ")) {
            throw new IOException("not upgraded: " + answer);
        }
        return answer;
    }

    /** Sends a correct upgrade request with these additional header lines. */
    public void sendUpgrade(String target, String... headers) throws IOException {
        StringBuilder request = new StringBuilder("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n"
                + "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        for (String header : headers) {
            request.append(header).append("\r\n");
        }
        send(request.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Reads the head of an HTTP answer, its empty line included. */
    public String readHead() throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            head.append((char) in.readUnsignedByte());
        }
        return head.toString();
    }

    /** Sends any bytes. */
    public void send(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
    }

    /** Sends a text message in one frame. */
    public void text(String text) throws IOException {
        frame(true, TEXT, text.getBytes(StandardCharsets.UTF_8));
    }

    /** Sends a masked frame, even if the protocol does not allow it here. */
    public void frame(boolean fin, int opcode, byte[] payload) throws IOException {
        send(encode(fin, opcode, payload));
    }

    /** Sends a close frame. */
    public void close(int code, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        frame(
                true,
                CLOSE,
                ByteBuffer.allocate(2 + bytes.length)
                        .putShort((short) code)
                        .put(bytes)
                        .array());
    }

    /** Encodes a masked frame. */
    public static byte[] encode(boolean fin, int opcode, byte[] payload) {
        ByteBuffer out = ByteBuffer.allocate(14 + payload.length);
        out.put((byte) ((fin ? 0x80 : 0) | opcode));
        if (payload.length < 126) {
            out.put((byte) (0x80 | payload.length));
        } else if (payload.length < 1 << 16) {
            out.put((byte) (0x80 | 126)).putShort((short) payload.length);
        } else {
            out.put((byte) (0x80 | 127)).putLong(payload.length);
        }
        out.putInt(MASK);
        for (int i = 0; i < payload.length; i++) {
            out.put((byte) (payload[i] ^ (MASK >>> (24 - 8 * (i & 3)))));
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    /**
     * Reads the next frame.
     *
     * @throws EOFException if the server has closed the connection
     * @throws IOException if nothing arrives in time, or the connection was reset
     */
    public RawFrame read() throws IOException {
        int first = in.readUnsignedByte();
        int second = in.readUnsignedByte();
        if ((second & 0x80) != 0 || (first & 0x70) != 0) {
            throw new IOException("the server sent a masked frame or a reserved bit");
        }
        long length = second == 126 ? in.readUnsignedShort() : second == 127 ? in.readLong() : second;
        byte[] payload = new byte[Math.toIntExact(length)];
        in.readFully(payload);
        return new RawFrame((first & 0x80) != 0, first & 0x0F, ByteBuffer.wrap(payload));
    }

    /** Reads until the server closes or resets the connection. Throws if that does not happen in time. */
    public byte[] readToEnd() throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        try {
            for (int next = in.read(); next >= 0; next = in.read()) {
                all.write(next);
            }
        } catch (java.net.SocketException reset) {
            return all.toByteArray();
        }
        return all.toByteArray();
    }

    /** Returns the local port. */
    public int localPort() {
        return socket.getLocalPort();
    }

    /** Ends the output; the input stays open. */
    public void shutdownOutput() throws IOException {
        socket.shutdownOutput();
    }

    /** Resets the connection: data in flight, in either direction, is lost. */
    public void reset() throws IOException {
        plain.setSoLinger(true, 0);
        plain.close();
    }

    /** Closes the socket, without a closing handshake. */
    @Override
    public void close() throws IOException {
        socket.close();
    }
}
