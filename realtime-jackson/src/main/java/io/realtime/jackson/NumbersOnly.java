package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.deser.std.DelegatingDeserializer;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Takes no string for a fraction: Jackson makes NaN of "NaN", and infinity of "INF", whatever its settings. */
final class NumbersOnly extends DelegatingDeserializer {
    private static final long serialVersionUID = 1L;

    NumbersOnly(JsonDeserializer<?> numbers) {
        super(numbers);
    }

    @Override
    protected JsonDeserializer<?> newDelegatingInstance(JsonDeserializer<?> numbers) {
        return new NumbersOnly(numbers);
    }

    @Override
    public @Nullable Object deserialize(JsonParser in, DeserializationContext context) throws IOException {
        return in.hasToken(JsonToken.VALUE_STRING)
                ? context.handleUnexpectedToken(handledType(), in)
                : super.deserialize(in, context);
    }
}
