package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.JsonGeneratorDelegate;
import io.realtime.PayloadException;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;

/** Refuses numbers to their sender that no peer reads; Jackson's generator makes a string of NaN. */
final class CheckedGenerator extends JsonGeneratorDelegate {
    CheckedGenerator(JsonGenerator generator) {
        // False: what is written as an object or a tree passes this generator too.
        super(generator, false);
    }

    @Override
    public void writeNumber(double value) throws IOException {
        super.writeNumber(finite(value));
    }

    @Override
    public void writeNumber(float value) throws IOException {
        finite(value);
        super.writeNumber(value);
    }

    @Override
    public void writeArray(double[] values, int from, int count) throws IOException {
        for (int i = from; i < from + count; i++) {
            finite(values[i]);
        }
        super.writeArray(values, from, count);
    }

    @Override
    public void writeNumber(BigInteger value) throws IOException {
        requireBounded(value);
        super.writeNumber(value);
    }

    @Override
    public void writeNumber(BigDecimal value) throws IOException {
        requireBounded(value);
        super.writeNumber(value);
    }

    private static double finite(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            throw new PayloadException("data holds " + value + ", which is not a JSON number");
        }
        return value;
    }

    private static void requireBounded(Number value) {
        int length = value.toString().length();
        if (length > JacksonCodec.LONGEST_NUMBER) {
            throw new PayloadException("data holds a number of " + length + " characters, more than "
                    + JacksonCodec.LONGEST_NUMBER + "; send it as a string");
        }
    }
}
