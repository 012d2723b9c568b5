package io.realtime.examples.simulation;

import com.google.common.jimfs.Configuration;
import com.google.common.jimfs.Jimfs;
import io.realtime.RealtimeException;
import io.realtime.server.Accounts;
import io.realtime.server.RealtimeServer;
import io.realtime.server.ServerStats;
import io.realtime.testing.DeliveryHistory;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.InMemoryNetwork.Direction;
import io.realtime.testing.InMemoryNetwork.Link;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One history of a server and its clients, decided by a seed: what they do, how long everything takes, and what breaks.
 * After each step the bounds are checked; in the end everything heals, and every promise must have been kept.
 */
final class Simulation {
    static final List<String> ROOMS = List.of("chat:1", "chat:2");
    private static final List<String> USERS = List.of("ann", "bob");
    private static final Duration HEALING = Duration.ofMinutes(3);

    final int port = 7000;
    final ManualScheduler time = new ManualScheduler();
    final InMemoryNetwork network = new InMemoryNetwork(time);
    final Random random;
    final Setup setup;
    final DeliveryHistory history;
    private final @Nullable Consumer<String> trace;
    final ServerHost server;
    final FileSystem disk = Jimfs.newFileSystem(Configuration.unix());
    private final List<ClientHost> clients = new ArrayList<>();
    private boolean serverRestarts;
    private int numbers;

    Simulation(long seed, @Nullable Consumer<String> trace) {
        this.random = new Random(seed);
        this.setup = Setup.of(random);
        this.trace = trace;
        this.history = new DeliveryHistory(trace == null ? null : this::trace);
        this.server = new ServerHost(this, port);
    }

    void trace(String line) {
        if (trace != null) {
            trace.accept(String.format("%10.3f s  %s", time.nanoTime() / 1e9, line));
        }
    }

    void run() throws IOException {
        trace(setup.toString());
        server.start();
        for (int i = 0; i < setup.clients(); i++) {
            ClientHost client = new ClientHost(this, "c" + i, USERS.get(i % USERS.size()));
            clients.add(client);
            client.start();
        }
        for (int step = 0; step < setup.steps(); step++) {
            act();
            disturb();
            time.advance(Duration.ofMillis(random.nextInt(300)));
            checkBounds();
        }
        heal();
        history.settled();
        Stream.concat(Stream.of(server.asking), clients.stream().map(client -> client.asking))
                .filter(Objects::nonNull)
                .forEach(Asking::requireSettled);
        for (String user : USERS) {
            checkInbox(user);
        }
        end();
        disk.close();
        history.requireKept();
    }

    // ---------------------------------------------------------------- what people do

    private void act() {
        for (ClientHost client : clients) {
            for (int i = random.nextInt(4); i > 0; i--) {
                client.send();
            }
            if (random.nextInt(4) == 0) {
                client.ask();
            }
        }
        switch (random.nextInt(10)) {
            case 0, 1, 2 -> server.publish(anyRoom());
            case 3 -> server.publishToUser(USERS.get(random.nextInt(USERS.size())));
            case 4 -> server.publishToAll();
            case 8 -> server.ask();
            case 5 -> anyClient().leave(anyRoom());
            case 6, 7 -> anyClient().join(anyRoom());
            default -> {}
        }
    }

    /** Returns a number that was not asked about before. */
    int nextNumber() {
        return ++numbers;
    }

    private String anyRoom() {
        return ROOMS.get(random.nextInt(ROOMS.size()));
    }

    private ClientHost anyClient() {
        return clients.get(random.nextInt(clients.size()));
    }

    // ---------------------------------------------------------------- what breaks

