package io.realtime.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import io.realtime.server.websocket.Admission;
import io.realtime.server.websocket.OpenConnections;
import io.realtime.server.websocket.OutboundQueue.Then;
import io.realtime.server.websocket.RequestHead;
import io.realtime.server.websocket.WebSocketConnection;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport.Acceptor;
import io.realtime.spi.ServerTransport.Config;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What connects a {@link WebSocketConnection} to its channel; the last handler of the pipeline. The event loop hands
 * over what it reads, calls the listener, keeps the deadlines and ends the connection. A call on another thread neither
 * calls the listener nor writes to the socket on the caller's stack. The class has no lock; {@link Outbound} has one.
 */
final class NettyConnection extends ChannelInboundHandlerAdapter implements WebSocketConnection.Socket, Outbound.Owner {
    private static final Logger LOG = LoggerFactory.getLogger(NettyConnection.class);

    private final SocketChannel channel;
    private final EventLoop loop;
    private final Duration handshakeTimeout;
    private final OpenConnections open;
    private final Outbound outbound;
    private final WebSocketConnection connection;
    private final AtomicBoolean cutting = new AtomicBoolean();

    // Used on the event loop. Null after it was read, or has become too long.
    private @Nullable RequestHead head;

    /** Creates a connection for an accepted channel that is about to be registered with this loop. */
    NettyConnection(
            SocketChannel channel,
            EventLoop loop,
            InetSocketAddress remote,
            Admission.Place place,
            Config config,
            Acceptor acceptor,
            OpenConnections open) {
        this.channel = channel;
        this.loop = loop;
        this.handshakeTimeout = config.handshakeTimeout();
        this.open = open;
        this.outbound = new Outbound(channel, loop, config.outboundBytes(), this);
        this.connection = new WebSocketConnection(this, outbound, remote, place, config, acceptor);
        this.head = new RequestHead(config.handshakeBytes());
        channel.closeFuture().addListener(closed -> end());
    }

    WebSocketConnection connection() {
        return connection;
    }

    // ---- Socket: any thread

    @Override
    public Scheduler.Cancellable schedule(Duration delay, Runnable task) {
        try {
            Future<?> pending = loop.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
            return () -> pending.cancel(false);
        } catch (RejectedExecutionException stopped) {
            // All connections of the loop have ended with it.
            LOG.debug("{} has ended with its transport", channel);
            return () -> {};
        }
    }

    @Override
    public void cut() {
        if (!cutting.compareAndSet(false, true)) {
            return;
        }
        try {
            loop.execute(this::closeSocket);
        } catch (RejectedExecutionException stopped) {
            LOG.debug("{} has ended with its transport", channel);
        } catch (Throwable failure) {
            // For example out of memory: the next call tries again.
            cutting.set(false);
            throw failure;
        }
    }

    // ---- the event loop

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        connection.begin(handshakeTimeout);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        try {
            if (message instanceof ByteBuf buffer) {
                for (ByteBuffer part : buffer.nioBuffers()) {
                    received(part);
                }
            }
        } finally {
            ReferenceCountUtil.release(message);
        }
    }

    private void received(ByteBuffer part) {
        RequestHead unread = head;
        if (unread != null) {
            ByteBuffer whole = unread.read(part);
            if (whole != null) {
                head = null;
                connection.upgrade(whole);
            } else if (unread.room() == 0) {
                head = null;
                connection.headTooLong();
            }
        }
        connection.receive(part);
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        if (channel.isWritable()) {
            outbound.writable();
        }
    }

    /** Handles the end of the peer's input, by TCP or by TLS. */
    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event == ChannelInputShutdownEvent.INSTANCE || event == SslCloseCompletionEvent.SUCCESS) {
            connection.inputEnded();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        connection.broke(cause);
    }

    @Override
    public void failed(Throwable cause) {
        connection.broke(cause);
    }

    @Override
    public void drained() {
        connection.drained();
    }

    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // if this fails, the deadline closes the socket
    public void written(Then then) {
        if (then == Then.FINISH) {
            channel.close();
            return;
        }
        SslHandler tls = channel.pipeline().get(SslHandler.class);
        if (tls == null) {
            channel.shutdownOutput();
        } else {
            tls.closeOutbound().addListener(said -> channel.shutdownOutput());
        }
    }

    /** Closes the socket directly, because the TLS handler would first write its close_notify. */
    private void closeSocket() {
        channel.unsafe().close(channel.unsafe().voidPromise());
    }

    private void end() {
        connection.release();
        outbound.close();
        try {
            connection.tellClosed();
        } finally {
            open.remove(connection);
        }
    }
}
