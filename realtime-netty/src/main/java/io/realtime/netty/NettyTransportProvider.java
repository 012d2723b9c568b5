package io.realtime.netty;

import io.realtime.spi.ServerTransport;

/** The provider of {@link NettyTransport}, with the name {@code netty}. */
public final class NettyTransportProvider implements ServerTransport.Provider {
    /** Creates a provider, for {@link java.util.ServiceLoader}. */
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
