package io.realtime.client;

import io.realtime.Event;
import io.realtime.EventBus;
import io.realtime.Message;
import io.realtime.PayloadException;
import io.realtime.Subscription;
import io.realtime.internal.wire.Envelope;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way from the engine to the application: everything of the application's runs through here, on the callback
 * executor, in order, one at a time. Safe for use by many threads.
 */
final class Callbacks {
    private static final Logger LOG = LoggerFactory.getLogger(Callbacks.class);

    /** What may wait between the socket and the handlers; beyond it the connection is cut and resumed later. */
    private static final long BACKLOG = 8L << 20;

    /** What a short message costs beside its characters. */
    private static final int OVERHEAD = 256;

    private final Executor executor;
    private final ClientListener listener;
    private final EventBus everywhere = new EventBus(this::handlerFailed);
    private final ConcurrentHashMap<String, EventBus> perRoom = new ConcurrentHashMap<>();
    private final AtomicLong backlog = new AtomicLong();

    Callbacks(Executor executor, ClientListener listener) {
        this.executor = new SerialExecutor(executor);
        this.listener = listener;
    }

    void execute(Runnable task) {
        executor.execute(task);
    }

    /** Notes that a frame has arrived; false when too much waits, and it must be left to a later resumption. */
    boolean arrived(int length) {
        return backlog.addAndGet(length + OVERHEAD) <= BACKLOG;
    }

    /** Notes that a frame needs no memory any more. */
    void done(int length) {
        backlog.addAndGet(-(length + OVERHEAD));
    }

    <T> Subscription on(@Nullable String room, Event<T> event, Consumer<? super Message<T>> handler) {
        return bus(room, event).subscribe(event, handler);
    }

    <T> Subscription once(@Nullable String room, Event<T> event, Consumer<? super Message<T>> handler) {
        return bus(room, event).once(event, handler);
    }

    private EventBus bus(@Nullable String room, Event<?> event) {
        if (room == null) {
            return everywhere;
        }
        declare(event);
        return perRoom.computeIfAbsent(room, name -> new EventBus(this::handlerFailed));
    }

    /** A name has one contract in a client, whichever rooms its handlers listen to: the first bus keeps them all. */
    private <T> void declare(Event<T> event) {
        everywhere.subscribe(event, message -> {}).close();
    }

    /** Hands a message to the handlers of its event, then runs {@code handled}. */
    void deliver(Envelope envelope, @Nullable String epoch, long now, Runnable handled) {
        executor.execute(() -> {
            try {
                Event<?> event = everywhere.event(envelope.type());
                if (event == null) {
                    LOG.debug("no handler for '{}'", envelope.type());
                } else {
                    publish(event, envelope, epoch, now);
                }
            } catch (PayloadException unfit) {
                LOG.warn("'{}' from the server does not fit its contract: {}", envelope.type(), unfit.getMessage());
                tell(unfit);
            } finally {
                handled.run();
            }
        });
    }

    private <T> void publish(Event<T> event, Envelope envelope, @Nullable String epoch, long now) {
        long timestamp = envelope.ts() == 0 ? now : envelope.ts();
        Message<T> message = envelope.message(event.type(), epoch, timestamp);
        everywhere.publish(event, message);
        EventBus room = envelope.room() == null ? null : perRoom.get(envelope.room());
        if (room != null) {
            room.publish(event, message);
        }
    }

    private void handlerFailed(Event<?> event, Throwable failure) {
        LOG.error("a handler of {} failed", event, failure);
        tell(failure);
    }

    void state(ConnectionState state) {
        executor.execute(() -> listener.onState(state));
    }

    void error(Throwable failure) {
        executor.execute(() -> tell(failure));
    }

    void gap(String room) {
        executor.execute(() -> listener.onGap(room));
    }

    /** Fails what waits for a message, and reports the message. */
    void dropped(CompletableFuture<Void> result, DroppedMessage message) {
        executor.execute(() -> {
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
        executor.execute(() -> result.completeExceptionally(failure));
    }

    private void tell(Throwable failure) {
        try {
            listener.onError(failure);
        } catch (Throwable second) { // the listener is told of failures, so its own go to the log
            LOG.error("the error listener failed", second);
        }
    }
}
