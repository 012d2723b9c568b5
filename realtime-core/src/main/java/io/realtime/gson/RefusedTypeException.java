package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.TypeAdapter;
import com.google.gson.reflect.TypeToken;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import org.jspecify.annotations.Nullable;

/** A type whose values cannot be sent; the message says what to use instead. */
final class RefusedTypeException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;
    // A class may refer to itself with ever longer type arguments.
    private static final int MOST_NESTING = 12;

    RefusedTypeException(Type type, String remedy) {
        this(type, remedy, null);
    }

    RefusedTypeException(Type type, String remedy, @Nullable Throwable cause) {
        this((type instanceof Class<?> raw ? raw.getName() : type.toString()) + " cannot travel: " + remedy, cause);
    }

    private RefusedTypeException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    /** Returns this failure for a field of this type. */
    RefusedTypeException in(Class<?> owner, String field) {
        return new RefusedTypeException(owner.getSimpleName() + "." + field + ": " + getMessage(), this);
    }

    /**
     * Returns the adapter of a type.
     *
     * @throws RefusedTypeException if there is none
     */
    static TypeAdapter<?> adapter(Gson gson, TypeToken<?> token) {
        Class<?> raw = token.getRawType();
        if (AnyAdapter.isWithinMethod(raw)) {
            throw new RefusedTypeException(token.getType(), AnyAdapter.WITHIN_METHOD);
        }
        if (nesting(token.getType()) > MOST_NESTING) {
            throw new RefusedTypeException(raw, "its type arguments nest deeper than " + MOST_NESTING);
        }
        try {
            TypeAdapter<?> adapter = gson.getAdapter(token);
            if (CollectionAdapterFactory.isOurs(adapter) || MapAdapterFactory.isOurs(adapter)) {
                Containers.requireMade(token);
            }
            return raw == Object.class ? new AnyAdapter(gson) : adapter;
        } catch (RefusedTypeException refused) {
            throw refused;
        } catch (RuntimeException unfit) {
            // Gson refused a class of the platform, or the application's factory threw.
            String remedy = "send a record of what matters of it, or give GsonCodec.builder() an adapter";
            throw new RefusedTypeException(token.getType(), remedy, unfit);
        }
    }

    private static int nesting(Type type) {
        int deepest = 0;
        if (type instanceof ParameterizedType generic) {
            for (Type each : generic.getActualTypeArguments()) {
                deepest = Math.max(deepest, 1 + nesting(each));
            }
        } else if (type instanceof GenericArrayType array) {
            deepest = 1 + nesting(array.getGenericComponentType());
        }
        return deepest;
    }
}
