package io.realtime.examples.attacks;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.testing.RawWebSocket;
import io.realtime.testing.RawWebSocket.RawFrame;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Sockets that are up to no good, and threads to use them. What is opened here ends with it. For many threads.
 *
 * <p>The threads have the lowest priority, which at full size counts (nice 19): attackers elsewhere would not take the time
 * of the server's cores or of the crowd's. What they cost the server stays.
 */
final class Attackers implements AutoCloseable {
    private static final int THREADS = 8;

    private final int port;
    private final AtomicInteger users = new AtomicInteger();
    private final Queue<RawWebSocket> sockets = new ConcurrentLinkedQueue<>();
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS, Attackers::thread);
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(Attackers::thread);

    Attackers(int port) {
        this.port = port;
    }

    interface Attack {
        void run(int number) throws Exception;
    }

    interface Tick {
        /** Returns whether there is more to do. */
        boolean run(int number) throws Exception;
    }

    /** Makes an attack so many times, several at once; fails with the first that fails. */
    void each(int count, Attack attack) throws Exception {
        List<Future<?>> under = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int number = i;
            under.add(threads.submit(() -> {
                attack.run(number);
                return null;
            }));
        }
        for (Future<?> one : under) {
            one.get(120, TimeUnit.SECONDS);
        }
    }

    /** Does something at a steady rhythm until it is done. */
    void every(long millis, Tick tick) throws Exception {
        AtomicInteger number = new AtomicInteger();
        CompletableFuture<Void> done = new CompletableFuture<>();
        Future<?> running = clock.scheduleAtFixedRate(
                () -> {
                    try {
                        if (!tick.run(number.getAndIncrement())) {
                            done.complete(null);
                        }
                    } catch (Exception | AssertionError failure) {
                        done.completeExceptionally(failure);
                    }
                },
                0,
                millis,
                TimeUnit.MILLISECONDS);
        try {
            done.get(120, TimeUnit.SECONDS);
        } finally {
            running.cancel(false);
        }
    }

    /** A socket that has said nothing. */
    RawWebSocket connect() throws IOException {
        return connect(0);
    }

    private RawWebSocket connect(int receiveBuffer) throws IOException {
        RawWebSocket socket = RawWebSocket.connect(port, receiveBuffer);
        sockets.add(socket);
        return socket;
    }

    /** A plain client of a user of its own, who was welcomed. */
    RawWebSocket open() throws IOException {
        return open("attacker-" + users.incrementAndGet(), 0);
    }

    /** A plain client of this user, who was welcomed. */
    RawWebSocket open(String user, int receiveBuffer) throws IOException {
        RawWebSocket socket = connect(receiveBuffer);
        socket.upgrade("/ws?token=" + user);
        expect(socket, "\"$welcome\"");
        return socket;
    }

    /** Reads the next message, which holds this text. */
    static String expect(RawWebSocket socket, String part) throws IOException {
        RawFrame frame = socket.read();
        assertTrue(
                frame.opcode() == RawWebSocket.TEXT && frame.text().contains(part),
                () -> frame.opcode() + " "
                        + (frame.opcode() == RawWebSocket.CLOSE ? frame.closeReason() : frame.text()));
        return frame.text();
    }

    /** Reads until the server closes, and returns its close code. */
    static int closeCode(RawWebSocket socket) throws IOException {
        RawFrame frame = socket.read();
        while (frame.opcode() != RawWebSocket.CLOSE) {
            frame = socket.read();
        }
        return frame.closeReason().code();
    }

    @SuppressWarnings("ThreadPriorityCheck") // a scheduler that heeds it is what the full size asks for
    private static Thread thread(Runnable task) {
        Thread thread = new Thread(task, "attacker");
        thread.setPriority(Thread.MIN_PRIORITY);
        return thread;
    }

    @Override
    public void close() throws IOException {
        threads.shutdownNow();
        clock.shutdownNow();
        for (RawWebSocket socket : sockets) {
            socket.close();
        }
    }
}
