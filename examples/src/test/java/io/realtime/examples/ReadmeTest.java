package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.ReadmeTest.Chat.Page;
import io.realtime.examples.ReadmeTest.Chat.Said;
import io.realtime.examples.ReadmeTest.Chat.Say;
import io.realtime.server.JwtAuthenticator;
import io.realtime.server.RealtimeServer;
import java.io.IOException;
import java.net.URI;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The code of README's first screen: it runs here, and stands there to the letter but for ports. */
class ReadmeTest {
    // @start contract
    interface Chat { // one contract, shared by server and client
        record Say(String text) {}

        record Said(String user, String text) {}

        record Page(List<Said> messages) {}

        Event<Say> SAY = Event.of("chat.say", Say.class);
        Event<Said> SAID = Event.of("chat.said", Said.class);
        Request<String, Page> HISTORY = Request.of("chat.history", String.class, Page.class);
    }
    // @end

    private final String secret = "a secret of at least thirty-two bytes";
    private final Store store = new Store();
    private final Tokens tokens = new Tokens();
    private final Ui ui = new Ui();

    @Test
    @SuppressWarnings("FutureReturnValueIgnored") // what the screen leaves out: neither fails here
    void firstScreenDoesWhatItSays() throws Exception {
        int port = 0;
        // @start server
        RealtimeServer server = RealtimeServer.builder()
                .port(port)
                .authenticator(JwtAuthenticator.hmac256(secret))
                .allowJoin((session, room) -> room.startsWith("chat:"))
                .on(
                        Chat.SAY,
                        (session, message) -> session.room(message.requireRoom()) // only a room it has joined
                                .send(
                                        Chat.SAID,
                                        new Said(
                                                session.user().id(),
                                                message.data().text())))
                .onRequest(Chat.HISTORY, (session, room) -> store.lastPage(room))
                .build()
                .start();
        // @end
        port = server.port();
        try (server) {
            // @start client
            try (RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + port + "/ws"))
                    .token(tokens::fresh) // asked before every attempt
                    .build()) {
                client.on(Chat.SAID, said -> ui.show(said.data())); // in order, one at a time
                client.connect().join();
                client.room("chat:42").join();
                client.room("chat:42").send(Chat.SAY, new Say("hello")); // kept while offline
                // @end
                assertEquals(new Said("ada", "hello"), ui.shown.poll(10, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void readmeShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "README.md",
                ReadmeTest.class,
                List.of("contract", "server", "client"),
                code -> code.replace(".port(port)", ".port(8080)").replace("\"+port+\"", "8080"));
    }

    private final class Tokens {
        CompletionStage<String> fresh() {
            return CompletableFuture.completedFuture(
                    JWT.create().withSubject("ada").sign(Algorithm.HMAC256(secret)));
        }
    }

    private static final class Store {
        Page lastPage(String room) {
            return new Page(List.of(new Said(room, "the last of them")));
        }
    }

    private static final class Ui {
        private final BlockingQueue<Said> shown = new LinkedBlockingQueue<>();

        void show(Said said) {
            shown.add(said);
        }
    }
}
