package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.annotations.JsonAdapter;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of collections and arrays of objects. Elements are written by the adapter of their declared type. Gson
 * would use the adapter of a value's class, so a subclass would be written with other fields than its base.
 */
final class CollectionAdapterFactory implements TypeAdapterFactory {
    static boolean isOurs(TypeAdapter<?> adapter) {
        return adapter instanceof CollectionAdapter;
    }

    @Override
    @SuppressWarnings("unchecked") // T is a collection, or an array of objects
    public <T> @Nullable TypeAdapter<T> create(Gson gson, TypeToken<T> token) {
        Class<?> raw = token.getRawType();
        if (raw.isArray() && !raw.getComponentType().isPrimitive()) {
            Type element = token.getType() instanceof GenericArrayType array
                    ? array.getGenericComponentType()
                    : raw.getComponentType();
            return (TypeAdapter<T>) new ArrayAdapter(raw.getComponentType(), adapter(gson, element));
        }
        if (!Collection.class.isAssignableFrom(raw) || raw.isAnnotationPresent(JsonAdapter.class)) {
            return null;
        }
        Type element =
                new TypeVariables(token.getType()).resolve(Collection.class.getTypeParameters()[0]);
        Containers.requireNoFields(raw);
        return (TypeAdapter<T>) new CollectionAdapter(Containers.collections(raw, element), adapter(gson, element));
    }

    @SuppressWarnings("unchecked") // of the element's type
    private static TypeAdapter<@Nullable Object> adapter(Gson gson, Type element) {
        return (TypeAdapter<@Nullable Object>) RefusedTypeException.adapter(gson, TypeToken.get(element));
    }

    private static void write(
            JsonWriter out, Iterable<? extends @Nullable Object> elements, TypeAdapter<@Nullable Object> element)
            throws IOException {
        out.beginArray();
        for (Object each : elements) {
            element.write(out, each);
        }
        out.endArray();
    }

    private static void read(
            JsonReader in, Collection<@Nullable Object> elements, TypeAdapter<@Nullable Object> element)
            throws IOException {
        in.beginArray();
        while (in.hasNext()) {
            Object value = element.read(in);
            try {
                elements.add(value);
            } catch (RuntimeException refused) { // null, or a value that cannot be compared
                throw Containers.unfit(in, refused);
            }
        }
        in.endArray();
    }

    private static final class CollectionAdapter extends TypeAdapter<@Nullable Collection<@Nullable Object>> {
        private final Supplier<Collection<@Nullable Object>> empty;
        private final TypeAdapter<@Nullable Object> element;

        CollectionAdapter(Supplier<Collection<@Nullable Object>> empty, TypeAdapter<@Nullable Object> element) {
            this.empty = empty;
            this.element = element;
        }

        @Override
        public void write(JsonWriter out, @Nullable Collection<@Nullable Object> value) throws IOException {
            if (value == null) {
                out.nullValue();
            } else {
                CollectionAdapterFactory.write(out, value, element);
            }
        }

        @Override
        public @Nullable Collection<@Nullable Object> read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            Collection<@Nullable Object> elements = empty.get();
            if (elements instanceof CopyOnWriteArrayList || elements instanceof CopyOnWriteArraySet) {
                // To add one by one would copy all for each.
                List<@Nullable Object> all = new ArrayList<>();
                CollectionAdapterFactory.read(in, all, element);
                elements.addAll(all);
            } else {
                CollectionAdapterFactory.read(in, elements, element);
            }
            return elements;
        }
    }

    private static final class ArrayAdapter extends TypeAdapter<@Nullable Object> {
        private final Class<?> type;
        private final TypeAdapter<@Nullable Object> element;

        ArrayAdapter(Class<?> type, TypeAdapter<@Nullable Object> element) {
            this.type = type;
            this.element = element;
        }

        @Override
        public void write(JsonWriter out, @Nullable Object value) throws IOException {
            if (value == null) {
                out.nullValue();
            } else {
                CollectionAdapterFactory.write(out, Arrays.asList((@Nullable Object[]) value), element);
            }
        }

        @Override
        public @Nullable Object read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            List<@Nullable Object> elements = new ArrayList<>();
            CollectionAdapterFactory.read(in, elements, element);
            return elements.toArray((@Nullable Object[]) Array.newInstance(type, 0));
        }
    }
}
