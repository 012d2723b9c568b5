package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import io.realtime.server.RealtimeServer;
import io.realtime.server.RoomSummary;
import io.realtime.server.ServerStats;
import io.realtime.server.admin.AdminServer;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** docs/operations.md: its code runs here, and its tables, dashboard and alerts name what a running server has. */
@Timeout(60)
class OperationsPageIT {
    private static final Path DOCS = Path.of("..", "docs");

    private final RealtimeServer server =
            RealtimeServer.builder().anonymous().port(0).build().start();

    @AfterEach
    void close() {
        server.close();
    }

    private static String get(URI uri) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString())
                .body();
    }

    @Test
    void statisticsAreOneRecord() {
        // @start stats
        ServerStats stats = server.stats();
        long perMember = stats.traffic().messagesOut() / Math.max(1, stats.online());
        Duration wait = stats.queueWait().p99(); // of the last 30 to 60 s
        boolean isLosing = stats.recovery().gaps() > 0 && stats.evictions().messages() > 0;
        // @end
        assertEquals(0, perMember);
        assertEquals(Duration.ZERO, wait);
        assertFalse(isLosing);
    }

    @Test
    void adminServerAnswers() throws Exception {
        // @start admin
        AdminServer admin = AdminServer.builder(server).port(0).start(); // 127.0.0.1; port 0: the system chooses
        URI health = admin.uri().resolve("/health");
        // @end
        try (admin) {
            assertEquals("{\"status\":\"UP\",\"reasons\":[]}", get(health));
        }
    }

    @Test
    void theSameIsThereAsMethods() {
        server.connections().room("chat:1").send(Chat.SAID, new Chat.Said("ann", "hello"));
        // @start methods
        server.admin().broadcast("news.flash", "{\"text\":\"maintenance at noon\"}");
        List<RoomSummary> rooms =
                server.connections().rooms("chat:", null, 100).join().rooms();
        // @end
        assertEquals(List.of("chat:1"), rooms.stream().map(RoomSummary::name).toList());
    }

    @Test
    void serverIsDrained() throws Exception {
        // @start drain
        server.drain(Duration.ofSeconds(60)).get(70, TimeUnit.SECONDS);
        server.close();
        // @end
        assertEquals("closed", server.health().reasons().get(0).code());
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "docs/operations.md",
                OperationsPageIT.class,
                List.of("stats", "admin", "methods", "drain"),
                code -> code);
    }

    @Test
    void pageNamesEveryPartOfTheStatistics() throws IOException {
        String page = Files.readString(DOCS.resolve("operations.md"));
        for (RecordComponent part : ServerStats.class.getRecordComponents()) {
            assertTrue(page.contains("`" + part.getName() + "`"), () -> part.getName() + " is missing");
        }
    }

    @Test
    void pageNamesEveryRoute() throws Exception {
        String page = Files.readString(DOCS.resolve("operations.md"));
        try (AdminServer admin = AdminServer.builder(server).start()) {
            JsonElement api = JsonParser.parseString(get(admin.uri().resolve("/openapi.json")));
            api.getAsJsonObject()
                    .getAsJsonObject("paths")
                    .entrySet()
                    .forEach(path -> path.getValue().getAsJsonObject().keySet().forEach(method -> {
                        String route = method.toUpperCase(Locale.ROOT) + " " + path.getKey();
                        assertTrue(page.contains("`" + route + "`"), () -> route + " is missing");
                    }));
        }
    }

    @Test
    void dashboardAndAlertsNameMetricsThatThereAre() throws Exception {
        String metrics;
        try (AdminServer admin = AdminServer.builder(server).start()) {
            metrics = get(admin.uri().resolve("/metrics"));
        }
        Set<String> names = all("# TYPE (\\S+) ", metrics);
        names.addAll(all("(?m)^(\\w+_seconds_(?:sum|count)) ", metrics));
        for (String file : List.of("grafana.json", "alerts.yml")) {
            String text = Files.readString(DOCS.resolve("operations").resolve(file));
            Set<String> used = all("(realtime_\\w+)", text);
            assertTrue(used.size() > 4, file);
            used.removeAll(names);
            assertEquals(Set.of(), used, file);
            String labels = "(?:status|state|quantile|cause|code)";
            for (String sample : all("(realtime_\\w+\\\\?\\{[^}]*" + labels + "=\\\\?\"[\\w.]+)", text)) {
                String name = sample.replaceFirst("\\W.*", "");
                String label = sample.replaceFirst(".*[{,]", "").replace("\\", "");
                assertTrue(metrics.contains(name + "{" + label + "\""), () -> file + ": no " + name + " with " + label);
            }
        }
        assertNotNull(JsonParser.parseString(Files.readString(DOCS.resolve("operations/grafana.json")))
                .getAsJsonObject()
                .get("panels"));
    }

    @Test
    void pageExplainsEveryAlert() throws IOException {
        String page = Files.readString(DOCS.resolve("operations.md"));
        Set<String> alerts = all("alert: (\\w+)", Files.readString(DOCS.resolve("operations/alerts.yml")));
        assertEquals(6, alerts.size());
        alerts.forEach(alert -> assertTrue(page.contains("`" + alert + "`"), alert));
    }

    private static Set<String> all(String pattern, String text) {
        return Pattern.compile(pattern)
                .matcher(text)
                .results()
                .map(found -> found.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }
}
