package io.realtime.examples.chat;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import io.realtime.Event;
import io.realtime.examples.chat.Outbox.Outgoing;
import io.realtime.server.RealtimeServer;
import java.util.Map;
import java.util.Objects;

/** Publishes to the rooms and inboxes of a server. */
final class ServerPublisher implements OutboxRelay.Publisher {
    private static final Map<String, Event<JsonElement>> EVENTS =
            Map.of("said", Event.of("said", JsonElement.class), "read", Event.of("read", JsonElement.class));

    private final RealtimeServer server;

    ServerPublisher(RealtimeServer server) {
        this.server = server;
    }

    @Override
    public void publish(Outgoing message) {
        Event<JsonElement> event = Objects.requireNonNull(EVENTS.get(message.event()), message.event());
        JsonElement data = JsonParser.parseString(message.data());
        if (message.room() != null) {
            server.connections().room(message.room()).send(event, data).join();
        } else {
            server.connections()
                    .user(Objects.requireNonNull(message.receiver()))
                    .send(event, data)
                    .join();
        }
    }
}
