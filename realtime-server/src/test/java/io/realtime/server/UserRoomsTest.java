package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The rooms that a user's sessions inherit: User.join and User.leave. */
@Timeout(60)
class UserRoomsTest {
    private static final Event<String> SAID = Event.of("said", String.class);

    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.sessionTtl(Duration.ofMinutes(1))
                    .limits(Limits.builder().roomsPerUser(3).roomsPerSession(3).build()));
    private final User ann = test.server.connections().user("ann");

    @AfterEach
    void close() {
        test.close();
    }

    private Set<String> rooms(int session) {
        return ann.sessions().get(session).rooms();
    }

    @Test
    void deviceThatComesLaterIsInTheRoomFromItsWelcome() {
        TestPeer phone = test.plain("ann");
        ann.join("team:1");
        test.settle();
        assertEquals("team:1", phone.next("$joined").get("room").getAsString());
        TestPeer desk = test.connect("", "/ws?token=ann");
        JsonObject states = desk.data("$welcome").getAsJsonObject("rooms");
        assertTrue(states.has("team:1"), states::toString);
        test.server.connections().room("team:1").send(SAID, "hello");
        test.settle();
        assertEquals("hello", phone.next("said").get("data").getAsString());
        assertEquals("hello", desk.next("said").get("data").getAsString());
    }

    @Test
    void leaveEndsItForEveryDevice() {
        TestPeer phone = test.plain("ann");
        test.plain("ann");
        ann.join("team:1");
        ann.sessions().get(0).join("own");
        ann.leave("team:1");
        ann.leave("own");
        ann.leave("never");
        test.settle();
        assertEquals("team:1", phone.next("$left").get("room").getAsString());
        test.plain("ann");
        for (int i = 0; i < 3; i++) {
            assertEquals(Set.of(), rooms(i));
        }
    }

    @Test
    void roomLastsAsLongAsTheUserHasASession() {
        TestPeer phone = test.managed("ann");
        ann.join("team:1");
        phone.cut();
        test.time.advance(Duration.ofSeconds(59));
        TestPeer desk = test.plain("ann");
        assertEquals(Set.of("team:1"), rooms(1));
        desk.close("done");
        test.settle();
        test.time.advance(Duration.ofMinutes(2));
        assertEquals(0, ann.sessions().size());
        test.plain("ann");
        assertEquals(Set.of(), rooms(0));
    }

    @Test
    void userWithoutASessionJoinsNothing() {
        ann.join("team:1");
        ann.leave("team:1");
        test.plain("ann");
        assertEquals(Set.of(), rooms(0));
    }

    @Test
    void limitIsOfTheUserAndLaterDevicesBeginWithoutTheRoom() {
        test.plain("ann");
        ann.join("a");
        ann.join("b");
        test.plain("ann");
        assertEquals(1, rooms(1).size(), "three memberships are allowed");
        assertThrows(RealtimeException.class, () -> ann.join("c"));
        assertFalse(rooms(0).contains("c"));
        ann.leave("c");
        ann.leave("a");
        ann.leave("b");
        assertEquals(Set.of(), rooms(0));
        assertEquals(Set.of(), rooms(1));
    }
}
