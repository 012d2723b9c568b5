package io.realtime.spi;

import java.nio.file.Path;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** What a server encrypts its connections with: its certificate and key, in files or in a context. Immutable. */
public sealed interface Tls {
    /**
     * Certificate and key in PEM files.
     *
     * @param certificates the server's certificate, followed by those that sign it
     * @param key its private key, PKCS #8
     * @param password what the key is encrypted with, or null
     */
    record Pem(Path certificates, Path key, @Nullable String password) implements Tls {
        /** Names the files only. */
        @Override
        public String toString() {
            return "Tls{certificates=" + certificates + ", key=" + key + "}";
        }
    }

    /**
     * A context that the application made: a key store, key managers of its own, client certificates.
     *
     * @param context initialised with the server's key
     */
    record Context(SSLContext context) implements Tls {}
}
