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
 * thread, which owns every field that is not final or volatile; other threads only {@link #post}. The application is
 * reached through {@link CallbackDispatcher} alone.
 */
final class ClientEngine {
    private static final Logger LOG = LoggerFactory.getLogger(ClientEngine.class);
    private static final String AGENT = "realtime-java/1";
    private static final Duration HEALTHY_AFTER = Duration.ofSeconds(10);
    private static final Duration LONGEST_WAIT = Duration.ofHours(1); // whatever a server says
    private static final Duration PROBE = Duration.ofSeconds(5);
    private static final Duration BURST = Duration.ofSeconds(1);
    private static final Duration ROOM_RETRY = Duration.ofSeconds(1);
    private static final Duration BAD_FRAMES_WITHIN = Duration.ofMinutes(1);
    private static final int BAD_FRAMES = 10;
    private static final int MOST_POSTED = 10_000;
    private static final int MOST_TOO_BIG = 3;
    private static final CloseReason DISCONNECT = new CloseReason(CloseReason.NORMAL, "the client disconnects");
    private static final int DEFAULT_INFLIGHT = 256;
    private static final int MOST_QUESTION_BYTES = 64 << 10; // of the protocol's own
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
    private final Set<CountDownLatch> closers = ConcurrentHashMap.newKeySet(); // threads that close
    private final Set<Posted> posted = ConcurrentHashMap.newKeySet(); // what waits for the scheduler
    private final AtomicInteger postedCount = new AtomicInteger(); // of these
    private final Map<String, Long> untoldLeaves = new ConcurrentHashMap<>(); // whose futures were refused
    private final AtomicReference<@Nullable Disconnect> lastDisconnect = new AtomicReference<>(); // nothing asked since
    private final Once reconnecting;
    private final Once changingNetwork;

    private final Waiters<Void> opening;
    private @Nullable ServerConnection link;
    private final Waiters<Void> reopening; // calls of connect while the client disconnects
    private boolean isReopening; // since connect was called then, whether anybody still waits for it or not
    private Drain.@Nullable Wait disconnecting;
    private Scheduler.Cancellable retry = ServerConnection.NOTHING;
    private long retryAt; // on the scheduler's clock
    private int attempt;
    private int tooBig; // messages that this client did not take, since a connection was healthy
    private String clientId;
    private @Nullable String user; // whose messages, rooms and positions these are; null until a welcome says
    private boolean isNewUser; // the hello names nothing of another
    private int era; // another for each user
    private @Nullable String session;
    private @Nullable String lastToken;
    private @Nullable String refusedToken;
    private @Nullable CloseReason refusal; // of refusedToken
    private boolean tokenRetried;
    private int longestQuestion = Protocol.MOST_HELLO_BYTES; // that the server takes, as it last said
    private int mostQuestionBytes = MOST_QUESTION_BYTES; // that some hop takes, as far as is known
    private boolean isHelloTooBig; // for this server: the next names the protocol's rooms alone

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
            if (!terminated) { // else nothing is left to do
                throw refusal;
            }
        }
    }

    /**
     * Runs a task that a future waits for; it fails where the task cannot run any more.
     *
     * @return false when the future was refused, or is now, since too many tasks wait
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
        lastDisconnect.set(null); // not before: another thread's must not be taken for a later word than this
        if (terminated && remove(mine)) { // the end may not have seen it
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
                } catch (
                        Throwable failure) { // a bound that is reached, or a scheduler that fails: the caller must know
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
            if (!isPosted) { // no other may count on it
                lastDisconnect.set(null);
            }
        }
    }

    /** What one task does for all calls of disconnect since another call was posted. */
    private final class Disconnect implements Runnable {
        private final AtomicReference<@Nullable DisconnectRequest> ending; // null from when it runs

        private record DisconnectRequest(Duration grace, boolean isCallback) {}

        Disconnect(Duration grace, boolean isCallback) {
            this.ending = new AtomicReference<>(new DisconnectRequest(grace, isCallback));
        }

        /** Returns false when it is too late. */
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
            sender.pump(); // what was sent before leaves before, unless it waits for the disk or its turn
            rooms.join(room, history, timeout, result);
        });
        return result;
    }

    CompletableFuture<Void> leave(String room) {
        CompletableFuture<Void> result = callbacks.newFuture();
        boolean isAsked = !callbacks.isRunningHere();
        long behind = sender.lastSeq(); // what was sent before is for a room that is joined
        boolean isTaken = ask(result, () -> {
            beforeAsking(isAsked);
            rooms.leave(room, behind, result);
        });
        if (!isTaken && untoldLeaves.put(room, behind) == null) { // refused: the room is left all the same
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

    /** Returns who asks and answers requests and streams. */
    ClientCalls calls() {
        return calls;
    }

    void reconnectNow() {
        reconnecting.post();
    }

    void networkChanged() {
        changingNetwork.post();
    }

    /** Ends everything for good, when what was asked for is delivered or the grace is over; then runs {@code last}. */
    void close(Duration grace, Runnable last) {
        Steps.run(() -> awaitDelivery(grace), sender::close);
        try {
            post(() -> end(last));
        } catch (Throwable refusal) { // the scheduler runs nothing more of this, so nothing else runs beside it
            Steps.warn(LOG, "the scheduler refuses to close the client; this thread does", refusal);
            end(last);
        }
    }

    /** Waits on the calling thread. */
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
        } catch (InterruptedException interrupted) { // the caller is to stop waiting
            Thread.currentThread().interrupt();
        } finally {
            closers.remove(delivered);
        }
    }

    private void end(Runnable last) {
        if (!terminated) {
            Steps.run(
                    drain::stop, // first: a disconnect that ends may connect again
                    () -> stop(new CloseReason(CloseReason.NORMAL, "the client is closed"), null),
                    () -> terminated = true,
                    () -> closers.forEach(CountDownLatch::countDown),
                    () -> reopening.fail(closed()),
                    () -> Steps.each(posted, Posted::fail), // which the scheduler may not run
                    () -> rooms.fail(closed()),
                    () -> calls.fail(closed()),
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

    /** @param deadline fails the future later */
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
        failures.over(); // those of the series before are nobody's any more
        dial();
    }

    /** Disconnects when what was asked for is delivered. A connect meanwhile waits for that, and then connects again. */
    private void disconnect(Duration grace, boolean isCallback) {
        Drain.Wait before = disconnecting;
        isReopening = false; // this is a later word
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

    /** What the application wants from now on is for the next connection, which may be another user's. */
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

    /** On any thread. The check is a task of its own, since it may disconnect: never in the middle of another change. */
    private void checkDrain() {
        if (drain.isUnderWay()) {
            Steps.run(() -> post(drain::check));
        }
    }

    /** Makes the attempt that is waited for; one that waits for its token asks for it again. */
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

    /** What a connection, or an attempt, hears or waits for may have gone with the old network. */
    private void onNetworkChanged() {
        switch (state.status()) {
            case WAITING -> dial();
            case CONNECTING, OPEN -> {
                ServerConnection current = link;
                if (current != null && current.phase == ServerConnection.ConnectionPhase.DIALING && !current.isRedial) {
                    drop(current);
                    ServerConnection again = new ServerConnection(this, callbacks);
                    again.isRedial = true; // once: a network that changes on and on must not keep it from connecting
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

    /** On the callback executor. */
    private void askForToken(ServerConnection next, TokenProvider tokens) {
        if (next.isOver()) { // it had to wait for too long here, and another attempt asks
            return;
        }
        try {
            Steps.whenComplete(tokens.token(), (token, failure) -> post(() -> onToken(next, token, failure)));
        } catch (Throwable failure) { // the application's code: anything may come out of it
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
        } catch (Throwable failure) { // a transport's Error, too, is met like a network's
            onFailed(next, failure);
        }
    }

    /** Forgets an attempt or a connection, whatever becomes of it. */
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

    /** Forgets and closes what there is. */
    private void abandon(CloseReason reason) {
        ServerConnection ended = link;
        Steps.run(inboxAcks::flush);
        drop(ended);
        if (ended != null) {
            Steps.run(() -> ended.close(reason));
        }
    }

    /** Gives a connection up and tries again after a while. */
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

    /** Tries again at once, or within a window; a server that goes on like this is met with the backoff. */
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
            retry = scheduler.schedule(delay, this::dial); // before anybody hears of it
            retryAt = scheduler.nanoTime() + Durations.nanos(delay);
        } catch (Throwable failure) { // without time there is no other attempt, and connect must be able to begin one
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

    // What the transport says

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

    /** Says why an attempt has led to no session. A connection that was lost is no failure: the next attempt may be. */
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
        } catch (PayloadException unfit) { // the token's fault, which is the application's text
            callbacks.error(unfit);
            lose(made, new CloseReason(CloseReason.NORMAL, "the token cannot be sent"));
            return;
        }
        int most = config.target().outboundBytes();
        if (hello.length() > most) { // the token's fault: positions fit, whatever their number
            String why = "$hello with its token has " + hello.length() + " bytes, and outboundBytes is " + most;
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
        boolean isFault =
                !byPeer && said.code() != CloseReason.ABNORMAL; // found by the transport: no word of the server
        CloseReason reason = isFault ? said : closed.explain(said);
        CloseRule rule = isFault ? CloseRule.BACKOFF : CloseRule.of(reason.code());
        if (rule == CloseRule.TOO_BIG && !closed.welcomed) {
            isHelloTooBig = true;
        } else if (rule == CloseRule.TOO_BIG && !sender.tooBig(reason, closed.longestOther)) {
            int half = closed.longestOther / 2; // some hop takes less than the server says
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

    /** A message was longer than this client takes. A server that heeds the hello sends none; another would again and again. */
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

    /** Among many clients that lost the same server, when this one returns. */
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
                from.lastError = null; // only the last frame before a close explains it
                delivered = take(from, frame);
            }
        } catch (RuntimeException nonsense) { // whatever a peer says must not stop the client
            onBadFrame(
                    from,
                    nonsense instanceof RealtimeException known
                            ? known
                            : nonsense("a '" + frame.type() + "' that cannot be read"));
        } catch (Error failure) { // no memory, say
            Steps.log(LOG, "a frame could not be taken; the connection ends", failure);
            lose(from, new CloseReason(CloseReason.INTERNAL_ERROR, "the client failed to take a frame"));
        } finally {
            if (!delivered) {
                callbacks.doneSince(mark, frame.length());
            }
        }
    }

    /** Returns whether the frame went to the handlers of an event, behind which its memory is freed. */
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
            rooms.passed(frame); // it would be no better the next time
            throw nonsense;
        }
        rooms.passed(frame); // not behind an Error: then it comes again
        if (Names.SESSION.equals(frame.room())) {
            sender.settle(); // the event of a handler is an answer like any other
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
            if (inInbox) { // no room of the user's has a reload that could keep it
                post(() -> onOutcome(current, epoch, frame.offset(), isHandled));
            }
        });
    }

    private void takeBeforeWelcome(ServerConnection from, Envelope frame) {
        switch (frame.type()) {
            case Protocol.WELCOME -> {
                try {
                    welcome(from, frame.data(Protocol.Welcome.class), frame.ts());
                } catch (RuntimeException unfit) { // without it there is no session
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
                } finally { // messages wait behind questions, whatever the answer is
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
                sender.pump(); // messages may have waited for it
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
                    calls.arrived(gap.offset(), frame.length()); // that one message is missing, and it answered nothing
                } else if (Names.SESSION.equals(frame.room())) {
                    calls.answersLost(sender.lastSeq(), answersRead());
                }
            }
            case Protocol.GOODBYE -> takeGoodbye(from, frame);
            case Protocol.PING -> pong(from, frame);
            case Protocol.WELCOME -> throw nonsense("a second welcome");
            default -> LOG.debug("ignored '{}'", frame.type()); // a later protocol's
        }
    }

    private static String requireRoom(Envelope frame) {
        String room = frame.room();
        if (room == null) {
            throw nonsense("'" + frame.type() + "' without a room");
        }
        return room;
    }

    @SuppressWarnings("ConstantValue") // Gson leaves a missing component null, whatever its annotation
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
        } else if (isForeign) { // whom the welcome before has named wrote in between
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
        rooms.welcomed( // before the messages, which may be for these rooms
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
     * The server takes this client for another user than before. The hello has named the former's client, session and
     * positions, so nothing begins on this connection, and the client comes back as a new one. The next welcome may name a
     * third user: the server may tell users apart by the client's id.
     */
    private void comeBackAs(String named) {
        CloseReason reason = new CloseReason(CloseReason.NORMAL, "another user");
        abandon(reason);
        session = null;
        clientId = Ids.secret(config.random());
        isNewUser = true;
        changeUser(named);
        attempt++;
        again(Duration.ZERO, reason); // no attempt has failed
    }

    /** Drops, and tells of, all that was the former user's; nothing of it is on a connection. */
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

    /** Gives a connection a while to be heard; once more for what changes meanwhile. */
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
            from.lastError = error; // a close may follow, and this is why
        } else if (sender.failed(frame.seq(), failure)) { // else the client has heard it before, or gave the message up
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
        if (openLink() == null) {
            return false;
        }
        if (!Objects.equals(epoch, rooms.epoch(Names.USER))) {
            return true; // the inbox began anew, and the offset would stand for messages nobody has seen
        }
        return sendNow(Outgoing.of(Protocol.ACK).data(new Protocol.InboxAck(offset), Protocol.InboxAck.class));
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
