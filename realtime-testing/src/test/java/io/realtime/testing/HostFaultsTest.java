package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ServerTransport;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Processes that die, and machines that lose their power. */
class HostFaultsTest extends NetworkFixture {
    private final ServerTransport otherServer = network.serverTransport();
    private final ClientTransport otherClient = network.clientTransport();

    /** The first connection is of client and server, the second of the other client, the third to the other server. */
    private void connectAll() throws IOException {
        start(otherServer, 0);
        begin(server);
        begin(otherClient, server);
        begin(otherServer);
        advance(2);
        assertEquals(3, connected.size());
    }

    @Test
    void crashOfAServerResetsItsConnectionsAndFreesItsPort() throws IOException {
        connectAll();
        Connection dead = serverEnd().connection;
        clientEnd().connection.send(text("nobody reads it"));
        network.crash(server);
        assertFalse(dead.send(text("x")));
        dead.ping();
        dead.close(new CloseReason(CloseReason.NORMAL, ""));
        dead.abort();
        begin(server);
        advance(10);
        for (int c = 0; c < 2; c++) {
            assertEquals(List.of("closed 1006 connection reset@3"), connected.get(c).seen);
            assertEquals(List.of(), accepted.get(c).seen, "not even its end");
        }
        assertEquals(List.of("connection refused: ws://anywhere:" + server.port() + "/ws@4"), failures);
        assertEquals(List.of(), connected.get(2).seen);
        assertEquals(1, network.connections());

        ServerTransport successor = network.serverTransport();
        start(successor, server.port());
        network.crash(server);
        begin(successor);
        advance(2);
        assertEquals(4, connected.size());
    }

    @Test
    void crashOfClientResetsItsConnectionsAndSilencesItsAttempts() throws IOException {
        connectAll();
        begin(server);
        begin(server).cancel();
        advance(1);
        begin(server); // one is on its way there, one on its way back
        network.crash(client);
        begin(server);
        advance(10);
        assertEquals(3, connected.size());
        assertEquals(List.of(), failures);
        assertEquals(List.of("closed 1006 connection reset@4"), accepted.get(0).seen);
        assertEquals(List.of(), accepted.get(1).seen, "another client's");
        assertEquals(List.of("closed 1006 connection reset@4"), accepted.get(2).seen);
        assertEquals(List.of("closed 1006 connection reset@4"), accepted.get(3).seen);
        assertEquals(4, accepted.size());
        assertEquals(List.of(), clientEnd().seen);
        assertEquals(1, network.connections());
    }

    @Test
    void vanishedServerIsSilentAndItsPeersFindOutThemselves() throws IOException {
        connectAll();
        network.vanish(server);
        Connection connection = clientEnd().connection;
        assertTrue(connection.send(text("x".repeat(80))));
        connection.ping();
        begin(server);
        advance(60_000);
        assertEquals(List.of(), clientEnd().seen);
        assertEquals(82, connection.outboundBytes());
        assertFalse(connection.send(text("y".repeat(80))), "the bound holds");
        assertEquals(List.of(), failures, "nobody is there to refuse");
        assertEquals(0, time.pending());

        connection.close(new CloseReason(CloseReason.HEARTBEAT_TIMEOUT, "dead"));
        connected.get(1).connection.abort();
        advance(5_000);
        assertEquals(List.of("closed 4105 dead@65002"), clientEnd().seen);
        assertEquals(List.of(), serverEnd().seen);
        assertEquals(1, network.connections());
        start(network.serverTransport(), server.port());
        begin(server);
        advance(2);
        assertEquals(4, connected.size());
    }

    @Test
    void vanishedClientIsSilentAndItsPeersFindOutThemselves() throws IOException {
        connectAll();
        clientEnd().connection.send(text("the last"));
        network.vanish(client);
        assertFalse(clientEnd().connection.send(text("x")));
        serverEnd().connection.send(text("unheard"));
        advance(60_000);
        assertEquals(List.of("the last@3"), serverEnd().seen);
        assertEquals(List.of(), clientEnd().seen);
        assertEquals(9, serverEnd().connection.outboundBytes());
        serverEnd().connection.abort();
        accepted.get(2).connection.abort();
        assertEquals(1, network.connections());
    }

    @Test
    void resetMayOvertakeWhatTheDeadHadSent() {
        connect();
        serverEnd().connection.send(text("in time"));
        link().latency(Duration.ofMillis(10));
        serverEnd().connection.send(text("too late"));
        link().latency(Duration.ofMillis(2));
        network.crash(server);
        advance(20);
        assertEquals(List.of("in time@3", "closed 1006 connection reset@4"), clientEnd().seen);
    }

    @Test
    void crashWhileClosingIsAResetForTheOther() {
        connect();
        serverEnd().connection.close(new CloseReason(CloseReason.KICKED, "enough"));
        clientEnd().connection.close(new CloseReason(CloseReason.NORMAL, "bye"));
        network.crash(client);
        advance(60_000);
        assertEquals(List.of("closed 4005 enough@3"), serverEnd().seen);
        assertEquals(List.of(), clientEnd().seen);
    }

    @Test
    void serverThatCrashesBeforeItsAnswerArrivesFailsAttempt() {
        network.latency(Duration.ofMillis(5));
        begin(server);
        advance(5);
        network.latency(Duration.ofMillis(1));
        network.crash(server);
        advance(10);
        assertEquals(List.of("connection reset@6"), failures);
        assertEquals(0, connected.size());
    }

    @Test
    void transportOfAnotherNetworkIsRefused() {
        InMemoryNetwork other = new InMemoryNetwork(time);
        assertThrows(IllegalArgumentException.class, () -> other.crash(server));
        assertThrows(IllegalArgumentException.class, () -> other.vanish(server));
        assertThrows(IllegalArgumentException.class, () -> other.crash(client));
        assertThrows(IllegalArgumentException.class, () -> other.vanish((target, callback) -> () -> {}));
    }

    @Test
    void whatReachesPausedHostIsHandedOverAtEndOfPause() {
        begin(server);
        advance(2);
        network.pause(server, Duration.ofMillis(10));
        clientEnd().connection.send(text("a"));
        clientEnd().connection.send(text("b"));
        advance(9);
        assertEquals(List.of(), serverEnd().seen);
        InMemoryNetwork.Link link = network.links().get(0);
        InMemoryNetwork.Direction toServer = InMemoryNetwork.Direction.TO_SERVER;
        assertEquals(Duration.ofMillis(8), link.longestSilence(toServer), "it is there already");
        advance(1);
        assertEquals(List.of("a@12", "b@12"), serverEnd().seen);
        clientEnd().connection.send(text("c"));
        advance(2);
        assertEquals(Duration.ofMillis(10), link.longestSilence(toServer), "it is over, and not forgotten");
    }

    @Test
    void flushThatMeetsLaggingServerGoesOnWhenThatHasEnded() {
        begin(server);
        advance(2);
        boolean[] goesOn = new boolean[1];
        assertFalse(serverEnd().connection.awaitWritable(() -> goesOn[0] = true));
        network.lag(true);
        assertTrue(serverEnd().connection.awaitWritable(() -> goesOn[0] = true));
        advance(5);
        assertFalse(goesOn[0]);
        network.lag(false);
        advance(0);
        assertTrue(goesOn[0]);
    }
}
