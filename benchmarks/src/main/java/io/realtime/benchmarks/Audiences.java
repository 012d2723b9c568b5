package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.Room;
import io.realtime.server.Session;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The cost of choosing who receives a message: sends to a large room, to all but one of its members, to one, and to those
 * that pass a filter. The connections are null, so that the figures are the server's own.
 */
final class Audiences {
    private static final Event<String> SAID = Event.of("chat.said", String.class);
    private static final String TEXT = "m".repeat(120);
    private static final int MEMBERS = 50_000;
    private static final int ROUNDS = 5;

    private Audiences() {}

    /**
     * The result of one kind of send.
     *
     * @param perSecond how many messages were sent per second, the median of the rounds
     * @param heap the live heap after the last round, in bytes
     */
    record Result(double perSecond, long heap) {}

    static void print(PrintStream out) {
        out.println(
                String.format(Locale.ROOT, "### Audiences in a room of %,d, medians of %d rounds\n", MEMBERS, ROUNDS));
        out.println("| sent to | messages a second | × everyone | live heap afterwards, MiB |");
        out.println("| --- | --- | --- | --- |");
        Map<String, Result> results = measure(MEMBERS, ROUNDS, Duration.ofSeconds(1));
        double everyone = results.values().iterator().next().perSecond;
        results.forEach((audience, result) -> out.println(String.format(
                Locale.ROOT,
                "| %s | %,.0f | %.2f | %d |",
                audience,
                result.perSecond,
                result.perSecond / everyone,
                result.heap >> 20)));
        out.println();
    }

    /** Measures in alternating rounds, after one round to warm up. */
    static Map<String, Result> measure(int members, int rounds, Duration time) {
        Limits limits =
                Limits.builder().rate(RateLimit.none()).connections(2 * members).build();
        try (NullServer server = new NullServer(
                builder -> builder.allowJoin((session, room) -> true).limits(limits))) {
            for (int i = 0; i < members; i++) {
                server.join(server.open("user-" + i), "room:1");
            }
            Room all = server.server().connections().room("room:1");
            Session one = all.localMembers().get(members / 2);
            Map<String, Room> audiences = new LinkedHashMap<>();
            audiences.put("everyone", all);
            audiences.put("all but one: `except`", all.except(one.id()));
            audiences.put("one: `only`", all.only(one.id()));
            one.tag("role", "editor");
            audiences.put("one: `having`", all.having("role", "editor"));
            audiences.put("`filter` that all but one pass", all.filter(session -> session != one));
            Map<String, List<Double>> rates = new LinkedHashMap<>();
            Map<String, Result> results = new LinkedHashMap<>();
            for (int round = -1; round < rounds; round++) {
                for (Map.Entry<String, Room> each : audiences.entrySet()) {
                    double rate = rate(server, each.getValue(), time);
                    if (round >= 0) {
                        List<Double> known = rates.computeIfAbsent(each.getKey(), audience -> new ArrayList<>());
                        known.add(rate);
                        results.put(each.getKey(), new Result(Main.quantile(known, 0.5), liveHeap()));
                    }
                }
            }
            return results;
        }
    }

    private static double rate(NullServer server, Room room, Duration time) {
        long begin = System.nanoTime();
        long sent = 0;
        while (System.nanoTime() - begin < time.toNanos()) {
            room.send(SAID, TEXT);
            server.work();
            sent++;
        }
        return sent * 1e9 / (System.nanoTime() - begin);
    }

    private static long liveHeap() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
