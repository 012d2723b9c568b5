package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Checks that a page shows code that a test runs: what stands in the test between {@code @start name} and {@code @end}. */
final class ShownCode {
    private ShownCode() {}

    /**
     * Checks that all pieces of a test stand in a page of the project, but for white space.
     *
     * @param asShown makes of the test's code, without white space, what a reader sees
     */
    static void assertStandsIn(String page, Class<?> test, List<String> pieces, UnaryOperator<String> asShown)
            throws IOException {
        assertStandsIn(page, Path.of("src/test/java", test.getName().replace('.', '/') + ".java"), pieces, asShown);
    }

    /** The same of the code in a file. */
    static void assertStandsIn(String page, Path code, List<String> pieces, UnaryOperator<String> asShown)
            throws IOException {
        String shown = Files.readString(Path.of("..", page)).replaceAll("\\s+", "");
        Matcher found = Pattern.compile("// @start (\\w+)\\n(.*?)// @end", Pattern.DOTALL)
                .matcher(Files.readString(code));
        List<String> names = new ArrayList<>();
        while (found.find()) {
            names.add(found.group(1));
            String piece = asShown.apply(found.group(2).replaceAll("\\s+", ""));
            assertTrue(shown.contains(piece), page + " differs from the piece '" + found.group(1) + "'");
        }
        assertEquals(pieces, names);
    }
}
