package io.realtime.server;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.errorprone.annotations.concurrent.GuardedBy;
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
import io.realtime.server.internal.Grace;
import io.realtime.server.internal.HealthChecks;
import io.realtime.server.internal.JvmLifecycle;
import io.realtime.server.internal.ServerConfig;
import io.realtime.server.internal.ServerCore;
import io.realtime.server.internal.Transports;
import io.realtime.server.internal.Version;
import io.realtime.server.internal.connection.Drain;
import io.realtime.server.internal.connection.OriginRule;
import io.realtime.server.internal.connection.Peer;
import io.realtime.server.internal.dispatch.Dispatcher;
import io.realtime.server.internal.dispatch.PublisherStream;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.execution.Workers;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.server.internal.session.UnfinishedWork;
import io.realtime.server.internal.stats.Counters;
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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
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
 * A realtime server that an application embeds. It is {@linkplain #start started} once and {@linkplain #close(Duration)
 * closed} once. Safe for use by many threads.
 *
 * <p>Handlers, rules and the listener run on the server's executor: for one session one at a time and in order, for
 * different sessions in parallel. They may block.
 */
public final class RealtimeServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RealtimeServer.class);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration LONGEST_DRAIN = Duration.ofHours(1);

    private final ServerConfig config;
    private final ServerTransport transport;
    private final Scheduler scheduler;
    private final Workers workers;
    private final ServerCore core;
    private final JvmLifecycle jvm;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    @GuardedBy("lock")
    private State state = State.NEW;
    // Set while the state is CLOSING.
    @GuardedBy("lock")
    private @Nullable Thread closer;

    @GuardedBy("lock")
    private @Nullable Drain drain;
    // Begun and shortened under the lock.
    private final Grace grace;

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
        this.jvm = new JvmLifecycle(this, config.isDaemon() || given != null, config.closeOnShutdown(), this::close);
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Binds the port and begins to accept connections. Returns when connections are accepted. A server starts once:
     * after a failure, or after {@link #close}, build another one. The server keeps the JVM running until it is closed,
     * unless it is a {@linkplain Builder#daemon daemon}. It logs at INFO where it listens, on which transport, and
     * which transports it has found.
     *
     * @return this server
     * @throws RealtimeException with the address in its text when the address cannot be bound. After any exception
     *     nothing is left running
     * @throws IllegalStateException when the server was started before, or is closed
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
                    core.acceptor());
        } catch (IOException unbound) {
            String why = "cannot listen on " + address.getHostString() + ":" + address.getPort() + ": "
                    + unbound.getMessage();
            throw new RealtimeException(ErrorCode.of("bind_failed"), why, true, unbound);
        }
    }

    /**
     * Returns the port that is bound. With port 0 it is the one that the system chose.
     *
     * @throws IllegalStateException before {@link #start}
     */
    public int port() {
        return transport.port();
    }

    /** Returns what people who operate the server see and do. */
    public Admin admin() {
        return new Admin(core);
    }

    /** Returns the access to sessions, users and rooms. */
    public ConnectionManager connections() {
        return core.table().connections();
    }

    /**
     * Returns what the server holds now, and what it has counted since it began. Reads counters, asks no session and no
     * room, and returns immediately.
     */
    public ServerStats stats() {
        Counters counters = core.broker().counters();
        int sessions = core.table().sessionCount();
        return new ServerStats(
                core.acceptor().connectionCount(),
                sessions,
                Math.min(sessions, core.table().online()),
                core.table().userCount(),
                core.broker().size(),
                core.broker().logBytes(),
                core.table().records().size(),
                core.context().waiting(),
                workers.handlers().busy() + workers.callbacks().busy(),
                workers.handlers().waiting() + workers.callbacks().waiting(),
                workers.refused(),
                counters.traffic(),
                counters.recovery(),
                counters.evictions(),
                counters.refusedConnections(),
                counters.refusedMessages(),
                counters.closes(),
                counters.queueWaits(),
                counters.handlerTimes());
    }

    /**
     * Returns whether the server works, and what is wrong when it does not; {@link ServerHealth.Reason} lists what is
     * checked. It is DOWN before {@link #start} and from the beginning of {@link #close} on. Reads counters, and returns
     * immediately.
     */
    public ServerHealth health() {
        State now;
        boolean isDraining;
        lock.lock();
        try {
            now = state;
            isDraining = drain != null;
        } finally {
            lock.unlock();
        }
        return switch (now) {
            case STARTED ->
                isDraining
                        ? down(
                                "draining",
                                "clients move away; open: " + core.acceptor().connectionCount())
                        : new HealthChecks(core, transport, workers).run();
            case NEW, STARTING -> down("not_started", "the server is not started");
            case CLOSING -> down("closing", "the server closes");
            case CLOSED -> down("closed", "the server is closed");
        };
    }

    private static ServerHealth down(String code, String text) {
        return ServerHealth.of(List.of(new ServerHealth.Reason(code, ServerHealth.Status.DOWN, text)));
    }

    /** Counts {@link ServerStats#logBytes} again, room by room. For tests, while nothing else happens. */
    long countLogBytes() {
        return core.broker().countLogBytes();
    }

    /**
     * Returns what keeps the server from accepting connections or from working, or null when there is no problem. The
     * server does not work when handlers, callbacks, rules or authentication have waited for a thread for more than 5
     * s: all threads are blocked, or the executor rejects tasks.
     */
    public @Nullable String problem() {
        String ofTransport = transport.problem();
        return ofTransport != null ? ofTransport : workers.problem();
    }

    /**
     * Waits until the server is closed, that is until {@link #close} has finished. Do not call this in a handler: the
     * close waits for handlers.
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

    /** Returns the version, the address, the path and the transport. */
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

    /**
     * Moves the clients to other servers, evenly over a window, before this one is closed. From now on new connections
     * are refused with 503, and {@link #health} is DOWN with the reason {@code draining}, so that a load balancer sends
     * clients elsewhere. One client after the other gets a goodbye, and no further message of it is taken. When those
     * that had arrived are handled, or after 5 s, its connection is closed with 4200. A managed client sends the
     * messages that were not acknowledged to the next server, and returns there within a second. Sessions are kept
     * until this server is closed. Answers that are given later are not waited for.
     *
     * <p>Returns immediately. Another call changes nothing. {@link #close} may be called at any time.
     *
     * @param window how long it takes, at most 1 h; zero for all at once
     * @return completes when no connection is open, on the executor, or when the server closes. All calls return the
     *     same future
     * @throws IllegalArgumentException when the window is negative or longer than 1 h
     * @throws IllegalStateException when the server is not started
     */
    @CanIgnoreReturnValue
    public CompletableFuture<Void> drain(Duration window) {
        if (window.isNegative() || window.compareTo(LONGEST_DRAIN) > 0) {
            throw new IllegalArgumentException("window " + window + " is not 0 to " + LONGEST_DRAIN);
        }
        Drain begun;
        lock.lock();
        try {
            if (drain != null) {
                return drain.done();
            }
            if (state != State.STARTED) {
                throw new IllegalStateException("the server is not started");
            }
            begun = new Drain(
                    core.acceptor(),
                    scheduler,
                    workers::execute,
                    task -> workers.callbacks().execute("drain", task),
                    window);
            drain = begun;
        } finally {
            lock.unlock();
        }
        LOG.atInfo()
                .addKeyValue("connections", core.acceptor().connectionCount())
                .addKeyValue("window", window)
                .log("the server drains");
        begun.begin();
        return begun.done();
    }

    /** Closes the server with up to 5 s of grace; see {@link #close(Duration)}. */
    @Override
    public void close() {
        close(CLOSE_TIMEOUT);
    }

    /**
     * Closes the server gracefully, in these steps:
     *
     * <ol>
     *     <li>It refuses new connections, and sends each client a goodbye with a window over which clients spread their
     *       reconnections.
     *     <li>It waits for handlers of the messages that have arrived, and for answers that are given later ({@link
     *       Builder#onRequestAsync}).
     *     <li>It closes every connection with 4200, after all messages that were sent before.
     *     <li>It calls the listener for the end of every session, and releases ports and threads.
     * </ol>
     *
     * <p>Messages that are not handled by then are not acknowledged, and clients send them to the next server. This
     * method blocks until all is done, for about the grace at most. An executor that the application supplied is left
     * running. A failure of one step is logged, and the other steps run nevertheless.
     *
     * <p>When this method returns the server is closed. A second caller waits for the first, whose grace ends with the
     * shorter one of both. But an interrupted call returns at once, and so does a call in a handler, listener or rule
     * while another thread closes, since that thread waits for it. A handler, listener or rule that closes the server
     * is not waited for itself. An asynchronous handler or rule whose own thread closes the server is waited for:
     * complete its answer first, then close.
     *
     * <p>New requests and streams fail at once, and {@link Room#send} throws. Open requests and streams fail too, on
     * the executor. An executor of the application that is busy fails them as soon as it has a thread.
     *
     * @param grace how long to wait in all: at most half for handlers and answers, at most half of the rest for
     *     handlers that still run, and what remains for connections and the listener. A negative grace counts as zero
     */
    public void close(Duration grace) {
        close(Durations.nanos(grace), Durations.nanos(Durations.LONGEST));
    }

    /**
     * Closes the server.
     *
     * @param time the grace, in nanoseconds
     * @param patience how long to wait for another thread that starts or closes the server, in nanoseconds
     */
    void close(long time, long patience) {
        boolean wasStarted;
        long left = patience;
        lock.lock();
        try {
            while (state == State.STARTING || state == State.CLOSING) {
                if (state == State.CLOSING) {
                    grace.shorten(time);
                    if (closer == Thread.currentThread()
                            || !core.context().inFlight().here().isEmpty()) {
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

    private void stopDrain() {
        Drain begun;
        lock.lock();
        try {
            begun = drain;
        } finally {
            lock.unlock();
        }
        if (begun != null) {
            begun.stop();
        }
    }

    /** Runs all steps of the close. Afterwards the server is closed, whatever has failed. */
    private void end(boolean isBound) {
        CloseReason draining = new CloseReason(CloseReason.DRAINING, "server is draining");
        Steps.run(this::refuseNew, this::stopDrain);
        if (isBound) {
            Steps.run(
                    () -> LOG.atInfo()
                            .addKeyValue("connections", core.acceptor().connectionCount())
                            .addKeyValue("sessions", core.table().sessionCount())
                            .log("the server closes"),
                    transport::stopAccepting,
                    this::sayGoodbye,
                    this::awaitHandlers,
                    core.context().state()::stop,
                    this::awaitRunning,
                    // What the last handlers sent is delivered before the close.
                    core.broker()::flush,
                    () -> Steps.each(core.acceptor().peers(), peer -> peer.closeBehind(draining)),
                    this::awaitNoConnections,
                    () -> Steps.each(core.acceptor().peers(), late -> late.close(draining)),
                    () -> Steps.each(
                            core.table().sessions(), session -> session.end(draining, ServerSession.EndReason.AT_ONCE)),
                    this::awaitListeners,
                    this::stopTransport);
        }
        Steps.run(
                jvm::end,
                core.broker()::stop,
                this::stopWorkers,
                this::stopScheduler,
                core.context().state()::close);
        become(State.CLOSED);
        if (isBound) {
            Steps.run(() -> LOG.info("the server is closed"));
        }
    }

    private void refuseNew() {
        core.context().state().drain();
        core.context().admissions().close(new CloseReason(CloseReason.DRAINING, "server is draining"));
    }

    private void sayGoodbye() {
        MessageBatch goodbye = Peer.goodbyeFrame(core.acceptor().spreadMs());
        Steps.each(core.acceptor().peers(), peer -> peer.goodbye(goodbye));
    }

    /**
     * Waits until the messages that have arrived are handled. From then on, new messages are left to the next server.
     * Then waits for handlers that began meanwhile, and for answers that are given later. Takes at most half of the
     * grace.
     */
    private void awaitHandlers() {
        UnfinishedWork inFlight = core.context().inFlight();
        Set<Mailbox> here = inFlight.here();
        CompletableFuture<Void> handled = inFlight.passed(here)
                .thenCompose(passed -> {
                    core.context().state().stop();
                    return inFlight.passed(here);
                })
                .thenCompose(passed -> inFlight.answered());
        grace.await(1.0 / 2, handled);
    }

    /**
     * Waits for handlers that still run, for at most half of the remaining grace. The close acknowledges what they have
     * handled.
     */
    private void awaitRunning() {
        grace.await(
                1.0 / 2,
                core.context().inFlight().passed(core.context().inFlight().here()));
    }

    /**
     * Waits for connections to close, for most of the remaining grace. The rest is for the listener, in case a peer
     * does not close.
     */
    private void awaitNoConnections() {
        grace.await(7.0 / 8, core.acceptor().noConnections());
    }

    private void awaitListeners() {
        UnfinishedWork inFlight = core.context().inFlight();
        grace.await(1, inFlight.passed(inFlight.here()));
    }

    private void stopTransport() {
        try {
            transport.stop(Duration.ofNanos(grace.left()));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Waits, for what is left of the grace, for tasks that an executor has rejected until now, those of listeners
     * included.
     */
    private void stopWorkers() {
        grace.await(1, workers.stop());
    }

    private void stopScheduler() {
        if (scheduler instanceof SystemScheduler own && config.scheduler() == null) {
            own.close();
        }
    }

    /** Builder of a {@link RealtimeServer}. Not safe for use by many threads. */
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
        private final Set<String> origins = new HashSet<>();
        private String path = "/ws";
        private boolean anyOrigin;
        private boolean isAnonymous;
        private JoinRule.@Nullable Async joinRule;
        private SendRule sendRule = SendRule.MEMBERS;
        private SendRule.@Nullable Async lateSendRule;
        private @Nullable UnhandledMessageHandler unhandled;
        private final List<Interceptor> interceptors = new ArrayList<>();
        private final Map<String, RateLimit> rates = new HashMap<>();
        private final Map<String, Integer> maxBytes = new HashMap<>();
        private Limits limits = Limits.defaults();
        private final List<PresenceRule> presence = new ArrayList<>();
        private Retention retention = Retention.defaults();
        private Retention inboxRetention = Retention.inboxDefaults();
        private Heartbeat heartbeat = Heartbeat.defaults();
        private Duration sessionTtl = Duration.ofMinutes(5);
        private boolean isDaemon;
        private @Nullable Duration closeOnShutdown;
        private @Nullable PayloadCodec codec;
        private SessionListener listener = new SessionListener() {};
        private @Nullable RoomListener roomListener;
        Random random = new SecureRandom();

        private Builder() {}

        /** Sets the port to listen on; default 8080. 0 lets the system choose one. */
        public Builder port(int number) {
            if (number < 0 || number > 65_535) {
                throw new IllegalArgumentException("port " + number + " is not 0 to 65535");
            }
            this.port = number;
            return this;
        }

        /** Sets the local address to listen on; default all of them. */
        public Builder host(String address) {
            this.host = address;
            return this;
        }

        /** Sets the path of the upgrade request; default {@code /ws}. Every other path is answered with 404. */
        public Builder path(String absolute) {
            if (!absolute.startsWith("/")) {
                throw new IllegalArgumentException("path '" + absolute + "' does not begin with /");
            }
            this.path = absolute;
            return this;
        }

        /** Sets what authenticates peers. This or {@link #anonymous} is required. */
        public Builder authenticator(Authenticator decider) {
            requireNoAuthenticator();
            this.authenticator = Objects.requireNonNull(decider, "authenticator");
            return this;
        }

        /**
         * Admits every client without authentication. Each client instance is a user of its own, with an id that begins
         * with {@code anonymous-}.
         */
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
         * Sets the rule that decides which rooms clients may join; default none, so every {@code $join} is refused.
         * Replaces an earlier rule, {@link #allowJoinAsync} included.
         */
        public Builder allowJoin(JoinRule rule) {
            Objects.requireNonNull(rule, "rule");
            return allowJoinAsync((session, room) -> CompletableFuture.completedFuture(rule.allows(session, room)));
        }

        /**
         * Sets a rule like {@link #allowJoin} that decides later, without holding a thread. Replaces an earlier rule.
         */
        public Builder allowJoinAsync(JoinRule.Async rule) {
            this.joinRule = Objects.requireNonNull(rule, "rule");
            return this;
        }

        /**
         * Sets the rule that decides who may send events that name a room; default: the room's members. Replaces an
         * earlier rule, {@link #allowSendAsync} included.
         */
        public Builder allowSend(SendRule rule) {
            this.sendRule = Objects.requireNonNull(rule, "rule");
            this.lateSendRule = null;
            return this;
        }

        /**
         * Sets a rule like {@link #allowSend} that decides later, without holding a thread. Replaces an earlier rule.
         */
        public Builder allowSendAsync(SendRule.Async rule) {
            this.lateSendRule = Objects.requireNonNull(rule, "rule");
            return this;
        }

        /**
         * Registers the handler of an event.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <T> Builder on(Event<T> event, EventHandler<T> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(event.name(), dispatcher -> dispatcher.event(event, handler));
        }

        /**
         * Registers the handler of a request.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, R> Builder onRequest(Request<Q, R> request, RequestHandler<Q, R> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(request.name(), dispatcher -> dispatcher.request(request, handler));
        }

        /**
         * Registers a handler that answers a request later, without holding a thread.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, R> Builder onRequestAsync(Request<Q, R> request, RequestHandler.Async<Q, R> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(request.name(), dispatcher -> dispatcher.asyncRequest(request, handler));
        }

        /**
         * Registers the handler of a request for a stream.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, T> Builder onStream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(request.name(), dispatcher -> dispatcher.stream(request, handler));
        }

        /**
         * Registers a handler of a request for a stream that needs no thread for each stream.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, T> Builder onStreamAsync(StreamRequest<Q, T> request, StreamHandler.Async<Q, T> handler) {
            Objects.requireNonNull(handler, "handler");
            return register(request.name(), dispatcher -> dispatcher.asyncStream(request, handler));
        }

        /**
         * Registers a handler that answers a request for a stream with the items of a publisher.
         *
         * @throws IllegalArgumentException when its name has a handler already
         */
        public <Q, T> Builder onStreamPublisher(StreamRequest<Q, T> request, StreamHandler.Source<Q, T> source) {
            Objects.requireNonNull(source, "source");
            return onStreamAsync(
                    request, (session, data, out) -> PublisherStream.subscribe(source.open(session, data), out));
        }

        /**
         * Sets the handler of the messages whose name has no other handler; default none. Without one they are refused
         * with {@code no_handler}, and dropped if they ask for no answer. The send rule is asked first, as for an event
         * of raw JSON with the message's name.
         */
        public Builder onUnhandled(UnhandledMessageHandler handler) {
            this.unhandled = Objects.requireNonNull(handler, "handler");
            return this;
        }

        /**
         * Adds an interceptor around logins, joins, the handling of messages, and publishes; default none. The first
         * one added is the outermost.
         */
        public Builder intercept(Interceptor interceptor) {
            interceptors.add(Objects.requireNonNull(interceptor, "interceptor"));
            return this;
        }

        /**
         * Limits how often each session may send this event, in addition to {@link Limits#ratePerSession}; default no
         * limit. Messages beyond it are treated as those beyond the session's limit. A plain client's are refused with
         * {@code rate_limited}. A managed client's wait for their turn, and so do all messages that it sent later.
         *
         * @throws IllegalArgumentException when the event has a rate already
         */
        public Builder limit(Event<?> event, RateLimit rate) {
            return limit(event.name(), rate);
        }

        /** Limits how often each session may send this request, like {@link #limit(Event, RateLimit)}. */
        public Builder limit(Request<?, ?> request, RateLimit rate) {
            return limit(request.name(), rate);
        }

        /** Limits how often each session may request this stream, like {@link #limit(Event, RateLimit)}. */
        public Builder limit(StreamRequest<?, ?> request, RateLimit rate) {
            return limit(request.name(), rate);
        }

        private Builder limit(String name, RateLimit rate) {
            return once(rates, name, Objects.requireNonNull(rate, "rate"));
        }

        /**
         * Refuses this event with {@code too_big} when its payload is longer; default only {@link Limits#messageBytes}.
         * A message that is refused counts as processed.
         *
         * @param most the longest payload in bytes: of JSON as the client wrote it, in UTF-8; at least 1
         * @throws IllegalArgumentException when the number is not positive, or the event has one already
         */
        public Builder maxBytes(Event<?> event, int most) {
            return maxBytes(event.name(), most);
        }

        /** Refuses this request when its payload is longer, like {@link #maxBytes(Event, int)}. */
        public Builder maxBytes(Request<?, ?> request, int most) {
            return maxBytes(request.name(), most);
        }

        /** Refuses this request for a stream when its payload is longer, like {@link #maxBytes(Event, int)}. */
        public Builder maxBytes(StreamRequest<?, ?> request, int most) {
            return maxBytes(request.name(), most);
        }

        private Builder maxBytes(String name, int most) {
            if (most < 1) {
                throw new IllegalArgumentException("maxBytes " + most + " of '" + name + "' is not at least 1");
            }
            return once(maxBytes, name, most);
        }

        private <T> Builder once(Map<String, T> known, String name, T limit) {
            if (known.putIfAbsent(name, limit) != null) {
                throw new IllegalArgumentException("'" + name + "' has the limit " + known.get(name) + " already");
            }
            return this;
        }

        private void requireHandler(Set<String> limited) {
            for (String name : limited) {
                if (!handlers.containsKey(name)) {
                    throw new IllegalStateException("'" + name + "' has a limit, and no handler");
                }
            }
        }

        private Builder register(String name, Function<Dispatcher, Dispatcher.MessageHandler> handler) {
            if (handlers.putIfAbsent(name, handler) != null) {
                throw new IllegalArgumentException("'" + Names.abbreviate(name) + "' has a handler already");
            }
            return this;
        }

        /** Sets the listener of sessions; default one that does nothing. */
        public Builder listener(SessionListener observer) {
            this.listener = observer;
            return this;
        }

        /** Sets the listener of joins and leaves; default none. */
        public Builder roomListener(RoomListener observer) {
            this.roomListener = Objects.requireNonNull(observer, "roomListener");
            return this;
        }

        /** Sets the codec, which maps payloads between Java and JSON; default {@link GsonCodec#create}. */
        public Builder codec(PayloadCodec mapping) {
            this.codec = Objects.requireNonNull(mapping, "codec");
            return this;
        }

        /** Sets the limits of what one peer may use; default {@link Limits#defaults}. */
        public Builder limits(Limits bounds) {
            this.limits = bounds;
            return this;
        }

        /**
         * Adds a rule for the presence of rooms: their members may ask who is here, and are told of each change. They
         * see user, tags, state and connection of each other's sessions. The first rule that covers a room counts;
         * without one a room has no presence, which is the default.
         */
        public Builder presence(PresenceRule rule) {
            this.presence.add(Objects.requireNonNull(rule, "presence"));
            return this;
        }

        /**
         * Sets how much of each room's log is kept; default {@link Retention#defaults}. Inboxes have their own
         * retention.
         */
        public Builder retention(Retention kept) {
            this.retention = kept;
            return this;
        }

        /**
         * Sets how much is kept in each user's inbox ({@link User#send}); default {@link Retention#inboxDefaults}. An
         * inbox is in memory: it ends with the process, and counts against {@link Limits#logBytes}.
         */
        public Builder inboxRetention(Retention kept) {
            this.inboxRetention = kept;
            return this;
        }

        /** Sets when a silent connection is pinged, and when it is closed; default {@link Heartbeat#defaults}. */
        public Builder heartbeat(Heartbeat rhythm) {
            this.heartbeat = rhythm;
            return this;
        }

        /** Sets for how long a session is kept after its connection is lost; default 5 minutes. */
        public Builder sessionTtl(Duration time) {
            this.sessionTtl = Durations.notNegative("sessionTtl", time);
            return this;
        }

        /**
         * Sets whether the JVM may end while the server runs, as with daemon threads; default false. With false, a
         * program whose {@code main} only starts a server keeps running. A server with a {@link #scheduler} is always a
         * daemon.
         */
        public Builder daemon(boolean mayEnd) {
            this.isDaemon = mayEnd;
            return this;
        }

        /**
         * Closes the server, like {@link RealtimeServer#close(Duration)}, when the JVM ends by a signal or {@link
         * System#exit}; default: it does not. A container that closes its beans, such as Spring's, needs no such hook.
         *
         * @param grace how long this may delay the end of the JVM, also while another thread starts or closes the
         *     server. The last calls may take one second more
         */
        public Builder closeOnShutdown(Duration grace) {
            this.closeOnShutdown = Durations.notNegative("closeOnShutdown", grace);
            return this;
        }

        /**
         * Allows pages of these origins, for example {@code https://app.example}. Pages of the server's own host are
         * always allowed.
         *
         * @throws IllegalArgumentException when an origin is not as a browser writes it, and so would never match: with
         *     a path or a wildcard, without a scheme, or with a name that is not in punycode
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

        /** Allows pages of any origin. Use it only where a token, never a cookie, authenticates the user. */
        public Builder allowAnyOrigin() {
            this.anyOrigin = true;
            return this;
        }

        /**
         * Sets the executor of handlers, listeners and callbacks. The default is virtual threads where the JVM has
         * them. Else it is two bounded pools, one for handlers and listeners and one for callbacks; one user may hold
         * half of each. The server never shuts down an executor that is supplied, and does not decide how its threads
         * are shared. When handlers that wait for {@link Session#request} fill it, neither the answers nor the timeouts
         * can run.
         *
         * <p>Its {@code execute} must return at once, since an I/O thread may call it. A queue that blocks the caller
         * while it is full blocks all connections of that thread. The executor must run tasks on threads of its own,
         * never on the caller's. It may reject a task; the task is then started later. Authentication, rules on a
         * resume and the server's own work have separate threads, which no handler blocks.
         */
        public Builder executor(Executor handlers) {
            this.executor = handlers;
            return this;
        }

        /**
         * Sets the transport by name: {@code netty} where {@code realtime-netty} is on the class path, or {@code
         * java-websocket}. The default is the one on the class path, else {@code java-websocket}.
         */
        public Builder transport(String name) {
            this.transportName = Objects.requireNonNull(name, "name");
            return this;
        }

        /** Sets the transport, as an instance. It takes precedence over a name. */
        public Builder transport(ServerTransport carrier) {
            this.transport = carrier;
            return this;
        }

        /**
         * Encrypts all connections: clients connect to {@code wss://}. Needs {@code realtime-netty}. Without it, let a
         * proxy in front of the server do TLS.
         *
         * @param certificates a PEM file with the server's certificate, followed by the certificates that sign it
         * @param key a PEM file with its private key, in PKCS #8, not encrypted
         */
        public Builder tls(Path certificates, Path key) {
            this.tls = new Tls.Pem(certificates, key, null);
            return this;
        }

        /** Encrypts all connections with the keys of a context; otherwise like {@link #tls(Path, Path)}. */
        public Builder tls(SSLContext context) {
            this.tls = new Tls.Context(context);
            return this;
        }

        /**
         * Sets the source of time, for tests; default the system's. If {@link #executor} is set too, that executor runs
         * all of the server's work except the producers of streams, so nothing happens outside of this time.
         */
        public Builder scheduler(Scheduler time) {
            this.scheduler = time;
            return this;
        }

        /** Sets the source of randomness, for tests; default a {@link SecureRandom}, since session ids are secrets. */
        public Builder random(Random source) {
            this.random = source;
            return this;
        }

        /**
         * Returns the server, not yet started. The server does not change with this builder, which may be used again.
         *
         * @throws IllegalArgumentException when the {@link #codec} refuses a type of a contract that has a handler
         * @throws IllegalStateException when neither an authenticator nor {@link #anonymous} was set, when no transport
         *     has the name that was given, when there are several transports and no name was given, when an event or a
         *     request has a limit and no handler, or when a library that the server needs is missing or too old
         */
        public RealtimeServer build() {
            if (authenticator == null && !isAnonymous) {
                throw new IllegalStateException(
                        "no authenticator: call authenticator(...), or anonymous() to let everyone in");
            }
            requireHandler(rates.keySet());
            requireHandler(maxBytes.keySet());
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
                    unhandled,
                    interceptors,
                    rates,
                    maxBytes,
                    listener,
                    roomListener,
                    limits,
                    presence,
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
