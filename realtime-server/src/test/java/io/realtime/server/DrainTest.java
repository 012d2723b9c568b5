package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.spi.UpgradeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How a server moves its clients away before it is closed. */
@Timeout(60)
class DrainTest extends ChatServerFixture {
    private final CompletableFuture<Boolean> rule = new CompletableFuture<>();

    /** A client whose messages are not handled before the rule answers. */
    private TestPeer waiting() {
        start(builder -> builder.allowSendAsync((session, event, room) -> rule));
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','ref':'j','room':'chat:1'}");
        ann.next("$reply");
        ann.send("{'type':'say','seq':1,'room':'chat:1','data':{'text':'one'}}");
        ann.send("{'type':'say','seq':2,'data':{'text':'two'}}");
        test.settle();
        return ann;
    }

    private int open() {
        return test.server.stats().connections();
    }

    private void assertRefused(TestPeer peer) {
        assertEquals(
                503, assertInstanceOf(UpgradeException.class, peer.failure()).status());
    }

    @Test
    void clientsAreMovedEvenlyOverTheWindow() {
        for (int i = 0; i < 100; i++) {
            test.managed("user" + i);
        }
        CompletableFuture<Void> done = test.server.drain(Duration.ofSeconds(10));
        int before = open();
        for (int second = 0; second < 9; second++) {
            test.time.advance(Duration.ofSeconds(1));
            int moved = before - open();
            assertTrue(moved >= 9 && moved <= 11, "moved " + moved + " in second " + second);
            before = open();
        }
        assertFalse(done.isDone());
        test.time.advance(Duration.ofSeconds(2));
        assertEquals(0, open());
        assertTrue(done.isDone());
        assertEquals(100, test.server.stats().sessions(), "they are kept until the server is closed");
    }

    @Test
    void newConnectionsAreRefusedAndHealthIsDown() {
        TestPeer ann = test.managed("ann");
        test.server.drain(Duration.ofSeconds(10));
        assertRefused(test.connect("realtime.v1", "/ws"));
        ServerHealth health = test.server.health();
        assertEquals(ServerHealth.Status.DOWN, health.status());
        assertEquals(
                List.of(new ServerHealth.Reason("draining", ServerHealth.Status.DOWN, "clients move away; open: 1")),
                health.reasons());
        assertNull(ann.closed());
    }

    @Test
    void clientIsToldGoodbyeThenClosedWith4200() {
        TestPeer managed = test.managed("ann");
        TestPeer plain = test.plain("bob");
        test.server.drain(Duration.ZERO);
        test.time.advance(Duration.ofMillis(50));
        for (TestPeer peer : List.of(managed, plain)) {
            assertEquals(
                    1_000,
                    peer.data("$goodbye").getAsJsonObject("retry").get("maxMs").getAsLong());
            assertNull(peer.closed());
        }
        test.time.advance(Duration.ofMillis(100));
        assertEquals(CloseReason.DRAINING, managed.closeCode());
        assertEquals(CloseReason.DRAINING, plain.closeCode());
    }

    @Test
    void messagesThatHaveArrivedAreHandledAndAcknowledgedAndLaterOnesAreNot() {
        TestPeer ann = waiting();
        test.server.drain(Duration.ZERO);
        test.time.advance(Duration.ofSeconds(1));
        assertEquals(List.of("$goodbye"), ann.types());
        ann.send("{'type':'say','seq':3,'data':{'text':'three'}}");
        test.time.advance(Duration.ofSeconds(1));
        rule.complete(true);
        test.time.advance(Duration.ofMillis(200));
        assertEquals(List.of("one", "two"), handled);
        ann.next("said");
        assertEquals(2, ann.data("$ack").get("seq").getAsInt());
        assertEquals(CloseReason.DRAINING, ann.closeCode());
    }

    @Test
    void handlerIsWaitedForFiveSeconds() {
        TestPeer ann = waiting();
        test.server.drain(Duration.ZERO);
        test.time.advance(Duration.ofMillis(4_900));
        assertNull(ann.closed());
        test.time.advance(Duration.ofMillis(300));
        assertEquals(CloseReason.DRAINING, ann.closeCode());
    }

    @Test
    void connectionWithoutASessionIsClosedToo() {
        TestPeer silent = test.connect("realtime.v1", "/ws");
        test.server.drain(Duration.ZERO);
        test.time.advance(Duration.ofMillis(200));
        assertEquals(CloseReason.DRAINING, silent.closeCode());
    }

    @Test
    void drainWithoutClientsIsDoneAtOnce() {
        CompletableFuture<Void> done = test.server.drain(Duration.ofMinutes(1));
        test.settle();
        assertTrue(done.isDone());
        assertSame(done, test.server.drain(Duration.ZERO));
    }

    @Test
    void closeEndsTheDrain() {
        TestPeer ann = test.managed("ann");
        CompletableFuture<Void> done = test.server.drain(Duration.ofHours(1));
        test.settle();
        test.server.close(Duration.ZERO);
        test.settle();
        assertTrue(done.isDone());
        assertEquals(CloseReason.DRAINING, ann.closeCode());
        assertSame(done, test.server.drain(Duration.ZERO));
    }

    @Test
    void windowOutsideItsRangeIsRefused() {
        List<Duration> windows = new ArrayList<>(
                List.of(Duration.ofMillis(-1), Duration.ofHours(1).plusNanos(1)));
        for (Duration window : windows) {
            assertThrows(IllegalArgumentException.class, () -> test.server.drain(window));
        }
        assertEquals(ServerHealth.Status.UP, test.server.health().status());
        test.server.close(Duration.ZERO);
        assertThrows(IllegalStateException.class, () -> test.server.drain(Duration.ZERO));
    }
}
