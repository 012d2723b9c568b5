package io.realtime.internal.wire;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The hash codes in one set or map. A hash table compares the elements of one code with each other, so a peer that
 * chooses colliding values would cause work that grows with their square. Too many of one code are refused.
 */
public final class HashCodes {
    /** How many elements may have one hash code. */
    public static final int MOST = 100;

    /** A hash table sorts colliding values of these types, which takes little time. */
    private static final Set<Class<?>> SORTED = new HashSet<>(Arrays.asList(
            String.class,
            Byte.class,
            Short.class,
            Integer.class,
            Long.class,
            Float.class,
            Double.class,
            BigInteger.class,
            BigDecimal.class,
            Boolean.class,
            Character.class,
            UUID.class));

    private final Map<Integer, Integer> counts = new HashMap<>();

    /**
     * Returns whether colliding elements must be counted.
     *
     * @param container the class of the set or map
     * @param of the class of its elements or keys
     */
    public static boolean mayCollide(Class<?> container, Class<?> of) {
        boolean isSorted = SortedSet.class.isAssignableFrom(container) || SortedMap.class.isAssignableFrom(container);
        return !isSorted && !SORTED.contains(of) && !of.isEnum();
    }

    /** Counts an element that was read and added. Returns false if too many have its hash code. */
    public boolean add(@Nullable Object element) {
        return element == null || counts.merge(element.hashCode(), 1, Integer::sum) <= MOST;
    }
}
