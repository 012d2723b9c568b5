package io.realtime.server.internal.session;

import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Payloads;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.RoomListener;
import io.realtime.server.SessionListener;
import io.realtime.server.internal.execution.Bursts;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.execution.Workers;
import io.realtime.server.internal.limits.AnswerLimit;
import io.realtime.server.internal.limits.TokenBuckets;
import io.realtime.server.internal.room.LocalBroker;
import io.realtime.server.internal.room.RoomChannel;
import io.realtime.server.internal.room.RoomTurns;
import io.realtime.server.internal.stats.Counters;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the sessions of one server share, apart from the {@link SessionTable}. This class holds no lock. */
public final class SessionContext {
    private static final Logger LOG = LoggerFactory.getLogger(RealtimeServer.class);
    // About the longest name of a room.
    private static final int MOST_REQUEST_BYTES = 1024;

    private final Limits limits;
    private final Duration sessionTtl;
    private final SessionListener listener;
    private final @Nullable RoomListener roomListener;
    private final Payloads payloads;
    private final Scheduler scheduler;
    private final Workers workers;
    private final LocalBroker broker;
    private final UnfinishedWork inFlight;
    private final Middleware middleware;
    private final Map<String, RateLimit> rates;
    private final Inboxes inboxes;
    private final Bursts bursts;
    private final AckTimer acknowledgements;
    private final Refusals refusals;
    private final AnswerLimit lateAnswers;
    private final TokenBuckets userRates;
    private final RoomTurns turns = new RoomTurns();
    private final LoginBars admissions = new LoginBars();
    private final ServerState state = new ServerState();
    private final AtomicLong numbers = new AtomicLong();
    private final LongAdder waiting = new LongAdder();

    public SessionContext(
            Limits limits,
            Duration sessionTtl,
            SessionListener listener,
            @Nullable RoomListener roomListener,
            Payloads payloads,
            Scheduler scheduler,
            Workers workers,
            LocalBroker broker,
            UnfinishedWork inFlight,
            Middleware middleware,
            Map<String, RateLimit> rates) {
        this.limits = limits;
        this.sessionTtl = sessionTtl;
        this.listener = listener;
        this.roomListener = roomListener;
        this.payloads = payloads;
        this.scheduler = scheduler;
        this.workers = workers;
        this.broker = broker;
        this.inFlight = inFlight;
        this.middleware = middleware;
        this.rates = rates;
        this.inboxes = new Inboxes(broker);
        this.bursts = new Bursts(scheduler, workers::execute);
        this.acknowledgements = new AckTimer(scheduler, workers::execute);
        this.refusals = new Refusals(limits.inflight());
        this.lateAnswers = new AnswerLimit(limits.requestsPerSession());
        this.userRates = new TokenBuckets(limits.ratePerUser(), scheduler);
    }

    public Limits limits() {
        return limits;
    }

    /** Returns how long a session is kept without a connection. */
    public Duration sessionTtl() {
        return sessionTtl;
    }

    SessionListener listener() {
        return listener;
    }

    /** Returns who is told of joins and leaves, or null. */
    @Nullable
    RoomListener roomListener() {
        return roomListener;
    }

    /** Returns the mapping of the payloads of the application's contracts. */
    public Payloads payloads() {
        return payloads;
    }

    public Scheduler scheduler() {
        return scheduler;
    }

    /** Returns the server's threads. */
    public Workers workers() {
        return workers;
    }

    /** Returns what the server counts. */
    public Counters counters() {
        return broker.counters();
    }

    public LocalBroker broker() {
        return broker;
    }

    /** Returns the handlers, and the answers, that the application has not finished. */
    public UnfinishedWork inFlight() {
        return inFlight;
    }

    /** Returns the application's interceptors. */
    public Middleware middleware() {
        return middleware;
    }

    Inboxes inboxes() {
        return inboxes;
    }

    AckTimer acknowledgements() {
        return acknowledgements;
    }

    Refusals refusals() {
        return refusals;
    }

    AnswerLimit lateAnswers() {
        return lateAnswers;
    }

    /** Returns the limits of single events and requests, by their names. */
    Map<String, RateLimit> rates() {
        return rates;
    }

    TokenBuckets userRates() {
        return userRates;
    }

    RoomTurns turns() {
        return turns;
    }

    public LoginBars admissions() {
        return admissions;
    }

    public ServerState state() {
        return state;
    }

    public Logger log() {
        return LOG;
    }

    /** Returns the next of the numbers that order sessions and connections. */
    public long nextNumber() {
        return numbers.incrementAndGet();
    }

    Mailbox newMailbox(String user, ReentrantLock lock) {
        return new Mailbox(workers.handlers(), user, scheduler, bursts, limits.mailbox(), mailboxBytes(), lock);
    }

    /**
     * Returns how many bytes a mailbox holds: messages, and the protocol requests that a client may send in addition,
     * each of the longest.
     */
    public long mailboxBytes() {
        return 16L * limits.messageBytes() + (long) MOST_REQUEST_BYTES * limits.inflight();
    }

    /** Returns how many bytes of messages a client may have in flight: half of those that a mailbox holds. */
    public long inflightBytes() {
        return 8L * limits.messageBytes();
    }

    /** Returns the room that a session calls by this name on the wire. */
    RoomChannel room(String name, ServerSession session) {
        return name.equals(Names.USER) ? inboxes.room(session.userId()) : broker.room(keyOf(name, session), name, null);
    }

    /** Returns the broker's key of the room that a session calls by this name on the wire. */
    String keyOf(String name, ServerSession session) {
        return switch (name) {
            case Names.SESSION -> Names.SESSION + ":" + session.id();
            case Names.USER -> Inboxes.key(session.userId());
            default -> name;
        };
    }

    /** Changes the count of messages, of all sessions, that were received and are not handled. */
    public void countWaiting(int change) {
        waiting.add(change);
    }

    public int waiting() {
        return (int) waiting.sum();
    }

    /**
     * Reports what an application's code threw: once to the log, and once to the listener, in the order of its session.
     * Never throws, so that the session gets its answer.
     */
    public void report(ServerSession session, String what, Throwable failure) {
        Steps.log(LOG, session + ": " + what, failure);
        Steps.run(() -> session.failed(failure));
    }
}
