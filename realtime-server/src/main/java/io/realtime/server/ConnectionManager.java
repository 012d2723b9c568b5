package io.realtime.server;

import io.realtime.Event;
import java.util.Collection;
import java.util.Optional;

/**
 * The access to all that are connected: by session, by user, by room, or all. The cost of an operation does not grow
 * with the number of others. Counts are of this moment. Safe for use by many threads.
 */
public final class ConnectionManager {
    private final ServerCore core;

    ConnectionManager(ServerCore core) {
        this.core = core;
    }

    /** Returns the session with this public id, if it is open or kept without a connection. */
    public Optional<Session> session(String id) {
        return Optional.ofNullable(core.session(id));
    }

    /** Returns a copy of the set of all sessions that are open or kept without a connection. */
    public Collection<Session> sessions() {
        return core.sessions();
    }

    /** Returns a user. The user need not be connected. */
    public User user(String id) {
        return new User(core, id);
    }

    /**
     * Returns a room. The room need not exist.
     *
     * @throws IllegalArgumentException when the name is empty, longer than 256 bytes, or begins with {@code @}
     */
    public Room room(String name) {
        return Room.named(core, name, null);
    }

    /** Returns {@code @all}, the room of every session. */
    public Room all() {
        return Room.everyone(core, null);
    }

    /** Sends to every session. */
    public <T> void broadcast(Event<T> event, T data) {
        all().send(event, data);
    }

    /** Sends to every session of a user; see {@link User#send}. */
    public <T> void sendToUser(String user, Event<T> event, T data) {
        user(user).send(event, data);
    }

    /** Sends to the members of a room. */
    public <T> void sendToRoom(String room, Event<T> event, T data) {
        room(room).send(event, data);
    }

    /** Sends to one session. Returns false when there is no session with this public id. */
    public <T> boolean sendToSession(String session, Event<T> event, T data) {
        Session found = core.session(session);
        if (found == null) {
            return false;
        }
        found.send(event, data);
        return true;
    }

    /** Disconnects every session of a user for good, with 4005 and this text; see {@link User#disconnect}. */
    public void disconnectUser(String user, String text) {
        user(user).disconnect(text);
    }

    /** Returns how many connections are open, unauthenticated ones included. */
    public int connectionCount() {
        return core.connectionCount();
    }

    /** Returns how many sessions are open or kept without a connection. */
    public int sessionCount() {
        return core.sessionCount();
    }

    /** Returns how many users have a session that is open or kept without a connection. */
    public int userCount() {
        return core.userCount();
    }
}
