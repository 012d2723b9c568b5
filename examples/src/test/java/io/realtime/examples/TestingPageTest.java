package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.RealtimeServer;
import io.realtime.testing.ScriptedPeer;
import io.realtime.testing.TestEnvironment;
import io.realtime.testing.TestEnvironmentExtension;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The code of docs/testing.md: it runs here, and stands there to the letter. */
class TestingPageTest {
    // @start application
    interface Chat {
        record Say(String text) {}

        record Said(String user, String text) {}

        Event<Say> SAY = Event.of("chat.say", Say.class);
        Event<Said> SAID = Event.of("chat.said", Said.class);
    }

    static final class ChatServer {
        static RealtimeServer.Builder builder() {
            return RealtimeServer.builder()
                    .authenticator(credentials -> CompletableFuture.completedFuture(
                            Authentication.of(Objects.requireNonNull(credentials.token())))) // yours checks it
                    .allowJoin((session, room) -> room.startsWith("chat:"))
                    .on(
                            Chat.SAY,
                            (session, message) -> session.room(message.requireRoom())
                                    .send(Chat.SAID, said(session.user().id(), message.data())));
        }

        static Chat.Said said(String user, Chat.Say say) {
            if (say.text().isBlank()) {
                throw new RealtimeException(ErrorCode.of("empty"), "there is nothing to say");
            }
            return new Chat.Said(user, say.text().strip());
        }
    }
    // @end

    @Nested
    class HandlerTest {
        // @start handler
        @Test
        void whatIsSaidIsStripped() {
            assertEquals(new Chat.Said("ada", "hello"), ChatServer.said("ada", new Chat.Say(" hello ")));
        }

        @Test
        void emptyMessageIsRefused() {
            var refused = assertThrows(RealtimeException.class, () -> ChatServer.said("ada", new Chat.Say(" ")));
            assertEquals(ErrorCode.of("empty"), refused.code());
        }
        // @end
    }

    @Nested
    // @start environment
    @ExtendWith(TestEnvironmentExtension.class)
    @SuppressWarnings("FutureReturnValueIgnored")
    class ChatTest {
        @Test
        void whatIsSaidIsHeardByTheRoom(TestEnvironment test) {
            RealtimeServer server = test.autoClose(start(test));
            RealtimeClient ada = test.autoClose(client(test, server, "ada").build());
            List<Chat.Said> heard = new ArrayList<>();
            ada.on(Chat.SAID, said -> heard.add(said.data()));
            test.await(ada.connect());
            test.await(ada.room("chat:42").join());
            test.await(ada.room("chat:42").send(Chat.SAY, new Chat.Say("hello")));
            test.settle(); // what the server sent in answer arrives
            assertEquals(List.of(new Chat.Said("ada", "hello")), heard);
        }

        static RealtimeServer start(TestEnvironment test) {
            return ChatServer.builder()
                    .transport(test.network().serverTransport())
                    .scheduler(test.time())
                    .executor(test.time())
                    .build()
                    .start();
        }

        static RealtimeClient.Builder client(TestEnvironment test, RealtimeServer server, String user) {
            return RealtimeClient.builder(test.uri(server.port()))
                    .token(user)
                    .transport(test.network().clientTransport())
                    .scheduler(test.time())
                    .callbackExecutor(test.time());
        }
        // @end

        // @start cut
        @Test
        void whatIsSaidOfflineIsHeardOnce(TestEnvironment test) {
            RealtimeServer server = test.autoClose(start(test));
            RealtimeClient ada = test.autoClose(client(test, server, "ada").build());
            List<String> heard = new ArrayList<>();
            ada.on(Chat.SAID, said -> heard.add(said.data().text()));
            test.await(ada.connect());
            test.await(ada.room("chat:42").join());

            test.network().refuseConnections(true);
            test.network().cutAll(); // both sides see 1006
            test.settle();
            var handled = ada.room("chat:42").send(Chat.SAY, new Chat.Say("anybody there?"));
            test.time().advance(Duration.ofMinutes(2)); // the client tries again and again
            assertEquals(List.of(), heard);

            test.network().refuseConnections(false);
            test.await(handled);
            test.settle();
            assertEquals(List.of("anybody there?"), heard);
        }

        @Test
        void brokenLineIsNoticedByItsSilence(TestEnvironment test) {
            RealtimeServer server = test.autoClose(start(test));
            RealtimeClient ada = test.autoClose(client(test, server, "ada").build());
            test.await(ada.connect());
            test.network().blackHole(true); // nothing arrives, and nobody is told
            test.time().advance(Duration.ofSeconds(20));
            assertEquals(Status.OPEN, ada.state().status());
            test.time().advance(Duration.ofSeconds(70)); // the heartbeat's timeout is over
            assertEquals(0, server.stats().connections());
        }
        // @end

        // @start gap
        @Test
        void clientThatWasAwayTooLongHearsOfTheGap(TestEnvironment test) {
            RealtimeServer server = test.autoClose(start(test));
            List<Gap> gaps = new ArrayList<>();
            RealtimeClient ada = test.autoClose(client(test, server, "ada")
                    .listener(new ClientListener() {
                        @Override
                        public void onGap(Gap gap) {
                            gaps.add(gap);
                        }
                    })
                    .build());
            test.await(ada.connect());
            test.await(ada.room("chat:42").join());
            test.network().refuseConnections(true);
            test.network().cutAll();
            server.connections().room("chat:42").send(Chat.SAID, new Chat.Said("bob", "you will miss this"));
            test.time().advance(Duration.ofHours(1)); // the room keeps five minutes
            test.network().refuseConnections(false);
            test.time().advance(Duration.ofMinutes(1));
            assertEquals(
                    List.of("@session", "chat:42"), gaps.stream().map(Gap::room).toList());
        }
        // @end

        // @start wire
        @Test
        void anyWebSocketClientIsAnswered(TestEnvironment test) {
            RealtimeServer server = test.autoClose(start(test));
            ScriptedPeer peer = ScriptedPeer.plain(
                    test.network().clientTransport(), test.uri(server.port()).resolve("/ws?token=bob"));
            test.settle();
            peer.send("{'type':'chat.say','room':'chat:42','ref':'1','data':{'text':'hello'}}");
            test.settle();
            assertEquals("forbidden", peer.data("$error", Map.class).get("code")); // it has not joined
        }
        // @end
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "docs/testing.md",
                TestingPageTest.class,
                List.of("application", "handler", "environment", "cut", "gap", "wire"),
                UnaryOperator.identity());
    }
}
