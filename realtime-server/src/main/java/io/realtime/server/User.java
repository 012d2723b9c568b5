package io.realtime.server;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.internal.Steps;
import java.util.List;

/** A user, who may have any number of sessions: a phone, two browser tabs, or none. Safe for use by many threads. */
public final class User {
    private final ServerCore core;
    private final String id;

    User(ServerCore core, String id) {
        this.core = core;
        this.id = id;
    }

    /** Returns the id that the authenticator returned. */
    public String id() {
        return id;
    }

    /** Returns the sessions that are open, or that are kept without a connection. Empty when there are none. */
    public List<Session> sessions() {
        return core.inboxes().sessions(id);
    }

    /** Returns whether any session of the user has a connection now. */
    public boolean isOnline() {
        return sessions().stream().anyMatch(Session::isConnected);
    }

    /**
     * Sends to every session of the user, through the user's inbox. Sessions without a connection get the message when
     * they resume, as long as the retention keeps it. Returns when the message is in the inbox.
     *
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    public <T> void send(Event<T> event, T data) {
        inbox().send(event, data);
    }

    /** Returns the user's inbox as a room, for {@link Room#except} or {@link Room#filter}. */
    public Room inbox() {
        return Room.inbox(core, id, null);
    }

    /**
     * Disconnects every session of the user for good, with 4005 and this text, as {@link Session#disconnect} does. When
     * this returns, no login that began before gets a session of the user, however long its token is still being
     * checked. A later login is a new login, also on a connection that was opened before. So refuse the user in the
     * authenticator first.
     */
    public void disconnect(String text) {
        CloseReason kicked = new CloseReason(CloseReason.KICKED, text);
        core.admissions().bar(Admissions.Key.user(id), kicked);
        Steps.each(sessions(), session -> session.end(kicked, Session.EndReason.AT_ONCE));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof User that && id.equals(that.id) && core == that.core;
    }

    @Override
    public int hashCode() {
        return id.hashCode();
    }

    @Override
    public String toString() {
        return "User{" + id + "}";
    }
}
