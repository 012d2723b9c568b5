package io.realtime.netty;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.spi.Tls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Provider;
import java.security.SecureRandom;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLContextSpi;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLServerSocketFactory;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServerTlsTest {
    private static final TestIdentity IDENTITY = TestIdentity.of("EC");

    @TempDir
    private Path folder;

    private Tls.Pem pem;

    @BeforeEach
    void write() throws Exception {
        pem = IDENTITY.pem(folder);
    }

    @Test
    void filesThatCannotBeReadAreNamed() {
        Path none = folder.resolve("none.pem");
        assertRefused(new Tls.Pem(none, pem.key(), null), "TLS certificates " + none + ": ", "NoSuchFileException");
        assertRefused(new Tls.Pem(pem.certificates(), none, null), "TLS key " + none + ": ", "NoSuchFileException");
    }

    @Test
    void filesThatHoldSomethingElseAreNamed() throws Exception {
        Path text = Files.writeString(folder.resolve("text.pem"), "no PEM at all\n");
        Path empty = Files.writeString(folder.resolve("empty.pem"), "");
        Path broken = Files.writeString(folder.resolve("broken.pem"), """
                -----BEGIN PRIVATE KEY-----
                AAAA
                -----END PRIVATE KEY-----
                -----BEGIN CERTIFICATE-----
                AAAA
                -----END CERTIFICATE-----
                """);
        assertRefused(new Tls.Pem(text, pem.key(), null), "TLS certificates " + text + ": ", "");
        assertRefused(new Tls.Pem(empty, pem.key(), null), "TLS certificates " + empty + ": ", "holds no certificate");
        assertRefused(new Tls.Pem(broken, pem.key(), null), "TLS certificates " + broken + ": ", "");
        assertRefused(new Tls.Pem(pem.certificates(), text, null), "TLS key " + text + ": ", "BEGIN PRIVATE KEY");
        assertRefused(new Tls.Pem(pem.certificates(), broken, null), "TLS key " + broken + ": ", "InvalidKey");
        assertRefused(new Tls.Pem(pem.key(), pem.certificates(), null), "TLS certificates " + pem.key() + ": ", "");
    }

    @Test
    void keyThatIsNotTheCertificatesIsRefused() throws Exception {
        for (String algorithm : new String[] {"EC", "RSA"}) {
            Path other = Files.createDirectory(folder.resolve(algorithm));
            Path key = TestIdentity.of(algorithm).pem(other).key();
            assertRefused(new Tls.Pem(pem.certificates(), key, null), "TLS key " + key + ": ", "");
        }
        Path rsa = Files.createDirectory(folder.resolve("rsa"));
        Path first = TestIdentity.of("RSA").pem(rsa).certificates();
        Path second = TestIdentity.of("RSA").pem(folder).key();
        assertRefused(
                new Tls.Pem(first, second, null),
                "TLS key " + second + ": ",
                "not the key of the certificate in " + first);
    }

    @Test
    void encryptedKeyNeedsItsPassword() throws Exception {
        Tls.Pem encrypted = IDENTITY.encryptedPem(folder, "open sesame");
        ServerTls.of(encrypted);
        String named = "TLS key " + encrypted.key() + ": ";
        assertRefused(new Tls.Pem(encrypted.certificates(), encrypted.key(), null), named, "no password is given");
        IOException refused =
                assertRefused(new Tls.Pem(encrypted.certificates(), encrypted.key(), "wrong password"), named, "");
        assertFalse(String.valueOf(refused.getMessage()).contains("wrong password"));
    }

    private static IOException assertRefused(Tls tls, String begin, String why) {
        IOException refused = assertThrows(IOException.class, () -> ServerTls.of(tls));
        String message = String.valueOf(refused.getMessage());
        assertTrue(message.startsWith(begin), message);
        assertTrue(message.contains(why), message);
        return refused;
    }

    @Test
    void olderVersionsAreNotEnabledWhateverTheContextDoes() throws Exception {
        SSLEngine engine = ServerTls.of(new Tls.Context(enabling("TLSv1", "TLSv1.1", "TLSv1.2")))
                .newHandler()
                .engine();
        assertArrayEquals(new String[] {"TLSv1.2"}, engine.getEnabledProtocols());
        IOException refused =
                assertThrows(IOException.class, () -> ServerTls.of(new Tls.Context(enabling("TLSv1", "TLSv1.1"))));
        assertEquals("the SSLContext enables only [TLSv1, TLSv1.1], none of [TLSv1.3, TLSv1.2]", refused.getMessage());
    }

    @Test
    void clientAuthenticationFollowsTheContext() throws Exception {
        SSLEngine engine =
                ServerTls.of(new Tls.Context(enabling("TLSv1.3"))).newHandler().engine();
        assertTrue(engine.getNeedClientAuth());
        assertFalse(engine.getUseClientMode());
    }

    /** A context whose engines enable these versions and ask for client certificates. */
    private static SSLContext enabling(String... versions) throws Exception {
        SSLContext real = IDENTITY.server();
        return new SSLContext(
                new SSLContextSpi() {
                    @Override
                    protected SSLEngine engineCreateSSLEngine() {
                        SSLEngine engine = real.createSSLEngine();
                        engine.setUseClientMode(false);
                        engine.setEnabledProtocols(versions);
                        engine.setNeedClientAuth(true);
                        return engine;
                    }

                    @Override
                    protected SSLEngine engineCreateSSLEngine(String host, int port) {
                        return engineCreateSSLEngine();
                    }

                    @Override
                    protected void engineInit(KeyManager[] keys, TrustManager[] trust, SecureRandom random) {}

                    @Override
                    protected SSLSocketFactory engineGetSocketFactory() {
                        return real.getSocketFactory();
                    }

                    @Override
                    protected SSLServerSocketFactory engineGetServerSocketFactory() {
                        return real.getServerSocketFactory();
                    }

                    @Override
                    protected SSLSessionContext engineGetServerSessionContext() {
                        return real.getServerSessionContext();
                    }

                    @Override
                    protected SSLSessionContext engineGetClientSessionContext() {
                        return real.getClientSessionContext();
                    }
                },
                new Provider("test", "1", "") {
                    private static final long serialVersionUID = 1L;
                },
                "TLS") {};
    }
}
