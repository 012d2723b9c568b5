package io.realtime.jackson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonIdentityInfo;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import com.fasterxml.jackson.annotation.ObjectIdGenerators;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.gson.JsonObject;
import io.realtime.TypeRef;
import java.io.IOException;
import java.io.StringWriter;
import java.lang.reflect.Type;
import java.net.InetAddress;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Which types JacksonCodec takes, and how it builds their values. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class JacksonCodecTest extends JacksonCodecFixture {
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
    void classWithConstructorWithoutParametersKeepsItsDefaults() {
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
}
