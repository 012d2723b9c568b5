package io.realtime.gson;

import com.google.gson.reflect.TypeToken;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.HashMap;
import java.util.Map;

/** The types that the type variables of a class and its supertypes are bound to. */
final class TypeVariables {
    private final Map<TypeVariable<?>, Type> known = new HashMap<>();

    TypeVariables(Type type) {
        learn(type);
    }

    private void learn(Type type) {
        Class<?> raw = TypeToken.get(type).getRawType();
        if (type instanceof ParameterizedType generic) {
            Type[] arguments = resolve(generic.getActualTypeArguments());
            for (int i = 0; i < arguments.length; i++) {
                known.put(raw.getTypeParameters()[i], arguments[i]);
            }
        }
        if (raw.getGenericSuperclass() != null) {
            learn(raw.getGenericSuperclass());
        }
        for (Type each : raw.getGenericInterfaces()) {
            learn(each);
        }
    }

    private Type[] resolve(Type[] types) {
        Type[] resolved = new Type[types.length];
        for (int i = 0; i < types.length; i++) {
            resolved[i] = resolve(types[i]);
        }
        return resolved;
    }

    /** Returns a type with its known variables replaced; an unknown one becomes Object. */
    Type resolve(Type type) {
        if (type instanceof TypeVariable<?> variable) {
            return known.getOrDefault(variable, Object.class);
        }
        if (type instanceof ParameterizedType generic) {
            Type[] arguments = generic.getActualTypeArguments();
            TypeVariable<?>[] variables = TypeToken.get(generic).getRawType().getTypeParameters();
            for (int i = 0; i < arguments.length; i++) {
                boolean isAny = arguments[i] instanceof WildcardType any && any.getUpperBounds()[0] == Object.class;
                arguments[i] =
                        isAny ? TypeToken.get(variables[i].getBounds()[0]).getRawType() : resolve(arguments[i]);
            }
            return TypeToken.getParameterized(generic.getRawType(), arguments).getType();
        }
        if (type instanceof GenericArrayType array) {
            return TypeToken.getArray(resolve(array.getGenericComponentType())).getType();
        }
        return type instanceof WildcardType wildcard ? resolve(wildcard.getUpperBounds()[0]) : type;
    }
}
