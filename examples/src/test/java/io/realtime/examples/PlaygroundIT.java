package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.net.URI;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** The playground as any WebSocket client meets it. */
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
    void theTokenThatItPrintsIsForTheUserDemo() throws InterruptedException {
        assertFalse(run.out().contains(SECRET), "a secret that was given is not printed");
        try (Peer demo = new Peer(url, run.shown("token demo (eyJ\\S+)"))) {
            assertEquals(json("{'user':'demo','attributes':{}}"), demo.reply("whoami", null, "{}"));
        }
    }

    @Test
    void aSecretOfItsOwnIsPrinted() {
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
            assertEquals("rate_limited: more messages than the limit of 1 per PT1S, burst 1", Peer.error(frame));
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
    void aSlowAnswerHoldsUpNobody() throws InterruptedException {
        ada.raw("{\"type\":\"slow\",\"ref\":\"late\",\"data\":{\"ms\":1000}}");

        assertEquals(json("2"), bob.reply("echo", null, "2"));
        assertEquals(json("1"), ada.reply("echo", null, "1"));
        JsonObject late = ada.next("$reply");
        assertEquals("late", late.get("ref").getAsString());
        assertEquals(json("{'ms':1000}"), late.get("data"));
    }

    @Test
    void aHandlerThatThrowsTellsNothingOfItself() throws InterruptedException {
        assertEquals("internal: the handler of 'fail' failed", ada.error("fail", null, "{}"));
    }

    @Test
    void roomsAreForTheirMembersAndThoseThatBeginWithChat() throws InterruptedException {
        assertEquals("forbidden: joining 'board:1' is not allowed", ada.error("$join", "board:1", "{}"));
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
        assertTrue(ada.error("say", LOBBY, "{'text':7}").startsWith("bad_data: $.text: "));
    }

    @Test
    void whatTheProtocolDoesNotKnowIsSaidAndTheConnectionStays() throws InterruptedException {
        assertTrue(ada.error("dance", null, "{}").startsWith("no_handler: "));
        assertTrue(ada.error("$dance", null, "{}").startsWith("unknown_type: "));
        ada.raw("this is no JSON");
        assertTrue(Peer.error(ada.next("$error")).startsWith("bad_message: "));
        ada.raw("[]");
        assertTrue(Peer.error(ada.next("$error")).startsWith("bad_message: "));

        assertEquals(json("'still here'"), ada.reply("echo", null, "'still here'"));
    }

    @Test
    void aTakenPortIsOneLineThatNamesIt() throws InterruptedException {
        int port = URI.create(url).getPort();
        try (Run second = new Run("playground", "--port", Integer.toString(port), "--transport", transport)) {
            assertEquals(1, second.code());
            assertEquals("playground: port " + port + " is in use", second.err().strip());
        }
    }

    @Test
    void endsCleanlyWhenAskedTo() throws InterruptedException {
        run.close();

        assertEquals(0, run.code());
        ada.next("$goodbye");
    }

    private static int messages(JsonElement history) {
        return history.getAsJsonObject().getAsJsonArray("messages").size();
    }

    private static JsonElement json(String text) {
        return JsonParser.parseString(text.replace('\'', '"'));
    }
}
