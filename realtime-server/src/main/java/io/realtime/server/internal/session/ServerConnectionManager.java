package io.realtime.server.internal.session;

import io.realtime.Event;
import io.realtime.server.ConnectionManager;
import io.realtime.server.Room;
import io.realtime.server.RoomsPage;
import io.realtime.server.Session;
import io.realtime.server.User;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** The implementation of {@link ConnectionManager}, over the tables of the context. */
public final class ServerConnectionManager implements ConnectionManager {
    private final SessionContext context;
    private final SessionTable table;

    ServerConnectionManager(SessionContext context, SessionTable table) {
        this.context = context;
        this.table = table;
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
    public CompletableFuture<RoomsPage> rooms(String prefix, @Nullable String after, int limit) {
        if (limit < 1 || limit > RoomsPage.MOST) {
            throw new IllegalArgumentException("limit " + limit + " is not 1 to " + RoomsPage.MOST);
        }
        return CompletableFuture.completedFuture(context.broker().list(prefix, after, limit));
    }

    @Override
    public Room everyone() {
        return ServerRoom.everyone(context);
    }

    @Override
    public <T> CompletableFuture<Boolean> sendToSession(String sessionId, Event<T> event, T data) {
        ServerSession found = table.session(sessionId);
        return found == null
                ? CompletableFuture.completedFuture(false)
                : found.send(event, data).thenApply(position -> true);
    }

    @Override
    public int online() {
        return table.online();
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
