package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonPrimitive;
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
import java.lang.reflect.Type;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of maps, which are written as JSON objects. A key's name is what its adapter writes, where Gson would
 * use its {@code toString}. Values are written by the adapter of their declared type.
 */
final class MapAdapterFactory implements TypeAdapterFactory {
    static boolean isOurs(TypeAdapter<?> adapter) {
        return adapter instanceof MapAdapter;
    }

    @Override
    @SuppressWarnings("unchecked") // T is a map
    public <T> @Nullable TypeAdapter<T> create(Gson gson, TypeToken<T> token) {
        Class<?> raw = token.getRawType();
        if (!Map.class.isAssignableFrom(raw) || raw.isAnnotationPresent(JsonAdapter.class)) {
            return null;
        }
        Containers.requireNoFields(raw);
        TypeVariables variables = new TypeVariables(token.getType());
        Type key = variables.resolve(Map.class.getTypeParameters()[0]);
        Type value = variables.resolve(Map.class.getTypeParameters()[1]);
        Class<?> rawKey = TypeToken.get(key).getRawType(); // keys that are declared as Object are strings
        boolean isHashed = rawKey != Object.class && HashCodes.mayCollide(raw, rawKey);
        return (TypeAdapter<T>)
                new MapAdapter(Containers.maps(raw, key), isHashed, keys(gson, key), (TypeAdapter<@Nullable Object>)
                        RefusedTypeException.adapter(gson, TypeToken.get(value)));
    }

    private static Keys keys(Gson gson, Type type) {
        Class<?> raw = TypeToken.get(type).getRawType();
        if (raw == String.class || raw == Object.class) {
            return new Keys(raw, null);
        }
        TypeAdapter<?> adapter = RefusedTypeException.adapter(gson, TypeToken.get(type));
        boolean isCompound = adapter instanceof ObjectAdapter
                || adapter instanceof SubtypeAdapter
                || raw.isArray()
                || Containers.isContainer(raw)
                || JsonElement.class.isAssignableFrom(raw)
                || raw == Optional.class;
        if (isCompound) {
            throw new RefusedTypeException(
                    type, "a map's key must be a string, a number, a constant or a time; send a list of records");
        }
        return new Keys(raw, adapter);
    }

    /** The conversion of a map's keys to names and back. */
    private static final class Keys {
        private final Class<?> type;
        private final @Nullable TypeAdapter<Object> adapter; // null for strings

        @SuppressWarnings("unchecked") // of the keys' type
        Keys(Class<?> type, @Nullable TypeAdapter<?> adapter) {
            this.type = type;
            this.adapter = (TypeAdapter<Object>) adapter;
        }

        String name(@Nullable Object key) {
            if (key == null) {
                throw new IllegalArgumentException("a map's key is null");
            }
            if (adapter != null) {
                if (adapter.toJsonTree(key) instanceof JsonPrimitive name) {
                    return name.getAsString();
                }
            } else if (key instanceof String name) {
                return name;
            }
            throw new IllegalArgumentException(
                    "a map's key is a " + key.getClass().getName()
                            + (type == Object.class ? " and is not declared as one" : ", which has no name"));
        }

        Object key(String name) {
            if (adapter == null) {
                return name;
            }
            boolean isBoolean = type == Boolean.class && (name.equals("true") || name.equals("false"));
            return adapter.fromJsonTree(isBoolean ? new JsonPrimitive(name.equals("true")) : new JsonPrimitive(name));
        }
    }

    private static final class MapAdapter extends TypeAdapter<@Nullable Map<Object, @Nullable Object>> {
        private final Supplier<Map<Object, @Nullable Object>> empty;
        private final boolean isHashed;
        private final Keys keys;
        private final TypeAdapter<@Nullable Object> values;

        MapAdapter(
                Supplier<Map<Object, @Nullable Object>> empty,
                boolean isHashed,
                Keys keys,
                TypeAdapter<@Nullable Object> values) {
            this.empty = empty;
            this.isHashed = isHashed;
            this.keys = keys;
            this.values = values;
        }

        @Override
        public void write(JsonWriter out, @Nullable Map<Object, @Nullable Object> map) throws IOException {
            if (map == null) {
                out.nullValue();
                return;
            }
            out.beginObject();
            for (Map.Entry<Object, @Nullable Object> each : map.entrySet()) {
                out.name(keys.name(each.getKey()));
                values.write(out, each.getValue());
            }
            out.endObject();
        }

        @Override
        public @Nullable Map<Object, @Nullable Object> read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            Map<Object, @Nullable Object> map = empty.get();
            HashCodes codes = isHashed ? new HashCodes() : null;
            in.beginObject();
            while (in.hasNext()) {
                Object key = key(in);
                if (map.containsKey(key)) { // for example, "1" and "01" are the same number
                    throw new JsonSyntaxException("the key is repeated; at path " + in.getPath());
                }
                if (codes != null && !codes.add(key)) {
                    throw Containers.colliding(in);
                }
                Object value = values.read(in);
                try {
                    map.put(key, value);
                } catch (RuntimeException refused) { // null, or a key that cannot be compared
                    throw Containers.unfit(in, refused);
                }
            }
            in.endObject();
            return map;
        }

        private Object key(JsonReader in) throws IOException {
            String name = in.nextName();
            Object key = null;
            RuntimeException unfit = null;
            try {
                key = keys.key(name);
            } catch (RuntimeException refused) { // its message names no place in the payload
                unfit = refused;
            }
            if (key == null) {
                JsonSyntaxException told = new JsonSyntaxException("the key does not fit; at path " + in.getPath());
                if (unfit != null) {
                    told.addSuppressed(unfit);
                }
                throw told;
            }
            return key;
        }
    }
}
