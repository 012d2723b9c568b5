package chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import io.realtime.ErrorCode;
import io.realtime.RemoteException;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.context.ConfigurableApplicationContext;

@SpringBootTest(
        webEnvironment = WebEnvironment.RANDOM_PORT,
        properties = {"realtime.port=0", ChatApplicationTest.QUIET})
@Timeout(60)
class ChatApplicationTest {
    static final String QUIET = "spring.main.banner-mode=off";

    @Value("${local.server.port}")
    private int web;

    @Value("${realtime.secret}")
    private String secret;

    @Autowired
    private RealtimeServer server;

    private RealtimeClient.Builder client(int port, String user) {
        String token = JWT.create().withSubject(user).sign(Algorithm.HMAC256(secret));
        return RealtimeClient.builder(URI.create("ws://localhost:" + port + "/ws")).token(token);
    }

    @Test
    void whatIsPostedReachesTheRoom() throws Exception {
        BlockingQueue<String> heard = new LinkedBlockingQueue<>();
        try (RealtimeClient ada = client(server.port(), "ada").build()) {
            ada.on(Chat.SAID, said -> heard.add(said.from() + ": " + said.data().text()));
            ada.connect().join();
            ada.room("chat:42").join().join();
            HttpRequest post = HttpRequest.newBuilder(URI.create("http://localhost:" + web + "/rooms/chat:42/messages"))
                    .header("Content-Type", "application/json")
                    .POST(BodyPublishers.ofString("{\"text\":\"from REST\"}"))
                    .build();
            assertEquals(200, HttpClient.newHttpClient().send(post, BodyHandlers.discarding()).statusCode());
            assertEquals("null: from REST", heard.poll(30, TimeUnit.SECONDS));
            ada.room("chat:42").send(Chat.SAY, new Chat.Text("from Ada")).join();
            assertEquals("ada: from Ada", heard.poll(30, TimeUnit.SECONDS));
        }
    }

    @Test
    void ruleAsksABean() {
        try (RealtimeClient eve = client(server.port(), "eve").build()) {
            eve.connect().join();
            Throwable refusal = assertThrows(
                            CompletionException.class, () -> eve.room("chat:42").join().join())
                    .getCause();
            assertEquals(
                    ErrorCode.FORBIDDEN,
                    assertInstanceOf(RemoteException.class, refusal).code());
        }
    }

    /** The context closes the server, which says so, and the client comes back to the next. */
    @Test
    void clientOutlivesARestartOfTheApplication() throws Exception {
        ConfigurableApplicationContext first = start(0);
        int port = first.getBean(RealtimeServer.class).port();
        BlockingQueue<String> heard = new LinkedBlockingQueue<>();
        try (RealtimeClient ada = client(port, "ada").build()) {
            ada.on(Chat.SAID, said -> heard.add(said.data().text()));
            ada.connect().join();
            ada.room("chat:42").join().join();
            first.close();
            ada.room("chat:42").send(Chat.SAY, new Chat.Text("meanwhile"));
            try (ConfigurableApplicationContext second = start(port)) {
                ada.reconnectNow();
                assertEquals("meanwhile", heard.poll(30, TimeUnit.SECONDS));
            }
        }
    }

    private static ConfigurableApplicationContext start(int port) {
        return SpringApplication.run(
                ChatApplication.class, "--server.port=0", "--realtime.port=" + port, "--" + QUIET);
    }
}
