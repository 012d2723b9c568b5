package io.realtime.spi;

import io.realtime.internal.Durations;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Accepts WebSocket connections. One instance serves one server, from {@link #start} to {@link #stop}.
 *
 * <p>Whatever a peer does, a transport keeps to its {@link Config}: no connection holds more memory than its limits
 * say, and none stops or slows another.
 */
public interface ServerTransport {
    /** Returns what it is called in the log; by default its class's name. */
    default String name() {
        return getClass().getSimpleName();
    }

    /**
     * Binds and begins to accept.
     *
     * @throws IOException when the address cannot be bound, or the TLS configuration not be used; nothing is left
     *     running then
     */
    void start(Config config, Acceptor acceptor) throws IOException;

    /**
     * Returns the port that is bound; the one that the system chose when the configuration said 0.
     *
     * @throws IllegalStateException before {@link #start}
     */
    int port();

    /** Ends listening: newcomers are refused by the operating system, open connections stay. */
    void stopAccepting();

    /**
     * Ends listening, closes what is still open with 1001 and releases every thread and socket.
     *
     * @param drain how long to wait for what was sent before to leave
     */
    void stop(Duration drain) throws InterruptedException;

    /** Returns what keeps the transport from accepting connections, or null when it is well. */
    @Nullable
    String problem();

    /**
     * What a transport is told.
     *
     * @param address where to listen; port 0 lets the system choose
     * @param messageBytes the longest inbound message, in one frame or in fragments; beyond it the connection closes
     *     with 1009
     * @param handshakeBytes the longest upgrade request
     * @param handshakeTimeout how long an upgrade may take, TLS included
     * @param outboundBytes how much may wait for one peer
     * @param connections how many connections may be open, unfinished upgrades included
     * @param connectionsPerAddress how many of them may come from one address
     * @param pendingUpgrades how many of them may be without a finished upgrade; beyond it the oldest of these is cut
     * @param tls what connections are encrypted with, or null for none
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
         * A configuration.
         *
         * @throws IllegalArgumentException when the handshake's timeout is not positive
         */
        public Config {
            handshakeTimeout = Durations.positive("handshakeTimeout", handshakeTimeout);
        }
    }

    /**
     * Makes transports of one kind. Found by {@link java.util.ServiceLoader}, so that a transport's jar on the class
     * path is all that its use needs.
     */
    interface Provider {
        /** Returns the kind's name, lower case, such as {@code netty}. */
        String name();

        /** Returns a new transport, not started. */
        ServerTransport create();
    }

    /** Decides about newcomers. Called on I/O threads; returns at once. */
    interface Acceptor {
        /** Decides whether an upgrade is accepted. */
        Upgrade upgrade(Handshake handshake);

        /** Takes an accepted connection and returns who listens to it. */
        ConnectionListener open(Connection connection, Handshake handshake);
    }

    /**
     * The answer to an upgrade.
     *
     * @param status 101 to accept, else the HTTP status of the refusal
     * @param reason the refusal's reason phrase
     * @param subprotocol the subprotocol to select, or null for none
     */
    record Upgrade(int status, String reason, @Nullable String subprotocol) {
        /** Accepts. */
        public static Upgrade accept(@Nullable String subprotocol) {
            return new Upgrade(101, "Switching Protocols", subprotocol);
        }

        /** Refuses with a status. */
        public static Upgrade refuse(int status, String reason) {
            return new Upgrade(status, reason, null);
        }

        /** Returns whether the upgrade is accepted. */
        public boolean isAccepted() {
            return status == 101;
        }
    }
}
