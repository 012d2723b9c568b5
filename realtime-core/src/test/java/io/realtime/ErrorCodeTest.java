package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ErrorCodeTest {
    @Test
    void applicationDefinesItsOwnCodes() {
        assertEquals("shop/sold_out", ErrorCode.of("shop/sold_out").value());
        assertEquals("bad_data", ErrorCode.BAD_DATA.toString());
        assertEquals(ErrorCode.BAD_DATA, ErrorCode.of("bad_data"));
    }

    @Test
    void wordHas64CharactersAtMost() {
        assertEquals("x".repeat(64), ErrorCode.of("x".repeat(64)).value());
        assertThrows(IllegalArgumentException.class, () -> ErrorCode.of("x".repeat(65)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "no handler", "$error", "é", "a\n"})
    void otherWordsAreRefused(String word) {
        var refused = assertThrows(IllegalArgumentException.class, () -> ErrorCode.of(word));
        assertEquals(
                "error code '" + word.replace('\n', '?') + "' is not 1 to 64 of A-Z a-z 0-9 _ . : / -",
                refused.getMessage());
    }
}
