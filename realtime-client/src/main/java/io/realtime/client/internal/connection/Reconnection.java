package io.realtime.client.internal.connection;

import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.client.ConnectionState;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.TokenRefusedException;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Timers;
import io.realtime.client.internal.callback.Waiters;
import io.realtime.internal.Durations;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Connection;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a connection, detects its loss, and makes another one after the backoff, until the client stops. Decides by the
 * close code whether to try again, when, and with which token. Owned by the scheduler's thread, except {@link #state}.
 */
final class Reconnection {
    private static final Logger LOG = LoggerFactory.getLogger(Reconnection.class);
    private static final Duration HEALTHY_AFTER = Duration.ofSeconds(10);
    // The bound on any wait that a server asks for.
    private static final Duration LONGEST_WAIT = Duration.ofHours(1);
    private static final Duration BURST = Duration.ofSeconds(1);
    private static final int MOST_TOO_BIG = 3;

    private final ClientConfig config;
    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    private final ClientSession session;
    private final Supplier<ServerConnection> connections;
    private final Runnable onChange;
    private final Tokens tokens;
    private final Failures failures;
    private final Liveness liveness;
    private final Throttle reconnections;
    private final Throttle networkChanges;
    private final Waiters<Void> opening;

    private volatile ConnectionState state = new ConnectionState(Status.IDLE, 0, Duration.ZERO, null);
    // The present attempt, or the connection that it led to.
    private @Nullable ServerConnection link;
    private Scheduler.Cancellable retry = Timers.NONE;
    // On the scheduler's clock.
    private long retryAt;
    private int attempt;
    // Messages that were longer than this client accepts, since a connection was last healthy.
    private int tooBig;

    /**
     * @param connections makes an attempt that reports to this
     * @param onChange called after each change of the state
     */
    Reconnection(
            ClientConfig config,
            CallbackDispatcher callbacks,
            EngineThread thread,
            ClientSession session,
            Supplier<ServerConnection> connections,
            Runnable onChange) {
        this.config = config;
        this.scheduler = config.scheduler();
        this.callbacks = callbacks;
        this.session = session;
        this.connections = connections;
        this.onChange = onChange;
        this.tokens = new Tokens(config.tokens(), callbacks, thread);
        this.failures = new Failures(config.target().toString(), scheduler, callbacks::error);
        this.liveness = new Liveness(config.heartbeat(), scheduler, config.random());
        this.reconnections = new Throttle(scheduler, BURST, this::dialNow);
        this.networkChanges = new Throttle(scheduler, BURST, this::onNetworkChanged);
        this.opening = new Waiters<>(callbacks, "the connection");
    }

    // What the application asks for

    /** Returns the present state; on any thread. */
    ConnectionState state() {
        return state;
    }

    /** @param deadline the timer that fails the future */
    void connect(CompletableFuture<Void> result, Scheduler.Cancellable deadline) {
        switch (state.status()) {
            case OPEN -> {
                deadline.cancel();
                callbacks.completeVoid(result);
            }
            case CONNECTING, WAITING -> opening.add(result, deadline);
            case IDLE, CLOSED -> {
                opening.add(result, deadline);
                begin();
            }
        }
    }

    /** Connects for callers that have waited elsewhere. */
    void connect(Waiters<Void> callers) {
        callers.moveTo(opening);
        begin();
    }

    /** Fails the future of one caller that waits for the connection. */
    void fail(CompletableFuture<Void> result, RealtimeException cause) {
        opening.fail(result, cause);
    }

    /** Returns the failure of a connect that has timed out. */
    ConnectionException timedOut(Duration timeout) {
        return failures.none("within " + timeout);
    }

    /** Makes the next attempt now if one waits, or for a token; at most once a second. */
    void reconnectNow() {
        reconnections.ask();
    }

    /** Checks what depends on the device's network; at most once a second. */
    void networkChanged() {
        networkChanges.ask();
    }

    /**
     * Returns true if a connection is open, or may be within this time.
     *
     * @param isIdle whether there is nothing to deliver; then no connection that is still to be made is waited for
     */
    boolean isConnectedWithin(long nanos, boolean isIdle) {
        return switch (state.status()) {
            case OPEN -> true;
            case CONNECTING -> !isIdle;
            case WAITING -> !isIdle && config.outboxFile() == null && retryAt - scheduler.nanoTime() < nanos;
            case IDLE, CLOSED -> false;
        };
    }

    void stop(CloseReason reason) {
        stop(Failures.ended(reason, null));
    }

