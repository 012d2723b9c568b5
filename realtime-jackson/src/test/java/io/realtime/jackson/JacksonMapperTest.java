package io.realtime.jackson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import io.realtime.PayloadException;
import java.io.IOException;
import java.util.Date;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What an application's own mapper decides. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class JacksonMapperTest extends JacksonCodecFixture {
    // ---- annotations, and an application's own mapper

    static final class Backwards extends JsonDeserializer<Object> {
        @Override
        public Object deserialize(JsonParser in, DeserializationContext context) throws IOException {
            String text = in.getText();
            if (text.isEmpty()) {
                throw new PayloadException("nothing to reverse");
            }
            return new StringBuilder(text).reverse().toString();
        }
    }

    record Annotated(
            @JsonProperty("t") @JsonDeserialize(using = Backwards.class)
            Object text) {}

    @Test
    void deserializerOfTheApplicationsIsUsed() {
        assertEquals(new Annotated("cba"), read(codec, Annotated.class, "{\"t\":\"abc\"}"));
        assertEquals("nothing to reverse", refusal(Annotated.class, "{\"t\":\"\"}"));
    }

    record Order(int itemCount, @Nullable Date at, @Nullable Object any) {}

    @Test
    void mapperOfTheApplicationsKeepsItsSettings() {
        ObjectMapper mapper = lenient();
        JacksonCodec own = JacksonCodec.of(mapper);
        mapper.setPropertyNamingStrategy(PropertyNamingStrategies.UPPER_CAMEL_CASE);
        mapper.enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
        assertEquals(
                "{\"item_count\":2,\"at\":5,\"any\":null}", write(own, Order.class, new Order(2, new Date(5), null)));
        assertEquals(
                new Order(2, new Date(5), 1),
                read(own, Order.class, "{\"item_count\":\"2\",\"at\":5,\"any\":1,\"unknown\":1}"));
        assertEquals(new Order(0, null, null), read(own, Order.class, "{}"));
    }

    @Test
    void mapperOfAnotherFormatIsRefused() {
        ObjectMapper smile = new ObjectMapper(new JsonFactory() {
            private static final long serialVersionUID = 1L;

            @Override
            public String getFormatName() {
                return "Smile";
            }
        });
        var refused = assertThrows(IllegalArgumentException.class, () -> JacksonCodec.of(smile));
        assertEquals("the mapper writes Smile; payloads are JSON", refused.getMessage());
    }

    @Test
    void mapperOfTheApplicationsMakesNoOtherNumber() {
        JacksonCodec own = JacksonCodec.of(new ObjectMapper());
        assertEquals("$: the number does not fit", refusal(own, byte.class, "200"));
        assertEquals("$: the number does not fit", refusal(own, double.class, "1e400"));
        assertEquals(
                "$: the number does not fit",
                refusal(own, float[].class, "[1e39]").replace("[0]", ""));
        assertEquals("$.a: the number does not fit", refusal(own, ANY_MAP, "{\"a\":1e400}"));
        assertThrows(IllegalArgumentException.class, () -> own.mapper(Holder.class));
    }
}
