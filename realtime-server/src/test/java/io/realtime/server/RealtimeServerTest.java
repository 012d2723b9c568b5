package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the server as a whole does: it reaches its users, and it closes. */
class RealtimeServerTest extends ChatServerFixture {
    @Test
    void usersSessionsAndEveryoneAreReached() {
        TestPeer phone = test.plain("ann");
        TestPeer tab = test.managed("ann");
        TestPeer bob = test.plain("bob");
        test.server.connections().user("ann").send(SAID, new Said("x", "to ann"));
        test.server.connections().everyone().send(SAID, new Said("x", "to all"));
        test.settle();
        for (TestPeer of : List.of(phone, tab)) {
            assertEquals("@user", of.next("said").get("room").getAsString());
            assertEquals("@all", of.next("said").get("room").getAsString());
        }
        assertEquals("@all", bob.next("said").get("room").getAsString());
        assertFalse(bob.types().contains("said"));
        session("bob").send(SAID, new Said("x", "to this session"));
        test.settle();
        assertEquals("@session", bob.next("said").get("room").getAsString());
        assertEquals(2, test.server.connections().user("ann").sessions().size());
        assertEquals(2, test.server.connections().userCount());
    }

    @Test
    void closeSaysGoodbyeAndRefusesNewcomers() {
        TestPeer ann = test.managed("ann");
        test.server.close(Duration.ZERO);
        test.settle();
        assertEquals(
                100, ann.data("$goodbye").getAsJsonObject("retry").get("maxMs").getAsLong());
        assertEquals(CloseReason.DRAINING, ann.closeCode());
        assertNotNull(test.connect("", "/ws?token=bob").failure());
    }

    @Test
    void builderRefusesContradictions() {
        assertThrows(IllegalStateException.class, () -> RealtimeServer.builder().build());
        RealtimeServer.Builder builder = RealtimeServer.builder().on(SAY, (session, message) -> {});
        IllegalArgumentException twice =
                assertThrows(IllegalArgumentException.class, () -> builder.on(SAY, (session, message) -> {}));
        assertEquals("'say' has a handler already", twice.getMessage());
        assertThrows(IllegalArgumentException.class, () -> builder.port(70_000));
        assertThrows(IllegalArgumentException.class, () -> builder.path("ws"));
        IllegalArgumentException limits = assertThrows(
                IllegalArgumentException.class,
                () -> Limits.builder().mailbox(10).inflight(6).build());
        assertTrue(
                String.valueOf(limits).contains("inflight 6 is more than half of mailbox 10"), String.valueOf(limits));
    }
}
