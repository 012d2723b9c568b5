package io.realtime.netty;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.ServerSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.util.concurrent.FastThreadLocalThread;
import io.netty.util.concurrent.Future;
import io.realtime.internal.Libraries;
import io.realtime.server.websocket.OpenConnections;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.Tls;
import java.io.IOException;
import java.net.BindException;
import java.time.Duration;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A transport for many connections and for TLS, on Netty. It uses native epoll on Linux, NIO elsewhere, and one daemon
 * thread per core.
 *
 * <p>Start and stop it on any thread except those of the transport.
 */
public final class NettyTransport implements ServerTransport {
    static final String NAME = "netty";

    private static final String USER = "transport netty";
    private static final String NETTY =
            "io.netty:netty-handler and netty-transport-classes-epoll 4.1.100 or newer, or 4.2";
    private static final int BACKLOG = 4096;
    private static final Duration LAST_TASKS = Duration.ofSeconds(1);

    private final boolean epoll;
    private final AtomicBoolean used = new AtomicBoolean();
    private final OpenConnections open = new OpenConnections();
    private volatile @Nullable Running running;
    private volatile boolean stopping;

    private record Running(EventLoopGroup loops, Channel listening, AcceptHandler accepted, int port) {}

    /**
     * Creates a transport that is not started.
     *
     * @throws IllegalStateException if Netty's modules are missing or too old
     */
    public NettyTransport() {
        this(Libraries.use(USER, NETTY, () -> Epoll.isAvailable())); // a method reference would link the class before
    }

    NettyTransport(boolean epoll) {
        this.epoll = epoll;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // no caller waits for the threads of a transport that failed to start
    public void start(Config config, Acceptor acceptor) throws IOException {
        if (!used.compareAndSet(false, true)) {
            throw new IllegalStateException("a transport starts once");
        }
        Tls wanted = config.tls();
        ServerTls tls = wanted == null ? null : ServerTls.of(wanted);
        EventLoopGroup loops = null;
        ServerSocketChannel listening = null;
        boolean done = false;
        try {
            loops = EventLoops.of(epoll, threads());
            AcceptHandler accepted = new AcceptHandler(loops, config, tls, acceptor, open);
            listening = epoll ? new EpollServerSocketChannel() : new NioServerSocketChannel();
            listening.config().setReuseAddress(true).setBacklog(BACKLOG);
            listening.pipeline().addLast(accepted);
            await(loops.register(listening));
            await(listening.bind(config.address()));
            running = new Running(
                    loops, listening, accepted, listening.localAddress().getPort());
            done = true;
        } catch (ChannelException | IllegalStateException failure) { // for example, no file descriptors
            throw new IOException("the transport could not open its socket or its event loops: " + failure, failure);
        } catch (LinkageError unfit) {
            throw Libraries.unfit(USER, NETTY, unfit);
        } finally {
            if (!done) {
                close(listening);
                if (loops != null) {
                    loops.shutdownGracefully(0, 0, TimeUnit.SECONDS);
                }
            }
        }
    }

    /**
     * Closes the socket before the event loops end: some event loops would leave a socket open that they just got, or
     * never got.
     */
    private static void close(@Nullable ServerSocketChannel listening) {
        if (listening == null) {
            return;
        }
        if (listening.isRegistered()) {
            listening.close().awaitUninterruptibly();
        } else {
            listening.unsafe().closeForcibly();
        }
    }

    private static ThreadFactory threads() {
        AtomicInteger count = new AtomicInteger();
        return task -> {
            Thread thread = new FastThreadLocalThread(task, "realtime-netty-" + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    private static void await(ChannelFuture step) throws IOException {
        try {
            step.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while starting", interrupted);
        }
        Throwable cause = step.cause();
        if (cause == null) {
            return;
        }
        if (cause instanceof NativeIoException) { // "bind(..) failed with error(-98): Address already in use"
            String message = ": " + cause.getMessage();
            BindException unbound = new BindException(message.substring(message.lastIndexOf(": ") + 2));
            unbound.initCause(cause);
            throw unbound;
        }
        throw cause instanceof IOException io ? io : new IOException(cause.toString(), cause);
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
            stopping = true;
            now.listening().close().awaitUninterruptibly(); // the port is free when this returns
        }
    }

    @Override
    public void stop(Duration drain) throws InterruptedException {
        Running now = running;
        if (now == null) {
            return;
        }
        stopAccepting();
        Future<?> ended;
        try {
            open.end(drain);
        } finally {
            // Event loops that end make no more calls, so they end after the listeners' last ones.
            ended = now.loops().shutdownGracefully(0, LAST_TASKS.toMillis(), TimeUnit.MILLISECONDS);
        }
        ended.await();
    }

    @Override
    public @Nullable String problem() {
        Running now = running;
        if (now == null || stopping) {
            return null;
        }
        if (!now.listening().isOpen()) {
            return "the listening socket was closed; see the log";
        }
        String failure = now.accepted().failure();
        return failure == null ? null : "accepting fails: " + failure;
    }
}
