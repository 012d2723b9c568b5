package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.TypeRef;
import io.realtime.gson.GsonCodec;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link Envelope#data} and {@link Payload#write}: the payload in and out. */
class EnvelopeDataTest {
    record Item(@Nullable String name, int count) {}

    record Order(
            String id,
            List<Item> items,
            boolean paid,
            @Nullable Size size) {}

    record Bytes(
            List<Byte> small,
            @Nullable List<BigInteger> large,
            @Nullable UUID id) {}

    record Checked(String text) {
        Checked {
            Objects.requireNonNull(text, "text is required");
            if (text.isBlank()) {
                throw new IllegalArgumentException("text is blank");
            }
            if (text.equals("state")) {
                throw new IllegalStateException("an internal secret");
            }
        }
    }

    record Silent(String text) {
        Silent {
            Objects.requireNonNull(text);
        }
    }

    record Holder(Checked checked) {}

    enum Size {
        SMALL,
        LARGE
    }

    private static Envelope with(String data) {
        return Envelope.parse("{\"type\":\"t\",\"data\":" + data + "}");
    }

    /** Quotes what it refuses. */
    record Place(String name) {
        Place {
            if (name.length() > 2) {
                throw new IllegalArgumentException("no place: " + name);
            }
        }
    }

    private static String written(@Nullable Object value, Type type) {
        return Json.payload(type).write(value);
    }

    @Test
    void recordsAreRead() {
        Order order = with("{\"id\":\"o1\",\"items\":[{\"name\":\"a\",\"count\":2}],\"paid\":true,\"size\":\"LARGE\","
                        + "\"unknown\":[{}]}")
                .data(Order.class);
        assertEquals(new Order("o1", List.of(new Item("a", 2)), true, Size.LARGE), order);
    }

    @Test
    void genericTypesAreRead() {
        List<Item> items =
                with("[{\"name\":\"a\",\"count\":1},{\"count\":2}]").data(new TypeRef<List<Item>>() {}.type());
        assertEquals(List.of(new Item("a", 1), new Item(null, 2)), items);
        Map<String, List<Integer>> map =
                with("{\"x\":[1,2],\"\":[]}").data(new TypeRef<Map<String, List<Integer>>>() {}.type());
        assertEquals(Map.of("x", List.of(1, 2), "", List.of()), map);
    }

    @Test
    void whatNestsDeeperThanAFrameMayIsNotWritten() {
        Type lists = new TypeRef<List<Object>>() {}.type();
        List<Object> list = new ArrayList<>();
        for (int depth = 2; depth <= 31; depth++) {
            list = new ArrayList<>(List.of(list, Map.of()));
        }
        List<Object> deepest = list;
        assertNotNull(with(written(deepest, lists)));
        var refused = assertThrows(PayloadException.class, () -> written(List.of(deepest), lists));
        assertEquals("data nests deeper than 31", refused.getMessage());
        deepest.add(deepest);
        assertThrows(PayloadException.class, () -> written(deepest, lists));
    }

    @Test
    void payloadCanBeReadAgain() {
        Envelope envelope = with("\"x\"");
        assertEquals("x", envelope.<String>data(String.class));
        assertEquals("x", envelope.<String>data(String.class));
    }

    @Test
    void voidIsNullWhateverCame() {
        for (String data : new String[] {"null", "1", "{\"a\":[1]}"}) {
            Object value = with(data).data(Void.class);
            assertNull(value, data);
        }
        Object absent = Envelope.parse("{\"type\":\"t\"}").data(Void.class);
        assertNull(absent);
    }

    @Test
    void dataThatIsAbsentOrNullIsRefused() {
        for (Envelope empty : List.of(Envelope.parse("{\"type\":\"t\"}"), with("null"))) {
            for (Type type : List.of(String.class, Order.class, int.class, new TypeRef<List<Item>>() {}.type())) {
                var refused = assertThrows(PayloadException.class, () -> empty.data(type));
                assertEquals("data is required", refused.getMessage());
                assertEquals(ErrorCode.BAD_DATA, refused.code());
            }
        }
    }

    @Test
    void rawJsonMayBeAbsent() {
        JsonElement absent = Envelope.parse("{\"type\":\"t\"}").data(JsonElement.class);
        assertEquals(JsonNull.INSTANCE, absent);
        JsonElement nothing = with("null").data(JsonElement.class);
        assertEquals(JsonNull.INSTANCE, nothing);
    }

