package chat;

import io.realtime.netty.NettyTransport;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.WebSocketServerTransportContract;

/** A transport's contract as its author runs it. */
class NettyContractTest extends WebSocketServerTransportContract {
    @Override
    protected ServerTransport newTransport() {
        return new NettyTransport();
    }
}
