package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.net.BindException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class InMemoryNetworkTest extends NetworkFixture {
    @Test
    void connectionTakesARoundTripAndShowsTheHandshake() {
        network.latency(Duration.ofMillis(5));
        begin(server);
        advance(9);
        assertEquals(0, connected.size());
        advance(1);
        assertEquals(1, connected.size());
        Handshake handshake = serverEnd().handshake;
        assertEquals("/ws", handshake.path());
        assertEquals("a=b", handshake.query());
        assertEquals("1", handshake.header("x-test"));
        assertEquals(List.of("p"), handshake.subprotocols());
        assertEquals(1, network.connections());
    }

    @Test
    void framesArriveInOrderAfterTheLatencyBothWays() {
        connect();
        network.latency(Duration.ofMillis(10));
        assertTrue(clientEnd().connection.send(text("a")));
        network.latency(Duration.ofMillis(1));
        assertTrue(clientEnd().connection.send(text("b"))); // may not overtake
        assertTrue(serverEnd()
                .connection
                .send(MessageBatch.of(
                        List.of(WireMessage.text(new byte[] {'c'}), WireMessage.binary(new byte[] {1, 2})), false)));
        assertEquals(List.of(), serverEnd().seen);
        advance(10);
        assertEquals(List.of("a@12", "b@12"), serverEnd().seen);
        assertEquals(List.of("c@3", "binary 2@3"), clientEnd().seen);
    }

    @Test
    void pingIsActivityAtBothEnds() {
        connect();
        serverEnd().connection.ping();
        advance(2);
        assertEquals(List.of("activity@3"), clientEnd().seen);
        assertEquals(List.of("activity@4"), serverEnd().seen);
    }

    @Test
    void refusedConnectionFailsAndALaterOneDoesNot() {
        network.refuseConnections(true);
        begin(server);
        advance(2);
        assertEquals(
                List.of("connection refused: ws://anywhere:" + server.port() + "/ws@2"), failures, "without the query");
        network.refuseConnections(false);
        begin(server);
        advance(2);
        assertEquals(1, connected.size());
    }

    @Test
    void refusedUpgradeFailsWithItsStatus() {
        answer = ServerTransport.Upgrade.refuse(403, "Forbidden");
        begin(server);
        advance(2);
        assertEquals(List.of("upgrade refused: 403 Forbidden@2"), failures);
        assertEquals(0, network.connections());
    }

    @Test
    void attemptThatWasCancelledIsSilent() {
        begin(server).cancel();
        advance(100);
        assertEquals(List.of(), failures);
        assertEquals(0, connected.size());
        assertEquals(0, accepted.size());
    }

    @Test
    void cutEndsBothSidesAndLosesWhatWasInFlight() {
        connect();
        clientEnd().connection.send(text("lost"));
        network.cutAll();
        advance(100);
        assertEquals(List.of("closed 1006 connection reset@2"), serverEnd().seen);
        assertEquals(List.of("closed 1006 connection reset@2"), clientEnd().seen);
        assertFalse(clientEnd().connection.send(text("x")));
        assertEquals(0, network.connections());
        assertEquals(0, time.pending());
    }

    @Test
    void blackHoleSwallowsFramesPingsClosesAndConnections() {
        connect();
        network.blackHole(true);
        assertTrue(clientEnd().connection.send(text("x")));
        clientEnd().connection.ping();
        begin(server);
        advance(60_000);
        assertEquals(List.of(), serverEnd().seen);
        assertEquals(List.of(), clientEnd().seen);
        assertEquals(1, connected.size());
        assertEquals(List.of(), failures);

        clientEnd().connection.close(new CloseReason(4105, "dead"));
        advance(60_000);
        assertEquals(List.of("closed 4105 dead@65002"), clientEnd().seen);
        assertEquals(List.of(), serverEnd().seen, "a half-open peer hears nothing");
    }

    @Test
    void whatWaitsIsBoundedAndItsEndIsReported() {
        connect();
        network.stallClients(true);
        Connection connection = serverEnd().connection;
        assertTrue(connection.send(text("x".repeat(58)))); // 60 bytes on the wire
        assertEquals(60, connection.outboundBytes());
        assertFalse(connection.send(text("y".repeat(39))), "41 more would exceed 100");
        assertEquals(60, connection.outboundBytes());
        assertTrue(connection.send(text("z".repeat(38))));
        assertEquals(100, connection.outboundBytes());
        advance(100);
        assertEquals(List.of(), serverEnd().seen);
        assertEquals(List.of(), clientEnd().seen);

        network.stallClients(false);
        advance(1);
        assertEquals(List.of("x".repeat(58) + "@103", "z".repeat(38) + "@103"), clientEnd().seen);
        assertEquals(List.of("drained@103"), serverEnd().seen);
        assertEquals(0, connection.outboundBytes());
        assertTrue(connection.send(text("again")));
        advance(1);
        assertEquals(List.of("drained@103"), serverEnd().seen, "half of the bound was not exceeded");
    }

    @Test
    void closeFollowsStalledFrames() {
        connect();
        network.stallClients(true);
        serverEnd().connection.send(text("before"));
        serverEnd().connection.close(new CloseReason(CloseReason.SLOW_CONSUMER, "slow"));
        advance(10);
        assertEquals(List.of(), clientEnd().seen, "it does not read, so it does not see the close either");
        network.stallClients(false);
        advance(2);
        assertEquals(List.of("before@13", "peer closed 4102 slow@13"), clientEnd().seen);
        assertEquals(List.of("closed 4102 slow@14"), serverEnd().seen);
    }

    @Test
    void stalledPeerThatNeverReadsIsCutOffAfterTheClose() {
        connect();
        network.stallClients(true);
        serverEnd().connection.send(text("before"));
        serverEnd().connection.close(new CloseReason(CloseReason.SLOW_CONSUMER, "slow"));
        advance(6_000);
        assertEquals(List.of("closed 4102 slow@5002"), serverEnd().seen);
        assertEquals(List.of("closed 1006 connection reset@5003"), clientEnd().seen);
        assertEquals(0, network.connections());
    }

    @Test
    void serversCloseCodeReachesTheClientAfterWhatWasSent() {
        connect();
        serverEnd().connection.send(text("last"));
        serverEnd().connection.close(new CloseReason(CloseReason.KICKED, "enough"));
        assertFalse(serverEnd().connection.send(text("too late")));
        advance(2);
        assertEquals(List.of("last@3", "peer closed 4005 enough@3"), clientEnd().seen);
        assertEquals(List.of("closed 4005 enough@4"), serverEnd().seen);
        assertEquals(0, network.connections());
        advance(60_000);
        assertEquals(1, serverEnd().seen.size(), "told once");
        assertEquals(2, clientEnd().seen.size(), "told once");
    }

    @Test
    void clientsCloseCodeReachesTheServer() {
        connect();
        clientEnd().connection.close(new CloseReason(CloseReason.NORMAL, "bye"));
        clientEnd().connection.close(new CloseReason(CloseReason.GOING_AWAY, "ignored"));
        advance(2);
        assertEquals(List.of("peer closed 1000 bye@3"), serverEnd().seen);
        assertEquals(List.of("closed 1000 bye@4"), clientEnd().seen);
    }

    @Test
    void abortIsALossForThePeer() {
        connect();
        clientEnd().connection.abort();
        assertEquals(List.of(), clientEnd().seen, "not on the caller's stack");
        time.runDue();
        assertEquals(List.of("closed 1006 aborted@2"), clientEnd().seen);
        advance(1);
        assertEquals(List.of("closed 1006 connection reset@3"), serverEnd().seen);
        assertEquals(0, network.connections());
    }

    @Test
    void portIsTakenUntilTheServerStopsAccepting() throws IOException {
        ServerTransport other = network.serverTransport();
        assertThrows(IllegalStateException.class, other::port);
        assertThrows(BindException.class, () -> start(other, server.port()));
        connect();
        server.stopAccepting();
        assertEquals(1, network.connections(), "open connections stay");
        start(other, server.port());
        assertEquals(server.port(), other.port());
    }

    @Test
    void stopCutsThoseWhoDoNotReadWhenItsDrainIsOver() throws Exception {
        connect();
        network.stallClients(true);
        serverEnd().connection.send(text("stays"));
        server.stop(Duration.ofMillis(100));
        advance(99);
        assertEquals(List.of(), serverEnd().seen);
        advance(1);
        assertEquals(List.of("closed 1001 server stops@102"), serverEnd().seen);
        advance(1);
        assertEquals(List.of("closed 1006 connection reset@103"), clientEnd().seen);
    }

    @Test
    void crashRightAfterAnAbortIsSilent() {
        connect();
        serverEnd().connection.abort();
        network.crash(server);
        advance(1);
        assertEquals(List.of(), serverEnd().seen, "the dead hear nothing");
        assertEquals(List.of("closed 1006 connection reset@3"), clientEnd().seen);
    }

    @Test
    void serverThatStopsClosesItsOwnConnectionsOnly() throws Exception {
        ServerTransport other = network.serverTransport();
        start(other, 0);
        connect();
        begin(other);
        advance(2);
        server.stop(Duration.ZERO);
        advance(2);
        assertEquals(List.of("peer closed 1001 server stops@5"), connected.get(0).seen);
        assertEquals(List.of(), connected.get(1).seen);
        assertEquals(1, network.connections());
    }
}
