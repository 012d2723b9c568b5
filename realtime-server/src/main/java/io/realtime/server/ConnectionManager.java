package io.realtime.server;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.realtime.Event;
import java.util.Collection;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * The access to all that are connected: by session, by user, by room, or all. The cost of an operation does not grow
 * with the number of others. Counts are of this server and of this moment. Safe for use by many threads.
 */
public interface ConnectionManager {
    /** Returns the session of this server with this public id, if it is open or kept without a connection. */
    Optional<Session> session(String id);

    /** Returns a copy of the set of all sessions of this server that are open or kept without a connection. */
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
    Room everyone();

    /**
     * Sends to the session with this public id, as {@link Session#send} does. The future that is returned is complete.
     * It may be ignored.
     *
     * @return true when there is such a session
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    @CanIgnoreReturnValue
    <T> CompletableFuture<Boolean> sendToSession(String sessionId, Event<T> event, T data);

    /** Returns how many sessions have a connection. */
    int online();

    /** Returns how many sessions there are, those included that are kept without a connection. */
    int sessionCount();

    /** Returns how many users have a session, those included whose sessions are kept without a connection. */
    int userCount();
}
