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
 * A TCP proxy on this machine that fails on demand: put between client and server, it cuts, delays, throttles and
 * freezes what flows through it. It begins without faults; every fault can be switched while traffic flows.
 *
 * <p>Each direction of a connection holds at most 256 KiB; beyond that the proxy reads no more, and the sender feels it
 * as back pressure. A longer {@link #delay} therefore also means less throughput. A peer that closes or resets its
 * side, and a target that cannot be reached, is seen by the other side as it would be without the proxy, except that
 * an unreachable target resets a connection instead of refusing it.
 *
 * <p>Safe for use by many threads. One daemon thread, {@code fault-proxy-<port>}, owns all sockets; every method returns
 * when that thread has done what was asked. After {@link #close} they do nothing.
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
    private final Queue<Command> commands = new ConcurrentLinkedQueue<>(); // at most one for each thread that calls
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final List<ProxiedConnection> connections = new CopyOnWriteArrayList<>(); // changed by the proxy's thread
    private volatile boolean closing;

    // The proxy's thread only.
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
     * Starts a proxy in front of a port of this machine.
     *
     * @throws IOException when no port can be bound
     */
    public static FaultProxy to(int port) throws IOException {
        return to(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    }

    /**
     * Starts a proxy in front of an address. Nothing needs to listen there yet.
     *
     * @throws IllegalArgumentException when the host's name could not be resolved
     * @throws IOException when no port can be bound
     */
    public static FaultProxy to(InetSocketAddress target) throws IOException {
        if (target.isUnresolved()) {
            throw new IllegalArgumentException(target + " is unresolved");
        }
        FaultProxy proxy = new FaultProxy(target);
        proxy.thread.start();
        return proxy;
    }

    /** Returns the port to connect to, chosen by the system. */
    public int port() {
        return port;
    }

    /** Returns how many connections are open, those that are frozen included. */
    public int connections() {
        return connections.size();
    }

    /** Resets every open connection, on both sides. What was on its way is lost. */
    public void cutAll() {
        ask(this::resetAll);
    }

    /** Holds whatever is read from now on for so long before it is forwarded, in each direction; zero: not at all. */
    public void delay(Duration time) {
        long nanos = notNegative(time.toNanos());
        ask(() -> delayNanos = nanos);
    }

    /** Forwards at most so many bytes a second, in each direction of each connection; 0: as fast as it goes. */
    public void throttle(long bytes) {
        notNegative(bytes);
        ask(() -> bytesPerSecond = bytes);
    }

    /**
     * Freezes the network, or thaws it: while it is half open every socket stays open and nothing is forwarded, not
     * even that a peer is gone. What was sent meanwhile flows when the network thaws, as TCP would have it. New
     * connections are accepted, and frozen too.
     */
    public void halfOpen(boolean frozen) {
        ask(() -> halfOpen = frozen);
    }

    /**
     * Resets each connection, the open ones and those to come, when so many more bytes have been forwarded through it,
     * both directions together; 0: never. At most so many bytes arrive: a reset may overtake them.
     */
    public void resetAfter(long bytes) {
        notNegative(bytes);
        ask(() -> {
            resetAfter = bytes;
            connections.forEach(connection -> connection.budget = budget());
        });
    }

    /** Resets every new connection as soon as it is accepted, or no more. Open connections live on. */
    public void refuse(boolean on) {
        ask(() -> refusing = on);
    }

    /** Resets what is open, releases the port and ends the thread. Does nothing the second time. */
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

    /** Has the proxy's thread run a command, and waits until it has. */
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

    // The proxy's thread

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
            ended.completeExceptionally(broken); // whoever calls is told
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
        selector.selectNow(); // a channel that is registered is closed by the next selection, not before
    }

    private static void reset(SocketChannel socket) throws IOException {
        try {
            socket.setOption(StandardSocketOptions.SO_LINGER, 0); // its close is a reset then
        } catch (IOException gone) {
            // Some systems refuse options of a socket whose peer has reset it: the close below is all it needs.
        }
        socket.close();
    }

    private long budget() {
        return resetAfter == 0 ? Long.MAX_VALUE : resetAfter;
    }

    /** A client's socket, the one to the target, and what flows between them. */
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
            } catch (IOException unreachable) { // some systems know at once
                reset();
            }
        }

        /** Takes what a socket has. */
        void ready(SelectionKey key) throws IOException {
            try {
                if (key.isValid() && key.isConnectable()) {
                    server.finishConnect();
                }
                if (key.isValid() && key.isReadable()) {
                    (key == clientKey ? up : down).read();
                }
            } catch (IOException gone) { // the peer has reset it, or cannot be reached: so it is for the other side
                reset();
            }
        }

        /** Forwards what is due; returns after how many nanoseconds more is, at most. */
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
        boolean blocked; // "to" takes no more for now
        boolean noMore; // "from" has ended
        boolean ended; // and "to" was told

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

        /** Forwards what is due; returns after how many nanoseconds more is. */
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
            if (bytesPerSecond > 0) { // the selector wakes late: what that cost may be made up for
                throttledUntil = Math.max(throttledUntil, now - BURST_NANOS) + written * SECOND / bytesPerSecond;
            }
        }
    }

    /** Bytes, and when they are due; without bytes the end. */
    private record Chunk(ByteBuffer bytes, long due) {}
}
