package io.realtime.netty;

import io.realtime.spi.Tls;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import javax.crypto.Cipher;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** A certificate for {@code localhost} and its key, made by the JDK's keytool. Immutable. */
final class TestIdentity {
    private static final char[] PASSWORD = "changeit".toCharArray();
    private static final byte[] PBES2 = HexFormat.of().parseHex("06092A864886F70D01050D");
    private static final String PBE = "PBEWithHmacSHA256AndAES_256";

    private final KeyStore store;

    private TestIdentity(KeyStore store) {
        this.store = store;
    }

    /** Of a new key of this algorithm: RSA, EC, Ed25519. */
    static TestIdentity of(String algorithm) {
        try {
            Path folder = Files.createTempDirectory("realtime-netty");
            Path file = folder.resolve("identity.p12");
            Process keytool = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "keytool")
                                    .toString(),
                            "-genkeypair",
                            "-alias",
                            "server",
                            "-keyalg",
                            algorithm,
                            "-dname",
                            "CN=localhost",
                            "-ext",
                            "SAN=dns:localhost,ip:127.0.0.1",
                            "-storetype",
                            "PKCS12",
                            "-storepass",
                            new String(PASSWORD),
                            "-keystore",
                            file.toString())
                    .redirectErrorStream(true)
                    .start();
            String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!keytool.waitFor(30, TimeUnit.SECONDS) || keytool.exitValue() != 0) {
                throw new IOException("keytool failed: " + said);
            }
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (InputStream in = Files.newInputStream(file)) {
                store.load(in, PASSWORD);
            }
            Files.delete(file);
            Files.delete(folder);
            return new TestIdentity(store);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        } catch (GeneralSecurityException | InterruptedException failure) {
            throw new IllegalStateException(failure);
        }
    }

    /** A context for a server that is this one. */
    SSLContext server() throws GeneralSecurityException {
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, PASSWORD);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        return context;
    }

    /** A context for a client that trusts this one, and no other. */
    SSLContext client() throws GeneralSecurityException, IOException {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("server", certificate());
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    /** PEM files of it in a folder, the key not encrypted. */
    Tls.Pem pem(Path folder) throws GeneralSecurityException, IOException {
        Path chain = Files.writeString(
                folder.resolve("chain.pem"), block("CERTIFICATE", certificate().getEncoded()));
        Path key = Files.writeString(folder.resolve("key.pem"), block("PRIVATE KEY", key().getEncoded()));
        return new Tls.Pem(chain, key, null);
    }

    /** PEM files of it in a folder, the key encrypted. */
    Tls.Pem encryptedPem(Path folder, String password) throws GeneralSecurityException, IOException {
        Cipher cipher = Cipher.getInstance(PBE);
        cipher.init(
                Cipher.ENCRYPT_MODE,
                SecretKeyFactory.getInstance(PBE).generateSecret(new PBEKeySpec(password.toCharArray())));
        byte[] scheme = der(0x30, PBES2, cipher.getParameters().getEncoded());
        byte[] encrypted = der(0x30, scheme, der(0x04, cipher.doFinal(key().getEncoded())));
        Path key = Files.writeString(folder.resolve("encrypted.pem"), block("ENCRYPTED PRIVATE KEY", encrypted));
        return new Tls.Pem(pem(folder).certificates(), key, password);
    }

    /** By hand: the JDK reads an encrypted key of today's schemes, but cannot write one. */
    private static byte[] der(int tag, byte[]... parts) {
        int length = Arrays.stream(parts).mapToInt(part -> part.length).sum();
        ByteBuffer out =
                ByteBuffer.allocate(4 + length).put((byte) tag).put((byte) 0x82).putShort((short) length);
        Arrays.stream(parts).forEach(out::put);
        return out.array();
    }

    private Certificate certificate() throws GeneralSecurityException {
        return Objects.requireNonNull(store.getCertificate("server"));
    }

    private Key key() throws GeneralSecurityException {
        return Objects.requireNonNull(store.getKey("server", PASSWORD));
    }

    private static String block(String name, byte[] der) {
        String body = Base64.getMimeEncoder().encodeToString(der);
        return String.join("\n", Arrays.asList("-----BEGIN " + name + "-----", body, "-----END " + name + "-----", ""));
    }
}
