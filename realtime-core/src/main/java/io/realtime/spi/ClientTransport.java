package io.realtime.spi;

import java.net.URI;
import java.util.Map;

/** Opens WebSocket connections to a server. Safe for use by many threads. */
public interface ClientTransport {
    /**
     * Begins one attempt and returns at once. Exactly one method of the callback is called, once, unless the attempt is
     * cancelled before; it is called on a thread of the transport and never on the caller's stack. The transport sets
     * no deadline of its own for the opening handshake: the caller cancels.
     */
    Scheduler.Cancellable connect(Target target, Callback callback);

    /**
     * Where to and how.
     *
     * @param uri {@code ws} or {@code wss}
     * @param headers sent with the upgrade
     * @param subprotocol offered; an answer that does not select it fails the attempt
     * @param messageBytes the longest inbound message; beyond it the connection closes with 1009
     * @param outboundBytes how much may wait for the server
     */
    record Target(URI uri, Map<String, String> headers, String subprotocol, int messageBytes, int outboundBytes) {
        /** Names the address without its query: query and headers may hold a token. */
        @Override
        public String toString() {
            return uri.getScheme() + "://" + uri.getRawAuthority() + uri.getRawPath();
        }
    }

    /** The outcome of an attempt. */
    interface Callback {
        /** The upgrade is done; returns who listens to the connection. */
        ConnectionListener connected(Connection connection);

        /** There is no connection; the message says why, for people. */
        void failed(Exception cause);
    }
}
