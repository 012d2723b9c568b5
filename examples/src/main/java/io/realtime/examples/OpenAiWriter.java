package io.realtime.examples;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A writer that asks a model behind any HTTP endpoint with OpenAI's chat completions API. Its errors never quote the
 * endpoint's answer, because some endpoints repeat the key in it.
 */
final class OpenAiWriter implements ScriptWriter {
    /** The code of its failures. */
    static final ErrorCode FAILED = ErrorCode.of("writer_failed");

    static final int MAX_EVENT = 64 << 10;

    private static final String TASK =
            "Write the script of a two-minute spoken video about the topic that the user names."
                    + " Plain text in paragraphs, no headings, no markup.";
    private static final Gson GSON = new Gson();

    private final HttpClient http;
    private final URI completions;
    private final String model;
    private final @Nullable String key;
    private final Patience patience;

    /**
     * The timeouts.
     *
     * @param connect for the connection
     * @param answer for the head of the answer, after the connection is made
     * @param idle for each further part of the answer
     */
    record Patience(Duration connect, Duration answer, Duration idle) {
        static final Patience DEFAULT =
                new Patience(Duration.ofSeconds(5), Duration.ofSeconds(30), Duration.ofSeconds(30));
    }

    /**
     * Creates a writer for one endpoint.
     *
     * @param base the URL to which {@code /chat/completions} is appended
     * @param key the API key; null if the endpoint needs none
     */
    OpenAiWriter(URI base, String model, @Nullable String key, Patience patience) {
        this.completions = URI.create(base.toString().replaceFirst("/+$", "") + "/chat/completions");
        this.model = model;
        this.key = key;
        this.patience = patience;
        // Not HTTP/2: over plain HTTP it begins with an upgrade that makes some model servers fail.
        this.http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(patience.connect())
                .build();
    }

    /**
     * Creates a writer with the endpoint, model and key from {@code OPENAI_BASE_URL}, {@code OPENAI_MODEL} and {@code
     * OPENAI_API_KEY}.
     *
     * @throws UsageException if a variable is missing or invalid; the message names it, but never its value
     */
    static OpenAiWriter of(Function<String, @Nullable String> environment) {
        String base = variable(environment, "OPENAI_BASE_URL");
        String model = variable(environment, "OPENAI_MODEL");
        String key = variable(environment, "OPENAI_API_KEY");
        if (key == null && base == null) {
            throw new UsageException("OPENAI_API_KEY is missing from the environment");
        }
        // Checked here, because the HTTP client would quote the key.
        if (key != null && !key.chars().allMatch(c -> c > ' ' && c < 0x7F)) {
            throw new UsageException("OPENAI_API_KEY holds characters that a header cannot");
        }
        return new OpenAiWriter(
                address(base == null ? "https://api.openai.com/v1" : base),
                model == null ? "gpt-4o-mini" : model,
                key,
                Patience.DEFAULT);
    }

    private static @Nullable String variable(Function<String, @Nullable String> environment, String name) {
        String value = environment.apply(name);
        return value == null || value.isBlank() ? null : value.strip();
    }

    private static URI address(String text) {
        try {
            URI address = new URI(text);
            boolean http =
                    "https".equalsIgnoreCase(address.getScheme()) || "http".equalsIgnoreCase(address.getScheme());
            if (http && address.getHost() != null && address.getQuery() == null && address.getFragment() == null) {
                return address;
            }
        } catch (URISyntaxException notOne) {
            // Reported below, without its message: that quotes the text, which may contain a password.
        }
        throw new UsageException("OPENAI_BASE_URL is no address of the form https://host/v1");
    }

    @Override
    public void write(String topic, Consumer<String> reader) throws InterruptedException {
        try (Body body = new Body()) {
            // The exchange is closed however the request or the reading ends.
            requireEvents(ask(topic, body));
            read(body, reader);
        }
    }

    private HttpResponse<Body> ask(String topic, Body body) throws InterruptedException {
        List<Map<String, String>> messages =
                List.of(Map.of("role", "system", "content", TASK), Map.of("role", "user", "content", topic));
        String question = GSON.toJson(Map.of("model", model, "stream", true, "messages", messages));
        HttpRequest.Builder request = HttpRequest.newBuilder(completions)
                .timeout(patience.answer())
                .header("Content-Type", "application/json")
                .header("Accept", "text/event-stream")
                .POST(HttpRequest.BodyPublishers.ofString(question));
        if (key != null) {
            request.header("Authorization", "Bearer " + key);
        }
        try {
            return http.send(request.build(), head -> body);
        } catch (HttpConnectTimeoutException | ConnectException unreachable) {
            throw failed("cannot be reached", unreachable);
        } catch (HttpTimeoutException late) {
            throw failed("did not answer within " + patience.answer().toMillis() + " ms", late);
        } catch (IOException broken) {
            throw failed("hung up before it answered", broken);
        }
    }

