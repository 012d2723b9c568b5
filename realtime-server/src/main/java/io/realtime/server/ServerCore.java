package io.realtime.server;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Heartbeat;
import io.realtime.RealtimeException;
import io.realtime.StreamSink;
import io.realtime.internal.Ids;
import io.realtime.internal.LogLimit;
import io.realtime.internal.Steps;
import io.realtime.internal.Texts;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Payloads;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.websocket.Admission;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The parts that one server shares: its configuration, its tables of sessions and peers, and the few decisions that
 * belong to no other class. Tables are concurrent maps; this class holds no lock.
 */
final class ServerCore implements ServerTransport.Acceptor {
    private static final Logger LOG = LoggerFactory.getLogger(RealtimeServer.class);
    // About the longest name of a room.
    private static final int MOST_QUESTION_BYTES = 1024;
    private static final int MAX_CLIENT_RECORDS = 100_000;
    private static final Duration CLIENT_RECORD_TTL = Duration.ofHours(24);
    // One that is current, and others that drain.
    private static final int SESSIONS_PER_CLIENT = 4;
    /**
     * The retention of a session's inbox. It has no age, since a lost connection may be noticed late. Messages that the
     * client has read are dropped at once, and the rest end with the session.
     */
    private static final Retention SESSION_RETENTION = new Retention(1000, Duration.ofSeconds(Long.MAX_VALUE));

    private static final String BEARER = "bearer ";

    private final ServerConfig config;
    private final Scheduler scheduler;
    private final Workers workers;
    private final Random random;
    private final OriginRule origins;
    private final LocalBroker broker;
    private final Payloads payloads;
    private final Bursts bursts;
    private final Acknowledgements acknowledgements;
    private final RoomTurns turns = new RoomTurns();
    private final Rules rules;
    private final Dispatcher dispatcher;
    private final Refusals refusals;
    private final ClientRecords records;
    private final Map<String, Session> sessionsById = new ConcurrentHashMap<>();
    // Sessions without a connection.
    private final EvictionQueue<Session> detached = new EvictionQueue<>();
    // One permit for each session that was admitted.
    private final Semaphore places;
    private final Inboxes inboxes;
    private final Admissions admissions = new Admissions();
    private final AnswerLimit lateAnswers;
    private final TokenBuckets userRates;
    private final TokenBuckets failedResumptions;
    private final Set<Peer> peers = ConcurrentHashMap.newKeySet();
    private final AtomicLong numbers = new AtomicLong();
    private final LongAdder unhandled = new LongAdder();
    private final LongAdder waiting = new LongAdder();
    private final InFlight inFlight = new InFlight(this::sessions);
    // Completes when the server is closing and no connection is open.
    private final CompletableFuture<Void> left = new CompletableFuture<>();
    private final LogLimit refusedPeers = new LogLimit(10, Duration.ofMinutes(1));
    private final ConnectionManager connections = new ConnectionManager(this);
    private volatile boolean beginClose;
    private volatile boolean stopped;
    private volatile boolean released;

    ServerCore(ServerConfig config, Scheduler scheduler, Workers workers) {
        this.config = config;
        this.scheduler = scheduler;
        this.workers = workers;
        this.random = config.random();
        this.origins = config.origins();
        this.payloads = new Payloads(config.codec());
        this.broker = new LocalBroker(scheduler, workers::execute, random, this::retentionOf, config.limits());
        this.bursts = new Bursts(scheduler, workers::execute);
        this.acknowledgements = new Acknowledgements(scheduler, workers::execute);
        this.places = new Semaphore(config.limits().sessions());
        this.inboxes = new Inboxes(broker);
        this.lateAnswers = new AnswerLimit(config.limits().requestsPerSession());
        this.userRates = new TokenBuckets(config.limits().ratePerUser(), scheduler);
        this.failedResumptions = new TokenBuckets(config.limits().failedResumptionsPerAddress(), scheduler);
        this.refusals = new Refusals(config.limits().inflight());
        this.records =
                new ClientRecords(scheduler, MAX_CLIENT_RECORDS, CLIENT_RECORD_TTL, this::newMailbox, refusals::forget);
        this.rules = new Rules(this, config.joinRule(), config.sendRule(), config.lateSendRule(), workers.rules());
        Map<String, Dispatcher.MessageHandler> handlers = new HashMap<>();
        this.dispatcher = new Dispatcher(this, handlers);
        config.handlers().forEach((name, maker) -> handlers.put(name, maker.apply(dispatcher)));
    }

