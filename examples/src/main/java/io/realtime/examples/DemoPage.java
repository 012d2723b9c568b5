package io.realtime.examples;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.examples.chat.UserName;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The HTTP server of a demo's page. It also issues a token to anyone who gives a name: a demo login without any proof
 * of identity.
 */
final class DemoPage implements AutoCloseable {
    private static final Pattern LOCAL = Pattern.compile("(localhost|127\\.0\\.0\\.1|\\[::1])(:\\d{1,5})?");
    private static final String FOREIGN = "this page is for this computer: open it as localhost";
    private static final int MAX_BODY = 4096;
    private static final int THREADS = 16;
    private static final Gson GSON = new Gson();
    private static final Map<String, String> TYPES = Map.of(
            "html",
            "text/html; charset=utf-8",
            "css",
            "text/css; charset=utf-8",
            "js",
            "text/javascript; charset=utf-8");

    private final HttpServer http;
    private final ExecutorService executor;
    private final DemoServer demo;
    private final int socketPort;
    private final Map<String, Asset> assets;
    private final Map<String, HttpHandler> apis;

    static {
        // Headers and body are two writes: with Nagle's algorithm the second one waits for the client's
        // acknowledgement.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        // In seconds. The JDK's server reads them once, and without them waits for slow clients for ever.
        System.setProperty("sun.net.httpserver.maxReqTime", "20");
        System.setProperty("sun.net.httpserver.maxRspTime", "20");
    }

    private DemoPage(
            HttpServer http, List<Asset> assets, Map<String, HttpHandler> apis, int socketPort, DemoServer demo) {
        this.http = http;
        this.assets = assets.stream().collect(Collectors.toUnmodifiableMap(Asset::path, Function.identity()));
        this.apis = Map.copyOf(apis);
        this.socketPort = socketPort;
        this.demo = demo;
        this.executor = Executors.newFixedThreadPool(THREADS, task -> {
            Thread thread = new Thread(task, "demo-page");
            thread.setDaemon(true);
            return thread;
        });
        http.setExecutor(executor);
        http.createContext("/", this::serve);
    }

    /**
     * Starts on the loopback address; with port 0 the system chooses one.
     *
     * @param folder the folder of the page's files, next to this class
     * @param files the files of it that are served; {@code index.html} is the page itself
     * @param socketPort the port of the WebSocket
     * @throws RealtimeException if the address cannot be bound; the message contains the address and the reason
     */
    static DemoPage start(int port, String folder, List<String> files, int socketPort, DemoServer demo) {
        return start(port, folder, files, Map.of(), socketPort, demo);
    }

    /**
     * As the other, with handlers of other addresses.
     *
     * @param apis by path; an exchange is closed when its handler returns
     */
    static DemoPage start(
            int port,
            String folder,
            List<String> files,
            Map<String, HttpHandler> apis,
            int socketPort,
            DemoServer demo) {
        HttpServer http;
        try {
            http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        } catch (IOException unbound) {
            String why = "cannot listen on localhost:" + port + ": " + unbound.getMessage();
            throw new RealtimeException(ErrorCode.of("bind_failed"), why, true, unbound);
        }
        DemoPage page = new DemoPage(
                http, files.stream().map(file -> new Asset(folder, file)).toList(), apis, socketPort, demo);
        http.start();
        return page;
    }

    /** Returns the URL to open in a browser. */
    String url() {
        return "http://localhost:" + http.getAddress().getPort() + "/";
    }

    /**
     * Returns whether the request is for a host of another name. Such a name may point here so that a foreign page in a
     * browser on this computer has this server's origin, and gets a token.
     */
    private static boolean isForeign(HttpExchange exchange) {
        String host = exchange.getRequestHeaders().getFirst("Host");
        return host == null || !LOCAL.matcher(host).matches();
    }

    private void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            secure(exchange.getResponseHeaders());
            String path = exchange.getRequestURI().getPath();
            String method = exchange.getRequestMethod();
            Asset asset = assets.get(path);
            HttpHandler api = apis.get(path);
            if (isForeign(exchange)) {
                refuse(exchange, 421, FOREIGN);
            } else if (api != null) {
                api.handle(exchange);
            } else if (asset == null && !"/token".equals(path)) {
                refuse(exchange, 404, "there is nothing at this address");
            } else if (asset == null && method.equals("POST")) {
                token(exchange);
            } else if (asset != null && (method.equals("GET") || method.equals("HEAD"))) {
                answer(exchange, 200, asset.type(), asset.bytes());
            } else {
                exchange.getResponseHeaders().set("Allow", asset == null ? "POST" : "GET, HEAD");
                refuse(exchange, 405, method + " is not for this address");
            }
        }
    }

    /**
     * Sets the security headers. The page may run only its own script and style and connect only to this host's two
     * ports, so injected content has no effect.
     */
    private void secure(Headers headers) {
        headers.set(
                "Content-Security-Policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
                        + " ws://127.0.0.1:" + socketPort + " ws://localhost:" + socketPort
                        + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        headers.set("X-Content-Type-Options", "nosniff");
        headers.set("Referrer-Policy", "no-referrer");
        headers.set("Cross-Origin-Resource-Policy", "same-origin");
        headers.set("Cache-Control", "no-store");
    }

    private void token(HttpExchange exchange) throws IOException {
        // A page of another origin can send this type only after a preflight request, which nobody answers.
        String type = exchange.getRequestHeaders().getFirst("Content-Type");
        if (type == null || !type.startsWith("application/json")) {
            refuse(exchange, 415, "the body must be application/json");
            return;
        }
        byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY + 1);
        if (body.length > MAX_BODY) {
            refuse(exchange, 413, "the body is longer than " + MAX_BODY + " bytes");
            return;
        }
        Login login;
        try {
            login = GSON.fromJson(new String(body, StandardCharsets.UTF_8), Login.class);
        } catch (JsonParseException notJson) {
            refuse(exchange, 400, "the body is not {\"name\": …}");
            return;
        }
        String name = login == null || login.name() == null ? "" : login.name().strip();
        String fault = UserName.fault(name);
        if (fault != null) {
            refuse(exchange, 400, fault);
            return;
        }
        json(exchange, 200, new Pass(demo.token(name), name, socketPort, DemoServer.PATH));
    }

    private static void refuse(HttpExchange exchange, int status, String why) throws IOException {
        json(exchange, status, Map.of("error", why));
    }

    private static void json(HttpExchange exchange, int status, Object body) throws IOException {
        answer(exchange, status, "application/json", GSON.toJson(body).getBytes(StandardCharsets.UTF_8));
    }

    private static void answer(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", Integer.toString(body.length));
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }

    @Override
    public void close() {
        http.stop(0);
        executor.shutdownNow();
    }

    private record Login(@Nullable String name) {}

    private record Pass(String token, String user, int port, String path) {}

    private record Asset(String folder, String file) {
        String path() {
            return file.equals("index.html") ? "/" : "/" + file;
        }

        String type() {
            return Objects.requireNonNull(TYPES.get(file.substring(file.lastIndexOf('.') + 1)), file);
        }

        byte[] bytes() throws IOException {
            String name = folder + "/" + file;
            try (InputStream in = Objects.requireNonNull(DemoPage.class.getResourceAsStream(name), name)) {
                return in.readAllBytes();
            }
        }
    }
}
