import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import java.net.URI;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class TooOldTest {
    @Test
    void serverOnGson29NamesTheVersionItNeeds() {
        assertNamesGson(() -> RealtimeServer.builder().port(0).anonymous().build());
    }

    @Test
    void clientOnGson29NamesTheVersionItNeeds() {
        assertNamesGson(
                () -> RealtimeClient.builder(URI.create("ws://localhost:1/ws")).build());
    }

    private static void assertNamesGson(Executable build) {
        IllegalStateException refused = assertThrows(IllegalStateException.class, build);
        assertTrue(refused.getMessage().contains("com.google.code.gson:gson 2.10 or newer"), refused::getMessage);
    }
}
