package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EventTest {
    record Foo(int x) {}

    @ParameterizedTest
    @ValueSource(strings = {"a", "chat.say", "A-Z_0:9/b.c", "9"})
    void namesOfTheAllowedCharactersAreTaken(String name) {
        assertEquals(name, Event.of(name, Foo.class).name());
    }

    @Test
    void nameMayHave128CharactersAndNoMore() {
        String longest = "x".repeat(128);
        assertEquals(longest, Event.of(longest, Foo.class).name());

        var refused = assertThrows(IllegalArgumentException.class, () -> Event.of(longest + "x", Foo.class));
        assertEquals("name '" + "x".repeat(61) + "...' is not 1 to 128 of A-Z a-z 0-9 _ . : / -", refused.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a b", "a\n", "é", "a\"", "a\\", "a,b", "a$", "@all", "\uD83D\uDE00"})
    void otherNamesAreRefused(String name) {
        var refused = assertThrows(IllegalArgumentException.class, () -> Event.of(name, Foo.class));
        assertEquals(
                "name '" + name.replace('\n', '?') + "' is not 1 to 128 of A-Z a-z 0-9 _ . : / -",
                refused.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"$", "$join", "$mine"})
    void namesOfTheProtocolAreRefused(String name) {
        var refused = assertThrows(IllegalArgumentException.class, () -> Event.ephemeral(name, Foo.class));
        assertEquals("'" + name + "': names that begin with $ belong to the protocol", refused.getMessage());
    }

    @Test
    void genericPayloadKeepsItsTypeArgument() {
        Event<List<Foo>> event = Event.of("foos", new TypeRef<List<Foo>>() {});
        assertEquals(new TypeRef<List<Foo>>() {}.type(), event.type());
        assertEquals("java.util.List<io.realtime.EventTest$Foo>", event.type().getTypeName());
        assertNotEquals(Event.of("foos", new TypeRef<List<String>>() {}), event);
    }

    @Test
    void eventsAreEqualByNameTypeAndReliability() {
        Event<Foo> event = Event.of("foo", Foo.class);
        assertEquals(Event.of("foo", Foo.class), event);
        assertEquals(Event.of("foo", Foo.class).hashCode(), event.hashCode());
        assertEquals(Event.of("foo", new TypeRef<Foo>() {}), event);
        assertNotEquals(Event.of("bar", Foo.class), event);
        assertNotEquals(Event.of("foo", String.class), event);
        assertNotEquals(Event.ephemeral("foo", Foo.class), event);
    }

    @Test
    void onlyAnEphemeralEventIsEphemeral() {
        assertFalse(Event.of("foo", Foo.class).isEphemeral());
        assertFalse(Event.of("foo", new TypeRef<List<Foo>>() {}).isEphemeral());
        assertTrue(Event.ephemeral("foo", Foo.class).isEphemeral());
        assertTrue(Event.ephemeral("foo", new TypeRef<List<Foo>>() {}).isEphemeral());
    }

    @Test
    void itsStringNamesNameAndType() {
        assertEquals("event 'foo' of " + Foo.class, Event.of("foo", Foo.class).toString());
        assertEquals(
                "ephemeral event 'foo' of " + Foo.class,
                Event.ephemeral("foo", Foo.class).toString());
    }
}
