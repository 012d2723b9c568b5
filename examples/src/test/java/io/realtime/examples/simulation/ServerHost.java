package io.realtime.examples.simulation;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.server.Authentication;
import io.realtime.server.Credentials;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Room;
import io.realtime.server.Session;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.SimulatedProcess;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The machine that runs the server: starts it, kills it, starts the next one on the same port. */
final class ServerHost {
    /** A message of a simulation: who sent it, and which of that one's it is. */
    record Note(String by, int number) {
        String text() {
            return by + "-" + number;
        }

        byte[] bytes() {
            return text().getBytes(StandardCharsets.UTF_8);
        }

        static Note of(byte[] bytes) {
            String text = new String(bytes, StandardCharsets.UTF_8);
            int dash = text.lastIndexOf('-');
            return new Note(text.substring(0, dash), Integer.parseInt(text.substring(dash + 1)));
        }

        /** Some messages travel as bytes. */
        boolean isBinary() {
            return number % 3 == 0;
        }

        /** Some messages are refused by their handler, which their sender must be told. */
        boolean isRefused() {
            return number % 11 == 0;
        }
    }

    static final Event<Note> SAY = Event.of("say", Note.class);
    static final Event<Note> SAID = Event.of("said", Note.class);
    static final Event<byte[]> SAY_BYTES = Event.of("say.bytes", byte[].class);
    static final Event<ByteBuffer> SAID_BYTES = Event.of("said.bytes", ByteBuffer.class);
    static final ErrorCode REFUSED = ErrorCode.of("refused");
    private static final String MEMBER = "member";

    private final Simulation simulation;
    private final Random random;
    private final int port;
    private int lives;
    private int published;
    private int publishedBefore; // by earlier lives, whose logs died with them
    private boolean dawdles = true;
    private final Map<String, @Nullable Position> ends = new HashMap<>();

    @Nullable
    SimulatedProcess process;

    @Nullable
    RealtimeServer server;

    @Nullable
    Asking asking;

    private @Nullable ServerTransport transport;

    ServerHost(Simulation simulation, int port) {
        this.simulation = simulation;
        this.random = simulation.random;
        this.port = port;
    }

    /** Returns where the log of a room ends, as far as anyone knows. */
    @Nullable
    Position end(String room) {
        return ends.get(room);
    }

    private void published(String room, @Nullable Position at, Note note, Set<String> optionalFor) {
        simulation.history.published(room, at, note.text(), optionalFor);
        ends.put(room, at);
    }

    boolean isUp() {
        return server != null;
    }

    void start() {
        SimulatedProcess life = simulation.time.newProcess();
        String name = "server" + ++lives;
        publishedBefore = published;
        process = life;
        Asking answering = new Asking(simulation, name, life, () -> Integer.MAX_VALUE); // sessions end when they like
        asking = answering;
        transport = simulation.network.serverTransport();
        server = RealtimeServer.builder()
                .port(port)
                .authenticator(this::authenticate)
                .allowJoin((session, room) -> true)
                .on(SAY, (session, message) -> handle(name, session, message, message.data()))
                .on(SAY_BYTES, (session, message) -> handle(name, session, message, Note.of(message.data())))
                .onRequestAsync(Asking.NEXT, (session, number) -> answering.next(number))
                .onStreamAsync(Asking.COUNT, (session, count, out) -> answering.count(count, out))
                .retention(simulation.setup.retention())
                .inboxRetention(simulation.setup.inboxRetention())
                .limits(simulation.setup.limits())
                .heartbeat(simulation.setup.heartbeat())
                .sessionTtl(simulation.setup.sessionTtl())
                .random(new Random(random.nextLong()))
                .scheduler(life)
                .executor(dawdling(life))
                .transport(transport)
                .build()
                .start();
        simulation.trace("starts " + name);
    }

    private void handle(String life, Session session, Message<?> message, Note note) {
        simulation.history.handled(life, note.by(), note.text(), message.isRedelivered());
        if (note.isRefused()) {
            throw new RealtimeException(REFUSED, "number " + note.number());
        }
        String room = message.room();
        if (room != null) {
            published(room, send(session.room(room), note), note, Set.of());
        }
    }

    private static @Nullable Position send(Room room, Note note) {
        return note.isBinary() ? room.send(SAID_BYTES, ByteBuffer.wrap(note.bytes())) : room.send(SAID, note);
    }

