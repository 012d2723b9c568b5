package io.realtime.examples.simulation;

import io.realtime.Position;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.DroppedMessage;
import io.realtime.client.Gap;
import io.realtime.client.JoinResult;
import io.realtime.client.OutboxLimits;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.simulation.ServerHost.Note;
import io.realtime.spi.ClientTransport;
import io.realtime.testing.SimulatedProcess;
import java.net.URI;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** A device of a user: runs a client, kills it, and runs the next one. */
final class ClientHost implements ClientListener {
    private final Simulation simulation;
    private final Random random;
    private final String name;
    final String user;
    private final Set<String> unsettled = new LinkedHashSet<>();
    private final Set<String> joined = new LinkedHashSet<>();
    private final Map<String, Integer> turns = new HashMap<>();
    private int lives;
    private int sent;

    /** Names this device's client: another one in each life, since each has an outbox in memory of its own. */
    String member = "";

    @Nullable
    SimulatedProcess process;

    @Nullable
    RealtimeClient client;

    private @Nullable ClientTransport transport;

    ClientHost(Simulation simulation, String name, String user) {
        this.simulation = simulation;
        this.random = simulation.random;
        this.name = name;
        this.user = user;
    }

    /** Returns how many clients this device has run. */
    int lives() {
        return lives;
    }

    boolean isUp() {
        return client != null;
    }

    void start() {
        SimulatedProcess life = simulation.time.newProcess();
        process = life;
        member = name + (char) ('a' + lives++ % 26) + (lives > 26 ? String.valueOf(lives) : "");
        transport = simulation.network.clientTransport();
        RealtimeClient made = RealtimeClient.builder(URI.create("ws://server:" + simulation.port + "/ws"))
                .token(user + "/" + member)
                .transport(transport)
                .scheduler(life)
                .callbackExecutor(life)
                .outbox(OutboxLimits.builder()
                        .messages(simulation.setup.outboxMessages())
                        .build())
                .random(new Random(random.nextLong()))
                .listener(this)
                .build();
        client = made;
        String mine = member;
        made.on(ServerHost.SAID, said -> {
            simulation.history.delivered(
                    mine, log(said.room()), said.position(), said.data().text());
        });
        simulation.history.joined(mine, log("@user"), null);
        simulation.history.joined(mine, log("@all"), null);
        simulation.trace(mine + " starts");
        connect();
        for (String room : Simulation.ROOMS) {
            join(room);
        }
    }

    private String log(String room) {
        return room.equals("@user") ? "@user:" + user : room;
    }

    void connect() {
        RealtimeClient up = client;
        if (up != null) {
            CompletableFuture<Void> unused = up.connect().exceptionally(failure -> null); // the state tells
        }
    }

    void disconnect() {
        RealtimeClient up = client;
        if (up != null) {
            simulation.trace(member + " disconnects");
            up.disconnect();
        }
    }

    void networkChanged() {
        RealtimeClient up = client;
        if (up != null) {
            up.networkChanged();
        }
    }

    void join(String room) {
        if (client != null && joined.add(room)) {
            simulation.trace(member + " joins " + room);
            ask(room, true);
        }
    }

    void leave(String room) {
        if (client != null && joined.remove(room)) {
            simulation.trace(member + " leaves " + room);
            ask(room, false);
        }
    }

    /** Asks until the answer comes, which a disconnection may prevent, or something else is wanted. */
    private void ask(String room, boolean wanted) {
        RealtimeClient asked = client;
        if (asked == null) {
            return;
        }
        int turn = turns.merge(room, 1, Integer::sum);
        String mine = member;
        CompletableFuture<@Nullable Position> answer = wanted
                ? asked.room(room).join(random.nextInt(4)).thenApply(JoinResult::position)
                : asked.room(room).leave().thenApply(nothing -> null);
        CompletableFuture<Void> unused = answer.handle((position, failure) -> {
            boolean isLatest = turn == turns.getOrDefault(room, 0);
            if (failure != null && isLatest && asked == client) {
                ask(room, wanted);
            } else if (failure == null && wanted) {
                simulation.history.joined(mine, room, position);
            } else if (wanted
                    && asked == client) { // it may be joined for a while, for messages sent to it before it is left
                simulation.history.joined(mine, room, null);
            } else if (failure == null && isLatest) {
                simulation.history.left(mine, room);
            }
            return null;
        });
    }

    void send() {
        RealtimeClient up = client;
        if (up == null) {
            return;
        }
        String room = random.nextInt(5) == 0 || joined.isEmpty()
                ? null
                : joined.toArray(new String[0])[random.nextInt(joined.size())];
        Note note = new Note(member, ++sent);
        String mine = member;
        unsettled.add(note.text());
        simulation.history.sent(mine, note.text());
        CompletableFuture<Void> fate =
                room == null ? up.send(ServerHost.SAY, note) : up.room(room).send(ServerHost.SAY, note);
        CompletableFuture<Void> unused = fate.handle((nothing, failure) -> {
            if (unsettled.remove(note.text())) {
                if (failure == null) {
                    simulation.history.acknowledged(mine, note.text());
                } else {
                    simulation.failed(mine, note.text(), failure);
                }
            }
            return null;
        });
    }

    // ---------------------------------------------------------------- what the client says

    @Override
    public void onGap(Gap gap) {
        if (gap.reason().equals("unauthorized")) {
            simulation.history.broken(String.format("%s may not be in %s any more", member, gap.room()));
        }
        if (!gap.room().equals("@session")) {
            simulation.history.gap(member, log(gap.room()), gap.position());
        }
        simulation.gaps++;
    }

    @Override
    public void onDropped(DroppedMessage message) {
        simulation.dropped++;
    }

    @Override
    public void onError(Throwable failure) {
        simulation.error(member, failure);
    }

    // ---------------------------------------------------------------- the end of it

    boolean isOpen() {
        RealtimeClient up = client;
        return up != null && up.state().status() == Status.OPEN;
    }

    boolean isClosed() {
        RealtimeClient up = client;
        return up != null && up.state().status() == Status.CLOSED;
    }

    /** The process dies; with the machine, nobody is told. */
    void kill(boolean withMachine) {
        SimulatedProcess dying = process;
        ClientTransport its = transport;
        if (dying == null || its == null) {
            return;
        }
        simulation.trace(member + (withMachine ? " loses power" : " is killed"));
        dying.kill();
        if (withMachine) {
            simulation.network.vanish(its);
        } else {
            simulation.network.crash(its);
        }
        for (String message : unsettled) {
            simulation.history.gaveUp(member, message, "it died");
        }
        for (String room : Simulation.ROOMS) {
            simulation.history.left(member, room);
        }
        simulation.history.left(member, log("@user"));
        simulation.history.left(member, "@all");
        unsettled.clear();
        joined.clear();
        process = null;
        client = null;
        transport = null;
    }

    void close() {
        RealtimeClient up = client;
        client = null;
        if (up != null) {
            up.close();
        }
    }
}
