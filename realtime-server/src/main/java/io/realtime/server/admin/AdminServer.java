package io.realtime.server.admin;

import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.server.RealtimeServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * HTTP endpoints for those who operate a {@link RealtimeServer}: health, statistics, metrics for Prometheus, rooms,
 * users, sessions, publishing and disconnecting. {@code GET /openapi.json} describes them; {@link
 * io.realtime.server.Admin} offers the same as methods.
 *
 * <p>By default it listens on the loopback address alone, without a token, and answers no browser page of another
 * origin. It has four daemon threads. After 10 s a request that waits for an interceptor is answered with 503, and any
 * other is cut. So is one that comes while 64 wait. It does no TLS: from other machines use it through a proxy that
 * does.
 *
 * <p>Close it after the server, so that it answers while the server closes. Safe for use by many threads.
 */
public final class AdminServer implements AutoCloseable {
    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final int BACKLOG = 50;
    private static final int LEAST_TOKEN = 16;

    private final HttpServer http;
    private final AdminThreads threads;
    private final URI uri;

    private AdminServer(HttpServer http, AdminThreads threads, String host) {
        this.http = http;
        this.threads = threads;
        String name = host.contains(":") ? "[" + host + "]" : host;
        this.uri = URI.create("http://" + name + ":" + http.getAddress().getPort());
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder(RealtimeServer server) {
        return new Builder(server);
    }

    /** Returns the address, such as {@code http://127.0.0.1:9090}, without a path. */
    public URI uri() {
        return uri;
    }

    /** Stops to listen, cuts requests that still run, and interrupts their threads. Returns at once. */
    @Override
    public void close() {
        http.stop(0);
        threads.stop();
    }

    /** Builder of an {@link AdminServer}. Not safe for use by many threads. */
    public static final class Builder {
        private final RealtimeServer server;
        private final Set<String> origins = new HashSet<>();
        private String host = "127.0.0.1";
        private int port;
        private @Nullable String token;
        private Duration timeout = TIMEOUT;

        private Builder(RealtimeServer server) {
            this.server = Objects.requireNonNull(server, "server");
        }

        /** Sets the address to listen on; default {@code 127.0.0.1}. Any that is not a loopback address needs a token. */
        public Builder host(String name) {
            this.host = Objects.requireNonNull(name, "name");
            return this;
        }

        /** Sets the port; default 0, with which the system chooses one. */
        public Builder port(int number) {
            if (number < 0 || number > 65_535) {
                throw new IllegalArgumentException("port " + number + " is not from 0 to 65535");
            }
            this.port = number;
            return this;
        }

        /**
         * Sets the token that each request must have, as {@code Authorization: Bearer …}; default none. Set one also
         * where a proxy on this machine makes the loopback address reachable from others.
         *
         * @throws IllegalArgumentException when it has fewer than 16 characters, or others than visible ones of ASCII
         */
        public Builder token(String secret) {
            if (!secret.matches("[!-~]{" + LEAST_TOKEN + ",}")) {
                throw new IllegalArgumentException(
                        "the token is not " + LEAST_TOKEN + " or more visible characters of ASCII");
            }
            this.token = secret;
            return this;
        }

        /** Allows pages of these origins, such as {@code https://ops.example}, to use the endpoints; default none. */
        public Builder allowOrigin(String... allowed) {
            origins.addAll(List.of(allowed));
            return this;
        }

        /** Sets after which time a request is cut, for tests. */
        Builder timeout(Duration time) {
            this.timeout = time;
            return this;
        }

        /**
         * Returns the endpoints as a handler, to be mounted at any path of another {@link HttpServer}. That server
         * decides about threads and timeouts; only the wait for an interceptor ends after 10 s.
         *
         * @throws IllegalStateException when there is no token, since any client may reach that server
         */
        public HttpHandler handler() {
            if (token == null) {
                throw new IllegalStateException("a handler for another server needs a token: call token(...)");
            }
            return new AdminHandler(server, token, origins, null, timeout);
        }

        /**
         * Binds the address and begins to answer.
         *
         * @throws IllegalStateException when the host is not a loopback address, and there is no token
         * @throws RealtimeException with {@code bind_failed} and the address in its text when the address cannot be bound
         */
        public AdminServer start() {
            InetSocketAddress address = new InetSocketAddress(host, port);
            InetAddress where = address.getAddress();
            if (token == null && (where == null || !where.isLoopbackAddress())) {
                throw new IllegalStateException(
                        "host " + host + " is not a loopback address, so a token is needed:" + " call token(...)");
            }
            HttpServer http;
            try {
                http = HttpServer.create(address, BACKLOG);
            } catch (IOException unbound) {
                String why = "cannot listen on " + host + ":" + port + ": " + unbound.getMessage();
                throw new RealtimeException(ErrorCode.of("bind_failed"), why, true, unbound);
            }
            // A proxy may pass on any host, and its clients have the token.
            Set<String> hosts = token != null
                    ? null
                    : new HashSet<>(List.of(host, "[" + host + "]", "localhost", "127.0.0.1", "[::1]"));
            AdminThreads threads = new AdminThreads(timeout);
            // The interrupt ends a wait. A wait that ended by itself just before would be interrupted as it answers.
            Duration longest = timeout.plus(AdminThreads.GRACE);
            http.createContext("/", new AdminHandler(server, token, origins, hosts, longest));
            http.setExecutor(threads);
            startAsDaemon(http);
            return new AdminServer(http, threads, host);
        }

        /** Its thread inherits this from the thread that starts it. The JVM may end while it runs. */
        private static void startAsDaemon(HttpServer http) {
            Thread starter = new Thread(http::start, "realtime-admin-start");
            starter.setDaemon(true);
            starter.start();
            boolean isInterrupted = false;
            while (starter.isAlive()) {
                try {
                    starter.join();
                } catch (InterruptedException interrupted) {
                    isInterrupted = true;
                }
            }
            if (isInterrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
