package io.realtime.client.internal.transport;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.client.RealtimeClient;
import io.realtime.internal.wire.Envelope;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.UpgradeException;
import io.realtime.spi.WireMessage;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import org.java_websocket.WebSocket;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.enums.Opcode;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.protocols.Protocol;
import org.java_websocket.server.DefaultSSLWebSocketServerFactory;
import org.java_websocket.server.WebSocketServer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JavaWebSocketClientTransportIT {
    private final List<AutoCloseable> toClose = new ArrayList<>();

    @AfterEach
    void noThreadIsLeft() throws Exception {
        Collections.reverse(toClose);
        for (AutoCloseable one : toClose) {
            one.close();
        }
        await().until(JavaWebSocketClientTransportIT::hasNoThreads);
    }

    private static boolean hasNoThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread -> thread.getName().startsWith("realtime-client")
                        || thread.getName().startsWith("WebSocketWriteThread"));
    }

    private Server server(String subprotocol) throws Exception {
        Server server = new Server(subprotocol);
        server.setReuseAddr(true);
        server.start();
        assertTrue(server.started.await(10, TimeUnit.SECONDS));
        toClose.add(() -> server.stop(1_000));
        return server;
    }

    private static ClientTransport.Target target(int port, int messageBytes, int outboundBytes) {
        URI uri = URI.create("ws://localhost:" + port + "/ws?a=b");
        return new ClientTransport.Target(uri, Map.of("X-Test", "yes"), "realtime.v1", messageBytes, outboundBytes);
    }

    private Client connect(ClientTransport.Target target) {
        Client client = new Client();
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport().connect(target, client);
        toClose.add(attempt::cancel);
        return client;
    }

    private static MessageBatch text(String text) {
        return MessageBatch.of(WireMessage.text(text.getBytes(StandardCharsets.UTF_8)));
    }

    @Test
    void carriesTextBothWaysWithTheHandshake() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 100_000, 1 << 20));
        Connection connection = client.connection();
        for (String text : List.of("", "häßlich \uD83D\uDE00", "x".repeat(126), "x".repeat(70_000))) {
            assertTrue(connection.send(text(text)));
            assertEquals(text, client.next());
        }
        assertEquals("/ws?a=b", server.resource);
        assertEquals("yes", server.header);
        assertEquals("localhost:" + server.getPort(), server.host);
        connection.ping();
        await().until(() -> client.activity > 0);
        connection.close(new CloseReason(CloseReason.NORMAL, "done"));
        CloseReason closed = client.closed.get(10, TimeUnit.SECONDS);
        assertEquals(CloseReason.NORMAL, closed.code());
        assertFalse(connection.send(text("late")));
    }

    @Test
    void hostNameWithAnUnderscoreIsDialedAndNamedToTheServer() throws Exception {
        Server server = server("realtime.v1");
        URI uri = URI.create("ws://under_score:" + server.getPort() + "/ws");
        Client client = new Client();
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport(
                        null, host -> host.equals("under_score") ? addresses("127.0.0.1") : addresses())
                .connect(new ClientTransport.Target(uri, Map.of(), "realtime.v1", 1_000, 1_000), client);
        toClose.add(attempt::cancel);
        assertEquals("under_score:" + server.getPort(), client.connection().remoteAddress());
        await().until(() -> server.host.equals("under_score:" + server.getPort()));
    }

    @Test
    void addressThatRefusesIsFollowedByTheNext() throws Exception {
        Server server = server("realtime.v1");
        Client client = new Client();
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport(
                        null, host -> addresses("127.0.0.9", "127.0.0.8", "127.0.0.1"))
                .connect(target(server.getPort(), 1_000, 1_000), client);
        toClose.add(attempt::cancel);
        assertNotNull(client.connection());
    }

    @Test
    void failureNamesTheHostThatIsNotKnown() throws Exception {
        Client client = new Client();
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport(null, host -> {
                    throw new UnknownHostException(host);
                })
                .connect(target(1, 1_000, 1_000), client);
        toClose.add(attempt::cancel);
        assertEquals(
                "cannot connect to ws://localhost:1/ws: java.net.UnknownHostException: localhost",
                client.failed.get(10, TimeUnit.SECONDS).getMessage());
    }

    private static InetAddress[] addresses(String... literals) throws UnknownHostException {
        InetAddress[] found = new InetAddress[literals.length];
        for (int i = 0; i < literals.length; i++) {
            found[i] = InetAddress.getByName(literals[i]);
        }
        return found;
    }

    @Test
    void messageThatIsNotWholeTellsItsProgress() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 100_000, 1 << 20));
        assertNotNull(client.connection());
        WebSocket peer = server.peer();
        peer.sendFragmentedFrame(Opcode.TEXT, ByteBuffer.wrap(new byte[400]), false);
        await().until(() -> client.progress.get() >= 400);
        peer.sendFragmentedFrame(Opcode.TEXT, ByteBuffer.wrap(new byte[400]), false);
        await().until(() -> client.progress.get() >= 800);
    }

    @Test
    void frameThatIsNotWholeTellsItsProgress() throws Exception {
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served =
                    CompletableFuture.runAsync(() -> serve(plain, new byte[] {(byte) 0x81, 126, 3, 0, 'a', 'b', 'c'}));
            Client client = connect(target(plain.getLocalPort(), 1_000, 1_000));
            assertEquals(
                    CloseReason.ABNORMAL,
                    client.closed.get(10, TimeUnit.SECONDS).code());
            assertTrue(client.progress.get() >= 3, client.progress::toString);
            served.get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void tellsTheServersCloseCode() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 1_000, 1_000));
        assertNotNull(client.connection());
        await().until(() ->
                !server.getConnections().isEmpty()); // it answers the upgrade before it lists the connection
        server.getConnections().iterator().next().close(4102, "slow");
        assertEquals(new CloseReason(4102, "slow"), client.closed.get(10, TimeUnit.SECONDS));
        assertTrue(client.closedByPeer);
    }

    @Test
    void aServerThatSelectsNoSubprotocolIsNone() throws Exception {
        Client client = connect(target(server("").getPort(), 1_000, 1_000));
        String message = client.failed.get(10, TimeUnit.SECONDS).getMessage();
        assertTrue(String.valueOf(message).contains("did not select the subprotocol realtime.v1"), message);
    }

    /** Whole, or as far as it came. */
    @ParameterizedTest
    @CsvSource({
        "HTTP/1.1 403 Forbidden|Content-Length: 0|X-Why: no||, 403, Forbidden, no",
        "HTTP/1.1 503 Service Unavailable|Retry-After: 7|X-Why: busy||<html>page</html>, 503, Service Unavailable, busy",
        "HTTP/1.0 200 OK|X-Why: portal||<html>log in here</html>, 200, OK, portal",
        "HTTP/1.1 404|X-Why: path||, 404, '', path",
        "HTTP/1.1 404 a\u001b[31mb|X-Why: forged||, 404, a [31mb, forged",
        "HTTP/1.1 404 a\u009b31mb|X-Why: C1||, 404, a 31mb, C1",
        "HTTP/1.1 404 Not Found~X-Why: LF~~, 404, Not Found, LF",
        "HTTP/1.1 404 Not Found~X-Why: LF~X-Ha, 404, Not Found, LF",
        "HTTP/1.1 502 Bad Gateway|X-Why: cut|X-Ha, 502, Bad Gateway, cut",
    })
    void aRefusedUpgradeTellsItsStatusAndHeaders(String answer, int status, String phrase, String why)
            throws Exception {
        UpgradeException refusal =
                assertInstanceOf(UpgradeException.class, answered(answer).getCause());
        assertEquals(("upgrade refused: " + status + " " + phrase).trim(), refusal.getMessage());
        assertEquals(status, refusal.status());
        assertEquals(why, refusal.headers().get("x-why"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "SSH-2.0-OpenSSH_9.2||; the server's answer is not HTTP: 'SSH-2.0-OpenSSH_9.2'",
                "x\u0003\u009by; the server's answer is not HTTP: 'x  y'",
                "''; the connection was closed before the server answered",
                "HTTP/1.1 4; the connection was closed in the middle of the server's answer: 'HTTP/1.1 4'",
                "HTTP/1.1 101 OK|Upgrade: we; the connection was closed in the middle of the server's answer: 'HTTP/1.1 101 OK'",
            })
    void answerThatIsNoStatusIsNamed(String answer, String why) throws Exception {
        Exception failure = answered(answer);
        assertFalse(failure.getCause() instanceof UpgradeException, failure.toString());
        String message = String.valueOf(failure.getMessage());
        assertTrue(message.endsWith("/ws: " + why), message);
    }

    @Test
    void subprotocolThatAHostileServerSelectsIsPrintable() throws Exception {
        Exception failure = answered("HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Connection: Upgrade"
                + "|Sec-WebSocket-Protocol: a\u001b31mb||");
        assertTrue(String.valueOf(failure.getMessage()).endsWith("but 'a 31mb'"), failure.toString());
    }

    @Test
    void refusalWithoutCarriageReturnsIsTakenBeforeTheServerCloses() throws Exception {
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(
                    () -> serveRaw(plain, "HTTP/1.1 404 Not Found\nX: y\n\n".getBytes(StandardCharsets.US_ASCII)));
            Client client = connect(target(plain.getLocalPort(), 1_000, 1_000));
            assertInstanceOf(
                    UpgradeException.class,
                    client.failed.get(10, TimeUnit.SECONDS).getCause());
            served.get(10, TimeUnit.SECONDS);
        }
    }

    /** Answers a connection, and waits until the client ends it. */
    private static void serveRaw(ServerSocket plain, byte[] answer) {
        try (Socket socket = plain.accept()) {
            assertTrue(socket.getInputStream().read(new byte[4096]) > 0);
            socket.getOutputStream().write(answer);
            assertEquals(-1, socket.getInputStream().read(), "nothing follows");
        } catch (IOException ended) {
            // by the client, with a reset
        }
    }

    /** Returns why an attempt has failed that got this answer, its lines parted by bars, or by tildes for a line feed alone. */
    private Exception answered(String answer) throws Exception {
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> done = CompletableFuture.runAsync(() -> {
                try (Socket socket = plain.accept()) {
                    assertTrue(socket.getInputStream().read(new byte[4096]) > 0);
                    byte[] bytes =
                            answer.replace("|", "\r\n").replace("~", "\n").getBytes(StandardCharsets.ISO_8859_1);
                    for (byte one : bytes) { // in as many reads as the client likes
                        socket.getOutputStream().write(one);
                    }
                } catch (IOException closed) {
                    // the client hangs up as it likes
                }
            });
            Exception failure =
                    connect(target(plain.getLocalPort(), 1_000, 1_000)).failed.get(10, TimeUnit.SECONDS);
            done.get(10, TimeUnit.SECONDS);
            return failure;
        }
    }

    @Test
    void nobodyListeningFails() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        Client client = connect(target(port, 1_000, 1_000));
        String message = client.failed.get(10, TimeUnit.SECONDS).getMessage();
        assertTrue(String.valueOf(message).contains("cannot connect to ws://localhost:"), message);
        assertFalse(String.valueOf(message).contains("a=b"), message);
    }

    @Test
    void aMessageBeyondTheLimitClosesWith1009() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 1_000, 1 << 20));
        assertNotNull(client.connection());
        server.peer().send("x".repeat(1_001));
        assertEquals(
                CloseReason.TOO_BIG, client.closed.get(10, TimeUnit.SECONDS).code());
        assertFalse(client.closedByPeer);
    }

    @Test
    void fragmentsAreCountedBeforeTheLastOne() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 1_000, 1 << 20));
        assertNotNull(client.connection());
        WebSocket peer = server.peer();
        for (int i = 0; i < 3; i++) {
            peer.sendFragmentedFrame(Opcode.TEXT, ByteBuffer.wrap(new byte[400]), false);
        }
        assertEquals(
                CloseReason.TOO_BIG, client.closed.get(10, TimeUnit.SECONDS).code());
    }

    @Test
    void aCloseWithoutACodeIs1005() throws Exception {
        assertClosed(new byte[] {(byte) 0x88, 0}, CloseReason.NO_STATUS, true);
    }

    @ParameterizedTest
    @CsvSource({
        "c1 01 61, 1002", // a reserved bit
        "83 01 61, 1002", // a reserved opcode
        "81 81 00 00 00 00 61, 1002", // a mask
        "82 7e 00 01 61, 1002", // a length that is not in its shortest form
        "80 01 61, 1002", // a continuation of nothing
        "81 02 c3 28, 1007", // text that is not UTF-8
        "88 02 03 ed, 1002" // a close code that is never sent
    })
    void damagedFrameClosesByClientNotByPeer(String frame, int code) throws Exception {
        assertClosed(HexFormat.ofDelimiter(" ").parseHex(frame), code, false);
    }

    @Test
    void pingsAreAnsweredInTheirOrderWithMaskedPongs() throws Exception {
        byte[] pings = {(byte) 0x89, 1, 'p', (byte) 0x89, 0};
        byte[] pongs = {(byte) 0x8A, 1, 'p', (byte) 0x8A, 0};
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<byte[]> answer = CompletableFuture.supplyAsync(() -> {
                try (Socket socket = plain.accept()) {
                    shakeHands(socket);
                    socket.getOutputStream().write(pings);
                    return unmasked(socket, pongs.length);
                } catch (IOException failure) {
                    throw new AssertionError(failure);
                }
            });
            Client client = connect(target(plain.getLocalPort(), 1_000, 1_000));
            assertArrayEquals(pongs, answer.get(10, TimeUnit.SECONDS));
            client.closed.get(10, TimeUnit.SECONDS);
            assertEquals(1, client.activity);
        }
    }

    @Test
    void serverThatFloodsWithPingsAndReadsNothingFillsNoMoreThanTheBound() throws Exception {
        int bound = 1 << 20;
        byte[] pings = new byte[16 << 20]; // their pongs are more than the system takes
        for (int i = 0; i + 127 <= pings.length; i += 127) {
            pings[i] = (byte) 0x89;
            pings[i + 1] = 125;
        }
        int whole = pings.length / 127 * 127;
        CountDownLatch mayEnd = new CountDownLatch(1);
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(() -> {
                try (Socket socket = plain.accept()) {
                    shakeHands(socket);
                    socket.getOutputStream().write(pings, 0, whole);
                    socket.getOutputStream().write(new byte[] {(byte) 0x81, 1, 'x'});
                    assertTrue(mayEnd.await(20, TimeUnit.SECONDS));
                } catch (IOException | InterruptedException failure) {
                    throw new AssertionError(failure);
                }
            });
            Client client = connect(target(plain.getLocalPort(), 1_000, bound));
            Connection connection = client.connection();
            assertEquals("x", client.next());
            assertTrue(connection.outboundBytes() <= bound, () -> connection.outboundBytes() + " wait");
            assertTrue(connection.outboundBytes() > 0, "the server took all");
            mayEnd.countDown();
            served.get(10, TimeUnit.SECONDS);
            connection.abort();
        }
    }

    /** Reads short masked frames, and returns so many bytes of them without their masks. */
    private static byte[] unmasked(Socket socket, int length) throws IOException {
        ByteBuffer frames = ByteBuffer.allocate(length);
        DataInputStream in = new DataInputStream(socket.getInputStream());
        while (frames.hasRemaining()) {
            frames.put(in.readByte());
            int masked = in.readByte();
            assertTrue(masked < 0, "no mask");
            byte[] key = new byte[4];
            in.readFully(key);
            frames.put((byte) (masked & 0x7F));
            for (int i = 0; i < (masked & 0x7F); i++) {
                frames.put((byte) (in.readByte() ^ key[i % 4]));
            }
        }
        return frames.array();
    }

    @Test
    void lostConnectionIsNotClosedByPeer() throws Exception {
        assertClosed(new byte[] {(byte) 0x81}, CloseReason.ABNORMAL, false);
    }

    @ParameterizedTest
    @ValueSource(ints = {1002, 1009, 4000})
    void closeWithoutTextIsByPeerWhateverItsCode(int code) throws Exception {
        assertClosed(new byte[] {(byte) 0x88, 2, (byte) (code >> 8), (byte) code}, code, true);
    }

    /** Connects to a server that sends these bytes and no more. */
    private void assertClosed(byte[] bytes, int code, boolean byPeer) throws Exception {
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(() -> serve(plain, bytes));
            Client client = connect(target(plain.getLocalPort(), 1_000, 1_000));
            assertEquals(code, client.closed.get(10, TimeUnit.SECONDS).code());
            assertEquals(byPeer, client.closedByPeer);
            served.get(10, TimeUnit.SECONDS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"end of input", "close", "ping while the client closes"})
    void connectionWhoseWriterIsStuckIsFreedAtItsEnd(String end) throws Exception {
        boolean isClosedHere = end.startsWith("ping");
        byte[] bytes = isClosedHere
                ? new byte[] {(byte) 0x89, 0}
                : end.equals("close") ? new byte[] {(byte) 0x88, 2, 3, (byte) 0xe9} : new byte[0];
        int stuck = 24 << 20; // more than the system takes for a peer that does not read
        CountDownLatch mayEnd = new CountDownLatch(1);
        CountDownLatch mayRead = new CountDownLatch(1);
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(() -> {
                try (Socket socket = plain.accept()) {
                    shakeHands(socket);
                    assertTrue(mayEnd.await(20, TimeUnit.SECONDS));
                    socket.getOutputStream().write(bytes);
                    if (bytes.length == 0) {
                        socket.shutdownOutput();
                    }
                    assertTrue(mayRead.await(30, TimeUnit.SECONDS));
                    readToTheEnd(socket);
                } catch (IOException | InterruptedException failure) {
                    throw new AssertionError(failure);
                }
            });
            Client client = connect(target(plain.getLocalPort(), 1_000, 2 * stuck));
            Connection connection = client.connection();
            assertTrue(connection.send(MessageBatch.of(WireMessage.binary(new byte[stuck]))));
            if (isClosedHere) {
                connection.close(new CloseReason(CloseReason.NORMAL, "done"));
            }
            mayEnd.countDown();
            client.closed.get(10, TimeUnit.SECONDS);
            await().atMost(Duration.ofSeconds(20)).until(JavaWebSocketClientTransportIT::hasNoThreads);
            mayRead.countDown();
            served.get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void whatIsBeingWrittenWhenThePeerClosesStillArrives() throws Exception {
        int length = 24 << 20; // more than the system takes for a peer that does not read
        CountDownLatch maySend = new CountDownLatch(1);
        CountDownLatch mayRead = new CountDownLatch(1);
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Long> served = CompletableFuture.supplyAsync(() -> {
                try (Socket socket = plain.accept()) {
                    shakeHands(socket);
                    assertTrue(maySend.await(20, TimeUnit.SECONDS));
                    socket.getOutputStream().write(new byte[] {(byte) 0x88, 2, 3, (byte) 0xe9});
                    assertTrue(mayRead.await(20, TimeUnit.SECONDS));
                    return readToTheEnd(socket);
                } catch (IOException | InterruptedException failure) {
                    throw new AssertionError(failure);
                }
            });
            Client client = connect(target(plain.getLocalPort(), 1_000, 2 * length));
            assertTrue(client.connection().send(MessageBatch.of(WireMessage.binary(new byte[length]))));
            maySend.countDown();
            assertEquals(
                    CloseReason.GOING_AWAY,
                    client.closed.get(10, TimeUnit.SECONDS).code());
            mayRead.countDown();
            assertTrue(served.get(20, TimeUnit.SECONDS) >= length, "the socket was cut");
        }
    }

    /** Reads until the client's socket is closed, and returns how many bytes came. */
    private static long readToTheEnd(Socket socket) {
        byte[] buffer = new byte[1 << 16];
        long total = 0;
        try {
            for (int count = 0; count >= 0; count = socket.getInputStream().read(buffer)) {
                total += count;
            }
        } catch (IOException reset) {
            return total;
        }
        return total;
    }

    private static void serve(ServerSocket listening, byte[] bytes) {
        try (Socket socket = listening.accept()) {
            shakeHands(socket);
            socket.getOutputStream().write(bytes);
            socket.shutdownOutput();
            readToTheEnd(socket);
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    private static void shakeHands(Socket socket) throws IOException {
        try {
            byte[] buffer = new byte[4096];
            int length = socket.getInputStream().read(buffer);
            String request = new String(buffer, 0, length, StandardCharsets.US_ASCII);
            String key = request.replaceAll("(?s).*Sec-WebSocket-Key: (\\S+).*", "$1");
            byte[] hash = MessageDigest.getInstance("SHA-1")
                    .digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(StandardCharsets.US_ASCII));
            String answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Protocol: realtime.v1\r\nSec-WebSocket-Accept: "
                    + Base64.getEncoder().encodeToString(hash) + "\r\n\r\n";
            socket.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
        } catch (NoSuchAlgorithmException failure) {
            throw new AssertionError(failure);
        }
    }

    @Test
    void aPeerThatDoesNotReadFillsTheBoundAndNoMore() throws Exception {
        Server server = server("realtime.v1");
        CountDownLatch release = new CountDownLatch(1);
        server.onText = text -> {
            try {
                assertTrue(release.await(20, TimeUnit.SECONDS));
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        };
        Client client = connect(target(server.getPort(), 1 << 20, 200_000));
        Connection connection = client.connection();
        String text = "x".repeat(50_000);
        await().pollInterval(Duration.ofMillis(1)).until(() -> !connection.send(text(text)));
        assertTrue(connection.outboundBytes() <= 200_100, () -> connection.outboundBytes() + " wait");
        release.countDown();
        await().until(() -> client.drained > 0);
        assertTrue(connection.send(text("again")));
    }

    @Test
    void anAbortEndsAConnectionWhoseWriterIsStuck() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Client client = new Client();
            Scheduler.Cancellable attempt =
                    new JavaWebSocketClientTransport().connect(target(silent.getLocalPort(), 1_000, 1_000), client);
            try (Socket accepted = silent.accept()) {
                attempt.cancel();
                await().until(() -> {
                    try {
                        return accepted.getInputStream().read(new byte[4096]) < 0;
                    } catch (IOException reset) {
                        return true;
                    }
                });
            }
            assertFalse(client.failed.isDone());
        }
    }

    @Test
    void theClientWorksOverARealSocket() throws Exception {
        Server server = server("realtime.v1");
        server.onText = text -> {
            Envelope frame = Envelope.parse(text);
            String answer = frame.type().equals("$hello")
                    ? "{\"type\":\"$welcome\",\"data\":{\"session\":\"s\",\"rooms\":{}}}"
                    : "{\"type\":\"$ack\",\"data\":{\"seq\":" + frame.seq() + "}}";
            server.getConnections().forEach(connection -> connection.send(answer));
        };
        Event<String> note = Event.of("note", String.class);
        try (RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.getPort() + "/ws"))
                .build()) {
            client.connect().get(10, TimeUnit.SECONDS);
            client.send(note, "hello").get(10, TimeUnit.SECONDS);
            server.peer().closeConnection(1006, "cut");
            client.send(note, "again").get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void tlsVerifiesTheCertificateAndTheName(@TempDir Path directory) throws Exception {
        SSLContext context = selfSigned(directory.resolve("keys.p12"), "localhost");
        Server server = tlsServer(context);
        Client trusting = connectTls(server, context.getSocketFactory());
        assertTrue(trusting.connection().send(text("hello")));
        assertEquals("hello", trusting.next());

        Exception untrusted = connectTls(server, null).failed.get(10, TimeUnit.SECONDS);
        assertTrue(untrusted.getCause() instanceof SSLException, untrusted.toString());
        assertTrue(isPermanent(untrusted));

        SSLContext other = selfSigned(directory.resolve("other.p12"), "elsewhere.test");
        Exception misnamed =
                connectTls(tlsServer(other), other.getSocketFactory()).failed.get(10, TimeUnit.SECONDS);
        assertTrue(misnamed.getCause() instanceof SSLException, misnamed.toString());
        assertTrue(misnamed.toString().contains("localhost"), misnamed.toString());
        assertTrue(isPermanent(misnamed));
    }

    private static boolean isPermanent(Exception failure) {
        CloseReason reason = new CloseReason(CloseReason.ABNORMAL, "");
        return new ConnectionException(ErrorCode.CONNECTION_LOST, reason, failure).isPermanent();
    }

    private Server tlsServer(SSLContext context) throws Exception {
        Server server = new Server("realtime.v1");
        server.setWebSocketFactory(new DefaultSSLWebSocketServerFactory(context));
        server.start();
        assertTrue(server.started.await(10, TimeUnit.SECONDS));
        toClose.add(() -> server.stop(1_000));
        return server;
    }

    private Client connectTls(Server server, @Nullable SSLSocketFactory factory) {
        Client client = new Client();
        URI uri = URI.create("wss://localhost:" + server.getPort() + "/ws");
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport(factory)
                .connect(new ClientTransport.Target(uri, Map.of(), "realtime.v1", 1_000, 1_000), client);
        toClose.add(attempt::cancel);
        return client;
    }

    /** Keys of a certificate that vouches for itself, trusted by the context's own clients. */
    private static SSLContext selfSigned(Path file, String host) throws Exception {
        String keytool =
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
        Process made = new ProcessBuilder(
                        keytool,
                        "-genkeypair",
                        "-alias",
                        "key",
                        "-keyalg",
                        "EC",
                        "-storetype",
                        "PKCS12",
                        "-keystore",
                        file.toString(),
                        "-storepass",
                        "changeit",
                        "-dname",
                        "CN=" + host,
                        "-ext",
                        "SAN=dns:" + host)
                .redirectErrorStream(true)
                .start();
        assertEquals(0, made.waitFor(), () -> new String(read(made), StandardCharsets.UTF_8));
        KeyStore keys = KeyStore.getInstance(file.toFile(), "changeit".toCharArray());
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, "changeit".toCharArray());
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        trusted.setCertificateEntry("key", keys.getCertificate("key"));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static byte[] read(Process process) {
        try {
            return process.getInputStream().readAllBytes();
        } catch (IOException unreadable) {
            return new byte[0];
        }
    }

    /** What the transport told one client. */
    private static final class Client implements ClientTransport.Callback, ConnectionListener {
        final CompletableFuture<Connection> connected = new CompletableFuture<>();
        final CompletableFuture<Exception> failed = new CompletableFuture<>();
        final CompletableFuture<CloseReason> closed = new CompletableFuture<>();
        volatile boolean closedByPeer;
        final LinkedBlockingQueue<String> texts = new LinkedBlockingQueue<>();
        final AtomicInteger progress = new AtomicInteger();
        volatile int activity;
        volatile int drained;

        Connection connection() throws Exception {
            return connected.get(10, TimeUnit.SECONDS);
        }

        @Nullable
        String next() throws InterruptedException {
            return texts.poll(10, TimeUnit.SECONDS);
        }

        @Override
        public ConnectionListener connected(Connection connection) {
            connected.complete(connection);
            return this;
        }

        @Override
        public void failed(Exception cause) {
            failed.complete(cause);
        }

        @Override
        public void onText(String text) {
            texts.add(text);
        }

        @Override
        public void onBinary(ByteBuffer payload) {}

        @Override
        public void onActivity() {
            activity = 1;
        }

        @Override
        public void onProgress(int bytes) {
            progress.addAndGet(bytes);
        }

        @Override
        public void onDrained() {
            drained = 1;
        }

        @Override
        public void onClosed(CloseReason reason, boolean byPeer) {
            closedByPeer = byPeer;
            closed.complete(reason);
        }
    }

    /** A plain Java-WebSocket server that echoes unless told otherwise. */
    private static final class Server extends WebSocketServer {
        final CountDownLatch started = new CountDownLatch(1);
        volatile Consumer<String> onText = text -> getConnections().forEach(connection -> connection.send(text));
        volatile String resource = "";
        volatile String header = "";
        volatile String host = "";

        Server(String subprotocol) {
            super(
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                    1,
                    List.of(new Draft_6455(Collections.emptyList(), List.of(new Protocol(subprotocol)))));
            setDaemon(true);
            setTcpNoDelay(true);
        }

        @Override
        public void onStart() {
            started.countDown();
        }

        /** Waits for the connection: the library answers the upgrade before it lists it. */
        WebSocket peer() {
            await().until(() -> !getConnections().isEmpty());
            return getConnections().iterator().next();
        }

        @Override
        public void onOpen(WebSocket connection, ClientHandshake handshake) {
            resource = handshake.getResourceDescriptor();
            header = handshake.getFieldValue("X-Test");
            host = handshake.getFieldValue("Host");
        }

        @Override
        public void onMessage(WebSocket connection, String message) {
            onText.accept(message);
        }

        @Override
        public void onClose(WebSocket connection, int code, String reason, boolean remote) {}

        @Override
        public void onError(@Nullable WebSocket connection, Exception failure) {}
    }
}
