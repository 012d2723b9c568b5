package io.realtime.examples.simulation;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.DroppedMessage;
import io.realtime.client.FileOutbox;
import io.realtime.client.Gap;
import io.realtime.client.JoinResult;
import io.realtime.client.OutboxLimits;
import io.realtime.client.Presence;
import io.realtime.client.PresenceChange;
import io.realtime.client.RealtimeClient;
import io.realtime.client.RoomMember;
import io.realtime.client.Substitutes;
import io.realtime.server.Session;
import io.realtime.spi.ClientTransport;
import io.realtime.testing.SimulatedProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A device of a user: runs a client, kills it, and runs the next one. */
final class ClientHost {
    private final Simulation simulation;
    private final Random random;
    private final String name;
    String user;
    private int accounts; // that were switched to
    private boolean isKnown; // this client was welcomed
    private @Nullable String nextUser; // while another account is on its way
    private final Set<String> unsettled = new LinkedHashSet<>();
    private final Set<String> joined = new LinkedHashSet<>();
    private final Map<String, Integer> turns = new HashMap<>();
    private final Map<String, Gap> lastGaps = new HashMap<>();
    private final Map<String, String> states = new HashMap<>(); // that it has set, by room
    private boolean
            mayForgetStates; // those that it set before the first welcome, which named another user than its file
    private final Set<String> safe = new HashSet<>(); // of the unsettled: those on the disk
    private final Set<String> orphans = new HashSet<>(); // what the file of a dead process holds, or may hold
    private int lives;
    private int sessionsLost;
    private int closes;

    @Nullable
    Asking asking;

    private int sent;

    /** Names what reads: another in each life of the device, which begins without a session. */
    String member = "";

    /** Names what sends: with a file the same client goes on after a crash. */
    private String sender = "";

    private @Nullable FileOutbox outbox;
    private @Nullable Path file;

    @Nullable
    SimulatedProcess process;

    private final Set<SimulatedProcess> blocked = new HashSet<>(); // by a handler

    @Nullable
    RealtimeClient client;

    private @Nullable ClientTransport transport;

    ClientHost(Simulation simulation, String name, String user) {
        this.simulation = simulation;
        this.random = simulation.random;
        this.name = name;
        this.user = user;
    }

    /** Returns as how many clients the server may know this device: one that is given away comes as two. */
    int lives() {
        return lives + 2 * accounts;
    }

    boolean isUp() {
        return client != null;
    }

    void start() {
        SimulatedProcess life = simulation.time.newProcess();
        process = life;
        lives++;
        user = nextUser == null ? user : nextUser;
        nextUser = null;
        isKnown = false;
        states.clear();
        mayForgetStates = false;
        rename(name + (char) ('a' + (lives - 1) % 26) + (lives > 26 ? String.valueOf(lives) : ""));
        transport = simulation.network.clientTransport();
        RealtimeClient.Builder builder = Substitutes.of(
                        RealtimeClient.builder(URI.create("ws://server:" + simulation.port + "/ws")), newThreads(life))
                .token(() -> CompletableFuture.completedFuture(
                        nextUser == null ? user + "/" + member : nextUser + "/" + nextMember()))
                .transport(transport)
                .scheduler(life)
                .callbackExecutor(refusing(life))
                .outbox(OutboxLimits.builder()
                        .messages(simulation.setup.outboxMessages())
                        .build())
                .random(new Random(random.nextLong()))
                .listener(new Listener(lives));
        outbox = simulation.setup.filesKept() ? openOutbox(life) : null;
        if (outbox != null) {
            builder.outboxFile(outbox);
        }
        RealtimeClient made = builder.build();
        client = made;
        int thisOne = lives;
        Asking answering = new Asking(simulation, member, life, () -> thisOne == lives ? sessionsLost + closes : -1);
        asking = answering;
        made.onRequestAsync(Asking.NEXT, answering::next);
        made.onStreamAsync(Asking.COUNT, answering::count);
        int thisLife = lives;
        made.on(Note.SAID, said -> {
            delivered(thisLife, said, said.data());
            maybeBlock(life);
        });
        made.on(Note.SAID_BYTES, said -> {
            byte[] bytes = new byte[said.data().remaining()];
            said.data().get(bytes);
            delivered(thisLife, said, Note.of(bytes));
            maybeBlock(life);
        });
        watched().forEach(room -> made.room(room).onPresence(new Onlooker(thisLife, room)));
        simulation.trace(member + " starts");
        begin();
        if (simulation.setup.reloads()) {
            simulation.setup.rooms().forEach(room -> made.room(room).onReload(gap -> reload(room, gap, life)));
        }
        connect();
    }