    private void stop(ConnectionException failure) {
        CloseReason reason = failure.reason();
        Steps.run(
                () -> session.stopping(failure),
                () -> abandon(reason),
                () -> retry.cancel(),
                reconnections::stop,
                networkChanges::stop,
                () -> {
                    if (state.status() != Status.CLOSED) {
                        become(Status.CLOSED, Duration.ZERO, reason);
                    }
                },
                () -> opening.fail(failure),
                () -> session.stopped(failure));
    }

    // Attempts

    private void begin() {
        attempt = 0;
        tooBig = 0;
        tokens.forget();
        // Forgets the failures of the series before.
        failures.over();
        dial();
    }

    private void become(Status status, Duration delay, @Nullable CloseReason reason) {
        ConnectionState next = new ConnectionState(status, attempt, delay, reason);
        LOG.debug("{} -> {}", state, next);
        state = next;
        callbacks.state(next);
        onChange.run();
    }

    private void dial() {
        retry.cancel();
        ServerConnection next = connections.get();
        link = next;
        if (!tokens.hasProvider()) {
            become(Status.CONNECTING, Duration.ZERO, null);
            open(next, null);
            return;
        }
        next.watchdog = scheduler.schedule(config.tokenTimeout(), () -> {
            String why = "no token within " + config.tokenTimeout();
            callbacks.error(new RealtimeException(ErrorCode.TIMEOUT, why, true, null));
            lose(next, new CloseReason(CloseReason.ABNORMAL, why));
        });
        become(Status.CONNECTING, Duration.ZERO, null);
        tokens.ask(next, (token, failure) -> onToken(next, token, failure));
    }

    private void onToken(ServerConnection next, @Nullable String token, @Nullable Throwable failure) {
        if (next != link || next.phase != ServerConnection.ConnectionPhase.TOKEN) {
            return;
        }
        if (failure instanceof TokenRefusedException) {
            String why = "there is no token: " + Steps.message(failure);
            CloseReason reason = new CloseReason(CloseReason.UNAUTHORIZED, why);
            stop(new ConnectionException(ErrorCode.UNAUTHORIZED, reason, why, failure));
        } else if (failure != null || token == null) {
            callbacks.error(failure != null ? failure : new IllegalStateException("the token provider gave null"));
            drop(next);
            retryLater(new CloseReason(CloseReason.ABNORMAL, "the token provider failed"), Duration.ZERO);
        } else if (tokens.isRefused(token)) {
            stop(tokens.noOther());
        } else {
            open(next, token);
        }
    }

    private void open(ServerConnection next, @Nullable String token) {
        tokens.use(token);
        next.phase = ServerConnection.ConnectionPhase.DIALING;
        next.watchdog.cancel();
        next.watchdog = scheduler.schedule(config.connectTimeout(), () -> {
            LOG.debug("no welcome within {}", config.connectTimeout());
            lose(next, new CloseReason(CloseReason.ABNORMAL, "no welcome within " + config.connectTimeout()));
        });
        try {
            next.dialing = config.transport().connect(config.target(), next);
        } catch (Throwable failure) {
            // An Error of the transport is handled like a failure of the network.
            onFailed(next, failure);
        }
    }

    /** Makes the next attempt now. An attempt that waits for its token asks for it again. */
    private void dialNow() {
        if (state.status() == Status.WAITING) {
            dial();
        } else if (state.status() == Status.CONNECTING
                && link != null
                && link.phase == ServerConnection.ConnectionPhase.TOKEN) {
            abandon(new CloseReason(CloseReason.ABNORMAL, "another attempt is wanted now"));
            dial();
        }
    }

    /**
     * Handles a change of the network: whatever a connection or an attempt waits for may be lost with the old network.
     */
    private void onNetworkChanged() {
        switch (state.status()) {
            case WAITING -> dial();
            case CONNECTING, OPEN -> {
                ServerConnection current = link;
                if (current != null && current.phase == ServerConnection.ConnectionPhase.DIALING && !current.isRedial) {
                    drop(current);
                    ServerConnection again = connections.get();
                    // Only once, since a network that changes constantly must not prevent a connection.
                    again.isRedial = true;
                    link = again;
                    open(again, tokens.current());
                } else if (current != null && current.phase.isConnected()) {
                    liveness.probe(current, reason -> onProbeFailed(current, reason));
                }
            }
            case IDLE, CLOSED -> {}
        }
    }

    private void onProbeFailed(ServerConnection suspect, CloseReason reason) {
        if (suspect == link) {
            abandon(reason);
            retrySoon(reason, Duration.ZERO);
        }
    }

