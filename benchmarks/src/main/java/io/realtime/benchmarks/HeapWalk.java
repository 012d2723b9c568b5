package io.realtime.benchmarks;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.net.SocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A walk that attributes what is reachable from an object to the parts of this project. An object of this project is
 * attributed to its class. An object of the JDK is attributed to the field of this project that leads to it ({@code
 * Session.state} is the lock, {@code Session} the object itself). What several parts share is counted once, at the part
 * nearest to the root. Threads, classes, the transport's connections and fields that the JVM does not open are left
 * out. Not safe for use by many threads.
 */
final class HeapWalk {
    private static final String OURS = "io.realtime.";

    private final Histogram sizes;
    private final Map<String, Histogram.Count> parts = new HashMap<>();
    private final Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    // Breadth first: the nearest part comes first.
    private final Queue<Step> queue = new ArrayDeque<>();
    private final Map<Class<?>, List<Field>> fields = new HashMap<>();

    private record Step(Object object, String part) {}

    private HeapWalk(Histogram sizes) {
        this.sizes = sizes;
    }

    /** Returns the parts of what is reachable from the root. */
    static Map<String, Histogram.Count> from(Object root, Histogram sizes) {
        HeapWalk walk = new HeapWalk(sizes);
        walk.reach(root, "");
        for (Step step = walk.queue.poll(); step != null; step = walk.queue.poll()) {
            walk.visit(step.object, step.part);
        }
        return walk.parts;
    }

    private void reach(@Nullable Object object, String part) {
        if (object != null && !isForeign(object) && seen.add(object)) {
            queue.add(new Step(object, part));
        }
    }

    private static boolean isForeign(Object object) {
        return object instanceof Class
                || object instanceof ClassLoader
                || object instanceof Thread
                || object instanceof Enum
                || object instanceof SocketAddress
                || object.getClass().getName().startsWith(HeapWalk.class.getPackageName());
    }

    private void visit(Object object, String from) {
        Class<?> type = object.getClass();
        boolean isOurs = type.getName().startsWith(OURS);
        String part = isOurs ? name(object) : from;
        Histogram.Count one = new Histogram.Count(1, size(object));
        parts.merge(part, one, (a, b) -> new Histogram.Count(a.objects() + b.objects(), a.bytes() + b.bytes()));
        if (object instanceof Object[] array) {
            for (Object element : array) {
                reach(element, part);
            }
        }
        for (Field field : fields.computeIfAbsent(type, HeapWalk::references)) {
            reach(get(field, object), isOurs ? part + "." + field.getName() : part);
        }
    }

    private long size(Object object) {
        Class<?> element = object.getClass().getComponentType();
        if (element == null) {
            return sizes.sizeOf(object.getClass());
        }
        long unit = element == byte.class || element == boolean.class
                ? 1
                : element == short.class || element == char.class
                        ? 2
                        // References are compressed.
                        : element == long.class || element == double.class ? 8 : 4;
        return (16 + unit * Array.getLength(object) + 7) / 8 * 8;
    }

    private static List<Field> references(Class<?> type) {
        List<Field> found = new ArrayList<>();
        for (Class<?> level = type; level != null; level = level.getSuperclass()) {
            for (Field field : level.getDeclaredFields()) {
                boolean isReference = !field.getType().isPrimitive() && !Modifier.isStatic(field.getModifiers());
                if (isReference && field.trySetAccessible()) {
                    found.add(field);
                }
            }
        }
        return found;
    }

    private static @Nullable Object get(Field field, Object object) {
        try {
            return field.get(object);
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException("was made accessible", impossible);
        }
    }

    private String name(Object object) {
        String full = object.getClass().getName();
        int lambda = full.indexOf("$$Lambda");
        if (lambda > 0) {
            return full.substring(full.lastIndexOf('.', lambda) + 1, lambda) + " lambda";
        }
        String name = object.getClass().getSimpleName();
        // The name tells the inboxes apart.
        return name.equals("RoomChannel") ? name + wireName(object) : name;
    }

    private String wireName(Object room) {
        for (Field field : fields.computeIfAbsent(room.getClass(), HeapWalk::references)) {
            if (field.getName().equals("name")) {
                return "(" + get(field, room) + ")";
            }
        }
        return "";
    }
}
