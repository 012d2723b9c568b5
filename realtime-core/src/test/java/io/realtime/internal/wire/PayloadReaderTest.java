package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.gson.TypeAdapter;
import com.google.gson.annotations.JsonAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import io.realtime.PayloadException;
import io.realtime.TypeRef;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What one payload leaves behind in its reader never touches the next one. */
class PayloadReaderTest {
    private static final Type NUMBERS = new TypeRef<List<Integer>>() {}.type();
    private static final Type BY_NAME = new TypeRef<Map<String, Double>>() {}.type();

    private static @Nullable Object read(String json, Type type) {
        String text = "before " + json + " behind";
        return Json.payload(type).read(text, 7, 7 + json.length());
    }

    private static String fault(String json, Type type) {
        String message = String.valueOf(
                assertThrows(PayloadException.class, () -> read(json, type)).getMessage());
        return message.substring(0, message.indexOf(':'));
    }

    /** Reads as it likes, which depends on the first element of an array. */
    @JsonAdapter(Wayward.Adapter.class)
    record Wayward(String how) {
        static final class Adapter extends TypeAdapter<Wayward> {
            @Override
            public void write(JsonWriter out, Wayward value) throws IOException {
                out.value(value.how);
            }

            @Override
            @SuppressWarnings("deprecation") // setLenient: what came for it has been in Gson since 2.11 only
            public Wayward read(JsonReader in) throws IOException {
                in.beginArray();
                String how = in.nextString();
                switch (how) {
                    case "stops at the second" -> {}
                    case "enters and stays" -> in.beginArray();
                    case "stops at an inner end" -> {
                        in.beginArray();
                        in.skipValue();
                    }
                    case "stays in an object" -> {
                        in.beginObject();
                        assertEquals("a", in.nextName());
                    }
                    case "takes the end of what holds it" -> {
                        in.skipValue();
                        in.endArray();
                        in.endArray();
                    }
                    case "skips the end" -> {
                        in.skipValue();
                        in.skipValue();
                    }
                    case "closes" -> in.close();
                    case "peeks beyond" -> {
                        in.skipValue();
                        in.endArray();
                        assertEquals(JsonToken.END_ARRAY, in.peek()); // as within an array of these
                    }
                    case "is lenient" -> {
                        in.setLenient(true);
                        in.skipValue();
                        in.endArray();
                    }
                    case "reads another within" -> {
                        assertEquals(List.of(5, 6), PayloadReaderTest.read("[5,6]", NUMBERS));
                        in.skipValue();
                        in.endArray();
                    }
                    default -> throw new IllegalStateException(how);
                }
                return new Wayward(how);
            }
        }
    }

    record Plain(String how) {}

    /** Is there without being read. */
    @JsonAdapter(Untouched.Adapter.class)
    record Untouched() {
        static final class Adapter extends TypeAdapter<Untouched> {
            @Override
            public void write(JsonWriter out, Untouched value) throws IOException {
                out.value(1);
            }

            @Override
            public Untouched read(JsonReader in) {
                return new Untouched();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[\"stops at the second\",7]",
                "[\"stops at the second\",[7]]",
                "[\"enters and stays\",[7]]",
                "[\"stops at an inner end\",[7]]",
                "[\"stays in an object\",{\"a\":7}]",
                "[\"takes the end of what holds it\",7]",
                "[\"skips the end\",7]",
                "[\"closes\",7]",
                "[\"peeks beyond\",7]",
                "[\"is lenient\",7]",
                "[\"reads another within\",7]",
                "[\"breaks\",7]",
                "[[\"no string\"]]",
                "{}",
            })
    void whatAdapterLeavesUnreadOrBreaksTouchesNoOtherPayload(String json) {
        for (int i = 0; i < 3; i++) {
            try {
                read(json, Wayward.class);
            } catch (PayloadException unfit) {
                // some do: what matters is what comes behind
            }
            assertEquals(List.of(1, 2), read("[1,2]", NUMBERS));
            assertEquals("plain", read("\"plain\"", String.class));
            assertEquals(Map.of("a", 0.5), read("{\"a\":0.5}", BY_NAME));
        }
    }

    @Test
    void whatWasNotReadAtAllTouchesNoOtherPayload() {
        for (int i = 0; i < 3; i++) {
            assertEquals(new Untouched(), read("[8,9]", Untouched.class));
            assertEquals(List.of(1, 2), read("[1,2]", NUMBERS));
        }
    }

    @Test
    void payloadIsReadByRulesThoughAdapterBentThemForOneBefore() {
        read("[\"is lenient\",7]", Wayward.class);
        assertThrows(PayloadException.class, () -> read("\"NaN\"", double.class));
    }

    @Test
    void faultIsNamedByItsPathInItsOwnPayload() {
        for (int i = 0; i < 3; i++) {
            assertEquals("$[2]", fault("[1,2,\"three\"]", NUMBERS));
            assertEquals("$.how", fault("{\"how\":1}", Plain.class));
            assertEquals("$", fault("[1]", String.class));
            assertEquals(List.of(1, 2), read("[1,2]", NUMBERS));
        }
    }

    @Test
    void payloadMayEndAnywhereInTheReadersBuffer() {
        for (int length = 1000; length < 1050; length++) {
            String text = "x".repeat(length);
            assertEquals(text, read("\"" + text + "\"", String.class));
            assertEquals(List.of(1, 2), read("[1," + " ".repeat(length) + "2]", NUMBERS));
            String digits = "1".repeat(Math.min(length, 1023));
            assertEquals(digits, String.valueOf(read(digits, JsonElement.class)));
        }
    }

    @Test
    void manyPayloadsInARowAreWhatEachIsByItself() {
        for (long seed = 0; seed < 2000; seed++) {
            Random random = new Random(seed);
            for (int i = 0; i < 5; i++) {
                JsonElement value = any(random, 0);
                String json = new Gson().toJson(value);
                assertEquals(value, read(json, JsonElement.class), "seed " + seed);
                if (random.nextInt(4) == 0) {
                    assertThrows(PayloadException.class, () -> read("[" + json + ",x]", JsonElement.class));
                }
            }
        }
    }

    private static JsonElement any(Random random, int depth) {
        switch (random.nextInt(depth > 3 ? 2 : 5)) {
            case 0 -> {
                return new JsonPrimitive(random.nextInt());
            }
            case 1 -> {
                return new JsonPrimitive("\u00fc\"\\ \n".repeat(random.nextInt(random.nextInt(40) == 0 ? 400 : 3)));
            }
            case 2, 3 -> {
                JsonArray array = new JsonArray();
                for (int i = random.nextInt(4); i > 0; i--) {
                    array.add(any(random, depth + 1));
                }
                return array;
            }
            default -> {
                JsonObject object = new JsonObject();
                for (int i = random.nextInt(4); i > 0; i--) {
                    object.add("n" + i, any(random, depth + 1));
                }
                return object;
            }
        }
    }
}
