package io.realtime.netty;

import io.realtime.spi.ServerTransport;
import io.realtime.spi.Tls;
import io.realtime.testing.RawWebSocket;
import io.realtime.testing.WebSocketServerTransportContract;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The contract over TLS. */
class NettyTlsTransportIT extends WebSocketServerTransportContract {
    private static final TestIdentity IDENTITY = TestIdentity.of("EC");

    @Override
    protected ServerTransport newTransport() {
        return new WithTls(new NettyTransport());
    }

    @Override
    protected RawWebSocket connectRaw(int port, int receiveBuffer) throws IOException {
        try {
            return RawWebSocket.connect(port, receiveBuffer, IDENTITY.client().getSocketFactory());
        } catch (GeneralSecurityException failure) {
            throw new IOException(failure);
        }
    }

    /** Starts another with TLS, whatever the configuration says. */
    private record WithTls(ServerTransport other) implements ServerTransport {
        @Override
        public void start(Config plain, Acceptor acceptor) throws IOException {
            try {
                Tls tls = new Tls.Context(IDENTITY.server());
                other.start(
                        new Config(
                                plain.address(),
                                plain.messageBytes(),
                                plain.handshakeBytes(),
                                plain.handshakeTimeout(),
                                plain.outboundBytes(),
                                plain.connections(),
                                plain.connectionsPerAddress(),
                                plain.pendingUpgrades(),
                                tls),
                        acceptor);
            } catch (GeneralSecurityException failure) {
                throw new IOException(failure);
            }
        }

        @Override
        public int port() {
            return other.port();
        }

        @Override
        public void stopAccepting() {
            other.stopAccepting();
        }

        @Override
        public void stop(Duration drain) throws InterruptedException {
            other.stop(drain);
        }

        @Override
        public @Nullable String problem() {
            return other.problem();
        }
    }
}
