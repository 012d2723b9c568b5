package io.realtime.jackson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.realtime.PayloadException;
import io.realtime.TypeRef;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.io.StringWriter;
import java.lang.reflect.Type;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A codec, and how a test writes and reads with it. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
abstract class JacksonCodecFixture {
    static final Type ANY_MAP = new TypeRef<Map<String, Object>>() {}.type();

    final JacksonCodec codec = JacksonCodec.create();

    static String write(PayloadCodec by, Type type, Object value) {
        StringWriter out = new StringWriter();
        try {
            by.mapper(type).write(value, out);
        } catch (IOException impossible) {
            throw new AssertionError(impossible);
        }
        return out.toString();
    }

    static Object read(PayloadCodec by, Type type, String json) {
        try {
            return Objects.requireNonNull(by.mapper(type).read("[" + json + "]", 1, json.length() + 1));
        } catch (IOException impossible) {
            throw new AssertionError(impossible);
        }
    }

    static String refusal(PayloadCodec by, Type type, String json) {
        return assertThrows(PayloadException.class, () -> read(by, type, json), json)
                .getMessage();
    }

    final String refusal(Type type, String json) {
        return refusal(codec, type, json);
    }

    final String refusedType(Type type) {
        var refused = assertThrows(IllegalArgumentException.class, () -> codec.mapper(type), type.toString());
        return Objects.requireNonNull(refused.getMessage());
    }

    final void assertTravels(Type type, Object value, String json) {
        assertEquals(json, write(codec, type, value));
        assertEquals(value, read(codec, type, json));
    }

    // ---- names

    record Named(@Nullable String a, @Nullable Map<String, Object> more) {}

    interface Open {}

    record Holder(List<Open> open) {}

    record Place(int x, int y) {}

    // ---- subtypes

    sealed interface Shape permits Circle, Square, Other {}

    record Circle(int radius) implements Shape {}

    record Square(int side, @Nullable Shape inside) implements Shape {}

    sealed interface Other extends Shape permits Dot {}

    record Dot() implements Other {}

    static ObjectMapper lenient() {
        return JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .build();
    }
}
