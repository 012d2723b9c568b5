package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.BeanProperty;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.deser.std.DelegatingDeserializer;
import com.fasterxml.jackson.databind.deser.std.NumberDeserializers;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A long with {@link io.realtime.gson.AsString}, from a string or a number. */
final class LongFromString extends DelegatingDeserializer {
    private static final long serialVersionUID = 1L;
    private static final int LONGEST = 20; // characters

    /** For Jackson, which asks for one that knows its property before it reads. */
    LongFromString() {
        this(NumberDeserializers.find(long.class, "long"));
    }

    private LongFromString(JsonDeserializer<?> numbers) {
        super(numbers);
    }

    @Override
    protected JsonDeserializer<?> newDelegatingInstance(JsonDeserializer<?> numbers) {
        return new LongFromString(numbers);
    }

    @Override
    public JsonDeserializer<?> createContextual(DeserializationContext context, BeanProperty property)
            throws JsonMappingException {
        Class<?> type = property.getType().getRawClass();
        if (type != long.class && type != Long.class) {
            context.reportBadDefinition(property.getType(), "@AsString is for longs");
        }
        return newDelegatingInstance(context.findContextualValueDeserializer(property.getType(), property));
    }

    @Override
    public @Nullable Object deserialize(JsonParser in, DeserializationContext context) throws IOException {
        if (!in.hasToken(JsonToken.VALUE_STRING)) {
            return super.deserialize(in, context);
        }
        String text = in.getText();
        try {
            if (text.length() <= LONGEST) {
                return Long.parseLong(text);
            }
        } catch (NumberFormatException unfit) {
            // told below, with the place
        }
        return context.handleWeirdStringValue(long.class, text, "the number does not fit");
    }
}
