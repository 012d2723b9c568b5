package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonElement;
import com.google.gson.JsonSyntaxException;
import com.google.gson.reflect.TypeToken;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StrictJsonTest {
    private static final TypeToken<Map<String, JsonElement>> MAP = new TypeToken<>() {};

    @Test
    void oneValueIsRead() {
        assertEquals(
                Map.of("a", 1.5, "b", true),
                StrictJson.read("{\"a\":1.5,\"b\":true} ", new TypeToken<Map<String, Object>>() {}));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{'a':1}",
                "{a:1}",
                "{\"a\":TRUE}",
                "{\"a\":NaN}",
                "{\"a\":\"\t\"}",
                "{\"a\":\"\\'\"}",
                "{\"a\":1;\"b\":2}",
                "{\"a\":1}{}",
                "{\"a\":1} x",
                "{\"a\":1,\"a\":2}",
                "[1]"
            })
    void whatIsNotOneStrictValueOfTheTypeIsRefused(String text) {
        assertThrows(JsonSyntaxException.class, () -> StrictJson.read(text, MAP));
    }
}
