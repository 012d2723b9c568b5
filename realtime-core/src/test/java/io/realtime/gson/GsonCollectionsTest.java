package io.realtime.gson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.PayloadException;
import io.realtime.TypeRef;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
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
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Collections, maps, and values of any type. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class GsonCollectionsTest extends GsonCodecFixture {
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
    void valueOfAnonymousClassIsWrittenOrRefusedWhereAnyMayStand() {
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
}