    private void rename(String now) {
        member = now;
        sender = simulation.setup.filesKept() ? name + (accounts > 0 ? "s" + accounts : "") : member;
        simulation.owners.put(sender, user);
    }

    /** Reads the inboxes, and wants to be in all rooms. */
    private void begin() {
        simulation.history.joined(member, log("@user"), null);
        simulation.history.joined(member, log("@all"), null);
        simulation.setup.rooms().forEach(this::join);
    }

    private void readsNoMore(String reader) {
        simulation.setup.rooms().forEach(room -> simulation.history.left(reader, room));
        simulation.history.left(reader, log("@user"));
        simulation.history.left(reader, "@all");
        wantsNothing();
    }

    private void wantsNothing() {
        joined.clear();
        turns.replaceAll((room, turn) -> turn + 1); // what comes of a wish of before is of no interest
    }

    /** Another user takes the device over: what waits is dropped, never sent, and the rooms are the former's. */
    void switchAccount() {
        RealtimeClient up = client;
        // What is written before the first welcome belongs to the user whom that names.
        if (up == null || nextUser != null || !isKnown) {
            return;
        }
        simulation.trace(member + " gives the device to another user");
        closes++;
        up.disconnect(Duration.ZERO); // a connection that is made within a grace would be the next user's
        wantsNothing();
        send(); // for the former user, still
        nextUser = simulation.userAfter(user);
        accounts++;
        connect();
    }

    private String nextMember() {
        return member + "s" + accounts;
    }

    private void accountIsSwitched(String newUser) {
        readsNoMore(member);
        states.clear();
        user = newUser;
        nextUser = null;
        rename(nextMember());
        simulation.trace(member + " begins");
        begin();
    }

    /** An executor of the application's that refuses tasks, even some that it has taken. */
    private Executor refusing(Executor executor) {
        return task -> {
            if (isBusy(30)) {
                throw new RejectedExecutionException("the application's threads are busy");
            }
            executor.execute(task);
            if (isBusy(60)) {
                throw new IllegalStateException("it runs, though");
            }
        };
    }

    /** A thread takes its time to begin, and sometimes there is none. */
    private Executor newThreads(SimulatedProcess life) {
        return task -> {
            if (isBusy(10)) {
                throw new OutOfMemoryError("unable to create native thread");
            }
            life.schedule(Duration.ofMillis(random.nextInt(50)), task);
        };
    }

    private boolean isBusy(int oneOf) {
        return simulation.setup.clientsAreBusy() && simulation.server.dawdles() && random.nextInt(oneOf) == 0;
    }

    /** A handler that holds its thread: whatever thread the client gets meanwhile, no other callback begins. */
    private void maybeBlock(SimulatedProcess life) {
        if (!isBusy(40)) {
            return;
        }
        blocked.add(life);
        try {
            life.sleep(Duration.ofMillis(random.nextInt(300)));
        } finally {
            blocked.remove(life);
        }
    }

    private void delivered(int life, Message<?> said, Note note) {
        if (life != lives || !isUp()) {
            return;
        }
        if (blocked.contains(process)) {
            simulation.history.broken(member + " handles " + note.text() + " beside another message");
        }
        if (!Simulation.isShared(said.requireRoom())) {
            simulation.history.delivered(member, log(said.requireRoom()), said.position(), note.text());
        }
    }

