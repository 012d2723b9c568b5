package io.realtime.benchmarks.servers;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameEncoder;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.EventExecutor;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * An echo and a group on Netty and its own codec: native epoll, one event loop per core, no compression, no validation
 * of UTF-8. A published message is encoded once. Every event loop has a list of its own members. To each of them it
 * writes what was published since its last turn, and flushes once. With the argument {@code merged} it first joins all
 * that into one buffer. Netty does not do that for its users; it is the most that can be achieved with it.
 */
// A write that fails ends its connection.
@SuppressWarnings("FutureReturnValueIgnored")
public final class RawNetty {
    private static final int BACKLOG = 4096;
    private static final int MESSAGE = 64 * 1024 + 1;
    private static final int HEADER = 10;
    private static final int FINAL_TEXT = 0x81;

    private RawNetty() {}

    /**
     * Runs until the input ends.
     *
     * @throws Exception if the server does not start
     */
    public static void main(String[] arguments) throws Exception {
        boolean isMerged = List.of(arguments).contains("merged");
        boolean epoll = Epoll.isAvailable();
        EventLoopGroup loops = new MultiThreadIoEventLoopGroup(
                Runtime.getRuntime().availableProcessors(),
                epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
        Map<EventExecutor, Members> group = new LinkedHashMap<>();
        loops.forEach(loop -> group.put(loop, new Members(loop, isMerged)));
        Channel listening = new ServerBootstrap()
                .group(loops)
                .channel(epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        channel.pipeline()
                                .addLast(new HttpServerCodec(), new HttpObjectAggregator(8192), new Peer(group));
                    }
                })
                .bind(0)
                .sync()
                .channel();
        Standalone.run(((InetSocketAddress) listening.localAddress()).getPort());
    }

    /** The members on one event loop. Any thread may publish; all else runs on the event loop. */
    private static final class Members {
        private final EventExecutor loop;
        private final boolean isMerged;
        private final List<ChannelHandlerContext> members = new ArrayList<>();
        private final Queue<ByteBuf> published = new ConcurrentLinkedQueue<>();
        private final AtomicBoolean scheduled = new AtomicBoolean();

        Members(EventExecutor loop, boolean isMerged) {
            this.loop = loop;
            this.isMerged = isMerged;
        }

        void add(ChannelHandlerContext member) {
            members.add(member);
        }

        void remove(ChannelHandlerContext member) {
            members.remove(member);
        }

        /** Publishes a message, and takes over its reference. */
        void publish(ByteBuf message) {
            published.add(message);
            if (scheduled.compareAndSet(false, true)) {
                loop.execute(this::deliver);
            }
        }

        private void deliver() {
            scheduled.set(false);
            List<ByteBuf> batch = new ArrayList<>();
            for (ByteBuf each = published.poll(); each != null; each = published.poll()) {
                batch.add(each);
            }
            if (isMerged && batch.size() > 1) {
                ByteBuf merged = ByteBufAllocator.DEFAULT.ioBuffer();
                batch.forEach(merged::writeBytes);
                batch.forEach(ByteBuf::release);
                batch = List.of(merged);
            }
            if (!batch.isEmpty()) {
                // Otherwise the previous call has taken the messages of this one.
                for (ChannelHandlerContext member : members) {
                    for (ByteBuf each : batch) {
                        member.write(each.retainedDuplicate(), member.voidPromise());
                    }
                    member.flush();
                }
            }
            batch.forEach(ByteBuf::release);
        }
    }

    /** One connection. It writes its answers while it reads, and flushes when nothing more can be read. */
    private static final class Peer extends ChannelInboundHandlerAdapter {
        private final Map<EventExecutor, Members> group;
        // The context after the frame encoder. Set when the upgrade is finished.
        private @Nullable ChannelHandlerContext wire;

        Peer(Map<EventExecutor, Members> group) {
            this.group = group;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            try {
                if (message instanceof TextWebSocketFrame frame) {
                    received(context, frame.content());
                } else if (message instanceof FullHttpRequest request) {
                    upgrade(context, request);
                } else if (message instanceof PingWebSocketFrame ping) {
                    context.writeAndFlush(new PongWebSocketFrame(ping.content().retain()));
                } else if (message instanceof CloseWebSocketFrame close) {
                    context.writeAndFlush(close.retain()).addListener(ChannelFutureListener.CLOSE);
                }
            } finally {
                ReferenceCountUtil.release(message);
            }
        }

        private void upgrade(ChannelHandlerContext context, FullHttpRequest request) {
            WebSocketServerHandshaker handshaker =
                    new WebSocketServerHandshakerFactory(null, null, false, MESSAGE).newHandshaker(request);
            if (handshaker == null) {
                context.close();
                return;
            }
            handshaker.handshake(context.channel(), request);
            wire = context.pipeline().context(WebSocketFrameEncoder.class);
        }

        private void received(ChannelHandlerContext context, ByteBuf text) {
            ChannelHandlerContext out = Objects.requireNonNull(wire, "upgraded");
            switch (text.getByte(text.readerIndex())) {
                case 'e' -> out.write(frame(context, text), out.voidPromise());
                case 's' -> {
                    members(context).add(out);
                    out.write(frame(context, text), out.voidPromise());
                }
                case 'p' -> {
                    ByteBuf published = frame(context, text);
                    group.values().forEach(each -> each.publish(published.retainedDuplicate()));
                    published.release();
                }
                default -> context.close();
            }
        }

        private static ByteBuf frame(ChannelHandlerContext context, ByteBuf text) {
            int length = text.readableBytes();
            ByteBuf frame = context.alloc().ioBuffer(HEADER + length).writeByte(FINAL_TEXT);
            if (length <= 125) {
                frame.writeByte(length);
            } else if (length <= 0xffff) {
                frame.writeByte(126).writeShort(length);
            } else {
                frame.writeByte(127).writeLong(length);
            }
            return frame.writeBytes(text, text.readerIndex(), length);
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            context.flush();
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            if (wire != null) {
                members(context).remove(wire);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            // The peer has disconnected, or violated the protocol.
            context.close();
        }

        private Members members(ChannelHandlerContext context) {
            return Objects.requireNonNull(group.get(context.executor()), "one for each loop");
        }
    }
}
