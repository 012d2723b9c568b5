package io.realtime.server.internal.connection;

import io.realtime.CloseReason;
import io.realtime.Heartbeat;
import io.realtime.internal.LogLimit;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Authenticator;
import io.realtime.server.internal.dispatch.Dispatcher;
import io.realtime.server.internal.session.Rules;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.server.internal.session.SessionTable;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.ServerTransport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The acceptor of one server: answers upgrade requests, and keeps a {@link Peer} for each open connection. Safe for use
 * by many threads.
 */
public final class PeerAcceptor implements ServerTransport.Acceptor {
    private final String path;
    private final OriginRule origins;
    private final Heartbeat heartbeat;
    private final Random random;
    private final Authentications authentications;
    private final SessionContext context;
    private final SessionTable table;
    private final Rules rules;
    private final Dispatcher dispatcher;
    private final LogLimit refusals = new LogLimit(10, Duration.ofMinutes(1));
    private final Set<Peer> peers = ConcurrentHashMap.newKeySet();
    private volatile boolean refusesNew;
    // Completes when the server is closing and no connection is open.
    private final CompletableFuture<Void> left = new CompletableFuture<>();

    public PeerAcceptor(
            String path,
            OriginRule origins,
            Heartbeat heartbeat,
            Random random,
            Authenticator authenticator,
            SessionContext context,
            SessionTable table,
            Rules rules,
            Dispatcher dispatcher) {
        this.path = path;
        this.origins = origins;
        this.heartbeat = heartbeat;
        this.random = random;
        this.authentications = new Authentications(authenticator, context.workers(), context.scheduler());
        this.context = context;
        this.table = table;
        this.rules = rules;
        this.dispatcher = dispatcher;
    }

    @Override
    public ServerTransport.Upgrade upgrade(Handshake handshake) {
        if (isDraining()) {
            return refuse(handshake, "draining", 503, "Service Unavailable");
        }
        if (!handshake.path().equals(path)) {
            return refuse(handshake, "path", 404, "Not Found");
        }
        if (!origins.allows(handshake)) {
            return refuse(handshake, "origin", 403, "Forbidden");
        }
        List<String> offered = handshake.subprotocols();
        if (offered.isEmpty()) {
            return ServerTransport.Upgrade.accept(null);
        }
        return offered.contains(Protocol.SUBPROTOCOL)
                ? ServerTransport.Upgrade.accept(Protocol.SUBPROTOCOL)
                : refuse(handshake, "subprotocol", 400, "Bad Request");
    }

    private ServerTransport.Upgrade refuse(Handshake handshake, String cause, int status, String reason) {
        context.counters().refusedConnection(cause);
        int before = refusals.tryAcquire(context.scheduler().nanoTime());
        if (before >= 0) {
            context.log()
                    .atInfo()
                    .addKeyValue("cause", cause)
                    .addKeyValue("address", handshake.remote().getHostString())
                    .addKeyValue("suppressed", before)
                    .log("refused a connection");
        }
        return ServerTransport.Upgrade.refuse(status, reason);
    }

    @Override
    public void refused() {
        context.counters().refusedConnection("limit");
    }

    @Override
    public ConnectionListener open(Connection connection, Handshake handshake) {
        boolean managed = handshake.subprotocols().contains(Protocol.SUBPROTOCOL);
        Peer peer = new Peer(this, connection, handshake, managed);
        peers.add(peer);
        context.counters().connected();
        try {
            peer.begin();
        } catch (Throwable failure) {
            // For example out of memory. The transport cannot report the connection's end to anyone.
            peer.onClosed(new CloseReason(CloseReason.ABNORMAL, "not begun"), false);
            throw failure;
        }
        if (isDraining()) {
            // The close, or the drain, began after the upgrade was accepted.
            peer.close(new CloseReason(CloseReason.DRAINING, "server is draining"));
        }
        return peer;
    }

    private boolean isDraining() {
        return refusesNew || context.state().isDraining();
    }

    /** Refuses new connections from now on. Those that {@link #peers} does not return afterwards are closed at once. */
    void refuseNew() {
        refusesNew = true;
    }

    /** Forgets a connection that is closed. */
    void gone(Peer peer) {
        peers.remove(peer);
        if (context.state().isDraining() && peers.isEmpty()) {
            left.complete(null);
        }
    }

    /** Returns a future that completes when no connection is open. Called while the server is closing. */
    public CompletableFuture<Void> noConnections() {
        if (peers.isEmpty()) {
            left.complete(null);
        }
        return left;
    }

    public int connectionCount() {
        return peers.size();
    }

    /** Returns a copy of the set of open connections. */
    public List<Peer> peers() {
        return new ArrayList<>(peers);
    }

    /**
     * Returns over how many milliseconds clients spread their reconnections when this server closes: one for each peer,
     * at least 100.
     */
    public long spreadMs() {
        return Math.max(100, peers.size());
    }

    Authentications authentications() {
        return authentications;
    }

    SessionContext context() {
        return context;
    }

    public SessionTable table() {
        return table;
    }

    Rules rules() {
        return rules;
    }

    public Dispatcher dispatcher() {
        return dispatcher;
    }

    Heartbeat heartbeat() {
        return heartbeat;
    }

    Random random() {
        return random;
    }
}
