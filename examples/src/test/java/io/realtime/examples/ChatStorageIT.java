package io.realtime.examples;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.realtime.examples.chat.PostgreSql;
import io.realtime.examples.chat.StoringChat;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.StreamSupport;
import org.h2.tools.Server;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The chat over real sockets, with its database: what restarts, crashes and a database that is away do to messages. */
@Timeout(120)
class ChatStorageIT {
    private static final String SECRET = "a secret of more than thirty-two bytes";
    private static final String LOBBY = "chat:lobby";
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final DemoServer tokens = DemoServer.withSecret(SECRET);

    /** A chat in this process. */
    private final class Chatting implements AutoCloseable {
        final Run run;
        final String socket;
        final String page;

        Chatting(String jdbcUrl) {
            run = new Run("chat", "--port", "0", "--page-port", "0", "--secret", SECRET, "--jdbc-url", jdbcUrl);
            page = run.shown("page (http://localhost:\\d+/)");
            socket = run.shown("socket (ws://127\\.0\\.0\\.1:\\d+/ws)");
        }

        Peer peer(String user) throws InterruptedException {
            return new Peer(socket, tokens.token(user));
        }

        HttpResponse<String> post(String token, String body) throws Exception {
            return HTTP.send(
                    HttpRequest.newBuilder(URI.create(page + "api/messages"))
                            .header("Authorization", "Bearer " + token)
                            .header("Content-Type", "application/json")
                            .POST(HttpRequest.BodyPublishers.ofString(body.replace('\'', '"')))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }

        HttpResponse<String> postAs(String user, String body) throws Exception {
            return post(tokens.token(user), body);
        }

        @Override
        public void close() {
            run.close();
        }
    }

    /** A database that can be stopped. */
    private interface Stoppable extends AutoCloseable {
        String url();

        void down() throws Exception;

        void up() throws Exception;

        @Override
        void close() throws IOException;
    }

    private static String memory() {
        return "jdbc:h2:mem:" + UUID.randomUUID();
    }

    private static String file(Path folder) {
        return "jdbc:h2:file:" + folder.resolve("chat") + ";WRITE_DELAY=0";
    }

    private static String said(String id, String text) {
        return "{'id':'" + id + "','text':'" + text + "'}";
    }

    private static JsonArray page(Peer peer, String conversation) throws InterruptedException {
        return peer.reply("page", null, "{'conversation':'" + conversation + "','limit':100}")
                .getAsJsonObject()
                .getAsJsonArray("messages");
    }

    private static String texts(JsonArray messages) {
        return StreamSupport.stream(messages.spliterator(), false)
                .map(JsonElement::getAsJsonObject)
                .map(each ->
                        each.get("number").getAsLong() + " " + each.get("text").getAsString())
                .toList()
                .toString();
    }

    private static String shown(JsonObject frame) {
        JsonObject data = frame.getAsJsonObject("data");
        return data.get("number").getAsLong() + " " + data.get("text").getAsString();
    }

    @Test
    void restartLosesNothing(@TempDir Path folder) throws Exception {
        try (Chatting chat = new Chatting(file(folder));
                Peer ada = chat.peer("ada");
                Peer bob = chat.peer("bob")) {
            bob.reply("open", null, "{'rooms':['chat:lobby']}");
            ada.join(LOBBY);
            for (int i = 1; i <= 3; i++) {
                ada.send("say", LOBBY, said("m" + i, "text " + i));
                assertEquals(i + " text " + i, shown(ada.next("said")));
            }
            bob.send("read", null, "{'conversation':'chat:lobby','number':1}");
            bob.next("read");
        }
        try (Chatting chat = new Chatting(file(folder));
                Peer bob = chat.peer("bob")) {
            assertEquals("[1 text 1, 2 text 2, 3 text 3]", texts(page(bob, LOBBY)));
            assertEquals(
                    "[{\"conversation\":\"chat:lobby\",\"last\":3,\"read\":1}]",
                    bob.reply("open", null, "{}").toString());
        }
    }

