import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Request;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.JwtAuthenticator;
import io.realtime.server.RealtimeServer;
import java.net.URI;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WithoutJavaJwtTest {
    private static final Request<String, String> WHO = Request.of("who", String.class, String.class);

    @Test
    void authenticatorOfTheApplicationNeedsNoJavaJwt() {
        try (RealtimeServer server = RealtimeServer.builder()
                        .host("localhost")
                        .port(0)
                        .authenticator(peer -> CompletableFuture.completedFuture(
                                Authentication.of("user of " + peer.token())))
                        .onRequest(WHO, (session, greeting) -> greeting + ", " + session.user().id())
                        .build()
                        .start();
                RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                        .token(() -> CompletableFuture.completedFuture("t1"))
                        .build()) {
            client.connect().join();
            assertEquals("hello, user of t1", client.request(WHO, "hello").join());
        }
    }

    @Test
    void jwtAuthenticatorWithoutJavaJwtNamesTheLibrary() {
        IllegalStateException refused =
                assertThrows(IllegalStateException.class, () -> JwtAuthenticator.hmac256("x".repeat(32)));
        assertTrue(refused.getMessage().contains("com.auth0:java-jwt"), refused::getMessage);
    }
}
