package io.realtime.server.internal.transport;

import io.realtime.CloseReason;
import io.realtime.server.websocket.WebSocketConnection;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Accepts everyone, answers each text with itself and keeps what was opened, until a test has it do something else. */
final class EchoAcceptor implements ServerTransport.Acceptor {
    final LinkedBlockingQueue<Connection> opened = new LinkedBlockingQueue<>();
    final LinkedBlockingQueue<CloseReason> closed = new LinkedBlockingQueue<>();

    /** Runs first in the call of this name: {@code upgrade}, {@code open}, {@code text}, {@code closed}. */
    volatile Interceptor interceptor = call -> {};

    interface Interceptor {
        void before(String call);
    }

    /** Returns the next connection that was opened. */
    Connection next() throws InterruptedException {
        Connection connection = opened.poll(10, TimeUnit.SECONDS);
        if (connection == null) {
            throw new AssertionError("no connection was opened");
        }
        return connection;
    }

    /** Returns what connects a connection to the library. */
    static PeerConnection peer(Connection connection) {
        return (PeerConnection) ((WebSocketConnection) connection).socket();
    }

    static MessageBatch text(String text) {
        return MessageBatch.of(WireMessage.text(text.getBytes(StandardCharsets.UTF_8)));
    }

    @Override
    public ServerTransport.Upgrade upgrade(Handshake handshake) {
        interceptor.before("upgrade");
        return ServerTransport.Upgrade.accept(null);
    }

    @Override
    public ConnectionListener open(Connection connection, Handshake handshake) {
        interceptor.before("open");
        opened.add(connection);
        return new ConnectionListener() {
            @Override
            public void onText(String text) {
                interceptor.before("text");
                connection.send(EchoAcceptor.text(text));
            }

            @Override
            public void onBinary(ByteBuffer payload) {}

            @Override
            public void onActivity() {}

            @Override
            public void onDrained() {}

            @Override
            public void onClosed(CloseReason reason, boolean byPeer) {
                closed.add(reason);
                interceptor.before("closed");
            }
        };
    }
}
