package io.realtime.spi;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * HTTP headers by case-insensitive name; sorted and immutable. They are kept in one array, because every connection and
 * session has its own, and the entries of a tree would use more heap than the text.
 */
final class Headers extends AbstractMap<String, String> {
    // Name and value alternate, sorted by name.
    private final String[] namesAndValues;

    private Headers(String[] namesAndValues) {
        this.namesAndValues = namesAndValues;
    }

    static Map<String, String> copyOf(Map<String, String> headers) {
        if (headers instanceof Headers) {
            return headers;
        }
        Map<String, String> sorted = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        sorted.putAll(headers);
        String[] namesAndValues = new String[2 * sorted.size()];
        int next = 0;
        for (Map.Entry<String, String> header : sorted.entrySet()) {
            namesAndValues[next++] = header.getKey();
            namesAndValues[next++] = header.getValue();
        }
        return new Headers(namesAndValues);
    }

    @Override
    public int size() {
        return namesAndValues.length / 2;
    }

    @Override
    public boolean containsKey(@Nullable Object key) {
        return get(key) != null;
    }

    @Override
    public @Nullable String get(@Nullable Object key) {
        if (!(key instanceof String name)) {
            return null;
        }
        int low = 0;
        int high = size() - 1;
        while (low <= high) {
            int middle = (low + high) / 2;
            int order = String.CASE_INSENSITIVE_ORDER.compare(namesAndValues[2 * middle], name);
            if (order == 0) {
                return namesAndValues[2 * middle + 1];
            }
            if (order < 0) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return null;
    }

    @Override
    public Set<Map.Entry<String, String>> entrySet() {
        return new AbstractSet<>() {
            @Override
            public int size() {
                return Headers.this.size();
            }

            @Override
            public Iterator<Map.Entry<String, String>> iterator() {
                return entries();
            }
        };
    }

    private Iterator<Map.Entry<String, String>> entries() {
        return new Iterator<>() {
            private int next;

            @Override
            public boolean hasNext() {
                return next < namesAndValues.length;
            }

            @Override
            public Map.Entry<String, String> next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                next += 2;
                return new SimpleImmutableEntry<>(namesAndValues[next - 2], namesAndValues[next - 1]);
            }
        };
    }
}
