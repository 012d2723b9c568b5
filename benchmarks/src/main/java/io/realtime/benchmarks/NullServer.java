package io.realtime.benchmarks;

import io.realtime.internal.SystemScheduler;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.spi.ServerTransport;
import java.time.Duration;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A real server whose connections are {@linkplain NullConnection null}. What it would run on its executor runs in
 * {@link #work}, on the benchmark's thread, so that no hand-over between threads is measured. A token is the user's
 * name.
 */
final class NullServer implements AutoCloseable {
    // Bounded by what one step of a benchmark does.
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final Transport transport = new Transport();
    private final RealtimeServer server;
    private final SystemScheduler time = new SystemScheduler("null-server-timer");
    private int connections;

    /** Starts a server with this configuration. */
    NullServer(UnaryOperator<RealtimeServer.Builder> config) {
        this(false, config);
    }

    /** Starts a server that may have its own executor; if true, it leaves nothing to {@link #work}. */
    NullServer(boolean hasExecutor, UnaryOperator<RealtimeServer.Builder> config) {
        Limits limits = Limits.builder()
                .rate(RateLimit.none())
                .resumptionsPerSession(RateLimit.none())
                .build();
        RealtimeServer.Builder builder = config.apply(RealtimeServer.builder().limits(limits))
                .transport(transport)
                .authenticator(credentials -> CompletableFuture.completedFuture(
                        Authentication.of(Objects.requireNonNull(credentials.token(), "token"))));
        this.server = (hasExecutor ? builder : builder.scheduler(time).executor(tasks::add))
                .build()
                .start();
    }

    RealtimeServer server() {
        return server;
    }

    /** Runs handlers, rules and other tasks until none is left. */
    void work() {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
            task.run();
        }
    }

    /** Returns a connection after its upgrade, before its {@code $hello}. */
    NullConnection connect() {
        NullConnection connection = new NullConnection(connections++);
        upgrade(connection);
        return connection;
    }

    /** Performs the upgrade of a connection that was created before. */
    void upgrade(NullConnection connection) {
        connection.open(Objects.requireNonNull(transport.acceptor, "started"));
    }

    /** Returns a connection with a session of this user. */
    NullConnection open(String user) {
        NullConnection connection = connect();
        begin(connection, user);
        return connection;
    }

    /** Sends {@code $hello} for this user, with a client id as long as a real one. */
    void begin(NullConnection connection, String user) {
        connection.receive(hello(new Protocol.Hello(user, client(user), null, null, null, null, null, null)));
        work();
    }

    /** Returns the client id of a user. */
    static String client(String user) {
        return ("c-" + user + "-0123456789abcdefghij").substring(0, 22);
    }

    static String hello(Protocol.Hello data) {
        return Outgoing.of(Protocol.HELLO)
                .data(data, Protocol.Hello.class)
                .frame()
                .asText();
    }

    /** Joins the connection's session to a room. */
    void join(NullConnection connection, String room) {
        connection.receive(
                Outgoing.of(Protocol.JOIN).room(room).ref("1").frame().asText());
        work();
    }

    @Override
    public void close() {
        server.close(Duration.ZERO);
        work();
        time.close();
    }

    private static final class Transport implements ServerTransport {
        private @Nullable Acceptor acceptor;

        @Override
        public void start(Config config, Acceptor newcomers) {
            this.acceptor = newcomers;
        }

        @Override
        public int port() {
            return 0;
        }

        @Override
        public void stopAccepting() {}

        @Override
        public void stop(Duration drain) {}

        @Override
        public @Nullable String problem() {
            return null;
        }
    }
}
