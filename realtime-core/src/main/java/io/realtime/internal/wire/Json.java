package io.realtime.internal.wire;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.TypeAdapter;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import io.realtime.Position;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The JSON of the protocol's own frames, by Gson. Safe for use by many threads. */
public final class Json {
    /** How deep a frame may nest, the envelope included. */
    public static final int MAX_NESTING = 32;

    /**
     * How deep a frame from the server may nest: the reply to {@code $history} contains envelopes at its third level.
     */
    public static final int MAX_NESTING_FROM_SERVER = MAX_NESTING + 3;

    private static final Gson GSON =
            strings().registerTypeAdapter(Position.class, new PositionAdapter()).create();

    // Holds only types of the protocol, because an application's type would keep its class loader.
    private static final ConcurrentHashMap<Type, Payload> KNOWN = new ConcurrentHashMap<>();

    private static final Payload STRING = payload(String.class);

    private Json() {}

    /** Returns a builder of a Gson that accepts only strings as strings, and only booleans as booleans. */
    public static GsonBuilder strings() {
        return new GsonBuilder()
                .disableHtmlEscaping()
                .registerTypeAdapter(String.class, new StringAdapter())
                .registerTypeAdapter(boolean.class, new BooleanAdapter())
                .registerTypeAdapter(Boolean.class, new BooleanAdapter());
    }

    /** Returns the mapping of a type in the protocol's own frames, or as raw JSON. */
    public static Payload payload(Type type) {
        Payload payload = KNOWN.get(type);
        return payload != null ? payload : KNOWN.computeIfAbsent(type, Json::make);
    }

    private static Payload make(Type type) {
        boolean isJson = type != Void.class && !Bytes.is(type);
        if (!isJson) {
            return new Payload(type, null);
        }
        TypeToken<?> token = TypeToken.get(type);
        boolean isRaw = JsonElement.class.isAssignableFrom(token.getRawType()); // passes through unchanged
        return new Payload(type, new GsonMapper(GSON.getAdapter(token), isRaw));
    }

    /** Appends a JSON string to a text. */
    static void write(String value, Utf8 out) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c < ' ' || c >= 0x7F || c == '"' || c == '\\') {
                STRING.write(value, out);
                return;
            }
        }
        out.add("\"").add(value).add("\"");
    }

    /** The adapter of strings. Gson's converts numbers and booleans to strings; the contract requires a string. */
    private static final class StringAdapter extends TypeAdapter<@Nullable String> {
        @Override
        public void write(JsonWriter out, @Nullable String value) throws IOException {
            out.value(value);
        }

        @Override
        public @Nullable String read(JsonReader in) throws IOException {
            JsonToken token = in.peek();
            if (token == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            if (token != JsonToken.STRING && token != JsonToken.NAME) { // names are the keys of maps
                throw new IllegalStateException("Expected a string but was " + token);
            }
            return in.nextString();
        }
    }

    /** The adapter of booleans. Gson's reads the string "true" as true, and every other string as false. */
    private static final class BooleanAdapter extends TypeAdapter<@Nullable Boolean> {
        @Override
        public void write(JsonWriter out, @Nullable Boolean value) throws IOException {
            out.value(value);
        }

        @Override
        public @Nullable Boolean read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            return in.nextBoolean();
        }
    }

    /** The adapter of positions, which are {@code [epoch, offset]} on the wire. */
    private static final class PositionAdapter extends TypeAdapter<@Nullable Position> {
        @Override
        public void write(JsonWriter out, @Nullable Position value) throws IOException {
            if (value == null) {
                out.nullValue();
                return;
            }
            out.beginArray().value(value.epoch()).value(value.offset()).endArray();
        }

        @Override
        public @Nullable Position read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            in.beginArray();
            expect(in, JsonToken.STRING);
            String epoch = in.nextString();
            expect(in, JsonToken.NUMBER);
            long offset = in.nextLong();
            in.endArray();
            if (offset < 0) {
                throw new IllegalStateException("Expected an offset of 0 or more but was " + offset);
            }
            return new Position(epoch, offset);
        }

        /** Checks the type of a token, because Gson would convert between types. */
        private static void expect(JsonReader in, JsonToken token) throws IOException {
            if (in.peek() != token) {
                throw new IllegalStateException("Expected " + token + " but was " + in.peek());
            }
        }
    }
}
