package io.realtime.gson;

import io.realtime.internal.wire.PayloadReader;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The classes that are permitted where a payload declares an interface or an abstract class, by their names on the
 * wire.
 */
final class Subtypes {
    /** The field that names the class. */
    static final String FIELD = PayloadReader.TYPE;

    private final Map<Class<?>, List<Class<?>>> given;

    Subtypes(Map<Class<?>, List<Class<?>>> given) {
        this.given = given;
    }

    private List<Class<?>> below(Class<?> base) {
        List<Class<?>> classes = given.get(base);
        return classes != null ? classes : Platform.permittedSubclasses(base);
    }

    /**
     * Returns the classes that are permitted for a base, by name; empty if they are not known.
     *
     * @throws RefusedTypeException if two have the same name, or one is generic or not an object
     */
    Map<String, Class<?>> of(Class<?> base) {
        Map<String, Class<?>> leaves = new LinkedHashMap<>();
        for (Class<?> leaf : leaves(base)) {
            Class<?> other = leaves.put(leaf.getSimpleName(), leaf);
            if (other != null && other != leaf) {
                throw new RefusedTypeException(
                        base, other.getName() + " and " + leaf.getName() + " have one simple name");
            }
            if (Enum.class.isAssignableFrom(leaf) || Containers.isContainer(leaf)) {
                throw new RefusedTypeException(
                        base, leaf.getSimpleName() + " is not an object with a field 'type'; put it into a record");
            }
            if (leaf.getTypeParameters().length > 0) {
                throw new RefusedTypeException(
                        base, leaf.getSimpleName() + " is generic, and its arguments do not travel");
            }
        }
        return leaves;
    }

    private List<Class<?>> leaves(Class<?> base) {
        List<Class<?>> leaves = new ArrayList<>();
        for (Class<?> one : below(base)) {
            if (Modifier.isAbstract(one.getModifiers()) && !one.isEnum()) {
                leaves.addAll(leaves(one));
            } else {
                leaves.add(one);
            }
        }
        return leaves;
    }

    /** Returns the name that tells a class from other subtypes of its base; null if it is no subtype. */
    @Nullable
    String nameOf(Class<?> leaf) {
        for (Class<?> at = leaf; at != null; at = at.getSuperclass()) {
            if ((at != leaf && leaves(at).contains(leaf)) || isBelowInterface(at, leaf)) {
                return leaf.getSimpleName();
            }
        }
        return null;
    }

    private boolean isBelowInterface(Class<?> type, Class<?> leaf) {
        for (Class<?> base : type.getInterfaces()) {
            if (leaves(base).contains(leaf) || isBelowInterface(base, leaf)) {
                return true;
            }
        }
        return false;
    }
}
