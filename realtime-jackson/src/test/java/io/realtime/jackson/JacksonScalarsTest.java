package io.realtime.jackson;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import io.realtime.PayloadException;
import io.realtime.TypeRef;
import io.realtime.gson.AsString;
import io.realtime.internal.wire.Payloads;
import java.io.IOException;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
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
import java.util.Calendar;
import java.util.Date;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Times, numbers, constants and texts. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class JacksonScalarsTest extends JacksonCodecFixture {
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
    void invalidTimeIsRefusedWithItsPath() {
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
    void valuesOfOtherTypesAreRefused() {
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
}
