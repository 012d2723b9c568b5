package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.BeanProperty;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.deser.ContextualDeserializer;
import com.fasterxml.jackson.databind.deser.ValueInstantiator;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import io.realtime.internal.wire.HashCodes;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A set in a hash table, from a list whose elements may not share too many hash codes. */
final class SetDeserializer extends StdDeserializer<Collection<Object>> implements ContextualDeserializer {
    private static final long serialVersionUID = 1L;

    private final JavaType set;
    private final transient ValueInstantiator empty;
    private final transient @Nullable JsonDeserializer<?> list; // known when the property is

    SetDeserializer(JavaType set, ValueInstantiator empty, @Nullable JsonDeserializer<?> list) {
        super(set);
        this.set = set;
        this.empty = empty;
        this.list = list;
    }

    @Override
    public JsonDeserializer<?> createContextual(DeserializationContext context, @Nullable BeanProperty property)
            throws JsonMappingException {
        JavaType type = context.getTypeFactory().constructCollectionType(ArrayList.class, set.getContentType());
        return new SetDeserializer(set, empty, context.findContextualValueDeserializer(type, property));
    }

    @Override
    @SuppressWarnings("unchecked") // of the set's elements
    public @Nullable Collection<Object> deserialize(JsonParser in, DeserializationContext context) throws IOException {
        List<Object> all = (List<Object>) Objects.requireNonNull(list).deserialize(in, context);
        Collection<Object> elements = (Collection<Object>) empty.createUsingDefault(context);
        HashCodes codes = new HashCodes();
        for (int i = 0; i < all.size(); i++) {
            if (elements.add(all.get(i)) && !codes.add(all.get(i))) {
                String why = "more than " + HashCodes.MOST + " values have one hash code";
                throw JsonMappingException.wrapWithPath(MismatchedInputException.from(in, set, why), elements, i);
            }
        }
        return elements;
    }
}
