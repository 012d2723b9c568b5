package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.core.util.JsonParserDelegate;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import org.jspecify.annotations.Nullable;

/**
 * Refuses numbers that would become others, whichever deserializer asks: Jackson's parser makes infinity of 1e400, and
 * -56 of 200 for a byte. Where any number is taken, one that a double would round is a decimal.
 */
final class CheckedParser extends JsonParserDelegate {
    private static final int MOST_PLACES = 10_000; // more would make a handler's first sum endless

    private final boolean hasLongs;
    private final boolean mayHoldHalves;

    /**
     * A parser.
     *
     * @param hasLongs whether an int becomes a long where any number is taken
     * @param mayHoldHalves whether the text has escapes, which may be half a surrogate pair
     */
    CheckedParser(JsonParser parser, boolean hasLongs, boolean mayHoldHalves) {
        super(parser);
        this.hasLongs = hasLongs;
        this.mayHoldHalves = mayHoldHalves;
    }

    @Override
    public @Nullable JsonToken nextToken() throws IOException {
        JsonToken token = super.nextToken();
        if (mayHoldHalves && (token == JsonToken.VALUE_STRING || token == JsonToken.FIELD_NAME)) {
            requireWhole(getText());
        }
        return token;
    }

    /** Goes by {@link #nextToken()}, like all that moves this parser. */
    @Override
    public @Nullable JsonToken nextValue() throws IOException {
        JsonToken token = nextToken();
        return token == JsonToken.FIELD_NAME ? nextToken() : token;
    }

    /** Refuses what no frame could carry on. */
    private void requireWhole(String text) throws JsonParseException {
        boolean isWhole =
                text.codePoints().noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
        if (!isWhole) {
            throw new JsonParseException(this, "half a surrogate pair");
        }
    }

    private InputCoercionException unfit(Class<?> target) {
        return new InputCoercionException(this, "the number does not fit", currentToken(), target);
    }

    @Override
    public byte getByteValue() throws IOException {
        int value = getIntValue();
        if (value != (byte) value) {
            throw unfit(byte.class);
        }
        return (byte) value;
    }

    @Override
    public float getFloatValue() throws IOException {
        float value = super.getFloatValue();
        if (Float.isInfinite(value)) {
            throw unfit(float.class);
        }
        return value;
    }

    @Override
    public double getDoubleValue() throws IOException {
        double value = super.getDoubleValue();
        if (Double.isInfinite(value)) {
            throw unfit(double.class);
        }
        return value;
    }

    @Override
    public BigDecimal getDecimalValue() throws IOException {
        BigDecimal value = super.getDecimalValue();
        if (Math.abs((long) value.scale()) >= MOST_PLACES) {
            throw unfit(BigDecimal.class);
        }
        return value;
    }

    @Override
    public BigInteger getBigIntegerValue() throws IOException {
        return hasToken(JsonToken.VALUE_NUMBER_FLOAT) ? getDecimalValue().toBigInteger() : super.getBigIntegerValue();
    }

    /** Asked where any number is taken: into an Object, or a tree. */
    @Override
    public NumberTypeFP getNumberTypeFP() throws IOException {
        if (!hasToken(JsonToken.VALUE_NUMBER_FLOAT)) {
            return super.getNumberTypeFP();
        }
        BigDecimal value = getDecimalValue();
        double rounded = value.doubleValue();
        if (Double.isInfinite(rounded) || (rounded == 0 && value.signum() != 0)) {
            throw unfit(Number.class);
        }
        return value.compareTo(new BigDecimal(Double.toString(rounded))) == 0
                ? NumberTypeFP.DOUBLE64
                : NumberTypeFP.BIG_DECIMAL;
    }

    @Override
    public Number getNumberValue() throws IOException {
        if (hasToken(JsonToken.VALUE_NUMBER_FLOAT)) {
            return getNumberTypeFP() == NumberTypeFP.BIG_DECIMAL ? getDecimalValue() : (Number) getDoubleValue();
        }
        Number value = super.getNumberValue();
        return hasLongs && value instanceof Integer ? (Number) value.longValue() : value;
    }
}
