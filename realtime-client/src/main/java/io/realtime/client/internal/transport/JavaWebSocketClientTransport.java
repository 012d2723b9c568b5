package io.realtime.client.internal.transport;

import io.realtime.internal.Libraries;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Scheduler;
import java.net.InetAddress;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * A transport on Java-WebSocket. Each connection has two daemon threads, and while it connects one more for each
 * address that is tried. A host's addresses race (RFC 8305), and the first that answers is used. Stateless; safe for
 * use by many threads.
 *
 * <p>For {@code wss} the server's name is always verified against its certificate.
 */
public final class JavaWebSocketClientTransport implements ClientTransport {
    private final @Nullable SSLSocketFactory tls;
    private final ClientSocket.Resolver resolver;

    /** Creates a transport that uses the platform's trusted certificates for {@code wss}. */
    public JavaWebSocketClientTransport() {
        this(null);
    }

    /** Creates a transport whose {@code wss} connections come from this factory; null for the platform's. */
    public JavaWebSocketClientTransport(@Nullable SSLSocketFactory tls) {
        this(tls, InetAddress::getAllByName);
    }

    JavaWebSocketClientTransport(@Nullable SSLSocketFactory tls, ClientSocket.Resolver resolver) {
        this.tls = tls;
        this.resolver = resolver;
        Libraries.use("the client's transport", "org.java-websocket:Java-WebSocket", () -> DialAttempt.class);
    }

    @Override
    public Scheduler.Cancellable connect(Target target, Callback callback) {
        DialAttempt attempt = new DialAttempt(target, callback, tls, resolver);
        attempt.connect();
        return attempt::cancel;
    }
}
