package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.ServerTransport.Upgrade;
import io.realtime.testing.ManualScheduler;
import io.realtime.testing.RawWebSocket;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** What a connection decides, over a socket that does as it is told, in virtual time. */
class WebSocketConnectionTest {
    private static final Duration UPGRADE = Duration.ofSeconds(10);
    private static final ServerTransport.Config CONFIG =
            new ServerTransport.Config(new InetSocketAddress(0), 1_000, 1_000, UPGRADE, 1_000, 1, 1, 1, null);
    private static final String REQUEST = String.join(
            "\r\n",
            "GET / HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "",
            "");

    private final ManualScheduler time = new ManualScheduler();
    private final List<String> heard = new ArrayList<>();
    private final ScriptedSocket socket = new ScriptedSocket();
    private final InetSocketAddress remote = new InetSocketAddress("192.0.2.1", 7);
    private final Admission admission = new Admission(CONFIG);
    private final WebSocketConnection connection = new WebSocketConnection(
            socket, socket, remote, Objects.requireNonNull(admission.enter(remote)), CONFIG, new Accepting());
    private Runnable onText = () -> {};

    @Test
    void upgradeThatIsOverdueIsCut() {
        connection.begin(UPGRADE);
        time.advance(UPGRADE.minusMillis(1));
        assertEquals(0, socket.cuts);
        time.advance(Duration.ofMillis(1));
        assertEquals(1, socket.cuts);
    }

    @Test
    void upgradeInTimeIsNotCut() {
        open();
        time.advance(UPGRADE.multipliedBy(2));
        assertEquals(0, socket.cuts);
        assertEquals(List.of("HTTP/1.1 101"), socket.sent);
    }

    @Test
    void closeBeforeTheUpgradeCuts() {
        connection.begin(UPGRADE);
        connection.close(new CloseReason(CloseReason.GOING_AWAY, "server stops"));
        assertEquals(1, socket.cuts);
        assertEquals(List.of(), socket.sent);
    }

    @Test
    void refusalEndsTheOutputAndGivesTimeToLeave() {
        connection.begin(UPGRADE);
        connection.headTooLong();
        connection.receive(text("ignored"));
        assertEquals(List.of("HTTP/1.1 431 SHUT_OUTPUT"), socket.sent);
        assertCutAfterGrace();
        end();
        assertEquals(List.of(), heard);
    }

    @Test
    void peerThatDoesNotAnswerACloseIsCut() {
        open();
        connection.close(new CloseReason(4003, "forbidden"));
        connection.close(new CloseReason(4005, "too late"));
        assertEquals(List.of("HTTP/1.1 101", "close 4003 GO_ON"), socket.sent);
        assertCutAfterGrace();
        end();
        assertEquals(List.of("closed 4003 false"), heard);
    }

    @Test
    void peerThatTakesWhatWaitsGetsMoreTime() {
        open();
        connection.close(new CloseReason(4003, "forbidden"));
        for (int i = 0; i < 3; i++) {
            time.advance(Duration.ofMillis(4_999));
            socket.taken += 1_024;
            time.advance(Duration.ofMillis(1));
            assertEquals(0, socket.cuts);
        }
        time.advance(Duration.ofMillis(4_999));
        socket.taken += 1_023;
        time.advance(Duration.ofMillis(1));
        assertEquals(1, socket.cuts);
    }

    @Test
    void peersCloseIsAnsweredAndFinishes() {
        open();
        connection.receive(frame(RawWebSocket.CLOSE, new byte[] {0x0F, (byte) 0xA1}));
        assertEquals(List.of("HTTP/1.1 101", "close 4001 FINISH"), socket.sent);
        end();
        assertEquals(List.of("closed 4001 true"), heard);
    }

    @Test
    void peersAnswerToACloseFinishes() {
        open();
        connection.close(new CloseReason(4003, "forbidden"));
        connection.receive(frame(RawWebSocket.CLOSE, new byte[] {0x0F, (byte) 0xA3}));
        assertEquals(1, socket.finishes);
        end();
        assertEquals(List.of("closed 4003 false"), heard);
    }

    @Test
    void endOfInputWaitsForACloseThatWasSentAndElseCuts() {
        open();
        socket.isSealed = true;
        connection.inputEnded();
        assertEquals(0, socket.cuts);
        socket.isSealed = false;
        connection.inputEnded();
        assertEquals(1, socket.cuts);
        end();
        assertEquals(List.of("closed 1006 false"), heard);
    }

