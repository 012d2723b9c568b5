package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.util.Collection;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The adapter of a field that takes any value. Gson would write a value of an anonymous class as null. */
final class AnyAdapter extends TypeAdapter<@Nullable Object> {
    static final String WITHIN_METHOD = "it is a class within a method; move it out";

    private final Gson gson;
    private final TypeAdapter<Object> any;

    AnyAdapter(Gson gson) {
        this.gson = gson;
        this.any = gson.getAdapter(Object.class);
    }

    /** Returns whether Gson would write values of this class as null. */
    static boolean isWithinMethod(Class<?> type) {
        return type.isAnonymousClass() || (type.isLocalClass() && !Platform.isRecord(type));
    }

    @Override
    public void write(JsonWriter out, @Nullable Object value) throws IOException {
        if (value == null || value instanceof Enum || !isWithinMethod(value.getClass())) {
            any.write(out, value);
            return;
        }
        if (!Containers.isContainer(value.getClass())) {
            throw new RefusedTypeException(value.getClass(), WITHIN_METHOD);
        }
        Containers.requireNoFields(value.getClass());
        if (value instanceof Map<?, ?> map) {
            gson.getAdapter(Map.class).write(out, map);
        } else {
            gson.getAdapter(Collection.class).write(out, (Collection<?>) value);
        }
    }

    @Override
    public @Nullable Object read(JsonReader in) throws IOException {
        return any.read(in);
    }
}
