package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.ServerTransport.Upgrade;
import io.realtime.testing.ContractServer.Accepted;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The contract of every {@link ServerTransport} over sockets, for any bytes, in any pieces, from any number of threads.
 * Extend it in the transport's own tests.
 */
@Timeout(60)
public abstract class WebSocketServerTransportContract extends WebSocketFramesContract {
    private static final String UPGRADE = String.join(
            "\r\n",
            "GET /p HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "",
            "");

    /** Creates a contract test. */
    protected WebSocketServerTransportContract() {}

    // ---- the upgrade

    @Test
    void answerProvesThatTheKeyWasRead() throws Exception {
        String answer = connectRaw().upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate");
        assertTrue(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the key's answer of RFC 6455 section 1.3");
        assertFalse(answer.contains("Sec-WebSocket-Extensions"));
        assertFalse(answer.contains("Sec-WebSocket-Protocol"));
    }

    @Test
    void oneOfTheOfferedSubprotocolsIsSelectedOrNone() throws Exception {
        server.verdict = Upgrade.accept("two");
        String answer = connectRaw().upgrade("/", "Sec-WebSocket-Protocol: one, two");
        assertTrue(answer.contains("\r\nSec-WebSocket-Protocol: two\r\n"), answer);
        assertEquals(List.of("one", "two"), server.next().handshake.subprotocols());
        server.verdict = Upgrade.accept(null);
        String none = connectRaw().upgrade("/", "Sec-WebSocket-Protocol: one");
        assertFalse(none.contains("Sec-WebSocket-Protocol"), none);
    }

    @Test
    void acceptorSeesWhereThePeerIsAndEveryValueOfAHeader() throws Exception {
        RawWebSocket client = connectRaw();
        client.upgrade("/", "X-Twice: 1", "x-twice: 2");
        Handshake handshake = server.next().handshake;
        assertEquals("1,2", String.valueOf(handshake.header("X-Twice")).replace(" ", ""));
        assertEquals(client.localPort(), handshake.remote().getPort());
        assertTrue(handshake.remote().getAddress().isLoopbackAddress());
    }

    @Test
    void refusedUpgradeIsClosedAfterItsAnswer() throws Exception {
        server.verdict = Upgrade.refuse(403, "No Entry");
        RawWebSocket client = connectRaw();
        client.sendUpgrade("/");
        assertTrue(client.readHead().startsWith("HTTP/1.1 403 No Entry\r\n"));
        assertEquals(0, client.readToEnd().length);
    }

    @Test
    void addressThatIsNotLocalFailsToStartWithItsReason() {
        ServerTransport second = newTransport();
        ServerTransport.Config elsewhere = config(0, HANDSHAKE_TIMEOUT, CONNECTIONS, CONNECTIONS);
        IOException failure = assertThrows(
                IOException.class,
                () -> second.start(
                        new ServerTransport.Config(
                                new InetSocketAddress("192.0.2.1", 0), // reserved for documentation (RFC 5737)
                                elsewhere.messageBytes(),
                                elsewhere.handshakeBytes(),
                                elsewhere.handshakeTimeout(),
                                elsewhere.outboundBytes(),
                                elsewhere.connections(),
                                elsewhere.connectionsPerAddress(),
                                elsewhere.pendingUpgrades(),
                                null),
                        server));
        assertTrue(String.valueOf(failure.getMessage()).endsWith("assign requested address"), failure.getMessage());
    }

    @Test
    void takenBytesCountOnlyAfterAWait() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        accepted.connection.ping();
        accepted.connection.send(text("at once"));
        assertEquals("text at once", peer.next());
        assertEquals("activity", accepted.next());
        assertEquals(0, accepted.connection.taken());
        peer.pauseReading();
        int sent = fillToTheBrim(peer, accepted);
        peer.resumeReading();
        for (int i = 0; i < sent; i++) {
            assertEquals("text " + i + " " + BIG, peer.next());
        }
        assertEquals("drained", accepted.next());
        assertTrue(accepted.connection.taken() >= 1024, () -> "taken " + accepted.connection.taken());
    }

    @Test
    void upgradeInPiecesIsAccepted() throws Exception {
        RawWebSocket client = connectRaw();
        sendByteByByte(client, ascii(UPGRADE));
        assertTrue(client.readHead().startsWith("HTTP/1.1 101 "));
        assertEquals("/p", server.next().handshake.path());
    }

