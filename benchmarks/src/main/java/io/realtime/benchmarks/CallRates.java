package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The number of requests and stream items per second between one client and one server in this process, compared with
 * an echo of events and one over a bare socket. The rounds alternate, and the medians count.
 */
final class CallRates {
    private static final int BYTES = 120;
    private static final int ROUNDS = 5;
    private static final int CANCELS = 1_000;
    private static final List<String> TRANSPORTS = List.of("java-websocket", "netty");
    // The times at which producers noticed that they were cancelled.
    private static final BlockingQueue<Long> CANCELLED = new LinkedBlockingQueue<>();
    private static final Duration ROUND = Duration.ofSeconds(2);
    private static final String TEXT = "x".repeat(BYTES);
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Request<String, String> ECHO = Request.of("echo", String.class, String.class);
    private static final StreamRequest<String, String> FLOW = StreamRequest.of("flow", String.class, String.class);

    /** The median round of one kind of load. */
    record Row(String name, double medianPerSecond) {}

    /** An operation that is repeated for a time; returns how often. */
    private interface Load {
        long run(Duration time) throws Exception;
    }

    private CallRates() {}

    static void print(PrintStream out) throws Exception {
        out.println("### Requests and streams, 120 bytes, one client\n");
        out.println("| what | a second, median of " + ROUNDS + " |");
        out.println("| --- | --- |");
        for (Row row : measure(ROUNDS, ROUND)) {
            out.println(String.format(Locale.ROOT, "| %s | %,.0f |", row.name, row.medianPerSecond));
        }
        out.println("\n| from the reader's close() until the producer is out of send, µs | median | 99 % |");
        out.println("| --- | --- | --- |");
        for (String transport : TRANSPORTS) {
            List<Double> micros = cancels(transport, CANCELS);
            out.println(String.format(
                    Locale.ROOT,
                    "| %s | %,.0f | %,.0f |",
                    transport,
                    Main.quantile(micros, 0.5),
                    Main.quantile(micros, 0.99)));
        }
        out.println();
    }

    /** Cancels streams that wait for their reader. Returns how long each producer took to notice, in microseconds. */
    static List<Double> cancels(String transport, int count) throws Exception {
        CANCELLED.clear();
        List<Double> micros = new ArrayList<>();
        try (RealtimeServer server = server(transport);
                RealtimeClient client = client(server)) {
            for (int i = 0; i < count; i++) {
                CountDownLatch began = new CountDownLatch(1);
                Subscription stream = client.stream(FLOW, TEXT, item -> began.countDown());
                began.await();
                long start = System.nanoTime();
                stream.close();
                micros.add((CANCELLED.take() - start) / 1e3);
            }
        }
        return micros;
    }

    private static RealtimeClient client(RealtimeServer server) throws Exception {
        RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                .build();
        client.connect().get(10, TimeUnit.SECONDS);
        return client;
    }

    static List<Row> measure(int rounds, Duration time) throws Exception {
        Map<String, Load> loads = new LinkedHashMap<>();
        List<AutoCloseable> open = new ArrayList<>();
        try {
            loads.put("bare socket: echo, 1 in flight", CallRates::bareEcho);
            for (String transport : TRANSPORTS) {
                RealtimeServer server = server(transport);
                open.add(server);
                RealtimeClient client = client(server);
                open.add(0, client);
                loads.put(transport + ": echo of events, 1 in flight", duration -> echo(client, duration));
                loads.put(transport + ": requests, 1 in flight", duration -> requests(client, 1, duration));
                loads.put(transport + ": requests, 32 in flight", duration -> requests(client, 32, duration));
                loads.put(transport + ": items of 1 stream", duration -> items(client, 1, duration));
                loads.put(transport + ": items of 16 streams", duration -> items(client, 16, duration));
            }
            Map<String, List<Double>> rates = new LinkedHashMap<>();
            for (int round = -1; round < rounds; round++) {
                // The first round warms up.
                for (Map.Entry<String, Load> load : loads.entrySet()) {
                    long start = System.nanoTime();
                    long count = load.getValue().run(time);
                    double rate = count / ((System.nanoTime() - start) / 1e9);
                    if (round >= 0) {
                        rates.computeIfAbsent(load.getKey(), name -> new ArrayList<>())
                                .add(rate);
                    }
                }
            }
            List<Row> rows = new ArrayList<>();
            rates.forEach((name, all) -> rows.add(new Row(name, Main.quantile(all, 0.5))));
            return rows;
        } finally {
            for (AutoCloseable one : open) {
                one.close();
            }
        }
    }

