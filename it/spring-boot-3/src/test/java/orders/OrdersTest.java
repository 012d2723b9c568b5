package orders;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.Request;
import io.realtime.client.RealtimeClient;
import io.realtime.jackson.JacksonCodec;
import io.realtime.server.RealtimeServer;
import java.net.URI;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;

/** Payloads by Jackson 2 with the versions that Spring Boot manages. */
@SpringBootTest(
        classes = OrderConfiguration.class,
        webEnvironment = WebEnvironment.NONE,
        properties = {
            "realtime.port=0",
            "spring.jackson.property-naming-strategy=SNAKE_CASE",
            "spring.jackson2.property-naming-strategy=SNAKE_CASE", // the name since Spring Boot 4
            "spring.main.banner-mode=off"
        })
@Timeout(60)
class OrdersTest {
    /** The JSON's names, for a client on Gson. */
    record OnTheWire(String order_id, int count, String placed_at) {}

    private static final Request<Integer, OnTheWire> PLACE =
            Request.of("order.place", Integer.class, OnTheWire.class);

    @Autowired
    private RealtimeServer server;

    @Test
    void settingsOfSpringsMapperDecideWhatTravels() {
        try (RealtimeClient client = client(server).build()) {
            client.connect().join();
            assertEquals(
                    new OnTheWire("a-1", 3, OrderConfiguration.PLACED.toString()),
                    client.request(PLACE, 3).join());
        }
    }

    /** Without a bean: what an application does whose mapper is of Jackson 3. */
    @Test
    void ownMapperReadsTheSameAnnotations() {
        Orders.Order order = new Orders.Order("a-1", 3, Instant.EPOCH);
        try (RealtimeServer strict = RealtimeServer.builder()
                        .port(0)
                        .codec(JacksonCodec.create())
                        .anonymous()
                        .onRequest(Orders.PLACE, (session, quantity) -> order)
                        .build()
                        .start();
                RealtimeClient client =
                        client(strict).codec(JacksonCodec.create()).build()) {
            client.connect().join();
            assertEquals(order, client.request(Orders.PLACE, 3).join());
        }
    }

    private static RealtimeClient.Builder client(RealtimeServer server) {
        return RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"));
    }
}
