package io.realtime.gson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.PayloadException;
import io.realtime.TypeRef;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Sealed interfaces, and bases whose subtypes are named. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class GsonSubtypesTest extends GsonCodecFixture {
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

    enum Level implements Ranked {
        LOW
    }

    sealed interface Ranked permits Level {}

    static final class Items extends ArrayList<String> implements Listed {
        private static final long serialVersionUID = 1L;
    }

    sealed interface Listed permits Items {}

    @Test
    void baseOfNonObjectsIsRefused() {
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
    void subtypeWithTypeFieldOfItsOwnIsRefusedAtRegistration() {
        assertTrue(refusedType(Clash.class).contains("Clashing has a field 'type' of its own"));
    }
}
