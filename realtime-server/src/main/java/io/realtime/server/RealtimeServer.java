package io.realtime.server;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Heartbeat;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.gson.GsonCodec;
import io.realtime.internal.Durations;
import io.realtime.internal.Ids;
import io.realtime.internal.Steps;
import io.realtime.internal.SystemScheduler;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.StrictJson;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.PayloadCodec;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.Tls;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A realtime server that an application embeds. Built, {@linkplain #start started} once, {@linkplain #close(Duration)
 * closed} once. Safe for use by many threads.
 *
 * <p>Handlers, rules and the listener run on the server's executor: one session's one at a time and in order, different
 * sessions' in parallel. They may block.
 */
public final class RealtimeServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RealtimeServer.class);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    private final ServerConfig config;
    private final ServerTransport transport;
    private final Scheduler scheduler;
    private final Workers workers;
    private final ServerCore core;
    private final JvmLifecycle jvm;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private State state = State.NEW; // guarded by lock
    private @Nullable Thread closer; // guarded by lock: while CLOSING
    private final Grace grace; // begun and shortened under lock

    private enum State {
        NEW,
        STARTING,
        STARTED,
        CLOSING,
        CLOSED
    }

    private RealtimeServer(ServerConfig config) {
        this.config = config;
        Scheduler given = config.scheduler();
        this.scheduler = given == null ? new SystemScheduler("realtime-timer") : given;
        this.workers = new Workers(scheduler, config.executor(), given != null, true);
        this.transport = config.transport();
        this.core = new ServerCore(config, scheduler, workers);
        this.grace = new Grace(scheduler);
        this.jvm = new JvmLifecycle(this, config.isDaemon() || given != null, config.closeOnShutdown());
    }

    /** A builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Binds and begins to accept; returns when connections are accepted. A server starts once: after a failure, or after
     * {@link #close}, build another one. It keeps the JVM running until it is closed, unless it is a {@linkplain
     * Builder#daemon daemon}, and says at INFO where it listens, on which transport, and which it has found.
     *
     * @throws RealtimeException naming the address when it cannot be bound. Whatever it throws, nothing is left running
     * @throws IllegalStateException when it was started before, or is closed
     */
    public RealtimeServer start() {
        lock.lock();
        try {
            if (state != State.NEW) {
                boolean isOver = state == State.CLOSING || state == State.CLOSED;
                throw new IllegalStateException("the server " + (isOver ? "is closed" : "was started before"));
            }
            become(State.STARTING);
        } finally {
            lock.unlock();
        }
        boolean isBound = false;
        boolean isStarted = false;
        try {
            jvm.begin();
            bind();
            isBound = true;
            core.broker().start();
            workers.start();
            isStarted = true;
        } finally {
            if (isStarted) {
                become(State.STARTED);
            } else {
                beginClose(0);
                end(isBound);
            }
        }
        LOG.info("{} ({})", this, Transports.found(Transports.class.getClassLoader()));
        return this;
    }

    private void become(State next) {
        lock.lock();
        try {
            state = next;
            closer = next == State.CLOSING ? Thread.currentThread() : null;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void bind() {
        InetSocketAddress address = config.address();
        Limits limits = config.limits();
        try {
            transport.start(
                    new ServerTransport.Config(
                            address,
                            limits.messageBytes(),
                            limits.handshakeBytes(),
                            limits.handshakeTimeout(),
                            limits.outboundBytes(),
                            limits.connections(),
                            limits.connectionsPerAddress(),
                            limits.pendingUpgrades(),
                            config.tls()),
                    core);
        } catch (IOException unbound) {
            String why = "cannot listen on " + address.getHostString() + ":" + address.getPort() + ": "
                    + unbound.getMessage();
            throw new RealtimeException(ErrorCode.of("bind_failed"), why, true, unbound);
        }
    }

    /**
     * Returns the port that is bound: the one that the system chose when the builder said 0.
     *
     * @throws IllegalStateException before {@link #start}
     */
    public int port() {
        return transport.port();
    }

    /** Returns the front door to sessions, users and rooms. */
    public ConnectionManager connections() {
        return core.connections();
    }

    /** Returns a room; see {@link ConnectionManager#room}. */
    public Room room(String name) {
        return core.connections().room(name);
    }

    /** Returns a user; see {@link ConnectionManager#user}. */
    public User user(String id) {
        return core.connections().user(id);
    }

    /** Returns everyone, as a room. */
    public Room all() {
        return core.connections().all();
    }

    /** Returns what the server holds now. */
    public ServerStats stats() {
        return new ServerStats(
                core.connectionCount(),
                core.sessionCount(),
                core.userCount(),
                core.broker().size(),
                core.broker().logBytes(),
                core.records().size(),
                core.waiting(),
                workers.handlers().busy() + workers.callbacks().busy(),
                workers.handlers().waiting() + workers.callbacks().waiting(),
                workers.refused());
    }

    /** Counts {@link ServerStats#logBytes} anew, room by room: for tests, while nothing happens. */
    long countLogBytes() {
        return core.broker().countLogBytes();
    }

    /**
     * Returns what keeps the server from accepting connections or from working, or null when it is well. The latter is that
     * handlers, callbacks, rules or authentication have waited for a thread for more than 5 s, since others block all of them or the
     * executor rejects tasks.
     */
    public @Nullable String problem() {
        String ofTransport = transport.problem();
        return ofTransport != null ? ofTransport : workers.problem();
    }

    /**
     * Waits until the server is closed: until a {@link #close} has done all that it does. A handler must not wait for it,
     * since the close waits for handlers.
     *
     * @throws InterruptedException when the waiting thread is interrupted
     */
    public void awaitClosed() throws InterruptedException {
        lock.lock();
        try {
            while (state != State.CLOSED) {
                changed.await();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Says what it is and where it listens: version, address, path, transport. */
    @Override
    public String toString() {
        InetSocketAddress address = config.address();
        String host = address.getHostString();
        int port = address.getPort() == 0 && isStarted() ? transport.port() : address.getPort();
        return "Realtime " + Version.TEXT + " on " + (config.tls() == null ? "ws" : "wss") + "://"
                + (host.contains(":") ? "[" + host + "]" : host) + ":" + port + config.path() + ", transport "
                + transport.name();
    }

    private boolean isStarted() {
        lock.lock();
        try {
            return state == State.STARTED;
        } finally {
            lock.unlock();
        }
    }

    /** Closes with up to 5 s of grace; see {@link #close(Duration)}. */
    @Override
    public void close() {
        close(CLOSE_TIMEOUT);
    }

    /**
     * Closes gracefully: refuses newcomers, says goodbye with a window over which clients spread their return, lets
     * handlers finish what has arrived, and give the answers that {@link Builder#onRequestAsync} gives later, closes every
     * connection with 4200 behind all that was sent, has the listener hear of every session's end, and releases ports and
     * threads. What is not handled by then is not acknowledged, and clients send it to the next server. Blocks until then,
     * at most for about the grace; an executor that the application supplied is left running. What fails on the way is
     * logged, and all else is closed nevertheless.
     *
     * <p>When it returns the server is closed: a second caller waits for the first, whose grace ends with the shorter one of
     * both. But it returns at once when it is called in a handler, listener or rule while another thread closes, since
     * that waits for these; and when it is interrupted. A handler, listener or rule that closes the server is not waited
     * for itself. What closes it on a thread of its own, for an answer or a rule that is given later, is waited for: close
     * it when that is given.
     *
     * <p>New requests and streams fail at once, and {@link Room#send} throws. Those that were open fail too, on the
     * executor: at once when it has a thread for that, and with an executor of the application's that is busy as soon as
     * it has one.
     *
     * @param grace how long to wait for handlers and answers, at most half of it, for handlers that run nevertheless, at
     *     most half of the rest, and for connections and the listener; a negative one is zero
     */
    public void close(Duration grace) {
        close(Durations.nanos(grace), Durations.nanos(Durations.LONGEST));
    }

    /** @param patience for how long to wait for another thread that starts or closes the server; in ns, as the time */
    void close(long time, long patience) {
        boolean wasStarted;
        long left = patience;
        lock.lock();
        try {
            while (state == State.STARTING || state == State.CLOSING) {
                if (state == State.CLOSING) {
                    grace.shorten(time);
                    if (closer == Thread.currentThread()
                            || !core.inFlight().here().isEmpty()) {
                        return;
                    }
                }
                if (left <= 0) {
                    return;
                }
                left = changed.awaitNanos(left);
            }
            if (state == State.CLOSED) {
                return;
            }
            wasStarted = state == State.STARTED;
            beginClose(time);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return;
        } finally {
            lock.unlock();
        }
        end(wasStarted);
    }

    private void beginClose(long time) {
        grace.begin(time);
        become(State.CLOSING);
    }

    /** Ends all that was begun. Then, whatever has failed, the server is closed. */
    private void end(boolean isBound) {
        CloseReason draining = new CloseReason(CloseReason.DRAINING, "server is draining");
        Steps.run(core::beginClose);
        if (isBound) {
            Steps.run(
                    transport::stopAccepting,
                    this::sayGoodbye,
                    this::awaitHandlers,
                    core::stopped,
                    this::awaitRunning,
                    core.broker()::flush, // what the last handlers sent goes before the close
                    () -> Steps.each(core.peers(), peer -> peer.closeBehind(draining)),
                    this::awaitNoConnections,
                    () -> Steps.each(core.peers(), late -> late.close(draining)),
                    () -> Steps.each(core.sessions(), session -> session.end(draining, Session.EndReason.AT_ONCE)),
                    this::awaitListeners,
                    this::stopTransport);
        }
        Steps.run(jvm::end, core.broker()::stop, this::stopWorkers, this::stopScheduler, core::released);
        become(State.CLOSED);
    }

    private void sayGoodbye() {
        MessageBatch goodbye = Peer.goodbyeFrame(core.spreadMs());
        Steps.each(core.peers(), peer -> peer.goodbye(goodbye));
    }

    /**
     * Waits until what has arrived is handled, from then on leaves what comes to the next server, and waits for what was
     * begun meanwhile and for answers that are given later: for half of the grace in all.
     */
    private void awaitHandlers() {
        InFlight inFlight = core.inFlight();
        Set<Mailbox> here = inFlight.here();
        CompletableFuture<Void> handled = inFlight.passed(here)
                .thenCompose(passed -> {
                    core.stopped();
                    return inFlight.passed(here);
                })
                .thenCompose(passed -> inFlight.answered());
        grace.await(1.0 / 2, handled);
    }

    /** Waits for handlers that still run, for half of what is left: what they have handled is acknowledged by the close. */
    private void awaitRunning() {
        grace.await(1.0 / 2, core.inFlight().passed(core.inFlight().here()));
    }

    /** Waits for most of what is left: peers that do not close leave the listener some time to hear of all sessions' ends. */
    private void awaitNoConnections() {
        grace.await(7.0 / 8, core.noConnections());
    }

    private void awaitListeners() {
        InFlight inFlight = core.inFlight();
        grace.await(1, inFlight.passed(inFlight.here()));
    }

    private void stopTransport() {
        try {
            transport.stop(Duration.ofNanos(grace.left()));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** What an executor has refused until now, of listeners too, has what is left of the grace. */
    private void stopWorkers() {
        grace.await(1, workers.stop());
    }

    private void stopScheduler() {
        if (scheduler instanceof SystemScheduler own && config.scheduler() == null) {
            own.close();
        }
    }

    /** Builds a {@link RealtimeServer}; not safe for use by many threads. */
    public static final class Builder {
        private @Nullable Authenticator authenticator;
        private int port = 8080;
        private @Nullable String host;
        private @Nullable Executor executor;
        private @Nullable Scheduler scheduler;
        private @Nullable ServerTransport transport;
        private @Nullable String transportName;
        private @Nullable Tls tls;
        private final Map<String, Function<Dispatcher, Dispatcher.MessageHandler>> handlers = new LinkedHashMap<>();
        final Set<String> origins = new HashSet<>();
        private String path = "/ws";
        private boolean anyOrigin;
        private boolean isAnonymous;
        private JoinRule.@Nullable Async joinRule;
        private SendRule sendRule = SendRule.MEMBERS;
        private SendRule.@Nullable Async lateSendRule;
        private Limits limits = Limits.defaults();
        private Retention retention = Retention.defaults();
        private Retention inboxRetention = Retention.inboxDefaults();
        private Heartbeat heartbeat = Heartbeat.defaults();
        private Duration sessionTtl = Duration.ofMinutes(5);
        private boolean isDaemon;
        private @Nullable Duration closeOnShutdown;
        private @Nullable PayloadCodec codec;
        private SessionListener listener = new SessionListener() {};
        Random random = new SecureRandom();

        private Builder() {}

        /** Where to listen; 0 lets the system choose. Default 8080. */
        public Builder port(int number) {
            if (number < 0 || number > 65_535) {
                throw new IllegalArgumentException("port " + number + " is not 0 to 65535");
            }
            this.port = number;
            return this;
        }

        /** The local address to listen on; default all of them. */
        public Builder host(String address) {
            this.host = address;
            return this;
        }

        /** The path of the upgrade request; every other is answered with 404. Default {@code /ws}. */
        public Builder path(String absolute) {
            if (!absolute.startsWith("/")) {
                throw new IllegalArgumentException("path '" + absolute + "' does not begin with /");
            }
            this.path = absolute;
            return this;
        }

        /** Who decides who a peer is. This or {@link #anonymous} is required. */
        public Builder authenticator(Authenticator decider) {
            requireNoAuthenticator();
            this.authenticator = Objects.requireNonNull(decider, "authenticator");
            return this;
        }

        /** Lets everyone in: each client instance is a user of its own, with an id that begins with {@code anonymous-}. */
        public Builder anonymous() {
            requireNoAuthenticator();
            this.isAnonymous = true;
            return this;
        }

        private void requireNoAuthenticator() {
            if (authenticator != null || isAnonymous) {
                throw new IllegalStateException("an authenticator, or anonymous(), is set already");
            }
        }

        private static Authenticator anonymous(Random random) {
            return credentials -> {
                String client = credentials.client();
                String id = client == null ? Ids.name(random) : Ids.digest(client);
                return CompletableFuture.completedFuture(Authentication.of("anonymous-" + id));
            };
        }

        /**
         * Sets which rooms clients may join; default none. Required for {@code $join} to succeed. Replaces an earlier rule,
         * {@link #allowJoinAsync} included.
         */
        public Builder allowJoin(JoinRule rule) {
            Objects.requireNonNull(rule, "rule");
            return allowJoinAsync((session, room) -> CompletableFuture.completedFuture(rule.allows(session, room)));
        }

        /** Sets a rule like {@link #allowJoin} that decides later, without holding a thread. */
        public Builder allowJoinAsync(JoinRule.Async rule) {
            this.joinRule = Objects.requireNonNull(rule, "rule");
            return this;
        }

        /**
         * Sets who may send events that name a room; default: its members. Replaces an earlier rule, {@link #allowSendAsync}
         * included.
         */
        public Builder allowSend(SendRule rule) {
            this.sendRule = Objects.requireNonNull(rule, "rule");
            this.lateSendRule = null;
            return this;
        }

        /** Sets a rule like {@link #allowSend} that decides later, without holding a thread. */
        public Builder allowSendAsync(SendRule.Async rule) {
            this.lateSendRule = Objects.requireNonNull(rule, "rule");
            return this;
        }

        /**
         * Handles an event.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <T> Builder on(Event<T> event, EventHandler<T> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(event.name(), dispatcher -> dispatcher.event(event, handler));
        }

        /**
         * Answers a request.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, R> Builder onRequest(Request<Q, R> request, RequestHandler<Q, R> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(request.name(), dispatcher -> dispatcher.request(request, handler));
        }

        /**
         * Answers a request later, without holding a thread.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, R> Builder onRequestAsync(Request<Q, R> request, RequestHandler.Async<Q, R> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(request.name(), dispatcher -> dispatcher.asyncRequest(request, handler));
        }

        /**
         * Answers a request for a stream.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, T> Builder onStream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(request.name(), dispatcher -> dispatcher.stream(request, handler));
        }

        /**
         * Answers a request for a stream, without a thread for each.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, T> Builder onStreamAsync(StreamRequest<Q, T> request, StreamHandler.Async<Q, T> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(request.name(), dispatcher -> dispatcher.asyncStream(request, handler));
        }

        /**
         * Answers a request for a stream with what a publisher publishes.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, T> Builder onStreamPublisher(StreamRequest<Q, T> request, StreamHandler.Source<Q, T> source) {
            Objects.requireNonNull(source, "source");
            return onStreamAsync(
                    request,
                    (session, question, out) -> PublisherStream.subscribe(source.open(session, question), out));
        }

        private Builder register(String name, Function<Dispatcher, Dispatcher.MessageHandler> handler) {
            if (handlers.putIfAbsent(name, handler) != null) {
                throw new IllegalArgumentException("'" + Names.abbreviate(name) + "' has a handler already");
            }
            return this;
        }

        /** What happens to sessions is told to this one; default nobody. */
        public Builder listener(SessionListener observer) {
            this.listener = observer;
            return this;
        }

        /** Sets what maps payloads between Java and JSON; default {@link GsonCodec#create}. */
        public Builder codec(PayloadCodec mapping) {
            this.codec = Objects.requireNonNull(mapping, "codec");
            return this;
        }

        /** What one peer may cost; default {@link Limits#defaults}. */
        public Builder limits(Limits bounds) {
            this.limits = bounds;
            return this;
        }

        /** How much of each room's log is kept; default {@link Retention#defaults}. Inboxes have their own. */
        public Builder retention(Retention kept) {
            this.retention = kept;
            return this;
        }

        /**
         * How much is kept for each user who is away, {@link User#send}; default {@link Retention#inboxDefaults}. What
         * is in memory ends with the process and counts against {@link Limits#logBytes}.
         */
        public Builder inboxRetention(Retention kept) {
            this.inboxRetention = kept;
            return this;
        }

        /** When silent connections are asked and given up; default {@link Heartbeat#defaults}. */
        public Builder heartbeat(Heartbeat rhythm) {
            this.heartbeat = rhythm;
            return this;
        }

        /** For how long a session is kept after its connection is lost; default 5 minutes. */
        public Builder sessionTtl(Duration time) {
            this.sessionTtl = Durations.notNegative("sessionTtl", time);
            return this;
        }

        /**
         * Sets whether the JVM may end while the server runs, as with daemon threads; default false: a program whose
         * {@code main} only starts a server stays up. A server with a {@link #scheduler} given is always a daemon.
         */
        public Builder daemon(boolean mayEnd) {
            this.isDaemon = mayEnd;
            return this;
        }

        /**
         * Closes the server when the JVM ends by a signal or {@link System#exit}, like {@link RealtimeServer#close(Duration)};
         * default: it does not. A container that closes its beans, such as Spring's, needs no such hook.
         *
         * @param grace how long the JVM's end may be held up for it, also when another thread starts or closes the server;
         *     last calls may take a second more
         */
        public Builder closeOnShutdown(Duration grace) {
            this.closeOnShutdown = Durations.notNegative("closeOnShutdown", grace);
            return this;
        }

        /**
         * Allows pages of these origins, {@code https://app.example}, beside those of the server's own host.
         *
         * @throws IllegalArgumentException when one is not written as a browser does, and so would never be met: with a
         *     path or a wildcard, without a scheme, or with a name that is not in punycode
         */
        public Builder allowOrigin(String... allowed) {
            for (String origin : allowed) {
                String canonical = OriginRule.canonical(origin);
                if (canonical == null) {
                    throw new IllegalArgumentException("origin '" + Names.abbreviate(origin)
                            + "' is not as a browser writes it: https://app.example or https://app.example:8443");
                }
                origins.add(canonical);
            }
            return this;
        }

        /** Allows pages of any origin: only where a token, never a cookie, proves who the user is. */
        public Builder allowAnyOrigin() {
            this.anyOrigin = true;
            return this;
        }

        /**
         * Sets the executor of handlers, listeners and callbacks; default virtual threads where the JVM has them, else a
         * bounded pool for handlers and listeners and one for callbacks, and one user may hold half of each. One that is
         * supplied is never shut down, and shares its threads as it likes: when handlers that wait for
         * {@link Session#request} fill it, neither the answers nor the timeouts that would end their waiting can run.
         *
         * <p>Its {@code execute} must return at once, since an I/O thread may call it: a queue that makes the caller wait
         * while it is full holds up all connections of that thread. It must run tasks on threads of its own, never on the
         * caller's. It may reject a task, which is then started later. Authentication, rules on a resume and the server's
         * own work have threads of their own, which no handler holds up.
         */
        public Builder executor(Executor handlers) {
            this.executor = handlers;
            return this;
        }

        /**
         * The transport, by name: {@code netty} where {@code realtime-netty} is on the class path, or
         * {@code java-websocket}. Default: the one on the class path, else {@code java-websocket}.
         */
        public Builder transport(String name) {
            this.transportName = Objects.requireNonNull(name, "name");
            return this;
        }

        /** The transport, ready made. */
        public Builder transport(ServerTransport carrier) {
            this.transport = carrier;
            return this;
        }

        /**
         * Encrypts all connections: clients connect to {@code wss://}. Needs {@code realtime-netty}; without it leave TLS
         * to a proxy in front.
         *
         * @param certificates a PEM file with the server's certificate, followed by those that sign it
         * @param key a PEM file with its private key, PKCS #8, not encrypted
         */
        public Builder tls(Path certificates, Path key) {
            this.tls = new Tls.Pem(certificates, key, null);
            return this;
        }

        /** Encrypts all connections with what a context holds; else as {@link #tls(Path, Path)}. */
        public Builder tls(SSLContext context) {
            this.tls = new Tls.Context(context);
            return this;
        }

        /**
         * Sets the time, for tests; default the system's. Together with {@link #executor}, that executor runs all of the
         * server's work but the producers of streams, so that nothing happens outside of this time.
         */
        public Builder scheduler(Scheduler time) {
            this.scheduler = time;
            return this;
        }

        /** Randomness, for tests; default a {@link SecureRandom}: session ids are secrets. */
        public Builder random(Random source) {
            this.random = source;
            return this;
        }

        /**
         * Returns the server, not yet started. It keeps nothing of this builder, which may be changed and used again.
         *
         * @throws IllegalArgumentException when the {@link #codec} refuses a type of a contract that has a handler
         * @throws IllegalStateException when neither an authenticator nor {@link #anonymous} was set, or when there is
         *     no transport of the name that was given, or several without one, or when a library that the server needs
         *     is missing or too old
         */
        public RealtimeServer build() {
            if (authenticator == null && !isAnonymous) {
                throw new IllegalStateException(
                        "no authenticator: call authenticator(...), or anonymous() to let everyone in");
            }
            StrictJson.requireGson();
            return new RealtimeServer(new ServerConfig(
                    host == null ? new InetSocketAddress(port) : new InetSocketAddress(host, port),
                    path,
                    new OriginRule(origins, anyOrigin),
                    authenticator == null ? anonymous(random) : authenticator,
                    joinRule,
                    sendRule,
                    lateSendRule,
                    handlers,
                    listener,
                    limits,
                    retention,
                    inboxRetention,
                    heartbeat,
                    sessionTtl,
                    isDaemon,
                    closeOnShutdown,
                    codec == null ? GsonCodec.create() : codec,
                    transport == null ? Transports.choose(transportName) : transport,
                    tls,
                    executor,
                    scheduler,
                    random));
        }
    }
}
