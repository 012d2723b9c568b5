package io.realtime.client.internal.transport;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.java_websocket.WebSocket;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.protocols.Protocol;
import org.java_websocket.server.WebSocketServer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.parallel.ResourceLock;

/** Clients on real sockets, and servers that behave or do not. */
@ResourceLock("client threads") // each of the classes waits until none is left
abstract class JavaWebSocketClientFixture {
    final List<AutoCloseable> toClose = new ArrayList<>();

    @AfterEach
    final void noThreadIsLeft() throws Exception {
        Collections.reverse(toClose);
        for (AutoCloseable one : toClose) {
            one.close();
        }
        await().until(JavaWebSocketClientFixture::hasNoThreads);
    }

    static boolean hasNoThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread -> thread.getName().startsWith("realtime-client")
                        || thread.getName().startsWith("WebSocketWriteThread"));
    }

    final Server server(String subprotocol) throws Exception {
        Server server = new Server(subprotocol);
        server.setReuseAddr(true);
        server.start();
        assertTrue(server.started.await(10, TimeUnit.SECONDS));
        toClose.add(() -> server.stop(1_000));
        return server;
    }

    static ClientTransport.Target target(int port, int messageBytes, int outboundBytes) {
        URI uri = URI.create("ws://localhost:" + port + "/ws?a=b");
        return new ClientTransport.Target(uri, Map.of("X-Test", "yes"), "realtime.v1", messageBytes, outboundBytes);
    }

    final Client connect(ClientTransport.Target target) {
        Client client = new Client();
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport().connect(target, client);
        toClose.add(attempt::cancel);
        return client;
    }

    static MessageBatch text(String text) {
        return MessageBatch.of(WireMessage.text(text.getBytes(StandardCharsets.UTF_8)));
    }

    /** Reads until the client's socket is closed, and returns how many bytes came. */
    static long readToTheEnd(Socket socket) {
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

    static void shakeHands(Socket socket) throws IOException {
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

    static byte[] read(Process process) {
        try {
            return process.getInputStream().readAllBytes();
        } catch (IOException unreadable) {
            return new byte[0];
        }
    }

    /** What the transport told one client. */
    static final class Client implements ClientTransport.Callback, ConnectionListener {
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
    static final class Server extends WebSocketServer {
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
