package io.realtime.server.internal.transport;

import java.nio.ByteBuffer;
import java.util.List;
import org.java_websocket.drafts.Draft;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.enums.HandshakeState;
import org.java_websocket.framing.Framedata;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.handshake.HandshakeBuilder;
import org.java_websocket.handshake.HandshakeImpl1Client;
import org.java_websocket.handshake.Handshakedata;
import org.java_websocket.handshake.ServerHandshakeBuilder;

/**
 * The point where the library hands a connection's bytes to us: first the whole head of the request, then the bytes of
 * its reads. It always claims to match and never has anything to write. Answers and frames are sent through {@link
 * PeerChannel}, in one order with all else that is sent; the library's own queue could not guarantee that. No extension
 * is offered: Java-WebSocket 1.6.0 inflates permessage-deflate without a bound.
 *
 * <p>For one thread: the connection's worker.
 */
final class PeerDraft extends Draft_6455 {
    private final PeerConnection connection;

    PeerDraft(PeerConnection connection, int messageBytes) {
        super(List.of(), messageBytes);
        this.connection = connection;
    }

    /**
     * Returns this draft. The library copies a draft for each connection, but this one was created for one connection.
     */
    @Override
    public Draft copyInstance() {
        return this;
    }

    @Override
    public Handshakedata translateHandshake(ByteBuffer head) {
        connection.upgrade(head);
        return new HandshakeImpl1Client();
    }

    @Override
    public HandshakeState acceptHandshakeAsServer(ClientHandshake request) {
        return HandshakeState.MATCHED;
    }

    @Override
    public HandshakeBuilder postProcessHandshakeResponseAsServer(
            ClientHandshake request, ServerHandshakeBuilder response) {
        return response;
    }

    @Override
    public List<ByteBuffer> createHandshake(Handshakedata handshake) {
        return List.of();
    }

    @Override
    public List<Framedata> translateFrame(ByteBuffer read) {
        connection.received(read);
        return List.of();
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}
