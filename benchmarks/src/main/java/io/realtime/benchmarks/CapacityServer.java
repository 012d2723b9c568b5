package io.realtime.benchmarks;

import io.realtime.Request;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.ServerStats;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.Charset;

/**
 * The server of {@link Capacity}, in a process of its own with a heap of its own: answers echoes, and for each line of its
 * input says what it holds.
 */
final class CapacityServer {
    private static final Request<String, String> ECHO = Request.of("echo", String.class, String.class);

    private CapacityServer() {}

    /** Runs with this transport until the input ends. */
    public static void main(String[] transport) throws IOException {
        Limits limits = Limits.builder()
                .connections(100_000)
                .connectionsPerAddress(100_000) // all come from this machine
                .rate(RateLimit.none())
                .build();
        try (RealtimeServer server = RealtimeServer.builder()
                        .port(0)
                        .host("127.0.0.1")
                        .transport(transport[0])
                        .anonymous()
                        .limits(limits)
                        .onRequest(ECHO, (session, text) -> text)
                        .build()
                        .start();
                BufferedReader asked = new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset()))) {
            System.out.println("port " + server.port());
            while (asked.readLine() != null) {
                System.gc();
                Runtime heap = Runtime.getRuntime();
                ServerStats stats = server.stats();
                System.out.println("holds " + stats.connections() + " " + stats.sessions() + " "
                        + (heap.totalMemory() - heap.freeMemory()) + " " + Thread.activeCount() + " "
                        + (server.problem() == null ? "well" : server.problem()));
            }
        }
    }
}
