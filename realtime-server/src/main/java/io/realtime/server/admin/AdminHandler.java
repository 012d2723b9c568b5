package io.realtime.server.admin;

import com.google.gson.JsonObject;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.server.Admin;
import io.realtime.server.Admin.SessionInfo;
import io.realtime.server.Member;
import io.realtime.server.RealtimeServer;
import io.realtime.server.RoomSummary;
import io.realtime.server.RoomsPage;
import io.realtime.server.ServerHealth;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The admin endpoints, as a handler of the JDK's HTTP server. A request passes four checks, in this order: the host that
 * it names, its origin, its token, its route. Safe for use by many threads.
 */
final class AdminHandler implements HttpHandler {
    private static final Logger LOG = LoggerFactory.getLogger(AdminHandler.class);
    private static final String DISCONNECTED = "disconnected by an administrator";
    private static final int MOST_MEMBERS = 1_000;
    private static final int MOST_DRAINED = 32 << 20;
    private static final Pattern KEY = Pattern.compile("[!-~]{1,255}");
    private static final Map<ErrorCode, Integer> STATUSES = Map.of(
            ErrorCode.TOO_BIG, 413,
            ErrorCode.INTERNAL, 500,
            ErrorCode.STORAGE, 500,
            ErrorCode.OVERLOADED, 503,
            ErrorCode.TIMEOUT, 503,
            ErrorCode.CLOSED, 503);

    private final RealtimeServer server;
    private final Admin admin;
    private final @Nullable String token;
    private final Set<String> origins;
    private final @Nullable Set<String> hosts;
    private final Duration timeout;
    private final IdempotencyKeys keys = new IdempotencyKeys();
    private final List<Route> routes;

    /**
     * @param token the token that each request must have; null for none
     * @param origins the origins whose pages may send requests
     * @param hosts the names that the Host header may have; null for any
     * @param timeout how long a request waits for the answer of an interceptor or a broker
     */
    AdminHandler(
            RealtimeServer server,
            @Nullable String token,
            Set<String> origins,
            @Nullable Set<String> hosts,
            Duration timeout) {
        this.server = server;
        this.admin = server.admin();
        this.token = token;
        this.origins = Set.copyOf(origins);
        this.hosts = hosts == null ? null : Set.copyOf(hosts);
        this.timeout = timeout;
        this.routes = List.of(
                new Route("GET", "/health", (request, name) -> health()),
                new Route("GET", "/stats", (request, name) -> Answer.json(200, AdminJson.of(server.stats()))),
                new Route("GET", "/metrics", (request, name) -> metrics()),
                new Route("GET", "/openapi.json", (request, name) -> openApi()),
                new Route("GET", "/rooms", (request, name) -> rooms(request)),
                new Route("GET", "/rooms/{room}", (request, name) -> room(name)),
                new Route(
                        "POST",
                        "/rooms/{room}/events",
                        (request, name) -> send(request, event -> admin.sendToRoom(name, event.type(), event.data()))),
                new Route("GET", "/users/{user}", (request, name) -> user(name)),
                new Route(
                        "POST",
                        "/users/{user}/events",
                        (request, name) -> send(request, event -> admin.sendToUser(name, event.type(), event.data()))),
                new Route("DELETE", "/users/{user}/sessions", (request, name) -> {
                    admin.disconnectUser(name, DISCONNECTED);
                    return Answer.NO_CONTENT;
                }),
                new Route(
                        "GET",
                        "/sessions/{session}",
                        (request, name) -> admin.session(name)
                                .map(session -> Answer.json(200, AdminJson.of(session)))
                                .orElseThrow(() -> notFound("session"))),
                new Route("DELETE", "/sessions/{session}", (request, name) -> disconnect(name)),
                new Route(
                        "POST",
                        "/broadcast",
                        (request, name) -> send(request, event -> admin.broadcast(event.type(), event.data()))));
    }

    /** Handles the requests of one method and path. */
    @FunctionalInterface
    private interface Action {
        /** @param name the segment of the path that the template leaves open; empty if there is none */
        Answer run(Request request, String name) throws Problem, IOException, ExecutionException;
    }

    private record Route(String method, String template, Action action) {
        /** Returns the segment that the template leaves open, empty if there is none; null if the path is another. */
        @Nullable
        String match(List<String> path) {
            String[] parts = template.substring(1).split("/", -1);
            String open = "";
            if (parts.length != path.size()) {
                return null;
            }
            for (int i = 0; i < parts.length; i++) {
                if (parts[i].startsWith("{")) {
                    open = path.get(i);
                    if (open.isEmpty()) {
                        return null;
                    }
                } else if (!parts[i].equals(path.get(i))) {
                    return null;
                }
            }
            return open;
        }
    }

    /** Returns each route as method and path, as the OpenAPI file names it. */
    List<String> routes() {
        return routes.stream().map(route -> route.method + " " + route.template).toList();
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        try {
            respond(exchange, answer(exchange));
        } finally {
            exchange.close();
        }
    }

