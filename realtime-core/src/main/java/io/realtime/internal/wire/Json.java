package io.realtime.internal.wire;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonIOException;
import com.google.gson.JsonNull;
import com.google.gson.JsonSyntaxException;
import com.google.gson.Strictness;
import com.google.gson.TypeAdapter;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.internal.Steps;
import java.io.IOException;
import java.io.StringReader;
import java.io.Writer;
import java.lang.reflect.Type;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Payloads as JSON, through Gson. Safe for use by many threads. */
public final class Json {
    /** How deep a frame may nest, the envelope included. */
    public static final int MAX_NESTING = 32;

    /** How deep a frame from the server may nest: the reply to {@code $history} holds envelopes, three levels down. */
    public static final int MAX_NESTING_FROM_SERVER = MAX_NESTING + 3;

    // What a peer sent comes back to it in messages, which are kept and logged: as much of it as people can use.
    private static final int MAX_PATH = 128;
    private static final int MAX_REJECTION = 256;

    private static final Gson GSON = new GsonBuilder()
            .disableHtmlEscaping()
            .registerTypeAdapter(String.class, new StringAdapter())
            .registerTypeAdapter(boolean.class, new BooleanAdapter())
            .registerTypeAdapter(Boolean.class, new BooleanAdapter())
            .registerTypeAdapter(Position.class, new PositionAdapter())
            .create();

    /** Gson's messages say "Expected a string but was NUMBER at line 1 column 9 path $.x" and then a link. */
    private static final Pattern WITHOUT_LOCATION =
            Pattern.compile("^(.*?)(?:;? at (?:line|path) .*)?$", Pattern.DOTALL);

    /** And "Lossy conversion from 300 to byte; at path $.x[0]". */
    private static final Pattern LOCATED = Pattern.compile(".*; at path (\\$.*)", Pattern.DOTALL);

    private Json() {}

    /**
     * Returns the JSON of a payload.
     *
     * @throws PayloadException when the value is none that Gson can write, nests too deep for a frame (one that holds
     *     itself, say), or is null where the contract is not Void
     */
    public static String write(@Nullable Object value, Type type) {
        if (value == null) {
            if (type != Void.class) {
                throw new PayloadException("data is required: null is not a " + type);
            }
            return "null";
        }
        Utf8 out = new Utf8();
        write(value, type, out);
        return out.toString();
    }

    /** Like {@link #write(Object, Type)}, at the end of a text. */
    static void write(Object value, Type type, Utf8 out) {
        try {
            JsonWriter writer = new BoundedWriter(out);
            writer.setHtmlSafe(false);
            writer.setSerializeNulls(value instanceof JsonElement); // raw JSON passes through as it is
            writer.setStrictness(Strictness.LEGACY_STRICT);
            adapter(type).write(writer, value);
            writer.close(); // an adapter of the application's may have written no value, or half of one
        } catch (PayloadException tooDeep) {
            throw tooDeep;
        } catch (IOException | RuntimeException unfit) {
            throw new PayloadException("data is no JSON: " + describe(unfit), unfit);
        }
    }

