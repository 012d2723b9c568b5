package io.realtime.server;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.realtime.Event;
import java.util.Collection;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

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

    /**
     * Returns a part of the list of this server's rooms, sorted by name ({@link String#compareTo}), without inboxes and
     * {@code @all}. A room is listed while it has a member or a message. Rooms that exist throughout are listed once,
     * whatever begins and ends while the pages are read. A page costs no more than its own rooms. The future that is
     * returned is complete.
     *
     * @param prefix the beginning of the names; empty for all rooms
     * @param after the name after which the page begins: of the last room of the page before, or null for the first
     *     page
     * @param limit how many rooms at most, 1 to {@value RoomsPage#MOST}
     * @throws IllegalArgumentException when the limit is not 1 to {@value RoomsPage#MOST}
     */
    CompletableFuture<RoomsPage> rooms(String prefix, @Nullable String after, int limit);

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
