package io.realtime.server.javawebsocket;

import io.realtime.spi.ServerTransport;
import io.realtime.testing.ServerTransportContract;

class JavaWebSocketTransportIT extends ServerTransportContract {
    @Override
    protected ServerTransport newTransport() {
        return new JavaWebSocketTransport();
    }
}
