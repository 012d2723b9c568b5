package io.realtime.examples;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;

/** An endpoint for chat completions on this machine that answers as a test says, and keeps what it was asked. */
final class ModelStub implements AutoCloseable {
    /** What a chunk of a completion looks like. */
    static final String CHUNK = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n";

    static final String DONE = "data: [DONE]\n\n";

    /** The questions: headers by name in lower case, and under {@code ""} the body. */
    final BlockingQueue<Map<String, String>> asked = new LinkedBlockingQueue<>();

    private final HttpServer http;
    private final ExecutorService executor = Executors.newCachedThreadPool();

    /** Answers one question, and may take its time. What it throws cuts the connection. */
    interface Answer {
        void give(HttpExchange exchange) throws IOException, InterruptedException;
    }

    ModelStub(Answer answer) throws IOException {
        http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.setExecutor(executor);
        http.createContext("/v1/chat/completions", exchange -> {
            String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            @Nullable String authorization = exchange.getRequestHeaders().getFirst("Authorization");
            asked.add(Map.of("authorization", String.valueOf(authorization), "", body));
            try {
                answer.give(exchange);
            } catch (InterruptedException closing) {
                throw new IOException(closing);
            }
            exchange.close();
        });
        http.start();
    }

    /** Answers with an event stream in these pieces, each of which travels alone, and an orderly end. */
    static Answer events(String... pieces) {
        return exchange -> {
            OutputStream out = begin(exchange);
            for (String piece : pieces) {
                send(out, piece);
            }
        };
    }

    /** Answers with a status and a body that quotes the key, as some do. */
    static Answer status(int status) {
        return exchange -> {
            byte[] body = exchange.getRequestHeaders().toString().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        };
    }

    /** Sends the head of an event stream. */
    static OutputStream begin(HttpExchange exchange) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "text/event-stream; charset=utf-8");
        exchange.sendResponseHeaders(200, 0);
        exchange.getResponseBody().flush();
        return exchange.getResponseBody();
    }

    /** Sends now. */
    static void send(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    static String chunk(String words) {
        return String.format(CHUNK, words);
    }

    /** Returns what is appended to for a question. */
    URI base() {
        return URI.create("http://127.0.0.1:" + http.getAddress().getPort() + "/v1");
    }

    @Override
    public void close() {
        executor.shutdownNow();
        http.stop(0);
    }
}
