package io.realtime.netty;

import io.netty.channel.IoEventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.RejectedExecutionHandlers;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadFactory;

/**
 * The event loops of Netty 4.2, which runs tasks for a whole second before it looks at the sockets again. Sends are tasks of
 * a loop: a broadcast to many would keep it from reading, and from accepting, for that long. Here the sockets have their
 * turn after each millisecond, or 64 tasks where that is more.
 */
final class FairEventLoops extends MultiThreadIoEventLoopGroup {
    private static final Duration TASKS = Duration.ofMillis(1);

    FairEventLoops(boolean epoll, int count, ThreadFactory threads) {
        super(count, threads, epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
    }

    @Override
    protected IoEventLoop newChild(Executor executor, IoHandlerFactory io, Object... none) {
        return new SingleThreadIoEventLoop(
                this, executor, io, Integer.MAX_VALUE, RejectedExecutionHandlers.reject(), TASKS.toMillis());
    }
}
