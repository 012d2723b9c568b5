package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
    @Test
    void commandWithoutDemoListsThem() throws InterruptedException {
        try (Run run = new Run()) {
            assertEquals(0, run.code());
            assertTrue(
                    run.out()
                            .matches("(?s).*\\n"
                                    + "  playground +\\S.*\\n"
                                    + "  chat +\\S.*\\n"
                                    + "  ai-stream +\\S.*\\n"
                                    + "  voice +\\S.*\\n"
                                    + "  console +\\S.*"),
                    run.out());
            assertEquals("", run.err());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--help",
                "playground --help",
                "chat --help",
                "ai-stream --help",
                "voice --help",
                "console URL -h"
            })
    void helpExitsWithZero(String line) throws InterruptedException {
        try (Run run = new Run(line.split(" "))) {
            assertEquals(0, run.code());
            assertTrue(run.out().startsWith("usage: java -jar realtime-examples.jar "), run.out());
            assertEquals("", run.err());
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "plaground | unknown demo 'plaground'; demos are playground, chat, ai-stream, voice, console",
                "chat --prot 1 | chat: unknown option --prot;"
                        + " options are --port N, --page-port N, --jdbc-url URL, --secret S, --transport NAME",
                "chat --port 7 --page-port 7 | chat: --port and --page-port are both 7",
                "ai-stream --port 7 --page-port 7 | ai-stream: --port and --page-port are both 7",
                "ai-stream --provider magic | ai-stream: --provider must be mock or openai, not 'magic'",
                "ai-stream --provider openai | ai-stream: OPENAI_API_KEY is missing from the environment",
                "ai-stream --word-ms -1 | ai-stream: --word-ms must be a number from 0 to 60000, not '-1'",
                "playground --port x | playground: --port must be a number from 0 to 65535, not 'x'",
                "playground --rate-limit 0 |"
                        + " playground: --rate-limit must be a number from 1 to 1000000, not '0'; or off",
                "playground --transport tcp | playground: --transport must be java-websocket or netty, not 'tcp'",
                "voice --seconds 0 | voice: --seconds must be a number from 1 to 3600, not '0'",
                "voice --seconds 3601 | voice: --seconds must be a number from 1 to 3600, not '3601'",
                "voice --reliable=no | voice: --reliable takes no value",
                "voice --reliable --wav | voice: --wav needs a value: --wav FILE",
                "console | console: URL is missing",
                "console ws://localhost:1/ws | console: --token is missing",
                "console http://localhost:1/ws --token t |"
                        + " console: 'http://localhost:1/ws' does not begin with ws:// or wss://",
                "console ws:// --token t | console: URL is no address of the form ws://host:port/path",
                "console ws://localhost:1/ws --token t --room @all |"
                        + " console: room '@all': names that begin with @ belong to the protocol",
            })
    void wrongCommandPrintsOneLineAndExitsWith2(String line, String told) throws InterruptedException {
        try (Run run = new Run(line.split(" "))) {
            assertEquals(2, run.code());
            assertEquals(told, run.err().strip());
            assertEquals("", run.out());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"playground", "chat"})
    void shortSecretIsRefusedByItsLengthAndNotQuoted(String demo) throws InterruptedException {
        try (Run run = new Run(demo, "--secret", "hunter2")) {
            assertEquals(2, run.code());
            assertEquals(
                    demo + ": --secret has 7 bytes; HS256 needs at least 32",
                    run.err().strip());
            assertFalse((run.out() + run.err()).contains("hunter2"));
        }
    }
}