    @Test
    void whatWasStoredBeforeTheProcessWasKilledIsPublishedByTheNext(@TempDir Path folder) throws Exception {
        BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        try (Child child = new Child(StoringChat.class, lines::add, file(folder), SECRET)) {
            try (Peer ada = new Peer(line(lines), tokens.token("ada"))) {
                ada.join(LOBBY);
                for (int i = 1; i <= 20; i++) {
                    ada.reply("say", LOBBY, said("m" + i, "text " + i));
                }
                assertEquals("publishing", line(lines));
                assertEquals(137, child.kill());
            }
        }
        try (Chatting chat = new Chatting(file(folder));
                Peer ada = chat.peer("ada")) {
            ada.reply("$join", LOBBY, "{'history':100}");
            for (int i = 1; i <= 20; i++) {
                assertEquals(i + " text " + i, shown(ada.next("said")));
            }
            // A client that got no answer sends it again.
            ada.reply("say", LOBBY, said("m20", "text 20"));
            assertEquals(20, page(ada, LOBBY).size());
        }
    }

    private static String line(BlockingQueue<String> lines) throws InterruptedException {
        return String.valueOf(lines.poll(30, TimeUnit.SECONDS));
    }

    @Test
    void databaseThatIsAwayLosesNothingThatWasAcknowledged(@TempDir Path folder) throws Exception {
        BlockingQueue<String> ports = new LinkedBlockingQueue<>();
        Child[] server = {new Child(H2Server.class, ports::add, "0", folder.toString())};
        String port = line(ports);
        away(new Stoppable() {
            @Override
            public String url() {
                return "jdbc:h2:tcp://127.0.0.1:" + port + "/./chat;WRITE_DELAY=0";
            }

            @Override
            public void down() throws Exception {
                assertEquals(137, server[0].kill());
            }

            @Override
            public void up() throws Exception {
                server[0] = new Child(H2Server.class, ports::add, port, folder.toString());
                assertEquals(port, line(ports));
            }

            @Override
            public void close() {
                server[0].close();
            }
        });
    }

    /** H2 as a server in a process of its own. Its arguments are the port, or 0, and a folder. It prints the port. */
    static final class H2Server {
        private H2Server() {}

        public static void main(String[] args) throws Exception {
            Server server = Server.createTcpServer("-tcpPort", args[0], "-baseDir", args[1], "-ifNotExists")
                    .start();
            Child.print("" + server.getPort());
            Child.untilTestEnds();
            server.stop();
        }
    }

    @Test
    void postgreSqlThatIsAwayLosesNothingThatWasAcknowledged() throws Exception {
        PostgreSql server = PostgreSql.start();
        away(new Stoppable() {
            @Override
            public String url() {
                return server.url();
            }

            @Override
            public void down() throws Exception {
                server.down();
            }

            @Override
            public void up() throws Exception {
                server.up();
            }

            @Override
            public void close() throws IOException {
                server.close();
            }
        });
    }

    private void away(Stoppable stoppable) throws Exception {
        try (Stoppable database = stoppable;
                Chatting chat = new Chatting(database.url());
                Peer ada = chat.peer("ada")) {
            ada.join(LOBBY);
            ada.send("say", LOBBY, said("m1", "one"));
            assertEquals("1 one", shown(ada.next("said")));

            database.down();
            JsonObject error = ada.ask("say", LOBBY, said("m2", "two"));
            assertEquals("unavailable: the database does not answer; try again", Peer.error(error));
            assertTrue(error.getAsJsonObject("data").get("retryable").getAsBoolean());
            String body = "{'conversation':'chat:lobby','id':'m2','text':'two'}";
            HttpResponse<String> answer = chat.postAs("ada", body);
            assertProblem(503, "Service Unavailable", "unavailable", answer);
            assertEquals("1", answer.headers().firstValue("Retry-After").orElse(""));

            database.up();
            await("the pool is connected again")
                    .atMost(Duration.ofSeconds(30))
                    .until(() -> chat.postAs("ada", body).statusCode(), status -> status == 201);
            assertEquals("2 two", shown(ada.next("said")));
            assertEquals("[1 one, 2 two]", texts(page(ada, LOBBY)));
        }
    }

