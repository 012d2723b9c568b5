package io.realtime.netty;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.netty.channel.epoll.Epoll;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import io.realtime.spi.Connection;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.Tls;
import io.realtime.testing.RawWebSocket;
import java.io.IOException;
import java.net.BindException;
import java.net.Inet4Address;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** What is particular to this transport, and a whole server on it. */
@Timeout(60)
@Isolated("watches all threads")
class NettyServerIT {
    private static final TestIdentity IDENTITY = TestIdentity.of("EC");
    private static final Event<Integer> SAY = Event.of("say", Integer.class);
    private static final Event<Integer> SAID = Event.of("said", Integer.class);

    private final Set<Thread> before = ConcurrentHashMap.newKeySet();
    private final NettyTransport transport = new NettyTransport();
    private final Echo echo = new Echo();
    private final List<RawWebSocket> clients = new ArrayList<>();

    @BeforeEach
    void noteThreads() {
        before.addAll(Thread.getAllStackTraces().keySet());
    }

    @AfterEach
    void stopLeavesNoThread() throws Exception {
        for (RawWebSocket client : clients) {
            client.close();
        }
        transport.stop(Duration.ofSeconds(5));
        await().atMost(Duration.ofSeconds(5)).until(() -> threads().allMatch(before::contains));
    }

