package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import io.realtime.spi.Handshake;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.ServerTransport.Upgrade;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What every {@link ServerTransport} keeps to, over real sockets. Extend it in the transport's own tests. */
@Timeout(60)
public abstract class ServerTransportContract {
    private static final int MESSAGE_BYTES = 64 * 1024;
    private static final int HANDSHAKE_BYTES = 4 * 1024;
    private static final int OUTBOUND_BYTES = 256 * 1024;
    private static final int CONNECTIONS = 20;
    private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(1);

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

    private final Server server = new Server();
    private final List<RawWebSocket> clients = new ArrayList<>();
    private ServerTransport transport = server.unstarted();

    /** A contract test. */
    protected ServerTransportContract() {}

    /** A new transport, not started. */
    protected abstract ServerTransport newTransport();

    /** Returns the transport under test; it is started. */
    protected final ServerTransport transport() {
        return transport;
    }

    @BeforeEach
    final void startTransport() throws IOException {
        transport = newTransport();
        transport.start(config(0), server);
    }

    @AfterEach
    final void stopTransport() throws Exception {
        for (RawWebSocket client : clients) {
            client.close();
        }
        transport.stop(Duration.ofSeconds(5));
    }

    /** A configuration for this port, with the contract's limits. */
    protected static ServerTransport.Config config(int port) {
        return new ServerTransport.Config(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), port),
                MESSAGE_BYTES,
                HANDSHAKE_BYTES,
                HANDSHAKE_TIMEOUT,
                OUTBOUND_BYTES,
                CONNECTIONS,
                CONNECTIONS,
                CONNECTIONS,
                null);
    }

    @Test
    void textAndBinaryGoBothWays() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        client.text("grüße 🎈");
        assertEquals("text grüße 🎈", peer.next());
        client.frame(true, RawWebSocket.BINARY, new byte[] {0, -1, 7});
        assertEquals("binary [0, -1, 7]", peer.next());
        client.text("");
        assertEquals("text ", peer.next());

        assertTrue(peer.connection.send(FrameBatch.of(Frame.text("zurück".getBytes(StandardCharsets.UTF_8)))));
        assertTrue(peer.connection.send(FrameBatch.of(Frame.binary(new byte[] {1, 2}))));
        RawWebSocket.RawFrame text = client.read();
        assertEquals(RawWebSocket.TEXT, text.opcode());
        assertEquals("zurück", text.text());
        RawWebSocket.RawFrame binary = client.read();
        assertEquals(RawWebSocket.BINARY, binary.opcode());
        assertEquals(ByteBuffer.wrap(new byte[] {1, 2}), binary.payload());
    }

    @Test
    void messagesOfEveryLengthArriveWhole() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        for (int length : new int[] {1, 7, 8, 125, 126, 127, 65_535, MESSAGE_BYTES}) {
            String sent = "abcdefghijk".repeat(length / 11 + 1).substring(0, length);
            client.text(sent);
            assertEquals("text " + sent, peer.next());
            peer.connection.send(text(sent));
            assertEquals(sent, client.read().text());
        }
    }

    @Test
    void aMessageMayComeInFragmentsAndByteByByteWithPingsBetween() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        byte[] utf8 = "añb".getBytes(StandardCharsets.UTF_8);
        client.frame(false, RawWebSocket.TEXT, Arrays.copyOf(utf8, 2)); // ends within a character
        client.frame(true, RawWebSocket.PING, new byte[] {9});
        client.frame(false, RawWebSocket.CONTINUATION, new byte[0]);
        client.frame(true, RawWebSocket.CONTINUATION, Arrays.copyOfRange(utf8, 2, 4));
        assertEquals("activity", peer.next());
        assertEquals("text añb", peer.next());
        assertEquals(RawWebSocket.PONG, client.read().opcode());
        for (byte single :
                RawWebSocket.encode(true, RawWebSocket.TEXT, "x".repeat(200).getBytes(StandardCharsets.UTF_8))) {
            client.send(new byte[] {single});
        }
        assertEquals("text " + "x".repeat(200), peer.next());
    }

    @Test
    void tenThousandFramesKeepTheirOrderBothWays() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        peer.echo = true;
        Thread writer = new Thread(() -> {
            try {
                for (int i = 0; i < 10_000; i++) {
                    client.text("n" + i);
                }
            } catch (IOException failure) {
                throw new IllegalStateException(failure);
            }
        });
        writer.start();
        for (int i = 0; i < 10_000; i++) {
            assertEquals("n" + i, client.read().text());
        }
        writer.join();
    }

    @Test
    void aBatchLeavesWholeAndInOrder() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        peer.connection.send(FrameBatch.of(
                List.of(Frame.text(new byte[] {'a'}), Frame.binary(new byte[300]), Frame.text(new byte[] {'c'})),
                false));
        assertEquals("a", client.read().text());
        assertEquals(300, client.read().payload().remaining());
        assertEquals("c", client.read().text());
    }

    @Test
    void framesOfConcurrentSendersArriveWholeAndInEachSendersOrder() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        int senders = 4;
        int each = 2_000;
        List<Thread> threads = new ArrayList<>();
        for (int s = 0; s < senders; s++) {
            int sender = s;
            Thread thread = new Thread(() -> {
                for (int i = 0; i < each; ) {
                    if (peer.connection.send(text(sender + " " + i))) {
                        i++;
                    } else {
                        Thread.onSpinWait();
                    }
                }
            });
            thread.start();
            threads.add(thread);
        }
        int[] expected = new int[senders];
        for (int i = 0; i < senders * each; i++) {
            String[] parts = client.read().text().split(" ", -1);
            int sender = Integer.parseInt(parts[0]);
            assertEquals(expected[sender]++, Integer.parseInt(parts[1]));
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }

    @Test
    void whatASlowPeerDoesNotTakeIsBoundedRefusedAndThenDrained() throws Exception {
        RawWebSocket client = RawWebSocket.connect(transport.port(), 8 * 1024);
        clients.add(client);
        client.upgrade("/");
        Peer peer = server.next();
        String big = "x".repeat(16 * 1024);
        int taken = 0;
        while (peer.connection.send(text(taken + " " + big))) {
            taken++;
            assertTrue(peer.connection.outboundBytes() <= OUTBOUND_BYTES);
            assertTrue(taken < 10_000, "a peer that reads nothing must be refused at some time");
        }
        assertTrue(peer.connection.outboundBytes() > OUTBOUND_BYTES / 2);
        assertTrue(peer.calls.isEmpty(), "nothing has drained yet");
        for (int i = 0; i < taken; i++) {
            assertEquals(i + " " + big, client.read().text());
        }
        assertEquals("drained", peer.next());
        assertEquals(0, peer.connection.outboundBytes());
        assertTrue(peer.connection.send(text("again")));
        assertEquals("again", client.read().text());
    }

    @Test
    void theServerClosesBehindWhatItSentAndThePeersAnswerEndsIt() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        peer.connection.send(text("last"));
        peer.connection.close(new CloseReason(4003, "forbidden"));
        assertFalse(peer.connection.send(text("too late")));
        assertEquals("last", client.read().text());
        RawWebSocket.RawFrame close = client.read();
        assertEquals(RawWebSocket.CLOSE, close.opcode());
        assertEquals(new CloseReason(4003, "forbidden"), close.closeReason());
        assertTrue(peer.calls.isEmpty(), "the peer has not answered yet");
        client.close(4003, "");
        assertEquals("closed 4003 forbidden", peer.next());
        assertThrows(EOFException.class, client::read);
    }

    @Test
    void thePeerClosesWithItsCodeAndIsAnswered() throws Exception {
        for (CloseReason reason :
                List.of(new CloseReason(1000, ""), new CloseReason(4999, "bye"), new CloseReason(3000, "ü"))) {
            RawWebSocket client = open();
            Peer peer = server.next();
            client.close(reason.code(), reason.text());
            assertEquals("closed " + reason, peer.next());
            assertEquals(reason.code(), client.read().closeReason().code());
            assertThrows(EOFException.class, client::read);
        }
        RawWebSocket client = open();
        Peer peer = server.next();
        client.frame(true, RawWebSocket.CLOSE, new byte[0]);
        assertEquals("closed 1005", peer.next());
        assertEquals(0, client.read().payload().remaining());
    }

    @Test
    void whatAPeerSentBeforeItLeftIsHeard() throws Exception {
        for (int i = 0; i < 100; i++) {
            RawWebSocket client = open();
            Peer peer = server.next();
            for (int n = 0; n < 50; n++) {
                client.text("n" + n);
            }
            client.close(4001, "done");
            client.close();
            for (int n = 0; n < 50; n++) {
                assertEquals("text n" + n, peer.next());
            }
            assertEquals("closed 4001 done", peer.next());
        }
    }

    @Test
    void aPeerThatVanishesIsClosedAsAbnormal() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        client.close();
        assertTrue(peer.next().startsWith("closed 1006"));
    }

    @Test
    void aMessageBeyondTheLimitClosesWith1009InOneFrameAndInFragments() throws Exception {
        RawWebSocket claims = open();
        Peer claimed = server.next();
        claims.send(ByteBuffer.allocate(14)
                .put((byte) 0x82)
                .put((byte) 0xFF)
                .putLong(Integer.MAX_VALUE)
                .putInt(0)
                .array());
        assertEquals(CloseReason.TOO_BIG, claims.read().closeReason().code());
        claims.close();
        assertTrue(claimed.next().startsWith("closed 1009"));

        RawWebSocket fragments = open();
        Peer fragmented = server.next();
        fragments.frame(false, RawWebSocket.BINARY, new byte[MESSAGE_BYTES / 2]);
        fragments.frame(false, RawWebSocket.CONTINUATION, new byte[MESSAGE_BYTES / 2]);
        fragments.frame(false, RawWebSocket.CONTINUATION, new byte[1]);
        assertEquals(CloseReason.TOO_BIG, fragments.read().closeReason().code());
        fragments.close();
        assertTrue(fragmented.next().startsWith("closed 1009"));
    }

    @Test
    void whatBreaksTheProtocolIsClosedWithItsCode() throws Exception {
        byte[] none = {};
        byte[] unmasked = {(byte) 0x81, 1, 'a'};
        assertClosesWith(1002, unmasked);
        assertClosesWith(1002, RawWebSocket.encode(true, RawWebSocket.CONTINUATION, none));
        assertClosesWith(1002, RawWebSocket.encode(false, RawWebSocket.PING, none));
        assertClosesWith(1002, RawWebSocket.encode(true, RawWebSocket.PING, new byte[126]));
        assertClosesWith(1002, RawWebSocket.encode(true, 0x3, none));
        assertClosesWith(1002, RawWebSocket.encode(true, 0x41, none));
        assertClosesWith(1002, RawWebSocket.encode(true, RawWebSocket.CLOSE, new byte[] {3}));
        assertClosesWith(1002, RawWebSocket.encode(true, RawWebSocket.CLOSE, new byte[] {3, (byte) 0xEE}));
        assertClosesWith(1007, RawWebSocket.encode(true, RawWebSocket.TEXT, new byte[] {(byte) 0xC3, 'a'}));
        assertClosesWith(1007, RawWebSocket.encode(true, RawWebSocket.TEXT, new byte[] {(byte) 0xC3}));
    }

    private void assertClosesWith(int code, byte[] bytes) throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        client.text("good");
        client.send(bytes);
        assertEquals(code, client.read().closeReason().code());
        client.close();
        assertEquals("text good", peer.next());
        assertTrue(peer.next().startsWith("closed " + code));
    }

    @Test
    void aReplacementCharacterIsValidText() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        client.text("\uFFFD");
        assertEquals("text \uFFFD", peer.next());
    }

    @Test
    void theAcceptorSeesTheHandshake() throws Exception {
        RawWebSocket client = RawWebSocket.connect(transport.port());
        clients.add(client);
        client.upgrade("/a%20b/ws?token=x&y=%3F?z", "Origin: https://example.org", "X-Twice: 1", "x-twice: 2");
        Handshake handshake = server.next().handshake;
        assertEquals("/a%20b/ws", handshake.path());
        assertEquals("token=x&y=%3F?z", handshake.query());
        assertEquals("https://example.org", handshake.header("origin"));
        assertEquals("1,2", String.valueOf(handshake.header("X-Twice")).replace(" ", ""));
        assertEquals(client.localPort(), handshake.remote().getPort());
        assertTrue(handshake.remote().getAddress().isLoopbackAddress());
    }

    @Test
    void aRefusedUpgradeIsAnsweredWithItsStatusAndHungUpOn() throws Exception {
        for (int status : new int[] {401, 403, 404, 503}) {
            server.verdict = Upgrade.refuse(status, "No Entry");
            RawWebSocket client = RawWebSocket.connect(transport.port());
            clients.add(client);
            client.sendUpgrade("/");
            assertTrue(client.readHead().startsWith("HTTP/1.1 " + status + " No Entry\r\n"));
            assertEquals(0, client.readToEnd().length);
        }
        assertTrue(server.peers.isEmpty());
    }

    @Test
    void theSubprotocolIsWhatTheAcceptorChose() throws Exception {
        server.verdict = Upgrade.accept("two");
        RawWebSocket client = RawWebSocket.connect(transport.port());
        clients.add(client);
        assertTrue(client.upgrade("/", "Sec-WebSocket-Protocol: one, two")
                .contains("\r\nSec-WebSocket-Protocol: two\r\n"));
        assertEquals(List.of("one", "two"), server.next().handshake.subprotocols());

        server.verdict = Upgrade.accept(null);
        RawWebSocket none = RawWebSocket.connect(transport.port());
        clients.add(none);
        String answer =
                none.upgrade("/", "Sec-WebSocket-Protocol: one", "Sec-WebSocket-Extensions: permessage-deflate");
        assertFalse(answer.contains("Sec-WebSocket-Protocol"));
        assertFalse(answer.contains("Sec-WebSocket-Extensions"));
        assertTrue(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the key's answer of RFC 6455 section 1.3");
    }

    @Test
    void framesMayFollowTheUpgradeInOneSegment() throws Exception {
        RawWebSocket client = RawWebSocket.connect(transport.port());
        clients.add(client);
        byte[] frame = RawWebSocket.encode(true, RawWebSocket.TEXT, new byte[] {'h', 'i'});
        client.send(concat(UPGRADE.getBytes(StandardCharsets.US_ASCII), frame));
        assertEquals("text hi", server.next().next());
    }

    @Test
    void anUpgradeThatIsNotFinishedIsCutAtTheDeadline() throws Exception {
        RawWebSocket silent = RawWebSocket.connect(transport.port());
        RawWebSocket halfway = RawWebSocket.connect(transport.port());
        clients.addAll(List.of(silent, halfway));
        halfway.send("GET / HTTP/1.1\r\nHost: x\r\n".getBytes(StandardCharsets.US_ASCII));
        long begin = System.nanoTime();
        assertEquals(0, silent.readToEnd().length);
        halfway.readToEnd();
        assertTrue(System.nanoTime() - begin < HANDSHAKE_TIMEOUT.multipliedBy(5).toNanos());
    }

    @Test
    void anUpgradeInPiecesIsAccepted() throws Exception {
        RawWebSocket client = RawWebSocket.connect(transport.port());
        clients.add(client);
        for (byte single : UPGRADE.getBytes(StandardCharsets.US_ASCII)) {
            client.send(new byte[] {single});
        }
        assertTrue(client.readHead().startsWith("HTTP/1.1 101 "));
        assertEquals("/p", server.next().handshake.path());
    }

    @Test
    void headersWithoutEndAreCutAtTheLimit() throws Exception {
        RawWebSocket client = RawWebSocket.connect(transport.port());
        clients.add(client);
        client.send(("GET / HTTP/1.1\r\nX: " + "y".repeat(HANDSHAKE_BYTES)).getBytes(StandardCharsets.US_ASCII));
        assertTrue(new String(client.readToEnd(), StandardCharsets.US_ASCII).startsWith("HTTP/1.1 431 "));
    }

    @Test
    void pingsAreAnsweredAndPongsHeard() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        client.frame(true, RawWebSocket.PING, new byte[] {1, 2, 3});
        RawWebSocket.RawFrame pong = client.read();
        assertEquals(RawWebSocket.PONG, pong.opcode());
        assertEquals(ByteBuffer.wrap(new byte[] {1, 2, 3}), pong.payload());
        assertEquals("activity", peer.next());

        peer.connection.send(text("before"));
        peer.connection.ping();
        assertEquals("before", client.read().text());
        RawWebSocket.RawFrame ping = client.read();
        assertEquals(RawWebSocket.PING, ping.opcode());
        client.frame(true, RawWebSocket.PONG, new byte[0]);
        assertEquals("activity", peer.next());
    }

    @Test
    void abortCutsAtOnce() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        peer.connection.abort();
        assertEquals(0, client.readToEnd().length);
        assertTrue(peer.next().startsWith("closed 1006"));
        assertFalse(peer.connection.send(text("late")));
        peer.connection.ping();
        peer.connection.close(new CloseReason(1000, ""));
        assertNull(peer.calls.poll(50, TimeUnit.MILLISECONDS), "closed is the last call");
    }

    @Test
    void aPeerThatDoesNotAnswerACloseIsCut() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        peer.connection.close(new CloseReason(4005, "kicked"));
        assertEquals(4005, client.read().closeReason().code());
        assertThrows(EOFException.class, client::read); // within the read's ten seconds
        assertEquals("closed 4005 kicked", peer.next());
    }

    @Test
    void aListenerThatThrowsHarmsNoOtherConnection() throws Exception {
        RawWebSocket other = open();
        Peer untouched = server.next();
        RawWebSocket client = open();
        Peer thrower = server.next();
        thrower.failure = new AssertionError("expected by the test: a listener that throws");
        client.text("boom");
        assertEquals(CloseReason.INTERNAL_ERROR, client.read().closeReason().code());
        other.text("still here");
        assertEquals("text still here", untouched.next());
        open().text("newcomer");
        assertEquals("text newcomer", server.next().next());
        assertNull(transport.problem());
    }

    @Test
    void moreConnectionsThanAllowedAreTurnedAwayAndRoomIsReused() throws Exception {
        List<RawWebSocket> many = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            many.add(open());
        }
        RawWebSocket tooMany = RawWebSocket.connect(transport.port());
        clients.add(tooMany);
        assertEquals(0, tooMany.readToEnd().length);
        Peer first = server.next();
        many.get(0).close();
        assertTrue(first.next().startsWith("closed 1006"));
        open();
    }

    @Test
    void stopAcceptingKeepsWhatIsOpen() throws Exception {
        RawWebSocket client = open();
        Peer peer = server.next();
        int port = transport.port();
        transport.stopAccepting();
        client.text("still open");
        assertEquals("text still open", peer.next());
        assertThrows(IOException.class, () -> RawWebSocket.connect(port).upgrade("/"));
        ServerTransport successor = newTransport();
        successor.start(config(port), server);
        successor.stop(Duration.ZERO);
    }

    @Test
    void stopDrainsWhatWasSentAndClosesWith1001() throws Exception {
        RawWebSocket client = RawWebSocket.connect(transport.port(), 8 * 1024);
        clients.add(client);
        client.upgrade("/");
        Peer peer = server.next();
        int sent = 0;
        String big = "x".repeat(16 * 1024);
        while (peer.connection.send(text(sent + " " + big))) {
            sent++;
        }
        Thread stopping = new Thread(() -> {
            try {
                transport.stop(Duration.ofSeconds(10));
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        });
        stopping.start();
        for (int i = 0; i < sent; i++) {
            assertEquals(i + " " + big, client.read().text());
        }
        assertEquals(CloseReason.GOING_AWAY, client.read().closeReason().code());
        client.close(CloseReason.GOING_AWAY, "");
        stopping.join(20_000);
        assertFalse(stopping.isAlive());
        String last = peer.next();
        assertTrue((last.equals("drained") ? peer.next() : last).startsWith("closed 1001"));
    }

    @Test
    void stopCutsThoseWhoDoNotRead() throws Exception {
        open();
        Peer peer = server.next();
        transport.stop(Duration.ofMillis(100));
        assertTrue(peer.next().startsWith("closed 1001"));
    }

    @Test
    void anAddressInUseFailsToStart() throws Exception {
        ServerTransport second = newTransport();
        assertThrows(IOException.class, () -> second.start(config(transport.port()), server));
        assertThrows(IllegalStateException.class, second::port);
        open().text("the first is well");
        assertEquals("text the first is well", server.next().next());
    }

    @Test
    void portZeroIsChosenAndThereIsNoProblem() {
        assertTrue(transport.port() > 0);
        assertNull(transport.problem());
    }

    /** A client that has upgraded; closed after the test. */
    protected final RawWebSocket open() throws IOException {
        RawWebSocket client = RawWebSocket.connect(transport.port());
        clients.add(client);
        client.upgrade("/");
        return client;
    }

    private static byte[] concat(byte[] first, byte[] second) {
        return ByteBuffer.allocate(first.length + second.length)
                .put(first)
                .put(second)
                .array();
    }

    private static FrameBatch text(String text) {
        return FrameBatch.of(Frame.text(text.getBytes(StandardCharsets.UTF_8)));
    }

    /** Accepts as it is told and keeps what came. */
    private static final class Server implements ServerTransport.Acceptor {
        private final BlockingQueue<Peer> peers = new LinkedBlockingQueue<>();
        private volatile Upgrade verdict = Upgrade.accept(null);

        @Override
        public Upgrade upgrade(Handshake handshake) {
            return verdict;
        }

        @Override
        public ConnectionListener open(Connection connection, Handshake handshake) {
            Peer peer = new Peer(connection, handshake);
            peers.add(peer);
            return peer;
        }

        Peer next() throws InterruptedException {
            Peer peer = peers.poll(10, TimeUnit.SECONDS);
            if (peer == null) {
                throw new AssertionError("no connection was opened");
            }
            return peer;
        }

        ServerTransport unstarted() {
            return new InMemoryNetwork(new ManualScheduler()).serverTransport();
        }
    }

    /** Writes down the calls of one connection, and checks that they come one at a time. */
    private static final class Peer implements ConnectionListener {
        private final BlockingQueue<String> calls = new LinkedBlockingQueue<>();
        private final AtomicInteger running = new AtomicInteger();
        private final Connection connection;
        private final Handshake handshake;
        private volatile boolean echo;
        private volatile @Nullable Error failure;

        Peer(Connection connection, Handshake handshake) {
            this.connection = connection;
            this.handshake = handshake;
        }

        String next() throws InterruptedException {
            String call = calls.poll(10, TimeUnit.SECONDS);
            if (call == null) {
                throw new AssertionError("the listener was not called");
            }
            return call;
        }

        private void note(String call) {
            calls.add(running.getAndIncrement() == 0 ? call : "two calls at a time: " + call);
            running.getAndDecrement();
        }

        @Override
        public void onText(String text) {
            Error toThrow = failure;
            if (toThrow != null) {
                throw toThrow;
            }
            if (echo) {
                while (!connection.send(ServerTransportContract.text(text))) {
                    Thread.onSpinWait();
                }
            } else {
                note("text " + text);
            }
        }

        @Override
        public void onBinary(ByteBuffer payload) {
            byte[] bytes = new byte[payload.remaining()];
            payload.get(bytes);
            note("binary " + Arrays.toString(bytes));
        }

        @Override
        public void onActivity() {
            note("activity");
        }

        @Override
        public void onDrained() {
            note("drained");
        }

        @Override
        public void onClosed(CloseReason reason) {
            note("closed " + reason);
        }
    }
}
