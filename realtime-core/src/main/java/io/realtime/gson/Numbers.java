package io.realtime.gson;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonSyntaxException;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** Numbers that keep their value, where Gson would round. */
final class Numbers {
    private static final int ALWAYS_LONG = 18; // characters
    private static final int MOST_PLACES = 10_000; // more would make a handler's first sum endless
    private static final int LONGEST = 1023; // as of a JSON number; to parse a longer string takes quadratic time

    /** Longs as strings, and from both. */
    static final TypeAdapter<Long> AS_STRINGS = new LongAdapter(true);

    private Numbers() {}

    static void register(GsonBuilder gson, boolean hasLongsAsStrings) {
        TypeAdapter<Long> longs = hasLongsAsStrings ? AS_STRINGS : new LongAdapter(false);
        gson.registerTypeAdapter(long.class, longs).registerTypeAdapter(Long.class, longs);
        TypeAdapter<Number> bytes = new SmallAdapter(Byte.MIN_VALUE, Byte.MAX_VALUE, value -> (byte) value);
        gson.registerTypeAdapter(byte.class, bytes).registerTypeAdapter(Byte.class, bytes);
        TypeAdapter<Number> shorts = new SmallAdapter(Short.MIN_VALUE, Short.MAX_VALUE, value -> (short) value);
        gson.registerTypeAdapter(short.class, shorts).registerTypeAdapter(Short.class, shorts);
        TypeAdapter<Float> floats = new FloatAdapter();
        gson.registerTypeAdapter(float.class, floats).registerTypeAdapter(Float.class, floats);
        gson.registerTypeAdapter(BigInteger.class, new BigAdapter(BigInteger::new));
        gson.registerTypeAdapter(BigDecimal.class, new BigAdapter(BigDecimal::new));
    }

    /** Reads a number where any is taken: a Long, a BigInteger, a Double that is no other number, or a BigDecimal. */
    static Number exact(JsonReader in) throws IOException {
        String text = text(in);
        if (isInteger(text)) {
            if (text.length() <= ALWAYS_LONG) {
                return Long.parseLong(text);
            }
            BigInteger value = new BigInteger(text);
            return value.bitLength() < Long.SIZE ? (Number) value.longValue() : value;
        }
        double rounded = Double.parseDouble(text);
        BigDecimal value = new BigDecimal(text);
        if (Double.isInfinite(rounded) || (rounded == 0 && value.signum() != 0)) {
            throw unfit(in);
        }
        return value.compareTo(new BigDecimal(Double.toString(rounded))) == 0 ? (Number) rounded : value;
    }

    private static String text(JsonReader in) throws IOException {
        String text = in.nextString();
        if (text.isEmpty() || text.length() > LONGEST) {
            throw unfit(in);
        }
        return text;
    }

    private static boolean isInteger(String text) {
        for (int i = text.charAt(0) == '-' ? 1 : 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < '0' || c > '9') {
                return false;
            }
        }
        return true;
    }

    /** Tells of a number that was taken from the reader. */
    private static JsonSyntaxException unfit(JsonReader in) {
        return new JsonSyntaxException("the number does not fit; at path " + in.getPreviousPath());
    }

    /** Gson's reader makes 9223372036854775807 of the next number, and rounds 9007199254740993.0. */
    private static final class LongAdapter extends TypeAdapter<@Nullable Long> {
        private final boolean asString;

        LongAdapter(boolean asString) {
            this.asString = asString;
        }

        @Override
        public void write(JsonWriter out, @Nullable Long value) throws IOException {
            if (asString && value != null) {
                out.value(value.toString());
            } else {
                out.value(value);
            }
        }

        @Override
        public @Nullable Long read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            String text = text(in);
            try {
                if (text.length() <= ALWAYS_LONG && isInteger(text)) {
                    return Long.parseLong(text);
                }
                return new BigDecimal(text).longValueExact();
            } catch (ArithmeticException | NumberFormatException unfit) {
                throw unfit(in);
            }
        }
    }

    /** Gson's takes 200 for a byte, and makes -56 of it. */
    private static final class SmallAdapter extends TypeAdapter<@Nullable Number> {
        private final int least;
        private final int most;
        private final IntFunction<Number> cast;

        SmallAdapter(int least, int most, IntFunction<Number> cast) {
            this.least = least;
            this.most = most;
            this.cast = cast;
        }

        @Override
        public void write(JsonWriter out, @Nullable Number value) throws IOException {
            out.value(value);
        }

        @Override
        public @Nullable Number read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            int value = in.nextInt();
            if (value < least || value > most) {
                throw unfit(in);
            }
            return cast.apply(value);
        }
    }

    /** Gson's takes 1e1000000000 until 2.11, and strings of any length. */
    private static final class BigAdapter extends TypeAdapter<@Nullable Number> {
        private final Function<String, Number> parser;

        BigAdapter(Function<String, Number> parser) {
            this.parser = parser;
        }

        @Override
        public void write(JsonWriter out, @Nullable Number value) throws IOException {
            out.value(value);
        }

        @Override
        public @Nullable Number read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            String text = text(in);
            try {
                Number value = parser.apply(text);
                if (!(value instanceof BigDecimal decimal) || Math.abs((long) decimal.scale()) < MOST_PLACES) {
                    return value;
                }
            } catch (NumberFormatException unfit) {
                // told below, with the place
            }
            throw unfit(in);
        }
    }

    /** Gson's makes infinity of what is too large. */
    private static final class FloatAdapter extends TypeAdapter<@Nullable Float> {
        @Override
        public void write(JsonWriter out, @Nullable Float value) throws IOException {
            out.value(value);
        }

        @Override
        public @Nullable Float read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return null;
            }
            float value = (float) in.nextDouble();
            if (Float.isInfinite(value)) {
                throw unfit(in);
            }
            return value;
        }
    }
}
