package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.HistoryQuery;
import io.realtime.client.ClientRoom;
import io.realtime.client.FileOutbox;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.server.Room;
import io.realtime.server.Session;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The code of docs/delivery.md: it runs here, and stands there to the letter but for ports. */
class DeliveryPageTest {
    record Say(String text) {}

    private static final Event<Say> SAY = Event.of("chat.say", Say.class);
    private static final Event<Say> SAID = Event.of("chat.said", Say.class);

    @TempDir
    Path directory;

    private RealtimeServer.Builder chat(RealtimeServer.Builder builder) {
        return builder.anonymous()
                .allowJoin((session, room) -> true)
                .on(
                        SAY,
                        (session, message) ->
                                session.room(message.requireRoom()).send(SAID, message.data()));
    }

    @Test
    void outboxInAFileIsOpenedAndSentFrom() throws Exception {
        try (RealtimeServer server =
                chat(RealtimeServer.builder().port(0)).build().start()) {
            URI uri = URI.create("ws://localhost:" + server.port() + "/ws");
            // @start file
            FileOutbox outbox =
                    FileOutbox.open(directory.resolve("alice.outbox")); // reads the file: not on the UI thread
            RealtimeClient client =
                    RealtimeClient.builder(uri).outboxFile(outbox).build();
            var joined = client.room("chat:42").join(); // before connect: what the file holds may be for this room
            var connected = client.connect();
            // @end
            connected.join();
            joined.join();
            client.room("chat:42").send(SAY, new Say("hello")).join();
            outbox.sync().join();
            client.close();
        }
    }

    @Test
    void roomIsLoadedAgainAfterAGapWithoutARepeat() {
        ManualScheduler time = new ManualScheduler();
        InMemoryNetwork network = new InMemoryNetwork(time);
        RealtimeServer server = chat(RealtimeServer.builder()
                        .port(0)
                        .transport(network.serverTransport())
                        .scheduler(time)
                        .executor(time))
                .retention(new Retention(3, Duration.ofHours(1)))
                .build()
                .start();
        RealtimeClient client = RealtimeClient.builder(URI.create("ws://server:" + server.port() + "/ws"))
                .transport(network.clientTransport())
                .scheduler(time)
                .callbackExecutor(time)
                .build();
        View view = new View();
        ClientRoom room = client.room("chat:42");
        var handler = room.on(SAID, said -> view.show(said.data()));
        var connected = client.connect();
        var joined = room.join();
        // @start reload
        var hook = room.onReload(gap -> room.history(HistoryQuery.newest(50)).thenApply(page -> {
            view.clear();
            page.messages(SAID).forEach(said -> view.show(said.data()));
            return page.position(); // up to here it is loaded, and is not delivered again
        }));
        // @end
        time.advance(Duration.ofSeconds(1));
        assertTrue(connected.isDone() && joined.isDone());
        client.disconnect();
        time.advance(Duration.ofSeconds(1));
        for (int i = 1; i <= 9; i++) {
            assertNotNull(server.connections()
                    .room("chat:42")
                    .send(SAID, new Say("m" + i))
                    .join());
        }
        connected = client.connect();
        time.advance(Duration.ofSeconds(1));
        assertTrue(connected.isDone());
        assertNotNull(
                server.connections().room("chat:42").send(SAID, new Say("m10")).join());
        time.advance(Duration.ofSeconds(1));
        assertEquals(List.of("m7", "m8", "m9", "m10"), view.shown);
        hook.close();
        handler.close();
        client.close();
        server.close(Duration.ZERO);
    }

    @Test
    void messagesReachWhomTheyAreMeantFor() {
        ManualScheduler time = new ManualScheduler();
        InMemoryNetwork network = new InMemoryNetwork(time);
        RealtimeServer server = RealtimeServer.builder()
                .transport(network.serverTransport())
                .scheduler(time)
                .executor(time)
                .authenticator(credentials -> {
                    String user = String.valueOf(credentials.token());
                    String role = user.equals("bob") ? "guest" : "editor";
                    return CompletableFuture.completedFuture(
                            Authentication.of(user).withTag("role", role));
                })
                .allowJoin((session, room) -> true)
                .build()
                .start();
        Map<String, List<String>> heard = new TreeMap<>();
        List<RealtimeClient> clients = new ArrayList<>();
        for (String user : List.of("ada", "bob", "cid")) {
            RealtimeClient client = RealtimeClient.builder(URI.create("ws://server:" + server.port() + "/ws"))
                    .token(user)
                    .transport(network.clientTransport())
                    .scheduler(time)
                    .callbackExecutor(time)
                    .build();
            clients.add(client);
            List<String> ofUser = heard.computeIfAbsent(user, name -> new ArrayList<>());
            var handler = client.on(SAID, said -> ofUser.add(said.position() + " " + said.from()));
            var joined = client.room("chat:42").join();
            var connected = client.connect();
            time.advance(Duration.ofSeconds(1));
            assertTrue(joined.isDone() && connected.isDone() && handler != null);
        }
        Session session = server.connections().user("ada").sessions().get(0);
        Say say = new Say("hello");
        // @start audience
        Room room = server.connections().room("chat:42");
        room.except(session.id()).send(SAID, say); // all but this session
        room.only(session.id()).send(SAID, say); // this session alone
        room.having("role", "editor").send(SAID, say); // all whose session has this tag
        room.from(session).having("role", "editor").except(session.id()).send(SAID, say);
        // @end
        time.advance(Duration.ofSeconds(1));
        heard.values().forEach(positions -> positions.replaceAll(text -> text.replaceAll(".*offset=(\\d+)]", "$1")));
        assertEquals(
                Map.of(
                        "ada", List.of("2 null", "3 null"),
                        "bob", List.of("1 null"),
                        "cid", List.of("1 null", "3 null", "4 ada")),
                heard);
        clients.forEach(RealtimeClient::close);
        server.close(Duration.ZERO);
    }

    @Test
    void serverSetsTheRetention() {
        RealtimeServer.Builder builder = RealtimeServer.builder();
        // @start retention
        builder.retention(new Retention(10_000, Duration.ofHours(1))) // rooms; whichever bound is met first
                .inboxRetention(new Retention(1_000, Duration.ofDays(7))) // users who are away
                .limits(Limits.builder().logBytes(512L << 20).build()) // all rooms and logs
        // @end
        ;
        try (RealtimeServer server = chat(builder.port(0)).build().start()) {
            assertEquals(0, server.stats().logBytes());
        }
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "docs/delivery.md",
                DeliveryPageTest.class,
                List.of("file", "reload", "audience", "retention"),
                code -> code.replaceAll("var(joined|connected|hook)=", "")
                        .replaceAll("^builder\\.", "RealtimeServer.builder()."));
    }

    private static final class View {
        final List<String> shown = new ArrayList<>();

        void clear() {
            shown.clear();
        }

        void show(Say said) {
            shown.add(said.text());
        }
    }
}