    private static Stream<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("realtime-netty"));
    }

    private void start() throws Exception {
        transport.start(Echo.config(null, Duration.ofSeconds(10)), echo);
    }

    private RawWebSocket open() throws Exception {
        RawWebSocket client = RawWebSocket.open(transport.port());
        clients.add(client);
        return client;
    }

    @Test
    void serviceLoaderFindsTheTransport() {
        List<ServerTransport.Provider> found = ServiceLoader.load(ServerTransport.Provider.class).stream()
                .map(ServiceLoader.Provider::get)
                .toList();
        assertEquals(1, found.size());
        assertEquals("netty", found.get(0).name());
        assertInstanceOf(NettyTransport.class, found.get(0).create());
    }

    @Test
    @EnabledOnOs(
            value = OS.LINUX,
            architectures = {"amd64", "aarch64"})
    void linuxUsesTheNativeTransport() {
        assertTrue(Epoll.isAvailable(), () -> String.valueOf(Epoll.unavailabilityCause()));
    }

    @Test
    void failedStartSaysWhyAndLeavesNoThread() throws Exception {
        start();
        int port = transport.port();
        for (boolean epoll : new boolean[] {Epoll.isAvailable(), false}) {
            NettyTransport second = new NettyTransport(epoll);
            ServerTransport.Config taken = new ServerTransport.Config(
                    new InetSocketAddress("localhost", port), 1, 1, Duration.ofSeconds(1), 1, 1, 1, 1, null);
            BindException inUse = assertThrows(BindException.class, () -> second.start(taken, echo));
            assertEquals("Address already in use", inUse.getMessage());
        }
        transport.stop(Duration.ofSeconds(5));
    }

    @Test
    @EnabledOnOs(OS.LINUX) // which lists a process's descriptors
    void failedStartLeavesNoSocket() throws Exception {
        start();
        ServerTransport.Config free = Echo.config(null, Duration.ofSeconds(10));
        ServerTransport.Config taken = new ServerTransport.Config(
                new InetSocketAddress(transport.port()),
                free.messageBytes(),
                free.handshakeBytes(),
                free.handshakeTimeout(),
                free.outboundBytes(),
                free.connections(),
                free.connectionsPerAddress(),
                free.pendingUpgrades(),
                null);
        for (boolean epoll : List.of(Epoll.isAvailable(), false)) {
            long sockets = sockets();
            for (int i = 0; i < 50; i++) {
                assertThrows(IOException.class, () -> new NettyTransport(epoll).start(taken, echo));
            }
            await().atMost(Duration.ofSeconds(10)).until(() -> sockets() <= sockets);
        }
    }

    private static long sockets() throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors
                    .filter(descriptor -> {
                        try {
                            return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
                        } catch (IOException closed) {
                            return false;
                        }
                    })
                    .count();
        }
    }

    @Test
    void daemonThreadsAreNamed() throws Exception {
        start();
        open();
        assertTrue(threads().findAny().isPresent());
        assertTrue(threads().allMatch(Thread::isDaemon));
    }

    /** A publisher is faster than an event loop that has much else to do; that is no fault of a peer that reads. */
    @Test
    void senderIsToldThatTheEventLoopIsBehind() throws Exception {
        CountDownLatch busy = new CountDownLatch(1);
        CountDownLatch free = new CountDownLatch(1);
        echo.onText = text -> {
            busy.countDown();
            assertDoesNotThrow(() -> free.await());
        };
        start();
        RawWebSocket client = open();
        Connection connection = Echo.next(echo.opened);
        client.text("be busy");
        busy.await();
        CompletableFuture<Void> caughtUp = new CompletableFuture<>();
        int sent = 0;
        while (!connection.awaitWritable(() -> caughtUp.complete(null))) {
            assertTrue(connection.send(Echo.text("message " + sent)), "refused though the peer reads");
            sent++;
        }
        assertTrue(connection.outboundBytes() < Echo.OUTBOUND_BYTES / 2, () -> connection.outboundBytes() + " wait");
        assertFalse(caughtUp.isDone());
        free.countDown();
        caughtUp.get(10, TimeUnit.SECONDS);
        for (int i = 0; i < sent; i++) {
            assertEquals("message " + i, client.read().text());
        }
        assertEquals("be busy", client.read().text());
        assertFalse(connection.awaitWritable(() -> fail("nothing waits")));
    }

    @Test
    void peerThatSendsWithoutPauseDelaysNoOther() throws Exception {
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch busy = new CountDownLatch(1);
        CountDownLatch free = new CountDownLatch(1);
        echo.onText = text -> {
            heard.add(text);
            if (text.equals("be busy")) {
                busy.countDown();
                assertDoesNotThrow(() -> free.await());
            }
        };
        start();
        RawWebSocket flooder = open();
        List<RawWebSocket> others = new ArrayList<>(); // enough to have one on the flooder's loop
        for (int i = 0; i < 4 * Runtime.getRuntime().availableProcessors(); i++) {
            others.add(open());
        }
        flooder.text("be busy");
        busy.await();
        byte[] flood = RawWebSocket.encode(true, RawWebSocket.TEXT, "flood".getBytes(StandardCharsets.US_ASCII));
        ByteBuffer many = ByteBuffer.allocate(flood.length * 10_000);
        while (many.hasRemaining()) {
            many.put(flood);
        }
        flooder.send(many.array());
        for (RawWebSocket other : others) {
            other.text("my turn");
        }
        free.countDown();
        for (RawWebSocket other : others) {
            assertEquals("my turn", other.read().text());
        }
        List<String> inOrder = new ArrayList<>(heard);
        int before = inOrder.subList(0, inOrder.lastIndexOf("my turn")).stream()
                .mapToInt(text -> text.equals("flood") ? flood.length : 0)
                .sum();
        assertTrue(before <= 3 * 16 * 1024, () -> before + " bytes of the flood had their turn before the others");
    }

    /** Limits for one address would else count all of IPv4 as one network. */
    @Test
    void peerOfIpv4IsOneThoughTheSocketListensOnBoth() throws Exception {
        ServerTransport.Config one = Echo.config(null, Duration.ofSeconds(10));
        transport.start(
                new ServerTransport.Config(
                        new InetSocketAddress(0),
                        one.messageBytes(),
                        one.handshakeBytes(),
                        one.handshakeTimeout(),
                        one.outboundBytes(),
                        one.connections(),
                        one.connectionsPerAddress(),
                        one.pendingUpgrades(),
                        null),
                echo);
        RawWebSocket client = open();
        assertInstanceOf(Inet4Address.class, Echo.next(echo.handshakes).remote().getAddress());
        assertEquals("127.0.0.1:" + client.localPort(), Echo.next(echo.opened).remoteAddress());
    }

    @Test
    void interruptedSenderSendsAsAnyOther() throws Exception {
        start();
        RawWebSocket client = open();
        Connection connection = Echo.next(echo.opened);
        Thread.currentThread().interrupt();
        boolean sent = connection.send(Echo.text("from an interrupted thread"));
        assertTrue(Thread.interrupted(), "the interrupt is the sender's to handle");
        assertTrue(sent);
        assertEquals("from an interrupted thread", client.read().text());
    }

    @Test
    void pongsToAPeerThatReadsNothingAreBounded() throws Exception {
        start();
        RawWebSocket client = RawWebSocket.connect(transport.port(), 4096);
        clients.add(client);
        client.upgrade("/");
        Connection connection = Echo.next(echo.opened);
        byte[] ping = RawWebSocket.encode(true, RawWebSocket.PING, new byte[125]);
        ByteBuffer many = ByteBuffer.allocate(ping.length * 500);
        while (many.hasRemaining()) {
            many.put(ping);
        }
        for (int i = 0; i < 200; i++) {
            client.send(many.array());
            assertTrue(connection.outboundBytes() <= Echo.OUTBOUND_BYTES);
        }
        RawWebSocket other = open();
        other.text("others are served");
        assertEquals("others are served", other.read().text());
    }

    @Test
    void peerThatEndedItsOutputStillReadsTheAnswer() throws Exception {
        start();
        for (int i = 0; i < 20; i++) {
            RawWebSocket client = open();
            client.close(4001, "bye");
            client.shutdownOutput();
            assertEquals(4001, client.read().closeReason().code());
            RawWebSocket noUpgrade = RawWebSocket.connect(transport.port());
            clients.add(noUpgrade);
            noUpgrade.send("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            noUpgrade.shutdownOutput();
            assertTrue(noUpgrade.readHead().startsWith("HTTP/1.1 426 "));
        }
    }

    @Test
    void listenerThatThrowsHearsNothingMoreButTheEnd() throws Exception {
        start();
        AtomicInteger heard = new AtomicInteger();
        echo.onText = text -> {
            heard.incrementAndGet();
            throw new IllegalStateException("expected by the test: a listener that throws");
        };
        RawWebSocket client = open();
        byte[] boom = RawWebSocket.encode(true, RawWebSocket.TEXT, new byte[] {'b'});
        client.send(ByteBuffer.allocate(3 * boom.length)
                .put(boom)
                .put(boom)
                .put(boom)
                .array());
        assertEquals(CloseReason.INTERNAL_ERROR, client.read().closeReason().code());
        client.close();
        assertEquals(CloseReason.INTERNAL_ERROR, Echo.next(echo.closed).code());
        assertEquals(1, heard.get());
    }

    @Test
    void floodOfNewConnectionsDoesNotStarveTheOpenOnes() throws Exception {
        start();
        List<RawWebSocket> open = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            open.add(open());
        }
        AtomicBoolean over = new AtomicBoolean();
        BlockingQueue<Exception> failures = new LinkedBlockingQueue<>();
        Thread flood = new Thread(() -> {
            while (!over.get()) {
                try (RawWebSocket one = RawWebSocket.connect(transport.port())) {
                    one.send(new byte[] {'G'});
                } catch (Exception failure) {
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
    void serverAndItsClientSpeakOverTls(@TempDir Path folder) throws Exception {
        Tls.Pem pem = IDENTITY.pem(folder);
        BlockingQueue<Integer> said = new LinkedBlockingQueue<>();
        try (RealtimeServer server = RealtimeServer.builder()
                        .port(0)
                        .anonymous()
                        .tls(pem.certificates(), pem.key())
                        .allowJoin((session, room) -> true)
                        .on(
                                SAY,
                                (session, message) ->
                                        session.room(message.requireRoom()).send(SAID, message.data()))
                        .build()
                        .start();
                RealtimeClient client = RealtimeClient.builder(URI.create("wss://localhost:" + server.port() + "/ws"))
                        .tls(IDENTITY.client().getSocketFactory())
                        .build()) {
            client.on(SAID, message -> said.add(message.data()));
            client.connect().get(10, TimeUnit.SECONDS);
            client.room("chat").join().get(10, TimeUnit.SECONDS);
            List<CompletableFuture<Void>> sent = IntStream.range(0, 1_000)
                    .mapToObj(i -> client.room("chat").send(SAY, i))
                    .toList();
            CompletableFuture.allOf(sent.toArray(new CompletableFuture<?>[0])).get(10, TimeUnit.SECONDS);
            for (int i = 0; i < 1_000; i++) {
                assertEquals(i, Echo.next(said));
            }
        }
    }

    @Test
    void serverWithUnusableTlsFailsToStartAndNamesTheFile(@TempDir Path folder) throws Exception {
        Tls.Pem pem = IDENTITY.pem(folder);
        Files.writeString(pem.key(), "lost");
        RealtimeServer server = RealtimeServer.builder()
                .port(0)
                .anonymous()
                .tls(pem.certificates(), pem.key())
                .build();
        RealtimeException refused = assertThrows(RealtimeException.class, server::start);
        assertTrue(String.valueOf(refused.getMessage()).contains(pem.key().toString()), refused.getMessage());
        assertFalse(String.valueOf(refused.getMessage()).contains("in use"));
    }
}
