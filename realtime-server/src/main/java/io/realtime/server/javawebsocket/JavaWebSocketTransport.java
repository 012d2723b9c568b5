package io.realtime.server.javawebsocket;

import io.realtime.CloseReason;
import io.realtime.internal.Libraries;
import io.realtime.internal.Steps;
import io.realtime.internal.SystemScheduler;
import io.realtime.spi.ServerTransport;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
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
    private static final Duration LAST_CALLS = Duration.ofSeconds(1);

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition empty = lock.newCondition();
    private volatile @Nullable Running running;
    private boolean used; // Guarded by lock

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
        lock.lock();
        try {
            if (used) {
                throw new IllegalStateException("a transport starts once");
            }
            used = true;
        } finally {
            lock.unlock();
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
            LibraryServer server = new LibraryServer(listening, config, acceptor, timer, this::noneLeft);
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
        CloseReason goingAway = new CloseReason(CloseReason.GOING_AWAY, "server stops");
        try {
            // Java-WebSocket 1.6.0: its own stop ends the selector before anything is sent.
            Steps.each(server.open(), connection -> connection.close(goingAway));
            awaitNone(server, drain);
        } finally {
            // Also if this thread is interrupted, even repeatedly.
            Steps.each(server.open(), PeerConnection::abort);
            awaitLastCalls(server);
            try {
                server.stopThreads();
            } finally {
                now.timer().close();
            }
        }
    }

    /**
     * Waits until the listeners' last calls are made, even if interrupted. The timer, which makes these calls and
     * closes the sockets, ends after this.
     */
    private void awaitLastCalls(LibraryServer server) {
        long end = System.nanoTime() + LAST_CALLS.toNanos();
        boolean interrupted = false;
        while (!server.open().isEmpty() && end - System.nanoTime() > 0) {
            try {
                awaitNone(server, Duration.ofNanos(end - System.nanoTime()));
            } catch (InterruptedException again) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void awaitNone(LibraryServer server, Duration limit) throws InterruptedException {
        long left = TimeUnit.NANOSECONDS.convert(limit);
        lock.lock();
        try {
            while (!server.open().isEmpty() && left > 0) {
                left = empty.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }

    private void noneLeft() {
        lock.lock();
        try {
            empty.signalAll();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public @Nullable String problem() {
        Running now = running;
        return now == null ? null : now.server().problem();
    }
}
