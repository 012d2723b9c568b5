package io.realtime.examples.chat;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.examples.chat.Outbox.Outgoing;
import io.realtime.server.ConnectionManager;
import io.realtime.server.Room;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletionException;

/** Publishes to the rooms and inboxes of a server. */
final class ServerPublisher implements OutboxRelay.Publisher {
    private static final Map<String, Event<JsonElement>> EVENTS =
            Map.of("said", Event.of("said", JsonElement.class), "read", Event.of("read", JsonElement.class));

    private final ConnectionManager connections;

    ServerPublisher(ConnectionManager connections) {
        this.connections = connections;
    }

    @Override
    public void publish(Outgoing message) {
        Event<JsonElement> event = Objects.requireNonNull(EVENTS.get(message.event()), message.event());
        JsonElement data = JsonParser.parseString(message.data());
        Room to = message.room() != null
                ? connections.room(message.room())
                : connections.user(Objects.requireNonNull(message.receiver())).inbox();
        try {
            to.send(event, data).join();
        } catch (CompletionException failed) {
            throw failed.getCause() instanceof RealtimeException failure ? failure : failed;
        }
    }
}
