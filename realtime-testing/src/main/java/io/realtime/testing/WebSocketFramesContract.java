package io.realtime.testing;

import static io.realtime.testing.RawWebSocket.BINARY;
import static io.realtime.testing.RawWebSocket.CLOSE;
import static io.realtime.testing.RawWebSocket.CONTINUATION;
import static io.realtime.testing.RawWebSocket.PING;
import static io.realtime.testing.RawWebSocket.PONG;
import static io.realtime.testing.RawWebSocket.TEXT;
import static io.realtime.testing.RawWebSocket.encode;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.ContractServer.Accepted;
import io.realtime.testing.RawWebSocket.RawFrame;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The contract of how a server's transport handles a client's frames, valid and invalid (RFC 6455 sections 5, 7 and 8).
 */
abstract class WebSocketFramesContract extends ServerTransportContract {
    /** Fixed, so that the unread bytes that the system holds are bounded. */
    private static final int RECEIVE_BUFFER = 64 * 1024;

    private static final int INVALID_UTF8 = 1007;
    private static final byte[] NONE = {};
    private static final byte[] ONE = {1};

    private final List<RawWebSocket> sockets = new ArrayList<>();

    // ---- over sockets

    @Override
    protected final ContractPeer connect(String target, Map<String, String> headers, String subprotocol)
            throws IOException {
        List<String> lines = new ArrayList<>();
        headers.forEach((name, value) -> lines.add(name + ": " + value));
        String selection = "Sec-WebSocket-Protocol: " + subprotocol;
        if (!subprotocol.isEmpty()) {
            lines.add(selection);
        }
        RawWebSocket socket = connectRaw();
        String answer = socket.upgrade(target, lines.toArray(new String[0]));
        if (!subprotocol.isEmpty() && !answer.contains("\r\n" + selection + "\r\n")) {
            throw new IOException("the server did not select the subprotocol " + subprotocol);
        }
        return new RawPeer(socket);
    }

    @Override
    protected final <T> @Nullable T await(BlockingQueue<T> queue) throws InterruptedException {
        return queue.poll(10, TimeUnit.SECONDS);
    }

    @Override
    protected final void meanwhile(Runnable task) {
        Thread thread = new Thread(task, "contract test");
        thread.setDaemon(true);
        thread.start();
    }

    /** Connects a socket without an upgrade; it is closed after the test. */
    protected final RawWebSocket connectRaw() throws IOException {
        return connectRaw(transport());
    }

    final RawWebSocket connectRaw(ServerTransport to) throws IOException {
        RawWebSocket socket = connectRaw(to.port(), RECEIVE_BUFFER);
        sockets.add(socket);
        return socket;
    }

    /** Connects a socket without an upgrade; with TLS if the transport under test uses it. */
    protected RawWebSocket connectRaw(int port, int receiveBuffer) throws IOException {
        return RawWebSocket.connect(port, receiveBuffer);
    }

    /** Connects a socket and upgrades; it answers nothing automatically, and is closed after the test. */
    protected final RawWebSocket openRaw() throws IOException {
        RawWebSocket socket = connectRaw();
        socket.upgrade("/");
        return socket;
    }

    @AfterEach
    final void closeSockets() throws IOException {
        for (RawWebSocket socket : sockets) {
            socket.close();
        }
    }

    // ---- progress

