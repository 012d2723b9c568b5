package io.realtime.client.internal.transport;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Scheduler;
import io.realtime.spi.UpgradeException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import org.java_websocket.server.DefaultSSLWebSocketServerFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How a client dials, upgrades and verifies its server. */
class JavaWebSocketUpgradeIT extends JavaWebSocketClientFixture {
    @Test
    void hostNameWithUnderscoreIsDialedAndNamedToServer() throws Exception {
        Server server = server("realtime.v1");
        URI uri = URI.create("ws://under_score:" + server.getPort() + "/ws");
        Client client = new Client();
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport(
                        null, host -> host.equals("under_score") ? addresses("127.0.0.1") : addresses())
                .connect(new ClientTransport.Target(uri, Map.of(), "realtime.v1", 1_000, 1_000), client);
        toClose.add(attempt::cancel);
        assertEquals("under_score:" + server.getPort(), client.connection().remoteAddress());
        await().until(() -> server.host.equals("under_score:" + server.getPort()));
    }

    @Test
    void addressThatRefusesIsFollowedByTheNext() throws Exception {
        Server server = server("realtime.v1");
        Client client = new Client();
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport(
                        null, host -> addresses("127.0.0.9", "127.0.0.8", "127.0.0.1"))
                .connect(target(server.getPort(), 1_000, 1_000), client);
        toClose.add(attempt::cancel);
        assertNotNull(client.connection());
    }

    @Test
    void failureNamesTheHostThatIsNotKnown() throws Exception {
        Client client = new Client();
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport(null, host -> {
                    throw new UnknownHostException(host);
                })
                .connect(target(1, 1_000, 1_000), client);
        toClose.add(attempt::cancel);
        assertEquals(
                "cannot connect to ws://localhost:1/ws: java.net.UnknownHostException: localhost",
                client.failed.get(10, TimeUnit.SECONDS).getMessage());
    }

    private static InetAddress[] addresses(String... literals) throws UnknownHostException {
        InetAddress[] found = new InetAddress[literals.length];
        for (int i = 0; i < literals.length; i++) {
            found[i] = InetAddress.getByName(literals[i]);
        }
        return found;
    }

    @Test
    void serverWithoutSubprotocolIsRefused() throws Exception {
        Client client = connect(target(server("").getPort(), 1_000, 1_000));
        String message = client.failed.get(10, TimeUnit.SECONDS).getMessage();
        assertTrue(String.valueOf(message).contains("did not select the subprotocol realtime.v1"), message);
    }

    /** Whole, or as far as it came. */
    @ParameterizedTest
    @CsvSource({
        "HTTP/1.1 403 Forbidden|Content-Length: 0|X-Why: no||, 403, Forbidden, no",
        "HTTP/1.1 503 Service Unavailable|Retry-After: 7|X-Why: busy||<html>page</html>, 503, Service Unavailable, busy",
        "HTTP/1.0 200 OK|X-Why: portal||<html>log in here</html>, 200, OK, portal",
        "HTTP/1.1 404|X-Why: path||, 404, '', path",
        "HTTP/1.1 404 a\u001b[31mb|X-Why: forged||, 404, a [31mb, forged",
        "HTTP/1.1 404 a\u009b31mb|X-Why: C1||, 404, a 31mb, C1",
        "HTTP/1.1 404 Not Found~X-Why: LF~~, 404, Not Found, LF",
        "HTTP/1.1 404 Not Found~X-Why: LF~X-Ha, 404, Not Found, LF",
        "HTTP/1.1 502 Bad Gateway|X-Why: cut|X-Ha, 502, Bad Gateway, cut",
    })
    void refusedUpgradeTellsItsStatusAndHeaders(String answer, int status, String phrase, String why) throws Exception {
        UpgradeException refusal =
                assertInstanceOf(UpgradeException.class, answered(answer).getCause());
        assertEquals(("upgrade refused: " + status + " " + phrase).trim(), refusal.getMessage());
        assertEquals(status, refusal.status());
        assertEquals(why, refusal.headers().get("x-why"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "SSH-2.0-OpenSSH_9.2||; the server's answer is not HTTP: 'SSH-2.0-OpenSSH_9.2'",
                "x\u0003\u009by; the server's answer is not HTTP: 'x  y'",
                "''; the connection was closed before the server answered",
                "HTTP/1.1 4; the connection was closed in the middle of the server's answer: 'HTTP/1.1 4'",
                "HTTP/1.1 101 OK|Upgrade: we; the connection was closed in the middle of the server's answer: 'HTTP/1.1 101 OK'",
            })
    void malformedAnswerIsReportedWithItsText(String answer, String why) throws Exception {
        Exception failure = answered(answer);
        assertFalse(failure.getCause() instanceof UpgradeException, failure.toString());
        String message = String.valueOf(failure.getMessage());
        assertTrue(message.endsWith("/ws: " + why), message);
    }

    @Test
    void subprotocolThatAHostileServerSelectsIsPrintable() throws Exception {
        Exception failure = answered("HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Connection: Upgrade"
                + "|Sec-WebSocket-Protocol: a\u001b31mb||");
        assertTrue(String.valueOf(failure.getMessage()).endsWith("but 'a 31mb'"), failure.toString());
    }

    @Test
    void refusalWithoutCarriageReturnsIsTakenBeforeServerCloses() throws Exception {
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(
                    () -> serveRaw(plain, "HTTP/1.1 404 Not Found\nX: y\n\n".getBytes(StandardCharsets.US_ASCII)));
            Client client = connect(target(plain.getLocalPort(), 1_000, 1_000));
            assertInstanceOf(
                    UpgradeException.class,
                    client.failed.get(10, TimeUnit.SECONDS).getCause());
            served.get(10, TimeUnit.SECONDS);
        }
    }