    private static void assertProblem(int status, String title, String code, HttpResponse<String> answer) {
        assertEquals(status, answer.statusCode(), answer.body());
        assertEquals(
                "application/problem+json",
                answer.headers().firstValue("Content-Type").orElse(""));
        JsonObject problem = JsonParser.parseString(answer.body()).getAsJsonObject();
        assertEquals("about:blank", problem.get("type").getAsString());
        assertEquals(title, problem.get("title").getAsString());
        assertEquals(status, problem.get("status").getAsInt());
        assertEquals(code, problem.get("code").getAsString());
        assertFalse(problem.get("detail").getAsString().isBlank());
    }

    @Test
    void repeatedPostIsStoredAndPublishedOnce() throws Exception {
        try (Chatting chat = new Chatting(memory());
                Peer bob = chat.peer("bob")) {
            bob.join(LOBBY);
            String body = "{'conversation':'chat:lobby','id':'m1','text':'hello'}";

            HttpResponse<String> first = chat.postAs("ada", body);
            HttpResponse<String> second = chat.postAs("ada", body);

            assertEquals(201, first.statusCode(), first.body());
            assertEquals(200, second.statusCode());
            assertEquals(first.body(), second.body());
            assertEquals("1 hello", shown(bob.next("said")));
            chat.postAs("ada", "{'conversation':'chat:lobby','id':'m2','text':'next'}");
            assertEquals("2 next", shown(bob.next("said")));
            assertProblem(409, "Conflict", "conflict", chat.postAs("ada", body.replace("hello", "other")));
        }
    }

    @Test
    void twoTabsOfOneUserStayInStep() throws Exception {
        try (Chatting chat = new Chatting(memory());
                Peer left = chat.peer("ada");
                Peer right = chat.peer("ada");
                Peer bob = chat.peer("bob")) {
            left.join(LOBBY);
            right.join(LOBBY);
            left.reply("open", null, "{'rooms':['chat:lobby']}");

            left.raw("{\"type\":\"say\",\"room\":\"chat:lobby\",\"data\":{\"id\":\"m1\",\"text\":\"from the left\"}}");
            assertEquals("1 from the left", shown(left.next("said")));
            assertEquals("1 from the left", shown(right.next("said")));

            chat.postAs("bob", "{'conversation':'chat:lobby','id':'m1','text':'hello'}");
            assertEquals("2 hello", shown(left.next("said")));
            assertEquals("2 hello", shown(right.next("said")));
            left.send("read", null, "{'conversation':'chat:lobby','number':2}");
            String read = "{\"conversation\":\"chat:lobby\",\"number\":2}";
            assertEquals(read, left.next("read").get("data").toString());
            assertEquals(read, right.next("read").get("data").toString());

            right.send("direct", null, "{'to':'bob','id':'m2','text':'psst'}");
            assertEquals("@bob", conversation(left.next("said")));
            assertEquals("@bob", conversation(right.next("said")));
            assertEquals("@ada", conversation(bob.next("said")));

            right.send("typing", null, "{'to':'bob','on':true}");
            assertEquals(
                    "{\"conversation\":\"@ada\",\"user\":\"ada\",\"on\":true}",
                    bob.next("typing").get("data").toString());
            right.send("typing", LOBBY, "{'on':true}");
            assertEquals(LOBBY, conversation(left.next("typing")));
        }
    }

    private static String conversation(JsonObject frame) {
        return frame.getAsJsonObject("data").get("conversation").getAsString();
    }

    @Test
    void directMessageWaitsForAUserWhoIsOffline() throws Exception {
        try (Chatting chat = new Chatting(memory())) {
            chat.postAs("ada", "{'conversation':'@bob','id':'m1','text':'psst'}");
            try (Peer bob = chat.peer("bob");
                    Peer eve = chat.peer("eve")) {
                assertEquals(
                        "[{\"conversation\":\"@ada\",\"last\":1,\"read\":0}]",
                        bob.reply("open", null, "{}").toString());
                assertEquals("[1 psst]", texts(page(bob, "@ada")));
                assertEquals("[]", texts(page(eve, "@ada")));
                assertEquals("[]", eve.reply("open", null, "{}").toString());
            }
            // The inbox has it, too, for clients that read that.
            try (Run console = console(chat, "bob")) {
                console.shown("ada \\(to you\\): psst");
            }
        }
    }

