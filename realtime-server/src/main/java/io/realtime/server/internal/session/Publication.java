package io.realtime.server.internal.session;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.internal.wire.Names;
import io.realtime.server.OutgoingMessage;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The implementation of {@link OutgoingMessage}.
 *
 * @param target publishes it
 */
record Publication(
        String room,
        @Nullable String user,
        Event<?> event,
        @Nullable Object data,
        @Nullable String from,
        @Nullable String trace,
        Target target)
        implements OutgoingMessage {
    /** Where a message is published to. */
    @FunctionalInterface
    interface Target {
        /** Encodes and publishes the message. Returns its position; null when it is in no log. */
        @Nullable
        Position publish(Publication message);
    }

    static Publication of(OutgoingMessage message) {
        if (message instanceof Publication own) {
            return own;
        }
        throw new IllegalArgumentException("pass on the message of the interceptor, or one that it returns");
    }

    CompletableFuture<@Nullable Position> publish() {
        return CompletableFuture.completedFuture(target.publish(this));
    }

    @Override
    public OutgoingMessage withData(Object other) {
        Objects.requireNonNull(other, "data");
        if (event.type() instanceof Class<?> type && !type.isPrimitive() && !type.isInstance(other)) {
            throw new IllegalArgumentException("the payload of '" + event.name() + "' is a " + type.getName()
                    + ", not a " + other.getClass().getName());
        }
        return new Publication(room, user, event, other, from, trace, target);
    }

    @Override
    public OutgoingMessage withTrace(@Nullable String other) {
        return new Publication(room, user, event, data, from, other == null ? null : Names.requireTrace(other), target);
    }

    /** Returns the fields only: the payload may be confidential. */
    @Override
    public String toString() {
        return "OutgoingMessage{" + event + ", room=" + room + ", user=" + user + ", from=" + from + "}";
    }
}
