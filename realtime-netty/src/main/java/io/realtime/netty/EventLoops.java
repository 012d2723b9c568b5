package io.realtime.netty;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import java.util.concurrent.ThreadFactory;

/**
 * A factory of event loops, one per core. Netty's default is two per core, for handlers that may block; ours never do.
 */
final class EventLoops {
    private EventLoops() {}

    static EventLoopGroup of(boolean epoll, ThreadFactory threads) {
        int count = Runtime.getRuntime().availableProcessors();
        return isNetty41() ? ofNetty41(epoll, count, threads) : new FairEventLoops(epoll, count, threads);
    }

    /** Returns whether Netty is older than 4.2, which separates event loops from the I/O that they wait for. */
    private static boolean isNetty41() {
        try {
            Class.forName("io.netty.channel.IoHandlerFactory", false, EventLoopGroup.class.getClassLoader());
            return false;
        } catch (ClassNotFoundException older) {
            return true;
        }
    }

    /**
     * Creates the event loops of Netty 4.1. They run 64 tasks, or for as long as the sockets took, before they check
     * the sockets again.
     */
    @SuppressWarnings("deprecation") // deprecated in 4.2
    private static EventLoopGroup ofNetty41(boolean epoll, int count, ThreadFactory threads) {
        return epoll ? new EpollEventLoopGroup(count, threads) : new NioEventLoopGroup(count, threads);
    }
}
