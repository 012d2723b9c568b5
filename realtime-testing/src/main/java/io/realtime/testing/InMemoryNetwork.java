package io.realtime.testing;

import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A network in memory, over a {@link ManualScheduler}: transports for servers and clients that meet by port, and the
 * faults that a test wants. Frames of one connection arrive in order after the {@linkplain #latency latency}; nothing
 * arrives on the sender's stack.
 *
 * <p>For one thread: the one that moves the scheduler's time.
 */
public final class InMemoryNetwork {
    private static final Duration CLOSE_GRACE = Duration.ofSeconds(5);

    private final ManualScheduler scheduler;
    private final Map<Integer, Server> servers = new HashMap<>();
    private final Set<Link> links = new LinkedHashSet<>();
    private Duration latency = Duration.ofMillis(1);
    private int nextPort = 40_000;
    private boolean refusing;
    private boolean blackHole;

    /** A network without delays other than one millisecond each way. */
    public InMemoryNetwork(ManualScheduler scheduler) {
        this.scheduler = scheduler;
    }

    /** Sets how long a frame travels, from now on; the order within a connection is kept. */
    public void latency(Duration oneWay) {
        this.latency = oneWay;
    }

    /** Whether new connections are refused, as by a host without a listener. */
    public void refuseConnections(boolean refuse) {
        this.refusing = refuse;
    }

    /** Whether everything that is sent from now on vanishes, new connections included: a half-open network. */
    public void blackHole(boolean swallow) {
        this.blackHole = swallow;
    }

    /** Resets every open connection: both ends see 1006, what was on its way is lost. */
    public void cutAll() {
        for (Link link : new ArrayList<>(links)) {
            link.reset();
        }
    }

    /** Makes the clients' ends stop reading: what is sent to them waits at the server, against its outbound bound. */
    public void stallClients(boolean stall) {
        for (Link link : new ArrayList<>(links)) {
            link.server.stall(stall);
        }
    }

    /** Returns how many connections are open. */
    public int connections() {
        return links.size();
    }

    /** A transport for one server. */
    public ServerTransport serverTransport() {
        return new Server();
    }

    /** A transport for clients; connects to the port of the URI whatever its host. */
    public ClientTransport clientTransport() {
        return this::connect;
    }

    private Scheduler.Cancellable connect(ClientTransport.Target target, ClientTransport.Callback callback) {
        Attempt attempt = new Attempt();
        if (blackHole) {
            return attempt;
        }
        scheduler.schedule(latency.plus(latency), () -> {
            if (attempt.cancelled || blackHole) {
                return;
            }
            Server server = servers.get(target.uri().getPort());
            if (refusing || server == null || server.acceptor == null) {
                callback.failed(new ConnectException("connection refused: " + target));
                return;
            }
            Map<String, String> headers = new TreeMap<>(target.headers());
            headers.put("Sec-WebSocket-Protocol", target.subprotocol());
            Handshake handshake = handshake(target.uri(), headers);
            ServerTransport.Upgrade upgrade = server.acceptor.upgrade(handshake);
            if (!upgrade.isAccepted()) {
                callback.failed(new IOException("upgrade refused: " + upgrade.status() + " " + upgrade.reason()));
                return;
            }
            Link link = new Link(server, server.config().outboundBytes(), target.outboundBytes());
            links.add(link);
            link.server.listener = server.acceptor.open(link.server, handshake);
            link.client.listener = callback.connected(link.client);
        });
        return attempt;
    }

    private static Handshake handshake(URI uri, Map<String, String> headers) {
        String query = uri.getRawQuery() == null ? "" : uri.getRawQuery();
        return new Handshake(uri.getRawPath(), query, headers, InetSocketAddress.createUnresolved("in-memory", 1));
    }

    private static final class Attempt implements Scheduler.Cancellable {
        private boolean cancelled;

        @Override
        public void cancel() {
            cancelled = true;
        }
    }

    private final class Server implements ServerTransport {
        private @Nullable Config config;
        private @Nullable Acceptor acceptor;
        private int port;

        @Override
        public void start(Config newConfig, Acceptor newAcceptor) throws IOException {
            port = newConfig.address().getPort() == 0
                    ? nextPort++
                    : newConfig.address().getPort();
            if (servers.putIfAbsent(port, this) != null) {
                throw new BindException("port " + port + " is in use");
            }
            config = newConfig;
            acceptor = newAcceptor;
        }

        Config config() {
            if (config == null) {
                throw new IllegalStateException("not started");
            }
            return config;
        }

        @Override
        public int port() {
            config();
            return port;
        }

        @Override
        public void stopAccepting() {
            servers.remove(port, this);
        }

        @Override
        public void stop(Duration drain) {
            stopAccepting();
            for (Link link : new ArrayList<>(links)) {
                if (link.owner == this) {
                    link.server.close(new CloseReason(CloseReason.GOING_AWAY, "server stops"));
                }
            }
        }

        @Override
        public @Nullable String problem() {
            return null;
        }
    }

    /** Both ends of one connection. */
    private final class Link {
        private final Server owner;
        private final End server;
        private final End client;

        Link(Server owner, int serverOutbound, int clientOutbound) {
            this.owner = owner;
            this.server = new End(this, serverOutbound);
            this.client = new End(this, clientOutbound);
        }

        void reset() {
            links.remove(this);
            CloseReason reason = new CloseReason(CloseReason.ABNORMAL, "connection reset");
            server.ended(reason);
            client.ended(reason);
        }

        End peerOf(End end) {
            return end == server ? client : server;
        }
    }

    /** One end: what it sends waits in {@code outbound} for the latency, then arrives at the peer. */
    private final class End implements Connection {
        private final Link link;
        private final int bound;
        private final List<Runnable> stalled = new ArrayList<>();
        private @Nullable ConnectionListener listener;
        private long waiting;
        private long lastArrival;
        private boolean isStalled;
        private boolean closing;
        private boolean over;
        private boolean owesDrained;

        End(Link link, int bound) {
            this.link = link;
            this.bound = bound;
        }

        @Override
        public boolean send(FrameBatch batch) {
            if (closing || over) {
                return false;
            }
            if (waiting + batch.bytes() > bound) {
                owesDrained = true;
                return false;
            }
            waiting += batch.bytes();
            owesDrained |= waiting > bound / 2;
            travel(() -> {
                taken(batch.bytes());
                for (Frame frame : batch.frames()) {
                    ConnectionListener to = link.peerOf(this).listener;
                    if (to == null || link.peerOf(this).over) {
                        return;
                    }
                    if (frame.isText()) {
                        to.onText(frame.asText());
                    } else {
                        to.onBinary(frame.payload());
                    }
                }
            });
            return true;
        }

        private void taken(int bytes) {
            waiting -= bytes;
            if (waiting == 0 && owesDrained && listener != null && !over) {
                owesDrained = false;
                listener.onDrained();
            }
        }

        void stall(boolean stall) {
            isStalled = stall;
            if (!stall) {
                List<Runnable> kept = new ArrayList<>(stalled);
                stalled.clear();
                kept.forEach(this::travel);
            }
        }

        /** Runs an arrival at the peer after the latency, behind all that was sent before. */
        private void travel(Runnable arrival) {
            if (isStalled) { // pings and the close wait their turn too: a peer that does not read sees nothing
                stalled.add(arrival);
                return;
            }
            if (blackHole) {
                return;
            }
            long due = Math.max(lastArrival, scheduler.nanoTime() + latency.toNanos());
            lastArrival = due;
            scheduler.schedule(Duration.ofNanos(due - scheduler.nanoTime()), arrival);
        }

        @Override
        public long outboundBytes() {
            return waiting;
        }

        @Override
        public void ping() {
            if (closing || over) {
                return;
            }
            travel(() -> {
                End peer = link.peerOf(this);
                if (peer.over || peer.listener == null) {
                    return;
                }
                peer.listener.onActivity();
                peer.travel(() -> {
                    if (!over && listener != null) {
                        listener.onActivity();
                    }
                });
            });
        }

        @Override
        public void close(CloseReason reason) {
            if (closing || over) {
                return;
            }
            closing = true;
            travel(() -> {
                End peer = link.peerOf(this);
                if (peer.over) {
                    return;
                }
                peer.closing = true;
                peer.travel(() -> {
                    links.remove(link);
                    ended(reason);
                });
                peer.ended(reason);
            });
            scheduler.schedule(CLOSE_GRACE, () -> {
                if (!over) {
                    links.remove(link);
                    ended(reason);
                    link.peerOf(this).lost();
                }
            });
        }

        @Override
        public void abort() {
            if (over) {
                return;
            }
            links.remove(link);
            ended(new CloseReason(CloseReason.ABNORMAL, "aborted"));
            link.peerOf(this).lost();
        }

        private void lost() {
            if (!blackHole && !over) {
                scheduler.schedule(latency, () -> ended(new CloseReason(CloseReason.ABNORMAL, "connection reset")));
            }
        }

        private void ended(CloseReason reason) {
            if (over) {
                return;
            }
            over = true;
            closing = true;
            stalled.clear();
            if (listener != null) {
                listener.onClosed(reason);
            }
        }

        @Override
        public String remoteAddress() {
            return "in-memory:1";
        }
    }
}
