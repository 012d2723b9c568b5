package io.realtime.netty;

import io.netty.handler.ssl.SslHandler;
import io.realtime.spi.Tls;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;

/** Makes the TLS handler of each connection: the JDK's TLS, 1.2 and 1.3, without ALPN. Immutable. */
final class ServerTls {
    private static final List<String> PROTOCOLS = List.of("TLSv1.3", "TLSv1.2");

    private final SSLContext context;
    private final String[] protocols;

    private ServerTls(SSLContext context) throws IOException {
        this.context = context;
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(false);
        this.protocols = Arrays.stream(engine.getEnabledProtocols())
                .filter(PROTOCOLS::contains)
                .toArray(String[]::new);
        if (protocols.length == 0) {
            throw new IOException("the SSLContext enables neither of " + PROTOCOLS + ", only "
                    + Arrays.toString(engine.getEnabledProtocols()));
        }
    }

    /**
     * Reads what the configuration names.
     *
     * @throws IOException naming the file that cannot be used, and why
     */
    static ServerTls of(Tls tls) throws IOException {
        if (tls instanceof Tls.Context ready) {
            return new ServerTls(ready.context());
        }
        throw new IOException("PEM: to do");
    }

    SslHandler newHandler() {
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(false);
        engine.setEnabledProtocols(protocols);
        SslHandler handler = new SslHandler(engine);
        handler.setHandshakeTimeoutMillis(0); // the connection's deadline for the upgrade includes it
        handler.setCloseNotifyFlushTimeoutMillis(0); // so does its grace
        return handler;
    }
}
