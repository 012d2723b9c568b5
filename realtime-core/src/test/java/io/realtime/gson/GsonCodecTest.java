package io.realtime.gson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.google.gson.TypeAdapter;
import com.google.gson.annotations.SerializedName;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import io.realtime.PayloadException;
import io.realtime.TypeRef;
import io.realtime.internal.wire.Payloads;
import io.realtime.spi.PayloadCodec;
import java.io.FileInputStream;
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
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Calendar;
import java.util.Collection;
import java.util.Collections;
import java.util.Currency;
import java.util.Date;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.StringJoiner;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class GsonCodecTest {
    private static final Type ANY_MAP = new TypeRef<Map<String, Object>>() {}.type();

    private final GsonCodec codec = GsonCodec.create();

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
            return Objects.requireNonNull(by.mapper(type).read(json, 0, json.length()));
        } catch (IOException impossible) {
            throw new AssertionError(impossible);
        }
    }

    private String refusal(Type type, String json) {
        return assertThrows(PayloadException.class, () -> read(codec, type, json))
                .getMessage();
    }

    private String refusedType(Type type) {
        var refused = assertThrows(IllegalArgumentException.class, () -> codec.mapper(type));
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
    void timeThatIsNoneIsRefusedWithItsPath() {
        assertEquals(
                "$.at[1]: no Instant of ISO 8601", refusal(Due.class, "{\"at\":[\"2026-03-29T01:30:00Z\",\"noon\"]}"));
        assertEquals("$.at[0]: Expected a string but was NUMBER", refusal(Due.class, "{\"at\":[5]}"));
    }

    record Old(Date when) {}

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

    record Named(@Nullable String a, @Nullable Map<String, Object> more) {}

    @Test
    void nameThatStandsTwiceIsRefusedWithItsPath() {
        assertEquals("$.a: the name is repeated", refusal(Named.class, "{\"a\":\"1\",\"a\":\"2\"}"));
        assertEquals("$.x: the name is repeated", refusal(Named.class, "{\"x\":1,\"x\":2}"));
        assertEquals("$.more.b.c: the name is repeated", refusal(Named.class, "{\"more\":{\"b\":{\"c\":1,\"c\":1}}}"));
        assertTrue(refusal(new TypeRef<Map<String, Integer>>() {}.type(), "{\"a\":1,\"a\":2}")
                .contains("a"));
        assertEquals("$.a: the name is repeated", refusal(JsonElement.class, "{\"a\":1,\"a\":2}"));
    }

    @Test
    void nameThatStandsTwiceAmongManyIsRefused() {
        StringBuilder many = new StringBuilder("{");
        for (int i = 0; i < 100; i++) {
            many.append("\"n").append(i).append("\":{\"same\":").append(i).append("},");
        }
        assertInstanceOf(Map.class, read(codec, Object.class, many + "\"last\":1}"));
        assertEquals("$.n3: the name is repeated", refusal(Object.class, many + "\"n3\":1}"));
        assertEquals("$.n77: the name is repeated", refusal(Object.class, many + "\"n77\":1}"));
        assertInstanceOf(Map.class, read(codec, Object.class, many + "\"last\":1}"));
    }

    @Test
    void halfASurrogatePairIsNotSent() {
        var payload = new Payloads(codec).of(Named.class);
        assertThrows(PayloadException.class, () -> payload.write(new Named("\uD83D", null)));
    }

    // ---- records and classes

    record Range(int from, int to, @Nullable String name) {
        Range {
            if (from > to) {
                throw new IllegalArgumentException("from is above to");
            }
        }
    }

    record Ranges(List<Range> ranges) {}

    @Test
    void recordIsBuiltByItsConstructor() {
        assertTravels(Range.class, new Range(1, 2, "a"), "{\"from\":1,\"to\":2,\"name\":\"a\"}");
        assertEquals("from is above to", refusal(Ranges.class, "{\"ranges\":[{\"from\":2,\"to\":1}]}"));
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

    /** As a desugared record, or a data class of Kotlin's, comes: final fields, and one constructor for all of them. */
    static final class Data {
        private final String second;
        private final String first;

        Data(String first, String second) {
            this.first = Objects.requireNonNull(first, "first is required");
            this.second = second;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Data that && first.equals(that.first) && second.equals(that.second);
        }

        @Override
        public int hashCode() {
            return Objects.hash(first, second);
        }
    }

    @Test
    void classWithoutARecordsFormIsBuiltByTheConstructorOfItsFields() {
        assertTravels(Data.class, new Data("1", "2"), "{\"second\":\"2\",\"first\":\"1\"}");
        assertEquals("first is required", refusal(Data.class, "{\"second\":\"2\"}"));
    }

    static class Base {
        int a = 1;
        transient int hidden = 9;
    }

    static class Bean extends Base {
        @SerializedName("bee")
        String b = "default";

        int c = 3;
    }

    @Test
    void classWithAConstructorWithoutParametersKeepsItsDefaults() {
        Bean bean = (Bean) read(codec, Bean.class, "{\"a\":5,\"bee\":\"x\",\"hidden\":1}");
        assertEquals("5 x 3 9", bean.a + " " + bean.b + " " + bean.c + " " + bean.hidden);
        assertEquals("{\"a\":5,\"bee\":\"x\",\"c\":3}", write(codec, Bean.class, bean));
        assertEquals("$.c: a value is required", refusal(Bean.class, "{\"c\":null}"));
    }

    static class Unbuildable {
        int a;

        Unbuildable(String other) {
            a = other.length();
        }
    }

    static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1L;
        int code;
    }

    interface Open {}

    record Holder(Open open) {}

    record Tree(@Nullable Tree left, int value) {}

    @Test
    void typeThatNothingBuildsIsRefusedAtRegistration() {
        assertTrue(refusedType(Failure.class).contains("what it has of java.lang.RuntimeException would be lost"));
        assertTrue(refusedType(Unbuildable.class).contains("make it a record"));
        assertTrue(refusedType(Holder.class).startsWith("Holder.open: " + Open.class.getName() + " cannot travel"));
        assertTrue(refusedType(Thread.class).startsWith("java.lang.Thread cannot travel: send a record"));
        assertTrue(refusedType(OptionalInt.class).contains("Optional<Integer>"));
        assertTrue(refusedType(new TypeRef<Optional<String>>() {}.type()).contains("a payload is never absent"));
        assertTrue(refusedType(new Base() {}.getClass()).contains("move it out"));
    }

    @Test
    void typeThatHoldsItselfTravels() {
        assertTravels(Tree.class, new Tree(new Tree(null, 1), 2), "{\"left\":{\"value\":1},\"value\":2}");
    }

    @Test
    void subclassIsNotSentAsItsBase() {
        var refused = assertThrows(PayloadException.class, () -> write(codec, Base.class, new Bean()));
        assertTrue(
                refused.getMessage().contains("Bean is not Base: its other fields would be lost"),
                refused.getMessage());
    }

    record Maybe(Optional<String> text, Optional<Instant> at) {}

    @Test
    void optionalTravelsAsItsValueOrNotAtAll() {
        assertTravels(Maybe.class, new Maybe(Optional.of("a"), Optional.empty()), "{\"text\":\"a\"}");
        assertEquals(new Maybe(Optional.empty(), Optional.empty()), read(codec, Maybe.class, "{\"text\":null}"));
    }

    record Box<T>(T value) {}

    @Test
    void optionalTravelsWhereverItStands() {
        Type box = new TypeRef<Box<Optional<String>>>() {}.type();
        assertTravels(box, new Box<>(Optional.of("a")), "{\"value\":\"a\"}");
        assertTravels(box, new Box<>(Optional.empty()), "{}");
        Type list = new TypeRef<List<Optional<String>>>() {}.type();
        assertTravels(list, List.of(Optional.of("a"), Optional.empty()), "[\"a\",null]");
        Type map = new TypeRef<Map<String, Optional<String>>>() {}.type();
        assertTravels(map, Map.of("k", Optional.empty()), "{\"k\":null}");
        assertTrue(refusedType(new TypeRef<Box<Optional<Optional<String>>>>() {}.type())
                .contains("absent in two ways"));
    }

    // ---- nulls

    @Required
    record Parcel(String to, @Nullable String from, Optional<String> note, List<String> items) {}

    record Letter(@Required @Nullable String to, @Nullable String from) {}

    @Required
    static class Envelope {
        String to = "default";
    }

    @Test
    void whatIsRequiredIsNeitherMissingNorNull() {
        Parcel parcel = new Parcel("a", null, Optional.empty(), List.of());
        assertTravels(Parcel.class, parcel, "{\"to\":\"a\",\"items\":[]}");
        assertEquals("$.items: a value is required", refusal(Parcel.class, "{\"to\":\"a\"}"));
        assertEquals("$.to: a value is required", refusal(Parcel.class, "{\"to\":null,\"items\":[]}"));
        assertEquals("$.to: a value is required", refusal(Letter.class, "{\"from\":\"a\"}"));
        assertTravels(Letter.class, new Letter("a", null), "{\"to\":\"a\"}");
        assertEquals("default", ((Envelope) read(codec, Envelope.class, "{}")).to);
        assertEquals("$.to: a value is required", refusal(Envelope.class, "{\"to\":null}"));
        var refused = assertThrows(PayloadException.class, () -> write(codec, Letter.class, new Letter(null, "a")));
        assertEquals("data is not JSON: 'to' of Letter is required, and is null", refused.getMessage());
    }

    static class Defaults {
        @Nullable
        String text = "default";

        Optional<String> note = Optional.of("default");
    }

    record Raw(@Nullable JsonElement json, int after) {}

    @Test
    void nullThatWasSentIsKept() {
        Defaults none = new Defaults();
        none.text = null;
        none.note = Optional.empty();
        assertEquals("{\"text\":null,\"note\":null}", write(codec, Defaults.class, none));
        Defaults read = (Defaults) read(codec, Defaults.class, "{\"text\":null,\"note\":null}");
        assertNull(read.text);
        assertEquals(Optional.empty(), read.note);
        assertEquals("default", ((Defaults) read(codec, Defaults.class, "{}")).text);
        Map<String, Object> map = new HashMap<>();
        map.put("k", null);
        assertTravels(ANY_MAP, map, "{\"k\":null}");
        JsonElement json = JsonParser.parseString("{\"k\":null}");
        assertTravels(Raw.class, new Raw(json, 1), "{\"json\":{\"k\":null},\"after\":1}");
        assertTravels(Raw.class, new Raw(null, 1), "{\"after\":1}");
    }

    // ---- collections, arrays, maps

    @Test
    void elementsTravelAsTheirDeclaredType() {
        for (Type type : List.of(
                new TypeRef<List<Base>>() {}.type(),
                new TypeRef<Map<String, Base>>() {}.type(),
                new TypeRef<Base[]>() {}.type())) {
            Object value = type.getTypeName().contains("Map")
                    ? Map.of("k", new Bean())
                    : type.getTypeName().contains("List") ? List.of(new Bean()) : new Base[] {new Bean()};
            var refused = assertThrows(PayloadException.class, () -> write(codec, type, value));
            assertTrue(refused.getMessage().contains("Bean is not Base"), refused.getMessage());
        }
    }

    static class Titled extends ArrayList<String> {
        private static final long serialVersionUID = 1L;
        String title = "";
    }

    static final class Names extends ArrayList<String> {
        private static final long serialVersionUID = 1L;
    }

    @Test
    void collectionOfTheApplicationsWithAFieldIsRefused() {
        assertTrue(refusedType(Titled.class).contains("its field 'title' would be lost"));
        Names names = new Names();
        names.add("a");
        assertTravels(Names.class, names, "[\"a\"]");
        assertTrue(refusedType(new TypeRef<ArrayBlockingQueue<String>>() {}.type())
                .contains("no constructor makes an empty one"));
    }

    record Grid(int[][] cells, @Nullable Object any) {}

    @Test
    void nullInAnArrayOfNumbersIsRefusedWithItsPath() {
        assertEquals("$.cells[1][2]: a value is required", refusal(Grid.class, "{\"cells\":[[1],[2,3,null,4],[5]]}"));
        assertEquals("$[1]: a value is required", refusal(boolean[].class, "[true,null]"));
        assertEquals("$[0][0]: a value is required", refusal(double[][].class, "[[null]]"));
        assertEquals("[[1,2],[],null]", write(codec, int[][].class, new int[][] {{1, 2}, {}, null}));
        assertTrue(Arrays.deepEquals(
                new int[][] {{1, 2}, {}, null}, (int[][]) read(codec, int[][].class, "[[1,2],[],null]")));
    }

    @Test
    @SuppressWarnings("DoubleBraceInitialization") // what applications have
    void valueOfAnAnonymousClassIsWrittenOrRefusedWhereAnyMayStand() {
        List<String> list = new ArrayList<>() {
            {
                add("a");
            }
        };
        Map<String, Object> map = new HashMap<>() {
            {
                put("k", list);
            }
        };
        int[][] none = {};
        assertEquals("{\"cells\":[],\"any\":[\"a\"]}", write(codec, Grid.class, new Grid(none, list)));
        assertEquals("{\"cells\":[],\"any\":{\"k\":[\"a\"]}}", write(codec, Grid.class, new Grid(none, map)));
        assertEquals("[{\"k\":[\"a\"]}]", write(codec, new TypeRef<List<Object>>() {}.type(), List.of(map)));
        var refused =
                assertThrows(PayloadException.class, () -> write(codec, Grid.class, new Grid(none, new Base() {})));
        String why = String.valueOf(refused.getCause());
        assertTrue(why.contains("it is a class within a method"), why);
        List<String> titled = new Titled() {};
        refused = assertThrows(PayloadException.class, () -> write(codec, Grid.class, new Grid(none, titled)));
        why = String.valueOf(refused.getCause());
        assertTrue(why.contains("its field 'title' would be lost"), why);
    }

    record Point(int x, int y) {}

    /** Returns JSON of points that share one hash code. */
    private static String collidingPoints(int count) {
        StringJoiner json = new StringJoiner(",", "[", "]");
        for (int i = 0; i < count; i++) {
            json.add("{\"x\":" + i + ",\"y\":" + -31 * i + "}");
        }
        return json.toString();
    }

    @Test
    void moreThanAHundredElementsOfOneHashCodeAreRefused() {
        Type points = new TypeRef<Set<Point>>() {}.type();
        assertEquals(100, ((Set<?>) read(codec, points, collidingPoints(100))).size());
        assertEquals("$[100]: more than 100 values have one hash code", refusal(points, collidingPoints(101)));
        assertEquals(101, ((List<?>) read(codec, new TypeRef<List<Point>>() {}.type(), collidingPoints(101))).size());
        String twice =
                collidingPoints(100).replace("]", "," + collidingPoints(100).substring(1));
        assertEquals(100, ((Set<?>) read(codec, points, twice)).size());
        StringJoiner ids = new StringJoiner(",", "[", "]");
        for (int i = 0; i <= 100; i++) {
            ids.add(String.valueOf((long) i << 32 | i)); // all hash to 0
        }
        assertEquals(101, ((Set<?>) read(codec, new TypeRef<Set<Long>>() {}.type(), ids.toString())).size());
    }

    @Test
    void moreThanAHundredKeysOfOneHashCodeAreRefused() {
        StringJoiner json = new StringJoiner(",", "{", "}");
        LocalDateTime last = LocalDateTime.MIN;
        for (int i = 0; i <= 100; i++) {
            LocalDate date = LocalDate.of(1_900 + i, 1, 1);
            last = date.atTime(LocalTime.ofNanoOfDay(date.hashCode() & 0xFFFF_FFFFL));
            assertEquals(0, last.hashCode());
            json.add("\"" + last + "\":1");
        }
        assertEquals(
                "$." + last + ": more than 100 values have one hash code",
                refusal(new TypeRef<Map<LocalDateTime, Integer>>() {}.type(), json.toString()));
    }

    @Test
    void setThatComparesAllItsElementsIsRefused() {
        assertTrue(refusedType(new TypeRef<CopyOnWriteArraySet<String>>() {}.type())
                .contains("it compares every two of its elements; declare java.util.Set"));
    }

    static List<Type> containers() {
        return List.of(
                new TypeRef<Collection<Integer>>() {}.type(),
                new TypeRef<LinkedList<Integer>>() {}.type(),
                new TypeRef<Set<Integer>>() {}.type(),
                new TypeRef<SortedSet<Integer>>() {}.type(),
                new TypeRef<Queue<Integer>>() {}.type(),
                new TypeRef<BlockingQueue<Integer>>() {}.type(),
                new TypeRef<CopyOnWriteArrayList<? extends Integer>>() {}.type());
    }

    @ParameterizedTest
    @MethodSource("containers")
    void standardCollectionsTravel(Type type) {
        Collection<?> read = (Collection<?>) read(codec, type, "[1,2]");
        assertEquals(List.of(1, 2), List.copyOf(read));
        assertEquals("[1,2]", write(codec, type, read));
    }

    @Test
    void standardMapsAndEnumSetsTravel() {
        for (Type type : List.of(
                new TypeRef<SortedMap<String, Integer>>() {}.type(),
                new TypeRef<ConcurrentMap<String, Integer>>() {}.type(),
                new TypeRef<HashMap<String, Integer>>() {}.type())) {
            assertTravels(type, Map.of("a", 1), "{\"a\":1}");
        }
        assertTravels(new TypeRef<EnumSet<Color>>() {}.type(), EnumSet.of(Color.GREEN), "[\"verde\"]");
        assertEquals("$[1]: the value does not fit", refusal(new TypeRef<Queue<Integer>>() {}.type(), "[1,null]"));
        assertEquals(
                "$.a: the value does not fit",
                refusal(new TypeRef<ConcurrentMap<String, Integer>>() {}.type(), "{\"a\":null}"));
    }

    static final class AnyHolder {
        Object any = 0;
    }

    @Test
    void valueOfAnyClassTravelsWhereAnyMay() {
        AnyHolder holder = new AnyHolder();
        holder.any = List.of(Map.of("k", new int[] {1}), Collections.singleton(Color.GREEN), Arrays.asList("x"));
        assertEquals("{\"any\":[{\"k\":[1]},[\"verde\"],[\"x\"]]}", write(codec, AnyHolder.class, holder));
    }

    static final class Shelf extends AbstractList<String> {
        private final transient String[] elements = {"a"};

        @Override
        public String get(int index) {
            return elements[index];
        }

        @Override
        public int size() {
            return elements.length;
        }
    }

    @Test
    void whatWasReadWhereAnyMayStandTravelsOn() {
        String json = "{\"any\":[{\"k\":{\"n\":[1,1.5,null,\"x\"]}}]}";
        assertEquals(json, write(codec, AnyHolder.class, read(codec, AnyHolder.class, json)));
        AnyHolder holder = new AnyHolder();
        holder.any = new Shelf();
        assertEquals("{\"any\":[\"a\"]}", write(codec, AnyHolder.class, holder));
        holder.any = new Titled();
        assertThrows(PayloadException.class, () -> write(codec, AnyHolder.class, holder));
    }

    static List<Arguments> keys() {
        return List.of(
                Arguments.of(new TypeRef<Map<Color, Integer>>() {}.type(), Color.GREEN, "verde"),
                Arguments.of(new TypeRef<Map<Instant, Integer>>() {}.type(), Instant.EPOCH, "1970-01-01T00:00:00Z"),
                Arguments.of(new TypeRef<Map<UUID, Integer>>() {}.type(), new UUID(0, 1), new UUID(0, 1).toString()),
                Arguments.of(new TypeRef<Map<Boolean, Integer>>() {}.type(), true, "true"),
                Arguments.of(new TypeRef<Map<Byte, Integer>>() {}.type(), (byte) 1, "1"),
                Arguments.of(new TypeRef<Map<Double, Integer>>() {}.type(), 1.5, "1.5"),
                Arguments.of(new TypeRef<Map<Character, Integer>>() {}.type(), 'c', "c"),
                Arguments.of(new TypeRef<Map<Long, Integer>>() {}.type(), Long.MAX_VALUE, "9223372036854775807"),
                Arguments.of(new TypeRef<Map<BigDecimal, Integer>>() {}.type(), new BigDecimal("1.10"), "1.10"),
                Arguments.of(new TypeRef<Map<?, Integer>>() {}.type(), "any", "any"));
    }

    @ParameterizedTest
    @MethodSource("keys")
    void keysTravelAsTheirTypeIsWritten(Type type, Object key, String name) {
        assertTravels(type, Map.of(key, 1), "{\"" + name + "\":1}");
    }

    @Test
    void keyThatDoesNotFitIsRefusedWithItsPath() {
        assertEquals("$.x: the key does not fit", refusal(new TypeRef<Map<Color, Integer>>() {}.type(), "{\"x\":1}"));
        assertEquals(
                "$.no: the key does not fit", refusal(new TypeRef<Map<Boolean, Integer>>() {}.type(), "{\"no\":1}"));
        assertEquals(
                "$.01: the key is repeated",
                refusal(new TypeRef<Map<Integer, Integer>>() {}.type(), "{\"1\":1,\"01\":2}"));
        assertTrue(refusedType(new TypeRef<Map<Tree, Integer>>() {}.type()).contains("send a list of records"));
        assertTrue(
                refusedType(new TypeRef<Map<List<String>, Integer>>() {}.type()).contains("send a list of records"));
        Map<String, Integer> none = new HashMap<>();
        none.put(null, 1);
        for (Map<?, ?> unfit : List.of(none, Map.of(1, 1))) {
            assertThrows(PayloadException.class, () -> write(codec, ANY_MAP, unfit));
        }
    }

    static final class Settings {
        static final Settings INSTANCE = new Settings();
        int volume = 5;

        private Settings() {}
    }

    static class Bound<T extends Number> {
        @Nullable
        T value;
    }

    record Bounds(Bound<?> bound) {}

    private static final class Lenient extends TypeAdapter<Open> {
        @Override
        @SuppressWarnings("deprecation") // in newer versions of Gson
        public void write(JsonWriter out, Open value) throws IOException {
            out.setLenient(true);
            out.value(Double.NaN);
        }

        @Override
        public Open read(JsonReader in) throws IOException {
            throw new IOException(new FileInputStream("secret").toString());
        }
    }

    @Test
    void classWithFieldsIsNoSingleton() {
        Settings settings = (Settings) read(codec, Settings.class, "{\"volume\":9}");
        assertEquals(9, settings.volume);
        assertEquals(5, Settings.INSTANCE.volume);
    }

    @Test
    void wildcardHasTheBoundOfItsVariable() {
        Bounds bounds = (Bounds) read(codec, Bounds.class, "{\"bound\":{\"value\":7}}");
        assertEquals(7L, Objects.requireNonNull(bounds.bound().value));
    }

    /** Its words are the receiver's business, and what it writes is JSON or is refused. */
    @Test
    void adapterThatMisbehavesTellsThePeerNothing() {
        GsonCodec own = GsonCodec.builder().adapter(Open.class, new Lenient()).build();
        assertThrows(PayloadException.class, () -> write(own, Open.class, new Open() {}));
        var refused = assertThrows(PayloadException.class, () -> read(own, Holder.class, "{\"open\":1}"));
        assertEquals("$.open: the value does not fit", refused.getMessage());
        assertEquals("$: the value does not fit", refusal(Currency.class, "\"nothing\""));
    }

    record Grow<T>(T value, @Nullable Grow<List<T>> next) {}

    enum Twins {
        @SerializedName(value = "a", alternate = "b")
        A,
        @SerializedName("b")
        B
    }

    record Address(InetAddress address) {}

    @Test
    void moreTypesAreRefusedThatCannotTravel() {
        assertTrue(refusedType(new TypeRef<Grow<String>>() {}.type()).contains("type arguments nest deeper"));
        assertTrue(refusedType(Twins.class).contains("two of its constants are named 'b'"));
        assertTrue(refusedType(Locale.class).contains("Locale.toLanguageTag()"));
        assertTrue(refusedType(AtomicLong.class).contains("send the value that it has"));
        assertTrue(refusedType(EnumSet.class).contains("it does not say of which enum"));
        assertTrue(refusedType(EnumMap.class).contains("it does not say of which enum"));
        assertTrue(refusedType(Address.class).contains("to read it may ask a name server"));
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
        assertEquals(new Square(1, null), read(GsonCodec.create(), Square.class, "{\"type\":\"Square\",\"side\":1}"));
        assertEquals(
                new Square(1, new Dot()),
                read(codec, Shape.class, "{\"side\":1,\"inside\":{\"type\":\"Dot\"},\"type\":\"Square\"}"));
    }

    @Test
    void unknownSubtypeIsRefusedWithItsPath() {
        assertEquals("$.main.type: unknown type 'Star'", refusal(Drawing.class, "{\"main\":{\"type\":\"Star\"}}"));
        assertEquals(
                "$.main.type: unknown type 'Star'", refusal(Drawing.class, "{\"main\":{\"a\":1,\"type\":\"Star\"}}"));
        assertEquals("$.all[0]: field 'type' is required", refusal(Drawing.class, "{\"all\":[{}]}"));
        assertEquals(
                "$.all[0].radius: a value is required", refusal(Drawing.class, "{\"all\":[{\"type\":\"Circle\"}]}"));
        assertEquals(
                "$.all[1].radius: the number does not fit",
                refusal(Drawing.class, "{\"all\":[{\"type\":\"Dot\"},{\"radius\":\"x\",\"type\":\"Circle\"}]}"));
    }

    abstract static class Animal {
        String name = "";
    }

    static final class Cat extends Animal {}

    static final class Dog extends Animal {}

    @Test
    void subtypesMayBeNamed() {
        GsonCodec named = GsonCodec.builder().subtypes(Animal.class, Cat.class).build();
        Cat cat = new Cat();
        cat.name = "Tom";
        assertEquals("{\"type\":\"Cat\",\"name\":\"Tom\"}", write(named, Animal.class, cat));
        assertEquals("Tom", ((Cat) read(named, Animal.class, "{\"type\":\"Cat\",\"name\":\"Tom\"}")).name);
        assertThrows(PayloadException.class, () -> write(named, Animal.class, new Dog()));
        assertTrue(refusedType(Animal.class).contains("subtypes(...)"));
    }

    sealed interface Exact permits Big {}

    record Big(int small, long large, Object any, @Nullable Exact inside) implements Exact {
        Big {
            if (small < 0) {
                throw new IllegalArgumentException("small is below 0");
            }
        }
    }

    @Test
    void subtypeWhoseTypeIsNotFirstKeepsNumbersAndPlaces() {
        Type list = new TypeRef<List<Exact>>() {}.type();
        String big = "\"large\":9007199254740993,\"any\":{\"n\":9007199254740993,\"k\":null}";
        Map<String, Object> any = new HashMap<>(Map.of("n", 9_007_199_254_740_993L));
        any.put("k", null);
        Big value = new Big(1, 9_007_199_254_740_993L, any, new Big(2, 9_007_199_254_740_993L, any, null));
        String inner = "{\"small\":2," + big + ",\"type\":\"Big\"}";
        String json = "[{\"small\":1," + big + ",\"inside\":" + inner + ",\"type\":\"Big\"}]";
        assertEquals(List.of(value), read(codec, list, json));
        assertEquals(
                "$[0].inside.small: the number does not fit",
                refusal(list, json.replace("\"small\":2", "\"small\":4294967297")));
        assertEquals("small is below 0", refusal(list, json.replace("\"small\":2", "\"small\":-2")));
    }

    sealed interface Part permits Node, Leaf {}

    record Node(@Nullable Part a, @Nullable Object any) implements Part {}

    record Leaf(List<Integer> pad) implements Part {}

    /** Returns nested parts whose types are last, beside objects that are no parts. */
    private static String nestedParts(int depth) {
        String json = "{\"pad\":[0],\"type\":\"Leaf\"}";
        for (int i = 0; i < depth; i++) {
            json = "{\"any\":{\"b\":[{\"type\":\"x\"}]},\"ignored\":[{},{\"type\":\"y\"}],\"a\":" + json
                    + ",\"type\":\"Node\"}";
        }
        return json;
    }

    @Test
    void deepSubtypesWhoseTypesAreLastArrive() {
        Object any = Map.of("b", List.of(Map.of("type", "x")));
        assertEquals(new Node(new Node(new Leaf(List.of(0)), any), any), read(codec, Part.class, nestedParts(2)));
        assertEquals(
                "$.a.a.type: unknown type 'Loaf'",
                refusal(Part.class, nestedParts(2).replace("Leaf", "Loaf")));
        assertEquals("$.a: field 'type' is required", refusal(Part.class, "{\"a\":{\"type\":1},\"type\":\"Node\"}"));
    }

    sealed interface Vehicle permits Car {}

    static non-sealed class Car implements Vehicle {
        int doors = 4;
    }

    static final class Taxi extends Car {
        int number = 7;
    }

    @Test
    void subclassOfAnOpenSubtypeIsNotSent() {
        assertEquals("{\"type\":\"Car\",\"doors\":4}", write(codec, Vehicle.class, new Car()));
        var refused = assertThrows(PayloadException.class, () -> write(codec, Vehicle.class, new Taxi()));
        assertTrue(refused.getMessage().contains("Taxi is none of the classes of"), refused.getMessage());
    }

    enum Level implements Ranked {
        LOW
    }

    sealed interface Ranked permits Level {}

    static final class Items extends ArrayList<String> implements Listed {
        private static final long serialVersionUID = 1L;
    }

    sealed interface Listed permits Items {}

    @Test
    void whatIsNoObjectStandsForNoBase() {
        assertTrue(refusedType(Ranked.class).contains("Level is not an object with a field 'type'"));
        assertTrue(refusedType(Listed.class).contains("Items is not an object with a field 'type'"));
        var refused = assertThrows(
                IllegalArgumentException.class,
                () -> GsonCodec.builder().subtypes(Animal.class, Cat.class, Animal.class));
        assertEquals(Animal.class.getName() + " cannot stand for itself", refused.getMessage());
    }

    sealed interface State permits Loading, Loaded {}

    static final class Loading implements State {
        static final Loading INSTANCE = new Loading();

        private Loading() {}
    }

    record Loaded(String text) implements State {}

    @Test
    void singletonIsReadAsItsInstance() {
        assertEquals("{\"type\":\"Loading\"}", write(codec, State.class, Loading.INSTANCE));
        assertSame(Loading.INSTANCE, read(codec, State.class, "{\"type\":\"Loading\"}"));
    }

    sealed interface Clash permits Clashing {}

    record Clashing(String type) implements Clash {}

    @Test
    void subtypeWithATypeFieldOfItsOwnIsRefusedAtRegistration() {
        assertTrue(refusedType(Clash.class).contains("Clashing has a field 'type' of its own"));
    }

    // ---- the application's adapters

    private static final class Millis extends TypeAdapter<Date> {
        @Override
        public void write(JsonWriter out, Date value) throws IOException {
            out.value(value.getTime());
        }

        @Override
        public Date read(JsonReader in) throws IOException {
            return new Date(in.nextLong());
        }
    }

    @Test
    void adapterOfTheApplicationsGoesFirst() {
        GsonCodec own = GsonCodec.builder().adapter(Date.class, new Millis()).build();
        assertEquals("{\"when\":5}", write(own, Old.class, new Old(new Date(5))));
        assertEquals(new Old(new Date(5)), read(own, Old.class, "{\"when\":5}"));
    }

    @Test
    void whatGsonMapsItselfTravels() {
        UUID id = UUID.fromString("123e4567-e89b-12d3-a456-426614174000");
        assertTravels(UUID.class, id, "\"" + id + "\"");
        assertTravels(BigDecimal.class, new BigDecimal("1.10"), "1.10");
        assertTravels(new TypeRef<ArrayList<Integer>>() {}.type(), new ArrayList<>(List.of(1, 2)), "[1,2]");
        assertTravels(new TypeRef<Map<Long, String>>() {}.type(), Map.of(1L, "a"), "{\"1\":\"a\"}");
        assertTravels(String.class, "</script>\u2028", "\"</script>\\u2028\"");
    }
}
