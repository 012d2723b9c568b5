package io.realtime.gson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.PayloadException;
import io.realtime.TypeRef;
import io.realtime.internal.wire.Payloads;
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
import java.util.GregorianCalendar;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Times, numbers, constants and texts. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class GsonScalarsTest extends GsonCodecFixture {
    // ---- time

    static List<Object> times() {
        return List.of(
                Instant.parse("2026-03-29T01:30:00.123456789Z"),
                LocalDate.of(2026, 3, 29),
                LocalTime.of(1, 30),
                LocalDateTime.of(2026, 3, 29, 1, 30, 0, 1),
                OffsetTime.of(1, 30, 0, 0, ZoneOffset.ofHours(9)),
                OffsetDateTime.of(2026, 3, 29, 1, 30, 0, 0, ZoneOffset.ofHours(-3)),
                ZonedDateTime.of(2026, 3, 29, 3, 30, 0, 0, ZoneId.of("Europe/Berlin")),
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
                "$.at[1]: no Instant of ISO 8601", refusal(Due.class, "{\"at\":[\"2026-03-29T01:30:00Z\",\"noon\"]}"));
        assertEquals("$.at[0]: Expected a string but was NUMBER", refusal(Due.class, "{\"at\":[5]}"));
    }

    record Older(Old old) {}

    @Test
    void dateIsRefusedAtRegistrationWithTheRemedy() {
        String remedy = " cannot travel: it is written in the machine's time zone and language; use java.time.Instant";
        assertEquals("java.util.Date" + remedy, refusedType(Date.class));
        assertEquals("java.util.Calendar" + remedy, refusedType(Calendar.class));
        assertEquals("java.util.GregorianCalendar" + remedy, refusedType(GregorianCalendar.class));
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
    }

    @Test
    void decimalsKeepTheirValueWhereAnythingIsTaken() {
        assertEquals(0.1, read(codec, Object.class, "0.1"));
        assertEquals(1e300, read(codec, Object.class, "1e300"));
        assertEquals(new BigDecimal("0.12345678901234567890"), read(codec, Object.class, "0.12345678901234567890"));
        assertEquals("$: the number does not fit", refusal(Object.class, "1e400"));
        assertEquals("$: the number does not fit", refusal(Object.class, "1e-400"));
    }

    record Ids(List<Long> ids) {}

    @ParameterizedTest
    @ValueSource(
            strings = {
                "9223372036854775808",
                "-9223372036854775809",
                "1e19",
                "9007199254740993.5",
                "1e999999",
                "\"x\"",
                "\"\""
            })
    void longThatDoesNotFitIsRefusedWithItsPath(String number) {
        assertEquals("$.ids[1]: the number does not fit", refusal(Ids.class, "{\"ids\":[1," + number + "]}"));
    }

    @ParameterizedTest
    @CsvSource({"9223372036854775807,9223372036854775807", "9007199254740993.0,9007199254740993", "1e3,1000", "-0,0"})
    void longKeepsItsValueHoweverItIsWritten(String json, long value) {
        assertEquals(value, read(codec, long.class, json));
    }

    @Test
    void numberBeyondAByteOrShortIsRefused() {
        assertTravels(byte.class, Byte.MIN_VALUE, "-128");
        assertTravels(Short.class, Short.MAX_VALUE, "32767");
        for (String unsigned : List.of("128", "200", "255", "-129")) {
            assertEquals("$: the number does not fit", refusal(byte.class, unsigned));
        }
        for (String unsigned : List.of("32768", "65535", "-32769")) {
            assertEquals("$: the number does not fit", refusal(Short.class, unsigned));
        }
    }

    /** No peer reads it, and a frame that cannot be read cannot be refused to its sender. */
    @Test
    void numberLongerThanAnyPeerReadsIsRefusedToItsSender() {
        // no power of ten: Gson before 2.15 refuses digits after 10^64, which is 0 to it
        BigInteger longest = new BigInteger("1".repeat(1_023));
        assertTravels(BigInteger.class, longest, longest.toString());
        BigInteger longer = longest.multiply(BigInteger.TEN);
        var refused = assertThrows(PayloadException.class, () -> write(codec, BigInteger.class, longer));
        assertEquals(
                "data holds a number of 1024 characters, more than 1023; send it as a string", refused.getMessage());
    }

    /** A sum with it would have a thousand million digits. */
    @Test
    void decimalOfTooManyPlacesIsRefused() {
        assertEquals("$: the number does not fit", refusal(BigDecimal.class, "1e1000000000"));
        assertEquals("$: the number does not fit", refusal(BigDecimal.class, "1e-10000"));
        assertTravels(BigDecimal.class, new BigDecimal("1E+9999"), "1E+9999");
        assertEquals("$: the number does not fit", refusal(BigInteger.class, "\"" + "1".repeat(1_024) + "\""));
    }

    /** To parse them takes a time that grows with the square of their length. */
    @Test
    void longStringsOfDigitsAreNoNumbers() {
        String digits = '"' + "1".repeat(1_024) + '"';
        assertEquals("$: the number does not fit", refusal(long.class, digits));
        assertEquals("$: the number does not fit", refusal(Number.class, digits));
        assertEquals("$: the number does not fit", refusal(long.class, "\"\""));
    }

    @Test
    void otherNumbersThatDoNotFitAreRefused() {
        assertEquals("$: the number does not fit", refusal(int.class, "2147483648"));
        assertEquals("$: the number does not fit", refusal(int.class, "1.5"));
        assertTrue(refusal(byte.class, "300").startsWith("$: "));
        assertTrue(refusal(double.class, "1e400").startsWith("$: "));
        assertEquals("$: the number does not fit", refusal(float.class, "1e39"));
        assertEquals(0.1f, read(codec, float.class, "0.1"));
    }

    record Post(@AsString long id, long plain) {}

    record Wrong(@AsString int id) {}

    @Test
    void longsTravelAsStringsByOptionAndByAnnotation() {
        assertTravels(Post.class, new Post(Long.MAX_VALUE, 7), "{\"id\":\"9223372036854775807\",\"plain\":7}");
        assertEquals(new Post(1, 7), read(codec, Post.class, "{\"id\":1,\"plain\":\"7\"}"));
        assertTrue(refusedType(Wrong.class).contains("@AsString is for longs"));
        GsonCodec strings = GsonCodec.builder().longsAsStrings().build();
        assertEquals("{\"ids\":[\"1\",\"2\"]}", write(strings, Ids.class, new Ids(List.of(1L, 2L))));
        assertEquals(new Ids(List.of(1L, 2L)), read(strings, Ids.class, "{\"ids\":[\"1\",2]}"));
    }

    record Paint(List<Color> colors, Map<Color, Integer> counts) {}

    @Test
    void constantsTravelByTheirNames() {
        Paint paint = new Paint(List.of(Color.RED, Color.GREEN), Map.of(Color.RED, 1));
        assertTravels(Paint.class, paint, "{\"colors\":[\"RED\",\"verde\"],\"counts\":{\"RED\":1}}");
        assertEquals(Color.GREEN, read(codec, Color.class, "\"green\""));
        Map<Color, Integer> counts = new EnumMap<>(Map.of(Color.RED, 2));
        assertTravels(new TypeRef<EnumMap<Color, Integer>>() {}.type(), counts, "{\"RED\":2}");
    }

    @Test
    void unknownConstantIsRefusedWithItsPath() {
        assertEquals("$.colors[1]: unknown constant 'BLUE'", refusal(Paint.class, "{\"colors\":[\"RED\",\"BLUE\"]}"));
        assertEquals("$: unknown constant '5'", refusal(Color.class, "5"));
    }

    @Test
    void halfASurrogatePairIsNotSent() {
        var payload = new Payloads(codec).of(Named.class);
        assertThrows(PayloadException.class, () -> payload.write(new Named("\uD83D", null)));
    }
}
