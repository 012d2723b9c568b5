package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A server and a client on a network in memory; what the ends of their connections see is recorded with its time. */
abstract class NetworkFixture {
    static final int BOUND = 100;
    static final int MESSAGE = 80;
    static final int CONNECTIONS = 10;

    final ManualScheduler time = new ManualScheduler();
    final InMemoryNetwork network = new InMemoryNetwork(time);
    final ServerTransport server = network.serverTransport();
    final ClientTransport client = network.clientTransport();
    final List<End> accepted = new ArrayList<>();
    final List<End> connected = new ArrayList<>();
    final List<String> failures = new ArrayList<>();
    ServerTransport.Upgrade answer = ServerTransport.Upgrade.accept("p");

    /** One end of a connection and what it saw. */
    final class End implements ConnectionListener {
        final Connection connection;
        final Handshake handshake;
        final List<String> seen = new ArrayList<>();

        End(Connection connection, Handshake handshake) {
            this.connection = connection;
            this.handshake = handshake;
        }

        private void saw(String what) {
            seen.add(what + "@" + time.nanoTime() / 1_000_000);
        }

        @Override
        public void onText(String text) {
            saw(text);
        }

        @Override
        public void onBinary(ByteBuffer payload) {
            saw("binary " + payload.remaining());
        }

        @Override
        public void onActivity() {
            saw("activity");
        }

        @Override
        public void onDrained() {
            saw("drained");
        }

        @Override
        public void onClosed(CloseReason reason, boolean byPeer) {
            saw((byPeer ? "peer closed " : "closed ") + reason);
        }
    }

    @BeforeEach
    void listen() throws IOException {
        start(server, 0);
    }

    @AfterEach
    void aNetworkWithoutConnectionsIsQuiet() {
        network.cutAll();
        time.runDue();
        assertEquals(0, network.connections());
        assertEquals(0, time.pending(), "tasks of dead connections");
    }

    void start(ServerTransport transport, int port) throws IOException {
        var config = new ServerTransport.Config(
                new InetSocketAddress("localhost", port),
                MESSAGE,
                1_000,
                Duration.ofSeconds(10),
                BOUND,
                CONNECTIONS,
                CONNECTIONS,
                CONNECTIONS,
                null);
        transport.start(config, new ServerTransport.Acceptor() {
            @Override
            public ServerTransport.Upgrade upgrade(Handshake handshake) {
                return answer;
            }

            @Override
            public ConnectionListener open(Connection connection, Handshake handshake) {
                accepted.add(new End(connection, handshake));
                return accepted.get(accepted.size() - 1);
            }
        });
    }

    Scheduler.Cancellable begin(ServerTransport to) {
        return begin(client, to);
    }

    Scheduler.Cancellable begin(ClientTransport from, ServerTransport to) {
        var target = new ClientTransport.Target(
                URI.create("ws://anywhere:" + to.port() + "/ws?a=b"), Map.of("X-Test", "1"), "p", MESSAGE, BOUND);
        return from.connect(target, new ClientTransport.Callback() {
            @Override
            public ConnectionListener connected(Connection connection) {
                Handshake none = new Handshake("", "", Map.of(), InetSocketAddress.createUnresolved("none", 1));
                connected.add(new End(connection, none));
                return connected.get(connected.size() - 1);
            }

            @Override
            public void failed(Exception cause) {
                failures.add(cause.getMessage() + "@" + time.nanoTime() / 1_000_000);
            }
        });
    }

    void connect() {
        begin(server);
        time.advance(Duration.ofMillis(2));
        assertEquals(1, connected.size());
        assertEquals(1, accepted.size());
    }

    InMemoryNetwork.Link link() {
        return network.links().get(0);
    }

    End serverEnd() {
        return accepted.get(0);
    }

    End clientEnd() {
        return connected.get(0);
    }

    static MessageBatch text(String text) {
        return MessageBatch.of(WireMessage.text(text.getBytes(StandardCharsets.UTF_8)));
    }

    void advance(long ms) {
        time.advance(Duration.ofMillis(ms));
    }
}
