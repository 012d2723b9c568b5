package io.realtime.server.javawebsocket;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import io.realtime.spi.Handshake;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.RawWebSocket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What Java-WebSocket 1.6.0 would get wrong on its own. */
@Timeout(60)
class WorkaroundsIT {
    private final Set<Thread> before = ConcurrentHashMap.newKeySet();
    private final JavaWebSocketTransport transport = new JavaWebSocketTransport();
    private final LinkedBlockingQueue<Connection> opened = new LinkedBlockingQueue<>();
    private final List<RawWebSocket> clients = new ArrayList<>();

    @BeforeEach
    void start() throws IOException {
        before.addAll(Thread.getAllStackTraces().keySet());
        ServerTransport.Config config = new ServerTransport.Config(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                1 << 16,
                4096,
                Duration.ofSeconds(10),
                1 << 16,
                5_000,
                5_000,
                5_000,
                null);
        transport.start(config, new Echo());
    }

    @AfterEach
    void stopLeavesNoThread() throws Exception {
        for (RawWebSocket client : clients) {
            client.close();
        }
        transport.stop(Duration.ofSeconds(5));
        await().atMost(Duration.ofSeconds(5))
                .until(() -> Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().startsWith("WebSocket")
                                || thread.getName().startsWith("realtime-transport"))
                        .allMatch(before::contains));
    }

    @Test
    void anInterruptedSenderDoesNotCloseTheConnection() throws Exception {
        RawWebSocket client = open();
        Connection connection = next();
        Thread.currentThread().interrupt();
        boolean sent = connection.send(text("from an interrupted thread"));
        assertTrue(Thread.interrupted(), "the interrupt is the sender's to handle");
        assertTrue(sent);
        assertEquals("from an interrupted thread", client.read().text());
        client.text("still open");
        assertEquals("still open", client.read().text());
    }

    @Test
    void aPeerThatFloodsWithPingsAndReadsNothingFillsNoMoreThanItsBound() throws Exception {
        RawWebSocket client = RawWebSocket.connect(transport.port(), 4096);
        clients.add(client);
        client.upgrade("/");
        Connection connection = next();
        byte[] ping = RawWebSocket.encode(true, RawWebSocket.PING, new byte[125]);
        ByteBuffer many = ByteBuffer.allocate(ping.length * 500);
        while (many.hasRemaining()) {
            many.put(ping);
        }
        for (int i = 0; i < 200; i++) {
            client.send(many.array());
            assertTrue(connection.outboundBytes() <= 1 << 16);
        }
        RawWebSocket other = open();
        other.text("others are served");
        assertEquals("others are served", other.read().text());
    }

    @Test
    void aFloodOfNewConnectionsDoesNotStarveTheOpenOnes() throws Exception {
        List<RawWebSocket> open = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            open.add(open());
        }
        AtomicBoolean over = new AtomicBoolean();
        LinkedBlockingQueue<IOException> failures = new LinkedBlockingQueue<>();
        Thread flood = new Thread(() -> {
            while (!over.get()) {
                try (RawWebSocket one = RawWebSocket.connect(transport.port())) {
                    one.send(new byte[] {'G'});
                } catch (IOException failure) {
                    failures.add(failure);
                    return;
                }
            }
        });
        flood.start();
        for (int round = 0; round < 100; round++) {
            for (RawWebSocket client : open) {
                client.text("r" + round);
                assertEquals("r" + round, client.read().text());
            }
        }
        over.set(true);
        flood.join();
        assertNull(failures.peek());
        assertNull(transport.problem());
    }

    @Test
    void connectionsAreServedBesideManyThatWereWrittenTo() throws Exception {
        for (int i = 0; i < 300; i++) {
            RawWebSocket idle = open();
            next().send(text("hello"));
            assertEquals("hello", idle.read().text());
        }
        RawWebSocket client = open();
        for (int i = 0; i < 2_000; i++) {
            client.text("e" + i);
            assertEquals("e" + i, client.read().text());
        }
    }

    @Test
    void plainHttpAndOtherVersionsAreToldToUpgrade() throws Exception {
        String otherVersion = String.join(
                "\r\n",
                "GET / HTTP/1.1",
                "Host: x",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 8",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "",
                "");
        for (String head : List.of("GET / HTTP/1.1\r\nHost: x\r\n\r\n", otherVersion)) {
            RawWebSocket client = RawWebSocket.connect(transport.port());
            clients.add(client);
            client.send(head.getBytes(StandardCharsets.US_ASCII));
            String answer = client.readHead();
            assertTrue(answer.startsWith("HTTP/1.1 426 "), answer);
            assertTrue(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), answer);
        }
        RawWebSocket garbage = RawWebSocket.connect(transport.port());
        clients.add(garbage);
        garbage.send("\u0016\u0003\u0001 hello tls\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(garbage.readHead().startsWith("HTTP/1.1 400 "));
    }

    private RawWebSocket open() throws IOException {
        RawWebSocket client = RawWebSocket.open(transport.port());
        clients.add(client);
        return client;
    }

    private Connection next() throws InterruptedException {
        Connection connection = opened.poll(10, TimeUnit.SECONDS);
        assertNotNull(connection);
        return connection;
    }

    private static FrameBatch text(String text) {
        return FrameBatch.of(Frame.text(text.getBytes(StandardCharsets.UTF_8)));
    }

    private final class Echo implements ServerTransport.Acceptor {
        @Override
        public ServerTransport.Upgrade upgrade(Handshake handshake) {
            return ServerTransport.Upgrade.accept(null);
        }

        @Override
        public ConnectionListener open(Connection connection, Handshake handshake) {
            opened.add(connection);
            return new ConnectionListener() {
                @Override
                public void onText(String text) {
                    connection.send(WorkaroundsIT.text(text));
                }

                @Override
                public void onBinary(ByteBuffer payload) {}

                @Override
                public void onActivity() {}

                @Override
                public void onDrained() {}

                @Override
                public void onClosed(CloseReason reason) {}
            };
        }
    }
}
