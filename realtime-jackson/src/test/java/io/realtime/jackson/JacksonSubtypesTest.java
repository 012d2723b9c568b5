package io.realtime.jackson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonTypeName;
import io.realtime.TypeRef;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Sealed interfaces, and subtypes that annotations name. */
@SuppressWarnings({"JavaUtilDate", "ArrayRecordComponent"}) // what applications have
class JacksonSubtypesTest extends JacksonCodecFixture {
    sealed interface Listing permits OneItem.Item, OtherItem.Item {}

    static final class OneItem {
        record Item(int count) implements Listing {}
    }

    static final class OtherItem {
        @JsonTypeName("other")
        record Item(int count) implements Listing {}
    }

    @Test
    void annotationTellsTwoClassesOfOneNameApart() {
        for (Listing item : List.of(new OneItem.Item(1), new OtherItem.Item(2))) {
            assertEquals(item, read(codec, Listing.class, write(codec, Listing.class, item)));
        }
    }

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
}