    /** Answers a connection, and waits until the client ends it. */
    private static void serveRaw(ServerSocket plain, byte[] answer) {
        try (Socket socket = plain.accept()) {
            assertTrue(socket.getInputStream().read(new byte[4096]) > 0);
            socket.getOutputStream().write(answer);
            assertEquals(-1, socket.getInputStream().read(), "nothing follows");
        } catch (IOException ended) {
            // by the client, with a reset
        }
    }

    /** Returns why an attempt has failed that got this answer, its lines parted by bars, or by tildes for a line feed alone. */
    private Exception answered(String answer) throws Exception {
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> done = CompletableFuture.runAsync(() -> {
                try (Socket socket = plain.accept()) {
                    assertTrue(socket.getInputStream().read(new byte[4096]) > 0);
                    byte[] bytes =
                            answer.replace("|", "\r\n").replace("~", "\n").getBytes(StandardCharsets.ISO_8859_1);
                    for (byte one : bytes) { // in as many reads as the client likes
                        socket.getOutputStream().write(one);
                    }
                } catch (IOException closed) {
                    // the client hangs up as it likes
                }
            });
            Exception failure =
                    connect(target(plain.getLocalPort(), 1_000, 1_000)).failed.get(10, TimeUnit.SECONDS);
            done.get(10, TimeUnit.SECONDS);
            return failure;
        }
    }

    @Test
    void nobodyListeningFails() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        Client client = connect(target(port, 1_000, 1_000));
        String message = client.failed.get(10, TimeUnit.SECONDS).getMessage();
        assertTrue(String.valueOf(message).contains("cannot connect to ws://localhost:"), message);
        assertFalse(String.valueOf(message).contains("a=b"), message);
    }

    @Test
    void tlsVerifiesTheCertificateAndTheName(@TempDir Path directory) throws Exception {
        SSLContext context = selfSigned(directory.resolve("keys.p12"), "localhost");
        Server server = tlsServer(context);
        Client trusting = connectTls(server, context.getSocketFactory());
        assertTrue(trusting.connection().send(text("hello")));
        assertEquals("hello", trusting.next());

        Exception untrusted = connectTls(server, null).failed.get(10, TimeUnit.SECONDS);
        assertTrue(untrusted.getCause() instanceof SSLException, untrusted.toString());
        assertTrue(isPermanent(untrusted));

        SSLContext other = selfSigned(directory.resolve("other.p12"), "elsewhere.test");
        Exception misnamed =
                connectTls(tlsServer(other), other.getSocketFactory()).failed.get(10, TimeUnit.SECONDS);
        assertTrue(misnamed.getCause() instanceof SSLException, misnamed.toString());
        assertTrue(misnamed.toString().contains("localhost"), misnamed.toString());
        assertTrue(isPermanent(misnamed));
    }

    private static boolean isPermanent(Exception failure) {
        CloseReason reason = new CloseReason(CloseReason.ABNORMAL, "");
        return new ConnectionException(ErrorCode.CONNECTION_LOST, reason, failure).isPermanent();
    }

    private Server tlsServer(SSLContext context) throws Exception {
        Server server = new Server("realtime.v1");
        server.setWebSocketFactory(new DefaultSSLWebSocketServerFactory(context));
        server.start();
        assertTrue(server.started.await(10, TimeUnit.SECONDS));
        toClose.add(() -> server.stop(1_000));
        return server;
    }

    private Client connectTls(Server server, @Nullable SSLSocketFactory factory) {
        Client client = new Client();
        URI uri = URI.create("wss://localhost:" + server.getPort() + "/ws");
        Scheduler.Cancellable attempt = new JavaWebSocketClientTransport(factory)
                .connect(new ClientTransport.Target(uri, Map.of(), "realtime.v1", 1_000, 1_000), client);
        toClose.add(attempt::cancel);
        return client;
    }

    /** Keys of a certificate that vouches for itself, trusted by the context's own clients. */
    private static SSLContext selfSigned(Path file, String host) throws Exception {
        String keytool =
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
        Process made = new ProcessBuilder(
                        keytool,
                        "-genkeypair",
                        "-alias",
                        "key",
                        "-keyalg",
                        "EC",
                        "-storetype",
                        "PKCS12",
                        "-keystore",
                        file.toString(),
                        "-storepass",
                        "changeit",
                        "-dname",
                        "CN=" + host,
                        "-ext",
                        "SAN=dns:" + host)
                .redirectErrorStream(true)
                .start();
        assertEquals(0, made.waitFor(), () -> new String(read(made), StandardCharsets.UTF_8));
        KeyStore keys = KeyStore.getInstance(file.toFile(), "changeit".toCharArray());
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, "changeit".toCharArray());
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        trusted.setCertificateEntry("key", keys.getCertificate("key"));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }
}
