package io.realtime.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class LibrariesTest {
    @Test
    void fittingLibraryIsUsed() {
        assertEquals("made", Libraries.use("chat", "a:b 2", () -> "made"));
    }

    @Test
    void errorOfALibraryThatDoesNotFitBecomesASentence() {
        LinkageError error = new NoSuchMethodError("a.B.c()");
        IllegalStateException refused = assertThrows(
                IllegalStateException.class,
                () -> Libraries.use("chat", "a:b 2", () -> {
                    throw error;
                }));
        assertEquals(
                "chat needs a:b 2, which is missing or of another version: java.lang.NoSuchMethodError: a.B.c()",
                refused.getMessage());
        assertSame(error, refused.getCause());
    }
}
