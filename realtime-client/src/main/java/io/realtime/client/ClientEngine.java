package io.realtime.client;

import com.google.gson.JsonElement;
import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Heartbeat;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.client.ConnectionState.Status;
import io.realtime.internal.Durations;
import io.realtime.internal.HeartbeatMonitor;
import io.realtime.internal.Ids;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Connection;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The client's state machine, without sockets, threads or clocks of its own. Everything happens on the scheduler's
 * thread, which owns every field that is not final or volatile. Other threads only {@link #post}. Calls to the
 * application go through {@link CallbackDispatcher} only.
 */
final class ClientEngine {
    private static final Logger LOG = LoggerFactory.getLogger(ClientEngine.class);
    private static final String AGENT = "realtime-java/1";
    private static final Duration HEALTHY_AFTER = Duration.ofSeconds(10);
    // The bound on any wait that a server asks for.
    private static final Duration LONGEST_WAIT = Duration.ofHours(1);
    private static final Duration PROBE = Duration.ofSeconds(5);
    private static final Duration BURST = Duration.ofSeconds(1);
    private static final Duration ROOM_RETRY = Duration.ofSeconds(1);
    private static final Duration BAD_FRAMES_WITHIN = Duration.ofMinutes(1);
    private static final int BAD_FRAMES = 10;
    private static final int MOST_POSTED = 10_000;
    private static final int MOST_TOO_BIG = 3;
    private static final CloseReason DISCONNECT = new CloseReason(CloseReason.NORMAL, "the client disconnects");
    private static final int DEFAULT_INFLIGHT = 256;
    // The bound on the protocol's own requests.
    private static final int MOST_QUESTION_BYTES = 64 << 10;
    private static final int LEAST_QUESTION_BYTES = 1 << 10;

    private final ClientConfig config;
    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    private final Sender sender;
    private final Rooms rooms;
    private final HistoryReader history;
    private final ClientCalls calls;
    private final InboxAcks inboxAcks;
    private final Drain drain;
    private final Failures failures;
    private final Throttle reconnections;
    private final Throttle networkChanges;

    private volatile ConnectionState state = ConnectionState.IDLE;
    private volatile boolean terminated;
    // Latches of the threads that wait in close.
    private final Set<CountDownLatch> closers = ConcurrentHashMap.newKeySet();
    // Tasks that wait for the scheduler.
    private final Set<Posted> posted = ConcurrentHashMap.newKeySet();
    // The size of posted.
    private final AtomicInteger postedCount = new AtomicInteger();
    // Rooms to leave although the futures of these calls were refused, with the last number sent before.
    private final Map<String, Long> untoldLeaves = new ConcurrentHashMap<>();
    // The last call of disconnect, if nothing was asked since.
    private final AtomicReference<@Nullable Disconnect> lastDisconnect = new AtomicReference<>();
    private final Once reconnecting;
    private final Once changingNetwork;

    private final Waiters<Void> opening;
    private @Nullable ServerConnection link;
    // Calls of connect while the client disconnects.
    private final Waiters<Void> reopening;
    // Whether connect was called while the client disconnects, even if its caller has given up.
    private boolean isReopening;
    private Drain.@Nullable Wait disconnecting;
    private Scheduler.Cancellable retry = ServerConnection.NOTHING;
    // On the scheduler's clock.
    private long retryAt;
    private int attempt;
    // Messages that were longer than this client accepts, since a connection was last healthy.
    private int tooBig;
    private String clientId;
    // The owner of the messages, rooms and positions; null until a welcome names it.
    private @Nullable String user;
    // Whether the hello names nothing that belonged to another user.
    private boolean isNewUser;
    // Counts the users: each has another number.
    private int era;
    private @Nullable String session;
    private @Nullable String lastToken;
    private @Nullable String refusedToken;
    // Why refusedToken was refused.
    private @Nullable CloseReason refusal;
    private boolean tokenRetried;
    // The longest request that the server accepts, as it last said.
    private int longestQuestion = Protocol.MOST_HELLO_BYTES;
    // The longest request that every hop accepts, as far as is known.
    private int mostQuestionBytes = MOST_QUESTION_BYTES;
    // Whether the hello was too big for this server: then the next one names only the protocol's rooms.
    private boolean isHelloTooBig;

    ClientEngine(ClientConfig config, CallbackDispatcher callbacks) {
        this.config = config;
        this.scheduler = config.scheduler();
        this.callbacks = callbacks;
        this.failures = new Failures(config.target().toString(), scheduler, callbacks::error);
        this.opening = new Waiters<>(callbacks, "the connection");
        this.reopening = new Waiters<>(callbacks, "the connection");
        this.sender = new Sender(
                config,
                callbacks,
                this::answersRead,
                this::asked,
                this::holdsMessages,
                this::onProgress,
                this::endDisconnect);
        this.rooms = new Rooms(callbacks, scheduler, sender::isDone, this::retryRoomsLater);
        this.history = new HistoryReader(callbacks, scheduler, this::sendNow);
        this.calls = new ClientCalls(
                Ids.name(config.random()), sender, callbacks, scheduler, this::sendNow, this::checkDrain);
        this.drain = new Drain(scheduler, callbacks, calls, sender, this::isConnectedWithin);
        this.reconnections = new Throttle(scheduler, BURST, this::dialNow);
        this.networkChanges = new Throttle(scheduler, BURST, this::onNetworkChanged);
        this.reconnecting = new Once(this::post, reconnections::ask);
        this.changingNetwork = new Once(this::post, networkChanges::ask);
        this.inboxAcks = new InboxAcks(scheduler, this::sendInboxAck, callbacks::error);
        FileOutbox file = config.outboxFile();
        this.clientId = file == null ? Ids.secret(config.random()) : file.clientId();
        sender.restore();
    }

    // From any thread

    /** Runs a task on the scheduler's thread. */
    void post(Runnable task) {
        try {
            scheduler.schedule(Duration.ZERO, task);
        } catch (RuntimeException | Error refusal) {
            if (!terminated) {
                // If the client is terminated, nothing is left to do.
                throw refusal;
            }
        }
    }

    /**
     * Runs a task that completes a future. Fails the future when the task cannot run any more.
     *
     * @return false when the future had failed before, or fails now because too many tasks wait
     */
    private boolean ask(CompletableFuture<?> result, Runnable task) {
        if (result.isDone()) {
            return false;
        }
        if (postedCount.incrementAndGet() > MOST_POSTED) {
            postedCount.decrementAndGet();
            String why = MOST_POSTED + " calls wait for the client's thread";
            result.completeExceptionally(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
            return false;
        }
        Posted mine = new Posted(result, task);
        posted.add(mine);
        try {
            post(mine);
        } catch (RuntimeException | Error refusal) {
            boolean unused = remove(mine);
            throw refusal;
        }
        // Only after post: otherwise a disconnect of another thread could count as called after this.
        lastDisconnect.set(null);
        if (terminated && remove(mine)) {
            // The end of the client may have missed the task.
            result.completeExceptionally(closed());
        }
        return true;
    }

    private boolean remove(Posted task) {
        boolean isMine = posted.remove(task);
        if (isMine) {
            postedCount.decrementAndGet();
        }
        return isMine;
    }

    /** A task that was posted and has not begun, and the future that waits for it. */
    private final class Posted implements Runnable {
        private final CompletableFuture<?> result;
        private final Runnable task;

        Posted(CompletableFuture<?> result, Runnable task) {
            this.result = result;
            this.task = task;
        }

        @Override
        public void run() {
            if (terminated) {
                fail();
            } else if (remove(this)) {
                try {
                    task.run();
                } catch (Throwable failure) {
                    // A bound was reached or the scheduler failed: the caller must know.
                    callbacks.fail(result, failure);
                }
            }
        }

        void fail() {
            if (remove(this)) {
                callbacks.fail(result, closed());
            }
        }
    }

    ConnectionState state() {
        return state;
    }

    CompletableFuture<Void> connect() {
        CompletableFuture<Void> result = callbacks.newFuture();
        ask(result, () -> connect(result, ServerConnection.NOTHING));
        return result;
    }

    CompletableFuture<Void> connect(Duration timeout) {
        CompletableFuture<Void> result = callbacks.newFuture();
        ask(
                result,
                () -> connect(result, scheduler.schedule(timeout, () -> {
                    ConnectionException late = failures.none("within " + timeout);
                    opening.fail(result, late);
                    reopening.fail(result, late);
                })));
        return result;
    }

    void disconnect(Duration grace) {
        boolean isCallback = callbacks.isRunningHere();
        Disconnect last = lastDisconnect.get();
        if (last != null && last.include(grace, isCallback)) {
            return;
        }
        Disconnect next = new Disconnect(grace, isCallback);
        lastDisconnect.set(next);
        boolean isPosted = false;
        try {
            post(next);
            isPosted = true;
        } finally {
            if (!isPosted) {
                // It does not run, so no later call may rely on it.
                lastDisconnect.set(null);
            }
        }
    }

    /** One task for all calls of disconnect since another call was posted. */
    private final class Disconnect implements Runnable {
        // Null from the moment when it runs.
        private final AtomicReference<@Nullable DisconnectRequest> ending;

        private record DisconnectRequest(Duration grace, boolean isCallback) {}

        Disconnect(Duration grace, boolean isCallback) {
            this.ending = new AtomicReference<>(new DisconnectRequest(grace, isCallback));
        }

        /** Adds another call. Returns false if the task has begun. */
        boolean include(Duration grace, boolean isCallback) {
            DisconnectRequest known = ending.updateAndGet(before -> before == null
                    ? null
                    : new DisconnectRequest(before.grace.compareTo(grace) < 0 ? before.grace : grace, isCallback));
            return known != null;
        }

        @Override
        public void run() {
            DisconnectRequest last = ending.getAndSet(null);
            if (last != null) {
                disconnect(last.grace, last.isCallback);
            }
        }
    }

    CompletableFuture<JoinResult> join(String room, int history, Duration timeout) {
        CompletableFuture<JoinResult> result = callbacks.newFuture();
        boolean isAsked = !callbacks.isRunningHere();
        ask(result, () -> {
            beforeAsking(isAsked);
            // Messages that were sent before the join leave before it, unless they wait for the disk or their turn.
            sender.pump();
            rooms.join(room, history, timeout, result);
        });
        return result;
    }

    CompletableFuture<Void> leave(String room) {
        CompletableFuture<Void> result = callbacks.newFuture();
        boolean isAsked = !callbacks.isRunningHere();
        // Messages up to this number were sent before, for a room that is joined.
        long behind = sender.lastSeq();
        boolean isTaken = ask(result, () -> {
            beforeAsking(isAsked);
            rooms.leave(room, behind, result);
        });
        if (!isTaken && untoldLeaves.put(room, behind) == null) {
            // The future was refused, but the room is left all the same.
            post(() -> {
                Long last = untoldLeaves.remove(room);
                beforeAsking(isAsked);
                rooms.leave(room, last == null ? behind : last, new CompletableFuture<>());
            });
        }
        return result;
    }

    private void beforeAsking(boolean isAsked) {
        if (isAsked) {
            endDisconnect();
        }
    }

    CompletableFuture<HistoryPage> history(String room, HistoryQuery query) {
        CompletableFuture<HistoryPage> result = callbacks.newFuture();
        boolean isAsked = !callbacks.isRunningHere();
        ask(result, () -> {
            beforeAsking(isAsked);
            sender.pump();
            history.ask(room, query, result);
        });
        return result;
    }

    <T> CompletableFuture<Void> send(Event<T> event, T data, @Nullable String room) {
        return sender.send(event, data, room);
    }

    /** Returns the part that sends and answers requests and streams. */
    ClientCalls calls() {
        return calls;
    }

    void reconnectNow() {
        reconnecting.post();
    }

    void networkChanged() {
        changingNetwork.post();
    }

    /** Closes for good when everything asked for is delivered or the grace is over; then runs {@code last}. */
    void close(Duration grace, Runnable last) {
        Steps.run(() -> awaitDelivery(grace), sender::close);
        try {
            post(() -> end(last));
        } catch (Throwable refusal) {
            // The scheduler runs no more tasks, so this thread cannot race with it.
            Steps.warn(LOG, "the scheduler refuses to close the client; this thread does", refusal);
            end(last);
        }
    }

    /** Blocks the calling thread until everything is delivered or the grace is over. */
    private void awaitDelivery(Duration grace) {
        CountDownLatch delivered = new CountDownLatch(1);
        boolean isCallback = callbacks.isRunningHere();
        int ownAnswers = calls.isHandlingHere() ? 1 : 0;
        closers.add(delivered);
        try {
            if (!terminated && !grace.isZero()) {
                post(() -> drain.begin(drain.newWait(grace, isCallback, ownAnswers, delivered::countDown)));
                scheduler.await(delivered, grace);
            }
        } catch (InterruptedException interrupted) {
            // The caller wants to stop waiting.
            Thread.currentThread().interrupt();
        } finally {
            closers.remove(delivered);
        }
    }

    private void end(Runnable last) {
        if (!terminated) {
            Steps.run(
                    // First, since a disconnect that ends may connect again.
                    drain::stop,
                    () -> stop(new CloseReason(CloseReason.NORMAL, "the client is closed"), null),
                    () -> terminated = true,
                    () -> closers.forEach(CountDownLatch::countDown),
                    () -> reopening.fail(closed()),
                    // The scheduler may not run these any more.
                    () -> Steps.each(posted, Posted::fail),
                    calls::close,
                    inboxAcks::stop,
                    callbacks::close,
                    sender::stop,
                    last);
        }
    }

    private static RealtimeException closed() {
        return new RealtimeException(ErrorCode.CLOSED, "the client is closed");
    }

    // States

    private void become(Status status, Duration delay, @Nullable CloseReason reason) {
        ConnectionState next = new ConnectionState(status, attempt, delay, reason);
        LOG.debug("{} -> {}", state, next);
        state = next;
        callbacks.state(next);
        checkDrain();
    }

    /** @param deadline the timer that fails the future */
    private void connect(CompletableFuture<Void> result, Scheduler.Cancellable deadline) {
        if (disconnecting != null) {
            isReopening = true;
            reopening.add(result, deadline);
            return;
        }
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

    private void begin() {
        attempt = 0;
        tooBig = 0;
        tokenRetried = false;
        refusedToken = null;
        // Forgets the failures of the series before.
        failures.over();
        dial();
    }

    /**
     * Disconnects when everything asked for is delivered. A connect meanwhile waits for that, and then connects again.
     */
    private void disconnect(Duration grace, boolean isCallback) {
        Drain.Wait before = disconnecting;
        // This call comes after a connect and overrides it.
        isReopening = false;
        reopening.fail(disconnected(DISCONNECT, null));
        Duration left = before == null || before.left().compareTo(grace) > 0 ? grace : before.left();
        if (before != null) {
            drain.forget(before);
        }
        if (left.isZero()) {
            disconnected();
            return;
        }
        Drain.Wait wait = drain.newWait(left, isCallback, 0, this::disconnected);
        disconnecting = wait;
        drain.begin(wait);
    }

    /**
     * Ends a disconnect that waits. What the application asks for from now on is for the next connection, which may
     * have another user.
     */
    private void endDisconnect() {
        Drain.Wait wait = disconnecting;
        if (wait != null) {
            drain.end(wait);
        }
    }

    private void disconnected() {
        disconnecting = null;
        stop(DISCONNECT, null);
        if (isReopening) {
            isReopening = false;
            reopening.moveTo(opening);
            begin();
        }
    }

    private boolean isConnectedWithin(long nanos, boolean isIdle) {
        return switch (state.status()) {
            case OPEN -> true;
            case CONNECTING -> !isIdle;
            case WAITING -> !isIdle && config.outboxFile() == null && retryAt - scheduler.nanoTime() < nanos;
            case IDLE, CLOSED -> false;
        };
    }

    /**
     * Checks whether a drain has ended; on any thread. The check is a task of its own, since it may disconnect, which
     * must not happen in the middle of another change.
     */
    private void checkDrain() {
        if (drain.isUnderWay()) {
            Steps.run(() -> post(drain::check));
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
                    ServerConnection again = new ServerConnection(this, callbacks);
                    // Only once, since a network that changes constantly must not prevent a connection.
                    again.isRedial = true;
                    link = again;
                    open(again, lastToken);
                } else if (current != null && current.phase == ServerConnection.ConnectionPhase.CONNECTED) {
                    probe(current);
                }
            }
            case IDLE, CLOSED -> {}
        }
    }

    private void dial() {
        retry.cancel();
        ServerConnection next = new ServerConnection(this, callbacks);
        link = next;
        TokenProvider tokens = config.tokens();
        if (tokens == null) {
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
        callbacks.execute(() -> askForToken(next, tokens));
    }

    /** Calls the token provider; on the callback executor. */
    private void askForToken(ServerConnection next, TokenProvider tokens) {
        if (next.isOver()) {
            // The task waited too long here, and another attempt asks.
            return;
        }
        try {
            Steps.whenComplete(tokens.token(), (token, failure) -> post(() -> onToken(next, token, failure)));
        } catch (Throwable failure) {
            // The application's code may throw anything.
            post(() -> onToken(next, null, failure));
        }
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
        } else if (token.equals(refusedToken)) {
            String why = refusal == null || refusal.text().isEmpty() ? "" : ": " + refusal.text();
            stop(new CloseReason(CloseReason.UNAUTHORIZED, "the token was refused and there is no other" + why), null);
        } else {
            open(next, token);
        }
    }

    private void open(ServerConnection next, @Nullable String token) {
        lastToken = token;
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

    /** Cancels an attempt, or forgets a connection without closing it. */
    private void drop(@Nullable ServerConnection ended) {
        if (ended != null) {
            Steps.run(
                    ended::end,
                    () -> link = null,
                    rooms::connectionLost,
                    history::connectionLost,
                    sender::connectionLost,
                    inboxAcks::stop);
        }
    }

    /** Forgets and closes the present attempt or connection. */
    private void abandon(CloseReason reason) {
        ServerConnection ended = link;
        Steps.run(inboxAcks::flush);
        drop(ended);
        if (ended != null) {
            Steps.run(() -> ended.close(reason));
        }
    }

    /** Gives up a connection and tries again after the backoff. */
    private void lose(ServerConnection lost, CloseReason reason) {
        if (lost != link) {
            return;
        }
        abandon(reason);
        failed(lost, reason);
        retryLater(reason, Duration.ZERO);
    }

    private void retryLater(CloseReason reason, Duration atLeast) {
        retryLater(disconnected(reason, null), atLeast);
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
            waitFor(delay, disconnected(reason, null));
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
            stop(
                    new CloseReason(CloseReason.INTERNAL_ERROR, "the scheduler failed: " + Steps.message(failure)),
                    failure);
            return;
        }
        become(Status.WAITING, delay, reason);
    }

    private void stop(CloseReason reason, @Nullable Throwable cause) {
        stop(disconnected(reason, cause));
    }

    private void stop(ConnectionException failure) {
        CloseReason reason = failure.reason();
        Steps.run(
                () -> history.fail(failure),
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
                () -> rooms.fail(failure),
                () -> calls.fail(failure));
    }

    private static ConnectionException disconnected(CloseReason reason, @Nullable Throwable cause) {
        return new ConnectionException(errorCode(reason), reason, cause);
    }

    private static ErrorCode errorCode(CloseReason reason) {
        return switch (reason.code()) {
            case CloseReason.NORMAL -> ErrorCode.CLOSED;
            case CloseReason.UNAUTHORIZED -> ErrorCode.UNAUTHORIZED;
            case CloseReason.FORBIDDEN -> ErrorCode.FORBIDDEN;
            case CloseReason.TOO_BIG -> ErrorCode.TOO_BIG;
            default -> ErrorCode.CONNECTION_LOST;
        };
    }

    // Callbacks of the transport

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

    /**
     * Reports why an attempt did not lead to a session. The loss of an open connection is not a failure; the attempt
     * after it may be one.
     */
    private void failed(ServerConnection attempt, CloseReason reason) {
        if (!attempt.welcomed) {
            failures.add(disconnected(reason, null));
        }
    }

    void onConnected(ServerConnection made, Connection connection) {
        if (made != link) {
            connection.abort();
            return;
        }
        made.dialing = ServerConnection.NOTHING;
        made.opened(connection);
        WireMessage hello;
        try {
            hello = hello();
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

    /** Returns the {@code $hello} with as many positions as fit. */
    private WireMessage hello() {
        int without =
                hello(new Rooms.Positions(Collections.emptyMap(), true)).frame().length();
        int bytes = Math.min(Protocol.MOST_HELLO_BYTES, longestQuestion) - without;
        return hello(rooms.positions(isHelloTooBig ? 0 : bytes, messageBytes())).frame();
    }

    private Outgoing hello(Rooms.Positions positions) {
        Boolean isPartial = positions.isPartial() ? true : null;
        Protocol.Hello hello = new Protocol.Hello(
                lastToken, clientId, session, positions.named(), isPartial, AGENT, false, messageBytes());
        return Outgoing.of(Protocol.HELLO).data(hello, Protocol.Hello.class);
    }

    void onClosed(ServerConnection closed, CloseReason said, boolean byPeer) {
        if (closed != link) {
            return;
        }
        // The transport found the fault, so this is not what the server said.
        boolean isFault = !byPeer && said.code() != CloseReason.ABNORMAL;
        CloseReason reason = isFault ? said : closed.explain(said);
        CloseRule rule = isFault ? CloseRule.BACKOFF : CloseRule.of(reason.code());
        if (rule == CloseRule.TOO_BIG && !closed.welcomed) {
            isHelloTooBig = true;
        } else if (rule == CloseRule.TOO_BIG && !sender.tooBig(reason, closed.longestOther)) {
            // Some hop accepts less than the server says.
            int half = closed.longestOther / 2;
            mostQuestionBytes = Math.max(LEAST_QUESTION_BYTES, Math.min(mostQuestionBytes, half));
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
            case STOP -> stop(reason, null);
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
        String why = "the server sent a message of more than this client's messageBytes, " + messageBytes();
        callbacks.error(new RealtimeException(ErrorCode.TOO_BIG, why));
        tooBig++;
        if (tooBig >= MOST_TOO_BIG) {
            stop(new CloseReason(CloseReason.TOO_BIG, why), null);
        } else {
            retryLater(reason, Duration.ZERO);
        }
    }

    private int messageBytes() {
        return config.target().messageBytes();
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
        if (config.tokens() == null) {
            stop(reason, null);
            return;
        }
        refusedToken = lastToken;
        refusal = reason;
        freshToken(reason);
    }

    private void freshToken(CloseReason reason) {
        if (tokenRetried) {
            retryLater(reason, Duration.ZERO);
        } else {
            tokenRetried = true;
            attempt++;
            waitFor(Duration.ZERO, disconnected(reason, null));
        }
    }

    void onDrained(ServerConnection drained) {
        if (drained == openLink()) {
            rooms.retry();
            sender.pump();
            calls.drained();
        }
    }

    void onOverload(ServerConnection overloaded) {
        lose(overloaded, new CloseReason(CloseReason.SLOW_CONSUMER, "handlers cannot keep up"));
    }

    void onBadFrame(ServerConnection from, RealtimeException nonsense) {
        if (from != link) {
            return;
        }
        callbacks.error(nonsense);
        long now = scheduler.nanoTime();
        if (from.badFrames == 0 || now - from.badFramesSince > BAD_FRAMES_WITHIN.toNanos()) {
            from.badFrames = 0;
            from.badFramesSince = now;
        }
        if (++from.badFrames >= BAD_FRAMES) {
            lose(from, new CloseReason(CloseReason.PROTOCOL_ERROR, "the peer does not speak the protocol"));
        }
    }

    static RealtimeException nonsense(String what) {
        return new RealtimeException(ErrorCode.BAD_MESSAGE, "the server sent " + what);
    }

    // Frames

    void onFrame(ServerConnection from, Envelope frame) {
        boolean delivered = false;
        long mark = callbacks.mark();
        try {
            if (from == link) {
                // Only the last frame before a close explains the close.
                from.lastError = null;
                delivered = take(from, frame);
            }
        } catch (RuntimeException nonsense) {
            // Input of a peer must not stop the client.
            onBadFrame(
                    from,
                    nonsense instanceof RealtimeException known
                            ? known
                            : nonsense("a '" + frame.type() + "' that cannot be read"));
        } catch (Error failure) {
            // For example, no memory.
            Steps.log(LOG, "a frame could not be taken; the connection ends", failure);
            lose(from, new CloseReason(CloseReason.INTERNAL_ERROR, "the client failed to take a frame"));
        } finally {
            if (!delivered) {
                callbacks.doneSince(mark, frame.length());
            }
        }
    }

    /** Handles a frame. Returns true if it went to the handlers of an event; then its memory is released after them. */
    private boolean take(ServerConnection from, Envelope frame) {
        if (!from.welcomed) {
            takeBeforeWelcome(from, frame);
            return false;
        }
        if (!rooms.isNew(frame)) {
            return false;
        }
        boolean delivered = !frame.isProtocol() && frame.ref() == null;
        try {
            if (delivered) {
                deliver(frame);
            } else if (!frame.isProtocol()) {
                calls.question(frame);
            } else {
                takeProtocol(from, frame);
            }
        } catch (RuntimeException nonsense) {
            // The frame would fail again the next time.
            rooms.passed(frame);
            throw nonsense;
        }
        // Not after an Error: then the frame must be sent again.
        rooms.passed(frame);
        if (Names.SESSION.equals(frame.room())) {
            // An answer, like any other frame of the session's inbox.
            sender.settle();
            calls.settle(answersRead());
            calls.arrived(frame.offset(), frame.length());
        }
        return delivered;
    }

    private void deliver(Envelope frame) {
        String epoch = rooms.epoch(frame.room());
        boolean inInbox = Names.USER.equals(frame.room()) && frame.offset() > 0;
        int current = era;
        callbacks.deliver(new Inbound(frame, epoch, scheduler.currentTimeMillis()), isHandled -> {
            callbacks.done(frame.length());
            if (inInbox) {
                // The user's inbox has no reload hook that could hold the message.
                post(() -> onOutcome(current, epoch, frame.offset(), isHandled));
            }
        });
    }

    private void takeBeforeWelcome(ServerConnection from, Envelope frame) {
        switch (frame.type()) {
            case Protocol.WELCOME -> {
                try {
                    welcome(from, frame.data(Protocol.Welcome.class), frame.ts());
                } catch (RuntimeException unfit) {
                    // Without a welcome there is no session.
                    callbacks.error(unfit);
                    lose(from, new CloseReason(CloseReason.PROTOCOL_ERROR, "a welcome that makes no sense"));
                }
            }
            case Protocol.ERROR -> takeError(from, frame);
            case Protocol.GOODBYE -> takeGoodbye(from, frame);
            case Protocol.PING -> pong(from, frame);
            default -> throw nonsense("'" + frame.type() + "' before its welcome");
        }
    }

    private void takeProtocol(ServerConnection from, Envelope frame) {
        switch (frame.type()) {
            case Protocol.ACK -> {
                Protocol.Ack ack = frame.data(Protocol.Ack.class);
                sender.acknowledged(ack.seq(), ack.answers());
            }
            case Protocol.REPLY -> {
                try {
                    if (!rooms.reply(frame) && !calls.reply(frame)) {
                        history.reply(frame);
                    }
                } finally {
                    // Messages wait for open requests, whatever the answer is.
                    sender.pump();
                }
            }
            case Protocol.NEXT -> calls.item(frame);
            case Protocol.END -> calls.end(frame);
            case Protocol.CREDIT -> calls.credit(frame);
            case Protocol.CANCEL -> calls.cancelled(frame);
            case Protocol.ERROR -> takeError(from, frame);
            case Protocol.JOINED -> {
                rooms.put(requireRoom(frame), frame.data(Protocol.RoomPosition.class));
                // Messages may have waited for this room.
                sender.pump();
            }
            case Protocol.LEFT -> {
                rooms.taken(requireRoom(frame));
                sender.pump();
            }
            case Protocol.GAP -> {
                Protocol.GapNotice gap = frame.data(Protocol.GapNotice.class);
                rooms.gap(requireRoom(frame), gap);
                if (Names.SESSION.equals(frame.room())
                        && ErrorCode.TOO_BIG.value().equals(gap.reason())) {
                    // Only this one message is missing, and it was not an answer.
                    calls.arrived(gap.offset(), frame.length());
                } else if (Names.SESSION.equals(frame.room())) {
                    calls.answersLost(sender.lastSeq(), answersRead());
                }
            }
            case Protocol.GOODBYE -> takeGoodbye(from, frame);
            case Protocol.PING -> pong(from, frame);
            case Protocol.WELCOME -> throw nonsense("a second welcome");
            // A frame of a later protocol version.
            default -> LOG.debug("ignored '{}'", frame.type());
        }
    }

    private static String requireRoom(Envelope frame) {
        String room = frame.room();
        if (room == null) {
            throw nonsense("'" + frame.type() + "' without a room");
        }
        return room;
    }

    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
    private void welcome(ServerConnection from, Protocol.Welcome welcome, long serverMillis) {
        if (welcome.session() == null) {
            throw nonsense("a welcome without a session");
        }
        Map<String, Protocol.RoomPosition> states = welcome.rooms() == null ? Collections.emptyMap() : welcome.rooms();
        Rooms.check(states);
        String named = welcome.user() == null ? "" : welcome.user();
        boolean isForeign = user == null ? sender.isForeignTo(named) : !user.equals(named);
        if (isForeign && !isNewUser) {
            comeBackAs(named);
            return;
        } else if (isForeign) {
            // The user that the previous welcome named has sent messages meanwhile.
            changeUser(named);
        } else if (user == null) {
            user = named;
            sender.own(named, clientId);
        }
        isNewUser = false;
        Protocol.LimitsData limits = welcome.limits();
        from.inflight = limits == null || limits.inflight() < 1 ? DEFAULT_INFLIGHT : limits.inflight();
        from.inflightBytes = limits == null || limits.inflightBytes() < 1 ? Long.MAX_VALUE : limits.inflightBytes();
        from.spreadMs =
                welcome.retry() == null ? 0 : Math.max(0, welcome.retry().spreadMs());
        from.watchdog.cancel();
        from.health = scheduler.schedule(HEALTHY_AFTER, () -> {
            attempt = 0;
            tooBig = 0;
            tokenRetried = false;
            refusedToken = null;
        });
        watch(from, welcome.heartbeat());
        session = welcome.session();
        from.welcomed = true;
        int messageBytes = limits == null || limits.messageBytes() < 1 ? Integer.MAX_VALUE : limits.messageBytes();
        failures.over();
        become(Status.OPEN, Duration.ZERO, null);
        opening.complete(null);
        longestQuestion = Math.min(Math.min(messageBytes, config.target().outboundBytes() / 2), mostQuestionBytes);
        isHelloTooBig = false;
        // Before the messages, which may be for these rooms.
        rooms.welcomed(
                welcome.resumed(),
                states,
                Boolean.TRUE.equals(welcome.partial()),
                from.inflight,
                longestQuestion,
                Math.min(longestQuestion, config.target().messageBytes()),
                from::send);
        callbacks.welcomed();
        inboxAcks.welcomed();
        sender.welcomed(from, welcome.seq(), welcome.answers(), messageBytes, serverMillis);
        if (!welcome.resumed()) {
            calls.sessionLost(welcome.seq(), welcome.answers(), answersRead());
        } else if (isLost(states.get(Names.SESSION))) {
            calls.answersLost(welcome.seq(), answersRead());
        }
        calls.welcomed(longestQuestion);
        calls.settle(answersRead());
    }

    /**
     * Reconnects as a new client, because the server names another user than before. The hello named the former user's
     * client, session and positions, so nothing begins on this connection. The next welcome may name a third user: the
     * server may distinguish users by the client's id.
     */
    private void comeBackAs(String named) {
        CloseReason reason = new CloseReason(CloseReason.NORMAL, "another user");
        abandon(reason);
        session = null;
        clientId = Ids.secret(config.random());
        isNewUser = true;
        changeUser(named);
        attempt++;
        // No attempt has failed, so there is no backoff.
        again(Duration.ZERO, reason);
    }

    /**
     * Drops and reports everything that belonged to the former user. None of it has been sent on a connection of the
     * new user.
     */
    private void changeUser(String named) {
        RealtimeException cause = new RealtimeException(ErrorCode.USER_CHANGED, "it belonged to the user before");
        user = named;
        era++;
        inboxAcks.forget();
        calls.userChanged(cause);
        rooms.forgetAll(cause);
        sender.changeUser(named, clientId, cause);
    }

    private static boolean isLost(Protocol.@Nullable RoomPosition state) {
        return state != null && state.isLost();
    }

    private void watch(ServerConnection from, Protocol.@Nullable HeartbeatMs said) {
        Heartbeat heartbeat = config.heartbeat();
        boolean isUsable = said != null
                && said.intervalMs() > 0
                && said.timeoutMs() > said.intervalMs()
                && said.timeoutMs() <= LONGEST_WAIT.toMillis();
        if (said != null && isUsable) {
            heartbeat = new Heartbeat(Duration.ofMillis(said.intervalMs()), Duration.ofMillis(said.timeoutMs()));
        }
        Duration timeout = heartbeat.timeout();
        from.watch(HeartbeatMonitor.start(
                heartbeat,
                config.random().nextDouble(),
                scheduler,
                from::ping,
                () -> lose(from, new CloseReason(CloseReason.HEARTBEAT_TIMEOUT, "nothing heard for " + timeout))));
    }

    /**
     * Gives a connection some time to show a sign of life. If the network changes again meanwhile, probes once more.
     */
    private void probe(ServerConnection suspect) {
        if (suspect.probe != ServerConnection.NOTHING) {
            suspect.probesAgain = true;
            return;
        }
        suspect.ping();
        suspect.probe = scheduler.schedule(PROBE, () -> {
            suspect.probe = ServerConnection.NOTHING;
            if (suspect != link) {
                return;
            }
            if (suspect.isSilent()) {
                CloseReason reason = new CloseReason(CloseReason.HEARTBEAT_TIMEOUT, "nothing heard on the new network");
                abandon(reason);
                retrySoon(reason, Duration.ZERO);
            } else if (suspect.probesAgain) {
                suspect.probesAgain = false;
                probe(suspect);
            }
        });
    }

    private void takeError(ServerConnection from, Envelope frame) {
        ErrorData error = frame.error();
        RemoteException failure = error.exception();
        if (frame.ref() != null) {
            if (!rooms.error(frame, failure) && !calls.error(frame, failure)) {
                history.error(frame, failure);
            }
            sender.pump();
            return;
        }
        if (frame.seq() == 0) {
            callbacks.error(failure);
            // A close may follow, and this explains it.
            from.lastError = error;
        } else if (sender.failed(frame.seq(), failure)) {
            // If false, the client knows the failure already, or gave the message up.
            callbacks.error(failure);
        }
    }

    private static void takeGoodbye(ServerConnection from, Envelope frame) {
        Protocol.Goodbye goodbye = frame.data(Protocol.Goodbye.class);
        from.goodbye = goodbye.retry();
    }

    private static void pong(ServerConnection from, Envelope frame) {
        JsonElement echo = frame.data(JsonElement.class);
        from.send(Outgoing.of(Protocol.PONG).ref(frame.ref()).data(echo, JsonElement.class));
    }

    private @Nullable ServerConnection openLink() {
        return link != null && link.welcomed ? link : null;
    }

    private boolean sendNow(Outgoing frame) {
        ServerConnection open = openLink();
        return open != null && open.send(frame);
    }

    private void onOutcome(int then, @Nullable String epoch, long offset, boolean isHandled) {
        if (!terminated && then == era) {
            inboxAcks.outcome(epoch, offset, isHandled);
        }
    }

    private boolean sendInboxAck(@Nullable String epoch, long offset) {
        // When the inbox began anew, the offset would acknowledge messages that nobody has seen.
        return Objects.equals(epoch, rooms.epoch(Names.USER))
                && sendNow(Outgoing.of(Protocol.ACK).data(new Protocol.InboxAck(offset), Protocol.InboxAck.class));
    }

    private long answersRead() {
        return rooms.offset(Names.SESSION);
    }

    private int asked() {
        return rooms.asked();
    }

    private boolean holdsMessages() {
        return rooms.holdsMessages();
    }

    private void onProgress() {
        rooms.leaveWhatMay();
        calls.roomAgain();
        checkDrain();
    }

    private void retryRoomsLater() {
        ServerConnection open = openLink();
        if (open != null) {
            open.roomRetry.cancel();
            open.roomRetry = scheduler.schedule(ROOM_RETRY, () -> {
                rooms.retry();
                sender.pump();
            });
        }
    }
}
