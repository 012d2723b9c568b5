package io.realtime.gson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
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
import java.io.FileInputStream;
import java.io.IOException;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.net.InetAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Currency;
import java.util.Date;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Which types GsonCodec takes, and how it builds their values. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class GsonCodecTest extends GsonCodecFixture {
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
    void classWithoutRecordsFormIsBuiltByConstructorOfItsFields() {
        assertTravels(Data.class, new Data("1", "2"), "{\"second\":\"2\",\"first\":\"1\"}");
        assertEquals("first is required", refusal(Data.class, "{\"second\":\"2\"}"));
    }

    @Test
    void classWithConstructorWithoutParametersKeepsItsDefaults() {
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
    void classWithFieldsIsNotReadAsSingleton() {
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
    void adapterOfTheApplicationTakesPrecedence() {
        GsonCodec own = GsonCodec.builder().adapter(Date.class, new Millis()).build();
        assertEquals("{\"when\":5}", write(own, Old.class, new Old(new Date(5))));
        assertEquals(new Old(new Date(5)), read(own, Old.class, "{\"when\":5}"));
    }

    @Test
    void typesWithGsonsOwnAdaptersTravel() {
        UUID id = UUID.fromString("123e4567-e89b-12d3-a456-426614174000");
        assertTravels(UUID.class, id, "\"" + id + "\"");
        assertTravels(BigDecimal.class, new BigDecimal("1.10"), "1.10");
        assertTravels(new TypeRef<ArrayList<Integer>>() {}.type(), new ArrayList<>(List.of(1, 2)), "[1,2]");
        assertTravels(new TypeRef<Map<Long, String>>() {}.type(), Map.of(1L, "a"), "{\"1\":\"a\"}");
        assertTravels(String.class, "</script>\u2028", "\"</script>\\u2028\"");
    }
}
