package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OptionsTest {
    private static final Options.Spec SPEC = Options.spec()
            .argument("URL", "where")
            .option("--port", "N", "which port")
            .option("--token", "T", "who")
            .flag("--loud", "how");

    @Test
    void readsNamesWithValuesAndArgumentsInAnyOrder() {
        Options options = parse("--port", "80", "ws://host", "--token=a=b");

        assertEquals(80, options.port("--port", 1));
        assertEquals("ws://host", options.require("URL"));
        assertEquals("a=b", options.require("--token"));
    }

    @Test
    void missingOptionIsItsDefaultOrNull() {
        Options options = parse();

        assertEquals(8080, options.port("--port", 8080));
        assertNull(options.find("--token"));
    }

    @Test
    void flagIsGivenOrNot() {
        Options options = parse("--loud", "ws://host");

        assertTrue(options.has("--loud"));
        assertEquals("ws://host", options.require("URL"));
        assertFalse(parse("--port", "80").has("--loud"));
    }

    @Test
    void valueThatLooksLikeAnOptionIsGivenWithAnEqualsSign() {
        assertEquals("--x", parse("--token=--x").find("--token"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "--prot 80        | unknown option --prot; options are --port N, --token T, --loud",
                "-p 80            | unknown option -p; options are --port N, --token T, --loud",
                "--port           | --port needs a value: --port N",
                "--port=          | --port needs a value: --port N",
                "--port --token x | --port needs a value: --port N",
                "--token a --token b | --token is given twice",
                "--loud --loud    | --loud is given twice",
                "--loud=no        | --loud takes no value",
                "ws://a ws://b    | 'ws://b' is one too many; options are --port N, --token T, --loud",
            })
    void invalidOptionIsNamedWithTheValidOnes(String line, String told) {
        assertEquals(
                told,
                assertThrows(UsageException.class, () -> parse(line.split(" "))).getMessage());
    }

    @ParameterizedTest
    @CsvSource({"-1", "65536", "http", "80.5", "99999999999"})
    void portOutOf0To65535IsRefused(String port) {
        Options options = parse("--port", port);

        UsageException refused = assertThrows(UsageException.class, () -> options.port("--port", 0));

        assertEquals("--port must be a number from 0 to 65535, not '" + port + "'", refused.getMessage());
    }

    @Test
    void choiceIsOneOfItsWords() {
        List<String> words = List.of("a", "b");

        assertEquals("b", parse("--token", "b").choice("--token", words));
        assertNull(parse().choice("--token", words));
        UsageException refused =
                assertThrows(UsageException.class, () -> parse("--token", "c").choice("--token", words));
        assertEquals("--token must be a or b, not 'c'", refused.getMessage());
    }

    @Test
    void whatIsRequiredIsNamedWhenMissing() {
        assertEquals(
                "--token is missing",
                assertThrows(UsageException.class, () -> parse().require("--token"))
                        .getMessage());
        assertEquals(
                "URL is missing",
                assertThrows(UsageException.class, () -> parse().require("URL")).getMessage());
    }

    @Test
    void helpListsEveryOption() {
        assertEquals("URL [--port N] [--token T] [--loud]", SPEC.usage());
        assertEquals(4, SPEC.help().size());
        assertTrue(SPEC.help().get(1).contains("which port"));
    }

    private static Options parse(String... words) {
        return SPEC.parse(List.of(words));
    }
}
