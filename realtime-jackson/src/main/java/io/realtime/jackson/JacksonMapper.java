package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.DeserializationConfig;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.InjectableValues;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.deser.DefaultDeserializationContext;
import io.realtime.PayloadException;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.io.Writer;
import org.jspecify.annotations.Nullable;

/** A mapper of the values of one type. Its input was checked before, and its output is checked after: one JSON value. */
final class JacksonMapper implements PayloadCodec.Mapper {
    private final ObjectWriter writer;
    private final ObjectReader reader;
    private final DefaultDeserializationContext context;
    private final JavaType type;
    private final JsonDeserializer<Object> deserializer;
    private final boolean hasLongs;

    private JacksonMapper(
            ObjectMapper mapper,
            DefaultDeserializationContext context,
            JavaType type,
            JsonDeserializer<Object> deserializer,
            boolean hasLongs) {
        this.writer = mapper.writerFor(type).with(StreamWriteFeature.STRICT_DUPLICATE_DETECTION);
        this.reader = mapper.readerFor(type)
                .with(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .without(DeserializationFeature.ACCEPT_FLOAT_AS_INT);
        this.context = context;
        this.type = type;
        this.deserializer = deserializer;
        this.hasLongs = hasLongs;
    }

    /**
     * Returns the mapper of a type.
     *
     * @throws IllegalArgumentException if values of this type cannot travel
     */
    static JacksonMapper of(ObjectMapper mapper, JavaType type, boolean isStrict) {
        CheckedContext context =
                new CheckedContext((DefaultDeserializationContext) mapper.getDeserializationContext(), isStrict);
        return new JacksonMapper(
                mapper, context, type, TypeCheck.deserializer(mapper, context, type, isStrict), isStrict);
    }

    @Override
    public void write(Object value, Writer out) throws IOException {
        try (JsonGenerator generator = new CheckedGenerator(writer.createGenerator(out))) {
            writer.writeValue(generator, value);
        } catch (JsonMappingException unfit) {
            if (unfit.getCause() instanceof PayloadException own) {
                throw own;
            }
            throw unfit;
        }
    }

    @Override
    public @Nullable Object read(String text, int from, int to) {
        String json = text.substring(from, to);
        try (JsonParser parser = new CheckedParser(reader.createParser(json), hasLongs, json.contains("\\u"))) {
            try {
                return read(parser);
            } catch (PayloadException unfit) {
                throw unfit;
            } catch (IOException | RuntimeException unfit) {
                throw ReadFaults.describe(parser, unfit);
            }
        } catch (IOException never) {
            throw new IllegalStateException("a text in memory cannot be read", never);
        }
    }

    private @Nullable Object read(JsonParser parser) throws IOException {
        DeserializationConfig config = reader.getConfig();
        InjectableValues injected = reader.getInjectableValues();
        DefaultDeserializationContext one = context.createInstance(config, parser, injected);
        if (parser.nextToken() == JsonToken.VALUE_NULL) {
            return null;
        }
        Object value = one.readRootValue(parser, type, deserializer, null);
        if (parser.nextToken() != null) { // a deserializer has read less than its value
            one.reportTrailingTokens(type.getRawClass(), parser, parser.currentToken());
        }
        one.checkUnresolvedObjectId();
        return value;
    }
}