    // The end of attempts and connections

    /** Returns true if this is the present attempt or connection; nothing that comes from a former one counts. */
    boolean isCurrent(ServerConnection connection) {
        return connection == link;
    }

    /** Cancels an attempt, or forgets a connection without closing it. */
    private void drop(@Nullable ServerConnection ended) {
        if (ended != null) {
            Steps.run(ended::end, () -> link = null, session::connectionLost);
        }
    }

    /** Forgets and closes the present attempt or connection. */
    private void abandon(CloseReason reason) {
        ServerConnection ended = link;
        Steps.run(session::flush);
        drop(ended);
        if (ended != null) {
            Steps.run(() -> ended.close(reason));
        }
    }

    /** Gives up a connection and tries again after the backoff. */
    void lose(ServerConnection lost, CloseReason reason) {
        if (lost != link) {
            return;
        }
        abandon(reason);
        failed(lost, reason);
        retryLater(reason, Duration.ZERO);
    }

    private void retryLater(CloseReason reason, Duration atLeast) {
        retryLater(Failures.ended(reason, null), atLeast);
    }

    /** Tries again after the backoff, and not before {@code atLeast}. */
    private void retryLater(ConnectionException why, Duration atLeast) {
        attempt++;
        Duration delay = config.backoff().delay(attempt, config.random()::nextDouble);
        waitFor(delay.compareTo(atLeast) > 0 ? delay : atLeast, why);
    }

    /**
     * Tries again at once, or within a window. If that does not lead to a healthy connection, later attempts use the
     * backoff.
     */
    private void retrySoon(CloseReason reason, Duration delay) {
        if (attempt > 0) {
            retryLater(reason, delay);
        } else {
            attempt++;
            waitFor(delay, Failures.ended(reason, null));
        }
    }

    private void waitFor(Duration delay, ConnectionException why) {
        if (config.backoff().allows(attempt)) {
            again(delay, why.reason());
        } else {
            stop(why);
        }
    }

    private void again(Duration delay, CloseReason reason) {
        try {
            // Before anybody is told.
            retry = scheduler.schedule(delay, this::dial);
            retryAt = scheduler.nanoTime() + Durations.nanos(delay);
        } catch (Throwable failure) {
            // Without a timer there is no other attempt, so the client closes, and connect can begin one.
            Steps.log(LOG, "the scheduler failed", failure);
            CloseReason why =
                    new CloseReason(CloseReason.INTERNAL_ERROR, "the scheduler failed: " + Steps.message(failure));
            stop(Failures.ended(why, failure));
            return;
        }
        become(Status.WAITING, delay, reason);
    }

    /**
     * Reports why an attempt did not lead to a session. The loss of an open connection is not a failure; the attempt
     * after it may be one.
     */
    private void failed(ServerConnection attempt, CloseReason reason) {
        if (!attempt.isWelcomed()) {
            failures.add(Failures.ended(reason, null));
        }
    }

    // What the transport reports

    void onFailed(ServerConnection failed, Throwable cause) {
        if (failed == link) {
            drop(failed);
            String why = Steps.message(cause);
            ConnectionException failure =
                    new ConnectionException(ErrorCode.CONNECTION_LOST, Failures.reason(why), why, cause);
            failures.add(failure);
            Duration wanted = RetryAfter.of(failure.headers(), scheduler.currentTimeMillis());
            retryLater(failure, wanted.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : wanted);
        }
    }

    void onConnected(ServerConnection made, Connection connection) {
        if (made != link) {
            connection.abort();
            return;
        }
        made.dialing = Timers.NONE;
        made.opened(connection);
        WireMessage hello;
        try {
            hello = session.hello(tokens.current());
        } catch (PayloadException unfit) {
            // The token's fault, which is the application's text.
            callbacks.error(unfit);
            lose(made, new CloseReason(CloseReason.NORMAL, "the token cannot be sent"));
            return;
        }
        int most = config.target().outboundBytes();
        int bytes = MessageBatch.of(hello).bytes();
        if (bytes > most) {
            // The token's fault, since the positions always fit.
            String why = "$hello with its token has " + bytes + " bytes, and outboundBytes is " + most;
            callbacks.error(new RealtimeException(ErrorCode.TOO_BIG, why));
            lose(made, new CloseReason(CloseReason.NORMAL, why));
            return;
        }
        made.send(hello);
    }

    void onDrained(ServerConnection drained) {
        if (drained == link && drained.isWelcomed()) {
            session.drained();
        }
    }

