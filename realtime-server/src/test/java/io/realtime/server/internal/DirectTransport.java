package io.realtime.server.internal;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A transport without a network, for tests with real threads: the thread that opens a connection is its I/O thread. */
public final class DirectTransport implements ServerTransport {
    private volatile @Nullable Acceptor acceptor;

    @Override
    public void start(Config config, Acceptor decider) {
        acceptor = decider;
    }

    @Override
    public int port() {
        return 1;
    }

    @Override
    public void stopAccepting() {}

    @Override
    public void stop(Duration drain) {}

    @Override
    public @Nullable String problem() {
        return null;
    }

    /** Returns what the server takes connections with. */
    public Acceptor acceptor() {
        return Objects.requireNonNull(acceptor);
    }

    /** Opens a connection; a plain one without a subprotocol. */
    public Line open(String query, @Nullable String subprotocol) {
        Line line = new Line();
        Handshake handshake = new Handshake(
                "/ws",
                query,
                subprotocol == null ? Map.of() : Map.of("Sec-WebSocket-Protocol", subprotocol),
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 1));
        line.attach(Objects.requireNonNull(acceptor).open(line, handshake));
        return line;
    }

    /** One connection: what the server sent, and how it was closed. Its listener is called by one thread at a time. */
    public static final class Line implements Connection {
        public final List<String> received = new CopyOnWriteArrayList<>();
        public final AtomicReference<@Nullable CloseReason> closed = new AtomicReference<>();
        private final ReentrantLock turn = new ReentrantLock();
        private @Nullable ConnectionListener listener; // guarded by turn
        private boolean isTold; // guarded by turn
        private final ReentrantLock writing = new ReentrantLock();
        private final Queue<MessageBatch> queued = new ConcurrentLinkedQueue<>();

        /** Is given each frame when it has left, on the thread that sends it: a client that reads at once. */
        public volatile Consumer<String> reader = frame -> {};

        /** Is given what the server is about to send, before the connection takes it, on the thread that sends it. */
        public volatile Consumer<MessageBatch> sender = batch -> {};

        public void say(String json) {
            turn.lock();
            try {
                if (closed.get() == null) {
                    Objects.requireNonNull(listener).onText(json.replace('\'', '"'));
                }
            } finally {
                turn.unlock();
            }
        }

        private void attach(ConnectionListener server) {
            turn.lock();
            try {
                listener = server;
            } finally {
                turn.unlock();
            }
            tell();
        }

        private void tell() {
            turn.lock();
            try {
                CloseReason reason = closed.get();
                if (reason != null && listener != null && !isTold) {
                    isTold = true;
                    listener.onClosed(reason, false);
                }
            } finally {
                turn.unlock();
            }
        }

        @Override
        public boolean send(MessageBatch batch) {
            sender.accept(batch);
            if (closed.get() != null) {
                return false;
            }
            queued.add(batch);
            flush();
            return true;
        }

        @Override
        public boolean queue(MessageBatch batch) {
            sender.accept(batch);
            return closed.get() == null && queued.add(batch);
        }

        @Override
        public void flush() {
            if (writing.isHeldByCurrentThread()) {
                return; // the reader has made the server send: that leaves next
            }
            writing.lock();
            try {
                for (MessageBatch next = queued.poll(); next != null; next = queued.poll()) {
                    for (WireMessage frame : next.frames()) {
                        received.add(frame.asText());
                        reader.accept(frame.asText());
                    }
                }
            } finally {
                writing.unlock();
            }
        }

        @Override
        public long outboundBytes() {
            return 0;
        }

        @Override
        public void ping() {}

        @Override
        public void close(CloseReason reason) {
            if (closed.compareAndSet(null, reason)) {
                tell();
            }
        }

        @Override
        public void abort() {
            close(new CloseReason(CloseReason.ABNORMAL, "cut"));
        }

        @Override
        public String remoteAddress() {
            return "127.0.0.1:1";
        }
    }
}
