package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What happens to a peer that sends too fast, reads too slowly or falls silent. */
class SlowPeerTest extends ChatServerFixture {
    private static final Event<Said> TYPING = Event.ephemeral("typing", Said.class);

    @Test
    void mailboxThatOverflowsClosesThatPeerOnly() {
        start(builder -> builder.limits(Limits.builder().mailbox(4).inflight(2).build()));
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        for (int i = 0; i < 6; i++) {
            ann.post("{'type':'say','data':{'text':'m'}}");
        }
        test.settle();
        assertEquals(CloseReason.OVERLOADED, ann.closeCode());
        bob.send("{'type':'echo','ref':'r','data':1}");
        bob.next("$reply");
    }

    @Test
    void slowReaderIsClosedAndItsMemoryBounded() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1000).outboundBytes(10_000).build()));
        TestPeer slow = test.managed("slow");
        test.network.stallClients(true);
        TestPeer quick = test.managed("quick");
        for (int i = 0; i < 100; i++) {
            test.server.connections().everyone().send(SAID, new Said("x", "y".repeat(200)));
            test.settle();
        }
        test.network.stallClients(false);
        test.time.advance(Duration.ofSeconds(6));
        assertEquals(CloseReason.SLOW_CONSUMER, slow.closeCode());
        assertEquals(100, quick.types().stream().filter("said"::equals).count());
    }

    @Test
    void ephemeralMessagesAreDroppedFirst() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1000).outboundBytes(10_000).build()));
        TestPeer slow = test.managed("slow");
        test.network.stallClients(true);
        for (int i = 0; i < 100; i++) {
            test.server.connections().everyone().send(TYPING, new Said("x", "y".repeat(200)));
            test.settle();
        }
        test.network.stallClients(false);
        test.settle();
        assertNull(slow.closed());
        int arrived = slow.types().size();
        assertTrue(arrived > 10 && arrived < 40, "arrived " + arrived);
        assertFalse(slow.next("typing").has("offset"));
    }

    @Test
    void silentPeerIsClosedAtTheTimeout() {
        TestPeer ann = test.plain("ann");
        test.network.blackHole(true);
        test.time.advance(Duration.ofSeconds(61));
        test.time.advance(Duration.ofSeconds(30));
        assertEquals(0, test.server.stats().connections());
        test.network.blackHole(false);
        ann.cut();
    }

    @Test
    void peerThatAnswersPingsStays() {
        TestPeer ann = test.plain("ann");
        test.time.advance(Duration.ofMinutes(10));
        assertNull(ann.closed());
    }
}
