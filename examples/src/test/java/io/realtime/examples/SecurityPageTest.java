package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.JwtAuthenticator;
import io.realtime.server.RealtimeServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** docs/security.md: its code builds, and every test that its tables name is there. */
class SecurityPageTest {
    private static final Path ROOT = Path.of("..");
    private static final Pattern NAMED = Pattern.compile("`(\\w+(?:Test|IT|Contract))(?:\\.(\\w+))?`");

    /** Somebody's database. */
    private interface Teams {
        boolean isMember(String user, String room);
    }

    private static RealtimeServer.Builder locked(String secret, Teams teams) {
        RealtimeServer.Builder builder = RealtimeServer.builder();
        // @start
        builder.host("127.0.0.1") // only the proxy on this machine, which does TLS
                .authenticator(JwtAuthenticator.hmac256(secret)
                        .issuer("https://login.example")
                        .audience("chat") // a token for another service is none for this one
                        .leeway(Duration.ofSeconds(5)))
                .allowOrigin("https://app.example") // pages of other hosts than the server's own
                .allowJoin((session, room) -> teams.isMember(session.user().id(), room)) // else nobody joins
                .allowSend((session, event, room) -> session.isIn(room) && !room.startsWith("news:"));
        // @end
        return builder;
    }

    private static String page() throws IOException {
        return Files.readString(ROOT.resolve("docs/security.md"));
    }

    @Test
    void pageShowsCodeThatStartsAServer() throws IOException {
        try (RealtimeServer server = locked("0123456789abcdef0123456789abcdef", (user, room) -> true)
                .port(0)
                .build()
                .start()) {
            assertEquals(0, server.stats().connections());
        }
        String test = Files.readString(Path.of("src/test/java/io/realtime/examples/SecurityPageTest.java"));
        Matcher piece =
                Pattern.compile("// @start\\n(.*?)// @end", Pattern.DOTALL).matcher(test);
        assertTrue(piece.find());
        String code = piece.group(1).replaceAll("\\s+", "").replaceFirst("^builder", "RealtimeServer.builder()");
        assertTrue(page().replaceAll("\\s+", "").contains(code), "the page differs from " + code);
    }

    @Test
    void everyTestThatTheThreatsNameIsThere() throws IOException {
        Map<String, String> sources = new TreeMap<>();
        try (Stream<Path> files = Files.walk(ROOT)) {
            for (Path file :
                    (Iterable<Path>) files.filter(path -> path.toString().endsWith(".java"))::iterator) {
                String name = String.valueOf(file.getFileName());
                sources.put(name.substring(0, name.length() - ".java".length()), Files.readString(file));
            }
        }
        int named = 0;
        for (String row : page().lines().toList()) {
            Matcher names = NAMED.matcher(row);
            while (names.find()) {
                named++;
                String source = sources.get(names.group(1));
                assertTrue(source != null, () -> "there is no " + names.group() + ", which the page names");
                String method = names.group(2);
                assertTrue(
                        method == null || String.valueOf(source).contains("void " + method + "("),
                        () -> "there is no " + names.group() + ", which the page names");
            }
        }
        assertTrue(named > 40, "only " + named + " tests were found on the page");
    }
}
