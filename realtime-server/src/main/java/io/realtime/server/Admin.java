package io.realtime.server;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonParseException;
import com.google.gson.reflect.TypeToken;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.StrictJson;
import io.realtime.server.internal.ServerCore;
import io.realtime.server.internal.room.RoomChannel;
import io.realtime.server.internal.session.ServerSession;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * What people who operate a server see and do, by names instead of contracts. {@code io.realtime.server.admin} offers
 * the same over HTTP. It asks no rule of the application. Safe for use by many threads.
 */
public final class Admin {
    private static final TypeToken<JsonElement> ANY = TypeToken.get(JsonElement.class);

    private final ServerCore core;

    Admin(ServerCore core) {
        this.core = core;
    }

    /**
     * A session at one moment.
     *
     * @param managed whether the client acknowledges and resumes
     * @param connected whether it has a connection; a session without one is kept for its time to live
     * @param since when it began, by the server's clock
     * @param address the address of the newest connection
     * @param rooms the names of its rooms, sorted, without its inboxes
     */
    public record SessionInfo(
            String id,
            String user,
            boolean managed,
            boolean connected,
            Instant since,
            String address,
            Map<String, String> tags,
            Set<String> rooms) {
        /** Creates a description; the tags are copied. */
        public SessionInfo {
            tags = Map.copyOf(tags);
        }
    }

    /**
     * Returns a room of the application. Empty when it has neither members nor messages. {@link ConnectionManager#rooms}
     * lists all.
     */
    public Optional<RoomSummary> room(String name) {
        return Optional.ofNullable(core.broker().find(Names.requireRoom(name))).map(RoomChannel::summary);
    }

    /** Returns the sessions of a user of this server, the oldest first. Empty when the user has none. */
    public List<SessionInfo> user(String id) {
        return core.table().connections().user(requireUser(id)).sessions().stream()
                .map(Admin::info)
                .sorted(Comparator.comparing(SessionInfo::since))
                .toList();
    }

    /** Returns the session with this public id. */
    public Optional<SessionInfo> session(String id) {
        return core.table().connections().session(id).map(Admin::info);
    }

    private static SessionInfo info(Session session) {
        return new SessionInfo(
                session.id(),
                session.user().id(),
                session.isManaged(),
                session.isConnected(),
                Instant.ofEpochMilli(((ServerSession) session).since()),
                session.handshake().remote().getHostString(),
                session.tags(),
                session.rooms());
    }

    /**
     * Publishes an event to a room, like {@link Room#send}. The future that is returned may be ignored.
     *
     * @param type the name of the event
     * @param json its payload, which is not compared with the contract
     * @throws IllegalArgumentException when the room or the name is not valid, or the payload is not JSON
     */
    @CanIgnoreReturnValue
    public CompletableFuture<@Nullable Position> sendToRoom(String room, String type, String json) {
        return send(core.table().connections().room(room), type, json);
    }

    /** Sends an event to all sessions of a user, like {@link User#send}; otherwise like {@link #sendToRoom}. */
    @CanIgnoreReturnValue
    public CompletableFuture<@Nullable Position> sendToUser(String user, String type, String json) {
        return send(core.table().connections().user(requireUser(user)).inbox(), type, json);
    }

    /** Sends an event to every session, through {@code @all}; otherwise like {@link #sendToRoom}. */
    @CanIgnoreReturnValue
    public CompletableFuture<@Nullable Position> broadcast(String type, String json) {
        return send(core.table().connections().everyone(), type, json);
    }

    private static CompletableFuture<@Nullable Position> send(Room to, String type, String json) {
        JsonElement data;
        try {
            data = StrictJson.read(json, ANY);
        } catch (JsonParseException unfit) {
            throw new IllegalArgumentException("the payload is not JSON", unfit);
        }
        return to.send(Event.of(type, JsonElement.class), data == null ? JsonNull.INSTANCE : data);
    }

    /**
     * Ends the session with this public id for good, like {@link Session#disconnect}.
     *
     * @return whether there was one
     */
    public boolean disconnectSession(String id, String text) {
        Optional<Session> found = core.table().connections().session(id);
        found.ifPresent(session -> session.disconnect(text));
        return found.isPresent();
    }

    /** Ends all sessions of a user for good, like {@link User#disconnect}. */
    public void disconnectUser(String id, String text) {
        core.table().connections().user(requireUser(id)).disconnect(text);
    }

    private static String requireUser(String id) {
        String fault = Names.userFault(id);
        if (fault != null) {
            throw new IllegalArgumentException("the id of the user " + fault);
        }
        return id;
    }
}
