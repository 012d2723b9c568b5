package io.realtime.client.internal.callback;

import io.realtime.Event;
import io.realtime.EventBus;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.Subscription;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.DroppedMessage;
import io.realtime.client.Gap;
import io.realtime.client.Reload;
import io.realtime.internal.Steps;
import io.realtime.internal.Texts;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payloads;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs all of the application's code for the engine, on the callback executor, in order, one at a time. Safe for use by
 * many threads.
 */
public final class CallbackDispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(CallbackDispatcher.class);

    /** The cost of a short message in addition to its characters. */
    public static final int OVERHEAD = 256;

    private static final Duration RETRY = Duration.ofMillis(100);

    private final Scheduler scheduler;
    private final Executor substitute;
    private final Executor applications;
    private final SerialExecutor executor;
    private final int inboundBytes;
    private final ClientListener listener;
    private final Reloads reloads;
    private final OutcomeBacklog outcomes;
    private final Payloads payloads;
    private final EventBus everywhere = new EventBus(this::handlerFailed);
    // Only rooms with subscriptions.
    private final ConcurrentHashMap<String, RoomBus> perRoom = new ConcurrentHashMap<>();
    private final AtomicLong backlog = new AtomicLong();

    // How many tasks wait or run on the executors of streams' listeners. An executor without tasks is not in the map.
    private final Map<SerialExecutor, Integer> listening = new ConcurrentHashMap<>();

    // Used on the executor only.
    private boolean handlerThrew;

    /**
     * @param substitute runs what an executor of the application rejects
     * @param inboundBytes how much may wait between the socket and the handlers; beyond it the connection is cut and
     *     resumed later
     */
    public CallbackDispatcher(
            Executor executor,
            Executor substitute,
            int inboundBytes,
            ClientListener listener,
            Scheduler scheduler,
            Payloads payloads) {
        this.payloads = payloads;
        this.scheduler = scheduler;
        this.substitute = substitute;
        this.applications = executor;
        this.executor = inOrder(executor);
        this.inboundBytes = inboundBytes;
        this.listener = listener;
        this.reloads = new Reloads(this, scheduler);
        this.outcomes = new OutcomeBacklog(this.executor, 2L * inboundBytes / OVERHEAD, this::tell);
    }

    /** Returns the mapper of the payloads of the application's contracts. */
    public Payloads payloads() {
        return payloads;
    }

    public void execute(Runnable task) {
        executor.execute(task);
    }

    public Executor executor() {
        return executor;
    }

    /** Returns true if the calling thread runs a callback, or a stream's listener on its own executor. */
    public boolean isRunningHere() {
        if (executor.isRunningHere()) {
            return true;
        }
        for (SerialExecutor other : listening.keySet()) {
            if (other.isRunningHere()) {
                return true;
            }
        }
        return false;
    }

    /** Runs a task after all callbacks that wait now, including streams' listeners on their own executors. */
    public void executeAfterAll(Runnable task) {
        List<SerialExecutor> all = new ArrayList<>(listening.keySet());
        all.add(executor);
        AtomicInteger left = new AtomicInteger(all.size());
        for (SerialExecutor one : all) {
            one.execute(() -> {
                if (left.decrementAndGet() == 0) {
                    task.run();
                }
            });
        }
    }

    /** Returns an executor that runs tasks on another one in order, one at a time, and loses none. */
    SerialExecutor inOrder(Executor other) {
        return new SerialExecutor(other, this::substitute, this::retry);
    }

    /**
     * Returns an executor for a stream's listener. The callback executor does not count as the listener's own: a
     * listener that waits there for a future would wait for ever.
     */
    public Executor forListener(Executor other) {
        if (other == applications) {
            return executor;
        }
        SerialExecutor own = inOrder(other);
        return task -> {
            listening.merge(own, 1, Integer::sum);
            own.execute(() -> {
                try {
                    task.run();
                } finally {
                    listening.computeIfPresent(own, (same, tasks) -> tasks == 1 ? null : tasks - 1);
                }
            });
        };
    }

    /** Runs a task that an executor of the application has rejected. */
    public void substitute(Runnable task) {
        substitute.execute(task);
    }

    /** Runs a task on the scheduler's thread after a pause, to try again to get a thread. */
    public void retry(Runnable task) {
        scheduler.schedule(RETRY, task);
    }

    /**
     * Returns a future for the application, which the executor completes. The future has already failed when too many
     * callbacks wait, so that nothing more may be asked.
     */
    public <T> ClientFuture<T> newFuture() {
        ClientFuture<T> result = new ClientFuture<>(executor);
        RealtimeException refusal = outcomes.refusalOrNull();
        if (refusal != null) {
            result.completeExceptionally(refusal);
        }
        return result;
    }

    /** Returns the bounds on what the application is still to be told. */
    public OutcomeBacklog outcomes() {
        return outcomes;
    }

    /** Returns the cost of keeping a frame with this many characters. */
    public static long cost(int length) {
        return (long) length + OVERHEAD;
    }

    /**
     * Counts a frame that has arrived. Returns false if too much waits; then the frame must be left to a later resume.
     */
    public boolean arrived(int length) {
        return backlog.addAndGet(cost(length)) <= inboundBytes;
    }

    /** Releases the memory of a frame. */
    public void done(int length) {
        backlog.addAndGet(-cost(length));
    }

    /** Returns a mark of the time before a frame is handled, for {@link #doneSince}; on the scheduler's thread. */
    public long mark() {
        return executor.submitted();
    }

    /** Releases the memory of a frame after the callbacks that it has led to have run. */
    public void doneSince(long mark, int length) {
        if (executor.submitted() == mark) {
            done(length);
        } else {
            executor.execute(() -> done(length));
        }
    }

    /** Counts a frame that another executor hands over, until that has happened. */
    public void waitsFor(Executor other, int length) {
        if (other != executor) {
            backlog.addAndGet(cost(length));
            other.execute(() -> done(length));
        }
    }

    public <T> Subscription on(@Nullable String room, Event<T> event, Consumer<? super Message<T>> handler) {
        // Refuses a type that cannot be sent.
        payloads.of(event.type());
        return room == null ? everywhere.subscribe(event, handler) : inRoom(room, event, handler, false);
    }

    public <T> Subscription once(@Nullable String room, Event<T> event, Consumer<? super Message<T>> handler) {
        // Refuses a type that cannot be sent.
        payloads.of(event.type());
        return room == null ? everywhere.once(event, handler) : inRoom(room, event, handler, true);
    }

    /** The handlers of one room; kept as long as there are any. */
    private static final class RoomBus {
        final EventBus bus;
        // Changed only within the table's compute methods.
        int subscriptions;

        RoomBus(EventBus bus) {
            this.bus = bus;
        }
    }

    private <T> Subscription inRoom(String room, Event<T> event, Consumer<? super Message<T>> handler, boolean isOnce) {
        Objects.requireNonNull(handler, "handler");
        declare(event);
        RoomBus mine = Objects.requireNonNull(perRoom.compute(room, (name, known) -> {
            RoomBus bus = known == null ? new RoomBus(new EventBus(this::handlerFailed)) : known;
            bus.subscriptions++;
            return bus;
        }));
        AtomicBoolean isOver = new AtomicBoolean();
        Runnable over = () -> {
            if (isOver.compareAndSet(false, true)) {
                perRoom.computeIfPresent(room, (name, bus) -> --bus.subscriptions == 0 ? null : bus);
            }
        };
        Subscription subscription = isOnce
                ? mine.bus.once(event, message -> {
                    over.run();
                    handler.accept(message);
                })
                : mine.bus.subscribe(event, handler);
        return () -> {
            subscription.close();
            over.run();
        };
    }

    /** Returns how many rooms have handlers. */
    public int rooms() {
        return perRoom.size();
    }

    /**
     * Declares the event's contract. A name has one contract in a client, in all rooms: the bus of all rooms keeps them
     * all.
     */
    private <T> void declare(Event<T> event) {
        everywhere.subscribe(event, message -> {}).close();
    }

    public Subscription onReload(String room, Reload hook) {
        return reloads.register(room, hook);
    }

    /**
     * Hands a message to the handlers of its event, unless a reload holds it. Then passes to {@code done} whether they
     * handled it.
     */
    public void deliver(Inbound message, Consumer<Boolean> done) {
        executor.execute(() -> {
            boolean isHandled = false;
            try {
                isHandled = !reloads.keeps(message) && hand(message);
            } finally {
                done.accept(isHandled);
            }
        });
    }

    /**
     * Hands a message to the handlers of its event; on the executor only.
     *
     * @return true if there was a handler, and none threw
     */
    public boolean hand(Inbound message) {
        String type = message.envelope().type();
        if (type.equals(Protocol.DELETED)) {
            tellDeleted(message);
            return true;
        }
        Event<?> event = everywhere.event(type);
        if (event == null) {
            LOG.debug("no handler for '{}'", type);
            return false;
        }
        try {
            return publish(event, message);
        } catch (Throwable unfit) {
            // A payload's constructor is the application's code, which may throw anything.
            LOG.warn("'{}' from the server does not fit its contract: {}", type, Texts.line(Steps.message(unfit)));
            tell(unfit);
            return false;
        }
    }

    private <T> boolean publish(Event<T> event, Inbound inbound) {
        Envelope envelope = inbound.envelope();
        long timestamp = envelope.ts() == 0 ? inbound.now() : envelope.ts();
        Message<T> message = envelope.message(payloads.of(event.type()), inbound.epoch(), timestamp);
        handlerThrew = false;
        int called = everywhere.publish(event, message);
        RoomBus room = envelope.room() == null ? null : perRoom.get(envelope.room());
        if (room != null) {
            called += room.bus.publish(event, message);
        }
        return called > 0 && !handlerThrew;
    }

    private void handlerFailed(Event<?> event, Throwable failure) {
        handlerThrew = true;
        Steps.log(LOG, "a handler of " + event + " failed", failure);
        tell(failure);
    }

    /** Calls a listener of the application; on the executor only. What it throws is logged and reported. */
    public <T> void call(Consumer<? super T> listener, T event, String what) {
        try {
            listener.accept(event);
        } catch (Throwable failure) {
            Steps.log(LOG, what + " failed", failure);
            tell(failure);
        }
    }

    public void state(ConnectionState state) {
        executor.execute(() -> listener.onState(state));
    }

    public void error(Throwable failure) {
        outcomes.report(failure);
    }

    /** Reports a gap, and runs the room's reload hook. */
    public void gap(Gap gap) {
        executor.execute(() -> {
            tellGap(gap);
            reloads.gap(gap);
        });
    }

    /** Reports a gap in a room that the session may not be in any more. */
    public void unauthorized(Gap gap) {
        executor.execute(() -> tellGap(gap));
    }

    /** Reports that the server took the session out of a room. */
    public void removed(String room, @Nullable String reason) {
        executor.execute(() -> listener.onRemoved(room, reason));
    }

    /** Ends the reload of a room that is not joined any more. */
    public void left(String room) {
        executor.execute(() -> reloads.left(room));
    }

    /** Handles a new connection. */
    public void welcomed() {
        executor.execute(reloads::welcomed);
    }

    /** Ends all reloads; no more messages arrive. */
    public void close() {
        reloads.close();
    }

    /**
     * Fails the future of a message, and reports the message as dropped.
     *
     * @param length how many bytes the message keeps until then
     */
    public void dropped(CompletableFuture<Void> result, DroppedMessage message, int length) {
        outcomes.tell(OutcomeBacklog.FAILURE_BYTES + length, () -> {
            result.completeExceptionally(message.cause());
            listener.onDropped(message);
        });
    }

    public <V> void complete(CompletableFuture<V> result, V value) {
        executor.execute(() -> result.complete(value));
    }

    public void completeVoid(CompletableFuture<Void> result) {
        executor.execute(() -> result.complete(null));
    }

    public void fail(CompletableFuture<?> result, Throwable failure) {
        outcomes.tell(OutcomeBacklog.FAILURE_BYTES, () -> result.completeExceptionally(failure));
    }

    private void tellDeleted(Inbound notice) {
        String room = notice.envelope().room();
        try {
            Protocol.DeletedNotice data = notice.envelope().data(Protocol.DeletedNotice.class);
            if (room != null && notice.epoch() != null) {
                listener.onDeleted(room, new Position(notice.epoch(), data.offset()));
            }
        } catch (Throwable failure) {
            // Logged like every failure of the listener; the inbox must continue. Or the notice is malformed.
            Steps.log(LOG, "a deletion in room '" + room + "' could not be told", failure);
        }
    }

    /** Calls the listener with a gap; on the executor only. */
    void tellGap(Gap gap) {
        try {
            listener.onGap(gap);
        } catch (Throwable failure) {
            // Logged like every failure of the listener; what follows the gap must continue.
            Steps.log(LOG, "the gap listener failed", failure);
        }
    }

    /** Calls the listener with a failure; on the executor only. */
    public void tell(Throwable failure) {
        try {
            listener.onError(failure);
        } catch (Throwable second) {
            // The listener gets all failures, so its own failures go to the log.
            Steps.log(LOG, "the error listener failed", second);
        }
    }
}
