package io.realtime.examples;

import com.google.gson.JsonElement;
import io.realtime.Event;
import io.realtime.Request;
import java.util.Map;
import java.util.Objects;

/** The contract of the playground and the chat, shared by their server and the console. */
interface Playground {
    /** The longest text that is said at once. */
    int MAX_TEXT = 4000;

    /** The longest time that {@link #SLOW} takes, in ms. */
    int MAX_SLOW = 60_000;

    /** Says something in the room that the message names. */
    Event<Say> SAY = Event.of("say", Say.class);
    /** Something was said: in a room, to a user, or to everyone. */
    Event<Said> SAID = Event.of("said", Said.class);
    /** A member begins or ends to type in the room that the message names. */
    Event<Typing> TYPING = Event.ephemeral("typing", Typing.class);
    /** Who types: what the other members get. The same name on the wire; only ever sent by the server. */
    Event<UserTyping> USER_TYPING = Event.ephemeral("typing", UserTyping.class);
    /** Says something to one user, wherever that user is connected. */
    Event<Direct> DIRECT = Event.of("direct", Direct.class);
    /** Says something to everyone. */
    Event<Say> SHOUT = Event.of("shout", Say.class);
    /** Fails, to show what a sender is told of a handler that throws. */
    Event<JsonElement> FAIL = Event.of("fail", JsonElement.class);

    /** Answers with the question: JSON as it came. */
    Request<JsonElement, JsonElement> ECHO = Request.of("echo", JsonElement.class, JsonElement.class);
    /** Answers who asks. */
    Request<JsonElement, Identity> WHOAMI = Request.of("whoami", JsonElement.class, Identity.class);
    /** Answers after a while, and holds up nobody meanwhile. */
    Request<Slow, Slow> SLOW = Request.of("slow", Slow.class, Slow.class);

    /** A text to say. */
    record Say(String text) {
        Say {
            requireText(text);
        }
    }

    /** A text that a user said. */
    record Said(String user, String text) {}

    /** Whether the sender types. */
    record Typing(Boolean on) {
        Typing {
            Objects.requireNonNull(on, "on is required");
        }
    }

    /** Whether a user types. */
    record UserTyping(String user, boolean on) {}

    /** A text for one user. */
    record Direct(String to, String text) {
        Direct {
            if (to == null || to.isBlank()) {
                throw new IllegalArgumentException("to is required");
            }
            requireText(text);
        }
    }

    /** How long to take. */
    record Slow(Integer ms) {
        Slow {
            Objects.requireNonNull(ms, "ms is required");
            if (ms < 0 || ms > MAX_SLOW) {
                throw new IllegalArgumentException("ms " + ms + " is not 0 to " + MAX_SLOW);
            }
        }
    }

    /** Who a session is. */
    record Identity(String user, Map<String, Object> attributes) {}

    private static void requireText(String text) {
        if (text == null || text.isBlank()) {
            throw new IllegalArgumentException("text is required");
        }
        if (text.length() > MAX_TEXT) {
            throw new IllegalArgumentException("text is longer than " + MAX_TEXT + " characters");
        }
    }
}
