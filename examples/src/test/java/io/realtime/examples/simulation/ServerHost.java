package io.realtime.examples.simulation;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Room;
import io.realtime.server.Session;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** The machine that runs the server: starts it, kills it, starts the next one on the same port. */
final class ServerHost {
    private final Simulation simulation;
    private final Random random;
    private final int port;
    private int lives;
    private int published;
    private int publishedBefore; // by earlier lives, whose logs died with them
    private boolean dawdles = true;
    private boolean closing;
    private int closes; // under way: the next server may begin meanwhile
    private long atWorkSince; // on the network's clock, which may be ahead of now
    private final Map<String, Position> ends = new HashMap<>();
    private final RoomRuler ruler;

    @Nullable
    ServerLife life;

    ServerHost(Simulation simulation, int port) {
        this.simulation = simulation;
        this.random = simulation.random;
        this.port = port;
        this.ruler = new RoomRuler(simulation, this);
    }

    /** Returns where the log of a room ends, as far as anyone knows. */
    @Nullable
    Position end(String room) {
        return ends.get(room);
    }

    /**
     * Publishes, and tells all who keep books.
     *
     * @param optionalFor members that may be left out; null for all of them
     */
    void publish(Room to, String room, Note note, Wire.Audience audience, @Nullable Set<String> optionalFor) {
        simulation.wire.publishes(room, audience);
        Position at = ruler.send(to, note);
        simulation.wire.published(room, at.epoch(), at.offset());
        if (Simulation.isShared(room)) {
            simulation.trace(room + " publishes " + note.text() + " at " + at); // the wire alone knows who is in it
        } else if (optionalFor == null) {
            simulation.history.publishedToSome(room, at, note.text());
        } else {
            simulation.history.published(room, at, note.text(), optionalFor);
        }
        ruler.published(room, at);
        moved(room, at);
    }

    /** Notes that a log ends at another place, which must be a later one. */
    void moved(String room, Position end) {
        Position before = ends.put(room, end);
        if (before != null && before.epoch().equals(end.epoch()) && before.offset() >= end.offset()) {
            simulation.history.broken(String.format("%s went from %s to %s", room, before, end));
        }
    }

    boolean isUp() {
        return life != null;
    }

    @Nullable
    RealtimeServer server() {
        ServerLife now = life;
        return now == null ? null : now.server;
    }

    void start() {
        publishedBefore = published;
        closing = false;
        if (closes == 0) { // else the one before is at work, too
            atWorkSince = simulation.time.nanoTime();
        }
        lives++;
        life = new ServerLife(simulation, this, "server" + lives, port);
        simulation.trace("starts server" + lives);
    }

    /** Returns whether the server has been at work for so long, without a pause. */
    boolean hasRunFor(Duration time) {
        return simulation.time.nanoTime() - atWorkSince >= time.toNanos();
    }

    /** Nothing of the process runs for a while; what arrives meanwhile is there when it goes on. */
    void pause(Duration length) {
        ServerLife paused = life;
        if (paused != null) {
            simulation.trace("the server is paused for " + length);
            simulation.wire.serverPauses();
            paused.process.pause(length);
            simulation.network.pause(paused.transport, length);
            Duration noticed = simulation.setup.heartbeat().interval().multipliedBy(2); // by timers that come late
            if (length.compareTo(noticed) > 0) {
                atWorkSince = Math.max(atWorkSince, simulation.time.nanoTime() + length.toNanos());
            }
        }
    }

    /** Returns the server's process when it is there and not paused: then its application does something. */
    private @Nullable ServerLife atWork() {
        ServerLife up = life;
        return up == null || up.process.isPaused() ? null : up;
    }

    boolean dawdles() {
        return dawdles;
    }

    /** From now on handlers are quick, and tokens are good for ever. */
    void behave() {
        dawdles = false;
    }

    /** Returns whether a message of the application was published by this life of the server. */
    boolean isOfThisLife(String message) {
        return Integer.parseInt(message.substring(message.lastIndexOf('-') + 1)) > publishedBefore;
    }

    /** The process dies; with the machine, nobody is told. */
    void kill(boolean withMachine) {
        ServerLife dying = life;
        if (dying == null) {
            return;
        }
        simulation.trace(withMachine ? "the server's machine loses power" : "the server is killed");
        dying.process.kill();
        if (withMachine) {
            simulation.network.vanish(dying.transport);
        } else {
            simulation.network.crash(dying.transport);
        }
        life = null;
    }

    void shutDown() {
        ServerLife stopping = atWork();
        if (stopping != null) {
            Duration grace = Duration.ofMillis(random.nextInt(4) * 1_500L);
            simulation.trace("the server shuts down within " + grace);
            life = null;
            closing = true;
            closes++;
            stopping.server.close(grace);
            closes--;
            if (simulation.setup.isWide() && !simulation.setup.lags()) { // else a replay may wait for its connection
                simulation.wire.requireHandedOver();
            }
        }
    }

    /** Returns whether the server has closed, or is about to. */
    boolean isClosing() {
        return closing || closes > 0;
    }

