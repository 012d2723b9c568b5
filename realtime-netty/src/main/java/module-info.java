/** The server's transport on Netty. */
module io.realtime.netty {
    requires transitive io.realtime.core;
    requires static com.google.errorprone.annotations;
    requires static transitive org.jspecify;
    requires io.netty.buffer;
    requires io.netty.common;
    requires io.netty.handler;
    requires io.netty.transport;
    requires io.netty.transport.classes.epoll;
    requires io.netty.transport.unix.common;
    requires io.realtime.server;
    requires org.slf4j;

    exports io.realtime.netty;

    provides io.realtime.spi.ServerTransport.Provider with
            io.realtime.netty.NettyTransportProvider;
}
