package io.realtime.client.internal.transport;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.client.RealtimeClient;
import io.realtime.internal.wire.Envelope;
import io.realtime.spi.Connection;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.java_websocket.WebSocket;
import org.java_websocket.enums.Opcode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Messages, closes and lost connections on real sockets. */
class JavaWebSocketClientTransportIT extends JavaWebSocketClientFixture {
    @Test
    void textTravelsBothWaysAfterTheHandshake() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 100_000, 1 << 20));
        Connection connection = client.connection();
        for (String text : List.of("", "häßlich \uD83D\uDE00", "x".repeat(126), "x".repeat(70_000))) {
            assertTrue(connection.send(text(text)));
            assertEquals(text, client.next());
        }
        assertEquals("/ws?a=b", server.resource);
        assertEquals("yes", server.header);
        assertEquals("localhost:" + server.getPort(), server.host);
        connection.ping();
        await().until(() -> client.activity > 0);
        connection.close(new CloseReason(CloseReason.NORMAL, "done"));
        CloseReason closed = client.closed.get(10, TimeUnit.SECONDS);
        assertEquals(CloseReason.NORMAL, closed.code());
        assertFalse(connection.send(text("late")));
    }

    @Test
    void messageThatIsNotWholeTellsItsProgress() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 100_000, 1 << 20));
        assertNotNull(client.connection());
        WebSocket peer = server.peer();
        peer.sendFragmentedFrame(Opcode.TEXT, ByteBuffer.wrap(new byte[400]), false);
        await().until(() -> client.progress.get() >= 400);
        peer.sendFragmentedFrame(Opcode.TEXT, ByteBuffer.wrap(new byte[400]), false);
        await().until(() -> client.progress.get() >= 800);
    }

    @Test
    void frameThatIsNotWholeTellsItsProgress() throws Exception {
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served =
                    CompletableFuture.runAsync(() -> serve(plain, new byte[] {(byte) 0x81, 126, 3, 0, 'a', 'b', 'c'}));
            Client client = connect(target(plain.getLocalPort(), 1_000, 1_000));
            assertEquals(
                    CloseReason.ABNORMAL,
                    client.closed.get(10, TimeUnit.SECONDS).code());
            assertTrue(client.progress.get() >= 3, client.progress::toString);
            served.get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void tellsTheServersCloseCode() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 1_000, 1_000));
        assertNotNull(client.connection());
        await().until(() ->
                !server.getConnections().isEmpty()); // it answers the upgrade before it lists the connection
        server.getConnections().iterator().next().close(4102, "slow");
        assertEquals(new CloseReason(4102, "slow"), client.closed.get(10, TimeUnit.SECONDS));
        assertTrue(client.closedByPeer);
    }

    @Test
    void messageBeyondTheLimitClosesWith1009() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 1_000, 1 << 20));
        assertNotNull(client.connection());
        server.peer().send("x".repeat(1_001));
        assertEquals(
                CloseReason.TOO_BIG, client.closed.get(10, TimeUnit.SECONDS).code());
        assertFalse(client.closedByPeer);
    }

    @Test
    void fragmentsAreCountedBeforeTheLastOne() throws Exception {
        Server server = server("realtime.v1");
        Client client = connect(target(server.getPort(), 1_000, 1 << 20));
        assertNotNull(client.connection());
        WebSocket peer = server.peer();
        for (int i = 0; i < 3; i++) {
            peer.sendFragmentedFrame(Opcode.TEXT, ByteBuffer.wrap(new byte[400]), false);
        }
        assertEquals(
                CloseReason.TOO_BIG, client.closed.get(10, TimeUnit.SECONDS).code());
    }

    @Test
    void closeWithoutACodeIs1005() throws Exception {
        assertClosed(new byte[] {(byte) 0x88, 0}, CloseReason.NO_STATUS, true);
    }

    @ParameterizedTest
    @CsvSource({
        "c1 01 61, 1002", // a reserved bit
        "83 01 61, 1002", // a reserved opcode
        "81 81 00 00 00 00 61, 1002", // a mask
        "82 7e 00 01 61, 1002", // a length that is not in its shortest form
        "80 01 61, 1002", // a continuation of nothing
        "81 02 c3 28, 1007", // text that is not UTF-8
        "88 02 03 ed, 1002" // a close code that is never sent
    })
    void damagedFrameClosesByClientNotByPeer(String frame, int code) throws Exception {
        assertClosed(HexFormat.ofDelimiter(" ").parseHex(frame), code, false);
    }

    @Test
    void pingsAreAnsweredInTheirOrderWithMaskedPongs() throws Exception {
        byte[] pings = {(byte) 0x89, 1, 'p', (byte) 0x89, 0};
        byte[] pongs = {(byte) 0x8A, 1, 'p', (byte) 0x8A, 0};
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<byte[]> answer = CompletableFuture.supplyAsync(() -> {
                try (Socket socket = plain.accept()) {
                    shakeHands(socket);
                    socket.getOutputStream().write(pings);
                    return unmasked(socket, pongs.length);
                } catch (IOException failure) {
                    throw new AssertionError(failure);
                }
            });
            Client client = connect(target(plain.getLocalPort(), 1_000, 1_000));
            assertArrayEquals(pongs, answer.get(10, TimeUnit.SECONDS));
            client.closed.get(10, TimeUnit.SECONDS);
            assertEquals(1, client.activity);
        }
    }

    /** Reads short masked frames, and returns so many bytes of them without their masks. */
    private static byte[] unmasked(Socket socket, int length) throws IOException {
        ByteBuffer frames = ByteBuffer.allocate(length);
        DataInputStream in = new DataInputStream(socket.getInputStream());
        while (frames.hasRemaining()) {
            frames.put(in.readByte());
            int masked = in.readByte();
            assertTrue(masked < 0, "no mask");
            byte[] key = new byte[4];
            in.readFully(key);
            frames.put((byte) (masked & 0x7F));
            for (int i = 0; i < (masked & 0x7F); i++) {
                frames.put((byte) (in.readByte() ^ key[i % 4]));
            }
        }
        return frames.array();
    }

    @Test
    void lostConnectionIsNotClosedByPeer() throws Exception {
        assertClosed(new byte[] {(byte) 0x81}, CloseReason.ABNORMAL, false);
    }

    @ParameterizedTest
    @ValueSource(ints = {1002, 1009, 4000})
    void closeWithoutTextIsByPeerWhateverItsCode(int code) throws Exception {
        assertClosed(new byte[] {(byte) 0x88, 2, (byte) (code >> 8), (byte) code}, code, true);
    }

    /** Connects to a server that sends these bytes and no more. */
    private void assertClosed(byte[] bytes, int code, boolean byPeer) throws Exception {
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(() -> serve(plain, bytes));
            Client client = connect(target(plain.getLocalPort(), 1_000, 1_000));
            assertEquals(code, client.closed.get(10, TimeUnit.SECONDS).code());
            assertEquals(byPeer, client.closedByPeer);
            served.get(10, TimeUnit.SECONDS);
        }
    }

    private static void serve(ServerSocket listening, byte[] bytes) {
        try (Socket socket = listening.accept()) {
            shakeHands(socket);
            socket.getOutputStream().write(bytes);
            socket.shutdownOutput();
            readToTheEnd(socket);
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    @Test
    void clientWorksOverARealSocket() throws Exception {
        Server server = server("realtime.v1");
        server.onText = text -> {
            Envelope frame = Envelope.parse(text);
            String answer = frame.type().equals("$hello")
                    ? "{\"type\":\"$welcome\",\"data\":{\"session\":\"s\",\"rooms\":{}}}"
                    : "{\"type\":\"$ack\",\"data\":{\"seq\":" + frame.seq() + "}}";
            server.getConnections().forEach(connection -> connection.send(answer));
        };
        Event<String> note = Event.of("note", String.class);
        try (RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.getPort() + "/ws"))
                .build()) {
            client.connect().get(10, TimeUnit.SECONDS);
            client.send(note, "hello").get(10, TimeUnit.SECONDS);
            server.peer().closeConnection(1006, "cut");
            client.send(note, "again").get(10, TimeUnit.SECONDS);
        }
    }
}
