package io.realtime.examples.attacks;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.examples.attacks.AttackedServer.Status;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * A server in a process of its own, a crowd of clients that talk through it, and what must hold while others attack it:
 * none of the crowd loses its connection or a message, newcomers get in, and the server's heap is what it was before. At
 * full size each attack is made once as practice, and then the 99th percentile of the crowd's latency may be three times that
 * of the quiet run. A quiet run faster than 5 ms counts as 5 ms: below that it is the noise of a machine on which server,
 * crowd and attackers share two cores that would be tested. For one thread.
 */
final class Arena implements AutoCloseable {
    private static final Duration QUIET_FLOOR = Duration.ofMillis(5);
    private static final int SLOWER = 3;
    private static final long HEAP_GROWTH = 20L << 20;

    private static final Queue<String> TABLE = new ConcurrentLinkedQueue<>();

    final ServerProcess server;
    private final String transport;
    private final URI address;
    private final @Nullable SSLSocketFactory tls;
    private final Crowd crowd;
    private int newcomers;

    interface Attack {
        void run(Arena arena, Attackers attackers) throws Exception;
    }

    Arena(String transport) throws Exception {
        this(transport, null);
    }

    /** @param identity a file with the certificate and key for TLS, or null for none */
    Arena(String transport, @Nullable Path identity) throws Exception {
        this.transport = transport + (identity == null ? "" : ", TLS");
        this.server = new ServerProcess(transport, identity);
        this.address = URI.create((identity == null ? "ws" : "wss") + "://localhost:" + server.port() + "/ws");
        this.tls = identity == null ? null : TlsIdentity.load(identity).client().getSocketFactory();
        this.crowd = new Crowd(address, tls, "crowd", Scale.CLIENTS);
        crowd.talk(Scale.PER_SECOND);
        crowd.awaitRounds(Scale.WARM_UP_ROUNDS);
    }

    /**
     * Attacks, and checks that it did no harm.
     *
     * @param warnings how much of it may be in the log at WARN or above
     */
    void withstands(String name, int warnings, Attack attack) throws Exception {
        if (Scale.FULL) { // once as practice: what is measured is the attack, not the compiler that sees it first
            repeat(attack, Duration.ZERO);
        }
        Status before = server.collect();
        crowd.awaitRounds(1);
        Latencies quiet = crowd.during(() -> crowd.awaitRounds(Scale.QUIET_ROUNDS));
        Latencies under = crowd.during(() -> repeat(attack, Scale.ATTACK));
        letIn();
        awaitConnections(crowd.size());
        Status after = server.collect();
        TABLE.add(String.format(
                "| %s | %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |",
                name,
                transport,
                millis(quiet.percentile(50)),
                millis(quiet.percentile(99)),
                millis(under.percentile(50)),
                millis(under.percentile(99)),
                mebibytes(before.heap()),
                mebibytes(after.heap())));
        assertTrue(server.isAlive());
        assertNull(after.problem());
        assertTrue(
                after.warnings() - before.warnings() <= warnings,
                () -> after.warnings() - before.warnings() + " warnings, the last: " + after.warning());
        assertTrue(
                after.heap() <= before.heap() + HEAP_GROWTH,
                () -> "the heap has grown from " + before.heap() + " to " + after.heap());
        if (Scale.FULL) {
            Duration base = quiet.percentile(99).compareTo(QUIET_FLOOR) > 0 ? quiet.percentile(99) : QUIET_FLOOR;
            assertTrue(
                    under.percentile(99).compareTo(base.multipliedBy(SLOWER)) <= 0,
                    () -> "99 % within " + under.percentile(99) + ", in the quiet run " + quiet.percentile(99));
        }
    }

    private void repeat(Attack attack, Duration time) throws Exception {
        long start = System.nanoTime();
        do {
            try (Attackers attackers = new Attackers(server.port())) {
                attack.run(this, attackers);
            }
        } while (System.nanoTime() - start < time.toNanos());
    }

    /** Has a newcomer connect and hear what it says. */
    void letIn() throws Exception {
        try (Crowd newcomer = new Crowd(address, tls, "newcomer" + ++newcomers, 1)) {
            newcomer.talkOnce();
            newcomer.awaitRounds(0);
        }
    }

    /** Waits until so many sessions have ended for this reason. */
    void awaitClosed(int code, int count) {
        await().atMost(Duration.ofSeconds(30))
                .until(() -> server.status().closed().getOrDefault(code, 0) >= count);
    }

    /** Returns how many sessions have ended for this reason. */
    int closed(int code) throws IOException, InterruptedException {
        return server.status().closed().getOrDefault(code, 0);
    }

    private void awaitConnections(int count) {
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertEquals(count, server.status().stats().connections()));
    }

    private static double millis(Duration time) {
        return time.toNanos() / 1e6;
    }

    private static double mebibytes(long bytes) {
        return bytes / (double) (1 << 20);
    }

    /** Prints what was measured so far. */
    static void printTable() {
        System.out.println(
                "| attack | transport | quiet p50 ms | p99 | attacked p50 ms | p99 | heap before MiB | after |");
        System.out.println("| --- | --- | --- | --- | --- | --- | --- | --- |");
        TABLE.forEach(System.out::println);
    }

    @Override
    public void close() {
        crowd.close();
        server.close();
    }
}
