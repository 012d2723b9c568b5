package io.realtime.netty;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.Tls;
import io.realtime.spi.WireMessage;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Accepts everyone, and says back what it is told. */
final class Echo implements ServerTransport.Acceptor {
    static final int OUTBOUND_BYTES = 1 << 16;

    final BlockingQueue<Connection> opened = new LinkedBlockingQueue<>();
    final BlockingQueue<Handshake> handshakes = new LinkedBlockingQueue<>();
    /** What it does with a text before it says it back. */
    volatile Consumer<String> onText = text -> {};

    final BlockingQueue<CloseReason> closed = new LinkedBlockingQueue<>();

    static ServerTransport.Config config(@Nullable Tls tls, Duration handshakeTimeout) {
        return new ServerTransport.Config(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                1 << 16,
                4096,
                handshakeTimeout,
                OUTBOUND_BYTES,
                5_000,
                5_000,
                5_000,
                tls);
    }

    static MessageBatch text(String text) {
        return MessageBatch.of(WireMessage.text(text.getBytes(StandardCharsets.UTF_8)));
    }

    /** Returns the next of a queue, or fails. */
    static <T> T next(BlockingQueue<T> queue) throws InterruptedException {
        T taken = queue.poll(10, TimeUnit.SECONDS);
        if (taken == null) {
            throw new AssertionError("nothing came in time");
        }
        return taken;
    }

    @Override
    public ServerTransport.Upgrade upgrade(Handshake handshake) {
        return ServerTransport.Upgrade.accept(null);
    }

    @Override
    public ConnectionListener open(Connection connection, Handshake handshake) {
        opened.add(connection);
        handshakes.add(handshake);
        return new ConnectionListener() {
            @Override
            public void onText(String text) {
                onText.accept(text);
                connection.send(Echo.text(text));
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
            }
        };
    }
}
