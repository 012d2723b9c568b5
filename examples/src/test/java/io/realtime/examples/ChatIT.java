package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The chat's page and its demo login. */
class ChatIT {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private Run run;
    private String socket;
    private String page;

    @BeforeEach
    void start() {
        run = new Run("chat", "--port", "0", "--page-port", "0", "--jdbc-url", "jdbc:h2:mem:" + UUID.randomUUID());
        page = run.shown("page (http://localhost:\\d+/)");
        socket = run.shown("socket (ws://127\\.0\\.0\\.1:\\d+/ws)");
    }

    @AfterEach
    void stop() {
        run.close();
    }

    @ParameterizedTest
    @CsvSource({
        "'', text/html; charset=utf-8, <!doctype html>",
        "chat.css, text/css; charset=utf-8, :root",
        "app.js, text/javascript; charset=utf-8, //",
        "chat.js, text/javascript; charset=utf-8, //",
        "conversation.js, text/javascript; charset=utf-8, //",
        "link.js, text/javascript; charset=utf-8, //",
        "view.js, text/javascript; charset=utf-8, //"
    })
    void servesThePageUnderAStrictPolicy(String path, String type, String begin) throws Exception {
        HttpResponse<String> answer = get(path);

        assertEquals(200, answer.statusCode());
        assertEquals(type, header(answer, "Content-Type"));
        assertTrue(answer.body().startsWith(begin));
        String policy = header(answer, "Content-Security-Policy");
        int port = URI.create(socket).getPort();
        assertTrue(policy.contains("default-src 'none'"), policy);
        assertTrue(policy.contains("connect-src 'self' ws://127.0.0.1:" + port + " ws://localhost:" + port), policy);
        assertFalse(policy.contains("unsafe"), policy);
        assertEquals("nosniff", header(answer, "X-Content-Type-Options"));
    }

    @Test
    void requestForAForeignHostNameIsMisdirected() throws Exception {
        String body = "{\"name\":\"ada\"}";
        try (Socket client =
                new Socket(InetAddress.getLoopbackAddress(), URI.create(page).getPort())) {
            String request = "POST /token HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n"
                    + "Content-Length: " + body.length() + "\r\nConnection: close\r\n\r\n" + body;
            client.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String answer = new String(client.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            assertTrue(answer.startsWith("HTTP/1.1 421 "), answer);
        }
    }

    @Test
    void pageLoadsNothingForeignAndParsesNoDataAsHtml() throws Exception {
        StringBuilder text = new StringBuilder();
        for (String file : List.of("", "chat.css", "app.js", "chat.js", "conversation.js", "link.js", "view.js")) {
            text.append(get(file).body());
        }
        String all = text.toString();

        assertFalse(all.contains("http://") || all.contains("https://") || all.contains("//cdn"), "external resource");
        assertFalse(all.contains("innerHTML") || all.contains("insertAdjacentHTML") || all.contains("document.write"));
        assertFalse(get("").body().matches("(?s).*(<style|style=|\\son\\w+=|<script>).*"), "the policy forbids inline");
    }

    @Test
    void nameBecomesATokenThatTheServerAccepts() throws Exception {
        HttpResponse<String> answer = post("{\"name\":\" Ada Lovelace \"}", "application/json");

        assertEquals(200, answer.statusCode());
        JsonObject pass = JsonParser.parseString(answer.body()).getAsJsonObject();
        assertEquals("Ada Lovelace", pass.get("user").getAsString());
        assertEquals(URI.create(socket).getPort(), pass.get("port").getAsInt());
        assertEquals("/ws", pass.get("path").getAsString());
        try (Peer ada = new Peer(socket, pass.get("token").getAsString())) {
            assertEquals("[]", ada.reply("open", null, "{}").toString());
        }
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            delimiter = '|',
            value = {
                "{'name':''}                    | Please choose a name.",
                "{}                             | Please choose a name.",
                "null                           | Please choose a name.",
                "{'name':'a\\u0000b'}           | Please choose a name without invisible characters.",
                "{'name':'a\\u202eb'}           | Please choose a name without invisible characters.",
                "{'name':'123456789012345678901234567890123'} | Please choose a name of at most 32 characters.",
                "{'name':                       | the body is not {'name': …}",
                "7                              | the body is not {'name': …}",
            })
    void nameThatDoesNotFitIsRefusedWithWhy(String body, String told) throws Exception {
        HttpResponse<String> answer = post(body.replace('\'', '"'), "application/json");

        assertEquals(400, answer.statusCode());
        assertEquals(
                told.replace('\'', '"'),
                JsonParser.parseString(answer.body())
                        .getAsJsonObject()
                        .get("error")
                        .getAsString());
    }

    @Test
    void formOfAForeignPageGetsNoToken() throws Exception {
        assertEquals(415, post("{\"name\":\"Ada\"}", "text/plain").statusCode());
    }

    @Test
    void otherAddressesAndMethodsAreRefused() throws Exception {
        assertEquals(404, get("../Main.class").statusCode());
        assertEquals(404, get("nothing").statusCode());
        assertEquals(405, get("token").statusCode());
        assertEquals(413, post(" ".repeat(5000), "application/json").statusCode());
    }

    @Test
    void portInUseIsReportedInOneLine() throws InterruptedException {
        String socketPort = Integer.toString(URI.create(socket).getPort());
        String pagePort = Integer.toString(URI.create(page).getPort());
        try (Run second = new Run("chat", "--port", socketPort, "--page-port", "0", "--jdbc-url", "jdbc:h2:mem:a");
                Run third = new Run("chat", "--port", "0", "--page-port", pagePort, "--jdbc-url", "jdbc:h2:mem:b")) {
            assertEquals(1, second.code());
            assertEquals(
                    "chat: cannot listen on 127.0.0.1:" + socketPort + ": Address already in use",
                    second.err().strip());
            assertEquals(1, third.code());
            assertEquals(
                    "chat: cannot listen on localhost:" + pagePort + ": Address already in use",
                    third.err().strip());
        }
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(URI.create(page + path)));
    }

    private HttpResponse<String> post(String body, String type) throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(URI.create(page + "token"))
                .header("Content-Type", type)
                .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    private static HttpResponse<String> send(HttpRequest.Builder request) throws IOException, InterruptedException {
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static String header(HttpResponse<?> answer, String name) {
        return answer.headers().firstValue(name).orElse("");
    }
}
