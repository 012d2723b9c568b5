package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonObject;
import io.realtime.server.internal.TestServer;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AuthenticationTest {
    @ParameterizedTest
    @ValueSource(strings = {"", "ann\nERROR forged", "\u001b[2J", "\u0085", "\u2029", "\udc00ann"})
    void userThatWouldForgeLogLineIsRefusedWithoutShowingIt(String user) {
        IllegalArgumentException refusal = assertThrows(IllegalArgumentException.class, () -> Authentication.of(user));
        assertFalse(String.valueOf(refusal.getMessage()).contains("ann"), refusal.getMessage());
    }

    @Test
    void userHasAtMost255Characters() {
        assertEquals(255, Authentication.of("x".repeat(255)).user().length());
        assertThrows(IllegalArgumentException.class, () -> Authentication.of("x".repeat(256)));
    }

    @Test
    void userMayBeWrittenInAnyScript() {
        for (String user : new String[] {"ann@example.org", "CN=Ann, O=Shop", "Ann Ö", "安", "😀"}) {
            assertEquals(user, Authentication.of(user).user());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"+1000000000-12-31T23:59:59.999999999Z", "+10000-01-01T00:00:00Z"})
    void expiryBeyondTheCalendarIsNone(String end) {
        Authentication endless = Authentication.of("ann").withExpiry(Instant.parse(end));
        assertNull(endless.expiresAt());
        try (TestServer test =
                new TestServer(credentials -> CompletableFuture.completedFuture(endless), builder -> builder)) {
            JsonObject welcome = test.connect("", "/ws").data("$welcome");
            assertFalse(welcome.has("expiresAt"), welcome.toString());
        }
    }

    @Test
    void expiryBeforeTheCalendarHasPassed() {
        Authentication ended = Authentication.of("ann").withExpiry(Instant.MIN);
        assertEquals(Instant.EPOCH, ended.expiresAt());
        try (TestServer test =
                new TestServer(credentials -> CompletableFuture.completedFuture(ended), builder -> builder)) {
            assertEquals(4300, test.connect("", "/ws").closeCode());
        }
    }

    @Test
    void attributeWithoutAValueIsRefused() {
        Map<String, Object> attributes = new HashMap<>();
        attributes.put("tenant", null);
        IllegalArgumentException refusal = assertThrows(
                IllegalArgumentException.class, () -> new Authentication("ann", attributes, Map.of(), null));
        assertEquals("attribute 'tenant' is null: leave it out", refusal.getMessage());
    }

    @Test
    void copiesAddAttributesTagsAndAnEnd() {
        Authentication plain = Authentication.of("ann");
        Instant end = Instant.ofEpochSecond(1);
        assertEquals(
                new Authentication("ann", Map.of("tenant", 7), Map.of("role", "editor", "team", "a"), end),
                plain.withAttribute("tenant", 7)
                        .withTag("role", "guest")
                        .withTag("team", "a")
                        .withTag("role", "editor")
                        .withExpiry(end));
        assertEquals(new Authentication("ann", Map.of(), Map.of(), null), plain);
    }

    @Test
    void tagThatNoSessionCanHaveIsRefused() {
        Map<String, String> many = new HashMap<>();
        for (int i = 0; i < 17; i++) {
            many.put("tag" + i, "v");
        }
        assertThrows(IllegalArgumentException.class, () -> new Authentication("ann", Map.of(), many, null));
        assertThrows(
                IllegalArgumentException.class, () -> Authentication.of("ann").withTag("role", "a\nb"));
        Map<String, String> withNull = new HashMap<>();
        withNull.put("role", null);
        IllegalArgumentException refusal =
                assertThrows(IllegalArgumentException.class, () -> new Authentication("ann", Map.of(), withNull, null));
        assertEquals("tag 'role' is null: leave it out", refusal.getMessage());
    }

    @Test
    void attributesStayOutOfItsText() {
        Authentication proof = Authentication.of("ann").withAttribute("upstream", "token-of-another-service");
        assertEquals("Authentication{user=ann, expiresAt=null}", proof.toString());
    }
}
