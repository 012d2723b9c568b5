package io.realtime.client;

import io.realtime.Event;
import io.realtime.EventBus;
import io.realtime.Message;
import io.realtime.RealtimeException;
import io.realtime.Subscription;
import io.realtime.internal.Steps;
import io.realtime.internal.Texts;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payloads;
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
 * The way from the engine to the application: everything of the application's runs through here, on the callback
 * executor, in order, one at a time. Safe for use by many threads.
 */
final class CallbackDispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(CallbackDispatcher.class);

    /** What a short message costs beside its characters. */
    static final int OVERHEAD = 256;

    private static final Duration RETRY = Duration.ofMillis(100);

    private final Scheduler scheduler;
    private final Executor substitute;
    private final Executor applications;
    private final SerialExecutor executor;
    private final int inboundBytes;
    private final ClientListener listener;
    private final Reloads reloads;
    private final Untold untold;
    private final Payloads payloads;
    private final EventBus everywhere = new EventBus(this::handlerFailed);
    private final ConcurrentHashMap<String, RoomBus> perRoom = new ConcurrentHashMap<>(); // with subscriptions only
    private final AtomicLong backlog = new AtomicLong();

    // How many tasks wait or run on the executors of streams' listeners, none without.
    private final Map<SerialExecutor, Integer> listening = new ConcurrentHashMap<>();

    private boolean handlerThrew; // on the executor only

    /**
     * @param substitute runs what an executor of the application's does not take
     * @param inboundBytes what may wait between the socket and the handlers; beyond it the connection is cut and resumed
     *     later
     */
    CallbackDispatcher(
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
        this.untold = new Untold(this.executor, 2L * inboundBytes / OVERHEAD, this::tell);
    }

    /** Returns how the payloads of the application's contracts travel. */
    Payloads payloads() {
        return payloads;
    }

    void execute(Runnable task) {
        executor.execute(task);
    }

    Executor executor() {
        return executor;
    }

    /** Returns whether the calling thread runs a callback, a stream's listener on an executor of its own included. */
    boolean isRunningHere() {
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

    /** Runs a task when all callbacks have run that wait by now, streams' listeners on executors of their own included. */
    void executeBehindAll(Runnable task) {
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

    /** Returns what runs tasks on another executor in order, one at a time, and loses none. */
    SerialExecutor inOrder(Executor other) {
        return new SerialExecutor(other, this::substitute, this::retry);
    }

    /**
     * Returns what runs a stream's listener on an executor of its own. The callbacks' is none: a listener that waited there
     * for a future would wait for ever.
     */
    Executor forListener(Executor other) {
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

    /** Runs what an executor of the application's did not take. */
    void substitute(Runnable task) {
        substitute.execute(task);
    }

    /** Runs, on the scheduler's thread, what tries again to get a thread. */
    void retry(Runnable task) {
        scheduler.schedule(RETRY, task);
    }

    /**
     * Returns a future for the application, which is completed on the executor; one that has failed already when so many
     * wait for that that nothing more may be asked.
     */
    <T> ClientFuture<T> newFuture() {
        ClientFuture<T> result = new ClientFuture<>(executor);
        RealtimeException refusal = untold.refusalOrNull();
        if (refusal != null) {
            result.completeExceptionally(refusal);
        }
        return result;
    }

    /** Returns what bounds what the application is yet to be told. */
    Untold untold() {
        return untold;
    }

    /** Returns what a frame of so many characters costs to keep. */
    static long cost(int length) {
        return (long) length + OVERHEAD;
    }

    /** Notes that a frame has arrived; false when too much waits, and it must be left to a later resumption. */
    boolean arrived(int length) {
        return backlog.addAndGet(cost(length)) <= inboundBytes;
    }

    /** Notes that a frame needs no memory any more. */
    void done(int length) {
        backlog.addAndGet(-cost(length));
    }

    /** Returns what {@link #doneSince} needs to know of the time before a frame was taken; on the scheduler's thread. */
    long mark() {
        return executor.submitted();
    }

    /** Notes that a frame needs no memory any more once the callbacks that it has led to have run. */
    void doneSince(long mark, int length) {
        if (executor.submitted() == mark) {
            done(length);
        } else {
            executor.execute(() -> done(length));
        }
    }

    /** Counts a frame that another executor than the callbacks' has to hand over, until that has come to it. */
    void waitsFor(Executor other, int length) {
        if (other != executor) {
            backlog.addAndGet(cost(length));
            other.execute(() -> done(length));
        }
    }

    <T> Subscription on(@Nullable String room, Event<T> event, Consumer<? super Message<T>> handler) {
        payloads.of(event.type()); // refuses a type that cannot travel
        return room == null ? everywhere.subscribe(event, handler) : inRoom(room, event, handler, false);
    }

    <T> Subscription once(@Nullable String room, Event<T> event, Consumer<? super Message<T>> handler) {
        payloads.of(event.type()); // refuses a type that cannot travel
        return room == null ? everywhere.once(event, handler) : inRoom(room, event, handler, true);
    }

    /** The handlers of one room; kept as long as there are any. */
    private static final class RoomBus {
        final EventBus bus;
        int subscriptions; // changed within the table's compute methods only

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
    int rooms() {
        return perRoom.size();
    }

    /** A name has one contract in a client, whichever rooms its handlers listen to: the first bus keeps them all. */
    private <T> void declare(Event<T> event) {
        everywhere.subscribe(event, message -> {}).close();
    }

    Subscription onReload(String room, Reload hook) {
        return reloads.register(room, hook);
    }

    /** Hands a message to the handlers of its event unless a reload keeps it, then tells {@code done} whether they took it. */
    void deliver(Inbound message, Consumer<Boolean> done) {
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
     * @return whether there was a handler, and none threw
     */
    boolean hand(Inbound message) {
        String type = message.envelope().type();
        Event<?> event = everywhere.event(type);
        if (event == null) {
            LOG.debug("no handler for '{}'", type);
            return false;
        }
        try {
            return publish(event, message);
        } catch (Throwable unfit) { // a payload's constructor is the application's: anything may come out of it
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

    void state(ConnectionState state) {
        executor.execute(() -> listener.onState(state));
    }

    void error(Throwable failure) {
        untold.report(failure);
    }

    /** Tells of a gap, and lets the room's hook load what was missed. */
    void gap(Gap gap) {
        executor.execute(() -> {
            tellGap(gap);
            reloads.gap(gap);
        });
    }

    /** Tells of a gap in a room that the session may not be in any more. */
    void unauthorized(Gap gap) {
        executor.execute(() -> tellGap(gap));
    }

    /** The room is not joined any more. */
    void left(String room) {
        executor.execute(() -> reloads.left(room));
    }

    /** There is a connection again. */
    void welcomed() {
        executor.execute(reloads::welcomed);
    }

    /** Nothing arrives any more. */
    void close() {
        reloads.close();
    }

    /** Fails what waits for a message, and reports the message. */
    void dropped(CompletableFuture<Void> result, DroppedMessage message) {
        untold.tell(message.cost(), () -> {
            result.completeExceptionally(message.cause());
            listener.onDropped(message);
        });
    }

    <V> void complete(CompletableFuture<V> result, V value) {
        executor.execute(() -> result.complete(value));
    }

    void completeVoid(CompletableFuture<Void> result) {
        executor.execute(() -> result.complete(null));
    }

    void fail(CompletableFuture<?> result, Throwable failure) {
        untold.tell(Untold.FAILURE_BYTES, () -> result.completeExceptionally(failure));
    }

    /** Tells of a gap; on the executor only. */
    void tellGap(Gap gap) {
        try {
            listener.onGap(gap);
        } catch (Throwable failure) { // as every failure of the listener; what follows the gap must go on
            Steps.log(LOG, "the gap listener failed", failure);
        }
    }

    /** Tells of a failure; on the executor only. */
    void tell(Throwable failure) {
        try {
            listener.onError(failure);
        } catch (Throwable second) { // the listener is told of failures, so its own go to the log
            Steps.log(LOG, "the error listener failed", second);
        }
    }
}
