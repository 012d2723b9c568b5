package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.StreamListener;
import io.realtime.Subscription;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.Chat.Count;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** The playground as any WebSocket client meets it. */
@Timeout(60)
@ParameterizedClass
@ValueSource(strings = {"java-websocket", "netty"})
class PlaygroundIT {
    private static final String SECRET = "a secret of more than thirty-two bytes";
    private static final String LOBBY = "chat:lobby";

    private final String transport;
    private Run run;
    private String url;
    private Peer ada;
    private Peer bob;

    PlaygroundIT(String transport) {
        this.transport = transport;
    }

    @BeforeEach
    void start() throws InterruptedException {
        run = new Run("playground", "--secret", SECRET, "--rate-limit", "100", "--transport", transport);
        url = run.shown("socket (ws://127\\.0\\.0\\.1:\\d+/ws)");
        DemoServer tokens = DemoServer.withSecret(SECRET);
        ada = new Peer(url, tokens.token("ada"));
        bob = new Peer(url, tokens.token("bob"));
    }

    @AfterEach
    void stop() {
        ada.close();
        bob.close();
        run.close();
    }

    @Test
    void tokenThatItPrintsIsForTheUserDemo() throws InterruptedException {
        assertFalse(run.out().contains(SECRET), "a secret that was given is not printed");
        try (Peer demo = new Peer(url, run.shown("token demo (eyJ\\S+)"))) {
            assertEquals(json("{'user':'demo','attributes':{}}"), demo.reply("whoami", null, "{}"));
        }
    }

    @Test
    void adminEndpointsListenWhereItSays() throws Exception {
        try (Run other = new Run("playground", "--admin-port", "0")) {
            URI health = URI.create(other.shown("admin (http://127\\.0\\.0\\.1:\\d+)") + "/health");
            HttpResponse<String> answer = HttpClient.newHttpClient()
                    .send(HttpRequest.newBuilder(health).build(), HttpResponse.BodyHandlers.ofString());
            assertEquals(200, answer.statusCode(), answer.body());
        }
        assertFalse(run.out().contains("admin"), "off by default");
    }

    @Test
    void secretOfItsOwnIsPrinted() {
        try (Run other = new Run("playground")) {
            other.shown("socket .*");
            assertTrue(other.shown("secret (\\S+)").length() >= 32);
        }
    }

    @Test
    void moreThanTheRateLimitIsRefused() throws InterruptedException {
        try (Run slow = new Run("playground", "--secret", SECRET, "--rate-limit", "1");
                Peer eve = new Peer(
                        slow.shown("socket (ws://\\S+)"),
                        DemoServer.withSecret(SECRET).token("eve"))) {
            for (int i = 0; i < 5; i++) {
                eve.raw("{\"type\":\"echo\",\"ref\":\"r\",\"data\":1}");
            }
            JsonObject frame = eve.next();
            while (frame.get("type").getAsString().equals("$reply")) {
                frame = eve.next();
            }
            String error = Peer.error(frame); // one client: its session's rate and its user's are the same
            assertTrue(error.matches(
                    "rate_limited: more messages than limits.ratePer(User|Session), 1 per PT1S, burst 1"));
        }
    }

    @Test
    void whatIsSaidInARoomReachesItsMembers() throws InterruptedException {
        ada.join(LOBBY);
        bob.join(LOBBY);

        ada.send("say", LOBBY, "{'text':'hello'}");

        for (Peer member : new Peer[] {ada, bob}) {
            JsonObject said = member.next("said");
            assertEquals(json("{'user':'ada','text':'hello'}"), said.get("data"));
            assertEquals(LOBBY, said.get("room").getAsString());
            assertEquals("ada", said.get("from").getAsString());
            assertEquals(1, said.get("offset").getAsLong());
            assertTrue(said.has("ts"));
        }
    }

