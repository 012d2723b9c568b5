package io.realtime.jackson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.realtime.TypeRef;
import java.io.IOException;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
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

/** Collections, maps, keys and trees. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class JacksonCollectionsTest extends JacksonCodecFixture {
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
    void subclassElementsAreSentWithTheirFieldsAndLastOfEqualKeysCounts() {
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
}
