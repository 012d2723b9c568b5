package io.realtime.testing;

import io.realtime.CloseReason;
import io.realtime.testing.RawWebSocket.RawFrame;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** A well-behaved {@link RawWebSocket}. For one thread. */
final class RawPeer implements ContractPeer {
    private final RawWebSocket socket;
    private boolean closing;

    RawPeer(RawWebSocket socket) {
        this.socket = socket;
    }

    @Override
    public void text(String text) throws IOException {
        socket.text(text);
    }

    @Override
    public void binary(byte[] payload) throws IOException {
        socket.frame(true, RawWebSocket.BINARY, payload);
    }

    @Override
    public void ping() throws IOException {
        socket.frame(true, RawWebSocket.PING, new byte[0]);
    }

    @Override
    public void close(CloseReason reason) throws IOException {
        closing = true;
        socket.close(reason.code(), reason.text());
    }

    @Override
    public String next() throws IOException {
        while (true) {
            RawFrame frame;
            try {
                frame = socket.read();
            } catch (EOFException | SocketException gone) {
                return "closed " + CloseReason.ABNORMAL;
            }
            switch (frame.opcode()) {
                case RawWebSocket.TEXT -> {
                    return "text " + frame.text();
                }
                case RawWebSocket.BINARY -> {
                    return "binary " + Arrays.toString(bytes(frame));
                }
                case RawWebSocket.CLOSE -> {
                    answerClose(frame);
                    return "closed " + frame.closeReason();
                }
                case RawWebSocket.PING -> socket.frame(true, RawWebSocket.PONG, bytes(frame));
                case RawWebSocket.PONG -> {}
                default -> throw new IOException("no frame that a server sends: " + frame);
            }
        }
    }

    private void answerClose(RawFrame close) throws IOException {
        if (closing) {
            return;
        }
        closing = true;
        try {
            socket.frame(true, RawWebSocket.CLOSE, bytes(close));
        } catch (SocketException gone) {
            // A server that closes the socket after its close frame reads no answer.
            socket.close();
        }
    }

    private static byte[] bytes(RawFrame frame) {
        ByteBuffer payload = frame.payload().duplicate();
        byte[] bytes = new byte[payload.remaining()];
        payload.get(bytes);
        return bytes;
    }

    /** Does nothing: it reads only when the test calls {@link #next}. */
    @Override
    public void pauseReading() {}

    @Override
    public void resumeReading() {}

    /** Does nothing: to the server, a peer that neither reads nor answers is the same as one whose network is lost. */
    @Override
    public void vanish() {}

    @Override
    public void cut() throws IOException {
        socket.close();
    }

    @Override
    public String toString() {
        return "peer " + socket.localPort();
    }
}