    @Test
    void listenerThatThrowsHearsNothingMoreButTheEnd() {
        open();
        onText = () -> {
            throw new NoClassDefFoundError("as requested");
        };
        connection.receive(text("first"));
        connection.receive(text("second"));
        assertEquals(List.of("HTTP/1.1 101", "close 1011 SHUT_OUTPUT"), socket.sent);
        assertEquals(0, socket.cuts);
        end();
        assertEquals(List.of("text first", "closed 1011 false"), heard);
    }

    @Test
    void failureWhileClosingCuts() {
        open();
        connection.close(new CloseReason(4003, "forbidden"));
        connection.receive(ByteBuffer.wrap(new byte[] {(byte) 0x83, 0}));
        assertEquals(1, socket.cuts);
        end();
        assertEquals(List.of("closed 4003 false"), heard);
    }

    @Test
    void violationIsToldToThePeer() {
        open();
        connection.receive(ByteBuffer.wrap(new byte[] {(byte) 0x81, 0}));
        assertEquals(List.of("HTTP/1.1 101", "close 1002 SHUT_OUTPUT"), socket.sent);
    }

    @Test
    void connectionThatIsOverHasNoDeadlineAndNoPlace() {
        open();
        connection.close(new CloseReason(4003, "forbidden"));
        end();
        time.advance(Duration.ofMinutes(1));
        assertEquals(0, socket.cuts);
        assertTrue(admission.enter(remote) != null);
        connection.begin(UPGRADE);
        time.advance(UPGRADE);
        assertEquals(0, socket.cuts);
    }

    @Test
    void brokenSocketIsCutWhateverBrokeIt() {
        open();
        connection.broke(new IOException("reset"));
        connection.broke(new StackOverflowError("as requested"));
        assertEquals(2, socket.cuts);
        end();
        assertEquals(List.of("closed 1006 false"), heard);
    }

    private void open() {
        connection.begin(UPGRADE);
        connection.upgrade(ByteBuffer.wrap(REQUEST.getBytes(StandardCharsets.US_ASCII)));
    }

    private void end() {
        connection.release();
        connection.tellClosed();
    }

    private void assertCutAfterGrace() {
        time.advance(Duration.ofMillis(4_999));
        assertEquals(0, socket.cuts);
        time.advance(Duration.ofMillis(1));
        assertEquals(1, socket.cuts);
    }

    private static ByteBuffer text(String text) {
        return frame(RawWebSocket.TEXT, text.getBytes(StandardCharsets.UTF_8));
    }

    private static ByteBuffer frame(int opcode, byte[] payload) {
        return ByteBuffer.wrap(RawWebSocket.encode(true, opcode, payload));
    }

    private final class ScriptedSocket implements WebSocketConnection.Socket, OutboundQueue {
        private final List<String> sent = new ArrayList<>();
        private int cuts;
        private int finishes;
        private long taken;
        private boolean isSealed;

        @Override
        public Scheduler.Cancellable schedule(Duration delay, Runnable task) {
            return time.schedule(delay, task);
        }

        @Override
        public void cut() {
            cuts++;
        }

        @Override
        public boolean send(ByteBuffer data) {
            return sent.add("data");
        }

        @Override
        public boolean queue(ByteBuffer data) {
            return send(data);
        }

        @Override
        public void flush() {}

        @Override
        public void control(ByteBuffer frame) {
            sent.add(name(frame));
        }

        @Override
        public void seal(ByteBuffer last, Then next) {
            sent.add(name(last) + " " + next);
        }

        private static String name(ByteBuffer bytes) {
            return bytes.get(0) == (byte) 0x88
                    ? "close " + bytes.getShort(2)
                    : StandardCharsets.US_ASCII.decode(bytes).toString().substring(0, 12);
        }

        @Override
        public boolean finish() {
            finishes++;
            return isSealed;
        }

        @Override
        public long waiting() {
            return 0;
        }

        @Override
        public long taken() {
            return taken;
        }
    }

    private final class Accepting implements ServerTransport.Acceptor {
        @Override
        public Upgrade upgrade(Handshake handshake) {
            return Upgrade.accept(null);
        }

        @Override
        public ConnectionListener open(Connection opened, Handshake handshake) {
            assertEquals("192.0.2.1:7", opened.remoteAddress());
            assertFalse(opened.awaitWritable(() -> {}));
            return new ConnectionListener() {
                @Override
                public void onText(String text) {
                    heard.add("text " + text);
                    onText.run();
                }

                @Override
                public void onBinary(ByteBuffer payload) {}

                @Override
                public void onActivity() {}

                @Override
                public void onDrained() {}

                @Override
                public void onClosed(CloseReason reason, boolean byPeer) {
                    heard.add("closed " + reason.code() + " " + byPeer);
                }
            };
        }
    }
}
