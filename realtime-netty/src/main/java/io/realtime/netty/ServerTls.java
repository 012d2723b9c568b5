package io.realtime.netty;

import io.netty.handler.ssl.SslHandler;
import io.realtime.spi.Tls;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;

/** A factory of each connection's TLS handler: TLS 1.2 and 1.3 of the JDK, without ALPN. Immutable. */
final class ServerTls {
    private static final List<String> PROTOCOLS = List.of("TLSv1.3", "TLSv1.2");

    private final SSLContext context;
    private final String[] protocols;

    private ServerTls(SSLContext context) throws IOException {
        this.context = context;
        String[] enabled = newEngine().getEnabledProtocols();
        this.protocols = Arrays.stream(enabled).filter(PROTOCOLS::contains).toArray(String[]::new);
        if (protocols.length == 0) {
            throw new IOException("the SSLContext enables only " + Arrays.toString(enabled) + ", none of " + PROTOCOLS);
        }
    }

    /**
     * Reads the certificate and the key of a configuration.
     *
     * @throws IOException naming the file that cannot be used, and the reason
     */
    static ServerTls of(Tls tls) throws IOException {
        return new ServerTls(
                tls instanceof Tls.Context ready ? ready.context() : context(PemFiles.read((Tls.Pem) tls)));
    }

    private static SSLContext context(PemFiles.Identity identity) throws IOException {
        try {
            char[] password = new char[0]; // of a key store that never leaves this method
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, password);
            store.setKeyEntry(
                    "server", identity.key(), password, identity.chain().toArray(new Certificate[0]));
            KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(store, password);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys.getKeyManagers(), null, null);
            return context;
        } catch (GeneralSecurityException failure) {
            throw new IOException("TLS cannot be set up: " + failure.getMessage(), failure);
        }
    }

    /** Returns a handler for one connection. The context's engines decide whether clients need a certificate. */
    SslHandler newHandler() {
        SSLEngine engine = newEngine();
        engine.setEnabledProtocols(protocols);
        SslHandler handler = new SslHandler(engine);
        // Disabled, because the connection's upgrade deadline includes the TLS handshake.
        handler.setHandshakeTimeoutMillis(0);
        // Disabled, because the connection's close grace includes close_notify.
        handler.setCloseNotifyFlushTimeoutMillis(0);
        return handler;
    }

    private SSLEngine newEngine() {
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(false);
        return engine;
    }
}
