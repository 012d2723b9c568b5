package io.realtime.benchmarks.servers;

import java.net.InetSocketAddress;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.java_websocket.WebSocket;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.server.WebSocketServer;
import org.jspecify.annotations.Nullable;

/**
 * An echo and a group on Java-WebSocket with its defaults: its own threads and broadcast, no compression, no check for
 * lost connections.
 */
public final class RawJavaWebSocket extends WebSocketServer {
    private static final int BACKLOG = 4096;

    private final Set<WebSocket> members = ConcurrentHashMap.newKeySet();
    private final CountDownLatch listening = new CountDownLatch(1);

    private RawJavaWebSocket() {
        super(new InetSocketAddress(0));
        setTcpNoDelay(true);
        setReuseAddr(true);
        setConnectionLostTimeout(0);
        setMaxPendingConnections(BACKLOG);
    }

    /**
     * Runs until the input ends.
     *
     * @throws Exception if the server does not start
     */
    public static void main(String[] none) throws Exception {
        RawJavaWebSocket server = new RawJavaWebSocket();
        server.start();
        server.listening.await();
        Standalone.run(server.getPort());
    }

    @Override
    public void onStart() {
        listening.countDown();
    }

    @Override
    public void onOpen(WebSocket peer, ClientHandshake handshake) {}

    @Override
    public void onMessage(WebSocket peer, String message) {
        switch (message.charAt(0)) {
            case 'e' -> peer.send(message);
            case 's' -> {
                members.add(peer);
                peer.send(message);
            }
            case 'p' -> broadcast(message, members);
            default -> peer.close();
        }
    }

    @Override
    public void onClose(WebSocket peer, int code, String reason, boolean remote) {
        members.remove(peer);
    }

    @Override
    public void onError(@Nullable WebSocket peer, Exception failure) {
        System.err.println(failure);
    }
}