    /** Returns the mapping of the payloads of the application's contracts. */
    Payloads payloads() {
        return payloads;
    }

    // ---------------------------------------------------------------- new connections

    @Override
    public ServerTransport.Upgrade upgrade(Handshake handshake) {
        if (beginClose) {
            return ServerTransport.Upgrade.refuse(503, "Service Unavailable");
        }
        if (!handshake.path().equals(config.path())) {
            return ServerTransport.Upgrade.refuse(404, "Not Found");
        }
        if (!origins.allows(handshake)) {
            return ServerTransport.Upgrade.refuse(403, "Forbidden");
        }
        List<String> offered = handshake.subprotocols();
        if (offered.isEmpty()) {
            return ServerTransport.Upgrade.accept(null);
        }
        return offered.contains(Protocol.SUBPROTOCOL)
                ? ServerTransport.Upgrade.accept(Protocol.SUBPROTOCOL)
                : ServerTransport.Upgrade.refuse(400, "Bad Request");
    }

    @Override
    public ConnectionListener open(Connection connection, Handshake handshake) {
        boolean managed = handshake.subprotocols().contains(Protocol.SUBPROTOCOL);
        Peer peer = new Peer(this, connection, handshake, managed);
        peers.add(peer);
        try {
            peer.begin();
        } catch (Throwable failure) {
            // For example out of memory. The transport cannot report the connection's end to anyone.
            peer.onClosed(new CloseReason(CloseReason.ABNORMAL, "not begun"), false);
            throw failure;
        }
        if (beginClose) {
            // The close began after the upgrade was accepted.
            peer.close(new CloseReason(CloseReason.DRAINING, "server is draining"));
        }
        return peer;
    }

    long nextNumber() {
        return numbers.incrementAndGet();
    }

    void gone(Peer peer) {
        peers.remove(peer);
        if (beginClose && peers.isEmpty()) {
            left.complete(null);
        }
    }

    /** Returns a future that completes when no connection is open. Called while the server is closing. */
    CompletableFuture<Void> noConnections() {
        if (peers.isEmpty()) {
            left.complete(null);
        }
        return left;
    }

    /** Returns the handlers, and the answers, that the application has not finished. */
    InFlight inFlight() {
        return inFlight;
    }

    /** Returns the token in a plain client's upgrade request, or null. */
    @Nullable
    String tokenOf(Handshake handshake) {
        String header = handshake.header("Authorization");
        if (header != null && header.toLowerCase(Locale.ROOT).startsWith(BEARER)) {
            return header.substring(BEARER.length()).trim();
        }
        for (String parameter : handshake.query().split("&", -1)) {
            if (parameter.startsWith("token=")) {
                try {
                    return URLDecoder.decode(parameter.substring("token=".length()), StandardCharsets.UTF_8);
                } catch (IllegalArgumentException malformed) {
                    // No token that could be checked.
                    return null;
                }
            }
        }
        return null;
    }

    /**
     * Authenticates a peer on one of the threads for authentication. Answers on the server's own threads, with an
     * authentication or with a refusal whose text the peer is sent. The thread counts for the peer's address until the
     * authenticator has returned, so that one host cannot take all of them.
     *
     * @param isGone whether nobody waits for the answer any more; then the authenticator is not called
     * @return cancels the check while it waits for a thread
     */
    Pool.Ticket authenticate(
            Credentials credentials,
            BooleanSupplier isGone,
            BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer) {
        String address = Admission.network(credentials.handshake().remote());
        return workers.authentication().execute(address, () -> {
            if (isGone.getAsBoolean()) {
                return;
            }
            try {
                Steps.whenComplete(
                        config.authenticator().authenticate(credentials),
                        (proof, failure) -> workers.execute(
                                () -> answer.accept(proof, failure == null ? null : refusal(failure, credentials))));
            } catch (Throwable failure) {
                // The application's authenticator may throw anything. Whatever it throws refuses the peer.
                answer.accept(null, refusal(failure, credentials));
            }
        });
    }

