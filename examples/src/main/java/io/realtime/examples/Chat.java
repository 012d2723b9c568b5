package io.realtime.examples;

import com.google.gson.JsonElement;
import io.realtime.Event;
import io.realtime.Request;
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
            Objects.requireNonNull(ms, "ms is required");
            if (ms < 0 || ms > 60_000) {
                throw new IllegalArgumentException("ms " + ms + " is not 0 to 60000");
            }
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

    private static void require(String value, String name) {
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException(name + " is required");
        }
    }

    private static void requireText(String text) {
        require(text, "text");
        if (text.length() > MAX_TEXT) {
            throw new IllegalArgumentException("text is longer than " + MAX_TEXT + " characters");
        }
    }
}
