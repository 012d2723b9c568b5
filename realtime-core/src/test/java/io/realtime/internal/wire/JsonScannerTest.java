package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What RFC 8259 calls JSON, and nothing else. */
class JsonScannerTest {
    private static final int NESTING = 4;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0",
                "-0",
                "-1.5e+10",
                "1E5",
                "12e-3",
                "true",
                "false",
                "null",
                "\"\"",
                "[]",
                "{}",
                " [ 1 , 2 ] ",
                "{ \"a\" : [ { } ] }",
                "\"\\u00e9\\uD83D\\uDE00\\n\\\"\\\\\\/\"",
                "[[[[1]]]]",
                "\t\r\n1",
                "\"\u007F\uD800\""
            })
    void isJson(String text) {
        assertTrue(isJsonToUs(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "01",
                "+1",
                "1.",
                ".5",
                "1e",
                "1e+",
                "-",
                "0x1",
                "NaN",
                "Infinity",
                "True",
                "nul",
                "nulll",
                "truex",
                "'a'",
                "\"a",
                "\"\t\"",
                "\"\\x\"",
                "\"\\'\"",
                "\"\\u12g4\"",
                "\"\\u12\"",
                "\"\\",
                "[1,]",
                "[,1]",
                "[1 2]",
                "[",
                "]",
                "{\"a\"}",
                "{\"a\":}",
                "{\"a\":1,}",
                "{a:1}",
                "{1:1}",
                "{\"a\"=1}",
                "{\"a\":1;}",
                "[1}",
                "1 2",
                "[] []",
                "/* */1",
                "# 1",
                "1//",
                "\uFEFF1",
                "\u00A01",
                "[[[[[1]]]]]",
                "{\"a\":[[[[]]]]}",
                "\"\\u\uFF11\uFF11\uFF11\uFF11\""
            })
    void invalidJsonIsRefused(String text) {
        assertFalse(isJsonToUs(text));
    }

    @Test
    void numbersAreAsLongAsGsonReadsThem() {
        assertTrue(isJsonToUs("1".repeat(1023)));
        assertFalse(isJsonToUs("1".repeat(1024)));
    }

    @Test
    void stringsAreReadWithTheirEscapes() {
        assertEquals(
                "a\n\t\b\f\r\"\\/\u00e9\uD83D\uDE00",
                scan("\"a\\n\\t\\b\\f\\r\\\"\\\\\\/\\u00e9\\uD83D\\uDE00\"").string());
        for (String half : List.of("\"\\uD83D\"", "\"\\uDE00\"", "\"\\uDE00\\uD83D\"", "\"\uD83D\"")) {
            assertThrows(JsonScanner.NotJsonException.class, () -> scan(half).string(), half);
        }
    }

    @Test
    void knownNameIsFoundByItsNumberAndAnyOtherIsRead() {
        String[] known = {"type", "ty"};
        for (String name : List.of("type", "ty", "t", "types", "\\u0074ype", "")) {
            JsonScanner scanner = scan(" \"" + name + "\" : 1");
            int number = scanner.name(known);
            assertEquals(List.of(known).indexOf(name), number);
            if (number < 0) {
                assertEquals(name.replace("\\u0074", "t"), scanner.name());
            }
            assertEquals(1, scanner.integer());
            assertTrue(scanner.isAtEnd());
        }
    }

    @Test
    void nonBooleanIsNotConsumed() {
        for (String text : List.of("\"1\"", "null", "-x")) {
            JsonScanner scanner = scan(text);
            assertNull(scanner.bool());
            assertEquals(text.charAt(0), scanner.peek());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-1",
                "-0",
                "1.0",
                "1e1",
                "9007199254740992",
                "10000000000000000",
                "99999999999999999999999",
                "\"1\"",
                "null",
                "true",
                "[1]",
                "{\"a\":1}"
            })
    void nonIntegerIsSkipped(String text) {
        JsonScanner scanner = scan(text + " ");
        assertEquals(-1, scanner.integer());
        assertTrue(scanner.isAtEnd());
    }

    @Test
    void integersAreThoseThatADoubleHolds() {
        for (long integer : new long[] {0, 7, 10, 9_007_199_254_740_991L}) {
            JsonScanner scanner = scan(" " + integer + ",");
            assertEquals(integer, scanner.integer());
            assertEquals(',', scanner.peek());
        }
        assertThrows(JsonScanner.NotJsonException.class, () -> scan("-x").integer());
        assertThrows(JsonScanner.NotJsonException.class, () -> scan("").integer());
    }

    /** Texts that are almost JSON, and what Gson's strict reader says of them, which lets two faults pass. */
    @Test
    void agreesWithGson() {
        String[] pieces = {
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"", "\\", "\\n", "\\u0041", "\\uD800", "1", "0", "-", ".",
            "e", "E5", "+", "true", "false", "null", "t", " ", "\n", "\f", "\u00e9", "\uFEFF", "/", "#", "'", ";", "=",
            "\u0001"
        };
        int agreed = 0;
        for (int seed = 0; seed < 200_000; seed++) {
            Random random = new Random(seed);
            StringBuilder text = new StringBuilder();
            generate(text, random, 3);
            for (int faults = random.nextInt(3); faults > 0 && text.length() > 0; faults--) {
                int at = random.nextInt(text.length());
                String piece = pieces[random.nextInt(pieces.length)];
                if (random.nextBoolean()) {
                    text.insert(at, piece);
                } else {
                    text.replace(at, Math.min(text.length(), at + 1), random.nextBoolean() ? piece : "");
                }
            }
            boolean theirs = isJsonToGson(text.toString()) && !holdsWhatGsonMisses(text.toString());
            assertEquals(theirs, isJsonToUs(text.toString()), "seed " + seed + ": " + text);
            agreed += theirs ? 1 : 0;
        }
        assertTrue(agreed > 20_000 && agreed < 180_000, agreed + " were JSON");
    }

    private static void generate(StringBuilder out, Random random, int depth) {
        switch (random.nextInt(depth > 0 ? 9 : 6)) {
            case 0 -> out.append(random.nextInt(100));
            case 1 -> out.append("-1.5e3");
            case 2 -> out.append("\"x\\ny\"");
            case 3 -> out.append("true");
            case 4 -> out.append("null");
            case 5 -> out.append("\"\"");
            case 6 -> elements(out, random, depth, '[', ']');
            default -> elements(out, random, depth, '{', '}');
        }
    }

    private static void elements(StringBuilder out, Random random, int depth, char open, char close) {
        out.append(open);
        int count = random.nextInt(3);
        for (int i = 0; i < count; i++) {
            out.append(i == 0 ? "" : ", ").append(open == '{' ? "\"k" + i + "\": " : "");
            generate(out, random, depth - 1);
        }
        out.append(close);
    }

    private static JsonScanner scan(String text) {
        return new JsonScanner(text, NESTING);
    }

    private static boolean isJsonToUs(String text) {
        try {
            JsonScanner scanner = scan(text);
            scanner.value();
            return scanner.isAtEnd();
        } catch (JsonScanner.NotJsonException refused) {
            return false;
        }
    }

    private static boolean isJsonToGson(String text) {
        JsonReader reader = new JsonReader(new StringReader(text));
        reader.setStrictness(Strictness.STRICT);
        reader.setNestingLimit(NESTING);
        try {
            reader.skipValue();
            return reader.peek() == JsonToken.END_DOCUMENT;
        } catch (IOException | IllegalStateException | NumberFormatException refused) {
            return false;
        }
    }

    /** Control characters in strings that are skipped, and a byte order mark. */
    private static boolean holdsWhatGsonMisses(String text) {
        boolean inString = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"') {
                inString = !inString;
            } else if (inString && c < ' ') {
                return true;
            } else if (inString && c == '\\') {
                i++;
            }
        }
        return text.startsWith("\uFEFF");
    }
}
