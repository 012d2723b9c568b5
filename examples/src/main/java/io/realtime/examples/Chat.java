package io.realtime.examples;

import com.google.gson.JsonElement;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.StreamRequest;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The contract of the demos, shared by their server, the Java client and, in JSON, the page. */
interface Chat {
    /** The maximum length of one text. */
    int MAX_TEXT = 4000;

    /** A text that a person sends to a room. The chat stores it once for each id; without one, whenever it arrives. */
    record Say(String text, @Nullable String id) {
        public Say {
            requireText(text);
        }
    }

    /** A text that was sent, with its sender. */
    record Said(String user, String text) {}

    /** Whether the sender is typing. */
    record Typing(Boolean on) {
        public Typing {
            // An absent boolean would read as false.
            Objects.requireNonNull(on, "on is required");
        }
    }

    /** Whether another user is typing. */
    record SomebodyTyping(String user, boolean on) {}

    /** A text for one user. */
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

    /** The identity of the user that asks. */
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

    /** Makes the server send the requester {@link #CONFIRM}. The reply is what the requester replied to that. */
    Request<JsonElement, JsonElement> ASK = Request.of("ask", JsonElement.class, JsonElement.class);

    /** A request from the server to a client. */
    Request<JsonElement, JsonElement> CONFIRM = Request.of("confirm", JsonElement.class, JsonElement.class);

    StreamRequest<Count, Integer> COUNT = StreamRequest.of("count", Count.class, Integer.class);

    private static void require(String value, String name) {
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException(name + " is required");
        }
    }

    private static void requireWithin(Integer value, int max, String name) {
        // An absent number would read as 0.
        Objects.requireNonNull(value, name + " is required");
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
