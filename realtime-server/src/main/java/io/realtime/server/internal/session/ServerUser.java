package io.realtime.server.internal.session;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.server.Room;
import io.realtime.server.Session;
import io.realtime.server.User;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** The implementation of {@link User}. */
final class ServerUser implements User {
    private final SessionContext context;
    private final String id;

    ServerUser(SessionContext context, String id) {
        this.context = context;
        this.id = id;
    }

    @Override
    public String id() {
        return id;
    }

    @Override
    public List<Session> sessions() {
        return List.copyOf(context.inboxes().sessions(id));
    }

    @Override
    public boolean isOnline() {
        return sessions().stream().anyMatch(Session::isConnected);
    }

    @Override
    public <T> CompletableFuture<@Nullable Position> send(Event<T> event, T data) {
        return inbox().send(event, data);
    }

    @Override
    public <T> CompletableFuture<Position> send(Event<T> event, T data, String key) {
        return inbox().send(event, data, key);
    }

    @Override
    public Room inbox() {
        return ServerRoom.inbox(context, id);
    }

    @Override
    public void join(String room) {
        context.inboxes().join(id, Names.requireRoom(room), context.limits().roomsPerUser());
        follow(room);
    }

    @Override
    public void leave(String room) {
        context.inboxes().leave(id, Names.requireRoom(room));
        follow(room);
    }

    /** Has every session follow the decision about a room, and then throws what one of them has thrown. */
    private void follow(String room) {
        RealtimeException refused = null;
        for (ServerSession session : context.inboxes().sessions(id)) {
            try {
                session.follow(room);
            } catch (RealtimeException full) {
                refused = full;
            }
        }
        if (refused != null) {
            throw refused;
        }
    }

    @Override
    public void disconnect(String text) {
        CloseReason kicked = new CloseReason(CloseReason.KICKED, text);
        context.admissions().bar(LoginBars.Key.user(id), kicked);
        Steps.each(context.inboxes().sessions(id), session -> session.end(kicked, ServerSession.EndReason.AT_ONCE));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ServerUser that && id.equals(that.id) && context == that.context;
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
