package io.realtime.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.InetSocketAddress;
import java.net.URI;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HandshakeTest {
    private static Handshake with(Map<String, String> headers) {
        return new Handshake("/ws", "token=secret", headers, InetSocketAddress.createUnresolved("peer", 1));
    }

    @Test
    void subprotocolsComeInTheOrderOffered() {
        var handshake = with(Map.of("Sec-WebSocket-Protocol", " realtime.v1 ,graphql-ws,, chat\t"));
        assertEquals(List.of("realtime.v1", "graphql-ws", "chat"), handshake.subprotocols());
    }

    @Test
    void withoutTheHeaderNoneIsOffered() {
        assertEquals(List.of(), with(Map.of()).subprotocols());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", ",", " , ,"})
    void emptyHeaderOffersNone(String header) {
        assertEquals(List.of(), with(Map.of("Sec-WebSocket-Protocol", header)).subprotocols());
    }

    @ParameterizedTest
    @ValueSource(strings = {"sec-websocket-protocol", "SEC-WEBSOCKET-PROTOCOL", "Sec-Websocket-Protocol"})
    void headersAreFoundWhateverTheirCase(String name) {
        var handshake = with(Map.of(name, "realtime.v1"));
        assertEquals(List.of("realtime.v1"), handshake.subprotocols());
        assertEquals("realtime.v1", handshake.header("sEC-wEBSOCKET-pROTOCOL"));
        assertEquals("realtime.v1", handshake.headers().get("sec-WebSocket-protocol"));
        assertNull(handshake.header("Origin"));
    }

    @Test
    void headersAreCopiedAndFrozen() {
        var headers = new HashMap<>(Map.of("Origin", "https://a"));
        var handshake = with(headers);
        headers.put("Origin", "https://b");
        assertEquals("https://a", handshake.header("origin"));
        assertThrows(
                UnsupportedOperationException.class, () -> handshake.headers().put("X", "y"));
    }

    @Test
    void headersAreSortedByNameWhateverTheirCase() {
        var headers = new HashMap<String, String>();
        for (int i = 0; i < 26; i++) {
            headers.put("" + (char) ((i % 2 == 0 ? 'a' : 'A') + i), "value " + i);
            Map<String, String> kept = with(headers).headers();
            assertEquals(headers, kept);
            assertEquals(i + 1, kept.size());
            for (int k = -1; k <= 26; k++) {
                String name = "" + (char) ('A' + k);
                assertEquals(k < 0 || k > i ? null : "value " + k, kept.get(name), name);
                assertEquals(k >= 0 && k <= i, kept.containsKey(name), name);
            }
        }
        String sorted = String.join("", with(headers).headers().keySet());
        assertEquals("aBcDeFgHiJkLmNoPqRsTuVwXyZ", sorted);
    }

    @Test
    void itsStringHoldsNoSecret() {
        String text = with(Map.of("Authorization", "Bearer secret")).toString();
        assertFalse(text.contains("secret"), text);
        var target = new ClientTransport.Target(
                URI.create("ws://host:1/ws?token=secret"), Map.of("Authorization", "Bearer secret"), "p", 1, 1);
        assertEquals("ws://host:1/ws", target.toString());
    }
}