    static Stream<Arguments> unfit() {
        Type bytes = Bytes.class;
        Type items = new TypeRef<List<Item>>() {}.type();
        return Stream.of(
                arguments("[]", Order.class, "$: Expected BEGIN_OBJECT but was BEGIN_ARRAY"),
                arguments("\"x\"", Order.class, "$: Expected BEGIN_OBJECT but was STRING"),
                arguments("{}", items, "$: Expected BEGIN_ARRAY but was BEGIN_OBJECT"),
                arguments(
                        "{\"items\":[{},{},{\"name\":5}]}",
                        Order.class,
                        "$.items[2].name: Expected a string but was NUMBER"),
                arguments("{\"items\":[{},{\"count\":1.5}]}", Order.class, "$.items[1].count: the number does not fit"),
                arguments(
                        "{\"items\":[{\"count\":3000000000}]}",
                        Order.class,
                        "$.items[0].count: the number does not fit"),
                arguments("{\"items\":[{\"count\":\"x\"}]}", Order.class, "$.items[0].count: the number does not fit"),
                arguments(
                        "{\"items\":[{\"count\":true}]}",
                        Order.class,
                        "$.items[0].count: Expected an int but was BOOLEAN"),
                arguments("{\"items\":{}}", Order.class, "$.items: Expected BEGIN_ARRAY but was BEGIN_OBJECT"),
                arguments("{\"id\":1}", Order.class, "$.id: Expected a string but was NUMBER"),
                arguments("{\"id\":true}", Order.class, "$.id: Expected a string but was BOOLEAN"),
                arguments("{\"paid\":\"yes\"}", Order.class, "$.paid: Expected a boolean but was STRING"),
                arguments("{\"paid\":1}", Order.class, "$.paid: Expected a boolean but was NUMBER"),
                arguments("5", String.class, "$: Expected a string but was NUMBER"),
                arguments("\"MEDIUM\"", Size.class, "$: the value does not fit"),
                arguments("1e999999999", Integer.class, "$: the number does not fit"),
                arguments("1e999999999", BigInteger.class, "$: the number does not fit"),
                arguments("1e400", Double.class, "$: JSON forbids NaN and infinities: Infinity"),
                // adapters that refuse a value after they took it: the place is still that of the value
                arguments("{\"small\":[1,300]}", bytes, "$.small[1]: Lossy conversion from 300 to byte"),
                arguments("{\"large\":[1,2,1.5]}", bytes, "$.large[2]: the number does not fit"),
                arguments("{\"id\":\"zzz\"}", bytes, "$.id: the value does not fit"));
    }

    @ParameterizedTest
    @MethodSource("unfit")
    void whatDoesNotFitNamesThePlaceInThePayload(String data, Type type, String why) {
        var refused = assertThrows(PayloadException.class, () -> with(data).data(type));
        assertEquals(why, refused.getMessage());
        assertEquals(ErrorCode.BAD_DATA, refused.code());
    }

    @Test
    void refusalIsOneShortLineWhateverThePayloadHolds() {
        // Gson itself names no key of a map before 2.15
        Payload counts = new Payloads(GsonCodec.create()).of(new TypeRef<Map<String, Integer>>() {}.type());
        assertEquals(
                "$." + "k".repeat(123) + "...: the number does not fit",
                refusal("{\"" + "k".repeat(10_000) + "\":\"x\"}", counts));
        assertEquals("$.a?b: the number does not fit", refusal("{\"a\\nb\":\"x\"}", counts));
        assertEquals(
                "no place: " + "x".repeat(243) + "...",
                refusal("{\"name\":\"" + "x".repeat(10_000) + "\"}", Place.class));
        assertEquals("no place: a?b", refusal("{\"name\":\"a\\nb\"}", Place.class));
    }

    @Test
    void halfSurrogatePairIsRefusedBecauseNoFrameCouldCarryItOn() {
        var refused =
                assertThrows(PayloadException.class, () -> with("[\"\\ud83d\"]").data(JsonElement.class));
        assertEquals("$[0]: half a surrogate pair", refused.getMessage());
    }

