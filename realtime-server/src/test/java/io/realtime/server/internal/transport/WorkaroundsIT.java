package io.realtime.server.internal.transport;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.Tls;
import io.realtime.testing.RawWebSocket;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Isolated;

/** What Java-WebSocket 1.6.0 would get wrong on its own. */
@Timeout(60)
@Isolated("watches all threads")
class WorkaroundsIT {
    private final Set<Thread> before = ConcurrentHashMap.newKeySet();
    private final JavaWebSocketTransport transport = new JavaWebSocketTransport();
    private final EchoAcceptor acceptor = new EchoAcceptor();
    private final List<RawWebSocket> clients = new ArrayList<>();

    @BeforeEach
    void start() throws IOException {
        before.addAll(Thread.getAllStackTraces().keySet());
        transport.start(config(null), acceptor);
    }

    private static ServerTransport.Config config(@Nullable Tls tls) {
        return new ServerTransport.Config(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                1 << 16,
                4096,
                Duration.ofMinutes(1),
                1 << 16,
                5_000,
                5_000,
                5_000,
                tls);
    }

    @AfterEach
    void stopLeavesNoThread() throws Exception {
        for (RawWebSocket client : clients) {
            client.close();
        }
        transport.stop(Duration.ofSeconds(5));
        await().atMost(Duration.ofSeconds(5)).until(() -> threads().isEmpty());
    }

    /** The transport's threads, the library's included. */
    private Set<Thread> threads() {
        Set<Thread> all = new HashSet<>(Thread.getAllStackTraces().keySet());
        all.removeAll(before);
        all.removeIf(thread -> !thread.getName().matches("(WebSocket|realtime-transport|connectionLost).*"));
        return all;
    }

    private Thread selector() {
        return threads().stream()
                .filter(thread -> thread.getName().startsWith("WebSocketSelector"))
                .findAny()
                .orElseThrow();
    }

    // ---- threads

    @Test
    void noThreadKeepsTheJvmAliveAndNonePingsConnections() throws Exception {
        open();
        acceptor.next();
        assertTrue(threads().size() >= 3, () -> "a selector, workers, a timer: " + threads());
        for (Thread thread : threads()) {
            assertTrue(thread.isDaemon(), thread::getName);
            assertFalse(thread.getName().startsWith("connectionLost"), thread::getName);
        }
    }

    @Test
    void errorInACallStopsNoWorker() throws Exception {
        acceptor.interceptor = call -> {
            throw new NoClassDefFoundError("expected by the test: a call that fails");
        };
        for (int i = 0; i < 2 * Runtime.getRuntime().availableProcessors(); i++) { // every worker
            RawWebSocket undecided = connect();
            undecided.sendUpgrade("/");
            assertTrue(undecided.readHead().startsWith("HTTP/1.1 500 "));
        }
        for (String where : List.of("open", "text", "closed")) {
            acceptor.interceptor = call -> {
                if (call.equals(where)) {
                    throw new NoClassDefFoundError("expected by the test: a call that fails");
                }
            };
            for (int i = 0; i < 2 * Runtime.getRuntime().availableProcessors(); i++) {
                RawWebSocket client = open();
                client.text("hello");
                RawWebSocket.RawFrame answer = client.read();
                if (!where.equals("closed")) {
                    assertEquals(
                            CloseReason.INTERNAL_ERROR, answer.closeReason().code());
                }
                client.close();
                if (!where.equals("open")) { // nobody was there to hear of its end
                    assertNotNull(acceptor.closed.poll(10, TimeUnit.SECONDS));
                }
            }
        }
        acceptor.interceptor = call -> {};
        assertEchoes(open());
        assertNull(transport.problem());
    }

    @Test
    void selectorThatEndedIsAProblemAndItsConnectionsAreCut() throws Exception {
        RawWebSocket client = open();
        selector().interrupt();
        assertEquals(0, client.readToEnd().length);
        await().until(() -> "the selector has ended; see the log".equals(transport.problem()));
    }

    @Test
    void stoppingWhileInterruptedStillCutsConnections() throws Exception {
        RawWebSocket client = open();
        acceptor.next();
        Thread.currentThread().interrupt();
        assertThrows(InterruptedException.class, () -> transport.stop(Duration.ofMinutes(1)));
        assertEquals(CloseReason.GOING_AWAY, client.read().closeReason().code());
        assertEquals(0, client.readToEnd().length);
        assertNotNull(acceptor.closed.poll(10, TimeUnit.SECONDS));
    }

    @Test
    void tlsIsRefusedAndTheMessageSaysWhatToDo() throws Exception {
        Tls tls = new Tls.Pem(Path.of("chain.pem"), Path.of("key.pem"), null);
        IOException refused =
                assertThrows(IOException.class, () -> new JavaWebSocketTransport().start(config(tls), acceptor));
        assertTrue(String.valueOf(refused.getMessage()).contains("realtime-netty"), refused::getMessage);
    }

    // ---- accepting

    @Test
    void acceptedSocketsDoNotWaitToFillTheirSegments() throws Exception {
        open();
        SocketChannel socket = (SocketChannel) key(acceptor.next()).channel();
        assertTrue(socket.getOption(StandardSocketOptions.TCP_NODELAY));
    }

