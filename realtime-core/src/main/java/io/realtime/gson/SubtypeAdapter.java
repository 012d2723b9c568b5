package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.gson.JsonSyntaxException;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import io.realtime.internal.wire.GsonMapper;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.PayloadReader;
import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The adapter of a base type; a field of each value names its class. */
final class SubtypeAdapter extends TypeAdapter<@Nullable Object> {
    private final Gson gson;
    private final Class<?> base;
    private final Map<String, Class<?>> classes;

    SubtypeAdapter(Gson gson, Class<?> base, Map<String, Class<?>> classes) {
        this.gson = gson;
        this.base = base;
        this.classes = classes;
        classes.values().forEach(this::adapter);
    }

    /**
     * Returns the adapter of a class. Not cached: while Gson builds adapters of types that refer to each other, it
     * returns placeholders.
     */
    private TypeAdapter<?> adapter(Class<?> of) {
        TypeAdapter<?> adapter = ObjectAdapterFactory.adapter(gson, of, base, of.getSimpleName());
        if (adapter instanceof ObjectAdapter object && object.ownsTypeField()) {
            throw new RefusedTypeException(
                    base, of.getSimpleName() + " has a field 'type' of its own; rename it, or give it an adapter");
        }
        return adapter;
    }

    @Override
    @SuppressWarnings("unchecked") // the adapter of the value's class
    public void write(JsonWriter out, @Nullable Object value) throws IOException {
        if (value == null) {
            out.nullValue();
            return;
        }
        if (classes.get(value.getClass().getSimpleName()) != value.getClass()) {
            throw new IllegalArgumentException(
                    value.getClass().getName() + " is none of the classes of " + base.getName());
        }
        ((TypeAdapter<Object>) adapter(value.getClass())).write(out, value);
    }

    @Override
    public @Nullable Object read(JsonReader in) throws IOException {
        if (in.peek() == JsonToken.NULL) {
            in.nextNull();
            return null;
        }
        in.beginObject();
        String first = in.hasNext() ? in.nextName() : null;
        boolean isFirst = Subtypes.FIELD.equals(first) && in.peek() == JsonToken.STRING;
        String name = isFirst ? in.nextString() : PayloadReader.typeAhead(in);
        String rest = isFirst ? null : first;
        if (name == null) {
            return readTree(in, null, rest);
        }
        Class<?> type = classes.get(name);
        if (type == null) {
            throw unknown(name, isFirst ? in.getPreviousPath() : within(in, first) + "." + Subtypes.FIELD);
        }
        return adapter(type) instanceof ObjectAdapter object ? object.readFields(in, rest) : readTree(in, type, rest);
    }

    /** Returns the place of an object whose first name was read, if it has one. */
    private static String within(JsonReader in, @Nullable String first) {
        String path = in.getPath();
        return path.substring(0, path.length() - 1 - (first == null ? 0 : first.length()));
    }

    /** Reads a value by way of a tree, if the application has an adapter for its class, or gave the reader. */
    private Object readTree(JsonReader in, @Nullable Class<?> known, @Nullable String first) throws IOException {
        JsonObject tree = new JsonObject();
        TypeAdapter<JsonElement> json = gson.getAdapter(JsonElement.class);
        for (String name = first; name != null || in.hasNext(); name = null) {
            tree.add(name != null ? name : in.nextName(), json.read(in));
        }
        in.endObject();
        String path = in.getPreviousPath();
        Class<?> type = known;
        if (type == null) {
            if (!(tree.get(Subtypes.FIELD) instanceof JsonPrimitive name) || !name.isString()) {
                throw new JsonSyntaxException("field 'type' is required; at path " + path);
            }
            type = classes.get(name.getAsString());
            if (type == null) {
                throw unknown(name.getAsString(), path + "." + Subtypes.FIELD);
            }
        }
        // Convert to text, because Gson's reader of trees rounds numbers.
        return new GsonMapper(adapter(type), false).readPart(tree.toString(), path);
    }

    private static JsonSyntaxException unknown(String name, String path) {
        return new JsonSyntaxException("unknown type '" + Names.abbreviate(name) + "'; at path " + path);
    }
}
