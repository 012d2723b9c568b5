package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.server.websocket.UpgradeRequest.Refused;
import io.realtime.spi.Handshake;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What of a request's head the contract of transports does not look at, because no socket is needed for it. */
class UpgradeRequestTest {
    private static UpgradeRequest parse(String requestLine, String moreHeaders) throws Refused {
        String head = requestLine + "\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + moreHeaders + "\r\n";
        return UpgradeRequest.parse(ByteBuffer.wrap(head.getBytes(StandardCharsets.ISO_8859_1)));
    }

    @Test
    void pathQueryAndRepeatedHeadersAreRead() throws Refused {
        Handshake handshake = parse("GET /a%20b?token=x?y HTTP/1.1", "X: 1\r\nx: 2\r\n")
                .handshake(new InetSocketAddress(InetAddress.getLoopbackAddress(), 1));
        assertEquals("/a%20b", handshake.path());
        assertEquals("token=x?y", handshake.query());
        assertEquals("1, 2", handshake.header("X"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"GET /a\nb HTTP/1.1", "GET /?a\rb HTTP/1.1", "GET /\u0000 HTTP/1.1", "GET /\u007F HTTP/1.1"})
    void targetThatWouldBreakALineOfALogIsRefused(String requestLine) {
        assertEquals(
                400, assertThrows(Refused.class, () -> parse(requestLine, "")).status());
    }

    /** RFC 9112 section 3.2: else a proxy may have looked at the one, and the rule for origins at the other. */
    @Test
    void twoHostsAreRefused() {
        Refused refused = assertThrows(Refused.class, () -> parse("GET / HTTP/1.1", "host: example.com\r\n"));
        assertEquals(400, refused.status());
    }

    @Test
    void moreThan64HeadersAreRefused() throws Refused {
        StringBuilder most = new StringBuilder();
        for (int i = 0; i < 59; i++) { // and five of every request
            most.append(i % 2 == 0 ? "X: " : "X-" + i + ": ").append(i).append("\r\n");
        }
        parse("GET / HTTP/1.1", most.toString());
        Refused refused = assertThrows(Refused.class, () -> parse("GET / HTTP/1.1", most + "x: 1\r\n"));
        assertEquals(431, refused.status());
    }
}
