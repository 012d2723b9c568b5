package io.realtime.jackson;

import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.type.TypeBindings;
import com.fasterxml.jackson.databind.type.TypeFactory;
import com.fasterxml.jackson.databind.type.TypeModifier;
import java.io.Serializable;
import java.lang.reflect.Type;

/** Refuses a class that refers to itself with ever longer type arguments, which Jackson would follow without end. */
final class BoundedTypes extends TypeModifier implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final int MOST_NESTING = 12;

    @Override
    public JavaType modifyType(JavaType type, Type given, TypeBindings bindings, TypeFactory types) {
        if (nesting(type) > MOST_NESTING) {
            throw new EndlessTypeException(type);
        }
        return type;
    }

    private static int nesting(JavaType type) {
        int deepest = type.isArrayType() ? 1 + nesting(type.getContentType()) : 0;
        for (JavaType each : type.getBindings().getTypeParameters()) {
            deepest = Math.max(deepest, 1 + nesting(each));
        }
        return deepest;
    }

    /** The refusal, which Jackson wraps. */
    static final class EndlessTypeException extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;

        EndlessTypeException(JavaType type) {
            super(type.getRawClass().getName() + " cannot travel: its type arguments nest deeper than " + MOST_NESTING);
        }
    }
}