    /** Returns the refusal that the peer is sent. A failure to log does not prevent it. */
    private RealtimeException refusal(Throwable failure, Credentials credentials) {
        if (failure instanceof RealtimeException known) {
            Steps.run(() -> logRefusal(known, credentials));
            return known;
        }
        String token = credentials.token();
        String trace = Steps.trace(failure);
        if (token != null && !token.isEmpty() && trace.contains(token)) {
            // Libraries quote what they refuse.
            LOG.warn("an authenticator failed: {}", trace.replace(token, "***"));
        } else {
            Steps.warn(LOG, "an authenticator failed", failure);
        }
        return new RealtimeException(ErrorCode.UNAUTHORIZED, "authentication failed");
    }

    /** Logs why a peer was refused, without its token. The peer is told less. */
    private void logRefusal(RealtimeException refusal, Credentials credentials) {
        int suppressed = refusedPeers.tryAcquire(scheduler.nanoTime());
        if (suppressed < 0) {
            return;
        }
        Throwable cause = refusal.getCause();
        String why = Steps.message(refusal) + (cause == null ? "" : ": " + Steps.message(cause));
        String token = credentials.token();
        String safe = token == null || token.isEmpty() ? why : why.replace(token, "***");
        LOG.warn(
                "refused a peer from {}: {}{}",
                credentials.handshake().remote(),
                // The peer must not add a line of its own to the log.
                Texts.line(safe),
                suppressed == 0 ? "" : " (and " + suppressed + " others since the last such line)");
    }

    // ---------------------------------------------------------------- sessions

    /** Returns a new session that is in no table yet: see {@link Session#register}. */
    Session newSession(
            Authentication proof, boolean managed, ClientRecords.@Nullable ClientRecord record, Handshake handshake) {
        return new Session(this, Ids.name(random), Ids.secret(random), proof, managed, record, handshake);
    }

    /** Puts a session into the tables. The caller holds the session's lock. */
    void remember(Session session) {
        // First, since it gives the session its number.
        inboxes.add(session);
        sessionsById.put(session.id(), session);
    }

    /**
     * Takes a session out of the tables, if it is in them, and closes its client's record. The caller holds the
     * session's lock.
     */
    void forget(Session session) {
        if (sessionsById.remove(session.id(), session)) {
            inboxes.remove(session);
        }
        session.leavePlace(places);
        detached.remove(session.userId(), session);
        ClientRecords.ClientRecord record = session.record();
        if (record != null) {
            record.left(session);
            records.close(record);
        }
    }

    /** Returns the sessions without a connection. A session adds and removes itself under its lock. */
    EvictionQueue<Session> detached() {
        return detached;
    }

    /**
     * Returns the session that a client may resume, or null. Secret, user and client id must match, and the session
     * must be managed.
     *
     * @throws RealtimeException with {@code rate_limited} when the client's address has tried to resume other sessions
     *     too often
     */
    @Nullable
    Session resumable(@Nullable String secret, String user, @Nullable String client, Handshake handshake) {
        Session session =
                secret == null || secret.length() < Ids.NAME ? null : sessionsById.get(secret.substring(0, Ids.NAME));
        ClientRecords.ClientRecord record = session == null ? null : session.record();
        if (secret == null || session == null || record == null) {
            return null;
        }
        boolean isTheirs = session.isSecret(secret)
                && record.isOf(client)
                && record.session() == session
                && session.userId().equals(user);
        if (!isTheirs && !config.limits().failedResumptionsPerAddress().isNone()) {
            // The session exists, so this is not a client that comes back after a restart of the server.
            String address = Admission.network(handshake.remote());
            long now = scheduler.nanoTime();
            if (failedResumptions.untilNext(address, now) > 0) {
                throw new RealtimeException(
                        ErrorCode.RATE_LIMITED,
                        "more attempts to resume other sessions than limits.failedResumptionsPerAddress");
            }
            failedResumptions.spend(address, now);
        }
        return isTheirs ? session : null;
    }

