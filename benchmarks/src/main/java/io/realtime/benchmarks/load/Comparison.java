package io.realtime.benchmarks.load;

import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * A comparison that puts the same load on one server after the other, round by round, and prints a table of medians and
 * ratios. All servers run from the beginning to the end, and one at a time has clients. A ratio is the median of the
 * rounds' ratios. Each compares two runs that follow each other, so what slows the machine for a while slows both. The
 * first round warms up and does not count.
 */
public final class Comparison {
    /** The scenarios that exist. */
    public static final List<String> SCENARIOS = List.of("fanout", "latency", "echo", "connect", "slow", "return");

    private static final Pattern ECHO = Pattern.compile("echo-(\\d+)x(\\d+)");
    private static final Pattern FAN_OUT = Pattern.compile("fanout-(\\d+)x(\\d+)");
    private static final int MEMBERS = 1_000;
    private static final int SHORT = 120;
    private static final int LONG = 1024;
    private static final double MIB = 1 << 20;
    private static final int IDLE = 10_000;
    private static final int MISSED = 100;
    private static final int WARMUP = 2_000;
    // How many times longer than a round a warm-up takes: a JVM compiles while it runs.
    private static final int WARMER = 5;

    private final PrintStream out;
    private final int rounds;
    private final Duration time;
    private final List<Candidate> candidates = new ArrayList<>();

    /**
     * Creates a comparison.
     *
     * @param only the names of the candidates; all if empty
     * @param before a jar of an earlier build of these benchmarks to compare with; or empty
     */
    public Comparison(PrintStream out, int rounds, Duration time, List<String> only, String before) {
        // Created now, not while something is measured.
        IntStream.range(0, IDLE + WARMUP).forEach(Tokens::of);
        this.out = out;
        this.rounds = rounds;
        this.time = time;
        for (Candidate each : Candidate.all(before)) {
            if (!only.isEmpty() && !only.contains(each.name().replace(Candidate.BEFORE, ""))) {
                continue;
            }
            if (each.missing() == null) {
                candidates.add(each);
            } else {
                out.println("Left out: " + each.name() + ", " + each.missing() + ".\n");
            }
        }
    }

    /** One kind of figure, by candidate and round. */
    private static final class Figures {
        private final String name;
        private final String format;
        private final Map<String, List<Double>> values = new LinkedHashMap<>();

        Figures(String name, String format) {
            this.name = name;
            this.format = format;
        }

        void add(Candidate candidate, double value) {
            values.computeIfAbsent(candidate.name(), each -> new ArrayList<>()).add(value);
        }

        String median(String candidate) {
            List<Double> all = values.get(candidate);
            return all == null ? "–" : String.format(Locale.ROOT, format, middle(all));
        }

        String ratio(String candidate) {
            List<Double> all = values.get(candidate);
            List<Double> base = values.get(Candidate.BASE);
            if (all == null || base == null) {
                return "–";
            }
            List<Double> ratios = new ArrayList<>();
            for (int i = 0; i < Math.min(all.size(), base.size()); i++) {
                ratios.add(all.get(i) / base.get(i));
            }
            return String.format(Locale.ROOT, "%.2f", middle(ratios));
        }

        private static double middle(List<Double> values) {
            List<Double> sorted = new ArrayList<>(values);
            Collections.sort(sorted);
            int half = sorted.size() / 2;
            return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
        }
    }

    /** Runs a scenario and prints its table. */
    public void run(String scenario) throws IOException {
        switch (scenario) {
            case "fanout" -> {
                fanOut(SHORT, 16);
                fanOut(SHORT, 1);
                fanOut(LONG, 16);
            }
            case "latency" -> {
                paced(20_000);
                paced(50_000);
            }
            case "echo" -> {
                for (String each :
                        List.of("echo-1x1", "echo-1x32", "echo-64x1", "echo-64x32", "echo-512x1", "echo-512x32")) {
                    run(each);
                }
            }
            case "connect" -> connect();
            case "slow" -> slow();
            case "return" -> comeBack();
            default -> {
                Matcher echo = ECHO.matcher(scenario);
                Matcher fanOut = FAN_OUT.matcher(scenario);
                if (fanOut.matches()) {
                    fanOut(Integer.parseInt(fanOut.group(1)), Integer.parseInt(fanOut.group(2)));
                    return;
                }
                if (!echo.matches()) {
                    throw new IllegalArgumentException("'" + scenario + "' is none of " + SCENARIOS);
                }
                echo(Integer.parseInt(echo.group(1)), Integer.parseInt(echo.group(2)));
            }
        }
    }

    /**
     * Returns whether a scenario exists: one of {@link #SCENARIOS}; {@code echo-CxF}: C connections, F in flight each;
     * or {@code fanout-BxO}: messages of B bytes, O of them outstanding.
     */
    public static boolean has(String scenario) {
        return SCENARIOS.contains(scenario)
                || ECHO.matcher(scenario).matches()
                || FAN_OUT.matcher(scenario).matches();
    }

    // ---------------------------------------------------------------- scenarios

