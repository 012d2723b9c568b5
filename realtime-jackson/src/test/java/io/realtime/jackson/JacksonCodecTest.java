package io.realtime.jackson;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonIdentityInfo;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonTypeName;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import com.fasterxml.jackson.annotation.ObjectIdGenerators;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import com.google.gson.JsonObject;
import io.realtime.PayloadException;
import io.realtime.TypeRef;
import io.realtime.gson.AsString;
import io.realtime.internal.wire.Payloads;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.io.StringWriter;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.Date;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CopyOnWriteArraySet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class JacksonCodecTest {
    private static final Type ANY_MAP = new TypeRef<Map<String, Object>>() {}.type();

    private final JacksonCodec codec = JacksonCodec.create();

    private static String write(PayloadCodec by, Type type, Object value) {
        StringWriter out = new StringWriter();
        try {
            by.mapper(type).write(value, out);
        } catch (IOException impossible) {
            throw new AssertionError(impossible);
        }
        return out.toString();
    }

    private static Object read(PayloadCodec by, Type type, String json) {
        try {
            return Objects.requireNonNull(by.mapper(type).read("[" + json + "]", 1, json.length() + 1));
        } catch (IOException impossible) {
            throw new AssertionError(impossible);
        }
    }

    private static String refusal(PayloadCodec by, Type type, String json) {
        return assertThrows(PayloadException.class, () -> read(by, type, json), json)
                .getMessage();
    }

    private String refusal(Type type, String json) {
        return refusal(codec, type, json);
    }

    private String refusedType(Type type) {
        var refused = assertThrows(IllegalArgumentException.class, () -> codec.mapper(type), type.toString());
        return Objects.requireNonNull(refused.getMessage());
    }

    private void assertTravels(Type type, Object value, String json) {
        assertEquals(json, write(codec, type, value));
        assertEquals(value, read(codec, type, json));
    }

    // ---- time

    static List<Object> times() {
        return List.of(
                Instant.parse("2026-03-29T01:30:00.123456789Z"),
                LocalDate.of(2026, 3, 29),
                LocalTime.of(1, 30, 5),
                LocalDateTime.of(2026, 3, 29, 1, 30, 0, 1),
                OffsetTime.of(1, 30, 0, 0, ZoneOffset.ofHours(9)),
                OffsetDateTime.of(2026, 3, 29, 1, 30, 5, 0, ZoneOffset.ofHours(-3)),
                ZonedDateTime.of(2026, 3, 29, 3, 30, 5, 0, ZoneId.of("Europe/Berlin")),
                ZonedDateTime.of(2026, 3, 29, 3, 30, 5, 0, ZoneId.of("UTC")),
                Duration.ofMillis(1_500),
                Period.ofMonths(2),
                Year.of(2026),
                YearMonth.of(2026, 3),
                MonthDay.of(2, 29),
                ZoneOffset.ofHours(9));
    }

    @ParameterizedTest
    @MethodSource("times")
    void timeTravelsInIso8601(Object time) {
        assertTravels(time.getClass(), time, "\"" + time + "\"");
    }

    record Zoned(ZoneId zone) {}

    @Test
    void zoneTravelsByItsName() {
        assertTravels(Zoned.class, new Zoned(ZoneId.of("Asia/Seoul")), "{\"zone\":\"Asia/Seoul\"}");
    }

    record Due(List<Instant> at) {}

    @Test
    void timeThatIsNoneIsRefusedWithItsPath() {
        assertEquals(
                "$.at[1]: the value does not fit", refusal(Due.class, "{\"at\":[\"2026-03-29T01:30:00Z\",\"noon\"]}"));
        assertEquals("$.at[0]: the value does not fit", refusal(Due.class, "{\"at\":[1774747800000]}"));
        assertEquals("$.at[0]: the value does not fit", refusal(Due.class, "{\"at\":[\"1774747800\"]}"));
        assertEquals("$: the value does not fit", refusal(LocalDate.class, "[2026,3,29]"));
        assertEquals("$: the value does not fit", refusal(Duration.class, "5"));
    }

    record Formatted(
            @JsonFormat(pattern = "dd.MM.yyyy") LocalDate day,
            @JsonFormat(shape = JsonFormat.Shape.NUMBER) Instant at) {}

    @Test
    void timeTravelsAsItsAnnotationSays() {
        Formatted value = new Formatted(LocalDate.of(2026, 3, 29), Instant.ofEpochSecond(5, 7));
        assertTravels(Formatted.class, value, "{\"day\":\"29.03.2026\",\"at\":5.000000007}");
    }

    record Zones(
            @JsonFormat(shape = JsonFormat.Shape.STRING) ZonedDateTime zoned,
            @JsonFormat(shape = JsonFormat.Shape.STRING) OffsetDateTime offset,

            @JsonFormat(pattern = "uuuu-MM-dd'T'HH:mm:ssXXX")
            OffsetDateTime formatted) {}

    @ParameterizedTest
    @ValueSource(strings = {"Europe/Berlin", "UTC", "+09:00"})
    void timeWithAnAnnotationKeepsItsZone(String zone) {
        ZonedDateTime zoned = ZonedDateTime.of(2026, 3, 29, 3, 30, 5, 0, ZoneId.of(zone));
        OffsetDateTime offset = zoned.toOffsetDateTime();
        Zones value = new Zones(zoned, offset, offset);
        assertTravels(
                Zones.class,
                value,
                "{\"zoned\":\"" + zoned + "\",\"offset\":\"" + offset + "\",\"formatted\":\"" + offset + "\"}");
    }

    record Old(Date when) {}

    record Older(Old old) {}

    @Test
    void dateIsRefusedAtRegistrationWithTheRemedy() {
        String remedy = " cannot travel: use java.time.Instant, or JacksonCodec.of(...) with a mapper of yours";
        assertEquals("java.util.Date" + remedy, refusedType(Date.class));
        assertEquals("java.util.Calendar" + remedy, refusedType(Calendar.class));
        assertEquals("Older.old: Old.when: java.util.Date" + remedy, refusedType(Older.class));
        assertEquals("java.util.Date" + remedy, refusedType(new TypeRef<Map<String, List<Date>>>() {}.type()));
    }

    // ---- numbers

    @Test
    void integersStayIntegersWhereAnythingIsTaken() {
        Map<String, Object> values = Map.of("id", 9_007_199_254_740_993L);
        assertEquals(values, read(codec, ANY_MAP, write(codec, ANY_MAP, values)));
        assertEquals(7L, read(codec, Object.class, "7"));
        assertEquals(-7L, read(codec, Number.class, "-7"));
        assertEquals(Long.MIN_VALUE, read(codec, Object.class, "-9223372036854775808"));
        assertEquals(new BigInteger("9223372036854775808"), read(codec, Object.class, "9223372036854775808"));
        assertEquals(List.of(Map.of("a", 1L)), read(codec, Object.class, "[{\"a\":1}]"));
    }

    @Test
    void decimalsKeepTheirValueWhereAnythingIsTaken() {
        for (Type type : List.of(Object.class, Number.class)) {
            assertEquals(0.1, read(codec, type, "0.1"));
            assertEquals(1e300, read(codec, type, "1e300"));
            assertEquals(new BigDecimal("0.12345678901234567890"), read(codec, type, "0.12345678901234567890"));
            assertEquals("$: the number does not fit", refusal(type, "1e400"));
            assertEquals("$: the number does not fit", refusal(type, "1e-400"));
        }
    }

    record Ids(List<Long> ids) {}

    @ParameterizedTest
    @ValueSource(
            strings = {
                "9223372036854775808",
                "-9223372036854775809",
                "1e19",
                "9007199254740993.5",
                "9007199254740993.0",
                "1e999999",
                "true",
                "\"1\"",
                "\"\""
            })
    void longThatDoesNotFitIsRefusedWithItsPath(String number) {
        assertEquals("$.ids[1]: the number does not fit", refusal(Ids.class, "{\"ids\":[1," + number + "]}"));
    }

    @Test
    void numberBeyondItsTypeIsRefused() {
        assertTravels(byte.class, Byte.MIN_VALUE, "-128");
        assertTravels(Short.class, Short.MAX_VALUE, "32767");
        assertTravels(int.class, Integer.MIN_VALUE, "-2147483648");
        assertTravels(float.class, Float.MAX_VALUE, "3.4028235E38");
        assertTravels(Double.class, -Double.MAX_VALUE, "-1.7976931348623157E308");
        Map<Type, List<String>> beyond = Map.of(
                byte.class, List.of("128", "200", "255", "-129", "1.5"),
                Byte.class, List.of("128", "200", "255", "-129", "true"),
                Short.class, List.of("32768", "65535", "-32769"),
                int.class, List.of("2147483648", "1.5", "1e3"),
                float.class, List.of("1e39", "-1e39"),
                Float.class, List.of("1e39", "1e400"),
                double.class, List.of("1e400", "-1e400"),
                Double.class, List.of("1e999999999"));
        beyond.forEach((type, numbers) -> numbers.forEach(
                number -> assertEquals("$: the number does not fit", refusal(type, number), type + " " + number)));
        assertEquals(0.1f, read(codec, float.class, "0.1"));
        assertEquals(3.0, read(codec, double.class, "3"));
    }

    record Arrays(byte[] bytes, short[] shorts, float[] floats, double[] doubles) {}

    @Test
    void arraysOfNumbersTravelAsNumbers() {
        Arrays all = new Arrays(new byte[] {-1, 2}, new short[] {3}, new float[] {0.5f}, new double[] {1.5});
        String json = "{\"bytes\":[-1,2],\"shorts\":[3],\"floats\":[0.5],\"doubles\":[1.5]}";
        assertEquals(json, write(codec, Arrays.class, all));
        Arrays read = (Arrays) read(codec, Arrays.class, json);
        assertArrayEquals(all.bytes(), read.bytes());
        assertArrayEquals(all.shorts(), read.shorts());
        assertArrayEquals(all.floats(), read.floats());
        assertArrayEquals(all.doubles(), read.doubles());
        assertEquals("$.bytes[0]: the number does not fit", refusal(Arrays.class, json.replace("-1", "255")));
        assertEquals("$.floats[0]: the number does not fit", refusal(Arrays.class, json.replace("0.5", "1e39")));
        assertEquals("$.doubles[0]: the number does not fit", refusal(Arrays.class, json.replace("1.5", "1e309")));
        assertEquals("$.doubles[0]: the number does not fit", refusal(Arrays.class, json.replace("1.5", "\"NaN\"")));
        assertTrue(refusal(Arrays.class, json.replace("1.5", "null")).startsWith("$.doubles"));
        assertTrue(refusal(Arrays.class, json.replace("[-1,2]", "\"AQI=\"")).startsWith("$.bytes"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"NaN\"", "\"Infinity\"", "\"-INF\"", "\"1.5\"", "\"\"", "true", "[1.5]", "{}"})
    void fractionIsReadFromNothingButANumber(String json) {
        for (Type type : List.of(double.class, Double.class, float.class, Float.class, BigDecimal.class)) {
            assertEquals("$: the number does not fit", refusal(type, json), type.toString());
        }
    }

    record Measures(double one, List<Object> more) {}

    @Test
    void whatIsNoNumberOfJsonIsNotSent() {
        for (double none : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
            List<Runnable> sends = List.of(
                    () -> write(codec, double.class, none),
                    () -> write(codec, Float.class, (float) none),
                    () -> write(codec, double[].class, new double[] {1, none}),
                    () -> write(codec, float[].class, new float[] {(float) none}),
                    () -> write(codec, Measures.class, new Measures(none, List.of())),
                    () -> write(codec, Measures.class, new Measures(1, List.of(Map.of("k", none)))),
                    () -> write(JacksonCodec.of(new ObjectMapper()), double.class, none));
            for (Runnable send : sends) {
                String told = assertThrows(PayloadException.class, send::run).getMessage();
                assertEquals("data holds " + none + ", which is not a JSON number", told);
            }
        }
    }

    /** No peer reads it, and a frame that cannot be read cannot be refused to its sender. */
    @Test
    void numberLongerThanAnyPeerReadsIsRefusedToItsSender() {
        BigInteger longest = BigInteger.TEN.pow(1_022);
        assertTravels(BigInteger.class, longest, longest.toString());
        BigDecimal exact = new BigDecimal("0." + "1".repeat(1_021));
        assertTravels(BigDecimal.class, exact, exact.toString());
        assertEquals(longest, read(codec, Object.class, longest.toString()));
        BigInteger longer = longest.multiply(BigInteger.TEN);
        var refused = assertThrows(PayloadException.class, () -> write(codec, BigInteger.class, longer));
        assertEquals(
                "data holds a number of 1024 characters, more than 1023; send it as a string", refused.getMessage());
    }

    /** A sum with it would have a thousand million digits. */
    @Test
    void decimalOfTooManyPlacesIsRefused() {
        for (JacksonCodec each : List.of(codec, JacksonCodec.of(new ObjectMapper()))) {
            assertEquals("$: the number does not fit", refusal(each, BigDecimal.class, "1e1000000000"));
            assertEquals("$: the number does not fit", refusal(each, BigDecimal.class, "1e-10000"));
            assertEquals("$: the number does not fit", refusal(each, BigInteger.class, "1e10000"));
            assertEquals("$: the number does not fit", refusal(each, Object.class, "1e-1000000000"));
        }
        assertTravels(BigDecimal.class, new BigDecimal("1E+9999"), "1E+9999");
        assertTravels(BigDecimal.class, new BigDecimal("1.10"), "1.10");
    }

    record Post(
            @AsString long id,
            long plain,
            @AsString @Nullable Long other) {}

    record Wrong(@AsString int id) {}

    @Test
    void longsTravelAsStringsByAnnotation() {
        assertTravels(Post.class, new Post(Long.MAX_VALUE, 7, null), "{\"id\":\"9223372036854775807\",\"plain\":7}");
        assertEquals(new Post(1, 7, 2L), read(codec, Post.class, "{\"id\":1,\"plain\":7,\"other\":\"2\"}"));
        for (String unfit :
                List.of("\"9223372036854775808\"", "\"\"", "\"1.0\"", "1.5", "true", "9223372036854775808")) {
            assertEquals("$.id: the number does not fit", refusal(Post.class, "{\"id\":" + unfit + ",\"plain\":7}"));
        }
        assertEquals("$.id: a value is required", refusal(Post.class, "{\"plain\":7}"));
        assertTrue(refusedType(Wrong.class).contains("@AsString is for longs"));
    }

    // ---- other scalars

    record Scalars(
            @Nullable String text,
            boolean flag,
            char sign,
            @Nullable UUID id) {}

    @Test
    void nothingIsTakenForWhatItIsNot() {
        UUID id = new UUID(1, 2);
        String json = "{\"text\":\"1\",\"flag\":true,\"sign\":\"x\",\"id\":\"" + id + "\"}";
        assertTravels(Scalars.class, new Scalars("1", true, 'x', id), json);
        assertTravels(String.class, "", "\"\"");
        for (String[] unfit : new String[][] {
            {"\"1\"", "1", "text"},
            {"\"1\"", "1.5", "text"},
            {"\"1\"", "true", "text"},
            {"\"1\"", "[\"1\"]", "text"},
            {"\"1\"", "{}", "text"},
            {"true", "1", "flag"},
            {"true", "0", "flag"},
            {"true", "\"true\"", "flag"},
            {"true", "\"\"", "flag"},
            {"\"x\"", "120", "sign"},
            {"\"x\"", "\"xy\"", "sign"},
            {"\"x\"", "\"\"", "sign"},
            {"\"" + id + "\"", "\"5\"", "id"},
            {"\"" + id + "\"", "\"\"", "id"},
            {"\"" + id + "\"", "5", "id"},
        }) {
            String wrong = json.replace(unfit[0], unfit[1]);
            assertEquals("$." + unfit[2] + ": the value does not fit", refusal(Scalars.class, wrong), wrong);
        }
    }

    enum Color {
        RED,
        @JsonProperty("verde")
        GREEN {
            @Override
            public String toString() {
                return "g";
            }
        }
    }

    record Paint(List<Color> colors, Map<Color, Integer> counts) {}

    @Test
    void constantsTravelByTheirNames() {
        Paint paint = new Paint(List.of(Color.RED, Color.GREEN), Map.of(Color.GREEN, 1));
        assertTravels(Paint.class, paint, "{\"colors\":[\"RED\",\"verde\"],\"counts\":{\"verde\":1}}");
        Map<Color, Integer> counts = new EnumMap<>(Map.of(Color.RED, 2));
        assertTravels(new TypeRef<EnumMap<Color, Integer>>() {}.type(), counts, "{\"RED\":2}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"BLUE\"", "0", "1", "\"0\"", "\"\"", "true", "{}"})
    void unknownConstantIsRefusedWithItsPath(String constant) {
        assertEquals(
                "$.colors[1]: the value does not fit",
                refusal(Paint.class, "{\"colors\":[\"RED\"," + constant + "],\"counts\":{}}"));
    }

    // ---- names

    record Named(@Nullable String a, @Nullable Map<String, Object> more) {}

    @Test
    void nameThatStandsTwiceIsRefusedWithItsPath() {
        for (JacksonCodec each : List.of(codec, JacksonCodec.of(lenient()))) {
            assertEquals("$.a: the name is repeated", refusal(each, Named.class, "{\"a\":\"1\",\"a\":\"2\"}"));
            assertEquals("$.x: the name is repeated", refusal(each, Named.class, "{\"x\":1,\"x\":2}"));
            assertEquals("$.x.y: the name is repeated", refusal(each, Named.class, "{\"x\":{\"y\":1,\"y\":2}}"));
            assertEquals(
                    "$.more.b.c: the name is repeated",
                    refusal(each, Named.class, "{\"more\":{\"b\":{\"c\":1,\"c\":1}}}"));
            assertEquals("$[0].a: the name is repeated", refusal(each, JsonNode.class, "[{\"a\":1,\"a\":2}]"));
            assertEquals("$.a: the name is repeated", refusal(each, Object.class, "{\"a\":1,\"a\":2}"));
        }
    }

    @Test
    void halfASurrogatePairIsRefused() {
        var payload = new Payloads(codec).of(Named.class);
        assertThrows(PayloadException.class, () -> payload.write(new Named("\uD83D", null)));
        assertTravels(String.class, "\uD83D\uDE00", "\"\uD83D\uDE00\"");
        assertEquals("\uD83D\uDE00", read(codec, String.class, "\"\\ud83d\\ude00\""));
        assertEquals("$.a: the value does not fit", refusal(Named.class, "{\"a\":\"\\uD83D\"}"));
        assertEquals("$.a.b: the value does not fit", refusal(ANY_MAP, "{\"a\":{\"b\":\"\\ude00\"}}"));
        assertTrue(refusal(ANY_MAP, "{\"\\ude00\":1}").endsWith(": the value does not fit"));
    }

    @Test
    void pathIsOneShortLine() {
        String told = refusal(new TypeRef<Map<String, Integer>>() {}.type(), "{\"" + "\\n".repeat(500) + "\":\"x\"}");
        assertTrue(told.length() < 200, told);
        assertFalse(told.contains("\n"), told);
    }

    // ---- records and classes

    record Range(int from, int to, @Nullable String name) {
        Range {
            if (from > to) {
                throw new IllegalArgumentException("from is above to");
            }
        }
    }

    record Ranges(List<Range> ranges) {
        Ranges {
            Objects.requireNonNull(ranges, "ranges are required");
        }
    }

    record Careless(String text) {
        Careless {
            if (text.isEmpty()) {
                throw new IllegalStateException("secret");
            }
        }
    }

    @Test
    void recordIsBuiltByItsConstructor() {
        assertTravels(Range.class, new Range(1, 2, "a"), "{\"from\":1,\"to\":2,\"name\":\"a\"}");
        assertEquals("from is above to", refusal(Ranges.class, "{\"ranges\":[{\"from\":2,\"to\":1}]}"));
        assertEquals("ranges are required", refusal(Ranges.class, "{}"));
        assertEquals("$: the value does not fit", refusal(Careless.class, "{}"));
        assertEquals("$: the value does not fit", refusal(Careless.class, "{\"text\":\"\"}"));
    }

    @Test
    void missingPrimitiveIsRefusedAndWhatElseIsMissingIsNull() {
        assertEquals(new Range(1, 2, null), read(codec, Range.class, "{\"from\":1,\"to\":2,\"unknown\":[]}"));
        assertEquals("$.to: a value is required", refusal(Range.class, "{\"from\":1}"));
        assertEquals(
                "$.ranges[1].from: a value is required",
                refusal(Ranges.class, "{\"ranges\":[{\"from\":1,\"to\":2},{\"from\":null,\"to\":2}]}"));
        assertEquals("{\"from\":1,\"to\":2}", write(codec, Range.class, new Range(1, 2, null)));
    }

    record Page<T>(List<T> items, @Nullable T first, T[] array) {}

    @Test
    void genericRecordIsReadByItsArguments() {
        Type type = new TypeRef<Page<Range>>() {}.type();
        Page<?> page = (Page<?>)
                read(codec, type, "{\"items\":[{\"from\":1,\"to\":2}],\"first\":{\"from\":3,\"to\":4},\"array\":[]}");
        assertEquals(List.of(new Range(1, 2, null)), page.items());
        assertEquals(new Range(3, 4, null), page.first());
    }

    static class Bean {
        public @Nullable String text = "default";
        public int count = 3;

        @JsonProperty("bee")
        private Optional<String> note = Optional.of("default");

        @JsonIgnore
        public int hidden = 9;
    }

    @Test
    void classWithAConstructorWithoutParametersKeepsItsDefaults() {
        Bean bean = (Bean) read(codec, Bean.class, "{\"count\":5,\"hidden\":1}");
        assertEquals("default 5 default 9", bean.text + " " + bean.count + " " + bean.note.get() + " " + bean.hidden);
        bean.text = null;
        bean.note = Optional.empty();
        assertEquals("{\"text\":null,\"count\":5,\"bee\":null}", write(codec, Bean.class, bean));
        Bean none = (Bean) read(codec, Bean.class, "{\"text\":null,\"bee\":null}");
        assertNull(none.text);
        assertEquals(Optional.empty(), none.note);
        assertEquals("$.count: a value is required", refusal(Bean.class, "{\"count\":null}"));
    }

    static final class Data {
        private final String first;

        @JsonCreator
        Data(@JsonProperty("first") String first) {
            this.first = Objects.requireNonNull(first, "first is required");
        }

        @JsonProperty
        String first() {
            return first;
        }
    }

    @Test
    void classIsBuiltByItsAnnotatedConstructor() {
        assertEquals("{\"first\":\"1\"}", write(codec, Data.class, new Data("1")));
        assertEquals("1", ((Data) read(codec, Data.class, "{\"first\":\"1\"}")).first());
        assertEquals("first is required", refusal(Data.class, "{}"));
    }

    static class Unbuildable {
        public int a;

        Unbuildable(String other) {
            a = other.length();
        }
    }

    static class Hidden {
        private int a;

        int a() {
            return a;
        }
    }

    static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    interface Open {}

    record Holder(List<Open> open) {}

    record Tree(@Nullable Tree left, int value) {}

    record Address(Optional<InetAddress> address) {}

    record Loaded(Class<?> type) {}

    record Mixed(JsonObject json) {}

    record Box<T>(T value) {}

    @Test
    void typeThatCannotTravelIsRefusedAtRegistration() {
        assertTrue(refusedType(Unbuildable.class).contains("no constructor fits; make it a record"));
        assertTrue(refusedType(Hidden.class).contains("it has no properties"), refusedType(Hidden.class));
        assertTrue(refusedType(Failure.class).contains("stack trace"), refusedType(Failure.class));
        assertTrue(refusedType(Holder.class).startsWith("Holder.open: " + Open.class.getName() + " cannot travel: "));
        assertTrue(refusedType(Thread.class).startsWith("java.lang.Thread cannot travel: send a record"));
        assertTrue(refusedType(Address.class).contains("to read it may ask a name server"));
        assertTrue(refusedType(Loaded.class).contains("choose a class to load"));
        assertTrue(refusedType(Mixed.class).contains("use Jackson's JsonNode"), refusedType(Mixed.class));
        assertTrue(refusedType(new TypeRef<Optional<String>>() {}.type()).contains("a payload is never absent"));
        assertTrue(refusedType(new TypeRef<Box<Optional<Optional<String>>>>() {}.type())
                .contains("absent in two ways"));
        assertTrue(refusedType(new TypeRef<Map<Tree, Integer>>() {}.type()).contains("cannot travel"));
        assertTrue(refusedType(new Bean() {}.getClass()).contains("cannot travel"));
    }

    static class Tags extends ArrayList<String> {
        private static final long serialVersionUID = 1L;
        public String owner = "";
    }

    static final class Names extends ArrayList<String> {
        private static final long serialVersionUID = 1L;
    }

    static final class Index extends HashMap<String, Integer> {
        private static final long serialVersionUID = 1L;
        public int version;
    }

    record Tagged(Tags tags) {}

    @Test
    void collectionOfTheApplicationsWithAFieldIsRefused() {
        String refused = refusedType(Tagged.class);
        assertTrue(refused.startsWith("Tagged.tags: "), refused);
        assertTrue(
                refused.contains("its field 'owner' would be lost; make it a record that has a collection"), refused);
        assertTrue(refusedType(Index.class)
                .contains("its field 'version' would be lost; make it a record that has a map"));
        Names names = new Names();
        names.add("a");
        assertTravels(Names.class, names, "[\"a\"]");
    }

    @Test
    void collectionThatIsCopiedForEachElementIsRefused() {
        for (Type type : List.of(
                new TypeRef<CopyOnWriteArrayList<String>>() {}.type(),
                new TypeRef<CopyOnWriteArraySet<String>>() {}.type())) {
            assertTrue(refusedType(type).contains("each element that is read copies all others"), refusedType(type));
        }
    }

    static final class Places extends HashSet<Place> {
        private static final long serialVersionUID = 1L;
        public String owner = "";
    }

    record Visited(
            Set<Place> places,
            @Nullable LinkedHashSet<Optional<Place>> more,
            @Nullable Set<Shape> shapes) {}

    /** Returns JSON of places that share one hash code. */
    private static String collidingPlaces(int count) {
        StringJoiner json = new StringJoiner(",", "[", "]");
        for (int i = 0; i < count; i++) {
            json.add("{\"x\":" + i + ",\"y\":" + -31 * i + "}");
        }
        return json.toString();
    }

    @Test
    void moreThanAHundredElementsOfOneHashCodeAreRefused() {
        Type places = new TypeRef<Set<Place>>() {}.type();
        assertEquals(100, ((Set<?>) read(codec, places, collidingPlaces(100))).size());
        assertEquals("$[100]: the value does not fit", refusal(places, collidingPlaces(101)));
        assertEquals(
                "$.places[100]: the value does not fit",
                refusal(Visited.class, "{\"places\":" + collidingPlaces(101) + "}"));
        assertEquals(
                "$.more[100]: the value does not fit",
                refusal(Visited.class, "{\"more\":" + collidingPlaces(101) + "}"));
        assertEquals(
                "$.places[1].y: the number does not fit",
                refusal(Visited.class, "{\"places\":[{\"x\":1,\"y\":2},{\"x\":1,\"y\":1e40}]}"));
        assertEquals("$.places: the value does not fit", refusal(Visited.class, "{\"places\":{}}"));
        assertTravels(
                Visited.class,
                new Visited(
                        Set.of(new Place(1, 2)),
                        new LinkedHashSet<>(List.of(Optional.of(new Place(3, 4)), Optional.empty())),
                        Set.of(new Circle(1))),
                "{\"places\":[{\"x\":1,\"y\":2}],\"more\":[{\"x\":3,\"y\":4},null],"
                        + "\"shapes\":[{\"type\":\"Circle\",\"radius\":1}]}");
        assertTrue(refusedType(Places.class).contains("its field 'owner' would be lost"));
    }

    static class Computed {
        public int net = 1;

        public int getGross() {
            return net * 2;
        }
    }

    static class Marked {
        public int net = 1;

        @JsonProperty(access = JsonProperty.Access.READ_ONLY)
        public int getGross() {
            return net * 2;
        }

        @JsonProperty(access = JsonProperty.Access.WRITE_ONLY)
        public void setOld(int old) {
            net = old;
        }
    }

    static class Deaf {
        public int a;
        private int b;

        public void setB(int b) {
            this.b = b;
        }

        int b() {
            return b;
        }
    }

    static class Bag {
        private final Map<String, Object> all = new HashMap<>();
        public int a = 1;

        @JsonAnyGetter
        public Map<String, Object> all() {
            return all;
        }

        @JsonAnySetter
        public void put(String name, Object value) {
            all.put(name, value);
        }
    }

    static class Bin {
        public int a = 1;

        @JsonAnyGetter
        public Map<String, Object> all() {
            return Map.of();
        }
    }

    record HalfIgnored(int a, @JsonIgnore int b) {}

    @JsonIgnoreProperties("b")
    record Ignoring(int a, @Nullable Integer b, @Nullable Void none) {}

    record Place(int x, int y) {}

    record Placed(String name, @JsonUnwrapped Place place) {}

    static class Delegated {
        private final List<Integer> all;

        @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
        Delegated(Map<String, List<Integer>> all) {
            this.all = Objects.requireNonNull(all.get("all"));
        }

        @JsonProperty("all")
        List<Integer> given() {
            return all;
        }
    }

    @JsonIdentityInfo(generator = ObjectIdGenerators.IntSequenceGenerator.class)
    static class Knot {
        public @Nullable Knot next;
    }

    @Test
    void propertyThatIsOnlyWrittenOrOnlyReadIsRefused() {
        String computed = refusedType(Computed.class);
        assertTrue(computed.contains("its 'gross' is written and not read; give it a setter"), computed);
        assertTrue(refusedType(Deaf.class).contains("its 'b' is read and not written; give it a getter"));
        assertTrue(refusedType(Bin.class).contains("it has @JsonAnyGetter; give it @JsonAnySetter, too"));
        Marked marked = (Marked) read(codec, Marked.class, write(codec, Marked.class, new Marked()));
        assertEquals(1, marked.net);
        assertEquals(5, ((Marked) read(codec, Marked.class, "{\"old\":5}")).net);
        assertTravels(Placed.class, new Placed("a", new Place(1, 2)), "{\"name\":\"a\",\"x\":1,\"y\":2}");
        assertTrue(refusedType(HalfIgnored.class).contains("its 'b' is read and not written"), "a peer would set it");
        assertTravels(Ignoring.class, new Ignoring(1, null, null), "{\"a\":1}");
        assertEquals(List.of(1), ((Delegated) read(codec, Delegated.class, "{\"all\":[1]}")).given());
        Knot knot = new Knot();
        knot.next = knot;
        Knot tied = (Knot) read(codec, Knot.class, write(codec, Knot.class, knot));
        assertSame(tied, tied.next);
    }

    @Test
    void nameThatWouldStandTwiceIsNotSent() {
        Bag bag = new Bag();
        bag.put("b", 1);
        assertEquals("{\"a\":1,\"b\":1}", write(codec, Bag.class, bag));
        bag.put("a", 2);
        for (JacksonCodec each : List.of(codec, JacksonCodec.of(new ObjectMapper()))) {
            var refused =
                    assertThrows(IOException.class, () -> each.mapper(Bag.class).write(bag, new StringWriter()));
            assertTrue(refused.toString().contains("Duplicate field 'a'"), refused.toString());
        }
        assertThrows(
                IOException.class,
                () -> codec.mapper(Kind.class).write(new Own("a"), new StringWriter()),
                "the name of the class, and a component");
    }

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
    sealed interface Kind permits Own {}

    record Own(String kind) implements Kind {}

    record Grow<T>(T value, @Nullable Grow<List<T>> next) {}

    record Pair<A, B>(A a, B b) {}

    record Fork<T>(
            @Nullable Fork<Pair<T, T>> left, @Nullable Fork<Pair<T, List<T>>> right) {}

    record Wide<T>(@Nullable Wide<T[]> next) {}

    record Grown(Grow<String> grow) {}

    @Test
    void typeThatRefersToItselfWithEverLongerArgumentsIsRefused() {
        String grow = Grow.class.getName() + " cannot travel: its type arguments nest deeper than 12";
        for (JacksonCodec each : List.of(codec, JacksonCodec.of(new ObjectMapper()))) {
            for (Type type : List.of(Grown.class, new TypeRef<Grow<String>>() {}.type())) {
                var refused = assertThrows(IllegalArgumentException.class, () -> each.mapper(type));
                assertEquals(grow, refused.getMessage());
            }
        }
        assertTrue(refusedType(new TypeRef<Fork<String>>() {}.type()).endsWith("nest deeper than 12"));
        assertTrue(refusedType(new TypeRef<Wide<String>>() {}.type()).endsWith("nest deeper than 12"));
    }

    @Test
    void typeThatHoldsItselfTravels() {
        assertTravels(Tree.class, new Tree(new Tree(null, 1), 2), "{\"left\":{\"value\":1},\"value\":2}");
    }

    record Maybe(Optional<String> text, Optional<Instant> at) {}

    @Test
    void optionalTravelsAsItsValueOrNotAtAll() {
        assertTravels(Maybe.class, new Maybe(Optional.of("a"), Optional.empty()), "{\"text\":\"a\"}");
        assertEquals(new Maybe(Optional.empty(), Optional.empty()), read(codec, Maybe.class, "{\"text\":null}"));
        Type list = new TypeRef<List<Optional<String>>>() {}.type();
        assertTravels(list, List.of(Optional.of("a"), Optional.empty()), "[\"a\",null]");
        Type map = new TypeRef<Map<String, Optional<String>>>() {}.type();
        assertTravels(map, Map.of("k", Optional.empty()), "{\"k\":null}");
    }

    // ---- collections, maps, trees

    @Test
    void nullThatWasSentIsKept() {
        Map<String, Object> map = new HashMap<>();
        map.put("k", null);
        assertTravels(ANY_MAP, map, "{\"k\":null}");
    }

    @Test
    void collectionsAndMapsTravel() {
        assertTravels(new TypeRef<Set<Integer>>() {}.type(), Set.of(1), "[1]");
        assertTravels(new TypeRef<SortedMap<String, Integer>>() {}.type(), new TreeMap<>(Map.of("a", 1)), "{\"a\":1}");
        assertEquals("$: the value does not fit", refusal(new TypeRef<List<Integer>>() {}.type(), "1"));
        assertEquals("$[1]: the value does not fit", refusal(int[].class, "[1,null]"));
    }

    sealed interface Cart permits CartItems.Item, WishItems.Item {}

    static final class CartItems {
        record Item(int count) implements Cart {}
    }

    static final class WishItems {
        record Item(int count) implements Cart {}
    }

    sealed interface Listing permits OneItem.Item, OtherItem.Item {}

    static final class OneItem {
        record Item(int count) implements Listing {}
    }

    static final class OtherItem {
        @JsonTypeName("other")
        record Item(int count) implements Listing {}
    }

    /** Its serializer writes by way of the mapper. */
    private static final class ByObject extends StdSerializer<UUID> {
        private static final long serialVersionUID = 1L;

        ByObject() {
            super(UUID.class);
        }

        @Override
        public void serialize(UUID value, JsonGenerator out, SerializerProvider provider) throws IOException {
            out.writePOJO(Double.NaN);
        }
    }

    @Test
    void numbersKeepTheirValueWithAnyMapper() {
        JacksonCodec bare = JacksonCodec.of(
                new ObjectMapper().registerModule(new SimpleModule().addSerializer(UUID.class, new ByObject())));
        assertEquals("$: the number does not fit", refusal(bare, int.class, "1.5"));
        assertEquals("$: the number does not fit", refusal(bare, long.class, "9007199254740993.0"));
        assertThrows(PayloadException.class, () -> write(bare, UUID.class, new UUID(0, 1)));
    }

    @Test
    void annotationTellsTwoClassesOfOneNameApart() {
        for (Listing item : List.of(new OneItem.Item(1), new OtherItem.Item(2))) {
            assertEquals(item, read(codec, Listing.class, write(codec, Listing.class, item)));
        }
    }

    record UserId(String value) {}

    record Plugin(@JsonTypeInfo(use = JsonTypeInfo.Id.CLASS) Object any) {}

    @Test
    void keysAndNamesThatWouldBecomeOthersAreRefused() {
        for (Type type : List.of(
                new TypeRef<Map<UserId, Integer>>() {}.type(),
                new TypeRef<Map<Byte, Integer>>() {}.type(),
                new TypeRef<Map<Double, Integer>>() {}.type(),
                new TypeRef<Map<BigDecimal, Integer>>() {}.type(),
                new TypeRef<Map<Class<?>, Integer>>() {}.type())) {
            assertTrue(refusedType(type).contains("a map's key must be"), type::toString);
        }
        assertTrue(refusedType(Cart.class).contains("two of its classes are named Item"));
        assertTrue(refusedType(Plugin.class).contains("its peer would choose a class to load"));
        JacksonCodec bare = JacksonCodec.of(new ObjectMapper());
        var refused = assertThrows(IllegalArgumentException.class, () -> bare.mapper(Instant.class));
        assertTrue(Objects.requireNonNull(refused.getMessage()).contains("Jackson needs a module"));
    }

    static List<Arguments> keys() {
        return List.of(
                Arguments.of(new TypeRef<Map<Instant, Integer>>() {}.type(), Instant.EPOCH, "1970-01-01T00:00:00Z"),
                Arguments.of(new TypeRef<Map<UUID, Integer>>() {}.type(), new UUID(0, 1), new UUID(0, 1).toString()),
                Arguments.of(new TypeRef<Map<Boolean, Integer>>() {}.type(), true, "true"),
                Arguments.of(new TypeRef<Map<Long, Integer>>() {}.type(), Long.MAX_VALUE, "9223372036854775807"));
    }

    @ParameterizedTest
    @MethodSource("keys")
    void keysTravelAsTheirTypeIsWritten(Type type, Object key, String name) {
        assertTravels(type, Map.of(key, 1), "{\"" + name + "\":1}");
        assertTrue(refusal(type, "{\"x\":1}").endsWith(" does not fit"));
    }

    static class Base {
        public int a = 1;
    }

    static final class Derived extends Base {
        public int b = 2;
    }

    /** What docs/payloads.md says of it: GsonCodec refuses both. */
    @Test
    void elementOfASubclassIsSentWithItsFieldsAndOfEqualKeysTheLastCounts() {
        Type list = new TypeRef<List<Base>>() {}.type();
        String json = write(codec, list, List.of(new Derived()));
        assertEquals(Set.of("a", "b"), ((Map<?, ?>) ((List<?>) read(codec, Object.class, json)).get(0)).keySet());
        Base read = (Base) ((List<?>) read(codec, list, json)).get(0);
        assertEquals(Base.class, read.getClass());
        assertEquals(Map.of(1, 3), read(codec, new TypeRef<Map<Integer, Integer>>() {}.type(), "{\"1\":2,\"01\":3}"));
    }

    record Raw(@Nullable JsonNode json, int after) {}

    @Test
    void treeTravelsAsItIs() throws IOException {
        String json = "{\"k\":[null,1,9223372036854775808,0.1,0.12345678901234567890,\"a\"]}";
        JsonNode tree = (JsonNode) read(codec, JsonNode.class, json);
        assertEquals(json, write(codec, JsonNode.class, tree));
        assertEquals(new ObjectMapper().readTree("{\"a\":[1,0.5]}"), read(codec, JsonNode.class, "{\"a\":[1,0.5]}"));
        assertEquals("$.json.a: the number does not fit", refusal(Raw.class, "{\"json\":{\"a\":1e400},\"after\":1}"));
    }

    // ---- subtypes

    sealed interface Shape permits Circle, Square, Other {}

    record Circle(int radius) implements Shape {}

    record Square(int side, @Nullable Shape inside) implements Shape {}

    sealed interface Other extends Shape permits Dot {}

    record Dot() implements Other {}

    record Drawing(Shape main, List<Shape> all) {}

    @Test
    void sealedInterfaceTravelsWithTheNameOfTheClass() {
        Drawing drawing = new Drawing(new Square(2, new Circle(1)), List.of(new Dot(), new Circle(3)));
        assertTravels(
                Drawing.class,
                drawing,
                "{\"main\":{\"type\":\"Square\",\"side\":2,\"inside\":{\"type\":\"Circle\",\"radius\":1}},"
                        + "\"all\":[{\"type\":\"Dot\"},{\"type\":\"Circle\",\"radius\":3}]}");
        assertTravels(Circle.class, new Circle(1), "{\"type\":\"Circle\",\"radius\":1}");
        assertEquals(new Circle(1), read(codec, Circle.class, "{\"radius\":1}"));
        assertEquals(
                new Square(1, new Dot()),
                read(codec, Shape.class, "{\"side\":1,\"inside\":{\"type\":\"Dot\"},\"type\":\"Square\"}"));
        Type list = new TypeRef<List<Shape>>() {}.type();
        assertTravels(list, List.of(new Circle(3)), "[{\"type\":\"Circle\",\"radius\":3}]");
    }

    @Test
    void unknownSubtypeIsRefusedWithItsPath() {
        for (String unknown :
                List.of("{\"type\":\"Star\"}", "{\"a\":1,\"type\":\"Star\"}", "{}", "{\"type\":1}", "5")) {
            assertEquals("$.main: the value does not fit", refusal(Drawing.class, "{\"main\":" + unknown + "}"));
        }
        assertEquals(
                "$.all[0].radius: a value is required", refusal(Drawing.class, "{\"all\":[{\"type\":\"Circle\"}]}"));
        assertEquals(
                "$.all[1].radius: the number does not fit",
                refusal(Drawing.class, "{\"all\":[{\"type\":\"Dot\"},{\"radius\":\"x\",\"type\":\"Circle\"}]}"));
    }

    sealed interface Exact permits Big {}

    record Big(byte small, double fraction, BigDecimal decimal, Object any) implements Exact {}

    /** Jackson then reads from a buffer. */
    @Test
    void subtypeWhoseTypeIsNotFirstKeepsNumbersAndPlaces() {
        String json = "{\"small\":-1,\"fraction\":1.5,\"decimal\":1.10,"
                + "\"any\":{\"n\":[7,9007199254740993,0.12345678901234567890,0.5]},\"type\":\"Big\"}";
        List<Object> numbers = List.of(7L, 9_007_199_254_740_993L, new BigDecimal("0.12345678901234567890"), 0.5);
        Big big = new Big((byte) -1, 1.5, new BigDecimal("1.10"), Map.of("n", numbers));
        assertEquals(big, read(codec, Exact.class, json));
        assertEquals("$.small: the number does not fit", refusal(Exact.class, json.replace("-1", "200")));
        assertEquals("$.fraction: the number does not fit", refusal(Exact.class, json.replace("1.5", "1e400")));
        assertEquals("$.decimal: the number does not fit", refusal(Exact.class, json.replace("1.10", "1e1000000")));
        assertTrue(refusal(Exact.class, json.replace(":[7", ":[1e400")).endsWith("the number does not fit"));
        assertTrue(
                refusal(Exact.class, json.replace("{\"n\"", "{\"n\":1,\"n\"")).endsWith("n: the name is repeated"));
    }

    enum Level implements Ranked {
        LOW
    }

    sealed interface Ranked permits Level {}

    sealed interface Clash permits Clashing {}

    record Clashing(String type) implements Clash {}

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
    @JsonSubTypes({@JsonSubTypes.Type(value = Cat.class, name = "cat"), @JsonSubTypes.Type(Dog.class)})
    interface Animal {}

    record Cat(String type) implements Animal {}

    record Dog(Open open) implements Animal {}

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
    sealed interface Payment permits Card {}

    record Card(String type) implements Payment {}

    @Test
    void annotationsSayHowSubtypesTravel() {
        assertTravels(Cat.class, new Cat("a"), "{\"kind\":\"cat\",\"type\":\"a\"}");
        assertTravels(Payment.class, new Card("a"), "{\"kind\":\"Card\",\"type\":\"a\"}");
        assertTrue(refusedType(Ranked.class).contains("it is not an object with a field 'type'"));
        assertTrue(refusedType(Clash.class).contains("it has a 'type' of its own"));
        assertTrue(refusedType(Animal.class).startsWith("Dog.open: "), refusedType(Animal.class));
    }

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

    private static ObjectMapper lenient() {
        return JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .build();
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
