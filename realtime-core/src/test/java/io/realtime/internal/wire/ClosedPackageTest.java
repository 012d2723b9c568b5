package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.spi.PayloadCodec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the JDK says is copied here; the guide to the module path has a test with real modules. */
class ClosedPackageTest {
    private static RuntimeException closed(String verb, String reader) {
        return new IllegalStateException(
                "Failed making field accessible",
                new RuntimeException("Unable to make field private final java.lang.String a.b.C.d accessible: module a"
                        + " does not \"" + verb + " a.b\" to " + reader));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "opens|module com.google.gson|the module-info of a lacks 'opens a.b to com.google.gson;'",
                "exports|module com.google.gson|the module-info of a lacks 'opens a.b to com.google.gson;'",
                "exports|module x.y; send a record|the module-info of a lacks 'opens a.b to x.y;'",
                "opens|unnamed module @1b2c3d|the module-info of a lacks 'opens a.b;'",
            })
    void remedyIsTheLineThatIsMissing(String verb, String reader, String remedy) {
        assertEquals(remedy, ClosedPackage.remedy(closed(verb, reader)));
    }

    @Test
    void remedyOfAnotherFailureIsNone() {
        assertNull(ClosedPackage.remedy(new IllegalStateException("x", new RuntimeException("y"))));
    }

    @Test
    void payloadInAClosedPackageIsRefusedWithTheRemedy() {
        RuntimeException cause = closed("opens", "module com.google.gson");
        PayloadCodec codec = type -> {
            throw cause;
        };
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> new Payloads(codec).of(StringBuilder.class));
        assertEquals(
                "class java.lang.StringBuilder cannot travel: the module-info of a lacks 'opens a.b to com.google.gson;'",
                refused.getMessage());
        assertSame(cause, refused.getCause());
    }

    @Test
    void otherFailureOfACodecPassesAsItIs() {
        IllegalArgumentException cause = new IllegalArgumentException("no");
        PayloadCodec codec = type -> {
            throw cause;
        };
        assertSame(cause, assertThrows(RuntimeException.class, () -> new Payloads(codec).of(StringBuilder.class)));
    }
}