    /** A closed socket stays bound until its selector has a turn. */
    @Test
    void portIsFreeWhenAcceptingHasStoppedThoughNothingElseHappens() {
        int port = transport.port();
        transport.stopAccepting();
        await().until(() -> {
            try (ServerSocketChannel successor = ServerSocketChannel.open()) {
                successor.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
                return true;
            } catch (BindException inUse) {
                return false;
            }
        });
    }

    /** Twice as many as a listening socket holds by default. */
    @Test
    void connectionsWaitInTheBacklogWhileAcceptingPauses() throws Exception {
        CountDownLatch go = new CountDownLatch(1);
        blockTheSelector(go);
        List<RawWebSocket> waiting = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            waiting.add(connect()); // within its ten seconds
        }
        go.countDown();
        for (RawWebSocket client : waiting) {
            client.upgrade("/");
        }
    }

    @Test
    void stoppingFreesThreadsThatAreBlocked() throws Exception {
        blockTheSelector(new CountDownLatch(1));
        transport.stop(Duration.ZERO); // see stopLeavesNoThread
    }

    /** The library's buffers are few: calls that block use them up, and the selector waits for one. */
    private void blockTheSelector(CountDownLatch until) throws IOException {
        acceptor.interceptor = call -> {
            try {
                until.await();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        };
        int buffers = 2 * Runtime.getRuntime().availableProcessors() + 1;
        for (int i = 0; i <= buffers; i++) {
            connect().sendUpgrade("/");
        }
        await().until(() -> Arrays.stream(selector().getStackTrace())
                .anyMatch(frame -> frame.getMethodName().equals("takeBuffer")));
    }

    @Test
    void interruptedSenderDoesNotCloseTheConnection() throws Exception {
        RawWebSocket client = open();
        Connection connection = acceptor.next();
        Thread.currentThread().interrupt();
        boolean sent = connection.send(EchoAcceptor.text("from an interrupted thread"));
        assertTrue(Thread.interrupted(), "the interrupt is the sender's to handle");
        assertTrue(sent);
        assertEquals("from an interrupted thread", client.read().text());
        assertEchoes(client);
    }

    @Test
    void pongsToAPeerThatReadsNothingAreBounded() throws Exception {
        RawWebSocket client = RawWebSocket.connect(transport.port(), 4096);
        clients.add(client);
        client.upgrade("/");
        Connection connection = acceptor.next();
        byte[] ping = RawWebSocket.encode(true, RawWebSocket.PING, new byte[125]);
        ByteBuffer many = ByteBuffer.allocate(ping.length * 500);
        while (many.hasRemaining()) {
            many.put(ping);
        }
        for (int i = 0; i < 200; i++) {
            client.send(many.array());
            assertTrue(connection.outboundBytes() <= 1 << 16);
        }
        assertEchoes(open());
    }

    @Test
    void floodOfNewConnectionsDoesNotStarveTheOpenOnes() throws Exception {
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

    /** The library leaves a key selected, and visits it at each turn, after a write and after a read of nothing. */
    @Test
    void selectorDoesNotVisitIdleConnections() throws Exception {
        String large = "x".repeat(1 << 16);
        for (int i = 0; i < 50; i++) {
            connect().send(new byte[] {'G'}); // no whole head: for the library a read of nothing
            RawWebSocket slow = RawWebSocket.connect(transport.port(), 4096);
            clients.add(slow);
            slow.upgrade("/");
            Connection connection = acceptor.next();
            int sent = 0;
            while (connection.send(EchoAcceptor.text(large.substring(100)))) { // until the selector has to write
                sent++;
            }
            for (; sent > 0; sent--) {
                slow.read();
            }
        }
        RawWebSocket client = open();
        Selector selector = key(acceptor.next()).selector();
        await().until(() -> {
            assertEchoes(client);
            return selector.selectedKeys().size() <= 17;
        });
    }

    @Test
    void connectionThatTheLibraryClosesIsReported() throws Exception {
        RawWebSocket client = open();
        EchoAcceptor.peer(acceptor.next()).impl().closeConnection(CloseReason.ABNORMAL, "");
        assertNotNull(acceptor.closed.poll(10, TimeUnit.SECONDS));
        assertEquals(0, client.readToEnd().length);
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
            RawWebSocket client = connect();
            client.send(head.getBytes(StandardCharsets.US_ASCII));
            String answer = client.readHead();
            assertTrue(answer.startsWith("HTTP/1.1 426 "), answer);
            assertTrue(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), answer);
        }
        RawWebSocket garbage = connect();
        garbage.send("\u0016\u0003\u0001 hello tls\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(garbage.readHead().startsWith("HTTP/1.1 400 "));
    }

    private RawWebSocket connect() throws IOException {
        RawWebSocket client = RawWebSocket.connect(transport.port());
        clients.add(client);
        return client;
    }

    private RawWebSocket open() throws IOException {
        RawWebSocket client = connect();
        client.upgrade("/");
        return client;
    }

    private static SelectionKey key(Connection connection) {
        return EchoAcceptor.peer(connection).impl().getSelectionKey();
    }

    private static void assertEchoes(RawWebSocket client) throws IOException {
        client.text("served");
        assertEquals("served", client.read().text());
    }
}
