package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.ParameterizedType;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TypeRefTest {
    @SuppressWarnings("rawtypes")
    private static final class Raw extends TypeRef {}

    private static class Strings extends TypeRef<String> {}

    private static final class Below extends Strings {}

    @Test
    void nestedArgumentsAreCaptured() {
        var type = assertInstanceOf(ParameterizedType.class, new TypeRef<Map<String, List<Integer>>>() {}.type());
        assertEquals(Map.class, type.getRawType());
        assertEquals(String.class, type.getActualTypeArguments()[0]);
        assertEquals("java.util.List<java.lang.Integer>", type.getActualTypeArguments()[1].getTypeName());
    }

    @Test
    void itsStringIsThatOfTheType() {
        assertEquals("java.util.List<java.lang.String>", new TypeRef<List<String>>() {}.toString());
    }

    @Test
    void subclassWithoutAnArgumentIsRefused() {
        var raw = assertThrows(IllegalStateException.class, Raw::new);
        assertEquals("TypeRef needs its type argument: new TypeRef<List<Move>>() {}", raw.getMessage());
        assertThrows(IllegalStateException.class, Below::new);
        assertEquals(String.class, new Strings().type());
    }
}
