package io.realtime.netty;

import io.realtime.spi.Tls;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.interfaces.RSAKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * A reader of a server's certificate and key in PEM files. Netty can read them too, but accepts a key that does not
 * match the certificate. Then the server reports no problem, and no client can connect.
 */
final class PemFiles {
    private static final String PBES2 = "1.2.840.113549.1.5.13";
    private static final Pattern KEY = Pattern.compile(
            "-----BEGIN (ENCRYPTED )?PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END (ENCRYPTED )?PRIVATE KEY-----");

    /** The certificate chain and the key of a server. */
    record Identity(List<Certificate> chain, PrivateKey key) {}

    private PemFiles() {}

    /**
     * Reads both files.
     *
     * @throws IOException naming the file that cannot be used, and the reason
     */
    static Identity read(Tls.Pem pem) throws IOException {
        List<Certificate> chain = chain(pem.certificates());
        PublicKey certified = chain.get(0).getPublicKey();
        try {
            PrivateKey key = key(pem.key(), pem.password(), certified.getAlgorithm());
            if (!belongs(key, certified)) {
                throw new IOException("it is not the key of the certificate in " + pem.certificates());
            }
            return new Identity(chain, key);
        } catch (IOException | GeneralSecurityException | IllegalArgumentException unusable) {
            throw new IOException("TLS key " + pem.key() + ": " + why(unusable), unusable);
        }
    }

    private static List<Certificate> chain(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            List<Certificate> chain =
                    List.copyOf(CertificateFactory.getInstance("X.509").generateCertificates(in));
            if (chain.isEmpty()) {
                throw new IOException("it holds no certificate (BEGIN CERTIFICATE)");
            }
            return chain;
        } catch (IOException | GeneralSecurityException unusable) {
            throw new IOException("TLS certificates " + file + ": " + why(unusable), unusable);
        }
    }

    private static PrivateKey key(Path file, @Nullable String password, String algorithm)
            throws IOException, GeneralSecurityException {
        Matcher key = KEY.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
        if (!key.find()) {
            throw new IOException("it holds no key in PKCS #8 (BEGIN PRIVATE KEY)");
        }
        byte[] der = Base64.getMimeDecoder().decode(key.group(2));
        return KeyFactory.getInstance(algorithm)
                .generatePrivate(key.group(1) == null ? new PKCS8EncodedKeySpec(der) : decrypt(der, password));
    }

    private static PKCS8EncodedKeySpec decrypt(byte[] der, @Nullable String password)
            throws IOException, GeneralSecurityException {
        if (password == null) {
            throw new IOException("it is encrypted, and no password is given");
        }
        EncryptedPrivateKeyInfo info = new EncryptedPrivateKeyInfo(der);
        AlgorithmParameters parameters = info.getAlgParameters();
        String scheme = info.getAlgName();
        if (parameters != null && (scheme.equals(PBES2) || scheme.equals("PBES2"))) {
            // Only this text of the JDK names the cipher that PBES2 uses.
            scheme = parameters.toString();
        }
        Cipher cipher = Cipher.getInstance(scheme);
        cipher.init(
                Cipher.DECRYPT_MODE,
                SecretKeyFactory.getInstance(scheme).generateSecret(new PBEKeySpec(password.toCharArray())),
                parameters);
        return info.getKeySpec(cipher);
    }

    private static boolean belongs(PrivateKey key, PublicKey certified) throws GeneralSecurityException {
        if (key instanceof RSAKey secret && certified instanceof RSAKey open) {
            return secret.getModulus().equals(open.getModulus());
        }
        Signature signature =
                Signature.getInstance(key.getAlgorithm().equals("EC") ? "SHA256withECDSA" : key.getAlgorithm());
        byte[] any = {1, 2, 3};
        signature.initSign(key);
        signature.update(any);
        byte[] signed = signature.sign();
        signature.initVerify(certified);
        signature.update(any);
        return signature.verify(signed);
    }

    /**
     * Returns the reason of a failure. Our own IOException explains it in its message; for others the class is also
     * needed.
     */
    private static String why(Exception unusable) {
        return unusable.getClass() == IOException.class ? String.valueOf(unusable.getMessage()) : unusable.toString();
    }
}
