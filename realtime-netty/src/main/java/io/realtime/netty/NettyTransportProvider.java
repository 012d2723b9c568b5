package io.realtime.netty;

import io.realtime.spi.ServerTransport;

/** Offers {@link NettyTransport} by the name {@code netty}. */
public final class NettyTransportProvider implements ServerTransport.Provider {
    /** For {@link java.util.ServiceLoader}. */
    public NettyTransportProvider() {}

    @Override
    public String name() {
        return NettyTransport.NAME;
    }

    @Override
    public ServerTransport create() {
        return new NettyTransport();
    }
}
