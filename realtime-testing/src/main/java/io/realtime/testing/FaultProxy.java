package io.realtime.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A TCP proxy on this machine that fails on demand. Between client and server it cuts, delays, throttles and freezes
 * the traffic. It begins without faults. Every fault can be switched while data flows.
 *
 * <p>Each direction of a connection holds at most 256 KiB. Beyond that the proxy stops reading, so the sender gets
 * back-pressure. A longer {@link #delay} therefore also means less throughput. If a peer closes or resets its side, the
 * other side sees the same as without the proxy. One exception: an unreachable target resets a connection instead of
 * refusing it.
 *
 * <p>Safe for use by many threads. One daemon thread, {@code fault-proxy-<port>}, owns all sockets. Every method
 * returns when that thread has executed the request. After {@link #close} the methods do nothing.
 */
public final class FaultProxy implements AutoCloseable {
    private static final int CHUNK = 16 << 10;
    private static final int BUFFERED = 256 << 10;
    private static final long SECOND = 1_000_000_000;
    private static final long BURST_NANOS = SECOND / 50;

    private final InetSocketAddress target;
    private final ServerSocketChannel listener;
    private final Selector selector;
    private final int port;
    private final Thread thread;
    private final Queue<Command> commands = new ConcurrentLinkedQueue<>(); // at most one for each calling thread
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final List<ProxiedConnection> connections = new CopyOnWriteArrayList<>(); // changed by the proxy's thread
    private volatile boolean closing;

    // Used on the proxy's thread.
    private final ByteBuffer scratch = ByteBuffer.allocateDirect(CHUNK);
    private long delayNanos;
    private long bytesPerSecond;
    private long resetAfter;
    private boolean halfOpen;
    private boolean refusing;

    private FaultProxy(InetSocketAddress target) throws IOException {
        this.target = target;
        this.listener = ServerSocketChannel.open();
        this.selector = Selector.open();
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        this.port = listener.socket().getLocalPort();
        this.thread = new Thread(this::run, "fault-proxy-" + port);
        thread.setDaemon(true);
    }

    /**
     * Starts a proxy for a port of this machine.
     *
     * @throws IOException if no port can be bound
     */
    public static FaultProxy to(int port) throws IOException {
        return to(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    }

    /**
     * Starts a proxy for an address. Nothing needs to listen at the address yet.
     *
     * @throws IllegalArgumentException if the host's name could not be resolved
     * @throws IOException if no port can be bound
     */
    public static FaultProxy to(InetSocketAddress target) throws IOException {
        if (target.isUnresolved()) {
            throw new IllegalArgumentException(target + " is unresolved");
        }
        FaultProxy proxy = new FaultProxy(target);
        proxy.thread.start();
        return proxy;
    }

    /** Returns the port to connect to; the system chooses it. */
    public int port() {
        return port;
    }

    /** Returns how many connections are open, frozen ones included. */
    public int connections() {
        return connections.size();
    }

    /** Resets every open connection on both sides. Data in flight is lost. */
    public void cutAll() {
        ask(this::resetAll);
    }

    /**
     * Sets for how long data that is read from now on is held before it is forwarded, in each direction; zero: not at
     * all.
     */
    public void delay(Duration time) {
        long nanos = notNegative(time.toNanos());
        ask(() -> delayNanos = nanos);
    }

    /** Sets the most bytes per second to forward, in each direction of each connection; 0: without a limit. */
    public void throttle(long bytes) {
        notNegative(bytes);
        ask(() -> bytesPerSecond = bytes);
    }

    /**
     * Freezes or unfreezes the network. While it is frozen, every socket stays open and nothing is forwarded, not even
     * the end of a connection. Data that was sent meanwhile flows after the unfreeze, as with TCP. New connections are
     * accepted, and frozen too.
     *
     * @param frozen true to freeze, false to unfreeze
     */
    public void halfOpen(boolean frozen) {
        ask(() -> halfOpen = frozen);
    }

    /**
     * Resets each connection, open and new, when so many more bytes have been forwarded through it, both directions
     * together; 0: never. At most so many bytes arrive, because a reset may overtake them.
     */
    public void resetAfter(long bytes) {
        notNegative(bytes);
        ask(() -> {
            resetAfter = bytes;
            connections.forEach(connection -> connection.budget = budget());
        });
    }

    /** Sets whether each new connection is reset as soon as it is accepted. Open connections are not affected. */
    public void refuse(boolean on) {
        ask(() -> refusing = on);
    }

    /** Resets open connections, releases the port and ends the thread. Does nothing if called again. */
    @Override
    public void close() {
        closing = true;
        selector.wakeup();
        ended.join();
    }

    private static long notNegative(long value) {
        if (value < 0) {
            throw new IllegalArgumentException(value + " is negative");
        }
        return value;
    }

    /** Runs a command on the proxy's thread, and waits until it has run. */
    private void ask(Command command) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        commands.add(() -> {
            command.run();
            done.complete(null);
        });
        selector.wakeup();
        CompletableFuture.anyOf(done, ended).join();
    }

    private interface Command {
        void run() throws IOException;
    }

    // Methods below run on the proxy's thread.

    private void run() {
        try (selector;
                listener) {
            try {
                while (!closing) {
                    turn();
                }
            } finally {
                resetAll();
            }
        } catch (IOException | RuntimeException broken) {
            ended.completeExceptionally(broken); // reported to all callers
        }
        ended.complete(null);
    }

    private void turn() throws IOException {
        for (Command command = commands.poll(); command != null; command = commands.poll()) {
            command.run();
        }
        long now = System.nanoTime();
        long wait = Long.MAX_VALUE;
        for (ProxiedConnection connection : connections) {
            wait = Math.min(wait, connection.forward(now));
        }
        selector.select(wait == Long.MAX_VALUE ? 0 : wait / 1_000_000 + 1);
        for (SelectionKey key : selector.selectedKeys()) {
            if (key.attachment() instanceof ProxiedConnection connection) {
                connection.ready(key);
            } else {
                accept();
            }
        }
        selector.selectedKeys().clear();
    }

    private void accept() throws IOException {
        for (SocketChannel client = listener.accept(); client != null; client = listener.accept()) {
            if (refusing) {
                reset(client);
            } else {
                ProxiedConnection connection = new ProxiedConnection(client);
                connections.add(connection);
                connection.dial();
            }
        }
    }

    private void resetAll() throws IOException {
        for (ProxiedConnection connection : connections) {
            connection.reset();
        }
        // A registered channel is only closed by the next selection.
        selector.selectNow();
    }

    private static void reset(SocketChannel socket) throws IOException {
        try {
            socket.setOption(StandardSocketOptions.SO_LINGER, 0); // makes the close a reset
        } catch (IOException gone) {
            // Some systems refuse options of a socket that the peer has reset; the close below is sufficient.
        }
        socket.close();
    }

    private long budget() {
        return resetAfter == 0 ? Long.MAX_VALUE : resetAfter;
    }

    /** A client's socket, the socket to the target, and the data between them. */
    private final class ProxiedConnection {
        final SocketChannel client;
        final SocketChannel server = SocketChannel.open();
        final SelectionKey clientKey;
        final SelectionKey serverKey;
        final Flow up;
        final Flow down;
        long budget = budget();

        ProxiedConnection(SocketChannel client) throws IOException {
            this.client = client;
            client.configureBlocking(false);
            server.configureBlocking(false);
            for (SocketChannel socket : List.of(client, server)) {
                socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
            }
            clientKey = client.register(selector, 0, this);
            serverKey = server.register(selector, SelectionKey.OP_CONNECT, this);
            up = new Flow(this, client, server);
            down = new Flow(this, server, client);
        }

        void dial() throws IOException {
            try {
                server.connect(target);
            } catch (IOException unreachable) { // some systems report this immediately
                reset();
            }
        }

        /** Reads from a socket what is available. */
        void ready(SelectionKey key) throws IOException {
            try {
                if (key.isValid() && key.isConnectable()) {
                    server.finishConnect();
                }
                if (key.isValid() && key.isReadable()) {
                    (key == clientKey ? up : down).read();
                }
            } catch (IOException gone) {
                // The peer has reset it, or cannot be reached; the other side must see the same.
                reset();
            }
        }

        /** Forwards what is due; returns the nanoseconds, at most, until more is due. */
        long forward(long now) throws IOException {
            if (halfOpen || !server.isConnected()) {
                clientKey.interestOps(halfOpen ? 0 : up.readOp());
                serverKey.interestOps(server.isConnected() ? 0 : SelectionKey.OP_CONNECT);
                return Long.MAX_VALUE;
            }
            try {
                long wait = Math.min(up.forward(now), down.forward(now));
                if (up.ended && down.ended) {
                    connections.remove(this);
                    client.close();
                    server.close();
                } else if (budget == 0) {
                    reset();
                } else {
                    clientKey.interestOps(up.readOp() | down.writeOp());
                    serverKey.interestOps(down.readOp() | up.writeOp());
                }
                return wait;
            } catch (IOException gone) { // as above
                reset();
                return Long.MAX_VALUE;
            }
        }

        void reset() throws IOException {
            connections.remove(this);
            FaultProxy.reset(client);
            FaultProxy.reset(server);
        }
    }

    /** One direction of a connection. */
    private final class Flow {
        final ProxiedConnection connection;
        final SocketChannel from;
        final SocketChannel to;
        final ArrayDeque<Chunk> chunks = new ArrayDeque<>();
        int buffered;
        long throttledUntil = System.nanoTime();
        boolean blocked; // "to" accepts no more for now
        boolean noMore; // "from" has ended
        boolean ended; // "to" was notified of the end

        Flow(ProxiedConnection connection, SocketChannel from, SocketChannel to) {
            this.connection = connection;
            this.from = from;
            this.to = to;
        }

        int readOp() {
            return noMore || buffered >= BUFFERED ? 0 : SelectionKey.OP_READ;
        }

        int writeOp() {
            return blocked ? SelectionKey.OP_WRITE : 0;
        }

        void read() throws IOException {
            scratch.clear();
            noMore = from.read(scratch) < 0;
            byte[] bytes = new byte[scratch.flip().remaining()];
            scratch.get(bytes);
            buffered += bytes.length;
            chunks.add(new Chunk(ByteBuffer.wrap(bytes), System.nanoTime() + delayNanos));
        }

        /** Forwards what is due; returns the nanoseconds until more is due. */
        long forward(long now) throws IOException {
            blocked = false;
            for (Chunk next = chunks.peek(); next != null && connection.budget > 0; next = chunks.peek()) {
                long early = Math.max(next.due - now, bytesPerSecond == 0 ? 0 : throttledUntil - now);
                if (early > 0) {
                    return early;
                }
                write(next.bytes, now);
                if (blocked) {
                    break;
                }
                if (!next.bytes.hasRemaining()) {
                    chunks.remove();
                }
            }
            if (noMore && chunks.isEmpty() && !ended) {
                ended = true;
                to.shutdownOutput();
            }
            return Long.MAX_VALUE;
        }

        private void write(ByteBuffer bytes, long now) throws IOException {
            long most = Math.min(bytes.remaining(), connection.budget);
            if (bytesPerSecond > 0) {
                most = Math.min(most, Math.max(1, bytesPerSecond * BURST_NANOS / SECOND));
            }
            ByteBuffer piece = bytes.slice().limit((int) most);
            int written = to.write(piece);
            blocked = piece.hasRemaining();
            bytes.position(bytes.position() + written);
            buffered -= written;
            connection.budget -= written;
            // The selector wakes late; a burst may make up for the lost time.
            if (bytesPerSecond > 0) {
                throttledUntil = Math.max(throttledUntil, now - BURST_NANOS) + written * SECOND / bytesPerSecond;
            }
        }
    }

    /** Bytes and the time when they are due; without bytes, the end of the data. */
    private record Chunk(ByteBuffer bytes, long due) {}
}
