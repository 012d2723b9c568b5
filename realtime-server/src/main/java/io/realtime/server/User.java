package io.realtime.server;

import io.realtime.Event;
import java.util.List;

/** A user, who may have any number of sessions: a phone, two browser tabs, or none. Safe for use by many threads. */
public interface User {
    /** Returns the id that the authenticator returned. */
    String id();

    /** Returns the sessions that are open, or that are kept without a connection. Empty when there are none. */
    List<Session> sessions();

    /** Returns whether any session of the user has a connection now. */
    boolean isOnline();

    /**
     * Sends to every session of the user, through the user's inbox. Sessions without a connection get the message when
     * they resume, as long as the retention keeps it. Returns when the message is in the inbox.
     *
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    <T> void send(Event<T> event, T data);

    /** Returns the user's inbox as a room, for {@link Room#except} or {@link Room#filter}. */
    Room inbox();

    /**
     * Disconnects every session of the user for good, with 4005 and this text, as {@link Session#disconnect} does. When
     * this returns, no login that began before gets a session of the user, however long its token is still being
     * checked. A later login is a new login, also on a connection that was opened before. So refuse the user in the
     * authenticator first.
     */
    void disconnect(String text);
}