    private static void requireEvents(HttpResponse<?> answer) {
        int status = answer.statusCode();
        if (status != 200) {
            String why = switch (status) {
                case 401, 403 -> "refuses the key";
                case 404 -> "knows no such model or address";
                case 429 -> "has had too many questions, or the account is empty";
                default -> status < 500 ? "refuses the question" : "has failed";
            };
            throw failed(why + " (status " + status + ")", null);
        }
        String type = answer.headers().firstValue("Content-Type").orElse("");
        if (!type.startsWith("text/event-stream")) {
            throw failed("does not answer with an event stream", null);
        }
    }

    private void read(Body body, Consumer<String> reader) throws InterruptedException {
        EventStream events = new EventStream(MAX_EVENT);
        boolean begun = false;
        for (List<ByteBuffer> bytes = next(body); bytes != null; bytes = next(body)) {
            for (ByteBuffer piece : bytes) {
                for (String data : events(events, piece)) {
                    if (data.equals("[DONE]")) {
                        if (!begun) {
                            throw failed("answered without a word", null);
                        }
                        return;
                    }
                    String words = words(data);
                    if (!words.isEmpty()) {
                        begun = true;
                        reader.accept(words);
                    }
                }
            }
        }
        throw failed("ended before the script did", null);
    }

    private @Nullable List<ByteBuffer> next(Body body) throws InterruptedException {
        Part part = body.next(patience.idle());
        if (part == null) {
            throw failed("fell silent for " + patience.idle().toMillis() + " ms", null);
        }
        if (part.failure() != null) {
            throw failed("hung up before the script's end", part.failure());
        }
        return part.bytes();
    }

    private static List<String> events(EventStream events, ByteBuffer bytes) {
        try {
            return events.read(bytes);
        } catch (IllegalStateException tooLong) {
            throw failed("sent an event of more than " + MAX_EVENT + " bytes", tooLong);
        }
    }

    /** Returns the words in one event's data. Events that only name the speaker or the cost contain none. */
    private static String words(String data) {
        Chunk chunk;
        try {
            chunk = GSON.fromJson(data, Chunk.class);
        } catch (JsonParseException notJson) {
            // A cause would quote the data.
            throw failed("sent something that is no chat completion", null);
        }
        if (chunk != null && chunk.error() != null) {
            throw failed("reports an error", null);
        }
        if (chunk == null || chunk.choices() == null) {
            throw failed("sent something that is no chat completion", null);
        }
        StringBuilder words = new StringBuilder();
        for (Choice choice : chunk.choices()) {
            if (choice != null && choice.delta() != null && choice.delta().content() != null) {
                words.append(choice.delta().content());
            }
        }
        return words.toString();
    }

    private static RealtimeException failed(String what, @Nullable Throwable cause) {
        return new RealtimeException(FAILED, "the model's endpoint " + what, true, cause);
    }

    private record Chunk(
            @Nullable List<@Nullable Choice> choices,
            @Nullable JsonElement error) {}

    private record Choice(@Nullable Delta delta) {}

    private record Delta(@Nullable String content) {}

    /** What has arrived: bytes, or a failure, or neither at the end. */
    private record Part(
            @Nullable List<ByteBuffer> bytes, @Nullable Throwable failure) {}

    /**
     * A response body that is requested part by part, so that a slow reader causes back-pressure on the socket. It has
     * a timeout for each part; the JDK's own body would wait for ever.
     */
    private static final class Body implements HttpResponse.BodySubscriber<Body>, AutoCloseable {
        // At most one part, and the end.
        private final BlockingQueue<Part> parts = new LinkedBlockingQueue<>();
        private volatile Flow.@Nullable Subscription subscription;
        private volatile boolean closed;

        /** Waits for the next part. Returns null if none arrives in time. */
        @Nullable
        Part next(Duration wait) throws InterruptedException {
            Part part = parts.poll(wait.toMillis(), TimeUnit.MILLISECONDS);
            Flow.Subscription from = subscription;
            if (part != null && from != null) {
                from.request(1);
            }
            return part;
        }

        @Override
        public CompletionStage<Body> getBody() {
            return CompletableFuture.completedFuture(this);
        }

        @Override
        public void onSubscribe(Flow.Subscription from) {
            subscription = from;
            if (closed) {
                // Closed meanwhile.
                from.cancel();
            } else {
                from.request(1);
            }
        }

        @Override
        public void onNext(List<ByteBuffer> bytes) {
            parts.add(new Part(bytes, null));
        }

        @Override
        public void onError(Throwable failure) {
            parts.add(new Part(null, failure));
        }

        @Override
        public void onComplete() {
            parts.add(new Part(null, null));
        }

        /** Closes the connection unless the body has ended. Returns at once. */
        @Override
        public void close() {
            closed = true;
            Flow.Subscription from = subscription;
            if (from != null) {
                from.cancel();
            }
        }
    }
}
