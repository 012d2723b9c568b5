package io.realtime.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.URI;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TargetTest {
    private static ClientTransport.Target target(String address) {
        return new ClientTransport.Target(URI.create(address), Map.of(), "", 1, 1);
    }

    @ParameterizedTest
    @CsvSource({
        "ws://host/ws, host, 80, host",
        "wss://host/ws, host, 443, host",
        "ws://host:443, host, 443, host:443",
        "wss://host:80, host, 80, host:80",
        "WSS://Host:443/, Host, 443, Host",
        "ws://host:/ws, host, 80, host",
        "ws://my_service:8080/ws, my_service, 8080, my_service:8080",
        "ws://my_service, my_service, 80, my_service",
        "ws://a-b.c_d.example.:65535, a-b.c_d.example., 65535, a-b.c_d.example.:65535",
        "ws://192.0.2.1:1, 192.0.2.1, 1, 192.0.2.1:1",
        "ws://[2001:db8::1]/ws, 2001:db8::1, 80, [2001:db8::1]",
        "ws://[2001:db8::1]:8080/ws, 2001:db8::1, 8080, [2001:db8::1]:8080",
        "ws://[::ffff:192.0.2.1]:8080, ::ffff:192.0.2.1, 8080, [::ffff:192.0.2.1]:8080"
    })
    void addressNamesHostAndPort(String address, String host, int port, String header) {
        ClientTransport.Target target = target(address);
        assertEquals(host, target.host());
        assertEquals(port, target.port());
        assertEquals(header, target.hostHeader());
    }

    @ParameterizedTest
    @ValueSource(strings = {"ws:///ws", "ws:x", "/ws", "ws://:80/ws", "ws://h:65536", "ws://h:999999", "ws://a,b/"})
    void addressWithoutHostOrPortIsRefused(String address) {
        assertThrows(IllegalArgumentException.class, () -> target(address));
    }

    @Test
    void nameHoldsNoSecret() {
        assertEquals(
                "ws://my_host:1/ws",
                target("ws://u:geheim@my_host:1/ws?token=geheim").toString());
    }
}
