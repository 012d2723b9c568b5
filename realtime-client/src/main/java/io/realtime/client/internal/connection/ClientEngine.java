package io.realtime.client.internal.connection;

import io.realtime.CloseReason;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.Subscription;
import io.realtime.client.ConnectionState;
import io.realtime.client.JoinResult;
import io.realtime.client.Presence;
import io.realtime.client.PresenceChange;
import io.realtime.client.internal.call.ClientCalls;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.CoalescedTask;
import io.realtime.client.internal.callback.Timers;
import io.realtime.client.internal.outbox.Sender;
import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The client behind its API, without sockets, threads or clocks of its own. Its methods are called on any thread, and
 * post to the scheduler's thread, on which all parts of the client run. Calls to the application go through {@link
 * CallbackDispatcher} only.
 */
public final class ClientEngine {
    private static final Logger LOG = LoggerFactory.getLogger(ClientEngine.class);

    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    private final EngineThread thread;
    private final ClientSession session;
    private final Reconnection reconnection;
    private final FrameRouter router;
    private final Disconnection disconnection;
    private final CoalescedTask reconnecting;
    private final CoalescedTask changingNetwork;
    private final CoalescedTask syncingPresence;
    // Rooms to leave although the futures of these calls were refused, with the last number sent before.
    private final Map<String, Long> unansweredLeaves = new ConcurrentHashMap<>();

    /** @throws IllegalStateException when the outbox's file has served a client before */
    public ClientEngine(ClientConfig config, CallbackDispatcher callbacks) {
        this.scheduler = config.scheduler();
        this.callbacks = callbacks;
        this.thread = new EngineThread(scheduler, callbacks);
        this.session = new ClientSession(config, callbacks, thread, this::checkDelivery, this::endDisconnect);
        this.reconnection =
                new Reconnection(config, callbacks, thread, session, this::newConnection, this::checkDelivery);
        this.router = new FrameRouter(scheduler, callbacks, thread, session, reconnection);
        this.disconnection = new Disconnection(thread, scheduler, callbacks, session, reconnection);
        this.reconnecting = new CoalescedTask(thread::post, reconnection::reconnectNow);
        this.syncingPresence = new CoalescedTask(thread::post, session.rooms.presences()::syncAll);
        this.changingNetwork = new CoalescedTask(thread::post, reconnection::networkChanged);
        // Last: the first task that this schedules may run at once on the scheduler's thread.
        session.sender.restore();
    }

    private ServerConnection newConnection() {
        return new ServerConnection(thread, reconnection, router, callbacks);
    }

    private void checkDelivery() {
        disconnection.check();
    }

    private void endDisconnect() {
        disconnection.end();
    }

    /** Returns the present state. */
    public ConnectionState state() {
        return reconnection.state();
    }

    /** Returns the part that sends the application's messages. */
    public Sender sender() {
        return session.sender;
    }

    /** Returns the part that sends and answers requests and streams. */
    public ClientCalls calls() {
        return session.calls;
    }

    /** Connects; the future completes with the welcome. */
    public CompletableFuture<Void> connect() {
        CompletableFuture<Void> result = callbacks.newFuture();
        call(result, () -> disconnection.connect(result, Timers.NONE));
        return result;
    }

    /** Connects; the future waits for the welcome at most for this time. */
    public CompletableFuture<Void> connect(Duration timeout) {
        CompletableFuture<Void> result = callbacks.newFuture();
        call(result, () -> {
            Scheduler.Cancellable deadline =
                    scheduler.schedule(timeout, () -> disconnection.connectTimedOut(result, timeout));
            disconnection.connect(result, deadline);
        });
        return result;
    }

    private boolean call(CompletableFuture<?> result, Runnable task) {
        boolean isPosted = thread.call(result, task);
        if (isPosted) {
            // Only after the post: otherwise a disconnect of another thread could count as called after this.
            disconnection.posted();
        }
        return isPosted;
    }

