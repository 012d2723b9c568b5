package io.realtime.gson;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonSyntaxException;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.function.Function;
import java.util.function.IntFunction;

/** The adapters of numbers. They preserve or refuse a value that Gson would round. */
final class Numbers {
    // Any number of so many characters fits a long.
    private static final int ALWAYS_LONG = 18;
    // With more, the first sum that a handler computes could run almost forever.
    private static final int MOST_PLACES = 10_000;
    // The limit for JSON numbers. Parsing a longer string takes quadratic time.
    private static final int LONGEST = 1023;

    /** Writes longs as strings; reads them from strings and numbers. */
    static final TypeAdapter<Long> AS_STRINGS = new LongAdapter(true).nullSafe();

    private Numbers() {}

    static void register(GsonBuilder gson, boolean hasLongsAsStrings) {
        TypeAdapter<Long> longs = hasLongsAsStrings ? AS_STRINGS : new LongAdapter(false).nullSafe();
        gson.registerTypeAdapter(long.class, longs).registerTypeAdapter(Long.class, longs);
        TypeAdapter<Number> bytes = new SmallAdapter(Byte.MIN_VALUE, Byte.MAX_VALUE, value -> (byte) value).nullSafe();
        gson.registerTypeAdapter(byte.class, bytes).registerTypeAdapter(Byte.class, bytes);
        TypeAdapter<Number> shorts =
                new SmallAdapter(Short.MIN_VALUE, Short.MAX_VALUE, value -> (short) value).nullSafe();
        gson.registerTypeAdapter(short.class, shorts).registerTypeAdapter(Short.class, shorts);
        TypeAdapter<Float> floats = new FloatAdapter().nullSafe();
        gson.registerTypeAdapter(float.class, floats).registerTypeAdapter(Float.class, floats);
        gson.registerTypeAdapter(BigInteger.class, new BigAdapter(BigInteger::new).nullSafe());
        gson.registerTypeAdapter(BigDecimal.class, new BigAdapter(BigDecimal::new).nullSafe());
    }

    /**
     * Reads a number into a field that accepts any: a Long, a BigInteger, a Double if that preserves the value, or a
     * BigDecimal.
     */
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

    /** Returns the failure for a number that was read. */
    private static JsonSyntaxException unfit(JsonReader in) {
        return new JsonSyntaxException("the number does not fit; at path " + in.getPreviousPath());
    }

    /**
     * The adapter of longs. Gson's reader reads 9223372036854775808 as 9223372036854775807, and rounds
     * 9007199254740993.0.
     */
    private static final class LongAdapter extends TypeAdapter<Long> {
        private final boolean asString;

        LongAdapter(boolean asString) {
            this.asString = asString;
        }

        @Override
        public void write(JsonWriter out, Long value) throws IOException {
            if (asString) {
                out.value(value.toString());
            } else {
                out.value(value);
            }
        }

        @Override
        public Long read(JsonReader in) throws IOException {
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

    /** The adapter of small integers. Gson's reads 200 into a byte as -56. */
    private static final class SmallAdapter extends TypeAdapter<Number> {
        private final int least;
        private final int most;
        private final IntFunction<Number> cast;

        SmallAdapter(int least, int most, IntFunction<Number> cast) {
            this.least = least;
            this.most = most;
            this.cast = cast;
        }

        @Override
        public void write(JsonWriter out, Number value) throws IOException {
            out.value(value);
        }

        @Override
        public Number read(JsonReader in) throws IOException {
            int value = in.nextInt();
            if (value < least || value > most) {
                throw unfit(in);
            }
            return cast.apply(value);
        }
    }

    /** The adapter of big numbers. Gson's accepts 1e1000000000 before 2.11, and strings of any length. */
    private static final class BigAdapter extends TypeAdapter<Number> {
        private final Function<String, Number> parser;

        BigAdapter(Function<String, Number> parser) {
            this.parser = parser;
        }

        @Override
        public void write(JsonWriter out, Number value) throws IOException {
            out.value(value);
        }

        @Override
        public Number read(JsonReader in) throws IOException {
            String text = text(in);
            try {
                Number value = parser.apply(text);
                if (!(value instanceof BigDecimal decimal) || Math.abs((long) decimal.scale()) < MOST_PLACES) {
                    return value;
                }
            } catch (NumberFormatException unfit) {
                // Thrown below, with the place in the payload.
            }
            throw unfit(in);
        }
    }

    /** The adapter of floats. Gson's reads a number that is too large as infinity. */
    private static final class FloatAdapter extends TypeAdapter<Float> {
        @Override
        public void write(JsonWriter out, Float value) throws IOException {
            out.value(value);
        }

        @Override
        public Float read(JsonReader in) throws IOException {
            float value = (float) in.nextDouble();
            if (Float.isInfinite(value)) {
                throw unfit(in);
            }
            return value;
        }
    }
}