    private Answer answer(HttpExchange exchange) throws IOException {
        Map<String, String> headers = new HashMap<>();
        try {
            Request request = new Request(exchange);
            requireHost(request.header("Host"));
            Answer preflight = checkOrigin(exchange, request);
            if (preflight != null) {
                return preflight;
            }
            requireToken(request.header("Authorization"), headers);
            return route(request, headers);
        } catch (Problem problem) {
            return Answer.of(problem, headers);
        } catch (IOException lost) {
            throw lost;
        } catch (ExecutionException failed) {
            return Answer.of(problem(Objects.requireNonNullElse(failed.getCause(), failed)), headers);
        } catch (Throwable failure) {
            // Interceptors run in a request, and may throw anything.
            return Answer.of(problem(failure), headers);
        }
    }

    /** Returns the problem for what a server or an interceptor has thrown. It shows the text of refusals only. */
    private static Problem problem(Throwable thrown) {
        Throwable failure = Steps.unwrap(thrown);
        if (failure instanceof RealtimeException refused) {
            int status = STATUSES.getOrDefault(refused.code(), 400);
            return new Problem(status, refused.code().value(), Steps.message(refused));
        }
        Steps.log(LOG, "an admin request failed", failure);
        return new Problem(500, "internal", "the request failed; the server's log says why");
    }

    /** A page whose host name was made to point to this machine names its own host (DNS rebinding). */
    private void requireHost(String header) throws Problem {
        String host = header.replaceFirst(":\\d+$", "");
        if (hosts != null && !hosts.contains(host)) {
            throw new Problem(421, "bad_host", "the Host header names another host than this one");
        }
    }

    /** Allows a foreign page to read the answer if its origin may. Returns the answer to a preflight, else null. */
    private @Nullable Answer checkOrigin(HttpExchange exchange, Request request) throws Problem {
        String origin = request.header("Origin");
        if (origin.isEmpty() || origin.equals("http://" + request.header("Host"))) {
            return null;
        }
        if (!origins.contains(origin)) {
            throw new Problem(403, "bad_origin", "pages of this origin may not send requests");
        }
        Headers answer = exchange.getResponseHeaders();
        answer.set("Access-Control-Allow-Origin", origin);
        answer.set("Vary", "Origin");
        if (!request.method().equals("OPTIONS")) {
            return null;
        }
        answer.set("Access-Control-Allow-Methods", "GET, POST, DELETE");
        answer.set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key");
        answer.set("Access-Control-Max-Age", "600");
        return Answer.NO_CONTENT;
    }

    private void requireToken(String header, Map<String, String> headers) throws Problem {
        // The comparison takes the same time wherever the tokens differ.
        if (token != null
                && !MessageDigest.isEqual(
                        ("Bearer " + token).getBytes(StandardCharsets.UTF_8),
                        header.getBytes(StandardCharsets.UTF_8))) {
            headers.put("WWW-Authenticate", "Bearer");
            throw new Problem(401, "unauthorized", "a valid token is required: Authorization: Bearer …");
        }
    }

    private Answer route(Request request, Map<String, String> headers) throws Problem, IOException, ExecutionException {
        String method = request.method().equals("HEAD") ? "GET" : request.method();
        Set<String> allowed = new TreeSet<>();
        for (Route route : routes) {
            String name = route.match(request.path());
            if (name != null && route.method.equals(method)) {
                requireName(route, name);
                return route.action.run(request, name);
            }
            if (name != null) {
                allowed.add(route.method);
            }
        }
        if (allowed.isEmpty()) {
            throw new Problem(404, "not_found", "there is nothing here");
        }
        if (allowed.contains("GET")) {
            allowed.add("HEAD");
        }
        headers.put("Allow", String.join(", ", allowed));
        throw new Problem(405, "bad_method", "this address takes " + String.join(", ", allowed));
    }

    /** The server's methods throw for such a name what an interceptor may throw as well. */
    private static void requireName(Route route, String name) throws Problem {
        if (route.template.startsWith("/rooms/")) {
            String fault = Names.roomFault(name);
            if (fault != null) {
                throw new Problem(400, "bad_data", fault);
            }
        } else if (route.template.startsWith("/users/")) {
            String fault = Names.userFault(name);
            if (fault != null) {
                throw new Problem(400, "bad_data", "the id of the user " + fault);
            }
        }
    }

    private static Problem notFound(String what) {
        return new Problem(404, "not_found", "there is no such " + what);
    }

    private Answer health() {
        ServerHealth health = server.health();
        return Answer.json(health.status() == ServerHealth.Status.DOWN ? 503 : 200, AdminJson.of(health));
    }

    private Answer metrics() {
        return new Answer(200, MetricsText.TYPE, MetricsText.of(server.stats(), server.health()), Map.of());
    }