    /** Disconnects when everything asked for is delivered, or the grace is over. */
    public void disconnect(Duration grace) {
        disconnection.disconnect(grace);
    }

    /** Joins a room; the future waits for the answer at most for this time. */
    public CompletableFuture<JoinResult> join(String room, int history, Duration timeout) {
        CompletableFuture<JoinResult> result = callbacks.newFuture();
        boolean isCallback = callbacks.isRunningHere();
        call(result, () -> {
            beforeAsking(isCallback);
            // Messages that were sent before the join leave before it, unless they wait for the disk or their turn.
            session.sender.pump();
            session.rooms.join(room, history, timeout, result);
        });
        return result;
    }

    /** Leaves a room after the messages that were sent to it; also if the future is refused. */
    public CompletableFuture<Void> leave(String room) {
        CompletableFuture<Void> result = callbacks.newFuture();
        boolean isCallback = callbacks.isRunningHere();
        // Messages up to this number were sent before, for a room that is joined.
        long lastSeq = session.sender.lastSeq();
        boolean isTaken = call(result, () -> {
            beforeAsking(isCallback);
            session.rooms.leave(room, lastSeq, result);
        });
        if (!isTaken && unansweredLeaves.put(room, lastSeq) == null) {
            // The future was refused, but the room is left all the same.
            thread.post(() -> {
                Long last = unansweredLeaves.remove(room);
                beforeAsking(isCallback);
                session.rooms.leave(room, last == null ? lastSeq : last, new CompletableFuture<>());
            });
        }
        return result;
    }

    /** Ends a disconnect that waits, unless a callback asks: what callbacks ask for belongs to this connection. */
    private void beforeAsking(boolean isCallback) {
        if (!isCallback) {
            disconnection.end();
        }
    }

    /** Reads a part of a room's log. */
    public CompletableFuture<HistoryPage> history(String room, HistoryQuery query) {
        CompletableFuture<HistoryPage> result = callbacks.newFuture();
        boolean isCallback = callbacks.isRunningHere();
        call(result, () -> {
            beforeAsking(isCallback);
            session.sender.pump();
            session.history.ask(room, query, result);
        });
        return result;
    }

    /** Returns who is in a room, as its listeners were told last. */
    public Presence presence(String room) {
        return session.rooms.presences().of(room);
    }

    /** Calls a listener when another presence of a room is known. */
    public Subscription onPresence(String room, Consumer<? super PresenceChange> listener) {
        Runnable remove = session.rooms.presences().listen(room, listener);
        syncingPresence.post();
        return () -> {
            remove.run();
            syncingPresence.post();
        };
    }

    /** Sets what others see of this client in a room. */
    public void setState(String room, String state) {
        session.rooms.presences().setState(room, state);
        syncingPresence.post();
    }

    /** Makes the next attempt now if the client waits for one, or for a token. */
    public void reconnectNow() {
        reconnecting.post();
    }

    /** Checks the connection, or makes another attempt: the device's network has changed. */
    public void networkChanged() {
        changingNetwork.post();
    }

    /** Closes for good when everything asked for is delivered or the grace is over; then runs {@code last}. */
    public void close(Duration grace, Runnable last) {
        Steps.run(() -> disconnection.awaitDelivery(grace), session.sender::close);
        try {
            thread.post(() -> end(last));
        } catch (Throwable refusal) {
            // The scheduler runs no more tasks, so this thread cannot race with it.
            Steps.warn(LOG, "the scheduler refuses to close the client; this thread does", refusal);
            end(last);
        }
    }

    private void end(Runnable last) {
        if (!thread.isTerminated()) {
            Steps.run(
                    disconnection::stop,
                    () -> reconnection.stop(new CloseReason(CloseReason.NORMAL, "the client is closed")),
                    thread::terminate,
                    disconnection::release,
                    thread::failCalls,
                    session::close,
                    callbacks::close,
                    last);
        }
    }
}