    @Test
    void typingReachesTheOthersAndIsNotKept() throws InterruptedException {
        ada.join(LOBBY);
        bob.join(LOBBY);

        ada.send("typing", LOBBY, "{'on':true}");

        JsonObject typing = bob.next("typing");
        assertEquals(json("{'user':'ada','on':true}"), typing.get("data"));
        assertFalse(typing.has("offset"));
        assertEquals(json("'still nothing for me'"), ada.reply("echo", null, "'still nothing for me'"));
        assertEquals(0, messages(ada.reply("$history", LOBBY, "{}")));
    }

    @Test
    void bytesReachTheMembersAsTheyAre() throws InterruptedException {
        ada.join(LOBBY);
        bob.join(LOBBY);

        ada.sendBinary("blob", LOBBY, new byte[] {0, -1, '{'});

        JsonObject own = ada.next("blob");
        JsonObject blob = bob.next("blob");
        assertEquals(own, blob);
        assertEquals("00ff7b", blob.get("hex").getAsString());
        assertEquals("ada", blob.get("from").getAsString());
        assertEquals(1, blob.get("offset").getAsLong());
        assertEquals("b", ada.next("$reply").get("ref").getAsString());
        JsonObject kept = ada.reply("$history", LOBBY, "{}")
                .getAsJsonObject()
                .getAsJsonArray("messages")
                .get(0)
                .getAsJsonObject();
        assertEquals("AP97", kept.get("base64").getAsString());
    }

    @Test
    void bytesAndTextAreNotTakenForEachOther() throws InterruptedException {
        ada.join(LOBBY);

        assertEquals("bad_data: 'blob' comes in a binary frame, not in a text one", ada.error("blob", LOBBY, "'AP97'"));
        ada.sendBinary("say", LOBBY, new byte[] {1});
        assertEquals("bad_data: 'say' comes in a text frame, not in a binary one", Peer.error(ada.next("$error")));
    }

    @Test
    void directReachesTheUserInTheInbox() throws InterruptedException {
        ada.send("direct", null, "{'to':'bob','text':'psst'}");

        JsonObject said = bob.next("said");
        assertEquals("@user", said.get("room").getAsString());
        assertEquals(json("{'user':'ada','text':'psst'}"), said.get("data"));
    }

    @Test
    void shoutReachesEveryone() throws InterruptedException {
        ada.send("shout", null, "{'text':'hear me'}");

        assertEquals("@all", ada.next("said").get("room").getAsString());
        assertEquals(json("{'user':'ada','text':'hear me'}"), bob.next("said").get("data"));
    }

    @Test
    void echoAnswersItsDataUnchanged() throws InterruptedException {
        String data = "{'a':[1,2.50,{'b':null}],'<c>':'\\u00e9 \\\\ \\n','big':12345678901234567890}";

        assertEquals(json(data), ada.reply("echo", null, data));
        assertEquals("[1,2.50,null]", ada.reply("echo", null, "[1,2.50,null]").toString());
    }

    @Test
    void slowAnswerDelaysNobody() throws InterruptedException {
        ada.raw("{\"type\":\"slow\",\"ref\":\"late\",\"data\":{\"ms\":1000}}");

        assertEquals(json("2"), bob.reply("echo", null, "2"));
        assertEquals(json("1"), ada.reply("echo", null, "1"));
        JsonObject late = ada.next("$reply");
        assertEquals("late", late.get("ref").getAsString());
        assertEquals(json("{'ms':1000}"), late.get("data"));
    }

    @Test
    void serverAsksTheAskerBackAndReturnsTheAnswer() throws InterruptedException {
        ada.raw("{\"type\":\"ask\",\"ref\":\"mine\",\"data\":{\"sure\":true}}");

        JsonObject question = ada.next("confirm");
        assertEquals(json("{'sure':true}"), question.get("data"));
        assertEquals(json("'not held up'"), ada.reply("echo", null, "'not held up'"));
        String ref = question.get("ref").getAsString();
        ada.raw("{\"type\":\"$reply\",\"ref\":\"" + ref + "\",\"data\":[1,\"yes\"]}");
        JsonObject answer = ada.next("$reply");
        assertEquals("mine", answer.get("ref").getAsString());
        assertEquals(json("[1,'yes']"), answer.get("data"));
    }

