package chat;

import io.realtime.Event;

/** What server and clients say to each other. */
public interface Chat {
    record Text(String text) {}

    Event<Text> SAY = Event.of("chat.say", Text.class); // from a client
    Event<Text> SAID = Event.of("chat.said", Text.class); // to the room
}
