package io.realtime.netty;

import io.realtime.spi.ServerTransport;
import io.realtime.testing.WebSocketServerTransportContract;

class NettyTransportIT extends WebSocketServerTransportContract {
    @Override
    protected ServerTransport newTransport() {
        return new NettyTransport();
    }
}