    /**
     * Returns why a client gets no new session until its earlier ones have drained, or null when it gets one.
     *
     * @param opened its record, which the new session would use; null for a plain client
     */
    @Nullable
    CloseReason refusal(String user, ClientRecords.@Nullable Opened opened) {
        int most = config.limits().sessionsPerUser();
        boolean isUserBusy = inboxes.size(user) >= most
                && inboxes.sessions(user).stream().filter(Session::hasEnded).count() >= most;
        boolean isClientBusy = opened != null
                && (opened.uses() > SESSIONS_PER_CLIENT
                        || opened.record().mailbox().isFull());
        return isUserBusy || isClientBusy
                ? new CloseReason(CloseReason.OVERLOADED, "earlier sessions are not handled to their end yet")
                : null;
    }

    /**
     * Ends sessions that exceed a limit, to make room for a new one. Returns why the new one itself must end, or null.
     */
    @Nullable
    CloseReason makeRoomFor(Session created) {
        CloseReason ofUser = makeRoomOfUser(created);
        while (ofUser == null && !created.takePlace(places)) {
            CloseReason reason = new CloseReason(
                    CloseReason.OVERLOADED,
                    "the server may have " + config.limits().sessions() + " sessions, limits.sessions");
            Session evicted = detached.poll();
            if (evicted == null) {
                return reason;
            }
            evicted.end(reason, Session.EndReason.EVICT);
        }
        return ofUser;
    }

    private @Nullable CloseReason makeRoomOfUser(Session created) {
        Limits limits = config.limits();
        int most = limits.sessionsPerUser();
        if (created.hasEnded() || inboxes.size(created.userId()) <= most) {
            return null;
        }
        CloseReason reason = new CloseReason(
                CloseReason.TOO_MANY_SESSIONS,
                "the user may have " + most + " sessions at a time, limits.sessionsPerUser");
        // Sessions without a connection. They end first.
        List<Session> waiting = new ArrayList<>();
        List<Session> connected = new ArrayList<>();
        for (Session session : inboxes.sessions(created.userId())) {
            if (!session.hasEnded() && session.number() < created.number()) {
                (session.isConnected() ? connected : waiting).add(session);
            }
        }
        int surplus = waiting.size() + connected.size() + 1 - most;
        if (limits.sessionOverflow() == SessionOverflow.REFUSE_NEW && waiting.size() < surplus) {
            return reason;
        }
        waiting.sort(Comparator.comparing(Session::number));
        connected.sort(Comparator.comparing(Session::number));
        waiting.addAll(connected);
        Steps.each(waiting.subList(0, Math.max(0, surplus)), session -> session.end(reason, Session.EndReason.EXCESS));
        return null;
    }

    TokenBuckets userRates() {
        return userRates;
    }

    Refusals refusals() {
        return refusals;
    }

    ClientRecords records() {
        return records;
    }

    AnswerLimit lateAnswers() {
        return lateAnswers;
    }

    Admissions admissions() {
        return admissions;
    }

    @Nullable
    Session session(String id) {
        return sessionsById.get(id);
    }

    Collection<Session> sessions() {
        return new ArrayList<>(sessionsById.values());
    }

    int sessionCount() {
        return sessionsById.size();
    }

    int userCount() {
        return inboxes.users();
    }

    int connectionCount() {
        return peers.size();
    }

    List<Peer> peers() {
        return new ArrayList<>(peers);
    }

    Mailbox newMailbox(String user, ReentrantLock lock) {
        return new Mailbox(
                workers.handlers(), user, scheduler, bursts, config.limits().mailbox(), mailboxBytes(), lock);
    }

    /**
     * Returns how many bytes a mailbox holds: messages, and the protocol requests that a client may send in addition,
     * each of the longest.
     */
    long mailboxBytes() {
        Limits limits = config.limits();
        return 16L * limits.messageBytes() + (long) MOST_QUESTION_BYTES * limits.inflight();
    }

