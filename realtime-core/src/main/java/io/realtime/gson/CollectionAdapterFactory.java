package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.JsonSyntaxException;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.annotations.JsonAdapter;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import io.realtime.internal.wire.HashCodes;
import java.io.IOException;
import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of collections and arrays. Elements are written by the adapter of their declared type. Gson
 * would use the adapter of a value's class, so a subclass would be written with other fields than its base.
 */
final class CollectionAdapterFactory implements TypeAdapterFactory {
    static boolean isOurs(TypeAdapter<?> adapter) {
        return adapter instanceof CollectionAdapter;
    }

    @Override
    @SuppressWarnings("unchecked") // T is a collection or an array
    public <T> @Nullable TypeAdapter<T> create(Gson gson, TypeToken<T> token) {
        Class<?> raw = token.getRawType();
        if (raw.isArray()) {
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
        boolean isHashed = Set.class.isAssignableFrom(raw)
                && HashCodes.mayCollide(raw, TypeToken.get(element).getRawType());
        return (TypeAdapter<T>)
                new CollectionAdapter(Containers.collections(raw, element), isHashed, adapter(gson, element));
    }

    @SuppressWarnings("unchecked") // of the element's type
    private static TypeAdapter<@Nullable Object> adapter(Gson gson, Type element) {
        return (TypeAdapter<@Nullable Object>) RefusedTypeException.adapter(gson, TypeToken.get(element));
    }

    private static final class CollectionAdapter extends TypeAdapter<@Nullable Collection<@Nullable Object>> {
        private final Supplier<Collection<@Nullable Object>> empty;
        private final boolean isHashed;
        private final TypeAdapter<@Nullable Object> element;

        CollectionAdapter(
                Supplier<Collection<@Nullable Object>> empty, boolean isHashed, TypeAdapter<@Nullable Object> element) {
            this.empty = empty;
            this.isHashed = isHashed;
            this.element = element;
        }

        @Override
        public void write(JsonWriter out, @Nullable Collection<@Nullable Object> value) throws IOException {
            if (value == null) {
                out.nullValue();
                return;
            }
            out.beginArray();
            for (Object each : value) {
                element.write(out, each);
            }
            out.endArray();
        }

        @Override
        public @Nullable Collection<@Nullable Object> read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            Collection<@Nullable Object> made = empty.get();
            // To add one by one to a CopyOnWriteArrayList would copy all for each.
            Collection<@Nullable Object> elements = made instanceof CopyOnWriteArrayList ? new ArrayList<>() : made;
            HashCodes codes = isHashed ? new HashCodes() : null;
            in.beginArray();
            while (in.hasNext()) {
                Object value = element.read(in);
                boolean isNew;
                try {
                    isNew = elements.add(value);
                } catch (RuntimeException refused) { // null, or a value that cannot be compared
                    throw Containers.unfit(in, refused);
                }
                if (isNew && codes != null && !codes.add(value)) {
                    throw Containers.colliding(in);
                }
            }
            in.endArray();
            if (elements != made) {
                made.addAll(elements);
            }
            return made;
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
                return;
            }
            out.beginArray();
            for (int i = 0; i < Array.getLength(value); i++) {
                element.write(out, Array.get(value, i));
            }
            out.endArray();
        }

        @Override
        public @Nullable Object read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            List<@Nullable Object> elements = new ArrayList<>();
            in.beginArray();
            while (in.hasNext()) {
                Object value = element.read(in);
                if (value == null && type.isPrimitive()) {
                    throw new JsonSyntaxException("a value is required; at path " + in.getPreviousPath());
                }
                elements.add(value);
            }
            in.endArray();
            Object array = Array.newInstance(type, elements.size());
            for (int i = 0; i < elements.size(); i++) {
                Array.set(array, i, elements.get(i));
            }
            return array;
        }
    }
}