    private void disturb() {
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
            case 18 -> anyClient().networkChanged();
            case 19 -> anyClient().disconnect();
            case 20 -> server.disconnectOne();
            case 21 -> jump();
            case 22 -> stopServer();
            case 23 -> restart(anyClient());
            case 24 -> overtake(anyClient());
            default -> {}
        }
        if (random.nextInt(10) == 0) {
            clients.stream().filter(ClientHost::isClosed).forEach(ClientHost::connect);
        }
        if (!server.isUp() && random.nextInt(10) == 0) {
            server.start();
        }
    }

    /** A client's first connection gets slow before its {@code $hello} is there, and its second one overtakes it. */
    private void overtake(ClientHost client) {
        List<Link> before = network.links();
        client.reconnect();
        for (int i = 0; i < 100; i++) {
            time.advance(Duration.ofMillis(5));
            for (Link link : network.links()) {
                if (!before.contains(link)) {
                    link.latency(Duration.ofMillis(random.nextInt(3_000)));
                    time.advance(Duration.ofMillis(random.nextInt(500)));
                    client.networkChanged();
                    return;
                }
            }
        }
    }

    private @Nullable Link anyLink() {
        List<Link> links = network.links();
        return links.isEmpty() ? null : links.get(random.nextInt(links.size()));
    }

    private Direction anyDirection() {
        return random.nextBoolean() ? Direction.TO_CLIENT : Direction.TO_SERVER;
    }

    /** Less than half of what outboxes keep messages for: two clocks that agree on more mean that the machine slept. */
    private void jump() {
        Duration by = Duration.ofSeconds(random.nextInt(10_000) - 5_000);
        trace("the server's clock jumps by " + by);
        if (server.process != null) {
            server.process.jumpWallClock(by);
        }
        ClientHost client = anyClient();
        if (client.process != null) {
            client.process.jumpWallClock(by.negated());
        }
    }

    private void stopServer() {
        if (server.isUp() && !serverRestarts && random.nextInt(2) == 0) {
            return; // so that about half of the seeds keep one server, and with it every promise without a condition
        }
        serverRestarts = true;
        switch (random.nextInt(3)) {
            case 0 -> server.shutDown();
            case 1 -> server.kill(false);
            default -> server.kill(true);
        }
    }

    private void restart(ClientHost client) {
        if (client.isUp()) {
            client.kill(random.nextBoolean());
        }
        client.start();
    }

    // ---------------------------------------------------------------- what is seen

    void failed(String member, String message, Throwable failure) {
        String code = code(failure);
        if (!code.equals("overloaded") || setup.outboxMessages() > 1_000) {
            history.broken(String.format("%s of %s failed for no reason of its own: %s", message, member, failure));
        }
        history.gaveUp(member, message, code);
    }

    static String code(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof RealtimeException known ? known.code().value() : "?";
    }

    /** For a future whose failure shows elsewhere. */
    void ignore(CompletableFuture<?> future) {
        CompletableFuture<?> unused = future.exceptionally(failure -> null);
    }

    void error(String member, Throwable failure) {
        trace(member + " is told of " + failure);
    }

    private void checkBounds() {
        for (Link link : network.links()) {
            long waiting = link.outboundBytes(Direction.TO_CLIENT);
            if (waiting > setup.limits().outboundBytes()) {
                history.broken(String.format("%d bytes wait for a client", waiting));
            }
        }
        RealtimeServer up = server.server;
        if (up == null) {
            return;
        }
        ServerStats stats = up.stats();
        if (stats.logBytes() > setup.limits().logBytes()) {
            history.broken(String.format("the logs hold %d bytes", stats.logBytes()));
        }
        long counted = Accounts.countLogBytes(up);
        if (stats.logBytes() != counted) {
            history.broken(String.format("the account says %d bytes, the rooms hold %d", stats.logBytes(), counted));
        }
        int lives = clients.stream().mapToInt(ClientHost::lives).sum();
        int most = lives * (1 + setup.limits().mailbox()); // those that end behind messages of theirs
        if (stats.sessions() > most || stats.clients() > lives) {
            history.broken(String.format("%s, and there were %d clients", stats, lives));
        }
        if (stats.waiting() > lives * (1 + setup.limits().mailbox())) {
            history.broken(stats + ": too many messages wait");
        }
        if (stats.rooms() > ROOMS.size() + USERS.size() + 1 + stats.sessions()) { // one inbox each
            history.broken(String.format("%s: too many rooms", stats));
        }
    }

    /** Unless it was trimmed, what was sent to a user has reached one of the user's devices. */
    private void checkInbox(String user) {
        boolean isKept =
                setup.inboxRetention().messages() > 1_000 && setup.limits().logBytes() == 1 << 30;
        List<String> unreached = history.unreached("@user:" + user).stream()
                .filter(server::isOfThisLife)
                .toList();
        if (isKept && !unreached.isEmpty() && clients.stream().anyMatch(client -> client.user.equals(user))) {
            history.broken(String.format("%s for %s reached no device", unreached, user));
        }
    }

    // ---------------------------------------------------------------- the end

    private void heal() {
        trace("everything heals");
        network.refuseConnections(false);
        network.blackHole(false);
        network.loseUpgrades(false);
        network.stallClients(false);
        network.latency(Duration.ofMillis(1));
        network.links().forEach(link -> link.latency(Duration.ofMillis(1)));
        server.behave();
        if (!server.isUp()) {
            server.start();
        }
        for (ClientHost client : clients) {
            if (!client.isUp()) {
                client.start();
            }
            client.connect();
        }
        time.advance(HEALING);
        clients.stream()
                .filter(ClientHost::isClosed)
                .forEach(ClientHost::connect); // whom an earlier word caught up with
        time.advance(HEALING);
        for (ClientHost client : clients) {
            if (!client.isOpen()) {
                history.broken(String.format("%s is not connected after all has healed", client.member));
            }
        }
    }

    private void end() {
        clients.forEach(ClientHost::close);
        time.advance(Duration.ofSeconds(10));
        server.shutDown();
        time.advance(Duration.ofMinutes(10));
        if (network.connections() > 0) {
            history.broken(String.format("%d connections are left", network.connections()));
        }
        if (time.pending() > 0) {
            history.broken(String.format("%d timers are left", time.pending()));
        }
    }
}
