package io.realtime.netty;

import io.realtime.spi.ServerTransport;
import io.realtime.testing.ServerTransportContract;

class NettyTransportIT extends ServerTransportContract {
    @Override
    protected ServerTransport newTransport() {
        return new NettyTransport();
    }
}
