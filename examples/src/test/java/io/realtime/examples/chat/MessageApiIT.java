package io.realtime.examples.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Clock;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The rate limit of the API, at a time that the test sets. A token is its user's name. */
@Timeout(60)
class MessageApiIT {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final AtomicLong now = new AtomicLong();
    private Database database;
    private HttpServer http;

    @BeforeEach
    void start() throws Exception {
        database = Database.open("jdbc:h2:mem:" + UUID.randomUUID(), null, null);
        ChatService service = new ChatService(database, () -> {}, Clock.systemUTC());
        MessageApi api = new MessageApi(service, token -> token, now::get);
        http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.createContext("/", exchange -> {
            try (exchange) {
                api.handle(exchange);
            }
        });
        http.start();
    }

    @AfterEach
    void stop() {
        http.stop(0);
        database.close();
    }

    @Test
    void userBeyondTheRateIsRefusedUntilLater() throws Exception {
        for (int i = 0; i < MessageApi.BURST; i++) {
            assertEquals(201, post("ada", i).statusCode());
        }
        HttpResponse<String> refused = post("ada", MessageApi.BURST);
        assertEquals(429, refused.statusCode());
        assertEquals("1", refused.headers().firstValue("Retry-After").orElse(""));
        assertEquals(
                "application/problem+json",
                refused.headers().firstValue("Content-Type").orElse(""));
        assertTrue(refused.body().contains("\"code\":\"rate_limited\""), refused.body());
        assertEquals(201, post("bob", 0).statusCode(), "others are not affected");

        now.addAndGet(1_000_000_000);
        assertEquals(201, post("ada", MessageApi.BURST).statusCode());
    }

    private HttpResponse<String> post(String user, int id) throws Exception {
        String body = "{\"conversation\":\"chat:lobby\",\"id\":\"m" + id + "\",\"text\":\"hello\"}";
        return HTTP.send(
                HttpRequest.newBuilder(URI.create(
                                "http://localhost:" + http.getAddress().getPort() + "/api/messages"))
                        .header("Authorization", "Bearer " + user)
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }
}
