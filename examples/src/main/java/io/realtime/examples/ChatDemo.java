package io.realtime.examples;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.server.RealtimeServer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Pattern;

/** A chat for people: the demos' server, and a web page that talks to it. */
final class ChatDemo implements Demo {
    private static final int MAX_BODY = 1024;
    private static final Pattern NAME = Pattern.compile("[\\p{L}\\p{N}][\\p{L}\\p{N} ._-]{0,31}");
    private static final Map<String, String> PAGES = Map.of(
            "/", "index.html",
            "/chat.css", "chat.css",
            "/chat.js", "chat.js");
    private static final Map<String, String> TYPES = Map.of(
            "html", "text/html; charset=utf-8",
            "css", "text/css; charset=utf-8",
            "js", "text/javascript; charset=utf-8");

    @Override
    public String usage() {
        return "chat [--port 8080] [--page-port 8081] [--secret S]";
    }

    @Override
    public String summary() {
        return "a chat with a web page: open it in two tabs and talk";
    }

    @Override
    public void run(List<String> line, Terminal terminal) throws InterruptedException {
        Options options = Options.parse(line, usage(), List.of("port", "page-port", "secret"));
        options.words(0);
        try (Running running = start(options)) {
            terminal.out().println("socket ws://127.0.0.1:" + running.server.port() + "/ws");
            terminal.out().println("page   http://localhost:" + running.pagePort());
            terminal.out().flush();
            new CountDownLatch(1).await(); // until the process is ended
        }
    }

    static Running start(Options options) {
        DemoServer demo = DemoServer.withSecret(options.text("secret"));
        RealtimeServer.Builder builder;
        try {
            builder = demo.builder().port(options.number("port", 8080, 0, 65_535));
        } catch (IllegalArgumentException tooShort) {
            throw options.wrong("--secret: " + tooShort.getMessage());
        }
        int pagePort = options.number("page-port", 8081, 0, 65_535);
        RealtimeServer server = builder.build().start();
        try {
            HttpServer pages = HttpServer.create(new InetSocketAddress(pagePort), 0);
            pages.createContext("/", exchange -> serve(exchange, demo, server.port()));
            pages.start();
            return new Running(server, pages);
        } catch (IOException unbound) {
            server.close();
            String why = unbound instanceof BindException
                    ? "page port " + pagePort + " is in use"
                    : "cannot serve the page: " + unbound.getMessage();
            throw new RealtimeException(ErrorCode.of("bind_failed"), why, true, unbound);
        }
    }

    /** Both servers of the demo. */
    static final class Running implements AutoCloseable {
        private final RealtimeServer server;
        private final HttpServer pages;

        private Running(RealtimeServer server, HttpServer pages) {
            this.server = server;
            this.pages = pages;
        }

        int port() {
            return server.port();
        }

        int pagePort() {
            return pages.getAddress().getPort();
        }

        @Override
        public void close() {
            pages.stop(0);
            server.close();
        }
    }

    private static void serve(HttpExchange exchange, DemoServer demo, int port) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            String page = PAGES.get(path);
            if (path.equals("/token") && exchange.getRequestMethod().equals("POST")) {
                token(exchange, demo, port);
            } else if (page != null && exchange.getRequestMethod().equals("GET")) {
                try (InputStream file = ChatDemo.class.getResourceAsStream("chat/" + page)) {
                    byte[] body = file == null ? new byte[0] : file.readAllBytes();
                    String type = TYPES.getOrDefault(page.substring(page.lastIndexOf('.') + 1), "text/plain");
                    send(exchange, body.length == 0 ? 500 : 200, type, body, port);
                }
            } else {
                send(exchange, 404, "text/plain", "not found".getBytes(StandardCharsets.UTF_8), port);
            }
        }
    }

    /** A login for a demo: whoever asks is whoever they say. */
    private static void token(HttpExchange exchange, DemoServer demo, int port) throws IOException {
        byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY);
        String name = "";
        try {
            JsonObject wish = JsonParser.parseReader(
                            new InputStreamReader(new ByteArrayInputStream(body), StandardCharsets.UTF_8))
                    .getAsJsonObject();
            name = wish.get("name").getAsString().strip();
        } catch (JsonParseException
                | IllegalStateException
                | NullPointerException
                | UnsupportedOperationException unfit) {
            name = ""; // refused below, like every other name that does not fit
        }
        JsonObject answer = new JsonObject();
        boolean fits = NAME.matcher(name).matches();
        if (fits) {
            answer.addProperty("user", name);
            answer.addProperty("token", demo.token(name));
            answer.addProperty("port", port);
            answer.addProperty("path", "/ws");
        } else {
            answer.addProperty("error", "a name is 1 to 32 letters, digits, spaces, dots, dashes");
        }
        send(exchange, fits ? 200 : 400, "application/json", answer.toString().getBytes(StandardCharsets.UTF_8), port);
    }

    private static void send(HttpExchange exchange, int status, String type, byte[] body, int port) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.getResponseHeaders().set("Cache-Control", "no-store");
        exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
        exchange.getResponseHeaders()
                .set(
                        "Content-Security-Policy",
                        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none';"
                                + " form-action 'none'; frame-ancestors 'none'; connect-src 'self' ws://*:" + port);
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }
}
