package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.Room;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * The cost of one delivery as a server grows: in members of the room, in rooms, in sessions. The connections are null,
 * so that the figures are the server's own. The rooms to publish to are drawn at random, so that the processor's caches
 * hold no more than they would in production.
 */
final class Growth {
    private static final Event<String> SAID = Event.of("chat.said", String.class);
    private static final String TEXT = "m".repeat(120);
    private static final int ROUNDS = 9;

    /** The size of a server: its sessions, its rooms and the members of each room. */
    record Size(String what, int number, int sessions, int rooms, int members) {}

    static final List<Size> SIZES = List.of(
            new Size("members", 10, 10, 1, 10),
            new Size("members", 100, 100, 1, 100),
            new Size("members", 1_000, 1_000, 1, 1_000),
            new Size("members", 10_000, 10_000, 1, 10_000),
            new Size("rooms", 10, 1_000, 10, 2),
            new Size("rooms", 100, 1_000, 100, 2),
            new Size("rooms", 1_000, 1_000, 1_000, 2),
            new Size("rooms", 10_000, 1_000, 10_000, 2),
            new Size("rooms", 100_000, 1_000, 100_000, 2),
            new Size("sessions", 100, 100, 1, 100),
            new Size("sessions", 1_000, 1_000, 1, 100),
            new Size("sessions", 10_000, 10_000, 1, 100),
            new Size("sessions", 20_000, 20_000, 1, 100));

    private Growth() {}

    /** A server of one size. */
    private static final class Crowd implements AutoCloseable {
        private final Size size;
        private final NullServer server;
        private final List<Room> rooms = new ArrayList<>();
        private final Random random = new Random(1);

        Crowd(Size size) {
            this.size = size;
            Limits limits = Limits.builder()
                    .rate(RateLimit.none())
                    .roomsPerSession(1_000_000)
                    .build();
            server = new NullServer(
                    builder -> builder.allowJoin((session, room) -> true).limits(limits));
            List<NullConnection> connections = new ArrayList<>();
            for (int i = 0; i < size.sessions; i++) {
                connections.add(server.open("user-" + i));
            }
            for (int i = 0; i < size.rooms; i++) {
                for (int member = 0; member < size.members; member++) {
                    server.join(connections.get((i * size.members + member) % size.sessions), "room:" + i);
                }
                rooms.add(server.server().connections().room("room:" + i));
            }
        }

        /** Publishes for a time, and returns how many nanoseconds a delivery took. */
        double publish(Duration time) {
            long begin = System.nanoTime();
            long deliveries = 0;
            do {
                for (int delivered = 0; delivered < 1_000; delivered += size.members) {
                    rooms.get(random.nextInt(rooms.size())).send(SAID, TEXT);
                    deliveries += size.members;
                }
            } while (System.nanoTime() - begin < time.toNanos());
            return (double) (System.nanoTime() - begin) / deliveries;
        }

        @Override
        public void close() {
            server.close();
        }
    }

    static void print(PrintStream out) {
        out.println("### Growth: the cost of a delivery without a socket, medians of " + ROUNDS + " rounds\n");
        out.println("| number of | | members of a room | ns a delivery | × ten times fewer |");
        out.println("| --- | --- | --- | --- | --- |");
        Map<Size, Double> medians = measure(SIZES, ROUNDS, Duration.ofMillis(400));
        for (Size size : SIZES) {
            double nanos = medians.getOrDefault(size, Double.NaN);
            double smaller = SIZES.stream()
                    .filter(each -> each.what.equals(size.what) && each.number * 10 == size.number)
                    .mapToDouble(each -> medians.getOrDefault(each, Double.NaN))
                    .findAny()
                    .orElse(Double.NaN);
            out.println(String.format(
                    Locale.ROOT,
                    "| %s | %,d | %,d | %,.0f | %s |",
                    size.what,
                    size.number,
                    size.members,
                    nanos,
                    Double.isNaN(smaller) ? "–" : String.format(Locale.ROOT, "%.2f", nanos / smaller)));
        }
        out.println();
    }

    /** Measures a group of sizes together, in alternating rounds, after one round to warm up. */
    static Map<Size, Double> measure(List<Size> sizes, int rounds, Duration time) {
        Map<Size, Double> medians = new LinkedHashMap<>();
        for (String what : sizes.stream().map(Size::what).distinct().toList()) {
            List<Crowd> crowds = sizes.stream()
                    .filter(size -> size.what.equals(what))
                    .map(Crowd::new)
                    .toList();
            Map<Size, List<Double>> nanos = new LinkedHashMap<>();
            for (int round = -1; round < rounds; round++) {
                for (Crowd crowd : crowds) {
                    double each = crowd.publish(time);
                    if (round >= 0) {
                        nanos.computeIfAbsent(crowd.size, size -> new ArrayList<>())
                                .add(each);
                    }
                }
            }
            nanos.forEach((size, all) -> medians.put(size, Main.quantile(all, 0.5)));
            crowds.forEach(Crowd::close);
        }
        return medians;
    }
}
