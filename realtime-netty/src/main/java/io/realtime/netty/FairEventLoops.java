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
 * The event loops of Netty 4.2, with a shorter time for tasks. By default they run tasks for a whole second before they
 * check the sockets again. Sends are tasks of a loop, so during a broadcast to many members it would not read or accept
 * for that long. Here the sockets have their turn after 1 ms, or after 64 tasks if those take longer.
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
