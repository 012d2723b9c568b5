package io.realtime.benchmarks;

import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;

/** The live objects of this JVM by class, as the JVM itself counts them after a full collection. Immutable. */
final class Histogram {
    private static final Pattern LINE = Pattern.compile("\\s*\\d+:\\s+(\\d+)\\s+(\\d+)\\s+(\\S+).*");

    /** The objects of one class. */
    record Count(long objects, long bytes) {
        private static final Count NONE = new Count(0, 0);

        private Count minus(Count other) {
            return new Count(objects - other.objects, bytes - other.bytes);
        }
    }

    private final Map<String, Count> classes;

    private Histogram(Map<String, Count> classes) {
        this.classes = classes;
    }

    /** Collects garbage and counts what is left. */
    static Histogram take() {
        Map<String, Count> classes = new HashMap<>();
        for (String line : live().split("\n", -1)) {
            Matcher matcher = LINE.matcher(line);
            if (matcher.matches()) {
                Count count = new Count(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)));
                // Several loaders may have a class of the same name. For the heap walk their objects have the same
                // size.
                classes.merge(matcher.group(3), count, (a, b) -> new Count(a.objects + b.objects, a.bytes + b.bytes));
            }
        }
        return new Histogram(classes);
    }

    private static String live() {
        try {
            return (String) ManagementFactory.getPlatformMBeanServer()
                    .invoke(
                            new ObjectName("com.sun.management:type=DiagnosticCommand"),
                            "gcClassHistogram",
                            new Object[] {new String[0]},
                            new String[] {String[].class.getName()});
        } catch (JMException unsupported) {
            throw new IllegalStateException("this JVM has no class histogram", unsupported);
        }
    }

    /** Returns the increase since an earlier histogram. */
    Histogram since(Histogram before) {
        Map<String, Count> grown = new HashMap<>();
        classes.forEach((name, count) -> grown.put(name, count.minus(before.classes.getOrDefault(name, Count.NONE))));
        return new Histogram(grown);
    }

    Map<String, Count> classes() {
        return classes;
    }

    long bytes() {
        return classes.values().stream().mapToLong(Count::bytes).sum();
    }

    /** Returns the size of one object of a class, which must not be an array; 0 if there is none. */
    long sizeOf(Class<?> type) {
        Count count = classes.getOrDefault(type.getName(), Count.NONE);
        return count.objects == 0 ? 0 : count.bytes / count.objects;
    }
}
