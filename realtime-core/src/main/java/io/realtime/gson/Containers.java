package io.realtime.gson;

import com.google.gson.JsonSyntaxException;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import io.realtime.internal.wire.HashCodes;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.LinkedBlockingDeque;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Suppliers of empty collections and maps, for reading. */
final class Containers {
    /** The implementations of interfaces and abstract classes; the first that fits is used. */
    private static final List<Class<?>> STANDARD = Arrays.asList(
            ArrayList.class,
            LinkedHashSet.class,
            TreeSet.class,
            ArrayDeque.class,
            LinkedBlockingDeque.class,
            LinkedHashMap.class,
            TreeMap.class,
            ConcurrentHashMap.class,
            ConcurrentSkipListMap.class);

    private Containers() {}

    static boolean isContainer(Class<?> raw) {
        return Collection.class.isAssignableFrom(raw) || Map.class.isAssignableFrom(raw);
    }

    /**
     * Checks that a class of the application holds nothing besides its elements.
     *
     * @throws RefusedTypeException if it has fields of its own
     */
    static void requireNoFields(Class<?> raw) {
        for (Class<?> at = raw; at != null && !Platform.owns(at); at = at.getSuperclass()) {
            for (Field field : at.getDeclaredFields()) {
                int modifiers = field.getModifiers(); // those of a library's collections are transient
                if (!Modifier.isStatic(modifiers) && !Modifier.isTransient(modifiers) && !field.isSynthetic()) {
                    throw new RefusedTypeException(
                            raw,
                            "its field '" + field.getName() + "' would be lost; make it a record that has a "
                                    + (Map.class.isAssignableFrom(raw) ? "map" : "collection")
                                    + ", or give it an adapter");
                }
            }
        }
    }

    /**
     * Checks that an instance of a declared class can be created.
     *
     * @throws RefusedTypeException if it cannot
     */
    static void requireMade(TypeToken<?> type) {
        Class<?> raw = type.getRawType();
        if (CopyOnWriteArraySet.class.isAssignableFrom(raw)) {
            throw new RefusedTypeException(raw, "it compares every two of its elements; declare java.util.Set");
        }
        if (EnumSet.class.isAssignableFrom(raw) || raw == EnumMap.class) {
            Class<?> from = raw == EnumMap.class ? Map.class : Collection.class;
            Type first = new TypeVariables(type.getType()).resolve(from.getTypeParameters()[0]);
            if (!TypeToken.get(first).getRawType().isEnum()) {
                throw new RefusedTypeException(raw, "it does not say of which enum");
            }
        } else if (isContainer(raw) && constructor(raw) == null) {
            throw new RefusedTypeException(
                    raw,
                    "no constructor makes an empty one; declare java.util.List, Set or Map, or give it an adapter");
        }
    }

    /** Returns the supplier of empty collections of a class. */
    @SuppressWarnings("unchecked")
    static Supplier<Collection<@Nullable Object>> collections(Class<?> raw, Type element) {
        return (Supplier<Collection<@Nullable Object>>) supplier(raw, element);
    }

    /** Returns the supplier of empty maps of a class. */
    @SuppressWarnings("unchecked")
    static Supplier<Map<Object, @Nullable Object>> maps(Class<?> raw, Type key) {
        return (Supplier<Map<Object, @Nullable Object>>) supplier(raw, key);
    }

    @SuppressWarnings({"unchecked", "rawtypes"}) // the elements or keys are of one enum type
    private static Supplier<?> supplier(Class<?> raw, Type first) {
        Class<?> of = TypeToken.get(first).getRawType();
        if (EnumSet.class.isAssignableFrom(raw) && of.isEnum()) {
            return () -> EnumSet.noneOf((Class<Enum>) of);
        }
        if (raw == EnumMap.class && of.isEnum()) {
            return () -> new EnumMap((Class<Enum>) of);
        }
        Constructor<?> constructor = constructor(raw);
        return () -> make(raw, constructor);
    }

    private static Object make(Class<?> raw, @Nullable Constructor<?> constructor) {
        // Declared types were checked before. This type comes from the value of a field that accepts any type.
        if (constructor == null) {
            throw new UnsupportedOperationException("nothing can create a " + raw.getName());
        }
        try {
            return constructor.newInstance();
        } catch (ReflectiveOperationException failed) {
            throw new UnsupportedOperationException("no " + raw.getName() + " was made", failed);
        }
    }

    /** Returns the constructor of an empty instance; null if there is none. */
    private static @Nullable Constructor<?> constructor(Class<?> raw) {
        Class<?> made = raw;
        if (Modifier.isAbstract(raw.getModifiers())) {
            made = STANDARD.stream().filter(raw::isAssignableFrom).findFirst().orElse(raw);
        }
        if (Modifier.isAbstract(made.getModifiers())) {
            return null;
        }
        try {
            if (Platform.owns(made)) {
                return Modifier.isPublic(made.getModifiers()) ? made.getConstructor() : null;
            }
            Constructor<?> own = made.getDeclaredConstructor();
            Construction.open(made, own);
            return own;
        } catch (NoSuchMethodException none) {
            return null;
        }
    }

    /** Returns the failure for a value that was read, and has the hash code of too many others. */
    static JsonSyntaxException colliding(JsonReader in) {
        return new JsonSyntaxException(
                "more than " + HashCodes.MOST + " values have one hash code; at path " + in.getPreviousPath());
    }

    /** Returns the failure for a value that was read, and that its collection or map refused. */
    static JsonSyntaxException unfit(JsonReader in, RuntimeException refused) {
        JsonSyntaxException unfit = new JsonSyntaxException("the value does not fit; at path " + in.getPreviousPath());
        unfit.addSuppressed(refused);
        return unfit;
    }
}