    private Run console(Chatting chat, String user) {
        return new Run("console", chat.socket, "--token", tokens.token(user), "--room", LOBBY);
    }

    @Test
    void consoleTalksInTheChat() throws Exception {
        try (Chatting chat = new Chatting(memory());
                Run ada = console(chat, "ada");
                Run bob = console(chat, "bob")) {
            ada.shown("-- in chat:lobby, \\d here");
            bob.shown("-- in chat:lobby, \\d here");
            ada.type("hello");
            bob.shown("ada: hello");
            ada.type("/quit");
            assertEquals(0, ada.code());
        }
    }

    @Test
    void badPostIsAProblem() throws Exception {
        List<String> bodies = List.of(
                "{",
                "null",
                "[1]",
                "{'conversation':'chat:lobby','id':'m','text':{'a':1}}",
                "{'conversation':'chat:lobby','text':'no id'}",
                "{'conversation':'chat:lobby','id':'m','text':' '}",
                "{'conversation':'chat:lobby','id':'m','text':'a\\u0000b'}",
                "{'conversation':'@','id':'m','text':'hello'}",
                "{'conversation':'chat:../x','id':'m','text':'hello'}");
        try (Chatting chat = new Chatting(memory())) {
            for (String body : bodies) {
                assertProblem(400, "Bad Request", "bad_data", chat.postAs("ada", body));
            }
        }
    }

    @Test
    void postIsBoundedAndAuthenticated() throws Exception {
        try (Chatting chat = new Chatting(memory())) {
            String body = "{'conversation':'chat:lobby','id':'m1','text':'hello'}";
            assertProblem(401, "Unauthorized", "unauthorized", chat.post("nonsense", body));
            String foreign = DemoServer.withSecret(null).token("ada");
            assertProblem(401, "Unauthorized", "unauthorized", chat.post(foreign, body));
            assertProblem(403, "Forbidden", "forbidden", chat.postAs("a\u202eb", body));
            assertProblem(413, "Content Too Large", "too_big", chat.postAs("ada", " ".repeat(40_000)));
            URI address = URI.create(chat.page + "api/messages");
            HttpResponse<String> get =
                    HTTP.send(HttpRequest.newBuilder(address).build(), HttpResponse.BodyHandlers.ofString());
            assertProblem(405, "Method Not Allowed", "bad_method", get);
            for (String other : List.of("api/messagesX", "api/messages/1", "api/messages/")) {
                HttpRequest request =
                        HttpRequest.newBuilder(URI.create(chat.page + other)).build();
                assertEquals(
                        404,
                        HTTP.send(request, HttpResponse.BodyHandlers.discarding())
                                .statusCode());
            }
            HttpResponse<String> form = HTTP.send(
                    HttpRequest.newBuilder(address)
                            .header("Authorization", "Bearer " + tokens.token("ada"))
                            .header("Content-Type", "text/plain")
                            .POST(HttpRequest.BodyPublishers.ofString(body.replace('\'', '"')))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            assertProblem(415, "Unsupported Media Type", "bad_type", form);
        }
    }

    @Test
    void databaseThatCannotBeOpenedIsOneLine() throws InterruptedException {
        try (Run run = new Run("chat", "--port", "0", "--page-port", "0", "--jdbc-url", "jdbc:nothing:here")) {
            assertEquals(1, run.code());
            assertTrue(run.err().startsWith("chat: cannot open the database: "), run.err());
            assertEquals(1, run.err().lines().count(), run.err());
        }
        String quoted = "jdbc:h2:nothing/here;USER=chat;PASSWORD=hunter2";
        try (Run run = new Run("chat", "--port", "0", "--page-port", "0", "--jdbc-url", quoted)) {
            assertEquals(1, run.code());
            assertTrue(run.err().startsWith("chat: cannot open the database: "), run.err());
            assertFalse(run.err().contains("hunter2"), run.err());
        }
    }
}
