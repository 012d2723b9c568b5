package io.realtime.gson;

import com.google.gson.JsonSyntaxException;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import java.lang.reflect.Type;
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
final class HashCodes {
    private static final int MOST_OF_ONE = 100;

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
     * @param of the type of its elements or keys
     */
    static boolean mayCollide(Class<?> container, Type of) {
        Class<?> raw = TypeToken.get(of).getRawType();
        boolean isHashed = !SortedSet.class.isAssignableFrom(container) && !SortedMap.class.isAssignableFrom(container);
        return isHashed && !SORTED.contains(raw) && !raw.isEnum();
    }

    /** Counts an element that was read and added. */
    void add(JsonReader in, @Nullable Object element) {
        if (element != null && counts.merge(element.hashCode(), 1, Integer::sum) > MOST_OF_ONE) {
            throw new JsonSyntaxException(
                    "more than " + MOST_OF_ONE + " values have one hash code; at path " + in.getPreviousPath());
        }
    }
}
