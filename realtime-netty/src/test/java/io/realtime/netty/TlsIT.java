package io.realtime.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Tls;
import io.realtime.testing.RawWebSocket;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is particular to TLS; that all else is as without it, the contract shows. */
@Timeout(60)
class TlsIT {
    private static final TestIdentity IDENTITY = TestIdentity.of("EC");
    private static final String UPGRADE = String.join(
            "\r\n",
            "GET / HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "",
            "");
    private static final int HANDSHAKE_RECORD = 22;
    private static final int ALERT_RECORD = 21;

    private final NettyTransport transport = new NettyTransport();
    private final Echo echo = new Echo();
    private final Noise noise = new Noise();
    private final List<AutoCloseable> sockets = new ArrayList<>();

    @BeforeEach
    void listen() {
        Logger.getLogger("").addHandler(noise);
    }

    @AfterEach
    void nothingOfAllThisIsWorthAWarning() throws Exception {
        for (AutoCloseable socket : sockets) {
            socket.close();
        }
        transport.stop(Duration.ofSeconds(5));
        Logger.getLogger("").removeHandler(noise);
        assertEquals(List.of(), List.copyOf(noise.heard));
    }

    private void start(Tls tls, Duration handshakeTimeout) throws IOException {
        transport.start(Echo.config(tls, handshakeTimeout), echo);
    }

    private void start() throws Exception {
        start(new Tls.Context(IDENTITY.server()), Duration.ofSeconds(10));
    }

    @ParameterizedTest
    @ValueSource(strings = {"RSA", "EC", "Ed25519"})
    void certificateAndKeyMayBeInPemFilesOfEveryKind(String algorithm, @TempDir Path folder) throws Exception {
        TestIdentity identity = TestIdentity.of(algorithm);
        start(identity.pem(folder), Duration.ofSeconds(10));
        assertEchoes(identity);
    }

    @Test
    void keyMayBeEncrypted(@TempDir Path folder) throws Exception {
        start(IDENTITY.encryptedPem(folder, "open sesame"), Duration.ofSeconds(10));
        assertEchoes(IDENTITY);
    }