    void onOverload(ServerConnection overloaded) {
        lose(overloaded, new CloseReason(CloseReason.SLOW_CONSUMER, "handlers cannot keep up"));
    }

    void onClosed(ServerConnection closed, CloseReason said, boolean byPeer) {
        if (closed != link) {
            return;
        }
        // The transport found the fault, so this is not what the server said.
        boolean isFault = !byPeer && said.code() != CloseReason.ABNORMAL;
        CloseReason reason = isFault ? said : closed.explain(said);
        CloseRule rule = isFault ? CloseRule.BACKOFF : CloseRule.of(reason.code());
        if (rule == CloseRule.TOO_BIG) {
            session.tooBig(closed, reason);
        }
        drop(closed);
        if (rule == CloseRule.BACKOFF || rule == CloseRule.TOO_BIG) {
            failed(closed, reason);
        }
        if (isFault && said.code() == CloseReason.TOO_BIG) {
            tooBig(reason);
            return;
        }
        switch (rule) {
            case STOP -> stop(reason);
            case UNAUTHORIZED -> unauthorized(reason);
            case TOKEN -> freshToken(reason);
            case MOVE -> retrySoon(reason, window(closed));
            case TOO_BIG -> retryLater(reason, Duration.ZERO);
            case BACKOFF -> retryLater(reason, isServerLoss(reason) ? window(closed) : Duration.ZERO);
        }
    }

    /**
     * Handles a message that was longer than this client accepts. A server that respects the hello sends none. Another
     * one would send it again and again.
     */
    private void tooBig(CloseReason reason) {
        String why = "the server sent a message of more than this client's messageBytes, "
                + config.target().messageBytes();
        callbacks.error(new RealtimeException(ErrorCode.TOO_BIG, why));
        tooBig++;
        if (tooBig >= MOST_TOO_BIG) {
            stop(new CloseReason(CloseReason.TOO_BIG, why));
        } else {
            retryLater(reason, Duration.ZERO);
        }
    }

    /** Returns when to reconnect: spread over a window, since many clients lost the same server. */
    private Duration window(ServerConnection closed) {
        Protocol.Retry goodbye = closed.goodbye;
        long min = goodbye == null ? 0 : Math.max(0, goodbye.minMs());
        long max = goodbye == null ? closed.spreadMs : goodbye.maxMs();
        double millis = min + config.random().nextDouble() * Math.max(0, max - min);
        return Duration.ofMillis((long) Math.min(millis, (double) LONGEST_WAIT.toMillis()));
    }

    private static boolean isServerLoss(CloseReason reason) {
        return reason.code() == CloseReason.GOING_AWAY || reason.code() == CloseReason.ABNORMAL;
    }

    private void unauthorized(CloseReason reason) {
        if (!tokens.hasProvider()) {
            stop(reason);
            return;
        }
        tokens.refused(reason);
        freshToken(reason);
    }

    private void freshToken(CloseReason reason) {
        if (tokens.replace()) {
            attempt++;
            waitFor(Duration.ZERO, Failures.ended(reason, null));
        } else {
            retryLater(reason, Duration.ZERO);
        }
    }

    // The welcome

    /**
     * Handles {@code $welcome}: the connection is open.
     *
     * @throws RealtimeException when the welcome makes no sense
     */
    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
    void onWelcome(ServerConnection from, Protocol.Welcome welcome, long serverMillis) {
        if (!session.recognise(welcome)) {
            comeBack(welcome);
            return;
        }
        from.spreadMs =
                welcome.retry() == null ? 0 : Math.max(0, welcome.retry().spreadMs());
        from.watchdog.cancel();
        from.health = scheduler.schedule(HEALTHY_AFTER, () -> {
            attempt = 0;
            tooBig = 0;
            tokens.forget();
        });
        liveness.watch(from, welcome.heartbeat(), reason -> lose(from, reason));
        from.phase = ServerConnection.ConnectionPhase.WELCOMED;
        failures.over();
        become(Status.OPEN, Duration.ZERO, null);
        opening.complete(null);
        session.welcomed(from, welcome, serverMillis);
    }

    /**
     * Reconnects as a new client, because the server names another user than before. The hello named the former user's
     * client, session and positions, so nothing begins on this connection. The next welcome may name a third user: the
     * server may distinguish users by the client's id.
     */
    private void comeBack(Protocol.Welcome welcome) {
        CloseReason reason = new CloseReason(CloseReason.NORMAL, "another user");
        abandon(reason);
        session.beginAnew(welcome);
        attempt++;
        // No attempt has failed, so there is no backoff.
        again(Duration.ZERO, reason);
    }
}