    private void fanOut(int bytes, int outstanding) throws IOException {
        title("Fan-out of %,d bytes, 1 publisher to %,d subscribers, %d outstanding", bytes, MEMBERS, outstanding);
        Figures rate = new Figures("deliveries a second", "%,.0f");
        Figures cpu = new Figures("CPU s per million", "%.2f");
        Figures p99 = new Figures("p99 ms", "%.1f");
        rounds(candidates, (candidate, server, counts) -> {
            try (Load load = load(candidate, server)) {
                load.open(1 + MEMBERS);
                load.joinAllButFirst();
                Load.Outcome outcome = load.fanOut(bytes, outstanding, counts ? time : time.multipliedBy(WARMER));
                if (counts) {
                    rate.add(candidate, outcome.perSecond());
                    cpu.add(candidate, outcome.cpuPerMillion());
                    p99.add(candidate, outcome.micros(99) / 1e3);
                }
            }
        });
        table(candidates, rate, cpu, p99);
    }

    private void paced(int perSecond) throws IOException {
        title("Fan-out at %,d deliveries a second to %,d subscribers", perSecond, MEMBERS);
        Figures p50 = new Figures("p50 ms", "%.1f");
        Figures p99 = new Figures("p99 ms", "%.1f");
        Figures cpu = new Figures("CPU s per million", "%.2f");
        rounds(candidates, (candidate, server, counts) -> {
            try (Load load = load(candidate, server)) {
                load.open(1 + MEMBERS);
                load.joinAllButFirst();
                warmUp(load, counts);
                Load.Outcome outcome = load.fanOutPaced(SHORT, (double) perSecond / MEMBERS, time.multipliedBy(2));
                if (counts) {
                    p50.add(candidate, outcome.micros(50) / 1e3);
                    p99.add(candidate, outcome.micros(99) / 1e3);
                    cpu.add(candidate, outcome.cpuPerMillion());
                }
            }
        });
        table(candidates, p50, p99, cpu);
    }

    /**
     * Warms up with a saturated load, in a round that does not count. A steady pace has so few messages that the code
     * would not be compiled in the first rounds.
     */
    private void warmUp(Load load, boolean counts) throws IOException {
        if (!counts) {
            load.fanOut(SHORT, 1, time);
            load.fanOut(SHORT, 16, time);
        }
    }

    private void echo(int asking, int inFlight) throws IOException {
        title("Echo, %,d connections, %d in flight each", asking, inFlight);
        List<Candidate> all = new ArrayList<>(candidates);
        for (Candidate each : candidates) {
            if (each.name().startsWith("Realtime") && !each.name().endsWith("without log")) {
                all.add(new Candidate(each.name() + " request", Dialect.REALTIME_REQUEST, each.command(), null));
                all.add(new Candidate(each.name() + " plain", Dialect.REALTIME_PLAIN, each.command(), null));
            }
        }
        Figures rate = new Figures("a second", "%,.0f");
        Figures cpu = new Figures("CPU s per million", "%.2f");
        Figures p50 = new Figures("p50 µs", "%,.0f");
        Figures p99 = new Figures("p99 µs", "%,.0f");
        rounds(all, (candidate, server, counts) -> {
            try (Load load = load(candidate, server)) {
                load.open(asking);
                Load.Outcome outcome = load.echo(SHORT, asking, inFlight, counts ? time : time.multipliedBy(WARMER));
                if (counts) {
                    rate.add(candidate, outcome.perSecond());
                    cpu.add(candidate, outcome.cpuPerMillion());
                    p50.add(candidate, outcome.micros(50));
                    p99.add(candidate, outcome.micros(99));
                }
            }
        });
        table(all, rate, cpu, p50, p99);
    }

    /**
     * Measures idle connections. Each round has new servers, so that what a server keeps is measured from the
     * beginning.
     */
    private void connect() throws IOException {
        title("%,d connections that are idle", IDLE);
        Figures rate = new Figures("opened a second", "%,.0f");
        Figures heap = new Figures("live heap each, bytes", "%,.0f");
        Figures resident = new Figures("resident each, bytes", "%,.0f");
        Figures alone = new Figures("echo p50 µs alone", "%,.0f");
        Figures beside = new Figures("echo p50 µs beside them", "%,.0f");
        for (int round = 0; round < rounds; round++) {
            for (Candidate candidate : candidates) {
                try (ServerProcess server = candidate.start()) {
                    try (Load load = load(candidate, server)) {
                        // The warm-up leaves the same sessions behind on every server.
                        load.open(WARMUP);
                        load.echo(SHORT, 1, 1, time);
                        alone.add(candidate, load.echo(SHORT, 1, 1, time).micros(50));
                        long heapBefore = server.isJvm() ? server.liveHeap() : 0;
                        long residentBefore = server.resident();
                        rate.add(candidate, load.open(IDLE));
                        beside.add(candidate, load.echo(SHORT, 1, 1, time).micros(50));
                        if (server.isJvm()) {
                            heap.add(candidate, (double) (server.liveHeap() - heapBefore) / IDLE);
                        }
                        resident.add(candidate, (double) (server.resident() - residentBefore) / IDLE);
                    }
                } catch (IOException failure) {
                    out.println("Failed: " + candidate.name() + ", " + failure.getMessage() + "\n");
                }
            }
        }
        table(candidates, rate, heap, resident, alone, beside);
    }

