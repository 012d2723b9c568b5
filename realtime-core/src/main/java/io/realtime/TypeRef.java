package io.realtime;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;

/**
 * Carries a generic payload type to a contract, where a class literal cannot: {@code new TypeRef<List<Move>>() {}}.
 *
 * @param <T> the type carried
 */
public abstract class TypeRef<T> {
    private final Type type;

    /**
     * Captures the type argument of the anonymous subclass.
     *
     * @throws IllegalStateException when the subclass names no type argument
     */
    protected TypeRef() {
        if (!(getClass().getGenericSuperclass() instanceof ParameterizedType parent)) {
            throw new IllegalStateException("TypeRef needs its type argument: new TypeRef<List<Move>>() {}");
        }
        this.type = parent.getActualTypeArguments()[0];
    }

    /** Returns the captured type. */
    public final Type type() {
        return type;
    }

    @Override
    public final String toString() {
        return type.toString();
    }
}
