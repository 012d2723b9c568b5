import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;

final class Web {
    static void start(int port) throws IOException {
        HttpServer web = HttpServer.create(new InetSocketAddress("localhost", port), 0);
        web.createContext("/token/", exchange -> answer(exchange, "text/plain", token(exchange)));
        web.createContext("/", exchange -> answer(exchange, "text/html", Files.readAllBytes(Path.of("index.html"))));
        web.start();
        System.out.println("Chat on http://localhost:" + web.getAddress().getPort());
    }

    private static byte[] token(HttpExchange exchange) {
        String user = exchange.getRequestURI().getPath().substring("/token/".length());
        return JWT.create()
                .withSubject(user)
                .withExpiresAt(Instant.now().plusSeconds(3600))
                .sign(Algorithm.HMAC256(ChatServer.SECRET))
                .getBytes(StandardCharsets.UTF_8);
    }

    private static void answer(HttpExchange exchange, String type, byte[] body) throws IOException {
        try (exchange) {
            exchange.getResponseHeaders().set("Content-Type", type + "; charset=utf-8");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
        }
    }
}
