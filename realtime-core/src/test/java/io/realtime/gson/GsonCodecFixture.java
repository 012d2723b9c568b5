package io.realtime.gson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.annotations.SerializedName;
import io.realtime.PayloadException;
import io.realtime.TypeRef;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.io.StringWriter;
import java.lang.reflect.Type;
import java.util.Date;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A codec, and how a test writes and reads with it. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
abstract class GsonCodecFixture {
    static final Type ANY_MAP = new TypeRef<Map<String, Object>>() {}.type();

    final GsonCodec codec = GsonCodec.create();

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
            return Objects.requireNonNull(by.mapper(type).read(json, 0, json.length()));
        } catch (IOException impossible) {
            throw new AssertionError(impossible);
        }
    }

    final String refusal(Type type, String json) {
        return assertThrows(PayloadException.class, () -> read(codec, type, json))
                .getMessage();
    }

    final String refusedType(Type type) {
        var refused = assertThrows(IllegalArgumentException.class, () -> codec.mapper(type));
        return Objects.requireNonNull(refused.getMessage());
    }

    final void assertTravels(Type type, Object value, String json) {
        assertEquals(json, write(codec, type, value));
        assertEquals(value, read(codec, type, json));
    }

    record Old(Date when) {}

    // ---- constants, names, strings

    enum Color {
        RED,
        @SerializedName(value = "verde", alternate = "green")
        GREEN {
            @Override
            public String toString() {
                return "g";
            }
        }
    }

    record Named(@Nullable String a, @Nullable Map<String, Object> more) {}

    static class Base {
        int a = 1;
        transient int hidden = 9;
    }

    static class Bean extends Base {
        @SerializedName("bee")
        String b = "default";

        int c = 3;
    }

    record Tree(@Nullable Tree left, int value) {}
}