    // ---------------------------------------------------------------- what the application does

    private Note next() {
        return Note.of("app", ++published);
    }

    void publish(String room) {
        ServerLife up = atWork();
        if (up == null) {
            return;
        }
        Room to = up.server.connections().room(room);
        List<Session> members = to.localMembers();
        int how = random.nextInt(6);
        if (!members.isEmpty() && how == 0) {
            Session out = members.get(random.nextInt(members.size()));
            publish(to.except(out.id()), room, next(), ServerLife.leaving(out), Set.of(ServerLife.member(out)));
        } else if (how == 1) {
            up.publishToManaged(to, room, next());
        } else if (how == 2) {
            up.publishToTeam(to, room, next(), anySession());
        } else if (!members.isEmpty() && how == 3) {
            Set<String> some =
                    Set.of(members.get(random.nextInt(members.size())).id(), "of nobody");
            publish(to.only(some), room, next(), new Wire.Audience(some, Set.of(), null, 0, false), null);
        } else {
            publish(to, room, next(), Wire.Audience.EVERYONE, Set.of());
        }
    }

    void publishToUser(String user) {
        ServerLife up = atWork();
        if (up != null) {
            publish(
                    up.server.connections().user(user).inbox(),
                    "@user:" + user,
                    next(),
                    Wire.Audience.EVERYONE,
                    Set.of());
        }
    }

    void publishToAll() {
        ServerLife up = atWork();
        if (up != null) {
            publish(up.server.connections().everyone(), "@all", next(), Wire.Audience.EVERYONE, Set.of());
        }
    }

    private @Nullable Session anySession() {
        ServerLife up = atWork();
        if (up == null || up.server.connections().sessionCount() == 0) {
            return null;
        }
        List<Session> sessions = new ArrayList<>(up.server.connections().sessions());
        sessions.sort(Comparator.comparing(Session::id));
        return sessions.get(random.nextInt(sessions.size()));
    }

    /** Asks a client. */
    void ask() {
        ServerLife up = atWork();
        Session session = anySession();
        if (up == null || session == null || !session.isManaged()) {
            return;
        }
        if (random.nextInt(3) == 0) {
            up.asking.stream((count, reader) -> session.stream(Asking.COUNT, count, reader));
        } else {
            up.asking.request(number -> session.request(Asking.NEXT, number), simulation.nextNumber());
        }
    }

    /** Throws a session out. */
    void disconnectOne() {
        ServerLife up = atWork();
        Session session = anySession();
        if (up != null && session != null) {
            simulation.trace("the server disconnects " + session.attributes().get(ServerLife.MEMBER));
            simulation.wire.kicked(session.id());
            up.server.connections().sessions().stream() // its client may have come back with another
                    .filter(other -> device(other).equals(device(session)))
                    .forEach(other -> simulation.wire.mayBeKicked(other.id()));
            session.disconnect("kicked");
        }
    }

    /** Returns which device a session is of, whichever life of its client's process. */
    private static String device(Session session) {
        return ServerLife.member(session).substring(0, 2);
    }

    /** Throws all sessions of a user out, and those that are about to be one. */
    void disconnectUser(String user) {
        ServerLife up = atWork();
        if (up != null) {
            simulation.trace("the server disconnects all of " + user);
            up.server.connections().user(user).sessions().forEach(session -> simulation.wire.kicked(session.id()));
            simulation.wire.userKicked(user);
            up.server.connections().user(user).disconnect("kicked");
        }
    }

    /** Puts a session into a room, or takes it out, as another thread of the application may at any time. */
    void move() {
        Session session = anySession();
        String room = Simulation.SHARED.get(random.nextInt(Simulation.SHARED.size()));
        if (session != null && random.nextBoolean()) {
            try {
                session.join(room);
            } catch (RealtimeException full) { // of limits.roomsPerUser: true of no other
                if (!full.code().equals(ErrorCode.OVERLOADED)) {
                    throw full;
                }
            }
        } else if (session != null) {
            session.leave(room);
        }
    }

    void forEachSession(BiConsumer<String, Set<String>> visitor) {
        RealtimeServer up = server();
        if (up != null) {
            up.connections().sessions().stream()
                    .filter(Session::isManaged)
                    .forEach(session -> visitor.accept(ServerLife.member(session), session.rooms()));
        }
    }

    /** Returns the members of a room. */
    List<Session> members(String room) {
        RealtimeServer up = server();
        return up == null ? List.of() : up.connections().room(room).localMembers();
    }

    /** The application deletes messages, purges a room, or closes one. */
    void rule(String room) {
        ServerLife up = atWork();
        if (up != null) {
            ruler.act(up.server, room, Simulation.SHARED.get(random.nextInt(Simulation.SHARED.size())));
        }
    }

    /** Returns where each session is. */
    Map<String, Set<String>> rooms() {
        Map<String, Set<String>> rooms = new HashMap<>();
        RealtimeServer up = server();
        if (up != null) {
            up.connections().sessions().forEach(session -> rooms.put(session.id(), new HashSet<>(session.rooms())));
        }
        return rooms;
    }
}
