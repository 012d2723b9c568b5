package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.JsonSyntaxException;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.annotations.JsonAdapter;
import com.google.gson.annotations.SerializedName;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import io.realtime.internal.wire.Names;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of enums. A constant is written as its name, or its {@code @SerializedName}; an unknown one is refused,
 * where Gson would read null.
 */
final class EnumAdapterFactory implements TypeAdapterFactory {
    @Override
    @SuppressWarnings("unchecked") // T is an enum
    public <T> @Nullable TypeAdapter<T> create(Gson gson, TypeToken<T> token) {
        Class<?> raw = token.getRawType();
        if (!Enum.class.isAssignableFrom(raw) || raw == Enum.class || raw.isAnnotationPresent(JsonAdapter.class)) {
            return null;
        }
        // A constant with a body has a class of its own.
        return (TypeAdapter<T>) new EnumAdapter(raw.isEnum() ? raw : raw.getSuperclass()).nullSafe();
    }

    private static final class EnumAdapter extends TypeAdapter<Enum<?>> {
        private final Map<String, Enum<?>> constants = new HashMap<>();
        private final Map<Enum<?>, String> names = new HashMap<>();

        EnumAdapter(Class<?> type) {
            for (Object constant : type.getEnumConstants()) {
                Enum<?> value = (Enum<?>) constant;
                SerializedName given = given(type, value);
                String name = given == null ? value.name() : given.value();
                names.put(value, name);
                add(type, name, value);
                for (String alternate : given == null ? new String[0] : given.alternate()) {
                    add(type, alternate, value);
                }
            }
        }

        private void add(Class<?> type, String name, Enum<?> value) {
            Enum<?> other = constants.put(name, value);
            if (other != null && other != value) {
                throw new RefusedTypeException(type, "two of its constants are named '" + name + "'");
            }
        }

        private static @Nullable SerializedName given(Class<?> type, Enum<?> value) {
            try {
                return type.getDeclaredField(value.name()).getAnnotation(SerializedName.class);
            } catch (NoSuchFieldException renamed) { // renamed by a shrinker, which keeps name()
                return null;
            }
        }

        @Override
        public void write(JsonWriter out, Enum<?> value) throws IOException {
            out.value(names.get(value));
        }

        @Override
        public Enum<?> read(JsonReader in) throws IOException {
            String name = in.nextString();
            Enum<?> value = constants.get(name);
            if (value == null) {
                throw new JsonSyntaxException(
                        "unknown constant '" + Names.abbreviate(name) + "'; at path " + in.getPreviousPath());
            }
            return value;
        }
    }
}