    /** Handlers that dawdle: what was received is often not yet processed when something breaks. */
    private Executor dawdling(SimulatedProcess life) {
        return task -> {
            int delay = dawdles && random.nextInt(6) == 0 ? random.nextInt(simulation.setup.longestHandlerMs()) : 0;
            life.schedule(Duration.ofMillis(delay), task);
        };
    }

    /** From now on handlers are quick, and tokens are good for ever. */
    void behave() {
        dawdles = false;
    }

    /** Returns whether a message of the application was published by this life of the server. */
    boolean isOfThisLife(String message) {
        return Integer.parseInt(message.substring(message.lastIndexOf('-') + 1)) > publishedBefore;
    }

    /** The token is {@code user/member}; some servers let it expire. */
    private CompletableFuture<Authentication> authenticate(Credentials credentials) {
        String[] token = String.valueOf(credentials.token()).split("/", 2);
        SimulatedProcess here = process;
        Instant expires = simulation.setup.tokensExpire() && dawdles && here != null
                ? Instant.ofEpochMilli(here.currentTimeMillis() + 3_000 + random.nextInt(10_000))
                : null;
        CompletableFuture<Authentication> answer = new CompletableFuture<>();
        Authentication proof = new Authentication(token[0], Map.of(MEMBER, token[1]), expires);
        int slow = random.nextInt(8) == 0 ? 8_000 : 500;
        simulation.time.schedule(Duration.ofMillis(random.nextInt(4) == 0 ? random.nextInt(slow) : 0), () -> {
            if (here != null && here.isAlive()) {
                answer.complete(proof);
            }
        });
        return answer;
    }

    /** The process dies; with the machine, nobody is told. */
    void kill(boolean withMachine) {
        SimulatedProcess dying = process;
        ServerTransport its = transport;
        if (dying == null || its == null) {
            return;
        }
        simulation.trace(withMachine ? "the server's machine loses power" : "the server is killed");
        dying.kill();
        if (withMachine) {
            simulation.network.vanish(its);
        } else {
            simulation.network.crash(its);
        }
        forget();
    }

    void shutDown() {
        RealtimeServer stopping = server;
        if (stopping != null) {
            simulation.trace("the server shuts down");
            stopping.close(Duration.ZERO);
            forget();
        }
    }

    private void forget() {
        process = null;
        server = null;
        transport = null;
    }

    // ---------------------------------------------------------------- what the application does

    void publish(String room) {
        RealtimeServer up = server;
        if (up == null) {
            return;
        }
        Note note = new Note("app", ++published);
        List<Session> members = up.room(room).members();
        if (!members.isEmpty() && random.nextInt(5) == 0) {
            Session out = members.get(random.nextInt(members.size()));
            Position at = send(up.room(room).except(out), note);
            simulation.history.published(
                    room,
                    at,
                    note.text(),
                    Set.of(String.valueOf(out.attributes().get(MEMBER))));
        } else {
            published(room, send(up.room(room), note), note, Set.of());
        }
    }

    void publishToUser(String user) {
        RealtimeServer up = server;
        if (up != null) {
            Note note = new Note("app", ++published);
            Position at = send(up.user(user).inbox(), note);
            published("@user:" + user, at, note, Set.of());
        }
    }

    void publishToAll() {
        RealtimeServer up = server;
        if (up != null) {
            Note note = new Note("app", ++published);
            published("@all", send(up.all(), note), note, Set.of());
        }
    }

    /** Asks a client. */
    void ask() {
        RealtimeServer up = server;
        Asking mine = asking;
        if (up == null || mine == null || up.connections().sessionCount() == 0) {
            return;
        }
        List<Session> sessions = new ArrayList<>(up.connections().sessions());
        sessions.sort(Comparator.comparing(Session::id));
        Session session = sessions.get(random.nextInt(sessions.size()));
        if (random.nextInt(3) == 0) {
            mine.stream((count, reader) -> session.stream(Asking.COUNT, count, reader));
        } else {
            mine.request(number -> session.request(Asking.NEXT, number), simulation.nextNumber());
        }
    }

    /** Throws a session out. */
    void disconnectOne() {
        RealtimeServer up = server;
        if (up == null || up.connections().sessionCount() == 0) {
            return;
        }
        List<Session> sessions = new ArrayList<>(up.connections().sessions());
        Session session = sessions.get(random.nextInt(sessions.size()));
        simulation.trace("the server disconnects " + session.attributes().get(MEMBER));
        session.disconnect("kicked");
    }
}
