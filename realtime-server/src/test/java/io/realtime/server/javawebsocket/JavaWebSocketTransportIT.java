package io.realtime.server.javawebsocket;

import io.realtime.spi.ServerTransport;
import io.realtime.testing.WebSocketServerTransportContract;

class JavaWebSocketTransportIT extends WebSocketServerTransportContract {
    @Override
    protected ServerTransport newTransport() {
        return new JavaWebSocketTransport();
    }
}
