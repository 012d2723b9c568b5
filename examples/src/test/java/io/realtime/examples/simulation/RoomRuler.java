package io.realtime.examples.simulation;

import io.realtime.Position;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.server.Room;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What the server's application does to its rooms beside publishing: it deletes, purges, closes, and sends with keys. */
final class RoomRuler {
    private static final int MOST_REMEMBERED = 20;

    private final Simulation simulation;
    private final ServerHost host;
    private final Map<String, List<Position>> published = new HashMap<>(); // the newest, but for deleted ones
    private int keys;

    RoomRuler(Simulation simulation, ServerHost host) {
        this.simulation = simulation;
        this.host = host;
    }

    /** Sends, and where everything is kept a second time with the same key, which must publish nothing. */
    Position send(Room to, Note note) {
        if (note.number() % 5 > 0) {
            return ServerLife.send(to, note, null);
        }
        String key = "key-" + ++keys;
        Position at = ServerLife.send(to, note, key);
        if (simulation.setup.keepsAll()) {
            Position again = ServerLife.send(to, Note.of("twin", keys), key);
            if (!again.equals(at)) {
                simulation.history.broken(String.format("%s was published at %s and at %s", key, at, again));
            }
        }
        return at;
    }

    /** Notes where a message stands. */
    void published(String room, Position at) {
        List<Position> newest = published.computeIfAbsent(room, name -> new ArrayList<>());
        newest.add(at);
        if (newest.size() > MOST_REMEMBERED) {
            newest.remove(0);
        }
    }

    void act(RealtimeServer server, String room, String shared) {
        int what = simulation.random.nextInt(10);
        if (what == 0) {
            purge(server.connections().room(room));
        } else if (what == 1 && simulation.setup.moves()) {
            close(server.connections().room(shared));
        } else {
            delete(server, room);
        }
    }

    private void delete(RealtimeServer server, String name) {
        List<Position> newest = published.getOrDefault(name, List.of());
        if (newest.isEmpty()) {
            return;
        }
        Position at = newest.remove(simulation.random.nextInt(newest.size()));
        simulation.trace("the server deletes " + at + " of " + name);
        simulation.wire.publishes(name, Wire.Audience.EVERYONE);
        boolean isDeleted = server.connections().room(name).delete(at).join();
        Position end = end(server, name);
        if (isDeleted) {
            simulation.wire.published(name, end.epoch(), end.offset());
            simulation.wire.deleted(name, at);
            simulation.history.deleted(name, at);
            host.moved(name, end);
        } else {
            simulation.wire.publishesNothing();
        }
        boolean isKept = simulation.setup.keepsAll()
                && simulation.setup.retention().messages()
                        > Retention.defaults().messages();
        if (isKept && !isDeleted && end.epoch().equals(at.epoch())) {
            simulation.history.broken(String.format("%s of %s could not be deleted", at, name));
        }
    }

    private static Position end(RealtimeServer server, String name) {
        return server.connections().rooms(name, null, 1).join().rooms().stream()
                .filter(room -> room.name().equals(name))
                .map(room -> room.end())
                .findFirst()
                .orElse(new Position("", 0));
    }

    /** A room without members may not fit into the logs' space. */
    private void purge(Room room) {
        if (!room.localMembers().isEmpty()) {
            simulation.trace("the server purges " + room);
            published.remove(room.name());
            host.moved(room.name(), room.purge().join());
        }
    }

    private void close(Room room) {
        if (!room.localMembers().isEmpty()) {
            simulation.trace("the server closes " + room);
            published.remove(room.name());
            host.moved(room.name(), room.close("it is over").join());
        }
    }
}
