package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import io.realtime.RemoteException;
import io.realtime.StreamListener;
import io.realtime.Subscription;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.Script.Piece;
import io.realtime.examples.Script.Topic;
import io.realtime.testing.FaultProxy;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The script demo over real sockets. */
@Timeout(60)
class AiStreamIT {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final Gson GSON = new Gson();
    private static final int WITH_WEBSOCKET_TO_TRY = 20;
    private static final String KEY = "sk-a-very-secret-key";
    private static final Set<Integer> CUTS = Set.of(20, 70, 75, 150); // after so many items

    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    private <T extends AutoCloseable> T opened(T closeable) {
        open.push(closeable);
        return closeable;
    }

    /** The demo with the mock, this fast. */
    private Run mock(int wordMs) {
        return demo(Map.of(), "--word-ms", Integer.toString(wordMs));
    }

    /** The demo with a model behind this stub. */
    private Run model(ModelStub.Answer answer) throws IOException {
        ModelStub stub = opened(new ModelStub(answer));
        Map<String, String> environment = Map.of("OPENAI_BASE_URL", stub.base().toString(), "OPENAI_API_KEY", KEY);
        return demo(environment, "--provider", "openai", "--word-ms", "0");
    }

    private Run demo(Map<String, String> environment, String... more) {
        List<String> line = new ArrayList<>(List.of("ai-stream", "--port", "0", "--page-port", "0"));
        line.addAll(List.of(more));
        return opened(new Run(environment, line.toArray(String[]::new)));
    }

    private static String page(Run run) {
        return run.shown("page (http://localhost:\\d+/)");
    }

    private static URI socket(Run run) {
        return URI.create(run.shown("socket (ws://127\\.0\\.0\\.1:\\d+/ws)"));
    }

    private static URI through(FaultProxy proxy) {
        return URI.create("ws://127.0.0.1:" + proxy.port() + "/ws");
    }

    private static String token(Run run, String user) throws IOException, InterruptedException {
        HttpRequest login = HttpRequest.newBuilder(URI.create(page(run) + "token"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"name\":\"" + user + "\"}"))
                .build();
        String answer = HTTP.send(login, HttpResponse.BodyHandlers.ofString()).body();
        return JsonParser.parseString(answer).getAsJsonObject().get("token").getAsString();
    }

    private RealtimeClient client(URI address, String token, ClientListener listener) {
        RealtimeClient client = opened(
                RealtimeClient.builder(address).token(token).listener(listener).build());
        client.connect().join();
        return client;
    }

    private RealtimeClient client(Run run, String user) throws IOException, InterruptedException {
        return client(socket(run), token(run, user), new ClientListener() {});
    }

    private static String script(String topic) throws InterruptedException {
        StringBuilder script = new StringBuilder();
        new MockWriter(Duration.ZERO).write(topic, script::append);
        return script.toString();
    }

    /** What came of a stream: its pieces, and its end when there is one. */
    private static class Taken implements StreamListener<Piece> {
        final List<Piece> pieces = new CopyOnWriteArrayList<>();
        final CompletableFuture<@Nullable Throwable> ended = new CompletableFuture<>();

        @Override
        public void onItem(Piece piece) {
            pieces.add(piece);
        }

        @Override
        public void onEnd() {
            ended.complete(null);
        }

        @Override
        public void onError(Throwable failure) {
            ended.complete(failure);
        }

        String text() {
            return pieces.stream().map(Piece::text).filter(text -> text != null).collect(Collectors.joining());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "'', text/html; charset=utf-8, <!doctype html>",
        "page.css, text/css; charset=utf-8, :root",
        "page.js, text/javascript; charset=utf-8, //",
        "script.js, text/javascript; charset=utf-8, //",
        "session.js, text/javascript; charset=utf-8, //"
    })
    void pageLoadsNothingForeignAndParsesNoDataAsHtml(String path, String type, String begin) throws Exception {
        HttpResponse<String> answer = HTTP.send(
                HttpRequest.newBuilder(URI.create(page(mock(0)) + path)).build(), HttpResponse.BodyHandlers.ofString());

        assertEquals(200, answer.statusCode());
        assertEquals(type, answer.headers().firstValue("Content-Type").orElse(""));
        String body = answer.body();
        assertTrue(body.startsWith(begin), body);
        assertFalse(body.contains("http://") || body.contains("https://") || body.contains("//cdn"), body);
        assertFalse(
                body.contains("innerHTML") || body.contains("insertAdjacentHTML") || body.contains("document.write"));
        assertFalse(path.isEmpty() && body.matches("(?s).*(<style|style=|\\son\\w+=|<script>).*"), body);
    }

    @Test
    void twoUsersAtOnceEachHaveTheirOwnWords() throws Exception {
        Run run = mock(1);
        CyclicBarrier bothHaveBegun = new CyclicBarrier(2);
        Map<String, Taken> taken = Map.of("tea", waitingOnce(bothHaveBegun), "the sea", waitingOnce(bothHaveBegun));

        for (Map.Entry<String, Taken> one : taken.entrySet()) {
            client(run, "user of " + one.getKey()).stream(Script.GENERATE, new Topic(one.getKey()), one.getValue());
        }

        for (Map.Entry<String, Taken> one : taken.entrySet()) {
            assertEquals(null, one.getValue().ended.get());
            assertEquals(script(one.getKey()), one.getValue().text());
        }
    }

