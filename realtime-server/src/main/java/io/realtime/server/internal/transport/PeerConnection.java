package io.realtime.server.internal.transport;

import io.realtime.CloseReason;
import io.realtime.server.websocket.Admission;
import io.realtime.server.websocket.OpenConnections;
import io.realtime.server.websocket.WebSocketConnection;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport.Acceptor;
import io.realtime.spi.ServerTransport.Config;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import org.java_websocket.WebSocketAdapter;
import org.java_websocket.WebSocketImpl;

/**
 * What connects a {@link WebSocketConnection} to the library. The worker hands over what it receives. Only the timer
 * ends the connection, so that no end runs on a sender's stack or under a lock of the library. It has no lock: {@link
 * PeerChannel} guards the outbound side, {@link LibraryCallbacks} the calls of the listener.
 */
final class PeerConnection implements WebSocketConnection.Socket, PeerChannel.Owner {
    /** The approximate longest time of a write to a socket that does not block. */
    private static final Duration WRITE_TIME = Duration.ofMillis(1);

    private final Scheduler timer;
    private final OpenConnections open;
    private final WebSocketImpl impl;
    private final PeerChannel channel;
    private final WebSocketConnection connection;
    private final LibraryCallbacks callbacks;
    // Used by the timer alone.
    private boolean ended;

    /** Takes an accepted socket. The key is registered, and gets its attachment here. */
    PeerConnection(
            WebSocketAdapter server,
            SocketChannel socket,
            SelectionKey key,
            InetSocketAddress remote,
            Admission.Place place,
            Config config,
            Acceptor acceptor,
            Scheduler timer,
            OpenConnections open) {
        this.timer = timer;
        this.open = open;
        this.channel = new PeerChannel(socket, key, config.handshakeBytes(), config.outboundBytes(), this);
        this.connection = new WebSocketConnection(this, channel, remote, place, config, acceptor);
        this.callbacks = new LibraryCallbacks(connection);
        this.impl = new WebSocketImpl(server, List.of(new PeerDraft(this, config.messageBytes())));
        impl.setSelectionKey(key);
        impl.setChannel(channel);
        impl.setAttachment(this);
        connection.begin(config.handshakeTimeout());
    }

    WebSocketImpl impl() {
        return impl;
    }

    WebSocketConnection connection() {
        return connection;
    }

    // ---- the worker

    /** Handles the complete head of the request. */
    void upgrade(ByteBuffer head) {
        try {
            connection.upgrade(head);
        } finally {
            callbacks.begin();
        }
    }

    /** Handles the bytes of one read. */
    void received(ByteBuffer read) {
        try {
            callbacks.call(() -> connection.receive(read));
        } finally {
            read.position(read.limit());
            channel.decoded();
        }
    }

    // ---- PeerChannel.Owner: the selector or a sender

    @Override
    public void headTooLong() {
        connection.headTooLong();
    }

    @Override
    public void inputEnded() {
        connection.inputEnded();
    }

    @Override
    public void failed(Throwable cause) {
        connection.broke(cause);
    }

    @Override
    public void drained() {
        timer.schedule(Duration.ZERO, callbacks::drained);
    }

    @Override
    public void finished() {
        cut();
    }

    // ---- Socket: any thread

    @Override
    public Scheduler.Cancellable schedule(Duration delay, Runnable task) {
        return timer.schedule(delay, task);
    }

    @Override
    public void cut() {
        timer.schedule(Duration.ZERO, this::end);
    }

    // ---- the timer

    private void end() {
        if (!ended) {
            ended = true;
            closeSocket();
        }
    }

    /** Closes the socket as soon as no thread writes to it, and makes the listener's last call. */
    private void closeSocket() {
        if (!channel.tryClose()) {
            timer.schedule(WRITE_TIME, this::closeSocket);
            return;
        }
        try {
            impl.closeConnection(CloseReason.ABNORMAL, "");
        } finally {
            connection.release();
            open.remove(connection);
            // Also before the upgrade is finished: it may be in progress, and its listener must get its last call.
            callbacks.closed();
        }
    }
}