    /** Returns how many bytes of messages a client may have in flight: half of those that a mailbox holds. */
    long inflightBytes() {
        return 8L * config.limits().messageBytes();
    }

    // ---------------------------------------------------------------- rooms

    private Retention retentionOf(String room) {
        return switch (room) {
            case Names.USER -> config.inboxRetention();
            case Names.SESSION -> SESSION_RETENTION;
            default -> config.retention();
        };
    }

    Inboxes inboxes() {
        return inboxes;
    }

    /** Returns the room that a session calls by this name on the wire. */
    RoomChannel room(String name, Session session) {
        return name.equals(Names.USER) ? inboxes.room(session.userId()) : broker.room(keyOf(name, session), name, null);
    }

    /** Returns the broker's key of the room that a session calls by this name on the wire. */
    String keyOf(String name, Session session) {
        return switch (name) {
            case Names.SESSION -> Names.SESSION + ":" + session.id();
            case Names.USER -> Inboxes.key(session.userId());
            default -> name;
        };
    }

    RoomTurns turns() {
        return turns;
    }

    Rules rules() {
        return rules;
    }

    // ---------------------------------------------------------------- shared

    ConnectionManager connections() {
        return connections;
    }

    LocalBroker broker() {
        return broker;
    }

    Dispatcher dispatcher() {
        return dispatcher;
    }

    Scheduler scheduler() {
        return scheduler;
    }

    Random random() {
        return random;
    }

    Limits limits() {
        return config.limits();
    }

    Heartbeat heartbeat() {
        return config.heartbeat();
    }

    Duration sessionTtl() {
        return config.sessionTtl();
    }

    SessionListener listener() {
        return config.listener();
    }

    Logger log() {
        return LOG;
    }

    /**
     * Returns over how many milliseconds clients spread their reconnections when this server closes: one for each peer,
     * at least 100.
     */
    long spreadMs() {
        return Math.max(100, peers.size());
    }

    Acknowledgements acknowledgements() {
        return acknowledgements;
    }

    /** Changes the count of messages, of all sessions, that were received and are not handled. */
    void countWaiting(int change) {
        waiting.add(change);
    }

    int waiting() {
        return (int) waiting.sum();
    }

    void countUnhandled() {
        unhandled.increment();
    }

    long unhandled() {
        return unhandled.sum();
    }

    /** Returns the server's threads. */
    Workers workers() {
        return workers;
    }

    /**
     * Runs the producer of a stream of this user, on a thread that it may block. Fails the stream with {@code
     * overloaded} when no thread is free.
     */
    void produce(String user, Runnable task, StreamSink<?> stream) {
        if (!workers.streams().tryExecute(user, task)) {
            stream.fail(new RealtimeException(
                    ErrorCode.OVERLOADED, "the server produces as many streams as it has threads for", true, null));
        }
    }

    /**
     * Reports what an application's code threw: once to the log, and once to the listener, in the order of its session.
     * Never throws, so that the session gets its answer.
     */
    void report(Session session, String what, Throwable failure) {
        Steps.log(LOG, session + ": " + what, failure);
        Steps.run(() -> session.failed(failure));
    }

    boolean isClosing() {
        return beginClose;
    }

    /** Begins to refuse new connections and sessions. */
    void beginClose() {
        beginClose = true;
        admissions.close(new CloseReason(CloseReason.DRAINING, "server is draining"));
    }

    /** Notes that the server is closed and its threads end. */
    void released() {
        released = true;
    }

    /**
     * Does nothing while the server is open.
     *
     * @throws RealtimeException with {@code closed} when the server is closed
     */
    void requireOpen() {
        if (released) {
            throw closed();
        }
    }

    boolean isReleased() {
        return released;
    }

    static RealtimeException closed() {
        return new RealtimeException(ErrorCode.CLOSED, "the server is closed");
    }

    boolean isStopped() {
        return stopped;
    }

    /** Stops the handling of messages. */
    void stopped() {
        stopped = true;
    }
}
