import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WithoutJavaWebSocketTest {
    private static final Event<String> ECHO = Event.of("echo", String.class);

    private static RealtimeServer.Builder builder() {
        return RealtimeServer.builder().host("localhost").port(0).anonymous();
    }

    @Test
    void serverOnNettyNeedsNoJavaWebSocket() {
        CompletableFuture<String> echoed = new CompletableFuture<>();
        WebSocket.Listener listener = new WebSocket.Listener() {
            private final StringBuilder text = new StringBuilder();

            @Override
            public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
                text.append(part);
                if (isLast) {
                    if (text.indexOf("\"echo\"") >= 0) {
                        echoed.complete(text.toString());
                    }
                    text.setLength(0);
                }
                socket.request(1);
                return null;
            }
        };
        try (RealtimeServer server = builder()
                .on(ECHO, (session, message) -> session.send(ECHO, message.data() + "!"))
                .build()
                .start()) {
            assertTrue(server.toString().contains("transport netty"), server::toString);
            WebSocket peer = HttpClient.newHttpClient()
                    .newWebSocketBuilder()
                    .buildAsync(URI.create("ws://localhost:" + server.port() + "/ws"), listener)
                    .join();
            peer.sendText("{\"type\":\"echo\",\"data\":\"hello\"}", true).join();
            assertTrue(echoed.join().contains("\"hello!\""), echoed::join);
            peer.abort();
        }
    }

    @Test
    void embeddedTransportWithoutItsLibraryNamesIt() {
        RealtimeServer.Builder embedded = builder().transport("java-websocket");
        assertNames(assertThrows(IllegalStateException.class, embedded::build));
    }

    @Test
    void clientWithoutItsLibraryNamesIt() {
        RealtimeClient.Builder client = RealtimeClient.builder(URI.create("ws://localhost:1/ws"));
        assertNames(assertThrows(IllegalStateException.class, client::build));
    }

    private static void assertNames(IllegalStateException refused) {
        assertEquals(NoClassDefFoundError.class, refused.getCause().getClass());
        assertTrue(refused.getMessage().contains("org.java-websocket:Java-WebSocket"), refused::getMessage);
    }
}