    @Test
    void framesMayFollowTheUpgradeInOneSegment() throws Exception {
        RawWebSocket client = connectRaw();
        client.send(concat(ascii(UPGRADE), RawWebSocket.encode(true, RawWebSocket.TEXT, ascii("hi"))));
        assertEquals("text hi", server.next().next());
    }

    /** Otherwise a listener that counts messages would treat a lost one as received. */
    @Test
    void noMessageIsDeliveredAfterAFailedOne() throws Exception {
        RawWebSocket client = connectRaw();
        client.upgrade("/");
        Accepted accepted = server.next();
        accepted.onText = text -> {
            if (text.equals("boom")) {
                throw new NoClassDefFoundError("expected by the test: a call that fails");
            }
        };
        client.send(concat(
                RawWebSocket.encode(true, RawWebSocket.TEXT, ascii("boom")),
                RawWebSocket.encode(true, RawWebSocket.TEXT, ascii("of the same read"))));
        assertEquals(CloseReason.INTERNAL_ERROR, client.read().closeReason().code());
        client.text("of the next one");
        client.close();
        assertEquals("text boom", accepted.next());
        String last = accepted.next();
        assertTrue(last.startsWith("closed "), last);
    }

    @Test
    void upgradeThatIsNotFinishedIsCutAtTheDeadline() throws Exception {
        RawWebSocket silent = connectRaw();
        RawWebSocket halfway = connectRaw();
        halfway.send(ascii("GET / HTTP/1.1\r\nHost: x\r\n"));
        assertEquals(0, silent.readToEnd().length); // within the read's ten seconds
        halfway.readToEnd();
        assertAcceptsNewcomers();
        server.expectNoMore();
    }

    @Test
    void headersWithoutEndAreCutAtTheLimit() throws Exception {
        RawWebSocket client = connectRaw();
        client.send(ascii("GET / HTTP/1.1\r\nX: " + "y".repeat(HANDSHAKE_BYTES)));
        assertTrue(new String(client.readToEnd(), StandardCharsets.US_ASCII).startsWith("HTTP/1.1 431 "));
    }

    // ---- bounds

    @Test
    void connectionsOfOneAddressAreBounded() throws Exception {
        ServerTransport small = newTransport();
        small.start(config(0, HANDSHAKE_TIMEOUT, 2, CONNECTIONS), server);
        try {
            RawWebSocket first = connectRaw(small);
            first.upgrade("/");
            Accepted accepted = server.next();
            connectRaw(small).upgrade("/");
            assertThrows(IOException.class, () -> connectRaw(small).upgrade("/"));
            assertEquals(1, server.refused.get());
            first.close();
            assertTrue(accepted.next().startsWith("closed 1006"));
            connectRaw(small).upgrade("/");
        } finally {
            small.stop(Duration.ZERO);
        }
    }

    @Test
    void oldestUpgradeIsCutForANewConnection() throws Exception {
        ServerTransport small = newTransport();
        small.start(config(0, Duration.ofMinutes(1), CONNECTIONS, 2), server);
        try {
            RawWebSocket longest = connectRaw(small);
            longest.send(new byte[] {'G'}); // completes a TLS handshake, if there is one, but not the upgrade
            RawWebSocket second = connectRaw(small);
            connectRaw(small).upgrade("/");
            assertEquals(0, longest.readToEnd().length); // within the read's ten seconds
            second.upgrade("/");
        } finally {
            small.stop(Duration.ZERO);
        }
    }

    // ---- callbacks that throw

    @Test
    void listenerThatThrowsHarmsNoOtherConnection() throws Exception {
        ContractPeer other = open();
        Accepted untouched = server.next();
        RawWebSocket client = openRaw();
        server.next().onText = text -> {
            throw new AssertionError("expected by the test: a listener that throws");
        };
        client.text("boom");
        assertEquals(CloseReason.INTERNAL_ERROR, client.read().closeReason().code());
        other.text("still here");
        assertEquals("text still here", untouched.next());
        assertAcceptsNewcomers();
    }

    @Test
    void throwingAcceptorEndsOnlyItsConnection() throws Exception {
        server.failsToDecide = new AssertionError("expected by the test: an acceptor that cannot decide");
        RawWebSocket undecided = connectRaw();
        undecided.sendUpgrade("/");
        assertTrue(undecided.readHead().startsWith("HTTP/1.1 500 "));
        server.failsToDecide = null;
        server.failsToOpen = new AssertionError("expected by the test: an acceptor that cannot open");
        assertEquals(CloseReason.INTERNAL_ERROR, openRaw().read().closeReason().code());
        server.failsToOpen = null;
        assertAcceptsNewcomers();
    }

