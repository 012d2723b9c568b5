package io.realtime;

import io.realtime.internal.wire.Bytes;
import io.realtime.internal.wire.Names;
import java.lang.reflect.Type;
import java.util.Objects;

/**
 * The contract of a question with exactly one answer: its name on the wire and the Java types of both.
 *
 * <p>{@code Void} on either side means that there is no payload; every other payload is never null. Both are JSON: bytes
 * are for events.
 *
 * @param <Q> the question's type
 * @param <R> the reply's type
 */
@SuppressWarnings("UnusedTypeParameter") // it types the handlers that are registered for it
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
     * A request.
     *
     * @throws IllegalArgumentException when the name is not 1 to 128 of {@code A-Z a-z 0-9 _ . : / -}, or a type is
     *     {@code byte[]} or {@code ByteBuffer}
     */
    public static <Q, R> Request<Q, R> of(String name, Class<Q> type, Class<R> replyType) {
        return new Request<>(name, type, replyType);
    }

    /** Like {@link #of(String, Class, Class)}, for generic payload types. */
    public static <Q, R> Request<Q, R> of(String name, TypeRef<Q> type, TypeRef<R> replyType) {
        return new Request<>(name, type.type(), replyType.type());
    }

    /** Like {@link #of(String, Class, Class)}, for a generic reply type. */
    public static <Q, R> Request<Q, R> of(String name, Class<Q> type, TypeRef<R> replyType) {
        return new Request<>(name, type, replyType.type());
    }

    /** Returns the name on the wire. */
    public String name() {
        return name;
    }

    /** Returns the question's type. */
    public Type type() {
        return type;
    }

    /** Returns the reply's type. */
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
