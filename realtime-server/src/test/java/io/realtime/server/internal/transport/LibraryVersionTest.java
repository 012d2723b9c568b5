package io.realtime.server.internal.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.java_websocket.WebSocket;
import org.junit.jupiter.api.Test;

/** What was read in the library holds for the version that was read: ARCHITECTURE.md says what to look at again. */
class LibraryVersionTest {
    private static final Path ROOT = Path.of("..");
    private static final Pattern VERSION = Pattern.compile("Java-WebSocket[\\s*]+(\\d+\\.\\d+\\.\\d+)");
    private static final Pattern TEST = Pattern.compile("`(\\w+)\\.(\\w+)`");

    @Test
    void codeAndPageNameTheVersionThatIsUsed() throws IOException {
        Properties used = new Properties();
        String properties = "/META-INF/maven/org.java-websocket/Java-WebSocket/pom.properties";
        try (InputStream in = WebSocket.class.getResourceAsStream(properties)) {
            assertNotNull(in);
            used.load(in);
        }
        assertTrue(VERSION.matcher(section()).find(), "the page names no version");
        for (Path file : files("src/main/java")) {
            for (MatchResult named : all(VERSION, Files.readString(file))) {
                assertEquals(used.getProperty("version"), named.group(1), file::toString);
            }
        }
        for (MatchResult named : all(VERSION, section())) {
            assertEquals(used.getProperty("version"), named.group(1), "ARCHITECTURE.md");
        }
    }

    @Test
    void testsThatThePageNamesAreThere() throws IOException {
        List<MatchResult> named = section()
                .lines()
                .filter(line -> line.startsWith("| `"))
                .flatMap(row -> all(TEST, row.split("\\|", -1)[4]).stream())
                .toList();
        assertFalse(named.size() < 30, "the tables were not read");
        List<Path> files = files("java/io/realtime");
        for (MatchResult test : named) {
            assertTrue(
                    files.stream()
                            .filter(file -> file.endsWith(test.group(1) + ".java"))
                            .anyMatch(file -> read(file).contains("void " + test.group(2) + "(")),
                    test::group);
        }
    }

    private static String section() throws IOException {
        String page = Files.readString(ROOT.resolve("ARCHITECTURE.md"));
        int begin = page.indexOf("\n## Upgrading Java-WebSocket\n");
        return page.substring(begin, page.indexOf("\n## ", begin + 1));
    }

    private static List<Path> files(String under) throws IOException {
        try (Stream<Path> all = Files.walk(ROOT)) {
            return all.filter(file -> file.toString().endsWith(".java"))
                    .filter(file -> file.toString().replace('\\', '/').contains(under))
                    .toList();
        }
    }

    private static List<MatchResult> all(Pattern pattern, String text) {
        return pattern.matcher(text).results().toList();
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
