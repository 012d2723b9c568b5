package io.realtime;

import io.realtime.internal.wire.Bytes;
import io.realtime.internal.wire.Names;
import java.lang.reflect.Type;
import java.util.Objects;

/**
 * The contract of a request that is answered by a stream: any number of items, in order, and then an end or an error.
 *
 * <p>{@code Void} as the request's type means that it has no payload. Items are never null.
 *
 * @param <Q> the type of the request's payload
 * @param <T> the items' type
 */
@SuppressWarnings("UnusedTypeParameter") // types the handlers that are registered for it
public final class StreamRequest<Q, T> {
    private final String name;
    private final Type type;
    private final Type itemType;

    private StreamRequest(String name, Type type, Type itemType) {
        this.name = Names.requireContract(name);
        this.type = requireJson(Objects.requireNonNull(type, "type"));
        this.itemType = requireJson(Objects.requireNonNull(itemType, "itemType"));
    }

    private Type requireJson(Type of) {
        if (Bytes.is(of)) {
            throw new IllegalArgumentException("stream '" + name + "' is of bytes, which only an event may be");
        }
        return of;
    }

    /**
     * Returns a contract of a stream.
     *
     * @throws IllegalArgumentException if the name is not 1 to 128 of {@code A-Z a-z 0-9 _ . : / -}, or a type is
     * {@code byte[]} or {@code ByteBuffer}
     */
    public static <Q, T> StreamRequest<Q, T> of(String name, Class<Q> type, Class<T> itemType) {
        return new StreamRequest<>(name, type, itemType);
    }

    /** Returns a contract like {@link #of(String, Class, Class)}, with generic payload types. */
    public static <Q, T> StreamRequest<Q, T> of(String name, TypeRef<Q> type, TypeRef<T> itemType) {
        return new StreamRequest<>(name, type.type(), itemType.type());
    }

    /** Returns a contract like {@link #of(String, Class, Class)}, with items of a generic type. */
    public static <Q, T> StreamRequest<Q, T> of(String name, Class<Q> type, TypeRef<T> itemType) {
        return new StreamRequest<>(name, type, itemType.type());
    }

    /** Returns the name on the wire. */
    public String name() {
        return name;
    }

    /** Returns the type of the request's payload. */
    public Type type() {
        return type;
    }

    /** Returns the items' type. */
    public Type itemType() {
        return itemType;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof StreamRequest<?, ?> that
                && name.equals(that.name)
                && type.equals(that.type)
                && itemType.equals(that.itemType);
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, type, itemType);
    }

    @Override
    public String toString() {
        return "request '" + name + "' of " + type + " for a stream of " + itemType;
    }
}
