package io.realtime.spi;

import io.realtime.internal.Durations;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A transport that accepts WebSocket connections. One instance serves one server, from {@link #start} to {@link #stop}.
 *
 * <p>A transport enforces its {@link Config} against any peer: no connection uses more memory than the limits allow,
 * and none stops or slows another.
 */
public interface ServerTransport {
    /** Returns the transport's name for the log; default its class's name. */
    default String name() {
        return getClass().getSimpleName();
    }

    /**
     * Binds the address and begins to accept connections.
     *
     * @throws IOException if the address cannot be bound, or the TLS configuration is not usable; then nothing is left
     * running
     */
    void start(Config config, Acceptor acceptor) throws IOException;

    /**
     * Returns the bound port; if the configuration said 0, the port that the system chose.
     *
     * @throws IllegalStateException before {@link #start}
     */
    int port();

    /** Stops listening: the operating system refuses new connections; open connections stay open. */
    void stopAccepting();

    /**
     * Stops listening, closes open connections with 1001, and releases all threads and sockets.
     *
     * @param drain how long to wait until data that was sent before is written
     */
    void stop(Duration drain) throws InterruptedException;

    /** Returns why the transport cannot accept connections, or null if it can. */
    @Nullable
    String problem();

    /**
     * The configuration of a transport.
     *
     * @param address where to listen; with port 0 the system chooses the port
     * @param messageBytes the longest inbound message in bytes, in one frame or in fragments; a longer one closes the
     * connection with 1009
     * @param handshakeBytes the longest upgrade request, in bytes
     * @param handshakeTimeout how long an upgrade may take, TLS included
     * @param outboundBytes how many bytes may wait for one peer
     * @param connections how many connections may be open, unfinished upgrades included
     * @param connectionsPerAddress how many of them may come from one address
     * @param pendingUpgrades how many of them may have an unfinished upgrade; beyond it the oldest of these is
     * disconnected
     * @param tls the certificate and key to encrypt connections with, or null for no encryption
     */
    record Config(
            InetSocketAddress address,
            int messageBytes,
            int handshakeBytes,
            Duration handshakeTimeout,
            int outboundBytes,
            int connections,
            int connectionsPerAddress,
            int pendingUpgrades,
            @Nullable Tls tls) {
        /**
         * Creates a configuration.
         *
         * @throws IllegalArgumentException if the handshake's timeout is not positive
         */
        public Config {
            handshakeTimeout = Durations.positive("handshakeTimeout", handshakeTimeout);
        }
    }

    /**
     * A factory of transports of one kind. {@link java.util.ServiceLoader} finds it, so a transport is usable once its
     * jar is on the class path.
     */
    interface Provider {
        /** Returns the name of the kind in lower case, such as {@code netty}. */
        String name();

        /** Returns a new transport that is not started. */
        ServerTransport create();
    }

    /** The decision about new connections. Called on I/O threads; an implementation returns immediately. */
    interface Acceptor {
        /** Decides whether to accept an upgrade. */
        Upgrade upgrade(Handshake handshake);

        /** Handles an accepted connection; returns its listener. */
        ConnectionListener open(Connection connection, Handshake handshake);

        /**
         * Notes that a connection was refused, because {@link Config#connections} or {@link
         * Config#connectionsPerAddress} allow no more. The default does nothing.
         */
        default void refused() {}
    }

    /**
     * The answer to an upgrade request.
     *
     * @param status 101 to accept, else the HTTP status of the refusal
     * @param reason the refusal's reason phrase
     * @param subprotocol the subprotocol to select, or null for none
     */
    record Upgrade(int status, String reason, @Nullable String subprotocol) {
        /** Returns an answer that accepts the upgrade; the subprotocol is null for none. */
        public static Upgrade accept(@Nullable String subprotocol) {
            return new Upgrade(101, "Switching Protocols", subprotocol);
        }

        /** Returns an answer that refuses the upgrade with an HTTP status. */
        public static Upgrade refuse(int status, String reason) {
            return new Upgrade(status, reason, null);
        }

        /** Returns whether the upgrade is accepted. */
        public boolean isAccepted() {
            return status == 101;
        }
    }
}
