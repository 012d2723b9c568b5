package io.realtime.benchmarks;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Runs the benchmarks that are named on the command line and prints their results as Markdown. */
public final class Main {
    private static final int ROUNDS = 5;
    private static final int SESSIONS = 20_000;
    private static final int TOP = 15;
    private static final List<String> ALL = List.of("retention", "idle", "resume");

    private final PrintStream out;

    private Main(PrintStream out) {
        this.out = out;
    }

    /**
     * Runs {@code retention}, {@code idle}, {@code resume} or {@code all}.
     *
     * @throws RunnerException when a benchmark fails
     */
    public static void main(String[] names) throws RunnerException {
        Main main = new Main(System.out);
        for (String name : names.length == 1 && names[0].equals("all") ? ALL : List.of(names)) {
            switch (name) {
                case "retention" -> main.retention();
                case "idle" -> main.idle();
                case "resume" -> main.resume();
                default -> throw new IllegalArgumentException("'" + name + "' is none of " + ALL + " and all");
            }
        }
    }

    // ---------------------------------------------------------------- retention

    /** Forks alternate, so that whatever the machine does meanwhile meets both. */
    private void retention() throws RunnerException {
        print("### Retention: 120-byte messages to a room of 1,000 members\n");
        print("| publishers | msg/s without a log, median | with the log, median | ratio, median | lowest–highest |");
        print("| --- | --- | --- | --- | --- |");
        for (int threads = 1; threads <= 2; threads++) {
            List<Double> with = new ArrayList<>();
            List<Double> without = new ArrayList<>();
            List<Double> ratios = new ArrayList<>();
            for (int round = 0; round < ROUNDS; round++) {
                boolean isLogFirst = round % 2 == 0;
                double first = publish(isLogFirst ? "defaults" : "none", threads);
                double second = publish(isLogFirst ? "none" : "defaults", threads);
                with.add(isLogFirst ? first : second);
                without.add(isLogFirst ? second : first);
                ratios.add(with.get(round) / without.get(round));
            }
            print(
                    "| %d | %,.0f | %,.0f | %.2f | %.2f–%.2f |",
                    threads,
                    median(without),
                    median(with),
                    median(ratios),
                    Collections.min(ratios),
                    Collections.max(ratios));
        }
        print("");
    }

    private static double publish(String retention, int threads) throws RunnerException {
        return run(options(PublishBenchmark.class, 1, 700, 2, 500)
                        .threads(threads)
                        .param("retention", retention))
                .getPrimaryResult()
                .getScore();
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
                .filter(row -> row.getValue().bytes() >= SESSIONS) // a byte each
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
        print("| messages in the log | other sessions | missed | µs, median | lowest–highest | to the first row |");
        print("| --- | --- | --- | --- | --- | --- |");
        double base = 0;
        for (Case each : List.of(
                new Case(1_000, 1, "elsewhere", 10),
                new Case(10_000, 1, "elsewhere", 10),
                new Case(100_000, 1, "elsewhere", 10),
                new Case(1_000, 1_000, "elsewhere", 10),
                new Case(1_000, 10_000, "elsewhere", 10),
                new Case(1_000, 10_000, "room", 10),
                new Case(100_000, 1, "elsewhere", 100),
                new Case(100_000, 1, "elsewhere", 1_000))) {
            List<Double> micros = iterations(run(options(ResumeBenchmark.class, 2, 500, 5, 400)
                    .param("log", "" + each.log)
                    .param("others", "" + each.others)
                    .param("place", each.place)
                    .param("missed", "" + each.missed)));
            base = base == 0 ? median(micros) : base;
            print(
                    "| %,d | %,d %s | %,d | %.1f | %.1f–%.1f | %.2f |",
                    each.log,
                    each.others,
                    each.place.equals("room") ? "in the room" : "elsewhere",
                    each.missed,
                    median(micros),
                    Collections.min(micros),
                    Collections.max(micros),
                    median(micros) / base);
        }
        print("");
    }

    private static List<Double> iterations(RunResult result) {
        List<Double> scores = new ArrayList<>();
        result.getBenchmarkResults()
                .forEach(fork -> fork.getIterationResults()
                        .forEach(each -> scores.add(each.getPrimaryResult().getScore())));
        return scores;
    }

    // ---------------------------------------------------------------- shared

    private static ChainedOptionsBuilder options(
            Class<?> benchmark, int warmups, int warmupMillis, int measurements, int millis) {
        return new OptionsBuilder()
                .include(benchmark.getName() + "\\.")
                .forks(1)
                .warmupIterations(warmups)
                .warmupTime(TimeValue.milliseconds(warmupMillis))
                .measurementIterations(measurements)
                .measurementTime(TimeValue.milliseconds(millis))
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT);
    }

    private static RunResult run(ChainedOptionsBuilder options) throws RunnerException {
        Collection<RunResult> results = new Runner(options.build()).run();
        return results.iterator().next();
    }

    private static double median(List<Double> values) {
        List<Double> sorted = new ArrayList<>(values);
        Collections.sort(sorted);
        return sorted.get(sorted.size() / 2);
    }

    private void print(String format, Object... values) {
        out.println(String.format(Locale.ROOT, format, values));
    }
}
