package io.realtime;

import io.realtime.internal.wire.Names;
import java.lang.reflect.Type;
import java.util.Objects;

/**
 * The contract of a one-way message: its name on the wire and the Java type of its payload. Declare it once, as a
 * constant that server and client share.
 *
 * <p>An event without a payload is an {@code Event<Void>}. Every other payload is never null: a message that arrives
 * without one is refused with {@code bad_data} before a handler sees it.
 *
 * <p>An {@code Event<byte[]>} or {@code Event<ByteBuffer>} is binary: its payload is sent as bytes, not as JSON. The
 * bytes are copied before the send returns. A buffer is read from its position to its limit; neither changes.
 *
 * @param <T> the payload's type: a record, a class, a {@code List}, or any type that Gson maps
 */
@SuppressWarnings("UnusedTypeParameter") // types the handlers that are registered for it
public final class Event<T> {
    private final String name;
    private final Type type;
    private final boolean ephemeral;

    private Event(String name, Type type, boolean ephemeral) {
        this.name = Names.requireContract(name);
        this.type = Objects.requireNonNull(type, "type");
        this.ephemeral = ephemeral;
    }

    /**
     * Returns a reliable event: a message is kept in the log of its room, and in the client's outbox until it is
     * acknowledged.
     *
     * @throws IllegalArgumentException if the name is not 1 to 128 of {@code A-Z a-z 0-9 _ . : / -}
     */
    public static <T> Event<T> of(String name, Class<T> type) {
        return new Event<>(name, type, false);
    }

    /** Returns a reliable event like {@link #of(String, Class)}, with a generic payload type. */
    public static <T> Event<T> of(String name, TypeRef<T> type) {
        return new Event<>(name, type.type(), false);
    }

    /**
     * Returns an ephemeral event for what matters only now, such as typing or a cursor. It is never stored and never
     * retransmitted. It is dropped while offline, and dropped first when a receiver is slow.
     *
     * @throws IllegalArgumentException if the name is not 1 to 128 of {@code A-Z a-z 0-9 _ . : / -}
     */
    public static <T> Event<T> ephemeral(String name, Class<T> type) {
        return new Event<>(name, type, true);
    }

    /** Returns an ephemeral event like {@link #ephemeral(String, Class)}, with a generic payload type. */
    public static <T> Event<T> ephemeral(String name, TypeRef<T> type) {
        return new Event<>(name, type.type(), true);
    }

    /** Returns the name on the wire. */
    public String name() {
        return name;
    }

    /** Returns the payload's type. */
    public Type type() {
        return type;
    }

    /** Returns whether the event is ephemeral: its messages are neither stored nor retransmitted. */
    public boolean isEphemeral() {
        return ephemeral;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Event<?> that
                && name.equals(that.name)
                && type.equals(that.type)
                && ephemeral == that.ephemeral;
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, type, ephemeral);
    }

    @Override
    public String toString() {
        return (ephemeral ? "ephemeral event '" : "event '") + name + "' of " + type;
    }
}
