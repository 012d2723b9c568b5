package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertNull;

import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A transport that is started before each test, its peers, and the methods that a transport's own test implements. */
abstract class ServerTransportFixture {
    static final int MESSAGE_BYTES = 64 * 1024;
    static final int HANDSHAKE_BYTES = 4 * 1024;
    static final int OUTBOUND_BYTES = 256 * 1024;
    static final int CONNECTIONS = 20;
    static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(1);

    final ContractServer server = new ContractServer(this::await);
    private final List<ContractPeer> peers = new ArrayList<>();
    private @Nullable ServerTransport started;

    /** Returns a new transport that is not started. */
    protected abstract ServerTransport newTransport();

    /**
     * Connects to the transport under test and upgrades.
     *
     * @param target path and query
     * @param subprotocol the subprotocol to offer, empty for none
     * @throws IOException if there is no connection, or the subprotocol is not selected; if the upgrade was refused,
     *     the message holds status and reason
     */
    protected abstract ContractPeer connect(String target, Map<String, String> headers, String subprotocol)
            throws IOException, InterruptedException;

    /** Takes the next element of a queue, waiting if necessary; null if there is none for ten seconds. */
    protected abstract <T> @Nullable T await(BlockingQueue<T> queue) throws InterruptedException;

    /** Runs a task that may block while the test continues; in a time where nothing blocks, just runs it. */
    protected abstract void meanwhile(Runnable task);

    /** Returns the transport under test, which is started. */
    protected final ServerTransport transport() {
        ServerTransport now = started;
        if (now == null) {
            throw new IllegalStateException("not started yet");
        }
        return now;
    }

    /** Returns a configuration for this port, with the contract's limits. */
    protected static ServerTransport.Config config(int port) {
        return config(port, HANDSHAKE_TIMEOUT, CONNECTIONS, CONNECTIONS);
    }

    static ServerTransport.Config config(
            int port, Duration handshakeTimeout, int connectionsPerAddress, int pendingUpgrades) {
        return new ServerTransport.Config(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), port),
                MESSAGE_BYTES,
                HANDSHAKE_BYTES,
                handshakeTimeout,
                OUTBOUND_BYTES,
                CONNECTIONS,
                connectionsPerAddress,
                pendingUpgrades,
                null);
    }

    /** Connects a well-behaved peer; it is disconnected after the test. */
    protected final ContractPeer open() throws IOException, InterruptedException {
        return open("/", Map.of(), "");
    }

    /** Connects like {@link #connect}; the peer is disconnected after the test. */
    final ContractPeer open(String target, Map<String, String> headers, String subprotocol)
            throws IOException, InterruptedException {
        ContractPeer peer = connect(target, headers, subprotocol);
        peers.add(peer);
        return peer;
    }

    @BeforeEach
    final void startTransport() throws IOException {
        ServerTransport fresh = newTransport();
        fresh.start(config(0), server);
        started = fresh;
    }

    @AfterEach
    final void whenAllIsOverEachListenerHasHeardItOnceAndLast() throws Exception {
        for (ContractPeer peer : peers) {
            peer.cut();
        }
        transport().stop(Duration.ofSeconds(5));
        server.assertEachEndedOnce();
        assertNull(transport().problem());
    }

    static MessageBatch text(String text) {
        return MessageBatch.of(WireMessage.text(text.getBytes(StandardCharsets.UTF_8)));
    }
}
