package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class StreamRequestTest {
    record Line(String text) {}

    @Test
    void bothTypesAreKept() {
        StreamRequest<String, Line> request = StreamRequest.of("script.generate", String.class, Line.class);
        assertEquals("script.generate", request.name());
        assertEquals(String.class, request.type());
        assertEquals(Line.class, request.itemType());
    }

    @Test
    void genericTypesOfBothSidesAreKept() {
        var lists = new TypeRef<List<Line>>() {};
        assertEquals(lists.type(), StreamRequest.of("a", String.class, lists).itemType());
        StreamRequest<List<Line>, List<Line>> both = StreamRequest.of("a", lists, lists);
        assertEquals(lists.type(), both.type());
        assertEquals(lists.type(), both.itemType());
    }

    @Test
    void streamRequestsAreEqualByNameAndBothTypes() {
        var request = StreamRequest.of("a", String.class, Line.class);
        assertEquals(StreamRequest.of("a", String.class, Line.class), request);
        assertEquals(StreamRequest.of("a", String.class, Line.class).hashCode(), request.hashCode());
        assertNotEquals(StreamRequest.of("b", String.class, Line.class), request);
        assertNotEquals(StreamRequest.of("a", Integer.class, Line.class), request);
        assertNotEquals(StreamRequest.of("a", String.class, String.class), request);
        assertNotEquals((Object) Request.of("a", String.class, Line.class), request);
    }

    @Test
    void namesFollowTheRulesOfEvents() {
        assertThrows(IllegalArgumentException.class, () -> StreamRequest.of("$next", String.class, Line.class));
        assertThrows(IllegalArgumentException.class, () -> StreamRequest.of("", String.class, Line.class));
        assertThrows(IllegalArgumentException.class, () -> StreamRequest.of("x".repeat(129), String.class, Line.class));
    }

    @Test
    void bytesAreRefused() {
        var asked = assertThrows(IllegalArgumentException.class, () -> StreamRequest.of("a", byte[].class, Line.class));
        assertEquals("stream 'a' is of bytes, which only an event may be", asked.getMessage());
        assertThrows(IllegalArgumentException.class, () -> StreamRequest.of("a", Line.class, ByteBuffer.class));
    }

    @Test
    void itsStringNamesNameAndTypes() {
        assertEquals(
                "request 'a' of class java.lang.String for a stream of " + Line.class,
                StreamRequest.of("a", String.class, Line.class).toString());
    }
}
