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
    void userThatWouldForgeALogLineIsRefusedWithoutShowingIt(String user) {
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
    void endThatNobodyLivesToSeeIsNone(String end) {
        Authentication endless = new Authentication("ann", Map.of(), Instant.parse(end));
        assertNull(endless.expiresAt());
        try (TestServer test =
                new TestServer(credentials -> CompletableFuture.completedFuture(endless), builder -> builder)) {
            JsonObject welcome = test.connect("", "/ws").data("$welcome");
            assertFalse(welcome.has("expiresAt"), welcome.toString());
        }
    }

    @Test
    void endBeforeAllTimeIsOneThatHasPassed() {
        Authentication ended = new Authentication("ann", Map.of(), Instant.MIN);
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
        IllegalArgumentException refusal =
                assertThrows(IllegalArgumentException.class, () -> new Authentication("ann", attributes, null));
        assertEquals("attribute 'tenant' is null: leave it out", refusal.getMessage());
    }

    @Test
    void attributesStayOutOfItsText() {
        Authentication proof = new Authentication("ann", Map.of("upstream", "token-of-another-service"), null);
        assertEquals("Authentication{user=ann, expiresAt=null}", proof.toString());
    }
}
