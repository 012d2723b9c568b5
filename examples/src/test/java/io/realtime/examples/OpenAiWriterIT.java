package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import io.realtime.RealtimeException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The writer against an endpoint on this machine, which answers well and badly. */
@Timeout(60)
class OpenAiWriterIT {
    private static final String KEY = "sk-a-very-secret-key";
    private static final Duration LONG = Duration.ofSeconds(50);
    private static final Duration SHORT = Duration.ofMillis(200);
    private static final OpenAiWriter.Patience PATIENT = new OpenAiWriter.Patience(LONG, LONG, LONG);

    private final List<AutoCloseable> open = new ArrayList<>();
    private final List<String> words = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    private ModelStub stub(ModelStub.Answer answer) throws IOException {
        ModelStub stub = new ModelStub(answer);
        open.add(stub);
        return stub;
    }

    private OpenAiWriter writer(ModelStub.Answer answer) throws IOException {
        return new OpenAiWriter(stub(answer).base(), "small", KEY, PATIENT);
    }

    /** Has it fail and returns what it says, which never holds the key; nor does the stack trace. */
    private String failure(OpenAiWriter writer) {
        RealtimeException failed = assertThrows(RealtimeException.class, () -> writer.write("tea", words::add));
        assertEquals(OpenAiWriter.FAILED, failed.code());
        StringWriter trace = new StringWriter();
        failed.printStackTrace(new PrintWriter(trace));
        assertFalse(trace.toString().contains(KEY), trace::toString);
        return failed.getMessage();
    }

    @Test
    void itAsksForAStreamAndHandsOverEachPiece() throws Exception {
        ModelStub stub = stub(ModelStub.events(
                "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
                ModelStub.chunk("Tea "),
                ModelStub.chunk("is "),
                ModelStub.chunk("nice."),
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
                "data: {\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\n",
                ModelStub.DONE));

        new OpenAiWriter(URI.create(stub.base() + "/"), "small", KEY, PATIENT).write("tea \"leaves\"", words::add);

        assertEquals(List.of("Tea ", "is ", "nice."), words);
        Map<String, String> asked = stub.asked.take();
        assertEquals("Bearer " + KEY, asked.get("authorization"));
        JsonObject question = JsonParser.parseString(asked.get("")).getAsJsonObject();
        assertEquals("small", question.get("model").getAsString());
        assertEquals(true, question.get("stream").getAsBoolean());
        JsonObject last = question.getAsJsonArray("messages").get(1).getAsJsonObject();
        assertEquals("user", last.get("role").getAsString());
        assertEquals("tea \"leaves\"", last.get("content").getAsString());
    }

    @Test
    void withoutAKeyNoneIsSent() throws Exception {
        ModelStub stub = stub(ModelStub.events(ModelStub.chunk("Tea"), ModelStub.DONE));

        new OpenAiWriter(stub.base(), "small", null, PATIENT).write("tea", words::add);

        assertEquals("null", stub.asked.take().get("authorization"));
    }

    @Test
    void carriageReturnsCommentsAndKeepAlivesAreSkipped() throws Exception {
        writer(ModelStub.events(
                        ": waiting\r\n\r\n",
                        ModelStub.chunk("Tea ").replace("\n", "\r\n"),
                        ": keep-alive\r\n\r\n",
                        "event: ping\r\n\r\n",
                        ModelStub.chunk("time").replace("\n", "\r\n"),
                        ModelStub.DONE.replace("\n", "\r\n")))
                .write("tea", words::add);

        assertEquals(List.of("Tea ", "time"), words);
    }

    @Test
    void charactersAndLinesMayBeCutAnywhere() throws Exception {
        byte[] all = (ModelStub.chunk("Grüße ") + ModelStub.chunk("\uD83C\uDF75") + ModelStub.DONE)
                .getBytes(StandardCharsets.UTF_8);

        writer(exchange -> {
                    OutputStream out = ModelStub.begin(exchange);
                    for (byte one : all) {
                        out.write(one);
                        out.flush();
                    }
                })
                .write("tea", words::add);

        assertEquals(List.of("Grüße ", "\uD83C\uDF75"), words);
    }