    /**
     * Measures a slow reader under a saturated load, so that what it does not read soon fills its socket and then the
     * server's queue.
     */
    private void slow() throws IOException {
        title("Fan-out of %,d bytes, 16 outstanding, and one of %,d subscribers does not read", LONG, MEMBERS);
        Figures without = new Figures("p99 ms, all read", "%.1f");
        Figures with = new Figures("p99 ms of the others", "%.1f");
        Figures change = new Figures("ratio of both", "%.2f");
        Figures missed = new Figures("MiB it did not read", "%.1f");
        Figures grown = new Figures("resident grown, MiB", "%.1f");
        rounds(candidates, (candidate, server, counts) -> {
            try (Load load = load(candidate, server)) {
                load.open(1 + MEMBERS);
                load.joinAllButFirst();
                warmUp(load, counts);
                double before = load.fanOut(LONG, 16, time).micros(99) / 1e3;
                long resident = server.resident();
                load.stopReading(1 + MEMBERS / 2);
                Load.Outcome outcome = load.fanOut(LONG, 16, time);
                double after = outcome.micros(99) / 1e3;
                if (counts) {
                    without.add(candidate, before);
                    with.add(candidate, after);
                    change.add(candidate, after / before);
                    missed.add(candidate, (double) outcome.messages() / MEMBERS * LONG / MIB);
                    grown.add(candidate, (server.resident() - resident) / MIB);
                }
            }
        });
        table(candidates, without, with, change, missed, grown);
    }

    private void comeBack() throws IOException {
        title("%,d sessions lose their connections and come back at once, each to %d missed messages", IDLE, MISSED);
        List<Candidate> able = candidates.stream()
                .filter(each ->
                        each.name().equals(Candidate.DEFAULT) || each.name().equals(Candidate.NETTY))
                .toList();
        Figures seconds = new Figures("seconds until all are back", "%.1f");
        Figures rate = new Figures("sessions a second", "%,.0f");
        Figures p50 = new Figures("p50 ms of one", "%.0f");
        Figures p99 = new Figures("p99 ms of one", "%.0f");
        rounds(able, (candidate, server, counts) -> {
            try (Load load = load(candidate, server)) {
                load.open(1 + IDLE);
                load.joinAllButFirst();
                Load.Outcome outcome = load.comeBack(SHORT, MISSED);
                if (counts) {
                    seconds.add(candidate, outcome.seconds());
                    rate.add(candidate, outcome.perSecond());
                    p50.add(candidate, outcome.micros(50) / 1e3);
                    p99.add(candidate, outcome.micros(99) / 1e3);
                }
            }
        });
        table(able, seconds, rate, p50, p99);
    }

    // ---------------------------------------------------------------- shared

    @FunctionalInterface
    private interface Round {
        void run(Candidate candidate, ServerProcess server, boolean counts) throws IOException;
    }

    /**
     * Runs a warm-up and the rounds on servers that live until the end of this call. A candidate that fails is named
     * and left out.
     */
    private void rounds(List<Candidate> all, Round round) throws IOException {
        Map<List<String>, ServerProcess> servers = new LinkedHashMap<>();
        List<Candidate> able = new ArrayList<>(all);
        try {
            for (Candidate each : all) {
                if (!servers.containsKey(each.command())) {
                    servers.put(each.command(), each.start());
                }
            }
            for (int number = 0; number <= rounds; number++) {
                for (Candidate each : List.copyOf(able)) {
                    try {
                        round.run(each, Objects.requireNonNull(servers.get(each.command())), number > 0);
                    } catch (IOException failure) {
                        out.println("Failed: " + each.name() + ", " + failure.getMessage() + ".\n");
                        able.remove(each);
                    }
                }
            }
        } finally {
            servers.values().forEach(ServerProcess::close);
        }
    }

    private static Load load(Candidate candidate, ServerProcess server) throws IOException {
        return new Load(server.address(), candidate.dialect(), Tokens::of, server::cpu);
    }

    private void title(String format, Object... values) {
        out.println("### " + String.format(Locale.ROOT, format, values) + "\n");
    }

    private void table(List<Candidate> all, Figures... figures) {
        StringBuilder head = new StringBuilder("| server |");
        StringBuilder line = new StringBuilder("| --- |");
        boolean hasBase = all.stream().anyMatch(each -> each.name().equals(Candidate.BASE));
        for (Figures each : figures) {
            head.append(' ').append(each.name).append(hasBase ? " | × " + Candidate.BASE + " |" : " |");
            line.append(hasBase ? " --- | --- |" : " --- |");
        }
        out.println(head);
        out.println(line);
        for (Candidate candidate : all) {
            StringBuilder row = new StringBuilder("| " + candidate.name() + " |");
            for (Figures each : figures) {
                row.append(' ').append(each.median(candidate.name())).append(" |");
                row.append(hasBase ? " " + each.ratio(candidate.name()) + " |" : "");
            }
            out.println(row);
        }
        out.println();
    }
}
