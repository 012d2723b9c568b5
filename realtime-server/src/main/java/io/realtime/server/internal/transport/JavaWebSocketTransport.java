package io.realtime.server.internal.transport;

import io.realtime.internal.Libraries;
import io.realtime.internal.SystemScheduler;
import io.realtime.server.websocket.OpenConnections;
import io.realtime.spi.ServerTransport;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The embedded transport: plain WebSocket without TLS, on Java-WebSocket. Use a proxy or another transport for TLS: the
 * library's TLS can spin, and can lose a connection's last bytes.
 *
 * <p>Any thread but the transport's own may start and stop it.
 */
public final class JavaWebSocketTransport implements ServerTransport {
    /** The name that selects this transport. */
    public static final String NAME = "java-websocket";

    private static final int BACKLOG = 4096;

    private final AtomicBoolean used = new AtomicBoolean();
    private final OpenConnections open = new OpenConnections();
    private volatile @Nullable Running running;

    private record Running(LibraryServer server, SystemScheduler timer, int port) {}

    /**
     * Creates a transport that is not started.
     *
     * @throws IllegalStateException if Java-WebSocket is not on the class path
     */
    public JavaWebSocketTransport() {
        Libraries.use("transport java-websocket", "org.java-websocket:Java-WebSocket", () -> LibraryServer.class);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public void start(Config config, Acceptor acceptor) throws IOException {
        if (!used.compareAndSet(false, true)) {
            throw new IllegalStateException("a transport starts once");
        }
        if (config.tls() != null) {
            throw new IOException(
                    "the java-websocket transport has no TLS: add realtime-netty to the class path, or leave"
                            + " TLS to a proxy in front");
        }
        ServerSocketChannel listening = ServerSocketChannel.open();
        SystemScheduler timer = new SystemScheduler("realtime-transport");
        boolean done = false;
        try {
            listening.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            listening.socket().bind(config.address(), BACKLOG);
            int port = ((InetSocketAddress) listening.getLocalAddress()).getPort();
            LibraryServer server = new LibraryServer(listening, config, acceptor, timer, open);
            server.startAndWait();
            running = new Running(server, timer, port);
            done = true;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while starting", interrupted);
        } finally {
            if (!done) {
                listening.close();
                timer.close();
            }
        }
    }

    @Override
    public int port() {
        Running now = running;
        if (now == null) {
            throw new IllegalStateException("not started");
        }
        return now.port();
    }

    @Override
    public void stopAccepting() {
        Running now = running;
        if (now != null) {
            now.server().stopAccepting();
        }
    }

    @Override
    public void stop(Duration drain) throws InterruptedException {
        Running now = running;
        if (now == null) {
            return;
        }
        LibraryServer server = now.server();
        server.stopAccepting();
        try {
            // Java-WebSocket 1.6.0: its own stop ends the selector before anything is sent.
            open.end(drain);
        } finally {
            // The timer closes the sockets and makes the listeners' last calls, so it ends after them.
            try {
                server.stopThreads();
            } finally {
                now.timer().close();
            }
        }
    }

    @Override
    public @Nullable String problem() {
        Running now = running;
        return now == null ? null : now.server().problem();
    }
}
