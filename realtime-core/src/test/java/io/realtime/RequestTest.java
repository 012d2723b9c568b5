package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class RequestTest {
    record Page(List<String> lines) {}

    @Test
    void bothTypesAreKept() {
        Request<String, Page> request = Request.of("chat.history", String.class, Page.class);
        assertEquals("chat.history", request.name());
        assertEquals(String.class, request.type());
        assertEquals(Page.class, request.replyType());
    }

    @Test
    void genericTypesOfBothSidesAreKept() {
        var lists = new TypeRef<List<Page>>() {};
        assertEquals(lists.type(), Request.of("pages", String.class, lists).replyType());
        Request<List<Page>, List<Page>> both = Request.of("pages", lists, lists);
        assertEquals(lists.type(), both.type());
        assertEquals(lists.type(), both.replyType());
    }

    @Test
    void requestsAreEqualByNameAndBothTypes() {
        var request = Request.of("a", String.class, Page.class);
        assertEquals(Request.of("a", String.class, Page.class), request);
        assertEquals(Request.of("a", String.class, Page.class).hashCode(), request.hashCode());
        assertNotEquals(Request.of("b", String.class, Page.class), request);
        assertNotEquals(Request.of("a", Integer.class, Page.class), request);
        assertNotEquals(Request.of("a", String.class, Void.class), request);
    }

    @Test
    void namesFollowTheRulesOfEvents() {
        assertThrows(IllegalArgumentException.class, () -> Request.of("$join", String.class, Page.class));
        assertThrows(IllegalArgumentException.class, () -> Request.of("", String.class, Page.class));
        assertThrows(IllegalArgumentException.class, () -> Request.of("x".repeat(129), String.class, Page.class));
    }

    @Test
    void bytesAreRefused() {
        var asked = assertThrows(IllegalArgumentException.class, () -> Request.of("a", byte[].class, Page.class));
        assertEquals("request 'a' is of bytes, which only an event may be", asked.getMessage());
        var replied = assertThrows(IllegalArgumentException.class, () -> Request.of("a", Page.class, ByteBuffer.class));
        assertEquals("request 'a' is of bytes, which only an event may be", replied.getMessage());
    }
}
