package io.realtime.server.internal.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.realtime.spi.Handshake;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Whatever stands in Origin and Host: another parser of addresses agrees that the page is of the host. */
class OriginRuleFuzzTest {
    private static final InetSocketAddress REMOTE = new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
    private final OriginRule sameHost = new OriginRule(Set.of(), false);

    /** @param input the origin, and on the next line the host */
    @FuzzTest
    void onlyPagesOfTheHostAreLetIn(byte[] input) {
        String[] lines = new String(input, StandardCharsets.ISO_8859_1).split("\n", 2);
        String origin = lines[0];
        String host = lines.length == 1 ? "" : lines[1];
        String canonical = OriginRule.canonical(origin);
        if (canonical != null) {
            assertEquals(canonical, OriginRule.canonical(canonical));
        }
        if (!sameHost.allows(new Handshake("/ws", "", Map.of("Origin", origin, "Host", host), REMOTE))) {
            return;
        }
        if (host.startsWith("[")) { // the rule lets pass more than an address in IPv6; the same stands in both
            assertTrue(
                    origin.toLowerCase(Locale.ROOT)
                            .contains("://" + host.toLowerCase(Locale.ROOT).replaceFirst("].*", "]")),
                    origin);
            return;
        }
        URI page = URI.create(origin);
        assertTrue(Set.of("http", "https").contains(page.getScheme().toLowerCase(Locale.ROOT)), origin);
        assertEquals(page.getScheme() + "://" + page.getRawAuthority(), origin); // no path, query or fragment
        assertEquals(withoutPort(URI.create("http://" + host)), withoutPort(page));
    }

    private static String withoutPort(URI address) {
        String host = address.getHost();
        return (host == null ? address.getRawAuthority().replaceFirst(":[0-9]+$", "") : host).toLowerCase(Locale.ROOT);
    }
}