    private static Answer openApi() {
        try (InputStream file = AdminHandler.class.getResourceAsStream("openapi.json")) {
            if (file == null) {
                throw new IllegalStateException("openapi.json is not in the jar");
            }
            return new Answer(
                    200, "application/json", new String(file.readAllBytes(), StandardCharsets.UTF_8), Map.of());
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }

    private Answer rooms(Request request) throws Problem, ExecutionException {
        Map<String, String> query = request.query(Set.of("prefix", "after", "limit"));
        String number = query.getOrDefault("limit", "100");
        int limit = number.matches("\\d{1,4}") ? Integer.parseInt(number) : 0;
        if (limit < 1 || limit > RoomsPage.MOST) {
            throw new Problem(400, "bad_query", "limit is not a number from 1 to 1000");
        }
        RoomsPage found =
                await(server.connections().rooms(query.getOrDefault("prefix", ""), query.get("after"), limit));
        JsonObject page = new JsonObject();
        page.add("rooms", AdminJson.array(found.rooms(), AdminJson::of));
        if (found.more()) {
            page.addProperty("next", found.rooms().get(limit - 1).name());
        }
        return Answer.json(200, page);
    }

    private Answer room(String name) throws Problem, ExecutionException {
        RoomSummary room = admin.room(name).orElseThrow(() -> notFound("room"));
        List<Member> members = await(server.connections().room(name).members());
        JsonObject json = AdminJson.of(room);
        List<Member> first = members.subList(0, Math.min(MOST_MEMBERS, members.size()));
        json.add("firstMembers", AdminJson.array(first, AdminJson::of));
        return Answer.json(200, json);
    }

    private Answer user(String id) {
        List<SessionInfo> sessions = admin.user(id);
        JsonObject json = new JsonObject();
        json.addProperty("user", id);
        json.add("sessions", AdminJson.array(sessions, AdminJson::of));
        return Answer.json(200, json);
    }

    private Answer disconnect(String session) throws Problem {
        if (!admin.disconnectSession(session, DISCONNECTED)) {
            throw notFound("session");
        }
        return Answer.NO_CONTENT;
    }

    @FunctionalInterface
    private interface Sending {
        CompletableFuture<@Nullable Position> to(Request.NewEvent event);
    }

    private Answer send(Request request, Sending sending) throws Problem, IOException, ExecutionException {
        Request.NewEvent event = request.event();
        String key = request.header("Idempotency-Key");
        if (key.isEmpty()) {
            return await(sent(sending, event));
        }
        if (!KEY.matcher(key).matches()) {
            throw new Problem(400, "bad_key", "the Idempotency-Key is not 1 to 255 visible characters of ASCII");
        }
        List<String> parts = new ArrayList<>(request.path());
        parts.add(event.text());
        return await(keys.once(key, digest(String.join("\n", parts)), () -> sent(sending, event)));
    }

    private static CompletableFuture<Answer> sent(Sending sending, Request.NewEvent event) {
        CompletableFuture<Answer> answer = new CompletableFuture<>();
        Steps.whenComplete(sending.to(event), (position, failure) -> {
            if (failure == null) {
                answer.complete(Answer.json(200, AdminJson.of(position)));
            } else {
                answer.completeExceptionally(failure);
            }
        });
        return answer;
    }

    /**
     * Returns the value of a future, which an interceptor or a broker may never complete.
     *
     * @throws Problem with 503 when the request's time is over or the thread is interrupted
     */
    private <T> T await(CompletableFuture<T> future) throws Problem, ExecutionException {
        try {
            return future.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException | InterruptedException late) {
            // An interrupt is for this wait. If the thread kept it, writing the answer would close the socket.
            throw new Problem(503, "timeout", "the server gave no answer in time; what was requested may still happen");
        }
    }

    private static String digest(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException never) {
            throw new IllegalStateException("every JDK has SHA-256", never);
        }
    }

    private static void respond(HttpExchange exchange, Answer answer) throws IOException {
        Headers headers = exchange.getResponseHeaders();
        answer.headers().forEach(headers::set);
        headers.set("Cache-Control", "no-store");
        headers.set("X-Content-Type-Options", "nosniff");
        byte[] body = answer.bytes();
        if (body.length > 0) {
            headers.set("Content-Type", answer.type());
        }
        boolean hasBody = body.length > 0 && !exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(answer.status(), hasBody ? body.length : -1);
        if (hasBody) {
            exchange.getResponseBody().write(body);
            exchange.getResponseBody().flush();
            drain(exchange.getRequestBody());
        }
    }

    /** Closing a socket with unread bytes resets the connection, and the peer may lose the answer. */
    private static void drain(InputStream body) throws IOException {
        byte[] buffer = new byte[8_192];
        int count = 0;
        for (int left = MOST_DRAINED; left > 0 && count >= 0; left -= count) {
            count = body.read(buffer);
        }
    }
}
