package io.realtime.testing;

import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.InMemoryNetwork.Direction;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A connection of an {@link InMemoryNetwork} with both ends. For the thread that advances the time. */
final class SimulatedLink implements InMemoryNetwork.Link {
    private final InMemoryNetwork network;
    private final SimulatedServer serverHost;
    private final SimulatedClient clientHost;
    private final SimulatedEnd server;
    private final SimulatedEnd client;
    private @Nullable Latency latency; // null: the network's latency

    SimulatedLink(
            InMemoryNetwork network,
            SimulatedServer serverHost,
            ServerTransport.Config config,
            SimulatedClient clientHost,
            ClientTransport.Target target) {
        this.network = network;
        this.serverHost = serverHost;
        this.clientHost = clientHost;
        this.server = new SimulatedEnd(network, this, config.messageBytes(), config.outboundBytes());
        this.client = new SimulatedEnd(network, this, target.messageBytes(), target.outboundBytes());
    }

    SimulatedEnd server() {
        return server;
    }

    SimulatedEnd client() {
        return client;
    }

    SimulatedEnd peerOf(SimulatedEnd end) {
        return end == server ? client : server;
    }

    private SimulatedEnd senderOf(Direction direction) {
        return direction == Direction.TO_SERVER ? client : server;
    }

    @Override
    public void reset() {
        CloseReason reason = new CloseReason(CloseReason.ABNORMAL, "connection reset");
        server.ended(reason);
        client.ended(reason);
    }

    @Override
    public void resetAfter(Direction direction, long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("not a number of bytes: " + bytes);
        }
        senderOf(direction).resetAfter(bytes);
    }

    @Override
    public void damageNext(Direction direction) {
        senderOf(direction).damageNext();
    }

    @Override
    public void halfOpen(Direction... directions) {
        for (Direction direction : directions.length == 0 ? Direction.values() : directions) {
            senderOf(direction).halfOpen();
        }
    }

    @Override
    public void latency(Duration oneWay) {
        latency = Latency.of(oneWay);
    }

    @Override
    public long outboundBytes(Direction direction) {
        return senderOf(direction).outboundBytes();
    }

    @Override
    public Duration longestSilence(Direction direction) {
        return direction == Direction.TO_SERVER ? server.longestSilence() : client.longestSilence();
    }

    Direction directionOf(SimulatedEnd sender) {
        return sender == server ? Direction.TO_CLIENT : Direction.TO_SERVER;
    }

    long pausedNanos(SimulatedEnd end) {
        return end == server ? serverHost.pausedNanos() : clientHost.pausedNanos();
    }

    Duration nextLatency() {
        return (latency == null ? network.latency() : latency).next();
    }

    boolean endsAt(Object transport) {
        return transport == serverHost || transport == clientHost;
    }

    boolean isHostDead(SimulatedEnd end) {
        return end == server ? serverHost.isDead() : clientHost.isDead();
    }

    /** Handles the death of this transport's host. If its operating system is alive, it resets the other end. */
    void hostDied(Object transport, boolean resets) {
        SimulatedEnd end = transport == serverHost ? server : client;
        if (end.isOver()) {
            return;
        }
        end.die();
        if (resets) {
            peerOf(end).resetByPeer();
        }
    }

    void endIsOver(SimulatedEnd end) {
        if (end == server) {
            serverHost.connectionIsOver();
        }
        if (server.isOver() && client.isOver()) {
            network.over(this);
        }
    }
}
