package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.realtime.spi.Handshake;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** Whatever bytes ask for an upgrade: a refusal, or a request that is all it must be; and an answer of our own words. */
class UpgradeRequestFuzzTest {
    private static final InetSocketAddress REMOTE = new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
    private static final Pattern ACCEPTED = answer(
            "HTTP/1\\.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: [A-Za-z0-9+/]{27}=",
            "Sec-WebSocket-Protocol: realtime\\.v1");
    private static final Pattern REFUSED =
            answer("HTTP/1\\.1 400 [\\x20-\\x7E]*", "Connection: close", "Content-Length: 0");

    private static Pattern answer(String... lines) {
        return Pattern.compile(String.join("\r\n", lines) + "\r\n\r\n");
    }

    @FuzzTest
    void anyHeadIsRefusedOrAsksForTheUpgradeRightly(byte[] head) {
        UpgradeRequest request;
        try {
            request = UpgradeRequest.parse(ByteBuffer.wrap(head));
        } catch (UpgradeRequest.Refused refused) {
            assertTrue(Set.of(400, 405, 426, 431, 505).contains(refused.status()), refused.reason());
            assertTrue(refused.reason().matches("[A-Za-z ]+"), refused.reason());
            assertAnswers(REFUSED, UpgradeRequest.refusal(400, new String(head, StandardCharsets.UTF_8)));
            return;
        }
        assertAnswers(ACCEPTED, request.accept("realtime.v1"));
        Handshake handshake = request.handshake(REMOTE);
        assertTrue(handshake.path().startsWith("/") && handshake.path().indexOf('?') < 0, handshake.path());
        assertTrue(hasNoControl(handshake.path()), handshake.path());
        assertTrue(hasNoControl(handshake.query()), handshake.query());
        for (Map.Entry<String, String> header : handshake.headers().entrySet()) {
            assertTrue(header.getKey().matches("[!#$%&'*+.^_`|~0-9A-Za-z-]+"), header::toString);
            assertTrue(hasNoControl(header.getValue()), header::toString);
        }
        assertTrue(listed(handshake, "Upgrade").contains("websocket"));
        assertTrue(listed(handshake, "Connection").contains("upgrade"));
        assertEquals("13", handshake.header("Sec-WebSocket-Version"));
        assertEquals(16, Base64.getDecoder().decode(handshake.header("Sec-WebSocket-Key")).length);
        assertEquals(1, count(head, "Host"));
        for (String name : handshake.subprotocols()) {
            assertTrue(!name.isEmpty() && name.indexOf(',') < 0 && name.trim().equals(name), name);
        }
    }

    private static void assertAnswers(Pattern expected, ByteBuffer answer) {
        String text = StandardCharsets.ISO_8859_1.decode(answer).toString();
        assertTrue(expected.matcher(text).matches(), text);
    }

    private static boolean hasNoControl(String text) {
        return text.chars().noneMatch(c -> (c < ' ' && c != '\t') || c == 0x7F);
    }

    private static List<String> listed(Handshake handshake, String name) {
        String value = handshake.header(name);
        assertNotNull(value, name);
        return Pattern.compile(",")
                .splitAsStream(value)
                .map(item -> item.trim().toLowerCase(Locale.ROOT))
                .toList();
    }

    /** How many headers of the head have this name. */
    private static long count(byte[] head, String name) {
        return new String(head, StandardCharsets.ISO_8859_1)
                .split("\r\n\r\n", 2)[0]
                .lines()
                .skip(1)
                .filter(line -> line.toLowerCase(Locale.ROOT).startsWith(name.toLowerCase(Locale.ROOT) + ":"))
                .count();
    }
}
