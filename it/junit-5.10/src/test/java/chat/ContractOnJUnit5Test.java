package chat;

import io.realtime.netty.NettyTransport;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.WebSocketServerTransportContract;

/** A transport's contract as its author runs it, with a JUnit of 2023. */
class ContractOnJUnit5Test extends WebSocketServerTransportContract {
    @Override
    protected ServerTransport newTransport() {
        return new NettyTransport();
    }
}
