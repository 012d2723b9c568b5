package io.realtime.examples.simulation;

import com.google.common.jimfs.Configuration;
import com.google.common.jimfs.Jimfs;
import io.realtime.RealtimeException;
import io.realtime.server.Accounts;
import io.realtime.server.RealtimeServer;
import io.realtime.server.ServerStats;
import io.realtime.server.Session;
import io.realtime.testing.DeliveryHistory;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.InMemoryNetwork.Direction;
import io.realtime.testing.InMemoryNetwork.Link;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
    /** Rooms that a session is put in and taken out of by its client and by the server's application at the same time. */
    static final List<String> SHARED = List.of("shared:1", "shared:2");

    static final List<String> USERS = List.of("ann", "bob");
    private static final Duration HEALING = Duration.ofMinutes(3);

    final int port = 7000;
    final ManualScheduler time = new ManualScheduler();
    final InMemoryNetwork network = new InMemoryNetwork(time);
    final Random random;
    final Setup setup;
    final DeliveryHistory history;
    private final @Nullable Consumer<String> trace;
    final Wire wire = new Wire(this);
    final Faults faults;
    final ServerHost server;
    final FileSystem disk = Jimfs.newFileSystem(Configuration.unix());
    final List<ClientHost> clients = new ArrayList<>();
    final Map<String, String> owners = new HashMap<>(); // whose messages each sender's are
    private final List<PlainHost> plainClients = new ArrayList<>();
    private int steps;
    private int numbers;

    Simulation(long seed, @Nullable Consumer<String> trace) {
        this.random = new Random(seed);
        this.setup = Setup.of(random);
        this.trace = trace;
        this.history = new DeliveryHistory(trace == null ? null : this::trace);
        this.server = new ServerHost(this, port);
        this.faults = new Faults(this);
    }

    boolean isTraced() {
        return trace != null;
    }

    void trace(String line) {
        if (trace != null) {
            trace.accept(String.format("%10.3f s  %s", time.nanoTime() / 1e9, line));
        }
    }

    void run() throws IOException {
        trace(setup.toString());
        network.tap(wire);
        server.start();
        for (int i = 0; i < setup.clients(); i++) {
            ClientHost client = new ClientHost(this, "c" + i, USERS.get(i % USERS.size()));
            clients.add(client);
            client.start();
        }
        for (int i = 0; i < setup.plainClients(); i++) {
            PlainHost client = new PlainHost(this, "p" + i, USERS.get(i % USERS.size()));
            plainClients.add(client);
            client.reconnect();
        }
        if (setup.restless()) {
            faults.reconnectOftenEnough();
        }
        time.schedule(Duration.ZERO, this::step);
        while (steps < setup.steps()) {
            time.advance(Duration.ofSeconds(1));
        }
        heal();
        requireSettled();
        if (random.nextInt(3) == 0) { // a planned move to the next server, and all is owed once more
            clients.forEach(ClientHost::send);
            time.advance(Duration.ofMillis(random.nextInt(20)));
            server.shutDown();
            heal();
            requireSettled();
        }
        end();
        disk.close();
        history.requireKept();
    }

    /** A task, as all that happens: a handler that blocks its thread does not stop it. */
    private void step() {
        try {
            act();
            faults.disturb();
            checkBounds();
        } catch (RuntimeException
                | Error failure) { // inside a handler that waits it would be taken for the handler's own
            history.broken(String.format("a step failed: %s at %s", failure, List.of(failure.getStackTrace())));
        }
        steps++;
        if (steps < setup.steps()) {
            time.schedule(Duration.ofMillis(random.nextInt(300)), this::step);
        }
    }

    static boolean isShared(String room) {
        return SHARED.contains(room);
    }

    private void requireSettled() {
        if (setup.joinsAreRefused()) { // who is refused when it comes back hears so as an error
            server.forEachSession((session, rooms) -> setup.rooms().stream()
                    .filter(room -> !rooms.contains(room))
                    .forEach(room -> history.left(session, room)));
        }
        history.settled();
        wire.requireSettled(server.rooms());
        ServerLife life = server.life;
        Stream.concat(
                        Stream.of(life == null ? null : life.asking),
                        clients.stream().map(client -> client.asking))
                .filter(Objects::nonNull)
                .forEach(Asking::requireSettled);
        plainClients.forEach(PlainHost::requireSettled);
        clients.forEach(ClientHost::requirePresent);
        for (String user : USERS) {
            checkInbox(user);
        }
    }

    // ---------------------------------------------------------------- what people do

    private void act() {
        for (ClientHost client : clients) {
            if (client.isPaused()) {
                continue;
            }
            for (int i = random.nextInt(4); i > 0; i--) {
                client.send();
            }
            if (random.nextInt(4) == 0) {
                client.ask();
            }
        }
        plainClients.forEach(PlainHost::act);
        if (setup.moves()) {
            server.move();
            anyClient().move();
            server.publish(SHARED.get(random.nextInt(SHARED.size())));
        }
        switch (random.nextInt(11)) {
            case 0, 1, 2 -> server.publish(anyRoom());
            case 3 -> server.publishToUser(USERS.get(random.nextInt(USERS.size())));
            case 4 -> server.publishToAll();
            case 8 -> server.ask();
            case 5 -> anyClient().leave(anyRoom());
            case 6, 7 -> anyClient().join(anyRoom());
            case 9 -> anyClient().setState(anyRoom());
            case 10 -> server.rule(anyRoom());
            default -> {}
        }
    }

    String userAfter(String user) {
        return USERS.get((USERS.indexOf(user) + 1) % USERS.size());
    }

    /** Returns a number that was not asked about before. */
    int nextNumber() {
        return ++numbers;
    }

    String anyRoom() {
        return setup.rooms().get(random.nextInt(setup.rooms().size()));
    }

    ClientHost anyClient() {
        return clients.get(random.nextInt(clients.size()));
    }

    // ---------------------------------------------------------------- what is seen

    void failed(String member, String message, Throwable failure) {
        String code = code(failure);
        boolean isReason = (code.equals("overloaded") && setup.outboxMessages() < 1_000)
                || (code.equals("user_changed") && setup.switches());
        if (!isReason) {
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
        RealtimeServer up = server.server();
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
        int plain = plainClients.stream().mapToInt(PlainHost::lives).sum();
        int most = (lives + plain) * (1 + setup.limits().mailbox()); // those that end behind messages of theirs
        if (stats.sessions() > most || stats.clients() > lives) {
            history.broken(String.format("%s, and there were %d clients", stats, lives));
        }
        int atWork = stats.handlersBusy() + stats.handlersWaiting(); // some for sessions that have ended
        if (stats.waiting()
                > atWork
                        + (stats.clients() + stats.sessions())
                                * (1 + setup.limits().mailbox())) {
            history.broken(stats + ": too many messages wait");
        }
        int inboxes = stats.sessions() + lives + plain; // some of sessions whose connections are about to close
        if (stats.rooms() > setup.rooms().size() + SHARED.size() + USERS.size() + 1 + inboxes) {
            history.broken(String.format("%s: too many rooms", stats));
        }
        for (Session session : up.connections().sessions()) {
            if (session.rooms().stream().filter(room -> !isShared(room)).count()
                    > setup.limits().roomsPerSession()) {
                history.broken(session + " is in " + session.rooms());
            }
        }
    }

    /** Unless it was trimmed, what was sent to a user has reached one of the user's devices. */
    private void checkInbox(String user) {
        boolean isKept = setup.inboxRetention().messages() > 1_000 && setup.keepsAll();
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
        network.lag(false);
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
        plainClients.forEach(PlainHost::reconnect);
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
        plainClients.forEach(PlainHost::close);
        time.advance(Duration.ofSeconds(10));
        if (random.nextInt(4) == 0) {
            requireForgotten();
        }
        server.shutDown();
        time.advance(Duration.ofMinutes(10));
        if (network.connections() > 0) {
            history.broken(String.format("%d connections are left", network.connections()));
        }
        if (time.pending() > 0) {
            history.broken(String.format("%d timers are left", time.pending()));
        }
    }

    /** A day later the server knows of nobody but of one who comes then. */
    private void requireForgotten() {
        RealtimeServer up = server.server();
        if (up == null) {
            return;
        }
        time.advance(Duration.ofHours(25));
        ClientHost late = new ClientHost(this, "late", USERS.get(0));
        late.start();
        time.advance(Duration.ofSeconds(10));
        late.close();
        time.advance(Duration.ofHours(2));
        ServerStats stats = up.stats();
        int left = stats.connections() + stats.sessions() + stats.users() + stats.rooms() + stats.waiting();
        if (left > 0 || stats.clients() != 1) {
            history.broken("a day later the server has " + stats);
        }
    }
}
