package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.ServerTransport.Upgrade;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The server's side of a contract test. It decides about upgrades as the test directs, and records the calls of its
 * listeners. The transport's threads call it; the test's thread reads it.
 */
final class ContractServer implements ServerTransport.Acceptor {
    /** A wait for the next element of a queue, in real or virtual time; null if there is none in time. */
    interface Patience {
        <T> @Nullable T take(BlockingQueue<T> queue) throws InterruptedException;
    }

    private final Patience patience;
    private final BlockingQueue<Accepted> waiting = new LinkedBlockingQueue<>();
    private final Queue<Accepted> all = new ConcurrentLinkedQueue<>();
    final AtomicInteger refused = new AtomicInteger();
    volatile Upgrade verdict = Upgrade.accept(null);
    volatile @Nullable Error failsToDecide;
    volatile @Nullable Error failsToOpen;
    volatile int messageBytesAtFirst; // 0 for the transport's own limit
    private boolean expectsNoMore; // used on the test's thread

    ContractServer(Patience patience) {
        this.patience = patience;
    }

    @Override
    public Upgrade upgrade(Handshake handshake) {
        throwUnlessNull(failsToDecide);
        return verdict;
    }

    @Override
    public void refused() {
        refused.incrementAndGet();
    }

    @Override
    public ConnectionListener open(Connection connection, Handshake handshake) {
        throwUnlessNull(failsToOpen);
        if (messageBytesAtFirst > 0) {
            connection.limitMessages(messageBytesAtFirst);
        }
        Accepted accepted = new Accepted(connection, handshake);
        all.add(accepted);
        waiting.add(accepted);
        return accepted;
    }

    private static void throwUnlessNull(@Nullable Error failure) {
        if (failure != null) {
            throw failure;
        }
    }

    /** Waits for the next connection that was opened. */
    Accepted next() throws InterruptedException {
        return take(waiting, "no connection was opened");
    }

    /** Makes the test fail if a connection was opened, however late, that the test does not ask for. */
    void expectNoMore() {
        expectsNoMore = true;
    }

    /**
     * Checks, after the transport was stopped, that each listener's last call was its end, made once, and that its
     * calls did not overlap. Where no more was expected, also checks that nothing more arrived.
     */
    void assertEachEndedOnce() throws InterruptedException {
        for (Accepted accepted : all) {
            take(accepted.ends, "a listener was not told of its end");
            assertEquals(List.of(), List.copyOf(accepted.faults));
            if (accepted.expectsNoMore) {
                assertEquals(1, accepted.calls.size(), () -> "the end and nothing else: " + accepted.calls);
            }
        }
        if (expectsNoMore) {
            assertEquals(0, waiting.size(), "connections that were opened and not asked for");
        }
    }

    private <T> T take(BlockingQueue<T> queue, String otherwise) throws InterruptedException {
        T taken = patience.take(queue);
        assertNotNull(taken, otherwise);
        return taken;
    }

    /** A connection that was opened, and the calls of its listener. */
    final class Accepted implements ConnectionListener {
        final Connection connection;
        final Handshake handshake;
        private final BlockingQueue<String> calls = new LinkedBlockingQueue<>();
        private final BlockingQueue<Integer> progress = new LinkedBlockingQueue<>();
        private final BlockingQueue<CloseReason> ends = new LinkedBlockingQueue<>();
        private final Queue<String> faults = new ConcurrentLinkedQueue<>();
        private final AtomicInteger running = new AtomicInteger();
        private boolean expectsNoMore; // used on the test's thread
        /** How many bytes waited at the last {@code onDrained}. */
        volatile long bytesWhenDrained;

        /** What the listener does with a text besides recording it. */
        volatile Consumer<String> onText = text -> {};

        Accepted(Connection connection, Handshake handshake) {
            this.connection = connection;
            this.handshake = handshake;
        }

        /**
         * Waits for the next call: {@code text …}, {@code binary […]}, {@code activity}, {@code drained}, {@code closed
         * …}, {@code peer closed …}.
         */
        String next() throws InterruptedException {
            return take(calls, "the listener was not called");
        }

        /**
         * Waits for the next call that is not {@code drained}, which comes each time that all outbound data is written.
         */
        String nextButDrained() throws InterruptedException {
            String call = next();
            while (call.equals("drained")) {
                call = next();
            }
            return call;
        }

        /** Waits for the next progress; returns how many bytes arrived of an unfinished message. */
        int nextProgress() throws InterruptedException {
            return take(progress, "the listener was not told of any progress");
        }

        /**
         * Makes the test fail if the listener gets another call, however late, besides its end and those that the test
         * asks for.
         */
        void expectNoMore() {
            expectsNoMore = true;
        }

        /** Returns whether the listener was called for the end. */
        boolean isOver() {
            return !ends.isEmpty();
        }

        private void hear(String call, Runnable reaction) {
            if (running.getAndIncrement() > 0) {
                faults.add("two calls at a time: " + call);
            }
            if (!ends.isEmpty()) {
                faults.add("after the end: " + call);
            }
            try {
                calls.add(call);
                reaction.run();
            } finally {
                running.getAndDecrement();
            }
        }

        @Override
        public void onText(String text) {
            hear("text " + text, () -> onText.accept(text));
        }

        @Override
        public void onBinary(ByteBuffer payload) {
            byte[] bytes = new byte[payload.remaining()];
            payload.get(bytes);
            hear("binary " + Arrays.toString(bytes), () -> {});
        }

        @Override
        public void onActivity() {
            hear("activity", () -> {});
        }

        @Override
        public void onProgress(int bytes) {
            progress.add(bytes);
        }

        @Override
        public void onDrained() {
            bytesWhenDrained = connection.outboundBytes();
            hear("drained", () -> {});
        }

        @Override
        public void onClosed(CloseReason reason, boolean byPeer) {
            hear((byPeer ? "peer closed " : "closed ") + reason, () -> ends.add(reason));
        }
    }
}
