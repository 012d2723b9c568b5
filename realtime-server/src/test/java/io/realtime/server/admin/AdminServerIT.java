package io.realtime.server.admin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpServer;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.server.Interceptor;
import io.realtime.server.OutgoingMessage;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The admin endpoints over real sockets, of a server in virtual time. */
@Timeout(60)
class AdminServerIT {
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final String TOKEN = "a-token-of-sixteen-or-more";
    private static final String JSON = "application/json";

    /** What the server's interceptor does in place of a publish, on the thread that publishes; null to publish. */
    private volatile @Nullable UnaryOperator<CompletableFuture<@Nullable Position>> audit;

    private final AtomicInteger publishes = new AtomicInteger();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> true).intercept(new Interceptor() {
                @Override
                public CompletableFuture<@Nullable Position> publish(OutgoingMessage message, Publishing next) {
                    publishes.incrementAndGet();
                    UnaryOperator<CompletableFuture<@Nullable Position>> instead = audit;
                    return instead == null
                            ? next.publish(message)
                            : instead.apply(CompletableFuture.completedFuture(null));
                }
            }));
    private final HttpClient http = HttpClient.newHttpClient();
    private AdminServer admin = AdminServer.builder(test.server).start();

    @AfterEach
    void close() {
        admin.close();
        test.close();
    }

    private void restart(AdminServer.Builder builder) {
        admin.close();
        admin = builder.start();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(admin.uri() + path)).timeout(Duration.ofSeconds(30));
    }

    private HttpResponse<String> send(HttpRequest.Builder request) {
        try {
            return http.send(request.build(), BodyHandlers.ofString());
        } catch (IOException | InterruptedException failure) {
            throw new AssertionError(failure);
        }
    }

    private HttpResponse<String> get(String path) {
        return send(request(path));
    }

    private JsonObject json(String path) {
        HttpResponse<String> answer = get(path);
        assertEquals(200, answer.statusCode(), answer.body());
        return JsonParser.parseString(answer.body()).getAsJsonObject();
    }

    private HttpRequest.Builder post(String path, String body) {
        return request(path).header("Content-Type", JSON).POST(BodyPublishers.ofString(body));
    }

    private HttpRequest.Builder broadcast() {
        return post("/broadcast", "{\"type\":\"said\",\"data\":1}");
    }

    private static String code(HttpResponse<String> answer) {
        assertEquals(
                "application/problem+json",
                answer.headers().firstValue("Content-Type").orElseThrow(),
                answer.body());
        JsonObject problem = JsonParser.parseString(answer.body()).getAsJsonObject();
        assertEquals(answer.statusCode(), problem.get("status").getAsInt());
        assertEquals("about:blank", problem.get("type").getAsString());
        return problem.get("code").getAsString();
    }

    /** Sends bytes as they are, and returns what comes until the connection ends. */
    private String raw(String head) throws IOException {
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), admin.uri().getPort())) {
            socket.getOutputStream().write(head.getBytes(StandardCharsets.ISO_8859_1));
            return rest(socket);
        }
    }

    private static String rest(Socket socket) throws IOException {
        try (InputStream in = socket.getInputStream()) {
            return new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }

    // ---------------------------------------------------------------- reading

    @Test
    void healthIs503WhenTheServerIsDown() {
        assertEquals("UP", json("/health").get("status").getAsString());
        test.server.close(Duration.ZERO);
        HttpResponse<String> down = get("/health");
        assertEquals(503, down.statusCode());
        JsonObject health = JsonParser.parseString(down.body()).getAsJsonObject();
        assertEquals("DOWN", health.get("status").getAsString());
        assertEquals(
                "closed",
                health.getAsJsonArray("reasons")
                        .get(0)
                        .getAsJsonObject()
                        .get("code")
                        .getAsString());
    }

    @Test
    void headIsAnsweredWithoutABody() {
        HttpResponse<String> head = send(request("/health").method("HEAD", BodyPublishers.noBody()));
        assertEquals(200, head.statusCode());
        assertEquals("", head.body());
    }

    @Test
    void statsAreThoseOfTheServer() {
        test.plain("ann");
        test.plain("bob").send("{'type':'nothing','ref':'r'}");
        JsonObject stats = json("/stats");
        assertEquals(2, stats.get("connections").getAsInt());
        assertEquals(2, stats.get("online").getAsInt());
        assertEquals(
                test.server.stats().traffic().bytesOut(),
                stats.getAsJsonObject("traffic").get("bytesOut").getAsLong());
        assertEquals(
                1, stats.getAsJsonObject("refusedMessages").get("no_handler").getAsInt());
    }

    @Test
    void metricsAreInTheFormatOfPrometheus() {
        test.plain("ann").close("done");
        test.settle();
        HttpResponse<String> answer = get("/metrics");
        assertEquals(
                "text/plain; version=0.0.4; charset=utf-8",
                answer.headers().firstValue("Content-Type").orElseThrow());
        Set<String> announced = new TreeSet<>();
        for (String line : answer.body().split("\n", -1)) {
            if (line.startsWith("# TYPE ")) {
                assertTrue(line.matches("# TYPE realtime_[a-z_]+ (gauge|counter|summary)"), line);
                assertTrue(announced.add(line.split(" ", -1)[2]), () -> line + " is repeated");
            } else if (!line.isEmpty() && !line.startsWith("# HELP ")) {
                assertTrue(line.matches("realtime_[a-z_]+(\\{[a-z]+=\"[A-Za-z0-9_.:/-]+\"})? [0-9.E-]+"), line);
                String name = line.replaceFirst("[ {].*", "").replaceFirst("_seconds_(sum|count)$", "_seconds");
                assertTrue(announced.contains(name), () -> line + " has no type");
            }
        }
        assertTrue(answer.body().contains("\nrealtime_connections_closed_total{code=\"1000\"} 1\n"), answer.body());
        assertTrue(answer.body().contains("\nrealtime_health{status=\"up\"} 1\n"), answer.body());
        assertTrue(answer.body().endsWith("\n"));
    }

    @Test
    void metricsOfKnownCausesAndCodesBeginWithZero() {
        String metrics = get("/metrics").body();
        for (String series : List.of(
                "connections_refused_total{cause=\"limit\"}",
                "messages_refused_total{code=\"internal\"}",
                "connections_closed_total{code=\"4102\"}")) {
            assertTrue(metrics.contains("\nrealtime_" + series + " 0\n"), series);
        }
    }

    @Test
    void roomsAreListedByNameInPages() {
        for (String name : List.of("chat:b", "chat:a", "news:a", "chat:c")) {
            test.server.connections().room(name).send(SAID, "hello");
        }
        assertEquals(List.of("chat:a", "chat:b"), names(json("/rooms?prefix=chat:&limit=2")));
        assertEquals("chat:b", json("/rooms?prefix=chat%3A&limit=2").get("next").getAsString());
        JsonObject last = json("/rooms?prefix=chat:&limit=2&after=chat:b");
        assertEquals(List.of("chat:c"), names(last));
        assertNull(last.get("next"));
        assertEquals(List.of("chat:a", "chat:b", "chat:c", "news:a"), names(json("/rooms")));
    }

    private static List<String> names(JsonObject page) {
        return StreamSupport.stream(page.getAsJsonArray("rooms").spliterator(), false)
                .map(room -> room.getAsJsonObject().get("name").getAsString())
                .toList();
    }

    @Test
    void roomOfAnyNameIsShownWithItsMembers() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','ref':'1','room':'chat:a/b %é'}");
        test.server.connections().room("chat:a/b %é").send(SAID, "hello");
        JsonObject room = json("/rooms/chat:a%2Fb%20%25%C3%A9");
        assertEquals("chat:a/b %é", room.get("name").getAsString());
        assertEquals(1, room.get("messages").getAsInt());
        assertEquals(1, room.get("offset").getAsInt());
        JsonArray members = room.getAsJsonArray("firstMembers");
        assertEquals("ann", members.get(0).getAsJsonObject().get("user").getAsString());
        assertEquals("not_found", code(get("/rooms/chat:none")));
    }

    @Test
    void usersAndSessionsAreShown() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        ann.cut();
        JsonArray sessions = json("/users/ann").getAsJsonArray("sessions");
        assertEquals(1, sessions.size());
        JsonObject session = sessions.get(0).getAsJsonObject();
        assertFalse(session.get("connected").getAsBoolean());
        assertTrue(session.get("managed").getAsBoolean());
        assertEquals("chat:1", session.getAsJsonArray("rooms").get(0).getAsString());
        assertEquals(session, json("/sessions/" + session.get("session").getAsString()));
        assertEquals(0, json("/users/nobody").getAsJsonArray("sessions").size());
        assertEquals("not_found", code(get("/sessions/none")));
    }

    // ---------------------------------------------------------------- publishing and disconnecting

    @Test
    void eventsReachRoomUserAndEveryone() {
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        HttpResponse<String> sent = send(post("/rooms/chat:1/events", "{\"type\":\"said\",\"data\":{\"n\":1.50}}"));
        assertEquals(200, sent.statusCode(), sent.body());
        assertEquals(
                1,
                JsonParser.parseString(sent.body())
                        .getAsJsonObject()
                        .get("offset")
                        .getAsInt());
        test.settle();
        JsonObject said = ann.next("said");
        assertEquals("chat:1", said.get("room").getAsString());
        assertEquals("1.50", said.getAsJsonObject("data").get("n").getAsString());
        assertNull(said.get("from"));
        assertEquals(200, send(post("/users/bob/events", "{\"type\":\"said\"}")).statusCode());
        assertEquals(
                200, send(post("/broadcast", "{\"type\":\"said\",\"data\":[]}")).statusCode());
        test.settle();
        assertEquals("@user", bob.next("said").get("room").getAsString());
        assertEquals("@all", bob.next("said").get("room").getAsString());
        assertEquals("@all", ann.next("said").get("room").getAsString());
    }

    @Test
    void requestWithTheSameKeySendsOnce() {
        TestPeer ann = test.plain("ann");
        String body = "{\"type\":\"said\",\"data\":1}";
        HttpResponse<String> first = send(post("/broadcast", body).header("Idempotency-Key", "k1"));
        HttpResponse<String> again = send(post("/broadcast", body).header("Idempotency-Key", "k1"));
        assertEquals(first.body(), again.body());
        assertEquals("true", again.headers().firstValue("Idempotency-Replayed").orElseThrow());
        assertFalse(first.headers().firstValue("Idempotency-Replayed").isPresent());
        HttpResponse<String> other =
                send(post("/broadcast", "{\"type\":\"other\"}").header("Idempotency-Key", "k1"));
        assertEquals(422, other.statusCode());
        assertEquals("key_reused", code(other));
        assertEquals(
                "key_reused",
                code(send(post("/users/ann/events", body).header("Idempotency-Key", "k1"))),
                "another address");
        send(post("/broadcast", body).header("Idempotency-Key", "k2"));
        test.settle();
        assertEquals(2, ann.types().stream().filter("said"::equals).count());
    }

    @Test
    void sessionsAreEndedOneOrAll() {
        TestPeer ann = test.managed("ann");
        TestPeer page = test.plain("ann");
        TestPeer bob = test.plain("bob");
        String id = test.server.connections().user("bob").sessions().get(0).id();
        assertEquals(204, send(request("/sessions/" + id).DELETE()).statusCode());
        assertEquals(404, send(request("/sessions/" + id).DELETE()).statusCode());
        assertEquals(204, send(request("/users/ann/sessions").DELETE()).statusCode());
        test.settle();
        for (TestPeer ended : List.of(ann, page, bob)) {
            assertEquals(CloseReason.KICKED, ended.closeCode());
        }
        assertEquals(204, send(request("/users/ann/sessions").DELETE()).statusCode(), "nobody is left");
    }

    // ---------------------------------------------------------------- interceptors that fail or do not answer

    static Stream<Throwable> failures() {
        return Stream.of(
                new NumberFormatException("a secret of the application"),
                new IllegalStateException("a secret of the application"),
                new UncheckedIOException(new IOException("a secret of the application")),
                new StackOverflowError("a secret of the application"));
    }

    private static CompletableFuture<@Nullable Position> raise(Throwable failure) {
        if (failure instanceof Error error) {
            throw error;
        }
        throw (RuntimeException) failure;
    }

    @ParameterizedTest
    @MethodSource("failures")
    void failureOfAnInterceptorIs500AndItsTextIsNotShown(Throwable failure) {
        audit = published -> raise(failure);
        assertInternal(send(broadcast()));
        audit = published -> CompletableFuture.failedFuture(failure);
        assertInternal(send(broadcast()));
        assertInternal(send(broadcast().header("Idempotency-Key", "k")));
    }

    private static void assertInternal(HttpResponse<String> answer) {
        assertEquals(500, answer.statusCode());
        assertEquals("internal", code(answer));
        assertFalse(answer.body().contains("secret"), answer.body());
    }

    @Test
    void refusalOfAnInterceptorIsAProblemWithItsCode() {
        RealtimeException later = new RealtimeException(ErrorCode.OVERLOADED, "come later");
        List<UnaryOperator<CompletableFuture<@Nullable Position>>> refusals = List.of(
                published -> raise(later),
                published -> raise(new CompletionException(later)),
                published -> CompletableFuture.failedFuture(later),
                published -> published.thenApply(position -> {
                    throw later;
                }));
        for (UnaryOperator<CompletableFuture<@Nullable Position>> refusal : refusals) {
            audit = refusal;
            for (HttpRequest.Builder request : List.of(broadcast(), broadcast().header("Idempotency-Key", "k"))) {
                HttpResponse<String> answer = send(request);
                assertEquals(503, answer.statusCode());
                assertEquals("overloaded", code(answer));
                assertTrue(answer.body().contains("come later"), answer.body());
            }
        }
    }

    @Test
    void interceptorsThatNeverAnswerHoldNoThread() {
        restart(AdminServer.builder(test.server).timeout(Duration.ofSeconds(2)));
        audit = published -> new CompletableFuture<>();
        List<CompletableFuture<HttpResponse<String>>> posts = Stream.generate(
                        () -> http.sendAsync(broadcast().build(), BodyHandlers.ofString()))
                .limit(2 * AdminThreads.THREADS)
                .toList();
        assertEquals(200, get("/health").statusCode(), "behind all of these");
        for (CompletableFuture<HttpResponse<String>> post : posts) {
            assertEquals(503, post.join().statusCode());
            assertEquals("timeout", code(post.join()));
        }
    }

    @Test
    void keyOfARequestWithoutAnswerInTimeStaysReserved() {
        restart(AdminServer.builder(test.server).timeout(Duration.ofSeconds(2)));
        CompletableFuture<@Nullable Position> late = new CompletableFuture<>();
        audit = published -> late;
        assertEquals("timeout", code(send(broadcast().header("Idempotency-Key", "k"))));
        HttpResponse<String> repeated = send(broadcast().header("Idempotency-Key", "k"));
        assertEquals(409, repeated.statusCode());
        assertEquals("in_progress", code(repeated));
        assertEquals(1, publishes.get());
        late.completeExceptionally(new RealtimeException(ErrorCode.OVERLOADED, "come later"));
        audit = null;
        HttpResponse<String> answered = send(broadcast().header("Idempotency-Key", "k"));
        assertEquals(200, answered.statusCode(), answered.body());
        assertEquals(2, publishes.get());
    }

    @Test
    void waitEndsInAnotherServerToo() throws IOException {
        audit = published -> new CompletableFuture<>();
        HttpServer other = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        other.createContext(
                "/",
                AdminServer.builder(test.server)
                        .token(TOKEN)
                        .timeout(Duration.ofMillis(100))
                        .handler());
        other.start();
        try {
            URI uri = URI.create("http://localhost:" + other.getAddress().getPort() + "/broadcast");
            HttpResponse<String> answer = send(broadcast().uri(uri).header("Authorization", "Bearer " + TOKEN));
            assertEquals("timeout", code(answer));
        } finally {
            other.stop(0);
        }
    }

    @Test
    void closingEndsTheThreadsOfRequestsThatRun() throws Exception {
        CompletableFuture<Thread> publisher = new CompletableFuture<>();
        audit = published -> {
            publisher.complete(Thread.currentThread());
            return new CompletableFuture<>();
        };
        CompletableFuture<?> post = http.sendAsync(broadcast().build(), BodyHandlers.ofString());
        Thread thread = publisher.get(30, TimeUnit.SECONDS);
        admin.close();
        // Less than the 10 s after which a request ends anyway.
        thread.join(Duration.ofSeconds(5).toMillis());
        assertFalse(thread.isAlive());
        assertThrows(CompletionException.class, post::join);
    }

    // ---------------------------------------------------------------- bad input

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "GET    | /                        | | 404 | not_found",
                "GET    | /rooms/                  | | 404 | not_found",
                "GET    | /rooms/a/b               | | 404 | not_found",
                "GET    | /health/                 | | 404 | not_found",
                "GET    | /../health               | | 404 | not_found",
                "GET    | /rooms/%FF               | | 400 | bad_uri",
                "GET    | /rooms/%C3               | | 400 | bad_uri",
                "GET    | /rooms/@all              | | 400 | bad_data",
                "GET    | /rooms/a%0Ab             | | 400 | bad_data",
                "GET    | /users/a%0Ab             | | 400 | bad_data",
                "GET    | /rooms?limit=0           | | 400 | bad_query",
                "GET    | /rooms?limit=1001        | | 400 | bad_query",
                "GET    | /rooms?limit=-1          | | 400 | bad_query",
                "GET    | /rooms?limit=9999999999  | | 400 | bad_query",
                "GET    | /rooms?limit=1&limit=2   | | 400 | bad_query",
                "GET    | /rooms?what=1            | | 400 | bad_query",
                "POST   | /broadcast               | `` | 400 | bad_data",
                "POST   | /broadcast               | [] | 400 | bad_data",
                "POST   | /broadcast               | {} | 400 | bad_data",
                "POST   | /broadcast               | {\"type\":\"a\"} x | 400 | bad_data",
                "POST   | /broadcast               | {\"type\":\"a\",\"type\":\"b\"} | 400 | bad_data",
                "POST   | /broadcast               | {\"type\":\"a b\"} | 400 | bad_data",
                "POST   | /broadcast               | {\"type\":\"$welcome\"} | 400 | bad_data",
                "POST   | /broadcast               | {\"type\":\"a\",\"room\":\"b\"} | 400 | bad_data",
                "POST   | /broadcast               | {\"type\":\"a\",\"data\":NaN} | 400 | bad_data",
                "POST   | /rooms/@user/events      | {\"type\":\"a\"} | 400 | bad_data",
                "POST   | /users/a%0Ab/events      | {\"type\":\"a\"} | 400 | bad_data",
                "DELETE | /users/a%0Ab/sessions    | | 400 | bad_data",
            })
    void badInputIsAProblemAndChangesNothing(
            String method, String path, @Nullable String body, int status, String code) {
        TestPeer ann = test.plain("ann");
        int rooms = test.server.stats().rooms();
        HttpRequest.Builder request = request(path)
                .header("Content-Type", JSON)
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        HttpResponse<String> answer = send(request);
        assertEquals(status, answer.statusCode(), answer.body());
        assertEquals(code, code(answer));
        test.settle();
        assertEquals(rooms, test.server.stats().rooms());
        assertNull(ann.closed());
        assertEquals(List.of(), ann.types());
    }

    @Test
    void deepNestingIsRefused() {
        String deep = "[".repeat(100_000) + "]".repeat(100_000);
        HttpResponse<String> answer = send(post("/broadcast", "{\"type\":\"a\",\"data\":" + deep + "}"));
        assertEquals("bad_data", code(answer));
    }

    @Test
    void bodyMustSayThatItIsJson() {
        HttpResponse<String> answer = send(request("/broadcast")
                .header("Content-Type", "text/plain")
                .POST(BodyPublishers.ofString("{\"type\":\"a\"}")));
        assertEquals(415, answer.statusCode());
        assertEquals("bad_type", code(answer));
    }

    @Test
    void badKeyIsRefused() {
        HttpResponse<String> answer =
                send(post("/broadcast", "{\"type\":\"a\"}").header("Idempotency-Key", "k".repeat(256)));
        assertEquals("bad_key", code(answer));
    }

    @Test
    void longAddressIsRefused() {
        HttpResponse<String> answer = get("/rooms/" + "a".repeat(Request.MOST_URI));
        assertEquals(414, answer.statusCode());
        assertEquals("too_long", code(answer));
    }

    @Test
    void badEscapeIsRefused() throws IOException {
        String answer = raw("GET /rooms/%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assertTrue(answer.startsWith("HTTP/1.1 400 "), answer);
    }

    @Test
    void longBodyIsRefused() throws IOException {
        String answer = raw("POST /broadcast HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + JSON
                + "\r\nContent-Length: " + (Request.MOST_BODY + 1) + "\r\nConnection: close\r\n\r\n"
                + "x".repeat(Request.MOST_BODY + 1));
        assertTrue(answer.startsWith("HTTP/1.1 413 "), answer);
    }

    @Test
    void longBodyIsRefusedBeforeItIsRead() throws IOException {
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), admin.uri().getPort())) {
            String head = "POST /broadcast HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + JSON
                    + "\r\nContent-Length: 99999999999\r\n\r\n";
            socket.getOutputStream().write(head.getBytes(StandardCharsets.ISO_8859_1));
            socket.shutdownOutput();
            String answer = rest(socket);
            assertTrue(answer.startsWith("HTTP/1.1 413 "), answer);
        }
    }

    @ParameterizedTest
    @CsvSource({"application/json,413", "text/plain,415"})
    void peerThatStillSendsALongBodyGetsTheAnswer(String type, int status) {
        byte[] body = new byte[20 << 20];
        for (HttpRequest.BodyPublisher sent : List.of(
                BodyPublishers.ofByteArray(body),
                BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)))) { // chunked
            HttpResponse<String> answer =
                    send(request("/broadcast").header("Content-Type", type).POST(sent));
            assertEquals(status, answer.statusCode());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"Host: localhost", "Idempotency-Key: k", "Authorization: Bearer a", "Content-Type: " + JSON})
    void secondHeaderOfTheSameNameIsRefused(String second) throws IOException {
        String body = "{\"type\":\"said\"}";
        String answer = raw("POST /broadcast HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: l\r\n"
                + "Authorization: Bearer b\r\nContent-Type: " + JSON + "\r\n" + second + "\r\nContent-Length: "
                + body.length() + "\r\nConnection: close\r\n\r\n" + body);
        assertTrue(answer.startsWith("HTTP/1.1 400 "), answer);
        assertTrue(answer.contains("bad_header"), answer);
        assertEquals(0, publishes.get());
    }

    @ParameterizedTest
    @CsvSource({
        "POST,/health,'GET, HEAD'",
        "PUT,/rooms/a,'GET, HEAD'",
        "GET,/broadcast,POST",
        "PATCH,/sessions/a,'DELETE, GET, HEAD'"
    })
    void wrongMethodIsToldTheRightOnes(String method, String path, String allow) {
        HttpResponse<String> answer = send(request(path).method(method, BodyPublishers.noBody()));
        assertEquals(405, answer.statusCode());
        assertEquals(allow, answer.headers().firstValue("Allow").orElseThrow());
        assertEquals("bad_method", code(answer));
    }

    // ---------------------------------------------------------------- who may ask

    @ParameterizedTest
    @ValueSource(strings = {"evil.example", "evil.example:80", "127.0.0.1.evil.example", ""})
    void foreignHostIsRefused(String host) throws IOException {
        String answer = raw("GET /stats HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
        assertTrue(answer.startsWith("HTTP/1.1 421 "), answer);
        assertTrue(answer.contains("bad_host"), answer);
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost", "127.0.0.1", "localhost:1234", "[::1]:1234"})
    void hostOfThisMachineIsServed(String host) throws IOException {
        String answer = raw("GET /stats HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
        assertTrue(answer.startsWith("HTTP/1.1 200 "), answer);
    }

    @ParameterizedTest
    @ValueSource(strings = {"https://evil.example", "null", "http://127.0.0.1"})
    void pageOfAnotherOriginIsRefused(String origin) {
        TestPeer ann = test.plain("ann");
        HttpResponse<String> answer =
                send(post("/broadcast", "{\"type\":\"said\"}").header("Origin", origin));
        assertEquals(403, answer.statusCode());
        assertEquals("bad_origin", code(answer));
        assertFalse(answer.headers().firstValue("Access-Control-Allow-Origin").isPresent());
        test.settle();
        assertEquals(List.of(), ann.types());
    }

    @Test
    void pageOfAnAllowedOriginMayAskAfterItsPreflight() {
        String origin = "https://ops.example";
        restart(AdminServer.builder(test.server).token(TOKEN).allowOrigin(origin));
        HttpResponse<String> preflight = send(request("/broadcast")
                .method("OPTIONS", BodyPublishers.noBody())
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST"));
        assertEquals(204, preflight.statusCode());
        assertEquals(
                origin,
                preflight.headers().firstValue("Access-Control-Allow-Origin").orElseThrow());
        assertEquals(
                401, send(request("/stats").header("Origin", origin)).statusCode(), "the preflight alone has no token");
        HttpResponse<String> stats =
                send(request("/stats").header("Origin", origin).header("Authorization", "Bearer " + TOKEN));
        assertEquals(200, stats.statusCode());
        assertEquals(
                origin,
                stats.headers().firstValue("Access-Control-Allow-Origin").orElseThrow());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "Bearer ",
                "Bearer a-token-of-sixteen-or-mor",
                "Bearer a-token-of-sixteen-or-more2",
                "Basic YTpi",
                "a-token-of-sixteen-or-more"
            })
    void requestWithoutTheTokenIsRefused(String header) {
        restart(AdminServer.builder(test.server).token(TOKEN));
        HttpRequest.Builder request = request("/health");
        HttpResponse<String> answer = send(header.isEmpty() ? request : request.header("Authorization", header));
        assertEquals(401, answer.statusCode());
        assertEquals("unauthorized", code(answer));
        assertEquals("Bearer", answer.headers().firstValue("WWW-Authenticate").orElseThrow());
    }

    @Test
    void withTheTokenAnyHostIsServed() throws IOException {
        restart(AdminServer.builder(test.server).host("0.0.0.0").token(TOKEN));
        String answer = raw("GET /stats HTTP/1.1\r\nHost: ops.example\r\nAuthorization: Bearer " + TOKEN
                + "\r\nConnection: close\r\n\r\n");
        assertTrue(answer.startsWith("HTTP/1.1 200 "), answer);
    }

    @Test
    void addressForOthersNeedsAToken() {
        AdminServer.Builder open = AdminServer.builder(test.server).host("0.0.0.0");
        IllegalStateException refused = assertThrows(IllegalStateException.class, open::start);
        assertTrue(String.valueOf(refused.getMessage()).contains("0.0.0.0"), refused.getMessage());
        assertThrows(IllegalStateException.class, open::handler);
        assertThrows(IllegalArgumentException.class, () -> open.token("short"));
        assertThrows(IllegalArgumentException.class, () -> open.port(70_000));
    }

    @Test
    void takenPortIsNamed() {
        int port = admin.uri().getPort();
        RealtimeException taken = assertThrows(
                RealtimeException.class,
                () -> AdminServer.builder(test.server).port(port).start());
        assertEquals("bind_failed", taken.code().value());
        assertTrue(String.valueOf(taken.getMessage()).contains("127.0.0.1:" + port), taken.getMessage());
    }

    @Test
    void handlerIsMountedInAnotherServer() throws IOException {
        HttpServer other = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        other.createContext(
                "/ops/", AdminServer.builder(test.server).token(TOKEN).handler());
        other.start();
        try {
            URI health = URI.create("http://localhost:" + other.getAddress().getPort() + "/ops/health");
            HttpResponse<String> answer =
                    send(HttpRequest.newBuilder(health).header("Authorization", "Bearer " + TOKEN));
            assertEquals(200, answer.statusCode(), answer.body());
            assertEquals(401, send(HttpRequest.newBuilder(health)).statusCode());
        } finally {
            other.stop(0);
        }
    }

    // ---------------------------------------------------------------- slow and many

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GET /health HTTP/1.1\r\nHost: loc",
                "POST /broadcast HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        + "Content-Length: 100\r\n\r\n{\"type\":"
            })
    void slowRequestsAreCutAndHoldNoThread(String begun) throws IOException {
        restart(AdminServer.builder(test.server).timeout(Duration.ofMillis(300)));
        List<Socket> slow = new ArrayList<>();
        try {
            for (int i = 0; i < 2 * AdminThreads.THREADS; i++) {
                Socket socket =
                        new Socket(InetAddress.getLoopbackAddress(), admin.uri().getPort());
                slow.add(socket);
                socket.getOutputStream().write(begun.getBytes(StandardCharsets.ISO_8859_1));
            }
            assertEquals(200, get("/health").statusCode(), "behind all of these");
            for (Socket socket : slow) {
                assertEquals("", rest(socket), "closed without an answer");
            }
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
    }

    // ---------------------------------------------------------------- the OpenAPI file

    @Test
    void openApiFileNamesExactlyTheRoutes() {
        JsonObject paths = json("/openapi.json").getAsJsonObject("paths");
        Set<String> described = paths.entrySet().stream()
                .flatMap(path -> path.getValue().getAsJsonObject().keySet().stream()
                        .map(method -> method.toUpperCase(Locale.ROOT) + " " + path.getKey()))
                .collect(Collectors.toCollection(TreeSet::new));
        AdminHandler handler = new AdminHandler(test.server, null, Set.of(), null, Duration.ZERO);
        assertEquals(new TreeSet<>(handler.routes()), described);
    }

    @Test
    void openApiFileNamesTheFieldsOfTheAnswers() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        JsonObject session =
                json("/users/ann").getAsJsonArray("sessions").get(0).getAsJsonObject();
        JsonObject room = json("/rooms/chat:1");
        JsonElement member = room.remove("firstMembers").getAsJsonArray().get(0);
        assertDescribed("Stats", json("/stats"));
        assertDescribed("Health", json("/health"));
        assertDescribed("Session", session);
        assertDescribed("Room", room);
        assertDescribed("Member", member.getAsJsonObject());
        assertDescribed(
                "Problem", JsonParser.parseString(get("/nothing").body()).getAsJsonObject());
    }

    private void assertDescribed(String schema, JsonObject answer) {
        JsonObject described = json("/openapi.json")
                .getAsJsonObject("components")
                .getAsJsonObject("schemas")
                .getAsJsonObject(schema)
                .getAsJsonObject("properties");
        assertEquals(new TreeSet<>(described.keySet()), new TreeSet<>(answer.keySet()), schema);
    }
}
