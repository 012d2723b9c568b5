package io.realtime.examples;

import com.google.gson.JsonElement;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.StreamRequest;
import java.util.Map;
import java.util.Objects;

/** The contract of the demos, shared by their server, the Java client and, in JSON, the page. */
interface Chat {
    /** The longest text that is said at once. */
    int MAX_TEXT = 4000;

    /** Something a person says in a room. */
    record Say(String text) {
        public Say {
            requireText(text);
        }
    }

    /** Something that was said. */
    record Said(String user, String text) {}

    /** Whether the sender is typing. */
    record Typing(Boolean on) {
        public Typing {
            Objects.requireNonNull(on, "on is required"); // an absent boolean would read as false
        }
    }

    /** Whether somebody else is typing. */
    record SomebodyTyping(String user, boolean on) {}

    /** Something for one person. */
    record Direct(String to, String text) {
        public Direct {
            require(to, "to");
            requireText(text);
        }
    }

    /** A wait in milliseconds, at most a minute. */
    record Slow(Integer ms) {
        public Slow {
            requireWithin(ms, 60_000, "ms");
        }
    }

    /** How far to count, at most to 10,000, and how many milliseconds to wait before each number, at most a second. */
    record Count(Integer n, Integer delayMs) {
        public Count {
            requireWithin(n, 10_000, "n");
            requireWithin(delayMs, 1000, "delayMs");
        }
    }

    /** Who the asker is. */
    record WhoAmI(String user, Map<String, Object> attributes) {}

    Event<Say> SAY = Event.of("say", Say.class);
    Event<Said> SAID = Event.of("said", Said.class);
    Event<Typing> TYPING = Event.ephemeral("typing", Typing.class);
    Event<SomebodyTyping> SOMEBODY_TYPING = Event.ephemeral("typing", SomebodyTyping.class);
    Event<Direct> DIRECT = Event.of("direct", Direct.class);
    Event<Say> SHOUT = Event.of("shout", Say.class);
    Event<byte[]> BLOB = Event.of("blob", byte[].class);
    Event<JsonElement> FAIL = Event.of("fail", JsonElement.class);

    Request<JsonElement, JsonElement> ECHO = Request.of("echo", JsonElement.class, JsonElement.class);
    Request<JsonElement, WhoAmI> WHO_AM_I = Request.of("whoami", JsonElement.class, WhoAmI.class);
    Request<Slow, Slow> SLOW = Request.of("slow", Slow.class, Slow.class);

    /** Has the server ask the asker {@link #CONFIRM}, and answers what that answered. */
    Request<JsonElement, JsonElement> ASK = Request.of("ask", JsonElement.class, JsonElement.class);

    /** What the server asks a client. */
    Request<JsonElement, JsonElement> CONFIRM = Request.of("confirm", JsonElement.class, JsonElement.class);

    StreamRequest<Count, Integer> COUNT = StreamRequest.of("count", Count.class, Integer.class);

    private static void require(String value, String name) {
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException(name + " is required");
        }
    }

    private static void requireWithin(Integer value, int max, String name) {
        Objects.requireNonNull(value, name + " is required"); // an absent number would read as 0
        if (value < 0 || value > max) {
            throw new IllegalArgumentException(name + " " + value + " is not 0 to " + max);
        }
    }

    private static void requireText(String text) {
        require(text, "text");
        if (text.length() > MAX_TEXT) {
            throw new IllegalArgumentException("text is longer than " + MAX_TEXT + " characters");
        }
    }
}
