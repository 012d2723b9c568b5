package io.realtime.netty;

import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.socket.SocketChannel;
import io.realtime.internal.Steps;
import io.realtime.server.websocket.Admission;
import io.realtime.server.websocket.OpenConnections;
import io.realtime.server.websocket.WebSocketConnection;
import io.realtime.spi.ServerTransport.Acceptor;
import io.realtime.spi.ServerTransport.Config;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A handler of the connections that the listening socket accepts, in place of Netty's {@code ServerBootstrap}. That one
 * initializes a connection before the limits can be checked. It also does not report a connection that could not be
 * registered, whose place would be occupied forever. For one thread, the listening socket's event loop. Any thread may
 * call {@link #failure}.
 */
final class AcceptHandler extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(AcceptHandler.class);
    private static final Duration RETRY_PAUSE = Duration.ofMillis(500);

    /**
     * Reads a limited amount from one peer before the others have their turn. Netty's default would be 1 MiB, a flood
     * of frames.
     */
    private static final RecvByteBufAllocator READS =
            new AdaptiveRecvByteBufAllocator(64, 2048, 16 * 1024).maxMessagesPerRead(1);

    private final EventLoopGroup loops;
    private final Config config;
    private final @Nullable ServerTls tls;
    private final Acceptor acceptor;
    private final OpenConnections open;
    private final Admission admission;
    private volatile @Nullable String failure;

    AcceptHandler(
            EventLoopGroup loops, Config config, @Nullable ServerTls tls, Acceptor acceptor, OpenConnections open) {
        this.loops = loops;
        this.config = config;
        this.tls = tls;
        this.acceptor = acceptor;
        this.open = open;
        this.admission = new Admission(config);
    }

    /** Returns why the last attempt to accept failed, or null if it succeeded. */
    @Nullable
    String failure() {
        return failure;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        failure = null;
        SocketChannel channel = (SocketChannel) message;
        Admission.Place place = null;
        WebSocketConnection connection = null;
        try {
            InetSocketAddress remote = channel.remoteAddress();
            place = remote == null ? null : admission.enter(remote);
            if (place == null) {
                acceptor.refused();
                channel.unsafe().closeForcibly();
                return;
            }
            channel.config().setTcpNoDelay(true);
            channel.config().setSendBufferSize(Admission.SEND_BUFFER);
            channel.config().setRecvByteBufAllocator(READS);
            // A peer that has ended its output still gets our last frames.
            channel.config().setAllowHalfClosure(true);
            EventLoop loop = loops.next();
            NettyConnection handler = new NettyConnection(channel, loop, remote, place, config, acceptor, open);
            connection = handler.connection();
            if (tls != null) {
                channel.pipeline().addLast(tls.newHandler());
            }
            channel.pipeline().addLast(handler);
            place.upgrading(connection::abort);
            open.add(connection);
            loop.register(channel).addListener(registered -> {
                // Netty has closed the channel, and the connection gets that event.
                if (!registered.isSuccess()) {
                    Steps.warn(LOG, "an accepted connection could not be registered", registered.cause());
                }
            });
        } catch (Throwable broken) { // affects only this peer
            if (broken instanceof Error) {
                Steps.log(LOG, "a connection could not be taken", broken);
            } else {
                LOG.debug("a connection ended while it was accepted", broken);
            }
            if (place != null) {
                place.leave();
            }
            channel.unsafe().closeForcibly(); // sends no event to the connection
            if (connection != null) {
                open.remove(connection);
            }
        }
    }

    /**
     * Pauses accepting after a failure: if file descriptors have run out, an immediate retry would only keep a core
     * busy.
     */
    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // the task cannot fail
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        if (failure == null) {
            Steps.log(LOG, "accepting fails; trying again every " + RETRY_PAUSE.toMillis() + " ms", cause);
        }
        failure = String.valueOf(cause.getMessage());
        // Schedule first: if there is no memory for the task, accepting must not stop.
        context.executor()
                .schedule(
                        () -> context.channel().config().setAutoRead(true),
                        RETRY_PAUSE.toMillis(),
                        TimeUnit.MILLISECONDS);
        context.channel().config().setAutoRead(false);
    }
}
