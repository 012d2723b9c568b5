package io.realtime.testing;

import io.realtime.spi.ClientTransport;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A client's host in an {@link InMemoryNetwork}. For the thread that advances the time. */
final class SimulatedClient implements ClientTransport {
    private final InMemoryNetwork network;
    private boolean dead;
    private long pausedUntil; // on the network's clock

    SimulatedClient(InMemoryNetwork network) {
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

    /** Kills the process: it gets no more calls. */
    void die(boolean resets) {
        dead = true;
        network.linksOf(this).forEach(link -> link.hostDied(this, resets));
    }

    @Override
    public Scheduler.Cancellable connect(Target target, Callback callback) {
        Attempt attempt = new Attempt(target, callback);
        attempt.travel(attempt::reachServer);
        return attempt;
    }

    /** One attempt: the way of the request, the server's decision, and, if it refuses, the way back. */
    final class Attempt implements Scheduler.Cancellable {
        private final Target target;
        private final Callback callback;
        private Scheduler.Cancellable onTheWay = () -> {};
        private @Nullable SimulatedLink link; // set once the server has accepted
        private boolean over;

        private Attempt(Target target, Callback callback) {
            this.target = target;
            this.callback = callback;
        }

        SimulatedClient host() {
            return SimulatedClient.this;
        }

        Handshake handshake() {
            URI uri = target.uri();
            Map<String, String> headers = new TreeMap<>(target.headers());
            if (!target.subprotocol().isEmpty()) {
                headers.put("Sec-WebSocket-Protocol", target.subprotocol());
            }
            String query = uri.getRawQuery() == null ? "" : uri.getRawQuery();
            return new Handshake(uri.getRawPath(), query, headers, InetSocketAddress.createUnresolved("in-memory", 1));
        }

        private void travel(Runnable arrival) {
            if (network.isBlackHole() || dead) {
                return;
            }
            onTheWay = network.after(network.latency().next(), () -> {
                if (!network.isBlackHole() && !dead) {
                    arrival.run();
                }
            });
        }

        private void reachServer() {
            SimulatedServer server = network.serverAt(target.port());
            if (network.isRefusing() || server == null) {
                travel(() -> fail(new ConnectException("connection refused: " + target)));
            } else if (!server.isDark()) {
                server.accept(this, target);
            }
        }

        /** Handles the server's refusal. */
        void refused(IOException why) {
            if (!network.isLosingUpgrades()) {
                travel(() -> fail(why));
            }
        }

        /**
         * Handles the server's acceptance. The server's end is open; the answer arrives before anything that the server
         * sends.
         */
        void accepted(SimulatedLink opened, @Nullable String subprotocol) {
            if (network.isLosingUpgrades()) {
                opened.client().die();
                return;
            }
            link = opened;
            opened.client().whenOver((reason, byPeer) -> fail(new IOException(reason.text())));
            opened.server().travel(() -> connected(opened.client(), subprotocol == null ? "" : subprotocol));
        }

        private void connected(SimulatedEnd end, String selected) {
            if (!selected.equals(target.subprotocol())) {
                fail(new IOException("the server did not select the subprotocol " + target.subprotocol()));
                end.abort();
                return;
            }
            over = true;
            end.listen(callback.connected(end));
        }

        private void fail(Exception why) {
            if (!over) {
                over = true;
                callback.failed(why);
            }
        }

        @Override
        public void cancel() {
            if (over) {
                return;
            }
            over = true;
            onTheWay.cancel();
            if (link != null) {
                link.client().abort();
            }
        }
    }
}
