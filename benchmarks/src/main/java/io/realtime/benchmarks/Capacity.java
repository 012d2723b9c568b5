package io.realtime.benchmarks;

import io.realtime.benchmarks.load.Dialect;
import io.realtime.benchmarks.load.Load;
import io.realtime.benchmarks.load.ServerProcess;
import io.realtime.benchmarks.load.Tokens;
import io.realtime.benchmarks.servers.Realtime;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * The number of connections that one server process with a small heap holds over real sockets, and how it answers
 * meanwhile.
 */
final class Capacity {
    private static final String HEAP = "512m";
    // Two rounds of pings.
    private static final Duration TIME = Duration.ofSeconds(70);
    private static final int PER_SECOND = 10;
    private static final int BYTES = 64;

    private Capacity() {}

    /** What is tried. */
    record Size(String transport, int idle, int busy) {}

    /** The result. */
    record Result(Size size, double opened, int lost, int pings, Load.Outcome echoes, String heap, String threads) {}

    static final List<Size> SIZES = List.of(new Size("java-websocket", 2_000, 200), new Size("netty", 10_000, 1_000));

    static void print(PrintStream out) throws IOException {
        out.println("### Connections: a server with " + HEAP + " of heap, " + TIME.toSeconds() + " s, " + PER_SECOND
                + " echoes a second from each busy one\n");
        out.println(
                "| transport | idle | busy | opened a second | lost | pings answered | echoes a second | p50 ms | p99 ms"
                        + " | max ms | live heap MiB | threads |");
        out.println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        for (Size size : SIZES) {
            Result result = measure(size, TIME);
            out.println(String.format(
                    Locale.ROOT,
                    "| %s | %,d | %,d | %,.0f | %d | %,d | %,.0f | %.2f | %.2f | %.1f | %s | %s |",
                    size.transport(),
                    size.idle(),
                    size.busy(),
                    result.opened(),
                    result.lost(),
                    result.pings(),
                    result.echoes().perSecond(),
                    result.echoes().micros(50) / 1e3,
                    result.echoes().micros(99) / 1e3,
                    result.echoes().micros(100) / 1e3,
                    result.heap(),
                    result.threads()));
        }
        out.println();
    }

    static Result measure(Size size, Duration time) throws IOException {
        List<String> command = ServerProcess.java(
                HEAP, System.getProperty("java.class.path"), Realtime.class.getName(), size.transport());
        try (ServerProcess server = new ServerProcess(command);
                Load load = new Load(server.address(), Dialect.REALTIME, Tokens::of, server::cpu)) {
            int count = size.busy() + size.idle();
            double opened = load.open(count);
            Load.Outcome echoes = load.echoPaced(BYTES, size.busy(), PER_SECOND, time);
            String[] holds = server.ask().split(" ", 6);
            if (Integer.parseInt(holds[1]) != count - load.lost()) {
                throw new IOException("the server counts " + holds[1] + " connections");
            }
            String heap = String.valueOf(Long.parseLong(holds[3]) >> 20);
            return new Result(size, opened, load.lost(), load.pings(), echoes, heap, holds[4]);
        }
    }
}
