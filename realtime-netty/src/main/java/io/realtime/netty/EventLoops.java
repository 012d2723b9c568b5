package io.realtime.netty;

import io.netty.channel.IoEventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.util.concurrent.RejectedExecutionHandlers;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadFactory;

/**
 * As many event loops as there are cores: Netty's default is two per core, for handlers that may wait, and ours never do.
 *
 * <p>Sends are tasks of a loop, and Netty 4.2 runs tasks for a whole second before it looks at the sockets again. A
 * broadcast to many would keep a loop from reading, and from accepting, for that long: here the sockets have their turn
 * after each millisecond, or 64 tasks where that is more.
 */
final class EventLoops extends MultiThreadIoEventLoopGroup {
    private static final Duration TASKS = Duration.ofMillis(1);

    EventLoops(ThreadFactory threads, IoHandlerFactory io) {
        super(Runtime.getRuntime().availableProcessors(), threads, io);
    }

    @Override
    protected IoEventLoop newChild(Executor executor, IoHandlerFactory io, Object... none) {
        return new SingleThreadIoEventLoop(
                this, executor, io, Integer.MAX_VALUE, RejectedExecutionHandlers.reject(), TASKS.toMillis());
    }
}
