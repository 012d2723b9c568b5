package io.realtime.testing;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class FaultProxyIT {
    private static final int PATIENCE_MILLIS = 10_000;

    private final List<Socket> opened = new ArrayList<>();
    private ServerSocket target;
    private FaultProxy proxy;

    @BeforeEach
    void start() throws IOException {
        target = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        proxy = FaultProxy.to(target.getLocalPort());
    }

    @AfterEach
    void stop() throws IOException {
        proxy.close();
        target.close();
        for (Socket socket : opened) {
            socket.close();
        }
        String name = "fault-proxy-" + proxy.port();
        await().until(() ->
                Thread.getAllStackTraces().keySet().stream().noneMatch(thread -> name.equals(thread.getName())));
    }

    private Socket connect() throws IOException {
        return opened(new Socket(InetAddress.getLoopbackAddress(), proxy.port()));
    }

    private Socket accept() throws IOException {
        return opened(target.accept());
    }

    private Socket opened(Socket socket) throws IOException {
        opened.add(socket);
        socket.setSoTimeout(PATIENCE_MILLIS);
        socket.setTcpNoDelay(true);
        return socket;
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    private static CompletableFuture<Void> write(Socket to, byte[] bytes) {
        return CompletableFuture.runAsync(() -> {
            try {
                to.getOutputStream().write(bytes);
                to.shutdownOutput();
            } catch (IOException failure) {
                throw new AssertionError(failure);
            }
        });
    }

    private static void assertReset(Socket socket) {
        assertThrows(SocketException.class, () -> socket.getInputStream().readAllBytes());
    }

    private static void assertSilent(Socket socket) throws IOException {
        socket.setSoTimeout(50);
        assertThrows(SocketTimeoutException.class, () -> socket.getInputStream().read());
        socket.setSoTimeout(PATIENCE_MILLIS);
    }

    @Test
    void bytesFlowBothWaysAndEachDirectionEndsByItself() throws Exception {
        Socket client = connect();
        Socket server = accept();
        byte[] up = random(3_000_000);
        byte[] down = random(2_000_000);
        CompletableFuture<Void> sent = write(client, up);
        assertArrayEquals(up, server.getInputStream().readAllBytes());
        sent.join();
        assertEquals(1, proxy.connections());
        sent = write(server, down);
        assertArrayEquals(down, client.getInputStream().readAllBytes());
        sent.join();
        await().until(() -> proxy.connections() == 0);
    }

    @Test
    void cutAllResetsBothSidesAndTheNextConnectionWorks() throws Exception {
        Socket client = connect();
        Socket server = accept();
        client.getOutputStream().write(1);
        assertEquals(1, server.getInputStream().read());
        proxy.cutAll();
        assertEquals(0, proxy.connections());
        assertReset(client);
        assertReset(server);
        Socket next = connect();
        next.getOutputStream().write(2);
        assertEquals(2, accept().getInputStream().read());
    }

    @Test
    void resetByOnePeerIsSeenByTheOther() throws Exception {
        Socket client = connect();
        Socket server = accept();
        server.setSoLinger(true, 0);
        server.close();
        assertReset(client);
        await().until(() -> proxy.connections() == 0);
    }

    @Test
    void unreachableTargetResetsTheClient() throws Exception {
        target.close();
        assertReset(connect());
    }

    @Test
    void delayHoldsEachDirectionAndKeepsOrderWhenItShrinks() throws Exception {
        Socket client = connect();
        Socket server = accept();
        Duration delay = Duration.ofMillis(60);
        proxy.delay(delay);
        long start = System.nanoTime();
        client.getOutputStream().write(1);
        assertEquals(1, server.getInputStream().read());
        server.getOutputStream().write(2);
        assertEquals(2, client.getInputStream().read());
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        assertTrue(took.compareTo(delay.multipliedBy(2)) >= 0, took::toString);

        byte[] early = random(1000);
        byte[] late = random(1001);
        client.getOutputStream().write(early);
        proxy.delay(Duration.ZERO);
        client.getOutputStream().write(late);
        assertArrayEquals(early, server.getInputStream().readNBytes(early.length));
        assertArrayEquals(late, server.getInputStream().readNBytes(late.length));
    }

    @Test
    void throttleBoundsTheRateUntilItIsLifted() throws Exception {
        Socket client = connect();
        Socket server = accept();
        proxy.throttle(100_000);
        byte[] bytes = random(20_000);
        long start = System.nanoTime();
        client.getOutputStream().write(bytes);
        assertArrayEquals(bytes, server.getInputStream().readNBytes(bytes.length));
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        assertTrue(took.toMillis() >= 150, took::toString); // 200 ms less two bursts of 20 ms

        proxy.throttle(1); // 3,000,000 s for what follows
        CompletableFuture<Void> sent = write(client, random(3_000_000));
        proxy.throttle(0);
        assertEquals(3_000_000, server.getInputStream().readAllBytes().length);
        sent.join();
    }

    @Test
    void halfOpenForwardsNothingAndLosesNothingWhenItThaws() throws Exception {
        Socket client = connect();
        Socket server = accept();
        proxy.halfOpen(true);
        client.getOutputStream().write(1);
        assertSilent(server);
        client.close(); // which the server does not learn either
        assertSilent(server);
        Socket newcomer = connect();
        newcomer.getOutputStream().write(2);
        await().until(() -> proxy.connections() == 2);
        proxy.halfOpen(false);
        assertEquals(1, server.getInputStream().read());
        assertEquals(-1, server.getInputStream().read());
        assertEquals(2, accept().getInputStream().read());
    }

    @Test
    void resetAfterCutsEachConnectionInMiddleUntilItIsLifted() throws Exception {
        Socket open = connect();
        Socket openServer = accept();
        proxy.resetAfter(1000);
        Socket later = connect();
        Socket laterServer = accept();
        for (Socket client : List.of(open, later)) {
            client.getOutputStream().write(random(999));
            Socket server = client == open ? openServer : laterServer;
            assertArrayEquals(random(999), server.getInputStream().readNBytes(999));
            server.getOutputStream().write(random(2000));
            assertReset(server);
            assertReset(client);
        }
        proxy.resetAfter(0);
        Socket spared = connect();
        CompletableFuture<Void> sent = write(spared, random(50_000));
        assertEquals(50_000, accept().getInputStream().readAllBytes().length);
        sent.join();
    }

    @Test
    void refuseResetsNewcomersAndSparesTheOpen() throws Exception {
        Socket client = connect();
        Socket server = accept();
        proxy.refuse(true);
        assertReset(connect());
        client.getOutputStream().write(1);
        assertEquals(1, server.getInputStream().read());
        proxy.refuse(false);
        connect().getOutputStream().write(2);
        assertEquals(2, accept().getInputStream().read());
    }

    @Test
    void fullBufferStopsReading() throws Exception {
        int most = 64 << 20; // far more than the systems' buffers and the proxy's
        try (SocketChannel client =
                SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), proxy.port()))) {
            proxy.delay(Duration.ofHours(1));
            client.configureBlocking(false);
            byte[] bytes = random(most);
            ByteBuffer rest = ByteBuffer.wrap(bytes);
            await().pollInterval(Duration.ofMillis(5))
                    .during(Duration.ofMillis(100))
                    .until(() -> {
                        assertTrue(rest.hasRemaining(), "the proxy took all");
                        return client.write(rest) == 0;
                    });
        }
    }

    @Test
    void negativeFiguresAreRefusedByName() {
        for (Runnable misuse : List.<Runnable>of(
                () -> proxy.throttle(-1), () -> proxy.resetAfter(-1), () -> proxy.delay(Duration.ofNanos(-1)))) {
            assertEquals(
                    "-1 is negative",
                    assertThrows(IllegalArgumentException.class, misuse::run).getMessage());
        }
    }

    @Test
    void closeResetsConnectionsAndReleasesThePort() throws Exception {
        Socket client = connect();
        Socket server = accept();
        proxy.close();
        assertReset(client);
        assertReset(server);
        assertThrows(IOException.class, this::connect);
        proxy.cutAll();
        proxy.close();
    }
}