    // ---- threads

    @Test
    void framesOfConcurrentSendersArriveWholeAndInEachSendersOrder() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        int senders = 4;
        int each = 2_000;
        for (int s = 0; s < senders; s++) {
            int sender = s;
            meanwhile(() -> {
                for (int i = 0; i < each; ) {
                    if (accepted.connection.send(text(sender + " " + i))) {
                        i++;
                    } else {
                        Thread.onSpinWait();
                    }
                }
            });
        }
        int[] expected = new int[senders];
        for (int i = 0; i < senders * each; i++) {
            String[] parts = peer.next().split(" ", -1);
            int sender = Integer.parseInt(parts[1]);
            assertEquals(expected[sender]++, Integer.parseInt(parts[2]));
        }
    }

    /** The backlog takes longer to read than a peer may take that reads nothing. */
    @Test
    void closeReachesAPeerThatReadsSlowlyAfterAllThatWaits() throws Exception {
        ServerTransport large = newTransport();
        ServerTransport.Config config = config(0);
        large.start(
                new ServerTransport.Config(
                        config.address(),
                        config.messageBytes(),
                        config.handshakeBytes(),
                        config.handshakeTimeout(),
                        1 << 20, // so that most of the backlog is not in the kernel's buffers
                        config.connections(),
                        config.connectionsPerAddress(),
                        config.pendingUpgrades(),
                        null),
                server);
        try {
            RawWebSocket client = connectRaw(large.port(), 16 * 1024);
            client.upgrade("/");
            Accepted accepted = server.next();
            int sent = 0;
            while (accepted.connection.send(text(sent + " " + BIG))) {
                sent++;
            }
            accepted.connection.close(new CloseReason(4200, "behind it"));
            for (int i = 0; i < sent; i++) {
                LockSupport.parkNanos(Duration.ofSeconds(8).toNanos() / sent); // a slow reader
                assertEquals(i + " " + BIG, client.read().text());
            }
            assertEquals(new CloseReason(4200, "behind it"), client.read().closeReason());
        } finally {
            large.stop(Duration.ZERO);
        }
    }

    @Test
    void closesAndAbortsOfManyThreadsEndTheConnectionOnce() throws Exception {
        for (int round = 0; round < 50; round++) {
            ContractPeer peer = open();
            Accepted accepted = server.next();
            CountDownLatch go = new CountDownLatch(1);
            for (int code = 4001; code <= 4002; code++) {
                CloseReason reason = new CloseReason(code, "");
                afterwards(go, () -> accepted.connection.close(reason));
            }
            afterwards(go, accepted.connection::abort);
            afterwards(go, () -> accepted.connection.send(text("between")));
            go.countDown();
            peer.cut();
            assertTrue(accepted.next().startsWith("closed "));
        }
    }

    @Test
    void bytesOfAnEndingConnectionReachNoOther() throws Exception {
        int peers = 4;
        int each = 150;
        AtomicInteger name = new AtomicInteger();
        BlockingQueue<String> outcomes = new LinkedBlockingQueue<>();
        for (int i = 0; i < peers; i++) {
            meanwhile(() -> outcomes.add(strayBytes(each, name)));
        }
        meanwhile(() -> {
            try {
                for (int i = 0; i < peers * each; i++) {
                    sendUntilAborted(server.next());
                }
            } catch (InterruptedException | AssertionError early) {
                outcomes.add(early.toString());
            }
        });
        for (int i = 0; i < peers; i++) {
            assertEquals("none", outcomes.poll(30, TimeUnit.SECONDS));
        }
    }

    private void sendUntilAborted(Accepted accepted) {
        MessageBatch own = text(accepted.handshake.path().repeat(1_000));
        CountDownLatch sending = new CountDownLatch(1);
        meanwhile(() -> {
            while (!accepted.isOver()) {
                accepted.connection.send(own);
                sending.countDown();
            }
        });
        afterwards(sending, accepted.connection::abort);
    }

    /**
     * Opens connections one after the other and reads each to its end; returns the bytes that belong to another
     * connection.
     */
    private String strayBytes(int count, AtomicInteger name) {
        try {
            for (int i = 0; i < count; i++) {
                char own = (char) ('A' + name.getAndIncrement() % 50);
                String frames = allFrames(own);
                if (frames.chars().anyMatch(next -> next >= 'A' && next < 'A' + 50 && next != own)) {
                    return own + " was sent " + frames;
                }
            }
            return "none";
        } catch (IOException failure) {
            return failure.toString();
        }
    }

    private String allFrames(char name) throws IOException {
        try (RawWebSocket socket = connectRaw(transport().port(), 0)) {
            socket.upgrade("/" + name);
            return new String(socket.readToEnd(), StandardCharsets.ISO_8859_1);
        } catch (EOFException | SocketException aborted) { // before the answer to the upgrade was sent
            return "";
        }
    }

    private void afterwards(CountDownLatch go, Runnable task) {
        meanwhile(() -> {
            try {
                go.await();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
            task.run();
        });
    }

    // ---- resets

    @Test
    void resetWithinTheHeadOpensNothing() throws Exception {
        for (int length : new int[] {0, 1, UPGRADE.length() / 2, UPGRADE.length() - 1}) {
            RawWebSocket client = connectRaw();
            client.send(Arrays.copyOf(ascii(UPGRADE), length));
            client.reset();
        }
        assertAcceptsNewcomers();
        server.expectNoMore();
    }

    @Test
    void resetRightAfterTheUpgradeIsHeardOnceIfItWasOpened() throws Exception {
        for (int i = 0; i < CONNECTIONS / 2; i++) {
            RawWebSocket client = connectRaw();
            client.sendUpgrade("/");
            client.reset();
        }
        RawWebSocket client = openRaw();
        client.reset();
        client = openRaw();
        client.text("the last");
        Accepted accepted = server.next();
        while (!accepted.next().equals("text the last")) {
            accepted = server.next(); // earlier ones got their end, and no other call
        }
    }

    @Test
    void resetWithinAFrameIsAbnormal() throws Exception {
        byte[] frame = RawWebSocket.encode(true, RawWebSocket.TEXT, new byte[1_000]);
        for (int length : new int[] {1, 2, 5, 8, 500}) {
            RawWebSocket client = openRaw();
            Accepted accepted = server.next();
            client.text("good");
            assertEquals("text good", accepted.next());
            client.send(Arrays.copyOf(frame, length));
            client.reset();
            assertTrue(accepted.next().startsWith("closed 1006"));
        }
        assertAcceptsNewcomers();
    }

    @Test
    void resetWithinAMessageInFragmentsIsAbnormal() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        client.frame(false, RawWebSocket.TEXT, ascii("half"));
        client.reset();
        assertTrue(accepted.next().startsWith("closed 1006"));
        assertAcceptsNewcomers();
    }

    @Test
    void resetWhileTheServerSendsIsHeardOnce() throws Exception {
        for (int round = 0; round < 10; round++) {
            RawWebSocket client = openRaw();
            Accepted accepted = server.next();
            CountDownLatch refused = new CountDownLatch(1);
            meanwhile(() -> {
                while (!accepted.isOver()) {
                    accepted.connection.send(text("x".repeat(10_000)));
                }
                refused.countDown();
            });
            assertEquals(10_000, client.read().payload().remaining());
            client.reset();
            String last = accepted.nextButDrained();
            assertTrue(last.startsWith("closed 1006"), last);
            assertTrue(refused.await(10, TimeUnit.SECONDS));
            assertEquals(0, accepted.connection.outboundBytes());
        }
        assertAcceptsNewcomers();
    }

    @Test
    void stopOnAnInterruptedThreadEndsConnections() throws Exception {
        ContractPeer peer = open();
        Accepted accepted = server.next();
        Thread.currentThread().interrupt();
        try {
            transport().stop(Duration.ofSeconds(10));
        } catch (InterruptedException interrupted) { // stop may throw, or set the interrupt flag
            Thread.currentThread().interrupt();
        }
        assertTrue(Thread.interrupted());
        assertTrue(peer.next().startsWith("closed"));
        assertTrue(accepted.nextButDrained().startsWith("closed 1001"));
    }

    private void assertAcceptsNewcomers() throws IOException, InterruptedException {
        open().text("newcomer");
        assertEquals("text newcomer", server.next().next());
        assertNull(transport().problem());
    }
}