    static Stream<Arguments> answersWithoutAWord() {
        return Stream.of(
                Arguments.of(ModelStub.events(ModelStub.DONE), "answered without a word"),
                Arguments.of(ModelStub.events(), "ended before the script did"),
                Arguments.of(ModelStub.events("data: {\"choices\":\n\n"), "sent something that is no chat completion"),
                Arguments.of(ModelStub.events("data: {}\n\n"), "sent something that is no chat completion"),
                Arguments.of(ModelStub.events("data: [1]\n\n"), "sent something that is no chat completion"),
                Arguments.of(
                        ModelStub.events("data: {\"error\":{\"message\":\"bad key " + KEY + "\"}}\n\n"),
                        "reports an error"),
                Arguments.of(
                        ModelStub.events("data: " + "x".repeat(OpenAiWriter.MAX_EVENT)),
                        "sent an event of more than 65536 bytes"),
                Arguments.of(ModelStub.status(200), "does not answer with an event stream"),
                Arguments.of((ModelStub.Answer) OpenAiWriterIT::cut, "hung up before it answered"));
    }

    private static void cut(HttpExchange exchange) throws IOException {
        throw new IOException("cut");
    }

    @ParameterizedTest
    @MethodSource("answersWithoutAWord")
    void malformedAnswerIsReported(ModelStub.Answer answer, String told) throws Exception {
        assertEquals("the model's endpoint " + told, failure(writer(answer)));
        assertEquals(List.of(), words);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "400 | refuses the question (status 400)",
                "401 | refuses the key (status 401)",
                "404 | knows no such model or address (status 404)",
                "429 | has had too many questions, or the account is empty (status 429)",
                "500 | has failed (status 500)",
            })
    void errorStatusIsReportedWithoutItsBody(int status, String told) throws Exception {
        assertEquals("the model's endpoint " + told, failure(writer(ModelStub.status(status))));
    }

    @Test
    void endpointThatIsNotThereCannotBeReached() throws Exception {
        int free;
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            free = taken.getLocalPort();
        }
        URI base = URI.create("http://127.0.0.1:" + free + "/v1");

        assertEquals("the model's endpoint cannot be reached", failure(new OpenAiWriter(base, "small", KEY, PATIENT)));
    }

    @Test
    void endpointThatNeverAnswersTimesOut() throws Exception {
        OpenAiWriter writer = new OpenAiWriter(
                stub(exchange -> new CountDownLatch(1).await()).base(),
                "small",
                KEY,
                new OpenAiWriter.Patience(LONG, SHORT, LONG));

        assertEquals("the model's endpoint did not answer within 200 ms", failure(writer));
    }

    @Test
    void endpointThatFallsSilentTimesOutAfterItsWords() throws Exception {
        OpenAiWriter writer = new OpenAiWriter(
                stub(exchange -> {
                            ModelStub.send(ModelStub.begin(exchange), ModelStub.chunk("Tea "));
                            new CountDownLatch(1).await();
                        })
                        .base(),
                "small",
                KEY,
                new OpenAiWriter.Patience(LONG, LONG, SHORT));

        assertEquals("the model's endpoint fell silent for 200 ms", failure(writer));
        assertEquals(List.of("Tea "), words);
    }

    @Test
    void hangUpMidwayFailsAfterTheWords() throws Exception {
        String told = failure(writer(exchange -> {
            ModelStub.send(ModelStub.begin(exchange), ModelStub.chunk("Tea "));
            throw new IOException("cut");
        }));

        assertEquals("the model's endpoint hung up before the script's end", told);
        assertEquals(List.of("Tea "), words);
    }

    @Test
    void endWithoutDoneFails() throws Exception {
        assertEquals(
                "the model's endpoint ended before the script did",
                failure(writer(ModelStub.events(ModelStub.chunk("Tea ")))));
        assertEquals(List.of("Tea "), words);
    }

    @Test
    void readerThatStopsClosesTheExchange() throws Exception {
        CompletableFuture<IOException> seen = new CompletableFuture<>();
        RuntimeException enough = new RuntimeException("enough");
        OpenAiWriter writer = writer(exchange -> writeUntilCut(ModelStub.begin(exchange), seen));

        RuntimeException ended = assertThrows(
                RuntimeException.class,
                () -> writer.write("tea", piece -> {
                    throw enough;
                }));

        assertSame(enough, ended);
        assertNotNull(seen.get());
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void interruptClosesTheExchangeWhereverItStands(boolean begun) throws Exception {
        CountDownLatch arrived = new CountDownLatch(1);
        CountDownLatch interrupted = new CountDownLatch(1);
        CompletableFuture<IOException> seen = new CompletableFuture<>();
        OpenAiWriter writer = writer(exchange -> {
            if (begun) {
                ModelStub.begin(exchange);
            }
            arrived.countDown();
            interrupted.await();
            OutputStream out = begun ? exchange.getResponseBody() : ModelStub.begin(exchange);
            writeUntilCut(out, seen);
        });
        CompletableFuture<Throwable> ended = new CompletableFuture<>();
        Thread reader = new Thread(() -> {
            try {
                writer.write("tea", words::add);
            } catch (InterruptedException | RuntimeException end) {
                ended.complete(end);
            }
        });
        reader.start();
        arrived.await();
        reader.interrupt();

        assertInstanceOf(InterruptedException.class, ended.get());
        interrupted.countDown();
        assertNotNull(seen.get());
        assertEquals(List.of(), words);
    }

    /** Goes on as a model would that nobody stops, until the socket says that nobody listens. */
    private static void writeUntilCut(OutputStream out, CompletableFuture<IOException> seen) {
        try {
            while (true) {
                ModelStub.send(out, ModelStub.chunk("more "));
            }
        } catch (IOException cut) {
            seen.complete(cut);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "                                                      | OPENAI_API_KEY is missing from the"
                        + " environment",
                "OPENAI_API_KEY=sk-a-very secret                      | OPENAI_API_KEY holds characters that a header"
                        + " cannot",
                "OPENAI_BASE_URL=ftp://secret/v1                      | OPENAI_BASE_URL is no address of the form"
                        + " https://host/v1",
                "OPENAI_BASE_URL=https://user:secret@host/a b         | OPENAI_BASE_URL is no address of the form"
                        + " https://host/v1",
                "OPENAI_BASE_URL=https://host/v1?key=secret           | OPENAI_BASE_URL is no address of the form"
                        + " https://host/v1",
            })
    void invalidEnvironmentIsNamedWithoutItsValue(String set, String told) {
        Map<String, String> variables = set == null ? Map.of() : Map.of(set.split("=", 2)[0], set.split("=", 2)[1]);

        UsageException refused = assertThrows(UsageException.class, () -> OpenAiWriter.of(variables::get));

        assertEquals(told, refused.getMessage());
    }

    @Test
    void environmentNamesEndpointModelAndKey() throws Exception {
        ModelStub stub = stub(ModelStub.events(ModelStub.chunk("Tea"), ModelStub.DONE));
        Map<String, String> variables =
                Map.of("OPENAI_BASE_URL", stub.base().toString(), "OPENAI_MODEL", "tiny", "OPENAI_API_KEY", KEY + "\n");

        OpenAiWriter.of(variables::get).write("tea", words::add);

        Map<String, String> asked = stub.asked.take();
        assertEquals("Bearer " + KEY, asked.get("authorization"));
        assertEquals(
                "tiny",
                JsonParser.parseString(asked.get(""))
                        .getAsJsonObject()
                        .get("model")
                        .getAsString());
    }
}
