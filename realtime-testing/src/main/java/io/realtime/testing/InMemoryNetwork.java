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
 * A network in memory, over a {@link ManualScheduler}: transports for servers and clients that meet by port, and the
 * faults that a test wants. Frames of one connection arrive in order, each after its {@linkplain #latency latency};
 * nothing arrives on the sender's stack.
 *
 * <p>As TCP does, a connection delivers a prefix of what was sent, never with a hole: a direction in which anything was
 * lost carries nothing any more. The same calls give the same events in the same order.
 *
 * <p>For one thread: the one that moves the scheduler's time.
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

    /** A network without delays other than one millisecond each way. */
    public InMemoryNetwork(ManualScheduler scheduler) {
        this.scheduler = scheduler;
    }

    /** One of the two ways through a connection. */
    public enum Direction {
        /** From the client to the server. */
        TO_SERVER,
        /** From the server to the client. */
        TO_CLIENT
    }

    /** A connection as the network sees it, open as long as one of its ends is. Nothing here does anything afterwards. */
    public interface Link {
        /** Resets the connection: both ends see 1006 at once, and what is on its way is lost. */
        void reset();

        /**
         * Resets the connection once that many more payload bytes have arrived in a direction. The frame that goes
         * beyond is torn: it is not delivered, those before it are.
         */
        void resetAfter(Direction direction, long bytes);

        /**
         * Damages the next frame that arrives in a direction: the end that receives it cannot decode it, and closes
         * with 1002.
         */
        void damageNext(Direction direction);

        /**
         * Loses whatever is sent in these directions from now on, pings and closes included, and tells nobody; none
         * given means both. What was sent waits at its sender, against the outbound bound. It does not heal.
         */
        void halfOpen(Direction... directions);

        /** Sets how long a frame of this connection travels, from now on, whatever the network's latency. */
        void latency(Duration oneWay);

        /** Returns how many bytes wait at the sender of a direction; none once that end is over. */
        long outboundBytes(Direction direction);

        /** Returns the longest time, up to now, in which nothing arrived in a direction, pings and pongs included. */
        Duration longestSilence(Direction direction);
    }

    /** Sees what goes through a network's connections; the default of each method does nothing. */
    public interface Tap {
        /** A connection was made: the server has accepted the upgrade, and the client does not know yet. */
        default void opened(Link link) {}

        /** A batch was taken from its sender. */
        default void sent(Link link, Direction direction, MessageBatch batch) {}

        /** A frame is there, and is about to be handed to its receiver. */
        default void arrived(Link link, Direction direction, WireMessage frame) {}

        /** The sender of a direction closes the connection, or cuts it off. */
        default void closing(Link link, Direction direction, CloseReason reason) {}

        /** Both ends are over. */
        default void over(Link link) {}
    }

    /** Has a tap see everything from now on, in place of an earlier one. */
    public void tap(Tap newTap) {
        tap = newTap;
    }

    /** Sets how long a frame travels, from now on; the order within a connection is kept. */
    public void latency(Duration oneWay) {
        latency = Latency.of(oneWay);
    }

    /**
     * Sets how long frames travel, from now on: each its own time, both ends of the range included. Connections
     * overtake each other, frames of one connection and direction do not.
     */
    public void latency(Duration least, Duration most, Random random) {
        latency = Latency.between(least, most, random);
    }

    /** Whether new connections are refused, as by a host without a listener. */
    public void refuseConnections(boolean refuse) {
        refusing = refuse;
    }

    /**
     * Whether everything that is sent from now on vanishes, new connections included. A connection that lost something
     * stays silent afterwards; only its reset still gets through.
     */
    public void blackHole(boolean swallow) {
        blackHole = swallow;
    }

    /**
     * Whether answers to upgrades get lost: an attempt reaches the server, which opens its end, and the client never
     * hears of it. That end stays, silent, until the server gives it up.
     */
    public void loseUpgrades(boolean lose) {
        losingUpgrades = lose;
    }

    /**
     * Whether the servers' event loops do not come to writing: a flush that asks {@link
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
     * Stops a server's host for so long: what arrives meanwhile is there, and handed over at the end of the pause, in
     * order. Its own tasks stop with {@link SimulatedProcess#pause}.
     *
     * @throws IllegalArgumentException when the transport is not of this network
     */
    public void pause(ServerTransport server, Duration time) {
        own(server).pause(time);
    }

    /** Stops a client's host for so long: as {@link #pause(ServerTransport, Duration)}. */
    public void pause(ClientTransport client, Duration time) {
        own(client).pause(time);
    }

    /** Resets every open connection: both ends see 1006, what was on its way is lost. */
    public void cutAll() {
        links().forEach(Link::reset);
    }

    /** Makes the clients' ends stop reading: what is sent to them waits at the server, against its outbound bound. */
    public void stallClients(boolean stall) {
        for (SimulatedLink link : new ArrayList<>(links)) {
            link.server().stall(stall);
        }
    }

    /** Returns the open connections, the oldest first. */
    public List<Link> links() {
        return List.copyOf(links);
    }

    /** Returns how many connections are open: at one end at least. */
    public int connections() {
        return links.size();
    }

    /**
     * A transport for one server, on a host of its own. It keeps the {@link ServerTransportContract}, in this time: its
     * stop returns at once, and the drain passes as the time is moved. An upgrade arrives whole, all clients have one
     * address and nothing is encrypted: what bounds those does nothing here.
     */
    public ServerTransport serverTransport() {
        return new SimulatedServer(this);
    }

    /** A transport for clients, on a host of its own; connects to the port of the URI whatever the URI's host. */
    public ClientTransport clientTransport() {
        return new SimulatedClient(this);
    }

    /**
     * The server's process dies, and its operating system resets what it had open: its listeners are not called again,
     * the other ends see 1006 after the latency, and its port is free at once.
     *
     * @throws IllegalArgumentException when the transport is not of this network
     */
    public void crash(ServerTransport server) {
        own(server).die(true);
    }

    /** The client's process dies: as {@link #crash(ServerTransport)}. */
    public void crash(ClientTransport client) {
        own(client).die(true);
    }

    /**
     * The server's machine loses power: its listeners are not called again, and the other ends are told nothing. Its
     * port may be bound at once; until then, attempts to connect to it are not answered.
     *
     * @throws IllegalArgumentException when the transport is not of this network
     */
    public void vanish(ServerTransport server) {
        own(server).die(false);
    }

    /** The client's machine loses power: as {@link #vanish(ServerTransport)}. */
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

    /** Returns the open connections that have an end at this transport, the oldest first. */
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

    /** Binds a port, 0 for any, and returns which. */
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
