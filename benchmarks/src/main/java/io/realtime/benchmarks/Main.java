package io.realtime.benchmarks;

import io.realtime.benchmarks.cuts.Cuts;
import io.realtime.benchmarks.load.Comparison;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.openjdk.jmh.util.Statistics;

/**
 * The entry point of the benchmarks. It runs those that are named on the command line and prints their results as
 * Markdown.
 */
public final class Main {
    // Kept, since the JDK forgets loggers that nobody holds. A line for each session would be measured too.
    private static final Logger SESSION_LOG = Logger.getLogger("io.realtime.server.Session");

    private static final int FORKS = 2;
    private static final TimeValue ITERATION = TimeValue.milliseconds(300);
    private static final int SESSIONS = 20_000;
    private static final int TOP = 15;
    private static final List<String> ALL =
            List.of("retention", "idle", "resume", "connections", "calls", "parts", "growth", "audiences");

    private final PrintStream out;

    private Main(PrintStream out) {
        this.out = out;
    }

    /**
     * Runs {@code retention}, {@code idle}, {@code resume}, {@code connections}, {@code calls}, {@code parts}, {@code
     * growth}, {@code audiences}, {@code cuts}, a scenario of {@link Comparison} or {@code all}.
     *
     * @throws Exception if a benchmark fails
     */
    public static void main(String[] names) throws Exception {
        SESSION_LOG.setLevel(Level.WARNING);
        Main main = new Main(System.out);
        List<String> wanted = new ArrayList<>(List.of(names));
        wanted.removeIf(name -> name.startsWith("--"));
        for (String name : wanted.equals(List.of("all")) ? ALL : wanted) {
            if (Comparison.has(name)) {
                comparison(main.out, names).run(name);
                continue;
            }
            switch (name) {
                case "retention" -> main.retention();
                case "idle" -> main.idle();
                case "resume" -> main.resume();
                case "connections" -> Capacity.print(main.out);
                case "calls" -> CallRates.print(main.out);
                case "parts" -> Parts.print(main.out);
                case "growth" -> Growth.print(main.out);
                case "audiences" -> Audiences.print(main.out);
                case "cuts" -> new Cuts(main.out).print();
                default -> throw new IllegalArgumentException("'" + name + "' is none of " + ALL + ", cuts and all");
            }
        }
    }

    private static Comparison comparison(PrintStream out, String[] arguments) {
        Map<String, String> options =
                new TreeMap<>(Map.of("--rounds", "5", "--seconds", "2", "--servers", "", "--before", ""));
        for (String argument : arguments) {
            if (argument.startsWith("--")) {
                String[] option = argument.split("=", 2);
                if (option.length < 2 || options.replace(option[0], option[1]) == null) {
                    throw new IllegalArgumentException("'" + argument + "' is none of " + options.keySet() + " with =");
                }
            }
        }
        String servers = options.getOrDefault("--servers", "");
        return new Comparison(
                out,
                Integer.parseInt(options.getOrDefault("--rounds", "")),
                Duration.ofSeconds(Integer.parseInt(options.getOrDefault("--seconds", ""))),
                servers.isEmpty() ? List.of() : List.of(servers.split(",", -1)),
                options.getOrDefault("--before", ""));
    }

    // ---------------------------------------------------------------- retention

    /**
     * Compares publishing with a log and without. Iterations of the two alternate; each pair of neighbours is one
     * comparison.
     */
    private void retention() throws RunnerException {
        print("### Retention: 120-byte messages to a room of 1,000 members\n");
        print(
                "| publishers | msg/s without a log, median | with the log, median | ratio, median | its quartiles | pairs |");
        print("| --- | --- | --- | --- | --- | --- |");
        for (int threads = 1; threads <= 2; threads++) {
            List<Double> with = new ArrayList<>();
            List<Double> without = new ArrayList<>();
            List<Double> ratios = new ArrayList<>();
            RunResult result = run(options(PublishBenchmark.class, FORKS, 6, 28).threads(threads));
            for (BenchmarkResult fork : result.getBenchmarkResults()) {
                List<Double> scores = new ArrayList<>();
                fork.getIterationResults()
                        .forEach(each -> scores.add(each.getPrimaryResult().getScore()));
                for (int i = 0; i + 1 < scores.size(); i += 2) {
                    with.add(scores.get(i));
                    without.add(scores.get(i + 1));
                    ratios.add(scores.get(i) / scores.get(i + 1));
                }
            }
            print(
                    "| %d | %,.0f | %,.0f | %.2f | %.2f–%.2f | %d |",
                    threads,
                    quantile(without, 0.5),
                    quantile(with, 0.5),
                    quantile(ratios, 0.5),
                    quantile(ratios, 0.25),
                    quantile(ratios, 0.75),
                    ratios.size());
        }
        print("");
    }