    private void assertEchoes(TestIdentity identity) throws Exception {
        RawWebSocket client =
                RawWebSocket.connect(transport.port(), 0, identity.client().getSocketFactory());
        sockets.add(client);
        client.upgrade("/");
        String large = "x".repeat(60_000);
        client.text(large);
        assertEquals(large, client.read().text());
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
    void bothVersionsAreSpokenAndNoApplicationProtocolIsSelected(String version) throws Exception {
        start();
        SSLSocket client = secure(plain());
        SSLParameters parameters = client.getSSLParameters();
        parameters.setProtocols(new String[] {version});
        parameters.setApplicationProtocols(new String[] {"h2", "http/1.1"});
        client.setSSLParameters(parameters);
        client.startHandshake();
        assertEquals(version, client.getSession().getProtocol());
        assertEquals("", client.getApplicationProtocol());
    }

    /** An old client says hello, byte by byte by hand: today's JDK does not speak so any more. */
    @Test
    void olderVersionsAreRefusedWithAnAlert() throws Exception {
        start();
        for (int minor : new int[] {1, 2}) { // 1.0 and 1.1
            byte[] hello = new byte[5 + 4 + 2 + 32 + 1 + 4 + 2];
            byte[] head = {
                HANDSHAKE_RECORD,
                3,
                (byte) minor,
                0,
                (byte) (hello.length - 5),
                1,
                0,
                0,
                (byte) (hello.length - 9),
                3,
                (byte) minor
            };
            System.arraycopy(head, 0, hello, 0, head.length);
            byte[] tail = {0, 0, 2, (byte) 0xC0, 0x0A, 1, 0
            }; // no session, ECDHE_ECDSA_WITH_AES_256_CBC_SHA, no compression
            System.arraycopy(tail, 0, hello, hello.length - tail.length, tail.length);
            Socket client = plain();
            client.getOutputStream().write(hello);
            byte[] answer = client.getInputStream().readNBytes(7);
            assertEquals(ALERT_RECORD, answer[0]);
            assertEquals(2, answer[5], "fatal");
            assertEquals(70, answer[6], "protocol_version");
            assertEquals(-1, client.getInputStream().read());
        }
    }

    @Test
    void peerThatSaysNothingOrHalfHelloIsCutAtDeadlineOfUpgrade() throws Exception {
        start(new Tls.Context(IDENTITY.server()), Duration.ofSeconds(1));
        Socket silent = plain();
        Socket halfway = plain();
        halfway.getOutputStream().write(new byte[] {HANDSHAKE_RECORD, 3, 1, 1, 0, 1, 0});
        SSLSocket noRequest = secure(plain());
        noRequest.startHandshake();
        assertEquals(-1, silent.getInputStream().read()); // within the read's ten seconds
        assertEquals(-1, halfway.getInputStream().read());
        assertEquals(-1, noRequest.getInputStream().read());
        assertNull(echo.opened.peek());
    }

    @Test
    void nonTlsConnectionIsCut() throws Exception {
        start();
        for (String bytes : List.of(UPGRADE, "\u0016\u0003\u0001\u00FF\u00FF" + "x".repeat(70_000), "\0".repeat(100))) {
            Socket client = plain();
            client.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
            try {
                for (int next = 0; next >= 0; next = client.getInputStream().read()) {
                    assertTrue(next != 'H', "no HTTP is spoken here");
                }
            } catch (java.net.SocketException reset) {
                assertTrue(client.isConnected(), "a reset is as good");
            }
        }
        assertEchoes(IDENTITY);
    }

    @Test
    void connectionThatIsTruncatedIsAbnormal() throws Exception {
        start();
        Socket plain = plain();
        SSLSocket client = secure(plain);
        client.getOutputStream().write(UPGRADE.getBytes(StandardCharsets.US_ASCII));
        Echo.next(echo.opened);
        plain.getOutputStream().write(new byte[] {23, 3, 3, 0, 100, 1, 2, 3}); // of 100 bytes, three
        plain.shutdownOutput();
        assertEquals(CloseReason.ABNORMAL, Echo.next(echo.closed).code());
    }

    @Test
    void closeNotifyWithoutCloseFrameIsAbnormal() throws Exception {
        start();
        SSLSocket client = secure(plain());
        client.getOutputStream().write(UPGRADE.getBytes(StandardCharsets.US_ASCII));
        Echo.next(echo.opened);
        client.shutdownOutput(); // close_notify, and the socket stays
        assertEquals(CloseReason.ABNORMAL, Echo.next(echo.closed).code());
    }

    /** In TLS 1.2 alerts show on the wire. The last that the server says must be one: close_notify. */
    @Test
    void closeEndsWithCloseNotify() throws Exception {
        start();
        for (byte[] end : List.of(
                RawWebSocket.encode(true, RawWebSocket.CLOSE, new byte[] {3, (byte) 0xE8}),
                RawWebSocket.encode(true, 0x3, new byte[0]))) {
            Overheard overheard = new Overheard(transport.port());
            sockets.add(overheard);
            SSLSocket client = secure(overheard);
            client.setEnabledProtocols(new String[] {"TLSv1.2"});
            client.getOutputStream().write(UPGRADE.getBytes(StandardCharsets.US_ASCII));
            client.getOutputStream().write(end);
            client.getInputStream().readAllBytes();
            assertEquals(ALERT_RECORD, overheard.lastRecord());
        }
    }

    private Socket plain() throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), transport.port());
        socket.setSoTimeout(10_000);
        sockets.add(socket);
        return socket;
    }

    private SSLSocket secure(Socket plain) throws Exception {
        return (SSLSocket) IDENTITY.client().getSocketFactory().createSocket(plain, "localhost", plain.getPort(), true);
    }

    /** A socket that keeps what it reads. */
    private static final class Overheard extends Socket {
        private final ByteArrayOutputStream read = new ByteArrayOutputStream();

        Overheard(int port) throws IOException {
            super(InetAddress.getLoopbackAddress(), port);
            setSoTimeout(10_000);
        }

        @Override
        public InputStream getInputStream() throws IOException {
            return new FilterInputStream(super.getInputStream()) {
                @Override
                public int read() throws IOException {
                    byte[] one = new byte[1];
                    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
                }

                @Override
                public int read(byte[] target, int offset, int length) throws IOException {
                    int count = super.read(target, offset, length);
                    read.write(target, offset, Math.max(0, count));
                    return count;
                }
            };
        }

        /** Returns the type of the last TLS record. */
        int lastRecord() throws EOFException {
            byte[] all = read.toByteArray();
            int type = -1;
            for (int at = 0; at < all.length; ) {
                type = all[at];
                at += 5 + (((all[at + 3] & 0xFF) << 8) | (all[at + 4] & 0xFF));
                if (at > all.length) {
                    throw new EOFException("half a record: " + Arrays.toString(all));
                }
            }
            return type;
        }
    }

    /** Keeps what is logged at warning or above. */
    private static final class Noise extends Handler {
        private final Queue<String> heard = new ConcurrentLinkedQueue<>();

        @Override
        public void publish(LogRecord line) {
            if (line.getLevel().intValue() >= Level.WARNING.intValue()) {
                heard.add(line.getLoggerName() + ": " + line.getMessage());
            }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }
}
