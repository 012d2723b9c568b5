package io.realtime.benchmarks;

import java.io.PrintStream;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.openjdk.jmh.util.Statistics;

/** The cost of each step of a message's way: time and allocation, in short runs of one JVM each. */
final class Parts {
    /** A server takes longer to be compiled than the other parts, so it has more warm-up iterations. */
    private static final List<Part> PARTS = List.of(
            new Part(WireBenchmark.class, 3),
            new Part(PublishBenchmark.class, 8),
            new Part(HandOverBenchmark.class, 8),
            new Part(EventBusBenchmark.class, 3));

    private record Part(Class<?> benchmark, int warmups) {}

    private Parts() {}

    static void print(PrintStream out) throws RunnerException {
        out.println("### Parts\n");
        out.println("| benchmark | parameters | ns/op, median | best | ops/s | B/op |");
        out.println("| --- | --- | --- | --- | --- | --- |");
        for (Part part : PARTS) {
            run(part).forEach(result -> out.println(row(result)));
        }
        out.println();
    }

    private static Collection<RunResult> run(Part part) throws RunnerException {
        return new Runner(new OptionsBuilder()
                        .include(part.benchmark.getName() + "\\.")
                        // This parameter and the next apply to publishing alone.
                        .param("retention", "defaults")
                        .param("members", "1", "100", "10000")
                        .mode(Mode.AverageTime)
                        .timeUnit(TimeUnit.NANOSECONDS)
                        .forks(1)
                        .warmupIterations(part.warmups)
                        .warmupTime(TimeValue.milliseconds(400))
                        .measurementIterations(5)
                        .measurementTime(TimeValue.milliseconds(300))
                        .addProfiler(GCProfiler.class)
                        .shouldFailOnError(true)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .run();
    }

    private static String row(RunResult result) {
        BenchmarkParams params = result.getParams();
        String name = params.getBenchmark().replaceFirst(".*\\.(\\w+)Benchmark\\.", "$1.");
        String values = params.getParamsKeys().stream()
                .map(key -> key + "=" + params.getParam(key))
                .collect(Collectors.joining(", "));
        Statistics iterations = result.getPrimaryResult().getStatistics();
        double nanos = iterations.getPercentile(50);
        double bytes = Objects.requireNonNull(result.getSecondaryResults().get("gc.alloc.rate.norm"), "allocation")
                .getScore();
        return String.format(
                Locale.ROOT,
                "| %s | %s | %,.0f | %,.0f | %,.0f | %,.0f |",
                name,
                values,
                nanos,
                iterations.getMin(),
                1e9 / nanos,
                bytes);
    }
}
