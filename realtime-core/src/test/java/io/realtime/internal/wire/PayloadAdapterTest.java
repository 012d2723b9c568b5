package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.TypeAdapter;
import com.google.gson.annotations.JsonAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import io.realtime.PayloadException;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A payload's own adapter writes exactly one value, or the payload is refused before it is sent. */
class PayloadAdapterTest {
    @JsonAdapter(Adapter.class)
    record Odd(String how) {}

    static final class Adapter extends TypeAdapter<Odd> {
        @Override
        public void write(JsonWriter out, Odd odd) throws IOException {
            switch (odd.how()) {
                case "one" -> out.value(1);
                case "none" -> {}
                case "two" -> out.value(1).value(2);
                case "half" -> out.beginObject().name("a");
                case "open" -> out.beginArray();
                default -> out.jsonValue(odd.how());
            }
        }

        @Override
        public Odd read(JsonReader in) {
            throw new UnsupportedOperationException();
        }
    }

    private static String write(String how) {
        return Json.payload(Odd.class).write(new Odd(how));
    }

    @ParameterizedTest
    @ValueSource(strings = {"none", "two", "half", "open", "1,2", "1 2", "}", "", "{\"a\":1", "nonsense"})
    void whatIsNotOneValueIsRefused(String how) {
        assertThrows(PayloadException.class, () -> write(how));
        Outgoing message = Outgoing.of("e");
        assertThrows(PayloadException.class, () -> message.data(new Odd(how), Odd.class));
        assertEquals("{\"type\":\"e\"}", message.frame().asText());
    }

    @Test
    void oneValueIsWrittenAsItIs() {
        assertEquals("1", write("one"));
        assertEquals("{\"a\":[1.50,null]}", write("{\"a\":[1.50,null]}"));
    }
}