    @Test
    void javaClientIsAskedToo() throws Exception {
        try (RealtimeClient client = client()) {
            assertEquals(
                    ErrorCode.NO_HANDLER,
                    failure(client.request(Chat.ASK, json("'?'"))).code());

            client.onRequest(Chat.CONFIRM, question -> {
                if (question.equals(json("'no'"))) {
                    throw new RealtimeException(ErrorCode.of("refused"), "I would rather not");
                }
                return question;
            });

            assertEquals(
                    json("{'a':[1]}"),
                    client.request(Chat.ASK, json("{'a':[1]}")).get());
            RealtimeException refused = failure(client.request(Chat.ASK, json("'no'")));
            assertEquals("refused: I would rather not", refused.code() + ": " + refused.getMessage());
        }
    }

    @Test
    void countStreamsEveryNumber() {
        try (RealtimeClient client = client()) {
            assertEquals(
                    List.of(0, 1, 2, 3, 4), counted(client, new Count(5, 10)).join());
            assertEquals(List.of(), counted(client, new Count(0, 0)).join());
            assertEquals(
                    IntStream.range(0, 1000).boxed().toList(),
                    counted(client, new Count(1000, 0)).join());
        }
    }

    @Test
    void rawPeerCountsAsFarAsItGivesCredit() throws InterruptedException {
        ada.raw("{\"type\":\"count\",\"ref\":\"c\",\"data\":{\"n\":70,\"delayMs\":0}}");

        for (int i = 0; i < 64; i++) {
            assertNumber(i, ada.next("$next"));
        }
        assertEquals(json("'all that it may'"), ada.reply("echo", null, "'all that it may'"));
        ada.raw("{\"type\":\"$credit\",\"data\":{\"streams\":{\"c\":100}}}");
        for (int i = 64; i < 70; i++) {
            assertNumber(i, ada.next("$next"));
        }
        assertEquals("c", ada.next("$end").get("ref").getAsString());
    }

    @Test
    void rawPeerThatCancelsIsCountedNoFurther() throws InterruptedException {
        ada.raw("{\"type\":\"count\",\"ref\":\"c\",\"data\":{\"n\":10000,\"delayMs\":1}}");
        assertNumber(0, ada.next("$next"));

        ada.raw("{\"type\":\"$cancel\",\"ref\":\"c\"}");

        JsonObject frame = ada.next();
        for (int i = 1; frame.get("type").getAsString().equals("$next"); i++) {
            assertNumber(i, frame);
            frame = ada.next();
        }
        assertEquals("c", frame.get("ref").getAsString());
        assertTrue(Peer.error(frame).startsWith("cancelled: "), frame::toString);
        assertEquals(json("'nothing more'"), ada.reply("echo", null, "'nothing more'"));
    }

    @Test
    void failureOfHandlerRevealsNothing() throws InterruptedException {
        assertEquals("internal: the handler of 'fail' failed", ada.error("fail", null, "{}"));
    }

    @Test
    void roomsAreForTheirMembersAndThoseThatBeginWithChat() throws InterruptedException {
        assertEquals("forbidden: joining is not allowed", ada.error("$join", "board:1", "{}"));
        assertTrue(ada.error("say", LOBBY, "{'text':'let me in'}").startsWith("forbidden: "));
        assertEquals("bad_data: room is required", ada.error("say", null, "{'text':'where?'}"));
    }