    // ---------------------------------------------------------------- idle

    private void idle() {
        IdleSessions.Result result = IdleSessions.measure(SESSIONS);
        print("### Idle managed sessions, beyond the transport's connection: %,d of them\n", SESSIONS);
        print("| state | bytes per session | attributed to parts |");
        print("| --- | --- | --- |");
        state("connected", result.connected());
        state("connection lost", result.detached());
        print("");
        table("part, connected", result.connected().parts(), Integer.MAX_VALUE, true);
        table("part and field, connected", result.connected().parts(), TOP, false);
        table("class, connected", result.connected().heap().classes(), TOP, false);
        table("part, connection lost", result.detached().parts(), Integer.MAX_VALUE, true);
    }

    private void state(String name, IdleSessions.Cost cost) {
        print("| %s | %,d | %.0f %% |", name, cost.bytesPerSession(), 100 * cost.attributed());
    }

    private void table(String heading, Map<String, Histogram.Count> costs, int most, boolean merged) {
        Map<String, Histogram.Count> rows = new TreeMap<>();
        costs.forEach((name, count) -> rows.merge(
                merged ? name.replaceFirst("\\..*", "") : name,
                count,
                (a, b) -> new Histogram.Count(a.objects() + b.objects(), a.bytes() + b.bytes())));
        print("| %s | bytes per session | objects per session |", heading);
        print("| --- | --- | --- |");
        rows.entrySet().stream()
                // At least a byte for each session.
                .filter(row -> row.getValue().bytes() >= SESSIONS)
                .sorted(Comparator.comparing(row -> -row.getValue().bytes()))
                .limit(most)
                .forEach(row -> print(
                        "| %s | %.0f | %.1f |",
                        row.getKey(),
                        (double) row.getValue().bytes() / SESSIONS,
                        (double) row.getValue().objects() / SESSIONS));
        print("");
    }

    // ---------------------------------------------------------------- resume

    private record Case(int log, int others, String place, int missed) {}

    private void resume() throws RunnerException {
        print("### Resuming: from `$hello` to the last missed message\n");
        print(
                "| messages in the log | other sessions | missed | µs, median | 10 %% below | 90 %% below | to the first row |");
        print("| --- | --- | --- | --- | --- | --- | --- |");
        double base = 0;
        for (Case each : List.of(
                new Case(1_000, 1, "no room", 10),
                new Case(10_000, 1, "no room", 10),
                new Case(100_000, 1, "no room", 10),
                new Case(1_000, 1_000, "no room", 10),
                new Case(1_000, 10_000, "no room", 10),
                new Case(1_000, 10_000, "same room", 10),
                new Case(1_000, 10_000, "another room", 10),
                new Case(100_000, 1, "no room", 100),
                new Case(100_000, 1, "no room", 1_000),
                new Case(100_000, 1, "no room", 10_000))) {
            Statistics nanos = run(options(ResumeBenchmark.class, 1, 3, 5)
                            .param("log", "" + each.log)
                            .param("others", "" + each.others)
                            .param("place", each.place)
                            .param("missed", "" + each.missed))
                    .getPrimaryResult()
                    .getStatistics();
            double median = nanos.getPercentile(50);
            base = base == 0 ? median : base;
            print(
                    "| %,d | %,d in %s | %,d | %.1f | %.1f | %.1f | %.2f |",
                    each.log,
                    each.others,
                    each.place,
                    each.missed,
                    median / 1e3,
                    nanos.getPercentile(10) / 1e3,
                    nanos.getPercentile(90) / 1e3,
                    median / base);
        }
        print("");
    }

    // ---------------------------------------------------------------- shared

    private static ChainedOptionsBuilder options(Class<?> benchmark, int forks, int warmups, int measurements) {
        return new OptionsBuilder()
                .include(benchmark.getName() + "\\.")
                .forks(forks)
                .warmupIterations(warmups)
                .warmupTime(ITERATION)
                .measurementIterations(measurements)
                .measurementTime(ITERATION)
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT);
    }

    private static RunResult run(ChainedOptionsBuilder options) throws RunnerException {
        return new Runner(options.build()).run().iterator().next();
    }

    static double quantile(List<Double> values, double share) {
        List<Double> sorted = new ArrayList<>(values);
        Collections.sort(sorted);
        return sorted.get((int) (share * (sorted.size() - 1)));
    }

    private void print(String format, Object... values) {
        out.println(String.format(Locale.ROOT, format, values));
    }
}
