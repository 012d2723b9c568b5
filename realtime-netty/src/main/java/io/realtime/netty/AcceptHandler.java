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
import io.realtime.spi.ServerTransport.Acceptor;
import io.realtime.spi.ServerTransport.Config;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes what the listening socket accepts, in place of Netty's {@code ServerBootstrap}: that one sets a connection up
 * before it can be asked who is let in, and tells nobody of one that could not be registered, whose place would be taken
 * for good. For one thread, the listening socket's event loop; what is open and what is wrong may be asked by anyone.
 */
final class AcceptHandler extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(AcceptHandler.class);
    private static final Duration RETRY_PAUSE = Duration.ofMillis(500);

    /** At most so much of one peer before the others have their turn; Netty's default would be 1 MiB: a flood of frames. */
    private static final RecvByteBufAllocator READS =
            new AdaptiveRecvByteBufAllocator(64, 2048, 16 * 1024).maxMessagesPerRead(1);

    private final EventLoopGroup loops;
    private final Config config;
    private final @Nullable ServerTls tls;
    private final Acceptor acceptor;
    private final Runnable onEmpty;
    private final Admission admission;
    private final Set<NettyConnection> connections = ConcurrentHashMap.newKeySet();
    private volatile @Nullable String failure;

    /** @param onEmpty told on an event loop whenever no connection is left */
    AcceptHandler(EventLoopGroup loops, Config config, @Nullable ServerTls tls, Acceptor acceptor, Runnable onEmpty) {
        this.loops = loops;
        this.config = config;
        this.tls = tls;
        this.acceptor = acceptor;
        this.onEmpty = onEmpty;
        this.admission = new Admission(config);
    }

    /** Returns the open connections, unfinished upgrades included. */
    Set<NettyConnection> open() {
        return connections;
    }

    /** Returns why the last attempt to accept failed, or null when it did not. */
    @Nullable
    String failure() {
        return failure;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        failure = null;
        SocketChannel channel = (SocketChannel) message;
        Admission.Place place = null;
        NettyConnection connection = null;
        try {
            InetSocketAddress remote = channel.remoteAddress();
            place = remote == null ? null : admission.enter(remote);
            if (place == null) {
                channel.unsafe().closeForcibly();
                return;
            }
            channel.config().setTcpNoDelay(true);
            channel.config().setSendBufferSize(Admission.SEND_BUFFER);
            channel.config().setRecvByteBufAllocator(READS);
            channel.config().setAllowHalfClosure(true); // what we said last reaches who has nothing more to say
            EventLoop loop = loops.next();
            connection = new NettyConnection(channel, loop, remote, place, config, acceptor, this::ended);
            if (tls != null) {
                channel.pipeline().addLast(tls.newHandler());
            }
            channel.pipeline().addLast(connection);
            place.upgrading(connection::abort);
            connections.add(connection);
            loop.register(channel).addListener(registered -> {
                if (!registered.isSuccess()) { // and has closed it, which its connection hears
                    Steps.warn(LOG, "an accepted connection could not be registered", registered.cause());
                }
            });
        } catch (Throwable broken) { // this peer's alone
            if (broken instanceof Error) {
                Steps.log(LOG, "a connection could not be taken", broken);
            } else {
                LOG.debug("a connection ended while it was accepted", broken);
            }
            if (place != null) {
                place.leave();
            }
            channel.unsafe().closeForcibly(); // which tells no connection
            if (connection != null) {
                ended(connection);
            }
        }
    }

    private void ended(NettyConnection connection) {
        connections.remove(connection);
        if (connections.isEmpty()) {
            onEmpty.run();
        }
    }

    /** Accepting failed; when descriptors have run out, asking again at once would only keep a core busy. */
    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // the task cannot fail
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        if (failure == null) {
            Steps.log(LOG, "accepting fails; trying again every " + RETRY_PAUSE.toMillis() + " ms", cause);
        }
        failure = String.valueOf(cause.getMessage());
        context.executor() // first: else accepting would end when there is no memory for the task
                .schedule(
                        () -> context.channel().config().setAutoRead(true),
                        RETRY_PAUSE.toMillis(),
                        TimeUnit.MILLISECONDS);
        context.channel().config().setAutoRead(false);
    }
}
