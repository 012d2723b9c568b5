package io.realtime.netty;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import java.util.concurrent.ThreadFactory;

/**
 * Makes the event loops, as many as there are cores: Netty's default is two per core, for handlers that may wait, and ours
 * never do.
 */
final class EventLoops {
    private EventLoops() {}

    static EventLoopGroup of(boolean epoll, ThreadFactory threads) {
        int count = Runtime.getRuntime().availableProcessors();
        return isNetty41() ? ofNetty41(epoll, count, threads) : new FairEventLoops(epoll, count, threads);
    }

    /** Returns whether Netty is older than 4.2, which separates loops from what they wait for. */
    private static boolean isNetty41() {
        try {
            Class.forName("io.netty.channel.IoHandlerFactory", false, EventLoopGroup.class.getClassLoader());
            return false;
        } catch (ClassNotFoundException older) {
            return true;
        }
    }

    /** These run 64 tasks, or for as long as the sockets took, before they look at the sockets again. */
    @SuppressWarnings("deprecation") // in 4.2
    private static EventLoopGroup ofNetty41(boolean epoll, int count, ThreadFactory threads) {
        return epoll ? new EpollEventLoopGroup(count, threads) : new NioEventLoopGroup(count, threads);
    }
}
