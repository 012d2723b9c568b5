package io.realtime.internal.wire;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.TypeAdapter;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonWriter;
import io.realtime.PayloadException;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.io.Writer;
import org.jspecify.annotations.Nullable;

/** A mapper of the values of one type, by a Gson adapter and without an intermediate tree. */
public final class GsonMapper implements PayloadCodec.Mapper {
    private static final TypeAdapter<JsonElement> JSON = new Gson().getAdapter(JsonElement.class);

    private final TypeAdapter<Object> adapter;
    private final boolean writesNulls;

    /**
     * Creates a mapper.
     *
     * @param adapter reads and writes values of the type
     * @param writesNulls whether a field that an adapter writes as null is written
     */
    @SuppressWarnings("unchecked")
    public GsonMapper(TypeAdapter<?> adapter, boolean writesNulls) {
        this.adapter = (TypeAdapter<Object>) adapter;
        this.writesNulls = writesNulls;
    }

    @Override
    public void write(Object value, Writer out) {
        try {
            JsonWriter writer = new BoundedWriter(out);
            writer.setHtmlSafe(false);
            writer.setSerializeNulls(writesNulls);
            adapter.write(writer, value);
            // The application's adapter may have written no value, or an incomplete one.
            writer.close();
        } catch (PayloadException unfit) {
            throw unfit;
        } catch (IOException | RuntimeException unfit) {
            throw PayloadFaults.written(unfit);
        }
    }

    @Override
    public Object read(String text, int from, int to) {
        PayloadReader reader = PayloadReader.take();
        Object value;
        try {
            reader.begin(text, from, to);
            value = adapter.read(reader);
        } catch (PayloadException unfit) {
            throw unfit;
        } catch (IOException | RuntimeException unfit) {
            throw PayloadFaults.read(reader.getPath(), unfit);
        }
        reader.end();
        if (value == null) { // the application's adapter may return null
            throw PayloadFaults.none();
        }
        return value;
    }

    /**
     * Reads a part of a payload from a separate text.
     *
     * @param at the place of the part in the payload
     */
    public Object readPart(String text, String at) {
        try {
            return read(text, 0, text.length());
        } catch (PayloadException unfit) {
            throw PayloadFaults.within(at, unfit);
        }
    }

    /** A writer that refuses a payload that nests deeper than the receiver of its frame reads. */
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

        /** Refuses a number that no peer would read. */
        @Override
        public JsonWriter value(@Nullable Number value) throws IOException {
            requireFinite(value);
            int length = value == null ? 0 : value.toString().length();
            if (length > JsonScanner.LONGEST_NUMBER) {
                throw new PayloadException("data holds a number of " + length + " characters, more than "
                        + JsonScanner.LONGEST_NUMBER + "; send it as a string");
            }
            return super.value(value);
        }

        @Override
        public JsonWriter value(double value) throws IOException {
            requireFinite(value);
            return super.value(value);
        }

        @Override
        public JsonWriter value(float value) throws IOException {
            requireFinite(value);
            return super.value(value);
        }

        /** Refuses NaN and infinities, also when an adapter has made the writer lenient. */
        private static void requireFinite(@Nullable Number value) {
            if (value == null || !(value instanceof Double || value instanceof Float)) {
                return;
            }
            if (Double.isNaN(value.doubleValue()) || Double.isInfinite(value.doubleValue())) {
                throw new PayloadException("data is not JSON: " + value + " is not a JSON number");
            }
        }

        /** Checks that raw JSON is one value. */
        @Override
        public JsonWriter jsonValue(@Nullable String json) throws IOException {
            if (json == null) {
                return nullValue();
            }
            JSON.write(this, StrictJson.read(json, TypeToken.get(JsonElement.class)));
            return this;
        }

        private void deeper() {
            if (++depth >= Json.MAX_NESTING) { // the envelope is the first level
                throw new PayloadException("data nests deeper than " + (Json.MAX_NESTING - 1));
            }
        }
    }
}
