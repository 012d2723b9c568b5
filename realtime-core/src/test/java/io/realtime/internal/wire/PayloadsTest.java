package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.realtime.PayloadException;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.io.Writer;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link Payloads} between a codec of the application's and the wire. */
class PayloadsTest {
    private final List<Type> asked = new ArrayList<>();
    private Written written = (value, out) -> out.write("\"" + value + "\"");
    private Read read = text -> text;
    private final Payloads payloads = new Payloads(this::mapper);

    private interface Written {
        void write(Object value, Writer out) throws IOException;
    }

    private interface Read {
        @Nullable
        Object read(String text) throws IOException;
    }

    private PayloadCodec.Mapper mapper(Type type) {
        if (type == Thread.class) {
            throw new IllegalArgumentException("a Thread cannot travel: send its name");
        }
        asked.add(type);
        return new PayloadCodec.Mapper() {
            @Override
            public void write(Object value, Writer out) throws IOException {
                written.write(value, out);
            }

            @Override
            public @Nullable Object read(String text, int from, int to) throws IOException {
                return read.read(text.substring(from, to));
            }
        };
    }

    private @Nullable Object arrive(String data, Type type) {
        return Envelope.parse("{\"type\":\"x\",\"data\":" + data + "}").data(payloads.of(type));
    }

    private String refusal(String data) {
        return assertThrows(PayloadException.class, () -> arrive(data, String.class))
                .getMessage();
    }

    @Test
    void codecIsAskedOncePerType() {
        assertSame(payloads.of(String.class), payloads.of(String.class));
        assertEquals("\"a\"", payloads.of(String.class).write("a"));
        assertEquals("[1 , 2]", arrive(" [1 , 2]", String.class));
        assertEquals(List.of(String.class), asked);
    }

    @Test
    void refusedTypeIsRefusedInTheCodecsWords() {
        var refused = assertThrows(IllegalArgumentException.class, () -> payloads.of(Thread.class));
        assertEquals("a Thread cannot travel: send its name", refused.getMessage());
    }

    @Test
    void bytesNothingAndRawJsonPassTheCodecBy() {
        written = (value, out) -> out.write("no");
        assertEquals("null", payloads.of(Void.class).write(null));
        assertNull(arrive("{}", Void.class));
        JsonObject raw = new JsonObject();
        raw.add("a", null);
        raw.add("b", new JsonPrimitive(1));
        assertEquals("{\"a\":null,\"b\":1}", payloads.of(JsonElement.class).write(raw));
        assertEquals(raw, arrive("{\"a\":null,\"b\":1}", JsonObject.class));
        payloads.of(byte[].class);
        assertEquals(List.of(), asked);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "{}{}", "NaN", "'a'", "[1,]", "{\"a\":\"\t\"}"})
    void whatIsNoJsonIsNotSent(String text) {
        written = (value, out) -> out.write(text);
        assertThrows(PayloadException.class, () -> payloads.of(String.class).write("a"));
    }

    @Test
    void payloadNestedTooDeepIsNotSent() {
        String deepest = "[".repeat(31) + "]".repeat(31);
        written = (value, out) -> out.write(value.toString());
        assertEquals(deepest, payloads.of(String.class).write(deepest));
        assertThrows(PayloadException.class, () -> payloads.of(String.class).write("[" + deepest + "]"));
    }

    @Test
    void failingWriterFailsTheSendAndLeavesNothingOfIt() {
        written = (value, out) -> {
            out.write("{\"half\":");
            throw new IOException("disk");
        };
        Outgoing message = Outgoing.of("x");
        var refused = assertThrows(PayloadException.class, () -> message.data("a", payloads.of(String.class)));
        assertEquals("data is not JSON: disk", refused.getMessage());
        assertEquals("{\"type\":\"x\"}", message.frame().asText());
    }

    @Test
    void nullPayloadIsRefused() {
        read = text -> null;
        assertEquals("$: the value does not fit", refusal("1"));
        assertEquals("data is required", refusal("null"));
        assertThrows(PayloadException.class, () -> payloads.of(String.class).write(null));
    }

    @Test
    void peerHearsWhatTheCodecSaysToItAndNothingElse() {
        read = text -> {
            throw new PayloadException("$.a: not this");
        };
        assertEquals("$.a: not this", refusal("1"));
        read = text -> {
            throw new ClassCastException("secret");
        };
        assertEquals("$: the value does not fit", refusal("1"));
    }
}
