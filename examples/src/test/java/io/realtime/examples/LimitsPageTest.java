package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.SessionOverflow;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** docs/limits.md: its code runs here, and its tables name every limit with its default. */
class LimitsPageTest {
    @Test
    void limitsAreSetTogether() {
        RealtimeServer.Builder builder = RealtimeServer.builder();
        builder
                // @start limits
                .limits(Limits.builder()
                .rate(RateLimit.perMinute(100)) // of each session, and of all sessions of a user together
                .sessionsPerUser(3, SessionOverflow.CLOSE_OLDEST)
                .connectionsPerAddress(100) // where clients connect directly; a proxy is one address
                .idleTimeout(Duration.ofMinutes(5))
                .build())
        // @end
        ;
        try (RealtimeServer server = builder.anonymous().port(0).build().start()) {
            assertTrue(server.port() > 0);
        }
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn("docs/limits.md", LimitsPageTest.class, List.of("limits"), code -> code);
    }

    @Test
    void pageNamesEveryLimit() throws IOException {
        String page = Files.readString(Path.of("..", "docs", "limits.md"));
        for (Method accessor : Limits.class.getDeclaredMethods()) {
            boolean isValue = Modifier.isPublic(accessor.getModifiers()) && !Modifier.isStatic(accessor.getModifiers());
            if (isValue && !List.of("toString", "sessionOverflow").contains(accessor.getName())) {
                assertTrue(page.contains("`" + accessor.getName() + "`"), () -> accessor.getName() + " is missing");
            }
        }
    }

    @Test
    void pageSaysTheDefaults() throws Exception {
        String page = Files.readString(Path.of("..", "docs", "limits.md"));
        Matcher rows = Pattern.compile("(?m)^\\| `(\\w+)` \\| ([^|]+?) \\|").matcher(page);
        int count = 0;
        while (rows.find()) {
            Object value = Limits.class.getMethod(rows.group(1)).invoke(Limits.defaults());
            assertEquals(words(value), rows.group(2).replaceAll("half of `connections`", words(10_000)), rows.group(1));
            count++;
        }
        assertFalse(count < 10, "the tables were not read");
    }

    private static String words(Object value) {
        if (value instanceof Duration time) {
            return time.isZero() ? "off" : time.toSeconds() + " s";
        }
        if (value instanceof RateLimit rate) {
            return rate.messages() + " a minute";
        }
        int number = (Integer) value;
        return number == Integer.MAX_VALUE
                ? "unlimited"
                : number % 1024 == 0 && number > 1024 ? number / 1024 + " KiB" : String.format("%,d", number);
    }
}
