package io.realtime.server.internal.session;

import io.realtime.Event;
import io.realtime.server.ConnectionManager;
import io.realtime.server.Room;
import io.realtime.server.Session;
import io.realtime.server.User;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.IntSupplier;

/** The implementation of {@link ConnectionManager}, over the tables of the context. */
public final class ServerConnections implements ConnectionManager {
    private final SessionContext context;
    private final SessionTable table;
    private final IntSupplier connectionCount;

    ServerConnections(SessionContext context, SessionTable table, IntSupplier connectionCount) {
        this.context = context;
        this.table = table;
        this.connectionCount = connectionCount;
    }

    @Override
    public Optional<Session> session(String id) {
        return Optional.ofNullable(table.session(id));
    }

    @Override
    public Collection<Session> sessions() {
        return List.copyOf(table.sessions());
    }

    @Override
    public User user(String id) {
        return new ServerUser(context, id);
    }

    @Override
    public Room room(String name) {
        return ServerRoom.named(context, name, null);
    }

    @Override
    public Room all() {
        return ServerRoom.everyone(context, null);
    }

    @Override
    public <T> void broadcast(Event<T> event, T data) {
        all().send(event, data);
    }

    @Override
    public <T> void sendToUser(String user, Event<T> event, T data) {
        user(user).send(event, data);
    }

    @Override
    public <T> void sendToRoom(String room, Event<T> event, T data) {
        room(room).send(event, data);
    }

    @Override
    public <T> boolean sendToSession(String session, Event<T> event, T data) {
        ServerSession found = table.session(session);
        if (found == null) {
            return false;
        }
        found.send(event, data);
        return true;
    }

    @Override
    public void disconnectUser(String user, String text) {
        user(user).disconnect(text);
    }

    @Override
    public int connectionCount() {
        return connectionCount.getAsInt();
    }

    @Override
    public int sessionCount() {
        return table.sessionCount();
    }

    @Override
    public int userCount() {
        return table.userCount();
    }
}
