package io.realtime.server.internal.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.RealtimeServer;
import io.realtime.spi.Handshake;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OriginRuleTest {
    private final OriginRule sameHost = new OriginRule(Set.of(), false);

    @Test
    void clientWithoutOriginIsAdmitted() {
        assertTrue(allows(sameHost, null, "example.org"));
        assertTrue(allows(sameHost, null, null));
    }

    @ParameterizedTest
    @CsvSource({
        "https://example.org,example.org",
        "https://example.org,example.org:443",
        "http://example.org,example.org", // a proxy ends TLS: the server cannot know the page's scheme
        "https://example.org:8443,example.org:8080",
        "http://localhost:3000,localhost:8080",
        "https://EXAMPLE.org,example.ORG",
        "https://xn--bcher-kva.example,xn--bcher-kva.example",
        "https://my_host.example,my_host.example",
        "https://example.org.,example.org.",
        "http://127.0.0.1:3000,127.0.0.1:8080",
        "http://[::1]:3000,[::1]:8080",
        "http://[::1],[::1]",
        "https://[2001:DB8::A],[2001:db8::a]:8443",
        "http://[::ffff:10.0.0.1],[::ffff:10.0.0.1]",
    })
    void pagesOfTheServersOwnHostAreAdmitted(String origin, String host) {
        assertTrue(allows(sameHost, origin, host));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null", // a sandboxed frame, a file, a data URL
                "https://evil.com",
                "https://example.org.evil.com",
                "https://evil-example.org",
                "https://evil.example.org",
                "https://org",
                "https://example.org@evil.com",
                "https://example.org:80@evil.com",
                "https://example.org:443:443",
                "https://evil.com:443@example.org",
                "https://user@example.org",
                "https://example.org/",
                "https://example.org:443/",
                "https://example.org:/evil.com",
                "https://example.org/.evil.com",
                "https://evil.com/https://example.org",
                "https://evil.com#example.org",
                "https://evil.com?://example.org",
                "https://example.org?",
                "https://example.org:",
                "https://example.org:port",
                "https://example.org:-1",
                "https://example.org:999999",
                "https://example.org.",
                "https://.example.org",
                "https://example.org\\.evil.com",
                "https://example.org%2eevil.com",
                "https://example.org%00",
                "https://example.org\t",
                " https://example.org",
                "https://example.org https://evil.com", // RFC 6454 allows a list; no browser sends one
                "https://example.org, https://evil.com", // the header came twice
                "https://evil.com, https://example.org",
                "https://evil.com, https://example.org:1",
                "https://example.org:1, https://example.org:2",
                "//example.org",
                "example.org",
                "https:example.org",
                "https:/example.org",
                "https:///example.org",
                "://example.org",
                "file://",
                "file://example.org",
                "ftp://example.org",
                "chrome-extension://example.org",
                "javascript://example.org",
                "https://[example.org]",
                "https://EXAMPLE.ORG\u212a",
                "https://example.org\u3002", // an ideographic full stop
            })
    void pageOfAnotherHostIsRefused(String origin) {
        assertFalse(allows(sameHost, origin, "example.org"));
        assertFalse(allows(sameHost, origin, "example.org:443"));
    }

    @ParameterizedTest
    @CsvSource({
        "https://\u212aelvin.example,kelvin.example", // the Kelvin sign, a k in lower case
        "https://xn--exmple-cua.org,exämple.org",
        "https://exämple.org,exämple.org", // browsers send punycode
        "https://[::1],::1",
        "https://::1,[::1]",
        "https://[::1],[::2]",
        "https://[::1]evil.com,[::1]",
        "https://[::1%eth0],[::1%eth0]",
        "https://[],[]",
    })
    void similarOriginsAreRefused(String origin, String host) {
        assertFalse(allows(sameHost, origin, host));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://,",
                "https://,:80",
                "https://:80,:80",
                "https://example.org,",
                "https://example.org,example.org:",
                "https://example.org,'example.org, example.org'", // the header came twice
                "https://example.org,example.org/",
                "https://example.org,user@example.org",
                "https://example.org,https://example.org",
            })
    void invalidHostAdmitsNoOrigin(String originAndHost) {
        int comma = originAndHost.indexOf(',');
        String host = originAndHost.substring(comma + 1).replace("'", "");
        assertFalse(allows(sameHost, originAndHost.substring(0, comma), host));
    }

    @Test
    void withoutAHostOnlyTheAllowedPagesAreAdmitted() {
        assertFalse(allows(sameHost, "https://example.org", null));
        assertTrue(allows(allowing("https://example.org"), "https://example.org", null));
    }

    @ParameterizedTest
    @CsvSource({
        "https://app.example,https://app.example,true",
        "https://app.example,HTTPS://App.Example,true",
        "https://app.example:443,https://app.example,true",
        "http://app.example:80,http://app.example,true",
        "https://app.example,http://app.example,false",
        "https://app.example,https://app.example:8443,false",
        "https://app.example:8443,https://app.example:8443,true",
        "https://app.example:8443,https://app.example,false",
        "https://app.example,https://sub.app.example,false",
        "https://app.example,https://app.example.evil.com,false",
        "https://app.example,https://app.example/,false",
        "https://app.example,'https://app.example, https://app.example',false",
        "https://app.example,null,false",
        "http://[::1]:3000,http://[::1]:3000,true",
        "capacitor://localhost,capacitor://localhost,true",
        "capacitor://localhost,http://localhost,false",
        "file://,file://,true",
        "file://,null,false",
    })
    void pagesThatApplicationAllowsAreAdmittedByTheirWholeOrigin(String allowed, String origin, boolean accepted) {
        assertEquals(accepted, allows(allowing(allowed), origin, "server.example"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "*",
                "app.example",
                "//app.example",
                "https://*.app.example",
                "https://app.example/",
                "https://app.example/chat",
                "https://user@app.example",
                "https://bücher.example",
                "https://a.example, https://b.example",
                "https://app.example:port",
                "://app.example",
            })
    void originThatNoBrowserSendsIsRefusedInConfiguration(String origin) {
        RealtimeServer.Builder builder = RealtimeServer.builder();
        IllegalArgumentException refusal =
                assertThrows(IllegalArgumentException.class, () -> builder.allowOrigin(origin));
        assertTrue(String.valueOf(refusal.getMessage()).contains("'" + origin + "'"), refusal.getMessage());
    }

    @Test
    void everyPageIsAdmittedWhereAnyIsAllowed() {
        OriginRule any = new OriginRule(Set.of(), true);
        for (String origin : new String[] {"https://evil.com", "null", "", "x, y"}) {
            assertTrue(allows(any, origin, "example.org"));
        }
    }

    /** By way of the builder, as an application does. */
    private static OriginRule allowing(String origin) {
        RealtimeServer.builder().allowOrigin(origin);
        return new OriginRule(Set.of(String.valueOf(OriginRule.canonical(origin))), false);
    }

    private static boolean allows(OriginRule rule, @Nullable String origin, @Nullable String host) {
        Map<String, String> headers = new TreeMap<>();
        if (origin != null) {
            headers.put("Origin", origin);
        }
        if (host != null) {
            headers.put("Host", host);
        }
        return rule.allows(new Handshake("/ws", "", headers, InetSocketAddress.createUnresolved("h", 1)));
    }
}
