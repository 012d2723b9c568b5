package io.realtime.testing;

import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.net.BindException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A network in memory, on a {@link ManualScheduler}: transports for servers and clients that find each other by port,
 * and faults for tests. Frames of one connection arrive in order, each after its {@linkplain #latency latency}. Nothing
 * arrives on the sender's stack.
 *
 * <p>As with TCP, what arrives is a prefix of what was sent, without holes: a direction that has lost anything delivers
 * nothing any more. The same calls cause the same events in the same order.
 *
 * <p>For one thread: the one that advances the scheduler's time.
 */
public final class InMemoryNetwork {
    private final ManualScheduler scheduler;
    private final Map<Integer, SimulatedServer> servers = new HashMap<>();
    private final Set<SimulatedLink> links = new LinkedHashSet<>();
    private Latency latency = Latency.of(Duration.ofMillis(1));
    private int nextPort = 40_000;
    private boolean refusing;
    private boolean blackHole;
    private boolean losingUpgrades;
    private boolean lagging;
    private Tap tap = new Tap() {};

    /** Creates a network with a latency of one millisecond each way. */
    public InMemoryNetwork(ManualScheduler scheduler) {
        this.scheduler = scheduler;
    }

    /** One of the two directions of a connection. */
    public enum Direction {
        /** From the client to the server. */
        TO_SERVER,
        /** From the server to the client. */
        TO_CLIENT
    }

    /**
     * A connection in the network; it is open as long as one of its ends is open. After that its methods do nothing.
     */
    public interface Link {
        /** Resets the connection: both ends see 1006 immediately, and data in flight is lost. */
        void reset();

        /**
         * Resets the connection once so many more payload bytes have arrived in a direction. The frame that exceeds the
         * number is not delivered; those before it are.
         */
        void resetAfter(Direction direction, long bytes);

        /**
         * Damages the next frame that arrives in a direction: the receiving end cannot decode it, and closes with 1002.
         */
        void damageNext(Direction direction);

        /**
         * Loses everything that is sent in these directions from now on, pings and closes included, without a notice.
         * No direction means both. What was sent waits at its sender and counts against the outbound bound. This fault
         * is permanent.
         */
        void halfOpen(Direction... directions);

        /** Sets the latency of this connection's frames from now on, instead of the network's. */
        void latency(Duration oneWay);

        /** Returns how many bytes wait at the sender of a direction; 0 if that end is over. */
        long outboundBytes(Direction direction);

        /** Returns the longest time until now in which nothing arrived in a direction, pings and pongs included. */
        Duration longestSilence(Direction direction);
    }

    /** An observer of the traffic of a network's connections; the default of each method does nothing. */
    public interface Tap {
        /** Observes a new connection: the server has accepted the upgrade, and the client does not know it yet. */
        default void opened(Link link) {}

        /** Observes a batch that the network accepted from its sender. */
        default void sent(Link link, Direction direction, MessageBatch batch) {}

        /** Observes a frame that has arrived, before its receiver gets it. */
        default void arrived(Link link, Direction direction, WireMessage frame) {}

        /** Observes that the sender of a direction closes or aborts the connection. */
        default void closing(Link link, Direction direction, CloseReason reason) {}

        /** Observes that both ends are over. */
        default void over(Link link) {}
    }

    /** Sets the tap that observes everything from now on; replaces an earlier one. */
    public void tap(Tap newTap) {
        tap = newTap;
    }

    /** Sets the latency of frames from now on; the order within a connection is kept. */
    public void latency(Duration oneWay) {
        latency = Latency.of(oneWay);
    }

    /**
     * Sets a random latency for each frame from now on, within a range that includes both bounds. Connections overtake
     * each other; frames of one connection and direction do not.
     */
    public void latency(Duration least, Duration most, Random random) {
        latency = Latency.between(least, most, random);
    }

    /** Sets whether new connections are refused, as by a host without a listener. */
    public void refuseConnections(boolean refuse) {
        refusing = refuse;
    }

    /**
     * Sets whether everything that is sent from now on is lost, new connections included. A connection that has lost
     * something stays silent later; only its reset still arrives.
     */
    public void blackHole(boolean swallow) {
        blackHole = swallow;
    }

    /**
     * Sets whether answers to upgrades are lost: an attempt reaches the server, which opens its end, but the client
     * gets no answer. That end stays, silent, until the server gives it up.
     */
    public void loseUpgrades(boolean lose) {
        losingUpgrades = lose;
    }

    /**
     * Sets whether the servers' event loops are too busy to write: a flush that calls {@link
     * io.realtime.spi.Connection#awaitWritable} waits until this ends.
     */
    public void lag(boolean lag) {
        lagging = lag;
        if (!lag) {
            for (SimulatedLink link : new ArrayList<>(links)) {
                link.server().caughtUp();
            }
        }
    }

    /**
     * Pauses a server's host for a time. What arrives meanwhile is delivered at the end of the pause, in order. To
     * pause its tasks too, use {@link SimulatedProcess#pause}.
     *
     * @throws IllegalArgumentException if the transport does not belong to this network
     */
    public void pause(ServerTransport server, Duration time) {
        own(server).pause(time);
    }

    /** Pauses a client's host for a time, like {@link #pause(ServerTransport, Duration)}. */
    public void pause(ClientTransport client, Duration time) {
        own(client).pause(time);
    }

    /** Resets every open connection: both ends see 1006, and data in flight is lost. */
    public void cutAll() {
        links().forEach(Link::reset);
    }

    /**
     * Sets whether the clients' ends stop reading: what is sent to them waits at the server and counts against its
     * outbound bound.
     */
    public void stallClients(boolean stall) {
        for (SimulatedLink link : new ArrayList<>(links)) {
            link.server().stall(stall);
        }
    }

    /** Returns the open connections, oldest first. */
    public List<Link> links() {
        return List.copyOf(links);
    }

    /** Returns how many connections are open at one end at least. */
    public int connections() {
        return links.size();
    }

    /**
     * Returns a transport for one server, on a separate host. It passes the {@link ServerTransportContract} in virtual
     * time: its stop returns immediately, and the drain ends as time advances. An upgrade arrives whole, all clients
     * have the same address, and there is no encryption; the limits for these have no effect.
     */
    public ServerTransport serverTransport() {
        return new SimulatedServer(this);
    }

    /**
     * Returns a transport for clients, on a separate host. It connects to the port of the URI and ignores the URI's
     * host.
     */
    public ClientTransport clientTransport() {
        return new SimulatedClient(this);
    }

    /**
     * Crashes a server's process; its operating system resets its connections. Its listeners are not called again, the
     * other ends see 1006 after the latency, and its port is free immediately.
     *
     * @throws IllegalArgumentException if the transport does not belong to this network
     */
    public void crash(ServerTransport server) {
        own(server).die(true);
    }

    /** Crashes a client's process, like {@link #crash(ServerTransport)}. */
    public void crash(ClientTransport client) {
        own(client).die(true);
    }

    /**
     * Turns off the power of a server's machine. Its listeners are not called again, and the other ends get no notice.
     * Its port may be bound immediately; until then, attempts to connect to it get no answer.
     *
     * @throws IllegalArgumentException if the transport does not belong to this network
     */
    public void vanish(ServerTransport server) {
        own(server).die(false);
    }

    /** Turns off the power of a client's machine, like {@link #vanish(ServerTransport)}. */
    public void vanish(ClientTransport client) {
        own(client).die(false);
    }

    private SimulatedServer own(ServerTransport transport) {
        if (transport instanceof SimulatedServer server && server.isOf(this)) {
            return server;
        }
        throw new IllegalArgumentException("not a transport of this network: " + transport);
    }

    private SimulatedClient own(ClientTransport transport) {
        if (transport instanceof SimulatedClient client && client.isOf(this)) {
            return client;
        }
        throw new IllegalArgumentException("not a transport of this network: " + transport);
    }

    // ---- for the parts of the network

    /** Returns the open connections that have an end at this transport, oldest first. */
    List<SimulatedLink> linksOf(Object transport) {
        List<SimulatedLink> some = new ArrayList<>(links);
        some.removeIf(link -> !link.endsAt(transport));
        return some;
    }

    Latency latency() {
        return latency;
    }

    boolean isRefusing() {
        return refusing;
    }

    boolean isBlackHole() {
        return blackHole;
    }

    boolean isLosingUpgrades() {
        return losingUpgrades;
    }

    boolean isLagging() {
        return lagging;
    }

    Tap tap() {
        return tap;
    }

    long nanoTime() {
        return scheduler.nanoTime();
    }

    Scheduler.Cancellable after(Duration delay, Runnable task) {
        return scheduler.schedule(delay, task);
    }

    void opened(SimulatedLink link) {
        links.add(link);
        tap.opened(link);
    }

    void over(SimulatedLink link) {
        if (links.remove(link)) {
            tap.over(link);
        }
    }

    @Nullable
    SimulatedServer serverAt(int port) {
        return servers.get(port);
    }

    /** Binds a port, or a free one for 0, and returns it. */
    int bind(int wanted, SimulatedServer server) throws BindException {
        int port = wanted == 0 ? nextPort++ : wanted;
        SimulatedServer there = servers.get(port);
        if (there != null && !there.isDark()) {
            throw new BindException("Address already in use");
        }
        servers.put(port, server);
        return port;
    }

    void unbind(int port, SimulatedServer server) {
        servers.remove(port, server);
    }
}