    private static RealtimeServer server(String transport) {
        return RealtimeServer.builder()
                .port(0)
                .transport(transport)
                .authenticator(credentials -> CompletableFuture.completedFuture(Authentication.of("load")))
                .limits(Limits.builder().rate(RateLimit.none()).build())
                .on(SAY, (session, message) -> session.send(SAY, message.data()))
                .onRequest(ECHO, (session, text) -> text)
                .onStream(FLOW, (session, text, out) -> {
                    try {
                        while (true) {
                            out.send(text);
                        }
                    } finally {
                        CANCELLED.add(System.nanoTime());
                    }
                })
                .build()
                .start();
    }

    private static long echo(RealtimeClient client, Duration time) throws InterruptedException {
        long end = System.nanoTime() + time.toNanos();
        AtomicLong count = new AtomicLong();
        CountDownLatch done = new CountDownLatch(1);
        Subscription echoes = client.on(SAY, message -> {
            count.incrementAndGet();
            if (System.nanoTime() < end) {
                say(client);
            } else {
                done.countDown();
            }
        });
        say(client);
        done.await();
        echoes.close();
        return count.get();
    }

    // Only its echo is awaited.
    @SuppressWarnings("FutureReturnValueIgnored")
    private static void say(RealtimeClient client) {
        client.send(SAY, TEXT);
    }

    private static long requests(RealtimeClient client, int inFlight, Duration time) throws Exception {
        long end = System.nanoTime() + time.toNanos();
        AtomicLong count = new AtomicLong();
        List<CompletableFuture<Void>> chains = new ArrayList<>();
        for (int i = 0; i < inFlight; i++) {
            CompletableFuture<Void> chain = new CompletableFuture<>();
            chains.add(chain);
            ask(client, end, count, chain);
        }
        CompletableFuture.allOf(chains.toArray(new CompletableFuture<?>[0])).get();
        return count.get();
    }

    private static void ask(RealtimeClient client, long end, AtomicLong count, CompletableFuture<Void> chain) {
        CompletableFuture<String> unused = client.request(ECHO, TEXT).whenComplete((reply, failure) -> {
            if (failure != null) {
                chain.completeExceptionally(failure);
                return;
            }
            count.incrementAndGet();
            if (System.nanoTime() < end) {
                ask(client, end, count, chain);
            } else {
                chain.complete(null);
            }
        });
    }

    private static long items(RealtimeClient client, int streams, Duration time) throws Exception {
        AtomicLong count = new AtomicLong();
        CompletableFuture<Void> failed = new CompletableFuture<>();
        List<Subscription> open = new ArrayList<>();
        for (int i = 0; i < streams; i++) {
            open.add(client.stream(FLOW, TEXT, new StreamListener<String>() {
                @Override
                public void onItem(String item) {
                    count.incrementAndGet();
                }

                @Override
                public void onError(Throwable failure) {
                    failed.completeExceptionally(failure);
                }
            }));
        }
        try {
            failed.get(time.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException over) {
            // Nothing has failed.
            open.forEach(Subscription::close);
        }
        long counted = count.get();
        // The reply arrives after everything that was in flight.
        client.request(ECHO, TEXT).get(10, TimeUnit.SECONDS);
        return counted;
    }

    /** Runs an echo with one thread on either side, as simple as possible. */
    private static long bareEcho(Duration time) throws Exception {
        try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket client = new Socket(listening.getInetAddress(), listening.getLocalPort());
                Socket server = listening.accept()) {
            client.setTcpNoDelay(true);
            server.setTcpNoDelay(true);
            Thread echo = new Thread(() -> {
                byte[] bytes = new byte[BYTES];
                try {
                    DataInputStream in = new DataInputStream(server.getInputStream());
                    OutputStream out = server.getOutputStream();
                    while (true) {
                        in.readFully(bytes);
                        out.write(bytes);
                    }
                } catch (IOException over) {
                    // The other side has closed the socket.
                    return;
                }
            });
            echo.start();
            byte[] bytes = new byte[BYTES];
            DataInputStream in = new DataInputStream(client.getInputStream());
            long count = 0;
            for (long end = System.nanoTime() + time.toNanos(); System.nanoTime() < end; count++) {
                client.getOutputStream().write(bytes);
                in.readFully(bytes);
            }
            client.shutdownOutput();
            echo.join();
            return count;
        }
    }
}
