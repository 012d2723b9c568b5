package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.server.RealtimeServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A server and its JVM: who keeps whom running, and what happens at the end. */
@Timeout(60)
class ServerProcessIT {
    private static final String MAIN_ENDED = "main has ended";

    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    /** Starts a server and returns; a line of input closes it. */
    static final class StartsAndReturns {
        public static void main(String[] transport) {
            RealtimeServer server = RealtimeServer.builder()
                    .port(0)
                    .anonymous()
                    .transport(transport[0])
                    .closeOnShutdown(Duration.ofSeconds(5))
                    .build()
                    .start();
            Child.print("" + server.port());
            Thread main = Thread.currentThread();
            Thread other = new Thread(() -> {
                try {
                    main.join();
                    Child.print(MAIN_ENDED);
                    if (System.in.read() >= 0) {
                        server.close();
                    }
                } catch (InterruptedException | IOException failure) {
                    Child.print("failed: " + failure);
                }
            });
            other.setDaemon(true);
            other.start();
        }
    }

    /** Starts a server that is a daemon, and returns. */
    static final class StartsDaemon {
        public static void main(String[] none) {
            RealtimeServer.builder()
                    .port(0)
                    .anonymous()
                    .transport("java-websocket")
                    .daemon(true)
                    .build()
                    .start();
        }
    }

    /** Fails to start a server. */
    static final class FailsToStart {
        public static void main(String[] port) {
            RealtimeServer.builder()
                    .host("127.0.0.1")
                    .port(Integer.parseInt(port[0]))
                    .anonymous()
                    .transport("java-websocket")
                    .build()
                    .start();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"java-websocket", "netty"})
    void jvmRunsUntilServerIsClosed(String transport) throws Exception {
        try (Child child = new Child(StartsAndReturns.class, lines::add, transport)) {
            int port = Integer.parseInt(line());
            assertEquals(MAIN_ENDED, line());
            new Socket(InetAddress.getLoopbackAddress(), port).close();
            assertTrue(child.isAlive());
            child.tell("close");
            assertEquals(0, child.awaitEnd());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"java-websocket", "netty"})
    void signalClosesServerGracefully(String transport) throws Exception {
        try (Child child = new Child(StartsAndReturns.class, lines::add, transport)) {
            CompletableFuture<Integer> closed = new CompletableFuture<>();
            connect(Integer.parseInt(line()), closed);
            child.terminate();
            assertEquals(CloseReason.DRAINING, closed.get());
            assertEquals(143, child.awaitEnd(), "as the signal says");
        }
    }

    @Test
    void daemonServerKeepsNoJvm() throws Exception {
        try (Child child = new Child(StartsDaemon.class, lines::add)) {
            assertEquals(0, child.awaitEnd());
        }
    }

    @Test
    void serverThatDidNotStartKeepsNoJvm() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Child child = new Child(FailsToStart.class, lines::add, "" + taken.getLocalPort())) {
            assertEquals(1, child.awaitEnd());
        }
    }

    @Test
    void waitForCloseEndsWithIt() throws Exception {
        RealtimeServer server = RealtimeServer.builder()
                .port(0)
                .anonymous()
                .transport("java-websocket")
                .build()
                .start();
        CompletableFuture<Void> waited = CompletableFuture.runAsync(() -> {
            try {
                server.awaitClosed();
            } catch (InterruptedException interrupted) {
                throw new IllegalStateException(interrupted);
            }
        });
        assertFalse(waited.isDone());
        server.close();
        waited.get();
    }

    private String line() throws InterruptedException {
        return String.valueOf(lines.poll(30, TimeUnit.SECONDS));
    }

    private static void connect(int port, CompletableFuture<Integer> closed) {
        HttpClient.newHttpClient()
                .newWebSocketBuilder()
                .buildAsync(URI.create("ws://127.0.0.1:" + port + "/ws"), new WebSocket.Listener() {
                    @Override
                    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
                        closed.complete(code);
                        return CompletableFuture.completedFuture(null);
                    }

                    @Override
                    public void onError(WebSocket socket, Throwable failure) {
                        closed.completeExceptionally(failure);
                    }
                })
                .join();
    }
}
