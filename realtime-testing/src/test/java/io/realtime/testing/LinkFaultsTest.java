package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import io.realtime.testing.InMemoryNetwork.Direction;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Faults of one connection, and of what two ends agree on. */
class LinkFaultsTest extends NetworkFixture {
    private void connectTwo() {
        begin(server);
        begin(server);
        advance(2);
        assertEquals(2, connected.size());
    }

    private static MessageBatch batch(String... texts) {
        List<WireMessage> frames = new ArrayList<>();
        for (String text : texts) {
            frames.addAll(text(text).frames());
        }
        return MessageBatch.of(frames, false);
    }

    // ---- latency

    /** When twenty frames arrive that two connections send at 2 ms in turns, after a check of each one's order. */
    private static List<Integer> arrivals(long seed) throws IOException {
        LinkFaultsTest run = new LinkFaultsTest();
        run.listen();
        run.connectTwo();
        run.network.latency(Duration.ofMillis(1), Duration.ofMillis(50), new Random(seed));
        for (int i = 0; i < 20; i++) {
            run.connected.get(i % 2).connection.send(text("m" + i));
        }
        run.advance(50);
        List<Integer> arrivals = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            String[] seen = run.accepted.get(i % 2).seen.get(i / 2).split("@", -1);
            assertEquals("m" + i, seen[0], "seed " + seed);
            arrivals.add(Integer.parseInt(seen[1]));
        }
        return arrivals;
    }

    @Test
    void framesTakeTheirOwnTimesAndOnlyConnectionsOvertake() throws IOException {
        int overtaking = 0;
        for (long seed = 0; seed < 20; seed++) {
            List<Integer> arrivals = arrivals(seed);
            assertEquals(arrivals, arrivals(seed), "seed " + seed);
            for (int i = 0; i < 20; i++) {
                assertTrue(arrivals.get(i) >= 3 && arrivals.get(i) <= 52, "seed " + seed + ": " + arrivals);
                overtaking += i > 0 && arrivals.get(i) < arrivals.get(i - 1) ? 1 : 0;
            }
        }
        assertTrue(overtaking > 20, "overtaken only " + overtaking + " times");
        assertNotEquals(arrivals(0), arrivals(1));
    }

    @Test
    void rangeOfLatenciesIsOrderedAndNotNegative() {
        Random random = new Random(0);
        Duration one = Duration.ofMillis(1);
        assertThrows(IllegalArgumentException.class, () -> network.latency(one, Duration.ZERO, random));
        assertThrows(IllegalArgumentException.class, () -> network.latency(one.negated(), one, random));
        assertThrows(IllegalArgumentException.class, () -> network.latency(one.negated()));
        network.latency(one, one, random);
        connect();
    }

    @Test
    void latencyOfALinkIsItsAlone() {
        connectTwo();
        link().latency(Duration.ofMillis(7));
        network.latency(Duration.ofMillis(3));
        connected.get(0).connection.send(text("a"));
        connected.get(1).connection.send(text("b"));
        accepted.get(0).connection.send(text("c"));
        advance(7);
        assertEquals(List.of("a@9"), accepted.get(0).seen);
        assertEquals(List.of("b@5"), accepted.get(1).seen);
        assertEquals(List.of("c@9"), connected.get(0).seen);
    }

    // ---- resets

    @Test
    void resetEndsOneLinkAtBothEnds() {
        connectTwo();
        InMemoryNetwork.Link first = link();
        connected.get(0).connection.send(text("lost"));
        accepted.get(0).connection.ping();
        accepted.get(0).connection.send(text("lost"));
        first.reset();
        first.reset();
        assertEquals(0, time.pending(), "nothing of it is left");
        advance(10);
        assertEquals(List.of("closed 1006 connection reset@2"), accepted.get(0).seen);
        assertEquals(List.of("closed 1006 connection reset@2"), connected.get(0).seen);
        assertEquals(0, first.outboundBytes(Direction.TO_CLIENT));
        assertEquals(1, network.connections());
        assertTrue(connected.get(1).connection.send(text("on")));
        advance(1);
        assertEquals(List.of("on@13"), accepted.get(1).seen);
    }

    @Test
    void linksAreListedOldestFirstWhileOneEndIsOpen() {
        connectTwo();
        List<InMemoryNetwork.Link> both = network.links();
        connected.get(0).connection.abort();
        assertEquals(both, network.links(), "the server's end has not heard of it");
        advance(1);
        assertEquals(List.of(both.get(1)), network.links());
    }

    @Test
    void resetAfterSoManyBytesTearsTheFrameThatGoesBeyond() {
        for (int bytes = 0; bytes <= 9; bytes++) {
            begin(server);
            advance(2);
            End sender = connected.get(bytes);
            End receiver = accepted.get(bytes);
            link().resetAfter(Direction.TO_SERVER, bytes);
            receiver.connection.send(text("the other way")); // does not count
            advance(1);
            assertEquals(1, sender.seen.size());
            assertTrue(sender.connection.send(batch("aaa", "bbb", "ccc")));
            advance(1);
            List<String> expected = new ArrayList<>(List.of("aaa", "bbb", "ccc").subList(0, bytes / 3));
            expected.add("closed 1006 connection reset");
            assertEquals(
                    expected,
                    receiver.seen.stream()
                            .map(seen -> seen.substring(0, seen.indexOf('@')))
                            .toList(),
                    bytes + " bytes");
            assertEquals(2, sender.seen.size(), bytes + " bytes");
            assertTrue(sender.seen.get(1).startsWith("closed 1006"), bytes + " bytes");
            assertEquals(0, network.connections());
            assertEquals(0, time.pending());
        }
    }

    @Test
    void resetAfterSoManyBytesCountsAcrossBatches() {
        connect();
        link().resetAfter(Direction.TO_CLIENT, 10);
        serverEnd().connection.send(text("12345678"));
        advance(1);
        serverEnd().connection.ping();
        serverEnd().connection.send(text("x"));
        advance(1);
        serverEnd().connection.send(text("yz"));
        advance(1);
        assertEquals(List.of("12345678@3", "activity@4", "x@4", "closed 1006 connection reset@5"), clientEnd().seen);
        assertThrows(IllegalArgumentException.class, () -> {
            begin(server);
            advance(2);
            link().resetAfter(Direction.TO_CLIENT, -1);
        });
    }

    @Test
    void closingEndKeepsItsReason() {
        connect();
        serverEnd().connection.close(new CloseReason(CloseReason.SLOW_CONSUMER, "slow"));
        link().reset();
        assertEquals(List.of("closed 4102 slow@2"), serverEnd().seen);
        assertEquals(List.of("closed 1006 connection reset@2"), clientEnd().seen);
    }

    // ---- silence

    @Test
    void halfOpenDirectionSwallowsWhatIsSentFromThenOn() {
        connect();
        clientEnd().connection.send(text("on its way"));
        link().halfOpen(Direction.TO_SERVER);
        assertTrue(clientEnd().connection.send(text("x".repeat(58)))); // 60 bytes on the wire
        clientEnd().connection.ping();
        serverEnd().connection.send(text("heard"));
        serverEnd().connection.ping();
        advance(100);
        assertEquals(List.of("on its way@3"), serverEnd().seen, "and no pong");
        assertEquals(List.of("heard@3", "activity@3"), clientEnd().seen);
        assertEquals(60, link().outboundBytes(Direction.TO_SERVER));
        assertEquals(60, clientEnd().connection.outboundBytes());
        assertEquals(0, link().outboundBytes(Direction.TO_CLIENT));
        assertFalse(clientEnd().connection.send(text("y".repeat(39))), "41 more would exceed 100");
        assertEquals(0, time.pending());
    }

    @Test
    void halfOpenLinkTellsNobodyOfCloseOrAbort() {
        connectTwo();
        network.links().forEach(InMemoryNetwork.Link::halfOpen); // both directions
        accepted.get(0).connection.close(new CloseReason(CloseReason.HEARTBEAT_TIMEOUT, "dead"));
        accepted.get(1).connection.abort();
        advance(60_000);
        assertEquals(List.of("closed 4105 dead@5002"), accepted.get(0).seen);
        assertEquals(List.of("closed 1006 aborted@2"), accepted.get(1).seen);
        assertEquals(List.of(), connected.get(0).seen);
        assertEquals(List.of(), connected.get(1).seen);
        assertEquals(2, network.connections(), "the clients' ends are open");
        assertEquals(0, time.pending());
        connected.get(0).connection.abort();
        connected.get(1).connection.close(new CloseReason(CloseReason.NORMAL, "bye"));
        advance(5_000);
        assertEquals(0, network.connections());
        assertEquals(0, time.pending());
    }

    @Test
    void connectionThroughABlackHoleStaysSilentUntilItsReset() {
        connectTwo();
        network.blackHole(true);
        connected.get(0).connection.send(text("lost"));
        advance(10);
        network.blackHole(false);
        connected.get(0).connection.send(text("behind a hole"));
        connected.get(1).connection.send(text("without one"));
        accepted.get(0).connection.send(text("the other way"));
        advance(10);
        assertEquals(List.of(), accepted.get(0).seen, "a stream has no holes");
        assertEquals(List.of("without one@13"), accepted.get(1).seen);
        assertEquals(List.of("the other way@13"), connected.get(0).seen);
        connected.get(0).connection.abort();
        advance(1);
        assertEquals(List.of("closed 1006 connection reset@23"), accepted.get(0).seen);
    }

    // ---- upgrades

    @Test
    void lostUpgradeLeavesAServerConnectionUntilItsTimeout() {
        network.loseUpgrades(true);
        Scheduler.Cancellable attempt = begin(server);
        advance(10);
        assertEquals(0, connected.size());
        assertEquals(1, accepted.size());
        Connection ghost = serverEnd().connection;
        assertTrue(ghost.send(text("x".repeat(80))));
        ghost.ping();
        attempt.cancel();
        advance(100);
        assertEquals(List.of(), serverEnd().seen, "the client's giving up does not come through");
        assertFalse(ghost.send(text("y".repeat(80))), "the bound holds");
        assertEquals(1, network.connections());

        ghost.close(new CloseReason(CloseReason.HELLO_TIMEOUT, "no hello"));
        advance(5_000);
        assertEquals(List.of("closed 4103 no hello@5110"), serverEnd().seen);
        assertEquals(0, network.connections());
        assertEquals(List.of(), failures);

        network.loseUpgrades(false);
        begin(server);
        advance(2);
        assertEquals(1, connected.size());
    }

    @Test
    void lostRefusalIsNotHeardOfEither() {
        network.loseUpgrades(true);
        answer = ServerTransport.Upgrade.refuse(503, "Busy");
        begin(server);
        advance(100);
        assertEquals(List.of(), failures);
        assertEquals(0, time.pending());
    }

    @Test
    void whatTheServerSendsAtOnceComesAfterTheUpgrade() {
        begin(server);
        advance(1);
        assertEquals(1, accepted.size());
        assertEquals(0, connected.size());
        serverEnd().connection.send(text("welcome"));
        serverEnd().connection.close(new CloseReason(CloseReason.KICKED, "enough"));
        advance(1);
        assertEquals(List.of("welcome@2", "peer closed 4005 enough@2"), clientEnd().seen);
    }

    @Test
    void attemptThatIsGivenUpAfterTheServerOpenedResetsIt() {
        Scheduler.Cancellable attempt = begin(server);
        advance(1);
        attempt.cancel();
        attempt.cancel();
        advance(10);
        assertEquals(List.of("closed 1006 connection reset@2"), serverEnd().seen);
        assertEquals(0, connected.size());
        assertEquals(List.of(), failures);
    }

    @Test
    void resetBeforeTheClientHeardFailsTheAttempt() {
        begin(server);
        advance(1);
        link().reset();
        advance(10);
        assertEquals(List.of("connection reset@1"), failures);
        assertEquals(List.of("closed 1006 connection reset@1"), serverEnd().seen);
        assertEquals(0, connected.size());
    }

    @Test
    void subprotocolThatWasNotOfferedFailsTheAttempt() {
        answer = ServerTransport.Upgrade.accept(null);
        begin(server);
        advance(3);
        assertEquals(List.of("the server did not select the subprotocol p@2"), failures);
        assertEquals(List.of("closed 1006 connection reset@3"), serverEnd().seen);
        assertEquals(0, connected.size());
    }

    // ---- limits

    @Test
    void messageBeyondLimitClosesWith1009AndNothingAfterItIsHeard() {
        connect();
        Connection connection = clientEnd().connection;
        connection.send(text("x".repeat(MESSAGE)));
        advance(1);
        connection.send(batch("y".repeat(MESSAGE + 1), "z"));
        advance(1);
        assertTrue(connection.send(text("before the close is heard")));
        advance(2);
        String told = "closed 1009 message longer than 80 bytes@";
        assertEquals(List.of("x".repeat(MESSAGE) + "@3", told + "6"), serverEnd().seen);
        assertEquals(List.of("drained@3", "drained@4", "peer " + told + "5"), clientEnd().seen);
    }

    @Test
    void clientsLimitHoldsForWhatTheServerSends() {
        connect();
        serverEnd().connection.send(batch("x", "y".repeat(MESSAGE + 1), "z"));
        advance(3);
        String told = "closed 1009 message longer than 80 bytes@";
        assertEquals(List.of("x@3", told + "5"), clientEnd().seen);
        assertEquals(List.of("drained@3", "peer " + told + "4"), serverEnd().seen);
    }

    @Test
    void damagedFrameClosesWith1002AndNothingAfterItIsHeard() {
        connect();
        link().damageNext(Direction.TO_CLIENT);
        serverEnd().connection.send(batch("x", "y"));
        advance(3);
        assertEquals(List.of("closed 1002 reserved bit set@5"), clientEnd().seen);
        assertEquals(List.of("peer closed 1002 reserved bit set@4"), serverEnd().seen);
    }

    @Test
    void moreConnectionsThanAllowedAreTurnedAwayAndRoomIsReused() {
        for (int i = 0; i < CONNECTIONS; i++) {
            begin(server);
        }
        advance(2);
        assertEquals(CONNECTIONS, connected.size());
        begin(server);
        advance(2);
        assertEquals(List.of("connection closed: the server has as many as it takes@4"), failures);
        connected.get(3).connection.abort();
        advance(1);
        begin(server);
        advance(2);
        assertEquals(CONNECTIONS + 1, connected.size());
    }
}
