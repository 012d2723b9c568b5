package chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import io.netty.channel.Channel;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.TypeRef;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Server and client with the versions of Gson and Netty that an application manages. */
@Timeout(60)
class VersionsTest {
    enum Kind {
        PLAIN,
        LOUD
    }

    record Line(String text, Kind kind, long id, List<Integer> counts, Map<String, Boolean> flags) {}

    record Other(String text, Kind kind, String id, List<Integer> counts, Map<String, Boolean> flags) {}

    private static final Request<List<Line>, Line> FIRST = Request.of("first", new TypeRef<>() {}, new TypeRef<>() {});
    private static final Request<List<Other>, Line> WRONG = Request.of("first", new TypeRef<>() {}, new TypeRef<>() {});

    @Test
    void versionsAreThoseOfTheApplication() {
        assertIsFrom("gson-" + System.getProperty("gson.version"), Gson.class);
        assertIsFrom("netty-transport-" + System.getProperty("netty.version"), Channel.class);
        assertIsFrom("junit-jupiter-api-" + System.getProperty("junit.version"), Test.class);
    }

    private static void assertIsFrom(String jar, Class<?> type) {
        String place = type.getProtectionDomain().getCodeSource().getLocation().getPath();
        assertTrue(place.endsWith("/" + jar + ".jar"), place);
    }

    @Test
    void payloadsArriveOnNettyOrAreRefused() {
        Line line = new Line("grüße 🎈", Kind.LOUD, 9_007_199_254_740_993L, List.of(1, 2), Map.of("x", true));
        try (RealtimeServer server = RealtimeServer.builder()
                        .host("localhost")
                        .port(0)
                        .anonymous()
                        .onRequest(FIRST, (session, lines) -> lines.get(0))
                        .build()
                        .start();
                RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                        .build()) {
            assertTrue(server.toString().contains("transport netty"), server::toString);
            client.connect().join();
            assertEquals(line, client.request(FIRST, List.of(line)).join());
            Other wrong = new Other("x", Kind.PLAIN, "no number", List.of(), Map.of());
            CompletionException refused = assertThrows(
                    CompletionException.class,
                    () -> client.request(WRONG, List.of(wrong)).join());
            assertEquals(RemoteException.class, refused.getCause().getClass());
        }
    }
}
