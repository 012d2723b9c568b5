package io.realtime.client.javawebsocket;

import io.realtime.internal.Libraries;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Scheduler;
import java.net.InetAddress;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * Connections on Java-WebSocket: two daemon threads for each, and while it connects one for each address that is tried.
 * A host's addresses race (RFC 8305), and the first that answers is taken. Stateless; safe for use by many threads.
 *
 * <p>For {@code wss} the server's name is always verified against its certificate.
 */
public final class JavaWebSocketClientTransport implements ClientTransport {
    private final @Nullable SSLSocketFactory tls;
    private final ClientSocket.Resolver resolver;

    /** A transport that trusts for {@code wss} what the platform trusts. */
    public JavaWebSocketClientTransport() {
        this(null);
    }

    /** A transport whose {@code wss} connections come from this factory; null for the platform's. */
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
