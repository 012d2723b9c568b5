import io.realtime.Event;

interface Chat {
    record Text(String text) {}

    record Typing() {}

    Event<Text> SAY = Event.of("chat.say", Text.class); // from a client
    Event<Text> SAID = Event.of("chat.said", Text.class); // to the room
    Event<Typing> TYPING = Event.ephemeral("chat.typing", Typing.class); // of use now or never: kept nowhere
}