    /** One that goes on behind its first word when the other has one, too. */
    private static Taken waitingOnce(CyclicBarrier barrier) {
        return new Taken() {
            @Override
            public void onItem(Piece piece) {
                super.onItem(piece);
                if (pieces.size() == 1) {
                    try {
                        barrier.await();
                    } catch (Exception broken) {
                        throw new IllegalStateException(broken);
                    }
                }
            }
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"java-websocket", "netty"})
    void streamGoesOnAfterEachCutWithoutAWordLostOrTwice(String transport) throws Exception {
        Run run = demo(Map.of(), "--word-ms", "2", "--transport", transport);
        FaultProxy proxy = opened(FaultProxy.to(socket(run).getPort()));
        AtomicInteger connections = new AtomicInteger();
        ClientListener counting = new ClientListener() {
            @Override
            public void onState(ConnectionState state) {
                if (state.status() == ConnectionState.Status.OPEN) {
                    connections.incrementAndGet();
                }
            }
        };
        Taken taken = new Taken() {
            @Override
            public void onItem(Piece piece) {
                super.onItem(piece);
                if (CUTS.contains(pieces.size())) {
                    proxy.cutAll();
                }
            }
        };

        client(through(proxy), token(run, "ada"), counting).stream(Script.GENERATE, new Topic("tea"), taken);

        assertEquals(null, taken.ended.get());
        assertEquals(script("tea"), taken.text());
        assertTrue(connections.get() > 1, "the connection was never lost");
    }

    @Test
    void pageResumesItsSessionAfterEachCut() throws Exception {
        Run run = mock(2);
        FaultProxy proxy = opened(FaultProxy.to(socket(run).getPort()));
        StringBuilder text = new StringBuilder();
        AtomicInteger items = new AtomicInteger();

        String end = page(
                piece -> {
                    text.append(piece.text());
                    if (CUTS.contains(items.incrementAndGet())) {
                        proxy.cutAll();
                    }
                },
                through(proxy).toString(),
                token(run, "ada"),
                "tea");

        assertEquals("end", end);
        assertEquals(script("tea"), text.toString());
    }

    @Test
    void pageThatStopsStreamStopsTheModel() throws Exception {
        CompletableFuture<IOException> seen = new CompletableFuture<>();
        Run run = model(exchange -> writeUntilCut(exchange, seen));

        String end = page(piece -> {}, socket(run).toString(), token(run, "ada"), "tea", "40");

        assertEquals("cancelled", end);
        assertNotNull(seen.get());
    }

    /** Has the page's session take a stream, with Node.js around it; returns how it ended. */
    private String page(Consumer<Piece> reader, String... arguments) throws IOException {
        List<String> line = new ArrayList<>(List.of("live.mjs"));
        line.addAll(List.of(arguments));
        if (Node.version() < Node.WITH_WEBSOCKET) {
            line.add(0, "--experimental-websocket");
        }
        Process node = Node.start(WITH_WEBSOCKET_TO_TRY, line.toArray(String[]::new));
        opened(node::destroyForcibly);
        try (BufferedReader out = node.inputReader()) {
            for (String told = out.readLine(); told != null; told = out.readLine()) {
                if (told.startsWith("{\"end\"")) {
                    return JsonParser.parseString(told)
                            .getAsJsonObject()
                            .get("end")
                            .getAsString();
                } else if (told.startsWith("{")) { // else Node's remark about the flag
                    reader.accept(GSON.fromJson(told, Piece.class));
                }
            }
        }
        return "nothing";
    }

    @Test
    void stoppingReachesTheModel() throws Exception {
        CompletableFuture<IOException> seen = new CompletableFuture<>();
        Run run = model(exchange -> writeUntilCut(exchange, seen));
        CompletableFuture<Subscription> stream = new CompletableFuture<>();
        Taken taken = new Taken() {
            @Override
            public void onItem(Piece piece) {
                super.onItem(piece);
                if (pieces.size() == 100) {
                    stream.join().close();
                }
            }
        };

        stream.complete(client(run, "ada").stream(Script.GENERATE, new Topic("tea"), taken));

        assertNotNull(seen.get());
        assertEquals(100, taken.pieces.size());
    }

    /** Goes on as a model would that nobody stops, until the socket says that nobody listens. */
    private static void writeUntilCut(HttpExchange exchange, CompletableFuture<IOException> seen) throws IOException {
        OutputStream out = ModelStub.begin(exchange);
        try {
            while (true) {
                ModelStub.send(out, ModelStub.chunk("more "));
            }
        } catch (IOException cut) {
            seen.complete(cut);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{'topic':null}", "{'topic':'  '}"})
    void topicIsRequired(String question) throws Exception {
        Run run = mock(0);
        try (Peer peer = new Peer(socket(run).toString(), token(run, "ada"))) {
            assertEquals("bad_data: topic is required", peer.error("script.generate", null, question));
        }
    }

    @Test
    void modelThatRefusesIsReplacedAndThePageIsToldWhy() throws Exception {
        Run run = model(ModelStub.status(401));
        Taken taken = new Taken();

        client(run, "ada").stream(Script.GENERATE, new Topic("tea"), taken);

        assertEquals(null, taken.ended.get());
        assertEquals(
                Piece.notice("This is a sample text, because the model's endpoint refuses the key (status 401)."),
                taken.pieces.get(0));
        assertEquals(script("tea"), taken.text());
        assertFalse((run.out() + run.err()).contains(KEY));
    }

    @Test
    void modelThatFailsMidwayEndsStreamWithError() throws Exception {
        Run run = model(exchange -> {
            ModelStub.send(ModelStub.begin(exchange), ModelStub.chunk("Tea "));
            throw new IOException("cut");
        });
        Taken taken = new Taken();

        client(run, "ada").stream(Script.GENERATE, new Topic("tea"), taken);

        RemoteException told = assertInstanceOf(RemoteException.class, taken.ended.get());
        assertEquals(OpenAiWriter.FAILED, told.code());
        assertEquals("the model's endpoint hung up before the script's end", told.getMessage());
        assertEquals(List.of(Piece.text("Tea ")), taken.pieces);
    }
}