    @Test
    void frameThatIsNotWholeTellsItsProgress() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        byte[] payload = new byte[3_000];
        ByteBuffer masked = ByteBuffer.wrap(encode(true, BINARY, payload));
        byte[] first = new byte[masked.remaining() - 1_000];
        masked.get(first);
        byte[] rest = new byte[masked.remaining()];
        masked.get(rest);
        client.send(first);
        assertProgress(accepted, 2_000);
        client.send(rest);
        assertEquals("binary " + Arrays.toString(payload), accepted.next());
    }

    @Test
    void messageThatIsNotWholeTellsItsProgress() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        client.frame(false, BINARY, new byte[500]);
        assertProgress(accepted, 500);
        client.frame(false, CONTINUATION, new byte[300]);
        assertProgress(accepted, 300);
        client.frame(true, CONTINUATION, new byte[1]);
        assertEquals("binary " + Arrays.toString(new byte[801]), accepted.next());
        client.frame(false, BINARY, new byte[7]);
        assertProgress(accepted, 7);
    }

    private static void assertProgress(Accepted accepted, int expected) throws InterruptedException {
        int bytes = 0;
        while (bytes < expected) {
            bytes += accepted.nextProgress();
        }
        assertEquals(expected, bytes);
    }

    // ---- fragments

    @Test
    void messageMayComeInFragmentsOfAByteWithAPingBetween() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        byte[] utf8 = "añ🎈b".repeat(10).getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < utf8.length; i++) {
            client.frame(i == utf8.length - 1, i == 0 ? TEXT : CONTINUATION, new byte[] {utf8[i]});
            client.frame(true, PING, new byte[] {(byte) i});
        }
        for (int i = 0; i < utf8.length; i++) {
            assertFrame(PONG, new byte[] {(byte) i}, client.read());
        }
        for (int i = 0; i < utf8.length - 1; i++) {
            assertEquals("activity", accepted.next());
        }
        assertEquals("text " + "añ🎈b".repeat(10), accepted.next());
        assertEquals("activity", accepted.next());
    }

    @Test
    void fragmentMayBeEmpty() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        client.frame(false, TEXT, NONE);
        client.frame(false, CONTINUATION, ascii("ab"));
        client.frame(false, CONTINUATION, NONE);
        client.frame(true, CONTINUATION, NONE);
        assertEquals("text ab", accepted.next());
        client.frame(false, BINARY, NONE);
        client.frame(true, CONTINUATION, NONE);
        assertEquals("binary []", accepted.next());
        client.frame(false, BINARY, new byte[] {1});
        client.frame(true, CONTINUATION, new byte[] {2});
        assertEquals("binary [1, 2]", accepted.next());
    }

    @Test
    void framesMayComeByteByByte() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        String text = "x".repeat(200) + "🎈";
        sendByteByByte(client, encode(true, TEXT, text.getBytes(StandardCharsets.UTF_8)));
        sendByteByByte(client, encode(true, PING, ascii("ping")));
        assertEquals("text " + text, accepted.next());
        assertFrame(PONG, ascii("ping"), client.read());
    }

    @Test
    void continuationOfNothingClosesWith1002() throws Exception {
        assertClosesWith(1002, encode(true, CONTINUATION, ascii("a")));
        assertClosesWith(1002, encode(false, CONTINUATION, ascii("a")));
        assertClosesWith(1002, encode(true, CONTINUATION, NONE));
    }

    @Test
    void messageWithinAMessageClosesWith1002() throws Exception {
        assertClosesWith(1002, encode(false, TEXT, ascii("a")), encode(true, TEXT, ascii("b")));
        assertClosesWith(1002, encode(false, TEXT, ascii("a")), encode(false, BINARY, ascii("b")));
        assertClosesWith(1002, encode(false, BINARY, NONE), encode(true, BINARY, NONE));
    }

    @Test
    void controlFrameInFragmentsClosesWith1002() throws Exception {
        for (int opcode : new int[] {CLOSE, PING, PONG}) {
            assertClosesWith(1002, encode(false, opcode, NONE));
        }
    }

    // ---- lengths

    @Test
    void fragmentsOfOneByteUpToTheLimitAreTaken() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        client.send(repeat(MESSAGE_BYTES, i -> encode(i == MESSAGE_BYTES - 1, i == 0 ? BINARY : CONTINUATION, ONE)));
        assertTrue(accepted.next().startsWith("binary [1, 1,"));
        client.send(repeat(MESSAGE_BYTES, i -> encode(false, i == 0 ? BINARY : CONTINUATION, ONE)));
        client.frame(true, PING, NONE);
        assertFrame(PONG, NONE, client.read());
        client.frame(false, CONTINUATION, ONE);
        assertEquals(CloseReason.TOO_BIG, client.read().closeReason().code());
    }

    @Test
    void messageMayHaveTenThousandEmptyFragments() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        client.send(repeat(10_000, i -> encode(false, i == 0 ? TEXT : CONTINUATION, NONE)));
        client.frame(true, CONTINUATION, ascii("end"));
        assertEquals("text end", accepted.next());
    }

    @Test
    void frameBeyondTheLimitIsRefusedBeforeItsPayloadComes() throws Exception {
        assertClosesWith(CloseReason.TOO_BIG, header(true, BINARY, MESSAGE_BYTES + 1));
        assertClosesWith(CloseReason.TOO_BIG, header(true, TEXT, Integer.MAX_VALUE));
        assertClosesWith(CloseReason.TOO_BIG, header(true, BINARY, 1L << 32)); // 0 as an int
        assertClosesWith(CloseReason.TOO_BIG, header(true, BINARY, 1L << 62));
        byte[] most = encode(false, BINARY, new byte[MESSAGE_BYTES - 1]);
        byte[] twoMore = Arrays.copyOf(encode(false, CONTINUATION, new byte[2]), 6);
        assertClosesWith(CloseReason.TOO_BIG, most, twoMore);
        assertClosesWith(CloseReason.TOO_BIG, most, header(true, CONTINUATION, Long.MAX_VALUE));
    }

    @Test
    void lengthThatIsNegativeOrNotInItsShortestFormClosesWith1002() throws Exception {
        assertClosesWith(1002, header(true, BINARY, Long.MIN_VALUE));
        assertClosesWith(1002, header(true, BINARY, -1));
        assertClosesWith(1002, new byte[] {(byte) 0x82, (byte) (0x80 | 126), 0, 125, 0, 0, 0, 0});
        assertClosesWith(1002, header(true, BINARY, 125));
        assertClosesWith(1002, header(true, BINARY, 65_535));
    }

    // ---- reserved

    @Test
    void reservedBitClosesWith1002() throws Exception {
        for (int bit : new int[] {0x40, 0x20, 0x10}) {
            for (int opcode : new int[] {TEXT, BINARY, PING, CLOSE}) {
                assertClosesWith(1002, encode(true, bit | opcode, NONE));
            }
            assertClosesWith(1002, encode(false, TEXT, NONE), encode(true, bit | CONTINUATION, NONE));
        }
    }

    @Test
    void reservedOpcodeClosesWith1002() throws Exception {
        for (int opcode : new int[] {0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF}) {
            assertClosesWith(1002, encode(true, opcode, NONE));
            assertClosesWith(1002, encode(true, opcode, ascii("payload")));
        }
    }

    @Test
    void frameWithoutAMaskClosesWith1002() throws Exception {
        assertClosesWith(1002, new byte[] {(byte) 0x81, 1, 'a'});
        assertClosesWith(1002, new byte[] {(byte) 0x89, 0});
    }

    // ---- UTF-8

    @Test
    void textIsTakenWhereverItIsCut() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        for (String text : List.of(
                "κόσμε",
                "\0\u007F\u0080\u07FF\u0800\uD7FF\uE000",
                "\uFFFD\uFFFE\uFFFF\uFEFF",
                "\uD800\uDC00\uDBFF\uDFFF🎈")) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            for (int cut = 0; cut <= utf8.length; cut++) {
                client.frame(false, TEXT, Arrays.copyOf(utf8, cut));
                client.frame(true, CONTINUATION, Arrays.copyOfRange(utf8, cut, utf8.length));
                assertEquals("text " + text, accepted.next());
            }
            sendByteByByte(client, encode(true, TEXT, utf8));
            assertEquals("text " + text, accepted.next());
        }
    }

    @Test
    void whatIsNoUtf8ClosesWith1007WhereverItIsCut() throws Exception {
        for (String hex : List.of(
                "80", // a continuation byte without a start
                "C3 61",
                "C0 80", // overlong
                "C1 BF",
                "E0 80 80",
                "E0 9F BF",
                "F0 80 80 80",
                "F0 8F BF BF",
                "ED A0 80", // surrogates, alone and in a pair
                "ED BF BF",
                "ED A0 BD ED B8 80",
                "F4 90 80 80", // above U+10FFFF
                "F5 80 80 80",
                "F8 88 80 80 80",
                "FE",
                "FF",
                "C3", // ends within a character
                "E2 82",
                "F0 9F 98")) {
            byte[] bytes = concat(ascii("good "), hex(hex));
            assertClosesWith(INVALID_UTF8, encode(true, TEXT, bytes));
            int cut = bytes.length - 1;
            assertClosesWith(
                    INVALID_UTF8,
                    encode(false, TEXT, Arrays.copyOf(bytes, cut)),
                    encode(true, CONTINUATION, Arrays.copyOfRange(bytes, cut, bytes.length)));
        }
    }

    @Test
    void binaryMayHoldWhatIsNoUtf8() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        client.frame(true, BINARY, hex("C0 80 ED A0 80 FF"));
        assertEquals("binary " + Arrays.toString(hex("C0 80 ED A0 80 FF")), accepted.next());
    }

    // ---- pings

    @Test
    void pingIsAnsweredWithWhatItBoreAndLongerOneClosesWith1002() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        byte[] longest = new byte[125];
        Arrays.fill(longest, (byte) 0xFE);
        for (byte[] payload : List.of(NONE, ascii("ping"), longest)) {
            client.frame(true, PING, payload);
            assertFrame(PONG, payload, client.read());
            assertEquals("activity", accepted.next());
        }
        for (int opcode : new int[] {PING, PONG, CLOSE}) {
            assertClosesWith(1002, encode(true, opcode, new byte[126]));
        }
    }

    @Test
    void unsolicitedPongIsActivity() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        client.frame(true, PONG, ascii("unasked"));
        assertEquals("activity", accepted.next());
        client.frame(true, PING, NONE);
        assertFrame(PONG, NONE, client.read());
        accepted.connection.ping();
        assertEquals(PING, client.read().opcode());
    }

    // ---- closes

    @Test
    void closeIsAnsweredWithItsCode() throws Exception {
        for (int code : new int[] {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999}) {
            RawWebSocket client = openRaw();
            Accepted accepted = server.next();
            client.close(code, "why");
            assertEquals("peer closed " + code + " why", accepted.next());
            assertEquals(code, client.read().closeReason().code());
            assertThrows(EOFException.class, client::read);
        }
    }

    @Test
    void closeMayBeEmptyOrHaveTheLongestReason() throws Exception {
        RawWebSocket empty = openRaw();
        Accepted accepted = server.next();
        empty.frame(true, CLOSE, NONE);
        assertEquals("peer closed 1005", accepted.next());
        assertFrame(CLOSE, NONE, empty.read());
        assertThrows(EOFException.class, empty::read);

        RawWebSocket longest = openRaw();
        accepted = server.next();
        longest.close(1000, "ü".repeat(61) + "!");
        assertEquals("peer closed 1000 " + "ü".repeat(61) + "!", accepted.next());
        assertEquals(1000, longest.read().closeReason().code());
    }

    @Test
    void closeThatIsNoneClosesWithItsOwnCode() throws Exception {
        for (int code : new int[] {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535}) {
            assertClosesWith(1002, encode(true, CLOSE, new byte[] {(byte) (code >> 8), (byte) code}));
        }
        assertClosesWith(1002, encode(true, CLOSE, new byte[] {3}));
        assertClosesWith(INVALID_UTF8, encode(true, CLOSE, concat(new byte[] {3, (byte) 0xE8}, hex("CE BA E1"))));
    }

    @Test
    void framesAfterACloseAreIgnored() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        byte[] close = encode(true, CLOSE, new byte[] {3, (byte) 0xE8});
        byte[] text = encode(true, TEXT, ascii("late"));
        client.send(concat(close, text, encode(true, PING, NONE), encode(true, CLOSE, ONE), text));
        assertEquals("peer closed 1000", accepted.next());
        assertEquals(1000, client.read().closeReason().code());
        assertThrows(EOFException.class, client::read);
    }

    @Test
    void peerThatReadsAndDoesNotAnswerACloseIsCut() throws Exception {
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        accepted.connection.close(new CloseReason(4005, "kicked"));
        RawFrame close = client.read();
        assertEquals(CLOSE, close.opcode());
        assertEquals(new CloseReason(4005, "kicked"), close.closeReason());
        assertThrows(EOFException.class, client::read); // within the read's ten seconds
        assertEquals("closed 4005 kicked", accepted.next());
    }

    // ---- helpers

    /** Sends a valid message and then these frames: once both arrive, the connection must close with the code. */
    private void assertClosesWith(int code, byte[]... frames) throws Exception {
        byte[] last = frames[frames.length - 1];
        String what = HexFormat.ofDelimiter(" ").formatHex(Arrays.copyOf(last, Math.min(last.length, 20)));
        RawWebSocket client = openRaw();
        Accepted accepted = server.next();
        client.text("good");
        for (byte[] frame : frames) {
            client.send(frame);
        }
        assertEquals(code, client.read().closeReason().code(), what);
        client.close();
        assertEquals("text good", accepted.next(), what);
        assertTrue(accepted.next().startsWith("closed " + code), what);
    }

    private static void assertFrame(int opcode, byte[] payload, RawFrame frame) {
        assertEquals(new RawFrame(true, opcode, ByteBuffer.wrap(payload)), frame);
    }

    /** Returns the header of a frame in its longest form, without the payload that it announces. */
    private static byte[] header(boolean fin, int opcode, long length) {
        return ByteBuffer.allocate(14)
                .put((byte) ((fin ? 0x80 : 0) | opcode))
                .put((byte) (0x80 | 127))
                .putLong(length)
                .putInt(0)
                .array();
    }

    static void sendByteByByte(RawWebSocket client, byte[] bytes) throws IOException {
        for (byte single : bytes) {
            client.send(new byte[] {single});
        }
    }

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    static byte[] hex(String bytes) {
        return HexFormat.ofDelimiter(" ").parseHex(bytes);
    }

    static byte[] concat(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    private static byte[] repeat(int times, IntFunction<byte[]> part) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (int i = 0; i < times; i++) {
            all.writeBytes(part.apply(i));
        }
        return all.toByteArray();
    }
}
