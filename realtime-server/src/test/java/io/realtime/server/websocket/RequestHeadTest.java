package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RequestHeadTest {
    private static final String HEAD = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    @Test
    void whatFollowsTheHeadIsLeft() {
        for (int cut = 0; cut <= HEAD.length(); cut++) {
            RequestHead head = new RequestHead(100);
            ByteBuffer first = bytes(HEAD.substring(0, cut));
            ByteBuffer rest = bytes(HEAD.substring(cut) + "frames");
            ByteBuffer whole = head.read(first);
            assertFalse(first.hasRemaining());
            if (whole == null) {
                whole = head.read(rest);
            }
            assertEquals(HEAD, text(whole), "cut at " + cut);
            assertEquals("frames", text(rest));
        }
    }

    @Test
    void headMayComeByteByByte() {
        RequestHead head = new RequestHead(HEAD.length());
        for (int i = 0; i < HEAD.length() - 1; i++) {
            assertNull(head.read(bytes(HEAD.substring(i, i + 1))));
            assertEquals(HEAD.length() - 1 - i, head.room());
        }
        assertEquals(HEAD, text(head.read(bytes("\n"))));
    }

    @Test
    void noMoreIsKeptThanTheLimit() {
        RequestHead head = new RequestHead(10);
        ByteBuffer in = bytes("x".repeat(1_000));
        assertNull(head.read(in));
        assertEquals(0, head.room());
        assertEquals(990, in.remaining());
    }

    private static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)).asReadOnlyBuffer();
    }

    private static String text(@Nullable ByteBuffer bytes) {
        assertNotNull(bytes);
        return StandardCharsets.US_ASCII.decode(bytes.duplicate()).toString();
    }
}
