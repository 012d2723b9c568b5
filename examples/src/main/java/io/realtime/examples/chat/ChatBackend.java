package io.realtime.examples.chat;

import com.sun.net.httpserver.HttpHandler;
import io.realtime.server.RealtimeServer;
import java.time.Clock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The chat: its database, its handlers, its HTTP API, and the relay that publishes what was stored. Open it, start a
 * server with its handlers, and let it {@link #publishTo} that server. Close the server first.
 */
public final class ChatBackend implements AutoCloseable {
    private final Database database;
    private final ChatService service;
    private volatile @Nullable OutboxRelay relay;

    private ChatBackend(Database database) {
        this.database = database;
        this.service = new ChatService(database, this::wake, Clock.systemUTC());
    }

    /**
     * Connects to a database, and creates or updates its schema.
     *
     * @param url a JDBC URL of H2 or PostgreSQL, whose driver is on the class path
     * @param user the database's user; null if the URL names one, or none is needed
     * @throws io.realtime.RealtimeException with {@code storage} if that fails; the message says why
     */
    public static ChatBackend open(String url, @Nullable String user, @Nullable String password) {
        return new ChatBackend(Database.open(url, user, password));
    }

    /** Adds the handlers of the WebSocket. */
    public RealtimeServer.Builder addHandlers(RealtimeServer.Builder builder) {
        return new ChatHandlers(service).addTo(builder);
    }

    /**
     * Returns {@code POST /api/messages}.
     *
     * @param userOf returns the user of a token, or null if the token is not valid
     */
    public HttpHandler messageApi(Function<String, @Nullable String> userOf) {
        return new MessageApi(service, userOf, System::nanoTime);
    }

    /**
     * Begins to publish what is stored, with what an earlier process had not published. Call it once. What cannot be
     * published when the server is closed stays in the database for the next process.
     */
    public void publishTo(RealtimeServer server) {
        publishTo(new ServerPublisher(server.connections()));
    }

    void publishTo(OutboxRelay.Publisher publisher) {
        OutboxRelay started = new OutboxRelay(new Outbox(database), publisher);
        relay = started;
        started.start();
    }

    private void wake() {
        OutboxRelay started = relay;
        if (started != null) {
            started.wake();
        }
    }

    /** Stops publishing, and closes the connections to the database. */
    @Override
    public void close() {
        OutboxRelay started = relay;
        if (started != null) {
            started.close();
        }
        database.close();
    }
}
