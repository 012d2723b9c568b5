package io.realtime.server;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.realtime.Event;
import io.realtime.Position;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** A user, who may have any number of sessions: a phone, two browser tabs, or none. Safe for use by many threads. */
public interface User {
    /** Returns the id that the authenticator returned. */
    String id();

    /**
     * Returns the sessions of this server that are open, or that are kept without a connection. Empty when there are
     * none.
     */
    List<Session> sessions();

    /** Returns whether any session of the user on this server has a connection now. */
    boolean isOnline();

    /**
     * Sends to every session of the user, through the user's inbox. Sessions without a connection get the message when
     * they resume, as long as the retention keeps it. When the future completes, the message is in the inbox. The future
     * that is returned is complete. It may be ignored.
     *
     * @return the message's position in the inbox; null for an ephemeral event, which has none
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    @CanIgnoreReturnValue
    <T> CompletableFuture<@Nullable Position> send(Event<T> event, T data);

    /**
     * Sends like {@link #send(Event, Object)}, once for each key: see {@link Room#send(Event, Object, String)}.
     *
     * @return the position of the first message with this key
     */
    @CanIgnoreReturnValue
    <T> CompletableFuture<Position> send(Event<T> event, T data, String key);

    /** Returns the user's inbox as a room, for a view of it, such as {@link Room#from} or {@link Room#except}. */
    Room inbox();

    /**
     * Puts every session of the user in a room, as {@link Session#join} does, and each further one when it begins. That
     * lasts until {@link #leave}, or until the user has no session on this server, those included that are kept without
     * a connection. Does nothing when the user has none. A session that begins and may not be in so many rooms begins
     * without some of them, which is logged.
     *
     * @throws io.realtime.RealtimeException with {@code overloaded} when {@link Limits#rooms}, {@link
     *     Limits#roomsPerUser} or the rooms' half of {@link Limits#logBytes} allow no more for one of the sessions. The
     *     others are in the room; {@link #leave} undoes it
     */
    void join(String room);

    /** Takes every session of the user out of a room, however it came there, and puts no further one in. */
    void leave(String room);

    /**
     * Disconnects every session of the user for good, with 4005 and this text, as {@link Session#disconnect} does. When
     * this returns, no login that began before gets a session of the user, however long its token is still being
     * checked. A later login is a new login, also on a connection that was opened before. So refuse the user in the
     * authenticator first.
     */
    void disconnect(String text);
}
