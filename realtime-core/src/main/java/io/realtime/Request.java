package io.realtime;

import io.realtime.internal.wire.Bytes;
import io.realtime.internal.wire.Names;
import java.lang.reflect.Type;
import java.util.Objects;

/**
 * The contract of a request with exactly one reply: its name on the wire and the Java types of both payloads.
 *
 * <p>{@code Void} on either side means that there is no payload. Every other payload is never null. Both are JSON; only
 * events can carry bytes.
 *
 * @param <Q> the type of the request's payload
 * @param <R> the type of the reply's payload
 */
@SuppressWarnings("UnusedTypeParameter") // types the handlers that are registered for it
public final class Request<Q, R> {
    private final String name;
    private final Type type;
    private final Type replyType;

    private Request(String name, Type type, Type replyType) {
        this.name = Names.requireContract(name);
        this.type = requireJson(Objects.requireNonNull(type, "type"));
        this.replyType = requireJson(Objects.requireNonNull(replyType, "replyType"));
    }

    private Type requireJson(Type of) {
        if (Bytes.is(of)) {
            throw new IllegalArgumentException("request '" + name + "' is of bytes, which only an event may be");
        }
        return of;
    }

    /**
     * Returns a request contract.
     *
     * @throws IllegalArgumentException if the name is not 1 to 128 of {@code A-Z a-z 0-9 _ . : / -}, or a type is
     * {@code byte[]} or {@code ByteBuffer}
     */
    public static <Q, R> Request<Q, R> of(String name, Class<Q> type, Class<R> replyType) {
        return new Request<>(name, type, replyType);
    }

    /** Returns a request contract like {@link #of(String, Class, Class)}, with generic payload types. */
    public static <Q, R> Request<Q, R> of(String name, TypeRef<Q> type, TypeRef<R> replyType) {
        return new Request<>(name, type.type(), replyType.type());
    }

    /** Returns a request contract like {@link #of(String, Class, Class)}, with a generic reply type. */
    public static <Q, R> Request<Q, R> of(String name, Class<Q> type, TypeRef<R> replyType) {
        return new Request<>(name, type, replyType.type());
    }

    /** Returns the name on the wire. */
    public String name() {
        return name;
    }

    /** Returns the type of the request's payload. */
    public Type type() {
        return type;
    }

    /** Returns the type of the reply's payload. */
    public Type replyType() {
        return replyType;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Request<?, ?> that
                && name.equals(that.name)
                && type.equals(that.type)
                && replyType.equals(that.replyType);
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, type, replyType);
    }

    @Override
    public String toString() {
        return "request '" + name + "' of " + type + " answered by " + replyType;
    }
}
