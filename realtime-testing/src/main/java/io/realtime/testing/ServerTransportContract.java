package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.ServerTransport.Upgrade;
import io.realtime.spi.WireMessage;
import io.realtime.testing.ContractServer.Accepted;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The contract of every {@link ServerTransport}, independent of its network. It also checks that each listener gets one
 * call at a time, and its end once and last. A transport over sockets extends {@link WebSocketServerTransportContract}
 * instead, which can connect, and tests more.
 */
@Timeout(60)
public abstract class ServerTransportContract extends ServerTransportFixture {
    static final String BIG = "x".repeat(16 * 1024);

    /** Creates a contract test. */
    protected ServerTransportContract() {}

    // ---- messages

    @Test
    void textAndBinaryGoBothWays() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.text("grüße 🎈");
        assertEquals("text grüße 🎈", accepted.next());
        peer.binary(new byte[] {0, -1, 7});
        assertEquals("binary [0, -1, 7]", accepted.next());
        peer.text("");
        assertEquals("text ", accepted.next());

        assertTrue(accepted.connection.send(text("zurück 🎈")));
        assertTrue(accepted.connection.send(MessageBatch.of(WireMessage.binary(new byte[] {1, -2}))));
        assertTrue(accepted.connection.send(text("")));
        assertEquals("text zurück 🎈", peer.next());
        assertEquals("binary [1, -2]", peer.next());
        assertEquals("text ", peer.next());
    }

    @Test
    void messagesOfEveryLengthArriveWhole() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        for (int length : new int[] {1, 7, 8, 125, 126, 127, 65_535, MESSAGE_BYTES}) {
            String sent = "abcdefghijk".repeat(length / 11 + 1).substring(0, length);
            peer.text(sent);
            assertEquals("text " + sent, accepted.next());
            accepted.connection.send(text(sent));
            assertEquals("text " + sent, peer.next());
        }
    }

    @Test
    void tenThousandMessagesKeepTheirOrderBothWays() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        accepted.onText = text -> assertTrue(accepted.connection.send(text(text)));
        int ahead = 1_000;
        for (int i = 0; i < 10_000 + ahead; i++) {
            if (i < 10_000) {
                peer.text("n" + i);
            }
            if (i >= ahead) {
                assertEquals("text n" + (i - ahead), peer.next());
            }
        }
    }

    @Test
    void batchLeavesWholeAndInOrder() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        byte[] binary = new byte[300];
        accepted.connection.send(MessageBatch.of(
                List.of(WireMessage.text(new byte[] {'a'}), WireMessage.binary(binary), WireMessage.text(new byte[] {'c'
                })),
                false));
        assertEquals("text a", peer.next());
        assertEquals("binary " + Arrays.toString(binary), peer.next());
        assertEquals("text c", peer.next());
    }

    @Test
    void oneEncodedBatchServesManyConnectionsAndSameOneAgain() throws Exception {
        MessageBatch batch =
                MessageBatch.of(List.of(WireMessage.text(new byte[] {'a'}), WireMessage.text(new byte[] {'b'})), false);
        for (int i = 0; i < 3; i++) {
            ContractPeer peer = open();
            Accepted accepted = server.next();
            assertTrue(accepted.connection.send(batch));
            assertTrue(accepted.connection.send(batch));
            for (String expected : List.of("text a", "text b", "text a", "text b")) {
                assertEquals(expected, peer.next());
            }
        }
    }

    @Test
    void queuedBatchesLeaveInOrderWithFlushOrWhatIsSentNext() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        assertTrue(accepted.connection.queue(text("a")));
        assertTrue(accepted.connection.queue(text("b")));
        accepted.connection.flush();
        assertEquals("text a", peer.next());
        assertEquals("text b", peer.next());
        assertTrue(accepted.connection.queue(text("c")));
        assertTrue(accepted.connection.send(text("d")));
        assertEquals("text c", peer.next());
        assertEquals("text d", peer.next());
        accepted.connection.flush();
        assertTrue(accepted.connection.queue(text("e")));
        accepted.connection.close(new CloseReason(4003, "forbidden"));
        assertFalse(accepted.connection.queue(text("too late")));
        accepted.connection.flush();
        assertEquals("text e", peer.next());
        assertEquals("closed 4003 forbidden", peer.next());
    }

    @Test
    void queuedBatchesFillTheBoundAsSentOnesDo() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.pauseReading();
        int taken = 0;
        while (accepted.connection.queue(text(taken + " " + BIG))) {
            taken++;
            assertTrue(taken < 10_000, "a peer that reads nothing must be refused at some time");
        }
        accepted.connection.flush();
        peer.resumeReading();
        for (int i = 0; i < taken; i++) {
            assertEquals("text " + i + " " + BIG, peer.next());
        }
        assertEquals("drained", accepted.next());
    }

    // ---- bounds

    @Test
    void outboundQueueOfSlowPeerIsBoundedAndDrains() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.pauseReading();
        int taken = fillToTheBrim(peer, accepted);
        assertTrue(accepted.connection.outboundBytes() > OUTBOUND_BYTES / 2);
        peer.resumeReading();
        for (int i = 0; i < taken; i++) {
            assertEquals("text " + i + " " + BIG, peer.next());
        }
        assertEquals("drained", accepted.next());
        assertEquals(0, accepted.bytesWhenDrained, "told before it had drained");
        assertEquals(0, accepted.connection.outboundBytes());
        assertTrue(accepted.connection.send(text("again")));
        assertEquals("text again", peer.next());
        accepted.expectNoMore();
    }

    @Test
    void peerThatDoesNotReadKeepsNobodyWaitingForTransport() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.pauseReading();
        BlockingQueue<String> caughtUp = new LinkedBlockingQueue<>();
        int taken = 0;
        do {
            if (accepted.connection.awaitWritable(() -> caughtUp.add("caught up"))) {
                assertEquals("caught up", await(caughtUp));
            }
            assertTrue(taken < 10_000, "a peer that reads nothing must be refused at some time");
        } while (accepted.connection.send(text(taken++ + " " + BIG)));
        boolean lags = accepted.connection.awaitWritable(() -> caughtUp.add("ended"));
        accepted.connection.abort();
        if (lags) {
            assertEquals("ended", await(caughtUp));
        }
        assertTrue(accepted.next().startsWith("closed"));
        assertFalse(accepted.connection.awaitWritable(() -> caughtUp.add("nothing lags that has ended")));
    }

    @Test
    void batchBeyondTheBoundIsRefusedWhole() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.text("upgraded");
        assertEquals("text upgraded", accepted.next());
        WireMessage half = WireMessage.binary(new byte[OUTBOUND_BYTES / 2]);
        assertFalse(accepted.connection.send(MessageBatch.of(List.of(half, half), false)));
        assertEquals(0, accepted.connection.outboundBytes());
        assertTrue(accepted.connection.send(text("small")));
        assertEquals("text small", peer.next());
        peer.text("heard");
        assertEquals("text heard", accepted.next(), "nothing had to drain");
    }

    @Test
    void limitOfOneConnectionMayBeLoweredAndRaised() throws Exception {
        server.messageBytesAtFirst = 100;
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.text("x".repeat(100));
        assertEquals("text " + "x".repeat(100), accepted.next());
        accepted.connection.limitMessages(MESSAGE_BYTES);
        peer.text("y".repeat(MESSAGE_BYTES));
        assertEquals("text " + "y".repeat(MESSAGE_BYTES), accepted.next());
        ContractPeer other = open();
        other.text("x".repeat(101));
        assertTrue(other.next().startsWith("closed 1009"));
        assertTrue(server.next().next().startsWith("closed 1009"));
    }

    @Test
    void messageOfLimitIsTakenAndLongerOneClosesWith1009() throws Exception {
        ContractPeer other = open();
        Accepted untouched = server.next();
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.binary(new byte[MESSAGE_BYTES]);
        assertTrue(accepted.next().startsWith("binary "));
        peer.binary(new byte[MESSAGE_BYTES + 1]);
        assertTrue(peer.next().startsWith("closed 1009"));
        peer.cut();
        assertTrue(accepted.next().startsWith("closed 1009"));
        other.text("still here");
        assertEquals("text still here", untouched.next());
    }

    @Test
    void moreConnectionsThanAllowedAreTurnedAwayAndRoomIsReused() throws Exception {
        ContractPeer first = open();
        Accepted accepted = server.next();
        for (int i = 1; i < CONNECTIONS; i++) {
            open();
            server.next();
        }
        assertThrows(IOException.class, this::open);
        first.cut();
        assertTrue(accepted.next().startsWith("closed 1006"));
        open().text("newcomer");
        assertEquals("text newcomer", server.next().next());
        server.expectNoMore();
    }

    // ---- the upgrade

    @Test
    void acceptorSeesTheHandshake() throws Exception {
        open(
                "/a%20b/ws?token=x&y=%3F?z",
                Map.of("Origin", "https://example.org", "Authorization", "Bearer t", "X-Test", "1,2"), "");
        Accepted accepted = server.next();
        Handshake handshake = accepted.handshake;
        assertEquals("/a%20b/ws", handshake.path());
        assertEquals("token=x&y=%3F?z", handshake.query());
        assertEquals("https://example.org", handshake.header("origin"));
        assertEquals("Bearer t", handshake.header("AUTHORIZATION"));
        assertEquals("1,2", handshake.header("x-test"));
        assertNull(handshake.header("Sec-WebSocket-Protocol"));
        assertEquals(List.of(), handshake.subprotocols());
        assertTrue(handshake.remote().getPort() > 0);
        assertTrue(accepted.connection
                .remoteAddress()
                .endsWith(":" + handshake.remote().getPort()));
    }

    @Test
    void subprotocolIsWhatTheAcceptorChose() throws Exception {
        server.verdict = Upgrade.accept("realtime.v1");
        open("/", Map.of(), "realtime.v1").text("hello");
        Accepted accepted = server.next();
        assertEquals(List.of("realtime.v1"), accepted.handshake.subprotocols());
        assertEquals("text hello", accepted.next());
        server.verdict = Upgrade.accept(null);
        assertThrows(IOException.class, () -> open("/", Map.of(), "realtime.v1"));
    }

    @Test
    void refusedUpgradeIsAnsweredWithItsStatusAndOpensNothing() throws Exception {
        for (int status : new int[] {400, 401, 403, 404, 503}) {
            server.verdict = Upgrade.refuse(status, "No Entry");
            String answer = assertThrows(IOException.class, this::open).getMessage();
            assertNotNull(answer);
            assertTrue(answer.contains(status + " No Entry"), answer);
        }
        server.verdict = Upgrade.accept(null);
        open().text("the first");
        assertEquals("text the first", server.next().next());
    }

    // ---- signs of life

    @Test
    void pingsOfBothSidesAreHeardAndDisturbNoMessage() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.ping();
        assertEquals("activity", accepted.next());
        accepted.connection.send(text("before"));
        accepted.connection.ping();
        accepted.connection.send(text("behind"));
        assertEquals("text before", peer.next());
        assertEquals("text behind", peer.next());
        assertEquals("activity", accepted.next(), "the pong");
    }

    // ---- the end

    @Test
    void serverCloseFollowsSentMessages() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        accepted.connection.send(text("last"));
        accepted.connection.close(new CloseReason(4003, "forbidden"));
        accepted.connection.close(new CloseReason(4005, "a second close changes nothing"));
        assertFalse(accepted.connection.send(text("too late")));
        peer.ping();
        assertEquals("activity", accepted.next(), "the peer has not answered yet");
        assertEquals("text last", peer.next());
        assertEquals("closed 4003 forbidden", peer.next());
        assertEquals("closed 4003 forbidden", accepted.next());
    }

    @Test
    void peerClosesWithItsCodeAndIsAnswered() throws Exception {
        for (CloseReason reason :
                List.of(new CloseReason(1000, ""), new CloseReason(4999, "bye"), new CloseReason(3000, "ü"))) {
            ContractPeer peer = open();
            Accepted accepted = server.next();
            peer.close(reason);
            assertEquals("peer closed " + reason, accepted.next());
            assertTrue(peer.next().startsWith("closed " + reason.code()));
            assertFalse(accepted.connection.send(text("too late")));
            assertEquals(0, accepted.connection.outboundBytes());
        }
    }

    @Test
    void codeThatMayNotBeSentIsLeftOut() throws Exception {
        for (int code : new int[] {CloseReason.NO_STATUS, CloseReason.ABNORMAL, 1015}) {
            ContractPeer peer = open();
            Accepted accepted = server.next();
            accepted.connection.close(new CloseReason(code, "mine"));
            assertEquals("closed 1005", peer.next());
            assertEquals("closed " + code + " mine", accepted.next());
        }
    }

    @Test
    void closesThatCrossEndConnectionOnceWithServersReason() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        accepted.connection.close(new CloseReason(4003, "forbidden"));
        peer.close(new CloseReason(1000, "bye"));
        assertEquals("closed 4003 forbidden", accepted.next());
    }

    @Test
    void bytesSentBeforeTheEndOfInputAreDelivered() throws Exception {
        for (int i = 0; i < 100; i++) {
            ContractPeer peer = open();
            Accepted accepted = server.next();
            for (int n = 0; n < 50; n++) {
                peer.text("n" + n);
            }
            peer.close(new CloseReason(4001, "done"));
            peer.cut();
            for (int n = 0; n < 50; n++) {
                assertEquals("text n" + n, accepted.next());
            }
            assertEquals("peer closed 4001 done", accepted.next());
        }
    }

    @Test
    void peerThatLeavesWithoutAClosingHandshakeIsAbnormal() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.cut();
        assertTrue(accepted.next().startsWith("closed 1006"));
    }

    @Test
    void abortCutsAtOnceAndNothingWorksAfterwards() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        accepted.connection.abort();
        assertTrue(accepted.next().startsWith("closed 1006"));
        assertTrue(peer.next().startsWith("closed 1006"));
        assertFalse(accepted.connection.send(text("late")));
        assertEquals(0, accepted.connection.outboundBytes());
        accepted.connection.ping();
        accepted.connection.close(new CloseReason(1000, ""));
        accepted.connection.abort();
    }

    @Test
    void abortFromWithinACallIsHeardAfterIt() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        accepted.onText = text -> accepted.connection.abort();
        peer.text("go");
        assertEquals("text go", accepted.next());
        assertTrue(accepted.next().startsWith("closed 1006"));
    }

    @Test
    void vanishedPeerIsCutWithinTheCloseGrace() throws Exception {
        ContractPeer idle = open();
        Accepted closed = server.next();
        ContractPeer full = open();
        Accepted closedFull = server.next();
        full.pauseReading();
        fillToTheBrim(full, closedFull);
        idle.vanish();
        full.vanish();
        closed.connection.close(new CloseReason(4105, "nothing heard"));
        closedFull.connection.close(new CloseReason(4102, "slow"));
        assertEquals("closed 4105 nothing heard", closed.next());
        assertEquals("closed 4102 slow", closedFull.next());
        assertEquals(0, closedFull.connection.outboundBytes());
    }

    @Test
    void vanishedPeerIsAbortedAtOnce() throws Exception {
        for (int i = 0; i < CONNECTIONS + 1; i++) {
            ContractPeer peer = open();
            Accepted accepted = server.next();
            if (i % 2 == 0) {
                peer.pauseReading();
                fillToTheBrim(peer, accepted);
                peer.vanish();
            } else {
                peer.vanish();
                accepted.connection.close(new CloseReason(4105, "nothing heard"));
            }
            accepted.connection.abort();
            assertTrue(accepted.next().startsWith("closed " + (i % 2 == 0 ? "1006" : "4105")));
            assertEquals(0, accepted.connection.outboundBytes());
        }
    }

    // ---- start and stop

    @Test
    void transportStartsOnceOnAPortThatItChose() throws Exception {
        assertTrue(transport().port() > 0);
        assertNull(transport().problem());
        assertThrows(IllegalStateException.class, () -> transport().start(config(0), server));
        open().text("as before");
        assertEquals("text as before", server.next().next());
    }

    @Test
    void addressInUseFailsToStart() throws Exception {
        ServerTransport second = newTransport();
        assertThrows(IOException.class, () -> second.start(config(transport().port()), server));
        assertThrows(IllegalStateException.class, second::port);
        open().text("the first is well");
        assertEquals("text the first is well", server.next().next());
    }

    @Test
    void stopAcceptingKeepsWhatIsOpenAndFreesThePort() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        transport().stopAccepting();
        peer.text("still open");
        assertEquals("text still open", accepted.next());
        accepted.connection.send(text("both ways"));
        assertEquals("text both ways", peer.next());
        assertThrows(IOException.class, this::open);
        ServerTransport successor = newTransport();
        successor.start(config(transport().port()), server);
        successor.stop(Duration.ZERO);
    }

    @Test
    void stopDrainsWhatWasSentAndClosesWith1001() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.pauseReading();
        int taken = fill(accepted);
        BlockingQueue<String> stopped = new LinkedBlockingQueue<>();
        meanwhile(() -> {
            stop(Duration.ofSeconds(10));
            stopped.add("stopped");
        });
        peer.resumeReading();
        for (int i = 0; i < taken; i++) {
            assertEquals("text " + i + " " + BIG, peer.next());
        }
        assertTrue(peer.next().startsWith("closed 1001"));
        String last = accepted.nextButDrained();
        assertTrue(last.startsWith("closed 1001"), last);
        assertEquals("stopped", await(stopped));
        assertThrows(IOException.class, this::open);
        transport().stopAccepting();
        transport().stop(Duration.ZERO);
    }

    private void stop(Duration drain) {
        try {
            transport().stop(drain);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void stopCutsThoseWhoDoNotRead() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        peer.pauseReading();
        fillToTheBrim(peer, accepted);
        transport().stop(Duration.ofMillis(100));
        assertTrue(accepted.next().startsWith("closed 1001"));
        assertEquals(0, accepted.connection.outboundBytes());
    }

    @Test
    void transportThatWasNotStartedHasNothingToStop() throws Exception {
        ServerTransport idle = newTransport();
        assertThrows(IllegalStateException.class, idle::port);
        assertNull(idle.problem());
        idle.stopAccepting();
        idle.stop(Duration.ofSeconds(5));
    }

    // ---- helpers

    /**
     * Sends like {@link #fill}, until the network accepts no more either. A transport that writes on its own thread may
     * refuse before that. It has written all that it can after two later messages have arrived.
     */
    static int fillToTheBrim(ContractPeer peer, Accepted accepted) throws Exception {
        int taken = fill(accepted, 0);
        for (int round = 0; round < 2; round++) {
            peer.text("go on");
            assertEquals("text go on", accepted.nextButDrained());
            int before = taken;
            taken = fill(accepted, before);
            if (taken > before) {
                round = -1;
            }
        }
        return taken;
    }

    /** Sends numbered messages until no more is accepted; returns how many were. */
    static int fill(Accepted accepted) {
        return fill(accepted, 0);
    }

    private static int fill(Accepted accepted, int from) {
        int taken = from;
        while (accepted.connection.send(text(taken + " " + BIG))) {
            taken++;
            assertTrue(accepted.connection.outboundBytes() <= OUTBOUND_BYTES);
            assertTrue(taken < 10_000, "a peer that reads nothing must be refused at some time");
        }
        return taken;
    }
}
