package io.realtime.gson;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.Parameter;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The way to build an object from the values of its fields: by the constructor that takes all of them, or by the one
 * without parameters. A record that was desugared for Android is treated as a class, and its fields are in the order of
 * their names.
 */
final class Construction {
    private final Constructor<?> constructor;
    private final List<Field> fields;
    // The index of each field's parameter; null if the constructor has no parameters.
    private final int @Nullable [] order;

    // The instance of a singleton class; else null.
    private final @Nullable Object only;

    private Construction(Constructor<?> constructor, List<Field> fields, int @Nullable [] order) {
        this(constructor, fields, order, null);
    }

    private Construction(
            Constructor<?> constructor, List<Field> fields, int @Nullable [] order, @Nullable Object only) {
        this.constructor = constructor;
        this.fields = fields;
        this.order = order;
        this.only = only;
    }

    /**
     * Returns the way to build objects of a class.
     *
     * @throws RefusedTypeException if the class has no such constructor, or more than one may be meant
     */
    static Construction of(Class<?> type, List<Field> fields) {
        if (!Platform.isRecord(type)) {
            for (Constructor<?> constructor : type.getDeclaredConstructors()) {
                if (constructor.getParameterCount() == 0) {
                    open(type, constructor);
                    return new Construction(
                            constructor, fields, null, fields.isEmpty() ? only(type, constructor) : null);
                }
            }
        }
        boolean isRecord = Platform.isRecord(type);
        boolean isInOrder = Platform.KEEPS_ORDER && (isRecord || isDataClass(type));
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
            int[] order = order(constructor, fields, isInOrder, isRecord);
            if (order != null) {
                open(type, constructor);
                return new Construction(constructor, fields, order);
            }
        }
        throw new RefusedTypeException(
                type,
                "it has no constructor without parameters, and none that certainly takes all its fields; make it a"
                        + " record, compile with -parameters (and on Android keep MethodParameters), or give it an"
                        + " adapter");
    }

    /** Returns the instance of a Kotlin {@code object}, or of a class of the same form; null for other classes. */
    private static @Nullable Object only(Class<?> type, Constructor<?> constructor) {
        try {
            Field instance = type.getDeclaredField("INSTANCE");
            if (!Modifier.isPrivate(constructor.getModifiers())
                    || !Modifier.isStatic(instance.getModifiers())
                    || !Modifier.isFinal(instance.getModifiers())
                    || instance.getType() != type) {
                return null;
            }
            open(type, instance);
            return instance.get(null);
        } catch (NoSuchFieldException none) {
            return null;
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Returns whether a class is a Kotlin data class; its constructor takes the fields in their order. */
    private static boolean isDataClass(Class<?> type) {
        return Arrays.stream(type.getDeclaredMethods())
                .anyMatch(method -> method.getName().equals("component1") && method.getParameterCount() == 0);
    }

    /**
     * Returns the index of each field's parameter; null if it cannot be determined.
     *
     * @param isInOrder whether a constructor of all fields takes them in their order
     * @param isRecord whether there is a constructor of all fields
     */
    private static int @Nullable [] order(
            Constructor<?> constructor, List<Field> fields, boolean isInOrder, boolean isRecord) {
        Class<?>[] types = constructor.getParameterTypes();
        if (types.length != fields.size()) {
            return null;
        }
        Parameter[] parameters = constructor.getParameters();
        boolean isNamed = Arrays.stream(parameters).allMatch(Parameter::isNamePresent);
        boolean areDistinct = new HashSet<>(Arrays.asList(types)).size() == types.length;
        int[] order = new int[types.length];
        for (int i = 0; i < order.length; i++) {
            Field field = fields.get(i);
            order[i] = -1;
            for (int p = 0; p < types.length; p++) {
                boolean isMeant = isInOrder
                        ? p == i
                        : isNamed ? parameters[p].getName().equals(field.getName()) : areDistinct && isRecord;
                if (isMeant && types[p] == field.getType()) {
                    order[i] = p;
                }
            }
            if (order[i] < 0) {
                return null;
            }
        }
        return order;
    }

    static void open(Class<?> type, AccessibleObject member) {
        try {
            member.setAccessible(true);
        } catch (RuntimeException closed) { // InaccessibleObjectException, which Android lacks
            String home = type.getName().substring(0, Math.max(0, type.getName().lastIndexOf('.')));
            String remedy = "its package is not open; add 'opens " + home + " to io.realtime.core;' to its module-info";
            throw new RefusedTypeException(type, remedy, closed);
        }
    }

    /** Returns whether the constructor takes all fields. */
    boolean needsAll() {
        return order != null;
    }

    /**
     * Builds an object.
     *
     * @param isSet which fields are set; null if all of them are
     */
    Object make(Object[] values, boolean @Nullable [] isSet) throws ReflectiveOperationException {
        if (order != null) {
            Object[] arguments = new Object[values.length];
            for (int i = 0; i < values.length; i++) {
                arguments[order[i]] = values[i];
            }
            return constructor.newInstance(arguments);
        }
        if (only != null) {
            return only;
        }
        Object made = constructor.newInstance();
        for (int i = 0; i < values.length; i++) {
            if (Objects.requireNonNull(isSet)[i]) {
                fields.get(i).set(made, values[i]);
            }
        }
        return made;
    }
}
