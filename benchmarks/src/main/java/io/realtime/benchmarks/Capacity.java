package io.realtime.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** How many connections one server process of a small heap holds, over real sockets, and how it answers meanwhile. */
final class Capacity {
    private static final String HEAP = "512m";
    private static final int SECONDS = 70; // two rounds of pings
    private static final int PER_SECOND = 10;

    private Capacity() {}

    /** What is tried. */
    record Size(String transport, int idle, int busy) {}

    /** What came of it. */
    record Result(
            Size size,
            double opened,
            int lost,
            int pings,
            int replies,
            String heap,
            String threads,
            double p50,
            double p99,
            double max) {}

    static final List<Size> SIZES = List.of(new Size("java-websocket", 2_000, 200), new Size("netty", 10_000, 1_000));

    static void print(PrintStream out) {
        out.println("### Connections: a server with " + HEAP + " of heap, " + SECONDS + " s, " + PER_SECOND
                + " echoes a second from each busy one\n");
        out.println(
                "| transport | idle | busy | opened a second | lost | pings answered | echoes a second | p50 ms | p99 ms"
                        + " | max ms | live heap MiB | threads |");
        out.println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        for (Size size : SIZES) {
            Result result = measure(size, SECONDS);
            out.println(String.format(
                    Locale.ROOT,
                    "| %s | %,d | %,d | %,.0f | %d | %,d | %,.0f | %.2f | %.2f | %.1f | %s | %s |",
                    size.transport(),
                    size.idle(),
                    size.busy(),
                    result.opened(),
                    result.lost(),
                    result.pings(),
                    (double) result.replies() / SECONDS,
                    result.p50(),
                    result.p99(),
                    result.max(),
                    result.heap(),
                    result.threads()));
        }
    }

    static Result measure(Size size, int seconds) {
        try {
            Process server = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Xmx" + HEAP,
                            "-XX:+ExitOnOutOfMemoryError",
                            "-cp",
                            System.getProperty("java.class.path"),
                            CapacityServer.class.getName(),
                            size.transport())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (BufferedReader says = server.inputReader(Charset.defaultCharset())) {
                return measure(size, seconds, server, says);
            } finally {
                server.destroyForcibly();
            }
        } catch (IOException failure) {
            throw new IllegalStateException("the server with " + size + " failed", failure);
        }
    }

    private static Result measure(Size size, int seconds, Process server, BufferedReader says) throws IOException {
        int port = Integer.parseInt(line(says, "port ")[1]);
        try (LoadPeers peers = new LoadPeers(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))) {
            long begin = System.nanoTime();
            peers.open(size.busy() + size.idle());
            double opened = (size.busy() + size.idle()) * 1e9 / (System.nanoTime() - begin);
            peers.run(size.busy(), PER_SECOND, seconds);
            double p50 = peers.millis(0.5);
            double p99 = peers.millis(0.99);
            double max = peers.millis(1);
            server.outputWriter(Charset.defaultCharset()).append("\n").flush();
            String[] holds = line(says, "holds ");
            if (Integer.parseInt(holds[1]) != size.busy() + size.idle() - peers.lost()) {
                throw new IOException("the server counts " + holds[1] + " connections");
            }
            String heap = String.valueOf(Long.parseLong(holds[3]) >> 20);
            return new Result(
                    size, opened, peers.lost(), peers.pings(), peers.replies(), heap, holds[4], p50, p99, max);
        }
    }

    private static String[] line(BufferedReader says, String beginning) throws IOException {
        String line = says.readLine();
        if (line == null || !line.startsWith(beginning)) {
            throw new IOException("the server says '" + line + "' instead of '" + beginning + "…'");
        }
        return line.split(" ", 6);
    }
}
