package io.realtime.server;

import io.realtime.Event;
import java.util.Collection;
import java.util.Optional;

/**
 * The access to all that are connected: by session, by user, by room, or all. The cost of an operation does not grow
 * with the number of others. Counts are of this moment. Safe for use by many threads.
 */
public interface ConnectionManager {
    /** Returns the session with this public id, if it is open or kept without a connection. */
    Optional<Session> session(String id);

    /** Returns a copy of the set of all sessions that are open or kept without a connection. */
    Collection<Session> sessions();

    /** Returns a user. The user need not be connected. */
    User user(String id);

    /**
     * Returns a room. The room need not exist.
     *
     * @throws IllegalArgumentException when the name is empty, longer than 256 bytes, or begins with {@code @}
     */
    Room room(String name);

    /** Returns {@code @all}, the room of every session. */
    Room all();

    /** Sends to every session. */
    <T> void broadcast(Event<T> event, T data);

    /** Sends to every session of a user; see {@link User#send}. */
    <T> void sendToUser(String user, Event<T> event, T data);

    /** Sends to the members of a room. */
    <T> void sendToRoom(String room, Event<T> event, T data);

    /** Sends to one session. Returns false when there is no session with this public id. */
    <T> boolean sendToSession(String session, Event<T> event, T data);

    /** Disconnects every session of a user for good, with 4005 and this text; see {@link User#disconnect}. */
    void disconnectUser(String user, String text);

    /** Returns how many connections are open, unauthenticated ones included. */
    int connectionCount();

    /** Returns how many sessions are open or kept without a connection. */
    int sessionCount();

    /** Returns how many users have a session that is open or kept without a connection. */
    int userCount();
}
