package io.realtime.testing;

import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Handshake;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.UpgradeException;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A server's host in an {@link InMemoryNetwork}. For the thread that advances the time. */
final class SimulatedServer implements ServerTransport {
    private final InMemoryNetwork network;
    private @Nullable Config config;
    private @Nullable Acceptor acceptor;
    private int port;
    private int open;
    private boolean dead;
    private long pausedUntil; // on the network's clock
    private boolean dark;

    SimulatedServer(InMemoryNetwork network) {
        this.network = network;
    }

    boolean isOf(InMemoryNetwork other) {
        return network == other;
    }

    boolean isDead() {
        return dead;
    }

    void pause(Duration time) {
        pausedUntil = Math.max(pausedUntil, network.nanoTime() + time.toNanos());
    }

    /** Returns how long the host stays paused; 0 if it is not paused. */
    long pausedNanos() {
        return Math.max(0, pausedUntil - network.nanoTime());
    }

    /** Returns whether the machine has no power: it neither accepts connections nor refuses them. */
    boolean isDark() {
        return dark;
    }

    /** Accepts or refuses an upgrade; the answer arrives before anything else that this end sends. */
    void accept(SimulatedClient.Attempt attempt, ClientTransport.Target target) {
        if (config == null || acceptor == null) {
            throw new IllegalStateException("not started");
        }
        if (open >= config.connections()) {
            acceptor.refused();
            attempt.refused(new IOException("connection closed: the server has as many as it takes"));
            return;
        }
        Handshake handshake = attempt.handshake();
        Upgrade answer = acceptor.upgrade(handshake);
        if (!answer.isAccepted()) {
            attempt.refused(new UpgradeException(answer.status(), answer.reason(), Map.of()));
            return;
        }
        open++;
        SimulatedLink link = new SimulatedLink(network, this, config, attempt.host(), target);
        network.opened(link);
        attempt.accepted(link, answer.subprotocol());
        link.server().listen(acceptor.open(link.server(), handshake));
    }

    void connectionIsOver() {
        open--;
    }

    /** Kills the process: it gets no more calls. */
    void die(boolean resets) {
        dead = true;
        if (resets) {
            stopAccepting();
        }
        dark = !resets;
        network.linksOf(this).forEach(link -> link.hostDied(this, resets));
    }

    @Override
    public void start(Config newConfig, Acceptor newAcceptor) throws IOException {
        if (config != null) {
            throw new IllegalStateException("a transport starts once");
        }
        port = network.bind(newConfig.address().getPort(), this);
        config = newConfig;
        acceptor = newAcceptor;
    }

    @Override
    public int port() {
        if (config == null) {
            throw new IllegalStateException("not started");
        }
        return port;
    }

    @Override
    public void stopAccepting() {
        network.unbind(port, this);
    }

    /** Begins to stop, and does not block: the drain ends as time advances. */
    @Override
    public void stop(Duration drain) {
        stopAccepting();
        CloseReason reason = new CloseReason(CloseReason.GOING_AWAY, "server stops");
        for (SimulatedLink link : network.linksOf(this)) {
            link.server().close(reason);
            link.server().cutAfter(drain);
        }
    }

    @Override
    public @Nullable String problem() {
        return null;
    }
}