    /** Writes a string at the end of a text. */
    static void write(String value, Utf8 out) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c < ' ' || c >= 0x7F || c == '"' || c == '\\') {
                write(value, String.class, out);
                return;
            }
        }
        out.add("\"").add(value).add("\"");
    }

    /**
     * Reads a payload straight into its Java type.
     *
     * @param text holds the payload in JSON that was checked before: one value, of this depth at most
     * @throws PayloadException naming the place in the payload that does not fit
     */
    static @Nullable Object read(String text, int from, int to, int nesting, Type type) {
        if (type == Void.class) {
            return null;
        }
        PayloadReader reader = PayloadReader.take();
        Object value;
        try {
            reader.begin(text, from, to, nesting);
            if (reader.peek() == JsonToken.NULL && type != JsonElement.class) {
                throw missing();
            }
            value = adapter(type).read(reader);
        } catch (PayloadException unfit) {
            throw unfit;
        } catch (IOException | RuntimeException unfit) {
            String rejection = rejection(unfit);
            if (rejection != null) {
                throw new PayloadException(Names.abbreviate(rejection, MAX_REJECTION), unfit);
            }
            // An adapter that took the value before it refused it has moved the reader on; Gson's message has not.
            Matcher located = LOCATED.matcher(Steps.message(unfit));
            String path = PayloadReader.path(located.matches() ? located.group(1) : reader.getPath());
            throw new PayloadException(Names.abbreviate(path, MAX_PATH) + ": " + describeToPeer(unfit), unfit);
        }
        reader.end();
        if (value == null) { // Gson's answer to a constant that the enum does not have
            throw new PayloadException("$: the value does not fit");
        }
        return value;
    }

    /** What an absent payload becomes: null for Void, JSON's null for raw JSON. */
    static @Nullable Object absent(Type type) {
        if (type == Void.class) {
            return null;
        }
        if (type == JsonElement.class) {
            return JsonNull.INSTANCE;
        }
        throw missing();
    }

    private static PayloadException missing() {
        return new PayloadException("data is required");
    }

    @SuppressWarnings("unchecked") // the adapter of a type takes and gives values of that type
    private static TypeAdapter<Object> adapter(Type type) {
        return (TypeAdapter<Object>) GSON.getAdapter(TypeToken.get(type));
    }

    /** What the payload's own constructor said against the values, if it did: its words, for the sender. */
    private static @Nullable String rejection(Throwable unfit) {
        if (unfit instanceof JsonSyntaxException) { // an adapter's refusal (of a UUID, say): the place says more
            return null;
        }
        for (Throwable cause = unfit.getCause(); cause != null; cause = cause.getCause()) {
            boolean isRequireNonNull = cause instanceof NullPointerException
                    && cause.getStackTrace().length > 0
                    && cause.getStackTrace()[0].getClassName().equals("java.util.Objects");
            boolean isRefusal = cause.getClass() == IllegalArgumentException.class;
            if ((isRefusal || isRequireNonNull) && cause.getMessage() != null) {
                return cause.getMessage();
            }
        }
        return null;
    }

    /** Like {@link #describe}, without the names and values of Java code that are the receiver's own business. */
    private static String describeToPeer(Throwable unfit) {
        boolean isOfJson = unfit instanceof JsonSyntaxException
                || unfit instanceof IllegalStateException
                || unfit instanceof NumberFormatException
                || unfit instanceof IOException;
        return isOfJson ? describe(unfit) : "the value does not fit";
    }

    private static String describe(Throwable unfit) {
        Throwable cause = unfit;
        if ((unfit instanceof JsonSyntaxException || unfit instanceof JsonIOException) && unfit.getCause() != null) {
            cause = unfit.getCause();
        }
        if (cause instanceof NumberFormatException) {
            return "the number does not fit";
        }
        String message = Steps.message(cause);
        Matcher matcher = WITHOUT_LOCATION.matcher(message);
        return Names.abbreviate(matcher.matches() ? matcher.group(1) : message);
    }

    /** Writes no payload that nests deeper than whoever receives its frame reads. */
    private static final class BoundedWriter extends JsonWriter {
        private int depth;

        BoundedWriter(Writer out) {
            super(out);
        }

        @Override
        public JsonWriter beginArray() throws IOException {
            deeper();
            return super.beginArray();
        }

        @Override
        public JsonWriter beginObject() throws IOException {
            deeper();
            return super.beginObject();
        }

        @Override
        public JsonWriter endArray() throws IOException {
            depth--;
            return super.endArray();
        }

        @Override
        public JsonWriter endObject() throws IOException {
            depth--;
            return super.endObject();
        }

        /** JSON as it is must be one value, like any other. */
        @Override
        public JsonWriter jsonValue(@Nullable String json) throws IOException {
            if (json == null) {
                return nullValue();
            }
            JsonReader reader = new JsonReader(new StringReader(json));
            reader.setStrictness(Strictness.STRICT);
            JsonElement element = GSON.getAdapter(JsonElement.class).read(reader);
            if (reader.peek() != JsonToken.END_DOCUMENT) {
                throw new PayloadException("data is no JSON: more than one value");
            }
            GSON.getAdapter(JsonElement.class).write(this, element);
            return this;
        }

        private void deeper() {
            if (++depth >= MAX_NESTING) { // the envelope is the first level
                throw new PayloadException("data nests deeper than " + (MAX_NESTING - 1));
            }
        }
    }

    /** Gson turns numbers and booleans into strings; a typed contract says string and means it. */
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

    /** Gson turns the string "true" into true and every other string into false. */
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

    /** A position is {@code [epoch, offset]} on the wire. */
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

        /** Gson would turn one into the other. */
        private static void expect(JsonReader in, JsonToken token) throws IOException {
            if (in.peek() != token) {
                throw new IllegalStateException("Expected " + token + " but was " + in.peek());
            }
        }
    }
}
