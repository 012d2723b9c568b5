package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NamesTest {
    @ParameterizedTest
    @ValueSource(strings = {"chat:42", "Ünïcode", "a b", "x@y", "$room", "\"", "\uD83D\uDE00"})
    void roomMayHaveAnyText(String room) {
        assertNull(Names.roomFault(room));
        assertEquals(room, Names.requireRoom(room));
    }

    @Test
    void roomHas256BytesAtMost() {
        assertNull(Names.roomFault("x".repeat(256)));
        assertNull(Names.roomFault("é".repeat(128)));
        assertEquals("room '" + "x".repeat(61) + "...' is longer than 256 bytes", Names.roomFault("x".repeat(257)));
        assertEquals(
                "room 'x" + "é".repeat(60) + "...' is longer than 256 bytes", Names.roomFault("x" + "é".repeat(128)));
    }

    @Test
    void otherRoomsAreRefusedWithWhy() {
        assertEquals("room is empty", Names.roomFault(""));
        assertEquals(
                "room 'a?INFO b' holds a control character or half a surrogate pair", Names.roomFault("a\nINFO b"));
        assertEquals("room '?' holds a control character or half a surrogate pair", Names.roomFault("\u2028"));
        assertEquals("room '@all': names that begin with @ belong to the protocol", Names.roomFault("@all"));
        var refused = assertThrows(IllegalArgumentException.class, () -> Names.requireRoom("@user"));
        assertEquals("room '@user': names that begin with @ belong to the protocol", refused.getMessage());
    }

    @Test
    void roomThatNoFrameCanCarryIsRefused() {
        assertEquals("room 'a\uD83D' holds a control character or half a surrogate pair", Names.roomFault("a\uD83D"));
        assertEquals(
                "room '\uDE00\uD83D' holds a control character or half a surrogate pair",
                Names.roomFault("\uDE00\uD83D"));
    }

    @Test
    void typeMayBelongToTheProtocol() {
        assertTrue(Names.isType("$join"));
        assertTrue(Names.isType("chat.say"));
        assertTrue(Names.isType("$" + "x".repeat(127)));
        assertFalse(Names.isType("$" + "x".repeat(128)));
        assertFalse(Names.isType("$"));
        assertFalse(Names.isType("$$a"));
        assertFalse(Names.isType("a$"));
        assertFalse(Names.isType(""));
    }

    @Test
    void longTextIsCutForPeople() {
        assertEquals(
                "x".repeat(60) + "...",
                Names.abbreviate("x".repeat(60) + "\uD83D\uDE00" + "x".repeat(10)),
                "a pair stays whole");
        assertEquals("x".repeat(64), Names.abbreviate("x".repeat(64)));
        assertEquals("x".repeat(61) + "...", Names.abbreviate("x".repeat(65)));
    }

    @Test
    void textForPeopleStaysOnItsLine() {
        assertEquals("a??b?[2J?c??d é", Names.abbreviate("a\r\nb\u001b[2J\u0085c\u2028\u2029d é"));
    }
}