    @Test
    void dataThatDoesNotFitIsRefusedInTheWordsOfTheContract() throws InterruptedException {
        ada.join(LOBBY);

        assertEquals("bad_data: text is required", ada.error("say", LOBBY, "{}"));
        assertEquals("bad_data: text is required", ada.error("say", LOBBY, "{'text':' '}"));
        assertEquals("bad_data: data is required", ada.error("say", LOBBY, "null"));
        assertEquals("bad_data: to is required", ada.error("direct", null, "{'text':'x'}"));
        assertEquals("bad_data: on is required", ada.error("typing", LOBBY, "{}"));
        assertEquals("bad_data: ms 60001 is not 0 to 60000", ada.error("slow", null, "{'ms':60001}"));
        assertEquals("bad_data: n -1 is not 0 to 10000", ada.error("count", null, "{'n':-1,'delayMs':0}"));
        assertEquals("bad_data: n 10001 is not 0 to 10000", ada.error("count", null, "{'n':10001,'delayMs':0}"));
        assertEquals("bad_data: delayMs -1 is not 0 to 1000", ada.error("count", null, "{'n':1,'delayMs':-1}"));
        assertEquals("bad_data: delayMs 1001 is not 0 to 1000", ada.error("count", null, "{'n':1,'delayMs':1001}"));
        assertEquals("bad_data: n is required", ada.error("count", null, "{'delayMs':0}"));
        assertEquals("bad_data: delayMs is required", ada.error("count", null, "{'n':1}"));
        assertTrue(ada.error("say", LOBBY, "{'text':7}").startsWith("bad_data: $.text: "));
    }

    @Test
    void unknownProtocolFrameIsReportedAndConnectionStays() throws InterruptedException {
        assertTrue(ada.error("dance", null, "{}").startsWith("no_handler: "));
        assertTrue(ada.error("$dance", null, "{}").startsWith("unknown_type: "));
        ada.raw("this is no JSON");
        assertTrue(Peer.error(ada.next("$error")).startsWith("bad_message: "));
        ada.raw("[]");
        assertTrue(Peer.error(ada.next("$error")).startsWith("bad_message: "));

        assertEquals(json("'still here'"), ada.reply("echo", null, "'still here'"));
    }

    @Test
    void portInUseIsReportedInOneLine() throws InterruptedException {
        int port = URI.create(url).getPort();
        try (Run second = new Run("playground", "--port", Integer.toString(port), "--transport", transport)) {
            assertEquals(1, second.code());
            assertEquals(
                    "playground: cannot listen on 127.0.0.1:" + port + ": Address already in use",
                    second.err().strip());
        }
    }

    @Test
    void endsCleanlyWhenAskedTo() throws InterruptedException {
        run.close();

        assertEquals(0, run.code());
        ada.next("$goodbye");
    }

    private RealtimeClient client() {
        RealtimeClient client = RealtimeClient.builder(URI.create(url))
                .token(DemoServer.withSecret(SECRET).token("eve"))
                .build();
        client.connect().join();
        return client;
    }

    private static CompletableFuture<List<Integer>> counted(RealtimeClient client, Count count) {
        List<Integer> items = new ArrayList<>();
        CompletableFuture<List<Integer>> all = new CompletableFuture<>();
        Subscription unused = client.stream(Chat.COUNT, count, new StreamListener<>() {
            @Override
            public void onItem(Integer item) {
                items.add(item);
            }

            @Override
            public void onEnd() {
                all.complete(items);
            }

            @Override
            public void onError(Throwable failure) {
                all.completeExceptionally(failure);
            }
        });
        return all;
    }

    private static RealtimeException failure(CompletableFuture<?> failing) {
        ExecutionException failed = assertThrows(ExecutionException.class, () -> failing.get(10, TimeUnit.SECONDS));
        return assertInstanceOf(RealtimeException.class, failed.getCause());
    }

    private static void assertNumber(int expected, JsonObject next) {
        assertEquals("c", next.get("ref").getAsString());
        assertEquals(expected, next.get("data").getAsInt());
    }

    private static int messages(JsonElement history) {
        return history.getAsJsonObject().getAsJsonArray("messages").size();
    }

    private static JsonElement json(String text) {
        return JsonParser.parseString(text.replace('\'', '"'));
    }
}