    /** The disk takes its time. */
    private FileOutbox openOutbox(SimulatedProcess life) {
        try {
            Path mine = simulation.disk.getPath(name + "-" + lives);
            if (file != null) {
                Files.copy(file, mine); // what the dead process left: its lock is not released in a simulation
            }
            file = mine;
            return FileOutbox.open(
                    mine,
                    refusing(task ->
                            life.schedule(Duration.ofMillis(random.nextInt(4) == 0 ? random.nextInt(500) : 0), task)));
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /** Loads what the server has published so far, or fails. */
    private CompletionStage<@Nullable Position> reload(String room, Gap gap, SimulatedProcess life) {
        CompletableFuture<@Nullable Position> loaded = new CompletableFuture<>();
        int turn = turns.getOrDefault(room, 0);
        life.schedule(Duration.ofMillis(random.nextInt(3_000)), () -> {
            Position end = simulation.server.end(room);
            boolean isCurrent = gap.equals(lastGaps.get(room)) && turn == turns.getOrDefault(room, 0);
            if (random.nextInt(5) == 0) {
                loaded.completeExceptionally(new IOException("the store is away"));
            } else if (isCurrent
                    && end != null
                    && end.epoch().equals(gap.position().epoch())
                    && end.offset() >= gap.position().offset()) {
                simulation.history.gap(member, room, end);
                loaded.complete(end);
            } else {
                loaded.complete(null);
            }
        });
        return loaded;
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
            Duration grace = Duration.ofMillis(random.nextInt(4) * 1_500L);
            simulation.trace(member + " disconnects within " + grace);
            closes++;
            up.disconnect(grace);
        }
    }

    void reconnect() {
        RealtimeClient up = client;
        if (up != null) {
            closes++;
            up.disconnect();
            connect();
        }
    }

    void networkChanged() {
        RealtimeClient up = client;
        if (up != null) {
            up.networkChanged();
        }
    }

    /** Nothing of the process runs for a while. */
    void pause(Duration length) {
        SimulatedProcess paused = process;
        ClientTransport its = transport;
        if (paused != null && its != null) {
            simulation.trace(member + " is paused for " + length);
            paused.pause(length);
            simulation.network.pause(its, length);
        }
    }

    boolean isPaused() {
        SimulatedProcess now = process;
        return now != null && now.isPaused();
    }

    /** Wants to be in a room that others put it in, or out of it. */
    void move() {
        RealtimeClient up = client;
        String room = Simulation.SHARED.get(random.nextInt(Simulation.SHARED.size()));
        if (up != null) {
            simulation.ignore(
                    random.nextBoolean() ? up.room(room).join() : up.room(room).leave());
        }
    }

    void join(String room) {
        if (client != null && nextUser == null && joined.add(room)) {
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
        CompletableFuture<@Nullable JoinResult> answer = wanted
                ? asked.room(room).join(random.nextInt(4)).thenApply(result -> result)
                : asked.room(room).leave().thenApply(nothing -> null);
        CompletableFuture<Void> unused = answer.handle((result, failure) -> {
            if (asked != client) { // it died in a callback that blocked, and its stack goes on
                return null;
            }
            boolean isLatest = turn == turns.getOrDefault(room, 0);
            String code = failure == null ? "" : Simulation.code(failure);
            if ((code.equals("overloaded") || code.equals("forbidden")) && wanted && isLatest) {
                simulation.trace(mine + " may not join " + room + " as well");
                joined.remove(room);
                simulation.history.left(mine, room);
            } else if (failure != null && isLatest) {
                // Its caller has given up, and it may be joined all the same.
                if (wanted && !simulation.history.isReading(mine, room)) {
                    simulation.history.joined(mine, room, null);
                }
                ask(room, wanted);
            } else if (failure != null && wanted) {
                // It may be joined for a while, for messages that were sent to it before it is left.
                simulation.history.joined(mine, room, null);
            } else if (result != null && (!result.recovered() || !simulation.history.isReading(mine, room))) {
                simulation.history.joined(mine, room, result.position());
            } else if (failure == null && !wanted && isLatest) {
                turns.merge(room, 1, Integer::sum);
                simulation.history.left(mine, room);
            }
            return null;
        });
    }

    void ask() {
        RealtimeClient up = client;
        Asking mine = asking;
        if (up == null || mine == null) {
            return;
        }
        if (random.nextInt(3) == 0) {
            Executor own = isBusy(2) ? refusing(mine.life) : null;
            mine.stream((count, reader) ->
                    own == null ? up.stream(Asking.COUNT, count, reader) : up.stream(Asking.COUNT, count, reader, own));
        } else {
            mine.request(number -> up.request(Asking.NEXT, number), simulation.nextNumber());
        }
    }

    void send() {
        RealtimeClient up = client;
        if (up == null || nextUser != null) { // it is told with the next connection that the account was switched
            return;
        }
        String room = random.nextInt(5) == 0 || joined.isEmpty()
                ? null
                : joined.toArray(new String[0])[random.nextInt(joined.size())];
        Note note = Note.of(sender, ++sent);
        String mine = sender;
        int thisLife = lives;
        ServerLife serverBefore = simulation.server.life;
        unsettled.add(note.text());
        simulation.history.sent(mine, note.text());
        CompletableFuture<Void> fate =
                note.isBinary() ? send(up, room, Note.SAY_BYTES, note.bytes()) : send(up, room, Note.SAY, note);
        CompletableFuture<Void> unused = fate.handle((nothing, failure) -> {
            if (thisLife == lives && unsettled.remove(note.text())) {
                boolean isToldOfRefusal =
                        failure != null && Simulation.code(failure).equals(Note.REFUSED.value());
                ServerLife now = simulation.server.life;
                if (failure == null && now != null && now.isRunning(note.text())) {
                    simulation.history.broken(mine + " was told that " + note.text() + " is processed, too early");
                }
                if (failure == null || (isToldOfRefusal && note.isRefused())) {
                    simulation.history.acknowledged(mine, note.text());
                } else {
                    simulation.failed(mine, note.text(), failure);
                }
                if (note.isRefused() && failure == null && now != null && now == serverBefore) {
                    simulation.history.broken(mine + " was not told that " + note.text() + " was refused");
                }
            }
            return null;
        });
        FileOutbox storing = outbox;
        if (storing != null) {
            CompletableFuture<Void> stored = storing.sync().thenRun(() -> {
                if (thisLife == lives && unsettled.contains(note.text())) {
                    safe.add(note.text());
                }
            });
            simulation.ignore(stored);
        }
    }

    private static <T> CompletableFuture<Void> send(
            RealtimeClient from, @Nullable String room, Event<T> event, T data) {
        return room == null ? from.send(event, data) : from.room(room).send(event, data);
    }

    // ---------------------------------------------------------------- what the client says

    private final class Listener implements ClientListener {
        private final int life;

        Listener(int life) {
            this.life = life;
        }

        private boolean isAlive() {
            return life == lives && isUp();
        }

        @Override
        public void onState(ConnectionState state) {
            CloseReason reason = state.reason();
            closes += state.status() == Status.CLOSED ? 1 : 0;
            if (isAlive()) {
                if (reason != null && reason.text().equals("another user")) {
                    states.clear();
                    mayForgetStates = true;
                }
                simulation.trace(member + " is " + state);
                isKnown |= state.status() == Status.OPEN;
                if (nextUser != null && state.status() == Status.OPEN) {
                    accountIsSwitched(nextUser);
                }
            }
            if (isAlive() && reason != null && reason.code() == CloseReason.SESSION_REPLACED) {
                simulation.history.broken(member + " lost its session to a connection of its own: " + state);
            }
        }

        @Override
        public void onGap(Gap gap) {
            if (!isAlive()) {
                return;
            }
            if (Simulation.isShared(gap.room()) || gap.reason().equals("user_changed")) {
                return;
            }
            if (gap.reason().equals("unauthorized")) {
                if (!simulation.setup.rulesFail()) {
                    simulation.history.broken(member + " may not be in " + gap.room() + " any more");
                }
                joined.remove(gap.room());
                turns.merge(gap.room(), 1, Integer::sum);
                simulation.history.left(member, gap.room());
                return;
            }
            if (gap.room().equals("@session")) { // the answers in it are lost
                sessionsLost++;
            } else {
                simulation.history.gap(member, log(gap.room()), gap.position());
                lastGaps.put(gap.room(), gap);
            }
        }

        @Override
        public void onDeleted(String room, Position position) {
            if (isAlive() && !Simulation.isShared(room)) {
                simulation.history.toldDeleted(member, log(room), position);
            }
        }

        @Override
        public void onDropped(DroppedMessage message) {
            Note note = message.name().equals(Note.SAY.name())
                    ? message.data(Note.SAY)
                    : Note.of(message.data(Note.SAY_BYTES));
            String text = note.text();
            if (isAlive() && orphans.remove(text) && !message.cause().code().equals(Note.REFUSED)) {
                simulation.history.gaveUp(
                        note.by(), text, message.cause().code().value());
            }
        }

        @Override
        public void onError(Throwable failure) {
            if (isAlive()) {
                if (simulation.setup.joinsAreRefused()) { // a room is not joined again: nobody says which one
                    simulation.setup.rooms().stream()
                            .filter(room -> simulation.history.isReading(member, room))
                            .forEach(room -> simulation.history.joined(member, room, null));
                }
                simulation.error(member, failure);
            }
        }
    }

    /** Applies differences, and compares the result with what the client knows. */
    private final class Onlooker implements Consumer<PresenceChange> {
        private final int life;
        private final String room;
        private final Map<String, RoomMember> seen = new HashMap<>();

        Onlooker(int life, String room) {
            this.life = life;
            this.room = room;
        }

        @Override
        public void accept(PresenceChange change) {
            if (life != lives || !isUp()) {
                return;
            }
            boolean isNew = change.joined().stream().allMatch(one -> seen.put(one.sessionId(), one) == null);
            boolean isOther = change.changed().stream().allMatch(one -> {
                RoomMember before = seen.put(one.sessionId(), one);
                return before != null && !before.equals(one);
            });
            boolean isGone = change.left().stream().allMatch(one -> one.equals(seen.remove(one.sessionId())));
            if (change.now().kind() == Presence.Kind.COUNTS) {
                seen.clear();
            }
            boolean isWhole =
                    Set.copyOf(seen.values()).equals(Set.copyOf(change.now().members()));
            if (!isNew || !isOther || !isGone || !isWhole) {
                simulation.history.broken(member + " is told of " + change + " in " + room + ", and has " + seen);
            }
            maybeBlock(Objects.requireNonNull(process));
        }
    }

    private List<String> watched() {
        return Stream.concat(simulation.setup.rooms().stream(), Simulation.SHARED.stream())
                .filter(simulation.setup::hasPresence)
                .toList();
    }

    /** Says something of itself in a room. */
    void setState(String room) {
        RealtimeClient up = client;
        if (up != null && nextUser == null && simulation.setup.hasPresence(room)) {
            states.put(room, "s" + random.nextInt(3));
            up.room(room).setState(states.get(room));
        }
    }

    /** Checks that the client knows who is in the rooms that it is in, itself included. */
    void requirePresent() {
        RealtimeClient up = client;
        if (up == null) {
            return;
        }
        for (String room : watched()) {
            Presence known = up.room(room).presence();
            List<Session> members = simulation.server.members(room);
            Set<String> connected = members.stream()
                    .filter(Session::isConnected)
                    .map(Session::id)
                    .collect(Collectors.toSet());
            boolean isIn = members.stream()
                    .anyMatch(session -> session.isConnected()
                            && session.isManaged()
                            && ServerLife.member(session).equals(member));
            boolean isTrue = switch (known.kind()) {
                case UNKNOWN -> !isIn;
                case COUNTS -> isIn && known.online() == connected.size() && known.sessions() == members.size();
                case MEMBERS -> {
                    Set<String> told =
                            known.members().stream().map(RoomMember::sessionId).collect(Collectors.toSet());
                    String state = known.self().map(RoomMember::state).orElse(null);
                    yield isIn
                            && told.equals(connected)
                            && known.self().isPresent()
                            && (Objects.equals(state, states.get(room))
                                    || (mayForgetStates && !states.containsKey(room))
                                    || !simulation.setup.keepsAll());
                }
            };
            if (!isTrue) {
                simulation.history.broken(member + " knows of " + known + " " + known.members() + " in " + room
                        + ", and there are " + connected + " of " + members.size() + "; its state there is "
                        + states.get(room));
            }
        }
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
        if (withMachine) {
            simulation.network.vanish(its);
        } else {
            simulation.network.crash(its);
        }
        for (String message : unsettled) {
            if (safe.contains(message)) {
                simulation.history.orphaned(by(message), message);
                orphans.add(message);
            } else {
                simulation.history.gaveUp(by(message), message, "it died");
            }
        }
        readsNoMore(member);
        unsettled.clear();
        safe.clear();
        process = null;
        client = null;
        transport = null;
        outbox = null;
        dying.kill();
    }

    private static String by(String message) {
        return message.substring(0, message.lastIndexOf('-'));
    }

    void close() {
        RealtimeClient up = client;
        client = null;
        if (up != null) {
            up.close();
        }
    }
}
