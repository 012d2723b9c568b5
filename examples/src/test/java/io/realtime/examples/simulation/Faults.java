package io.realtime.examples.simulation;

import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.InMemoryNetwork.Direction;
import io.realtime.testing.InMemoryNetwork.Link;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** What breaks in a simulation. */
final class Faults {
    private final Simulation simulation;
    private final Random random;
    private final InMemoryNetwork network;
    private boolean serverRestarts;
    private int damages;

    Faults(Simulation simulation) {
        this.simulation = simulation;
        this.random = simulation.random;
        this.network = simulation.network;
    }

    void disturb() {
        Link link = anyLink();
        switch (random.nextInt(60)) {
            case 0, 1 -> network.cutAll();
            case 2, 3 -> {
                if (link != null) {
                    link.reset();
                }
            }
            case 4, 5, 6 -> {
                if (link != null) {
                    link.resetAfter(anyDirection(), random.nextInt(600));
                }
            }
            case 7 -> {
                if (link != null) {
                    link.halfOpen(anyDirection());
                }
            }
            case 8 -> {
                if (link != null) {
                    link.halfOpen();
                }
            }
            case 9 -> {
                if (link != null) {
                    link.latency(Duration.ofMillis(random.nextInt(8_000)));
                }
            }
            case 10 -> network.latency(Duration.ZERO, Duration.ofMillis(random.nextInt(400)), random);
            case 11 -> network.latency(Duration.ofMillis(random.nextInt(100)));
            case 12 -> network.refuseConnections(true);
            case 13, 14 -> network.refuseConnections(false);
            case 15 -> network.blackHole(random.nextInt(4) == 0);
            case 16 -> network.loseUpgrades(random.nextInt(3) == 0);
            case 17 -> network.stallClients(random.nextBoolean());
            case 18 -> simulation.anyClient().networkChanged();
            case 19 -> simulation.anyClient().disconnect();
            case 20 -> simulation.server.disconnectOne();
            case 21 -> jump();
            case 22 -> stopServer();
            case 23 -> restart(simulation.anyClient());
            case 24 -> overtake(simulation.anyClient());
            case 25 -> {
                if (random.nextInt(4) == 0) {
                    simulation.server.disconnectUser(Simulation.USERS.get(random.nextInt(Simulation.USERS.size())));
                }
            }
            case 26, 27 -> {
                if (simulation.setup.pauses()) {
                    simulation.server.pause(Duration.ofMillis(random.nextInt(8_000)));
                }
            }
            case 28 -> {
                if (simulation.setup.pauses()) {
                    simulation.anyClient().pause(Duration.ofMillis(random.nextInt(8_000)));
                }
            }
            case 35 -> {
                if (link != null) {
                    damages++;
                    link.damageNext(anyDirection());
                }
            }
            case 34 -> {
                if (simulation.setup.switches()) {
                    simulation.anyClient().switchAccount();
                }
            }
            case 29, 30 -> network.lag(simulation.setup.lags());
            case 31, 32, 33 -> network.lag(false);
            default -> {}
        }
        if (random.nextInt(10) == 0) {
            simulation.clients.stream().filter(ClientHost::isClosed).forEach(ClientHost::connect);
        }
        if (!simulation.server.isUp() && random.nextInt(10) == 0) {
            simulation.server.start();
        }
    }

    /** Returns whether a frame has come that could not be read. */
    boolean hasDamaged() {
        return damages > 0;
    }

    /** A client's first connection gets slow before its {@code $hello} is there, and its second one overtakes it. */
    private void overtake(ClientHost client) {
        List<Link> before = network.links();
        client.reconnect();
        for (int i = 0; i < 100; i++) {
            simulation.time.advance(Duration.ofMillis(5));
            for (Link link : network.links()) {
                if (!before.contains(link)) {
                    link.latency(Duration.ofMillis(random.nextInt(3_000)));
                    simulation.time.advance(Duration.ofMillis(random.nextInt(500)));
                    client.networkChanged();
                    return;
                }
            }
        }
    }

    /** So many sessions of one user that the server would forget their numbers if it miscounted them. */
    void reconnectOftenEnough() {
        simulation.trace("one client reconnects over and over");
        for (int i = 0; i < 1_800; i++) {
            simulation.time.advance(Duration.ofMillis(10 + random.nextInt(10)));
            ClientHost client = simulation.clients.get(0);
            if (i % 8 == 0) {
                client.send();
            }
            client.reconnect();
        }
    }

    private @Nullable Link anyLink() {
        List<Link> links = network.links();
        return links.isEmpty() ? null : links.get(random.nextInt(links.size()));
    }

    private Direction anyDirection() {
        return random.nextBoolean() ? Direction.TO_CLIENT : Direction.TO_SERVER;
    }

    private void jump() {
        // Two clocks that agree on half a day would mean that the machine slept, and that messages are too old.
        Duration by = Duration.ofSeconds(random.nextInt(10_000) - 5_000);
        simulation.trace("the server's clock jumps by " + by);
        ServerLife server = simulation.server.life;
        if (server != null) {
            server.process.jumpWallClock(by);
        }
        ClientHost client = simulation.anyClient();
        if (client.process != null) {
            client.process.jumpWallClock(by.negated());
        }
    }

    private void stopServer() {
        if (!mayStopServer()) {
            return;
        }
        switch (random.nextInt(3)) {
            case 0 -> simulation.server.shutDown();
            case 1 -> simulation.server.kill(false);
            default -> simulation.server.kill(true);
        }
    }

    /** About half of the seeds keep one server, and with it every promise without a condition. */
    private boolean mayStopServer() {
        if (simulation.server.isUp() && !serverRestarts && random.nextInt(2) == 0) {
            return false;
        }
        serverRestarts = true;
        return true;
    }

    /** A handler has the server close, with what its mailbox has published and not handed over. */
    void shutDownByHandler() {
        if (mayStopServer()) {
            simulation.server.shutDown();
        }
    }

    private void restart(ClientHost client) {
        if (client.isUp()) {
            client.kill(random.nextBoolean());
        }
        client.start();
    }
}
