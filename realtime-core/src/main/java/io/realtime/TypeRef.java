package io.realtime;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;

/**
 * A generic payload type for a contract, where a class literal is not possible: {@code new TypeRef<List<Move>>() {}}.
 *
 * @param <T> the type
 */
public abstract class TypeRef<T> {
    private final Type type;

    /**
     * Captures the type argument of the anonymous subclass.
     *
     * @throws IllegalStateException if the subclass has no type argument
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