    @Test
    void placeDoesNotDependOnWhereDataStandsInTheFrame() {
        Envelope envelope = Envelope.parse("{\"x\":[{}],\"data\":{\"id\":[]},\"type\":\"t\"}");
        var refused = assertThrows(PayloadException.class, () -> envelope.data(Order.class));
        assertEquals("$.id: Expected a string but was BEGIN_ARRAY", refused.getMessage());
    }

    @Test
    void messageOfRefusingConstructorIsReported() {
        assertEquals("text is blank", refusal("{\"text\":\" \"}", Checked.class));
        assertEquals("text is required", refusal("{}", Checked.class));
        assertEquals("text is required", refusal("{\"text\":null}", Checked.class));
        assertEquals("text is blank", refusal("{\"checked\":{\"text\":\"\"}}", Holder.class));
    }

    @Test
    void constructorThatFailsOtherwiseTellsThePeerNothing() {
        assertEquals("$: the value does not fit", refusal("{\"text\":\"state\"}", Checked.class));
        assertEquals("$: the value does not fit", refusal("{}", Silent.class));
    }

    private static String refusal(String data, Type type) {
        return refusal(data, Json.payload(type));
    }

    private static String refusal(String data, Payload by) {
        var refused = assertThrows(PayloadException.class, () -> with(data).data(by));
        assertNotNull(refused.getCause(), "the receiver's own log has the whole story");
        return refused.getMessage();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"a\":null,\"b\":[null,{\"c\":null}]}",
                "12345678901234567890123456789012345678901234567890",
                "1.10",
                "1e5",
                "\"<>&'=\"",
                "[]",
                "{}",
                "true"
            })
    void rawJsonPassesThroughUnchanged(String json) {
        JsonElement element = with(json).data(JsonElement.class);
        assertEquals(json, written(element, JsonElement.class));
    }

    @Test
    void bigNumbersKeepEveryDigit() {
        String digits = "12345678901234567890123456789012345678901234567890";
        assertEquals(new BigInteger(digits), with(digits).<BigInteger>data(BigInteger.class));
        assertEquals(digits, written(new BigInteger(digits), BigInteger.class));
        assertEquals(Long.MIN_VALUE, with("-9223372036854775808").<Long>data(Long.class));
        assertEquals("9223372036854775807", written(Long.MAX_VALUE, Long.class));
        assertEquals(
                new BigDecimal("0.10000000000000000001"),
                with("0.10000000000000000001").<BigDecimal>data(BigDecimal.class));
    }

    @Test
    void textIsEscapedAsJsonAsksAndNoFurther() {
        assertEquals("\"<>&'=/\"", written("<>&'=/", String.class));
        assertEquals("\"\\\"\\\\\\n\\u0000\\u001f\"", written("\"\\\n\u0000\u001f", String.class));
        assertEquals("\"\\u2028\\u2029\"", written("\u2028\u2029", String.class));
    }

    @Test
    void componentsThatAreNullAreLeftOut() {
        assertEquals("{\"count\":3}", written(new Item(null, 3), Item.class));
    }

    @Test
    void whatIsNoJsonIsRefusedBeforeItIsSent() {
        var missing = assertThrows(PayloadException.class, () -> written(null, Item.class));
        assertEquals("data is required: null is not a " + Item.class, missing.getMessage());
        assertEquals("null", written(null, Void.class));
        var nan = assertThrows(PayloadException.class, () -> written(Double.NaN, Double.class));
        assertTrue(nan.getMessage().startsWith("data is not JSON: NaN"), nan.getMessage());
        assertThrows(PayloadException.class, () -> written(Double.NEGATIVE_INFINITY, Double.class));
        assertThrows(PayloadException.class, () -> written("text", Integer.class));
    }

    @Test
    void positionIsAPair() {
        assertEquals("[\"e1\",7]", written(new Position("e1", 7), Position.class));
        assertEquals(new Position("e1", 7), with("[\"e1\",7]").<Position>data(Position.class));
        for (String unfit :
                new String[] {"[]", "[\"e\"]", "[\"e\",1,2]", "[\"e\",-1]", "[null,1]", "[\"e\",1.5]", "{}"}) {
            assertThrows(PayloadException.class, () -> with(unfit).data(Position.class), unfit);
        }
        var hello = with("{\"positions\":{\"chat:42\":[\"e\",4],\"@user\":null}}")
                .<Protocol.Hello>data(Protocol.Hello.class);
        assertEquals(
                new Position("e", 4), Objects.requireNonNull(hello.positions()).get("chat:42"));
    }
}
