package io.realtime.examples;

import static org.awaitility.Awaitility.await;

import io.realtime.client.ClientRoom;
import io.realtime.client.RealtimeClient;
import io.realtime.client.RoomMember;
import io.realtime.server.PresenceRule;
import io.realtime.server.RealtimeServer;
import io.realtime.server.RoomListener;
import io.realtime.server.Session;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The code of docs/presence.md: it runs here, and stands there to the letter. */
@Timeout(60)
class PresencePageTest {
    private final Queue<String> audit = new ConcurrentLinkedQueue<>();
    private final View view = new View();

    private static final class View {
        final Map<String, String> shown = new ConcurrentHashMap<>();

        void add(RoomMember member) {
            shown.put(member.sessionId(), String.valueOf(member.state()));
        }

        void replace(RoomMember member) {
            add(member);
        }

        void remove(RoomMember member) {
            shown.remove(member.sessionId());
        }
    }

    private RealtimeServer start() {
        return RealtimeServer.builder()
                .port(0)
                .anonymous()
                .allowJoin((session, room) -> true)
                // @start server
                .presence(PresenceRule.forRooms(
                        "chat:")) // a grace of 15 s, up to 1,000 members, 4 announcements a second
                // @end
                // @start listener
                .roomListener(new RoomListener() {
                    @Override
                    public void onJoin(Session session, String room, JoinCause cause) {
                        audit.add(session.user().id() + " joined " + room + ", by " + cause);
                    }

                    @Override
                    public void onLeave(Session session, String room, LeaveCause cause) {
                        audit.add(session.user().id() + " left " + room + ": " + cause);
                    }
                })
                // @end
                .build()
                .start();
    }

    private static RealtimeClient client(RealtimeServer server) {
        return RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                .build();
    }

    @Test
    @SuppressWarnings("FutureReturnValueIgnored") // as an application does that shows what comes
    void pageCodeRuns() throws Exception {
        try (RealtimeServer server = start();
                RealtimeClient client = client(server);
                RealtimeClient other = client(server)) {
            // @start client
            ClientRoom room = client.room("chat:42");
            room.onPresence(change -> {
                change.joined().forEach(view::add);
                change.changed().forEach(view::replace); // connection, tags or state
                change.left().forEach(view::remove);
            });
            room.join();
            room.setState("typing"); // what others see of this client here
            // @end
            client.connect().get(10, TimeUnit.SECONDS);
            await().until(() -> view.shown.containsValue("typing"));
            other.connect().get(10, TimeUnit.SECONDS);
            other.room("chat:42").join().get(10, TimeUnit.SECONDS);
            await().until(() -> view.shown.size() == 2 && room.presence().online() == 2);
            other.disconnect();
            await().until(() -> view.shown.size() == 1 && audit.size() == 3);
            room.leave().get(10, TimeUnit.SECONDS);
            await().until(view.shown::isEmpty);
        }
        ShownCode.assertStandsIn(
                "docs/presence.md",
                PresencePageTest.class,
                List.of("server", "listener", "client"),
                UnaryOperator.identity());
    }
}
