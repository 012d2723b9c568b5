package io.realtime;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A typed event bus within one process. {@link #publish} calls the handlers on the publishing thread, one after the
 * other in the order of their registration. A handler that throws does not affect the others.
 *
 * <p>Safe for use by many threads. A handler may subscribe, unsubscribe and publish. A subscription that is made during
 * a publish receives the next message.
 */
public final class EventBus {
    private final BiConsumer<? super Event<?>, ? super Throwable> errors;
    private final ConcurrentHashMap<String, Topic> topics = new ConcurrentHashMap<>();
    private final CopyOnWriteArrayList<Handler> any = new CopyOnWriteArrayList<>();
    private final AtomicLong registrations = new AtomicLong();

    /**
     * Creates a bus without handlers.
     *
     * @param errors receives the event and what a handler threw, on the publishing thread
     */
    public EventBus(BiConsumer<? super Event<?>, ? super Throwable> errors) {
        this.errors = Objects.requireNonNull(errors, "errors");
    }

    /**
     * Registers a handler for every message of the event, until the subscription is closed.
     *
     * @throws IllegalArgumentException if an event of another type already has this name
     */
    public <T> Subscription subscribe(Event<T> event, Consumer<? super Message<T>> handler) {
        return add(event, handler, false);
    }

    /**
     * Registers a handler for the next message of the event. It is called once, even if many threads publish.
     *
     * @throws IllegalArgumentException if an event of another type already has this name
     */
    public <T> Subscription once(Event<T> event, Consumer<? super Message<T>> handler) {
        return add(event, handler, true);
    }

    /**
     * Registers a handler for every message of every event. It is called in registration order with the handlers of
     * that event.
     */
    public Subscription any(BiConsumer<? super Event<?>, ? super Message<?>> handler) {
        Objects.requireNonNull(handler, "handler");
        Handler entry = new Handler(registrations.incrementAndGet(), handler, false);
        any.add(entry);
        return () -> {
            if (entry.end()) {
                any.remove(entry);
            }
        };
    }

    /**
     * Calls the handlers of the message's event, and returns when all have run.
     *
     * @return how many handlers were called
     * @throws IllegalArgumentException if handlers are registered for another event of this name
     */
    public <T> int publish(Event<T> event, Message<T> message) {
        Topic topic = topics.get(event.name());
        if (topic != null) {
            topic.requireSame(event);
        }
        int called = 0;
        for (Handler handler : inOrder(topic)) {
            if (!handler.claim()) {
                continue;
            }
            called++;
            if (handler.once && topic != null) {
                topic.handlers.remove(handler);
            }
            try {
                handler.call.accept(event, message);
            } catch (Throwable failure) {
                // Also catches an Error, so that the other handlers still get the message.
                errors.accept(event, failure);
            }
        }
        return called;
    }

    /** Returns the event of this name for which handlers were registered, or null if there was none. */
    public @Nullable Event<?> event(String name) {
        Topic topic = topics.get(name);
        return topic == null ? null : topic.event;
    }

    @SuppressWarnings("unchecked") // the topic holds handlers of exactly this event
    private <T> Subscription add(Event<T> event, Consumer<? super Message<T>> handler, boolean once) {
        Objects.requireNonNull(handler, "handler");
        Topic topic = topics.computeIfAbsent(event.name(), name -> new Topic(event));
        topic.requireSame(event);
        Handler entry = new Handler(
                registrations.incrementAndGet(), (e, message) -> handler.accept((Message<T>) message), once);
        topic.handlers.add(entry);
        return () -> {
            if (entry.end()) {
                topic.handlers.remove(entry);
            }
        };
    }

    private List<Handler> inOrder(@Nullable Topic topic) {
        if (any.isEmpty()) {
            return topic == null ? new ArrayList<>() : topic.handlers;
        }
        List<Handler> all = new ArrayList<>(any);
        if (topic != null) {
            all.addAll(topic.handlers);
            all.sort((a, b) -> Long.compare(a.registration, b.registration));
        }
        return all;
    }

    private record Topic(Event<?> event, CopyOnWriteArrayList<Handler> handlers) {
        Topic(Event<?> event) {
            this(event, new CopyOnWriteArrayList<>());
        }

        void requireSame(Event<?> other) {
            if (!event.equals(other)) {
                throw new IllegalArgumentException(other + " has the name of " + event);
            }
        }
    }

    private static final class Handler {
        final long registration;
        final BiConsumer<? super Event<?>, ? super Message<?>> call;
        final boolean once;
        private final AtomicBoolean ended = new AtomicBoolean();

        Handler(long registration, BiConsumer<? super Event<?>, ? super Message<?>> call, boolean once) {
            this.registration = registration;
            this.call = call;
            this.once = once;
        }

        boolean claim() {
            return once ? end() : !ended.get();
        }

        boolean end() {
            return ended.compareAndSet(false, true);
        }
    }
}
