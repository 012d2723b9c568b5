package io.realtime.server.internal.session;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.server.Interceptor;
import io.realtime.server.OutgoingMessage;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The implementation of {@link OutgoingMessage}.
 *
 * @param call publishes it; a message with other data shares it
 */
record Publication(
        String room,
        @Nullable String user,
        Event<?> event,
        @Nullable Object data,
        @Nullable String from,
        @Nullable String trace,
        Call call)
        implements OutgoingMessage {
    private static final Logger LOG = LoggerFactory.getLogger(Publication.class);

    /** Where a message is published to. */
    @FunctionalInterface
    interface Target {
        /** Encodes and publishes the message. Returns its position; null when it is in no log. */
        @Nullable
        Position publish(Publication message);
    }

    /** The one publish of a message, by the thread that sends it. */
    static final class Call {
        private final Target target;
        private final Thread thread = Thread.currentThread();
        private boolean isMade;
        // The position, once the message is published.
        private @Nullable CompletableFuture<@Nullable Position> published;

        private Call(Target target) {
            this.target = target;
        }

        private CompletableFuture<@Nullable Position> make(Publication message) {
            if (isMade || thread != Thread.currentThread()) {
                throw new IllegalStateException("an interceptor of the publish of '" + message.event.name()
                        + "' called next twice, after it had returned, or on another thread");
            }
            isMade = true;
            CompletableFuture<@Nullable Position> done = CompletableFuture.completedFuture(target.publish(message));
            published = done;
            return done;
        }
    }

    /**
     * Publishes a message through interceptors. Whatever these do after it is published, the sender gets its position: a
     * sender that saw a failure would send it again.
     *
     * @throws RuntimeException what an interceptor throws before the message is published
     */
    static CompletableFuture<@Nullable Position> through(
            Interceptor.Publishing chain,
            String room,
            @Nullable String user,
            Event<?> event,
            @Nullable Object data,
            @Nullable String from,
            Target target) {
        Call call = new Call(target);
        CompletableFuture<@Nullable Position> result;
        try {
            result = chain.publish(new Publication(room, user, event, data, from, null, call));
        } catch (Throwable failure) {
            call.isMade = true;
            if (call.published == null) {
                throw failure;
            }
            Steps.log(LOG, "an interceptor failed after the publish of '" + event.name() + "'", failure);
            return call.published;
        }
        call.isMade = true;
        if (call.published != null) {
            return call.published;
        }
        if (result.isDone() && !result.isCompletedExceptionally()) {
            throw neither(event);
        }
        // It is refused, or will be.
        return result.isDone()
                ? result
                : result.thenApply(position -> {
                    throw neither(event);
                });
    }

    private static IllegalStateException neither(Event<?> event) {
        return new IllegalStateException(
                "an interceptor of the publish of '" + event.name() + "' neither called next nor refused the message");
    }

    static Publication of(OutgoingMessage message) {
        if (message instanceof Publication own) {
            return own;
        }
        throw new IllegalArgumentException("pass on the message of the interceptor, or one that it returns");
    }

    CompletableFuture<@Nullable Position> publish() {
        return call.make(this);
    }

    @Override
    public OutgoingMessage withData(Object other) {
        Objects.requireNonNull(other, "data");
        if (event.type() instanceof Class<?> type && !type.isPrimitive() && !type.isInstance(other)) {
            throw new IllegalArgumentException("the payload of '" + event.name() + "' is a " + type.getName()
                    + ", not a " + other.getClass().getName());
        }
        return new Publication(room, user, event, other, from, trace, call);
    }

    @Override
    public OutgoingMessage withTrace(@Nullable String other) {
        return new Publication(room, user, event, data, from, other == null ? null : Names.requireTrace(other), call);
    }

    /** Returns the fields only: the payload may be confidential. */
    @Override
    public String toString() {
        return "OutgoingMessage{" + event + ", room=" + room + ", user=" + user + ", from=" + from + "}";
    }
}
