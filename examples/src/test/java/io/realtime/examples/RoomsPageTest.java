package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.Position;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.RealtimeClient;
import io.realtime.server.ConnectionManager;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Room;
import io.realtime.server.RoomSummary;
import io.realtime.server.RoomsPage;
import io.realtime.server.Session;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** docs/rooms.md: its code runs here, with a client of this project at the other end. */
class RoomsPageTest {
    record Said(String text) {}

    private static final Event<Said> SAID = Event.of("chat.said", Said.class);

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final View view = new View();
    private final List<Said> archive = new ArrayList<>();
    private final RealtimeServer server = RealtimeServer.builder()
            .port(0)
            .anonymous()
            .allowJoin((session, room) -> true)
            .transport(network.serverTransport())
            .scheduler(time)
            .executor(time)
            .build()
            .start();
    private final RealtimeClient client = RealtimeClient.builder(URI.create("ws://server:" + server.port() + "/ws"))
            .transport(network.clientTransport())
            .scheduler(time)
            .callbackExecutor(time)
            .listener(listener())
            .build();

    /** What the client shows. */
    private static final class View {
        final List<String> lines = new ArrayList<>();
        final List<ConnectionState> states = new ArrayList<>();

        void remove(String room, Position position) {
            lines.add(room + " without " + position.offset());
        }
    }

    private ClientListener listener() {
        ClientListener deletions =
                // @start listener
                new ClientListener() {
                    @Override
                    public void onDeleted(String room, Position position) {
                        view.remove(room, position);
                    }
                }
                // @end
                ;
        return new ClientListener() {
            @Override
            public void onDeleted(String room, Position position) {
                deletions.onDeleted(room, position);
            }

            @Override
            public void onRemoved(String room, @Nullable String reason) {
                view.lines.add(room + " ended: " + reason);
            }

            @Override
            public void onState(ConnectionState state) {
                view.states.add(state);
            }
        };
    }

    @BeforeEach
    void connect() {
        client.on(SAID, said -> view.lines.add(said.data().text()));
        var unused = client.connect();
        var joined = client.room("chat:42").join();
        settle();
        assertTrue(joined.isDone());
    }

    private void settle() {
        time.advance(Duration.ofMillis(200));
    }

    @AfterEach
    void close() {
        client.close();
        server.close();
    }

    @Test
    void roomsAreReadDeletedFromAndClosed() {
        // @start manager
        ConnectionManager connections = server.connections();
        Room room = connections.room("chat:42");
        // @end
        // @start delete
        Position at = room.send(SAID, new Said("a mistake")).join();
        room.delete(at);
        // @end
        // @start once
        room.send(SAID, new Said("order 17 was paid"), "paid-17");
        room.send(SAID, new Said("order 17 was paid"), "paid-17"); // publishes nothing
        // @end
        settle();
        assertEquals(List.of("a mistake", "chat:42 without 1", "order 17 was paid"), view.lines);
        // @start history
        HistoryPage page = room.history(HistoryQuery.newest(50)).join();
        page.messages(SAID).forEach(said -> archive.add(said.data()));
        while (page.more()) {
            page = room.history(page.next()).join();
            page.messages(SAID).forEach(said -> archive.add(said.data()));
        }
        // @end
        assertEquals(List.of(new Said("order 17 was paid")), archive);
        List<String> report = new ArrayList<>();
        // @start list
        for (String after = null; ; ) {
            RoomsPage rooms = connections.rooms("chat:", after, 100).join();
            for (RoomSummary one : rooms.rooms()) {
                report.add(one.name() + ": " + one.members() + " members, " + one.messages() + " messages");
                after = one.name();
            }
            if (!rooms.more()) {
                break;
            }
        }
        // @end
        assertEquals(List.of("chat:42: 1 members, 3 messages"), report);
        // @start close
        room.close("the auction is over");
        // @end
        settle();
        assertEquals("chat:42 ended: the auction is over", view.lines.get(3));
        assertEquals(List.of(), room.localMembers());
    }

    @Test
    void sessionIsMovedAndThenClosedWithACodeOfTheApplication() {
        Session session = server.connections().sessions().iterator().next();
        session.reconnect(Duration.ofSeconds(5));
        settle();
        assertFalse(client.isConnected());
        time.advance(Duration.ofSeconds(6));
        assertTrue(client.isConnected());
        assertEquals(session, server.connections().sessions().iterator().next());
        session.close(4507, "plan expired");
        settle();
        time.advance(Duration.ofMinutes(5));
        ConnectionState last = view.states.get(view.states.size() - 1);
        assertEquals(ConnectionState.Status.CLOSED, last.status());
        assertEquals("4507 plan expired", String.valueOf(last.reason()));
    }

    @Test
    void userJoinsWithEveryDevice() {
        ConnectionManager connections = server.connections();
        String id = connections.sessions().iterator().next().user().id();
        connections.user(id).join("team:7");
        assertTrue(connections.sessions().iterator().next().isIn("team:7"));
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "docs/rooms.md",
                RoomsPageTest.class,
                List.of("listener", "manager", "delete", "once", "history", "list", "close"),
                code -> code);
    }
}
