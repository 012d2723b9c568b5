package io.realtime.spi;

import java.nio.file.Path;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** The certificate and key of a server, in files or in an {@link SSLContext}. Immutable. */
public sealed interface Tls {
    /**
     * Certificate and key in PEM files.
     *
     * @param certificates the server's certificate, followed by those that sign it
     * @param key its private key, PKCS #8
     * @param password the password of the key, or null if it is not encrypted
     */
    record Pem(Path certificates, Path key, @Nullable String password) implements Tls {
        /** Returns the names of the files only. */
        @Override
        public String toString() {
            return "Tls{certificates=" + certificates + ", key=" + key + "}";
        }
    }

    /**
     * A context that the application creates, for a key store, its own key managers or client certificates.
     *
     * @param context initialized with the server's key
     */
    record Context(SSLContext context) implements Tls {}
}
