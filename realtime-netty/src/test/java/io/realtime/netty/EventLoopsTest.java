package io.realtime.netty;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class EventLoopsTest {
    /** Of a millisecond each; without a limit the loop would run about a thousand of them before it reads. */
    private static final int MOST_TASKS = 200;

    private final AtomicLong tasks = new AtomicLong();
    private final AtomicBoolean enough = new AtomicBoolean();

    @Test
    @Timeout(60)
    void tasksWithoutEndDoNotKeepALoopFromReading() throws Exception {
        BlockingQueue<Channel> accepted = new LinkedBlockingQueue<>();
        BlockingQueue<Long> readAfter = new LinkedBlockingQueue<>();
        EventLoopGroup loops = EventLoops.of(false, new DefaultThreadFactory("loops", true));
        try {
            Channel server = new ServerBootstrap()
                    .group(loops)
                    .channel(NioServerSocketChannel.class)
                    .childHandler(new ChannelInboundHandlerAdapter() {
                        @Override
                        public boolean isSharable() {
                            return true;
                        }

                        @Override
                        public void channelActive(ChannelHandlerContext context) {
                            accepted.add(context.channel());
                        }

                        @Override
                        public void channelRead(ChannelHandlerContext context, Object message) {
                            ReferenceCountUtil.release(message);
                            readAfter.add(tasks.get());
                        }
                    })
                    .bind(InetAddress.getLoopbackAddress(), 0)
                    .sync()
                    .channel();
            InetSocketAddress address = (InetSocketAddress) server.localAddress();
            try (Socket client = new Socket(address.getAddress(), address.getPort())) {
                Channel channel = accepted.poll(10, TimeUnit.SECONDS);
                assertNotNull(channel);
                channel.eventLoop().execute(() -> again(channel.eventLoop()));
                for (int i = 0; i < 10; i++) {
                    long before = tasks.get();
                    client.getOutputStream().write(1);
                    Long after = readAfter.poll(10, TimeUnit.SECONDS);
                    assertNotNull(after);
                    assertTrue(after - before < MOST_TASKS, () -> "read after " + (after - before) + " tasks");
                }
            }
        } finally {
            enough.set(true);
            loops.shutdownGracefully(0, 10, TimeUnit.SECONDS).sync();
        }
    }

    private void again(EventLoop loop) {
        tasks.incrementAndGet();
        long start = System.nanoTime();
        while (System.nanoTime() - start < TimeUnit.MILLISECONDS.toNanos(1)) {
            Thread.onSpinWait();
        }
        if (!enough.get()) {
            loop.execute(() -> again(loop));
        }
    }
}
