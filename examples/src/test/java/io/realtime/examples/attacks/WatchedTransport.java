package io.realtime.examples.attacks;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** A transport that tells when the server begins to close a connection, which is before the peer can see it. */
final class WatchedTransport implements ServerTransport {
    /** Why the server closed the first connection that it did. */
    final CompletableFuture<CloseReason> closing = new CompletableFuture<>();

    private final ServerTransport transport;

    WatchedTransport(ServerTransport transport) {
        this.transport = transport;
    }

    @Override
    public void start(Config config, Acceptor acceptor) throws IOException {
        transport.start(config, new Acceptor() {
            @Override
            public Upgrade upgrade(Handshake handshake) {
                return acceptor.upgrade(handshake);
            }

            @Override
            public ConnectionListener open(Connection connection, Handshake handshake) {
                return acceptor.open(new WatchedConnection(connection), handshake);
            }
        });
    }

    @Override
    public int port() {
        return transport.port();
    }

    @Override
    public void stopAccepting() {
        transport.stopAccepting();
    }

    @Override
    public void stop(Duration drain) throws InterruptedException {
        transport.stop(drain);
    }

    @Override
    public @Nullable String problem() {
        return transport.problem();
    }

    private final class WatchedConnection implements Connection {
        private final Connection connection;

        WatchedConnection(Connection connection) {
            this.connection = connection;
        }

        @Override
        public boolean send(MessageBatch batch) {
            return connection.send(batch);
        }

        @Override
        public boolean queue(MessageBatch batch) {
            return connection.queue(batch);
        }

        @Override
        public void flush() {
            connection.flush();
        }

        @Override
        public long taken() {
            return connection.taken();
        }

        @Override
        public long outboundBytes() {
            return connection.outboundBytes();
        }

        @Override
        public boolean awaitWritable(Runnable caughtUp) {
            return connection.awaitWritable(caughtUp);
        }

        @Override
        public void limitMessages(int bytes) {
            connection.limitMessages(bytes);
        }

        @Override
        public void ping() {
            connection.ping();
        }

        @Override
        public void close(CloseReason reason) {
            closing.complete(reason);
            connection.close(reason);
        }

        @Override
        public void abort() {
            connection.abort();
        }

        @Override
        public String remoteAddress() {
            return connection.remoteAddress();
        }
    }
}
