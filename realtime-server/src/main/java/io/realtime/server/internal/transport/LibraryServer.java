package io.realtime.server.internal.transport;

import io.realtime.internal.Steps;
import io.realtime.server.websocket.Admission;
import io.realtime.server.websocket.OpenConnections;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport.Acceptor;
import io.realtime.spi.ServerTransport.Config;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.java_websocket.WebSocket;
import org.java_websocket.WebSocketImpl;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.server.WebSocketServer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The library's server, with our own accepting and our own registry of connections. The selector alone accepts. The
 * registry and the volatile fields may be used by any thread.
 */
final class LibraryServer extends WebSocketServer {
    private static final int READ_BYTES = 16 * 1024;
    private static final Logger LOG = LoggerFactory.getLogger(LibraryServer.class);
    private static final int ACCEPTS = 256;
    private static final Duration ACCEPT_PAUSE = Duration.ofMillis(1);
    private static final Duration RETRY_PAUSE = Duration.ofMillis(500);
    private final ServerSocketChannel listening;
    private final Config config;
    private final Acceptor acceptor;
    private final Scheduler timer;
    private final OpenConnections open;
    private final Admission admission;
    // The library's workers. We start them.
    final List<WebSocketWorker> workers;
    private final CompletableFuture<Void> started = new CompletableFuture<>();
    // Used by the selector alone, as is turn.
    private @Nullable ByteBuffer spare;
    private int turn;
    private volatile @Nullable Thread selector;
    private volatile @Nullable String acceptFailure;
    private volatile boolean stopping;

    LibraryServer(
            ServerSocketChannel listening, Config config, Acceptor acceptor, Scheduler timer, OpenConnections open) {
        super(listening);
        this.listening = listening;
        this.config = config;
        this.admission = new Admission(config);
        this.acceptor = acceptor;
        this.timer = timer;
        this.open = open;
        this.workers = List.copyOf(decoders);
        // This applies to the workers too.
        setDaemon(true);
        decoders.clear();
        setReuseAddr(true);
        // Java-WebSocket 1.6.0 pings all connections in one burst. One exception ends the sweep, and the connections
        // after it are taken for dead and closed.
        setConnectionLostTimeout(0);
    }

    /**
     * Starts the library's threads and waits until its selector runs.
     *
     * @throws IOException if the selector does not start; no thread is left then
     */
    void startAndWait() throws IOException, InterruptedException {
        start();
        boolean runs = false;
        try {
            started.get();
            runs = true;
        } catch (ExecutionException failure) {
            throw new IOException("the selector did not start: " + failure.getCause(), failure.getCause());
        } finally {
            if (!runs) {
                stopThreads();
            }
        }
    }

    @Nullable
    String problem() {
        Thread selecting = selector;
        if (stopping || selecting == null) {
            return null;
        }
        if (!selecting.isAlive()) {
            return "the selector has ended; see the log";
        }
        if (workers.stream().anyMatch(worker -> !worker.isAlive())) {
            return "a worker has ended; see the log";
        }
        if (!listening.isOpen()) {
            return "the listening socket was closed";
        }
        String failure = acceptFailure;
        return failure == null ? null : "accepting fails: " + failure;
    }

    void stopAccepting() {
        stopping = true;
        try {
            listening.close();
        } catch (IOException failure) {
            LOG.warn("the listening socket did not close", failure);
        }
        // The selector frees the port.
        wakeSelector();
    }

    /**
     * Ends the library's threads. Every connection must have ended. If interrupted, it does not wait for the threads;
     * they end nevertheless.
     */
    void stopThreads() throws InterruptedException {
        Thread selecting;
        try {
            // A selector that has not begun does not begin after this.
            stop(200);
        } finally {
            selecting = selector;
            if (selecting != null) {
                selecting.interrupt();
            }
            workers.forEach(Thread::interrupt);
        }
        if (selecting != null) {
            join(selecting);
        }
        for (WebSocketWorker worker : workers) {
            join(worker);
        }
    }

    private static void join(Thread thread) throws InterruptedException {
        if (thread != Thread.currentThread()) {
            thread.join(TimeUnit.SECONDS.toMillis(1));
        }
    }

    /** Wakes the selector. Java-WebSocket 1.6.0 gives no access to it; reporting the end of a connection wakes it. */
    @SuppressWarnings("NullAway")
    private void wakeSelector() {
        onWebsocketClose(null, 0, "", false);
    }

    /**
     * Runs the selector. Java-WebSocket 1.6.0 reports nothing if an Error ends its selector, or if starting fails with
     * anything but an IOException. The start would then wait for ever, and connections that nobody reads would stay
     * open.
     */
    @Override
    public void run() {
        selector = Thread.currentThread();
        try {
            super.run();
        } catch (Throwable failure) {
            Steps.log(LOG, "the selector failed", failure);
            started.completeExceptionally(failure);
        } finally {
            // Has no effect after onStart.
            started.completeExceptionally(new IOException("the selector has ended"));
            open.abort();
        }
    }

    /**
     * Stops the library's server with a timeout of at least 1 ms. After a failure Java-WebSocket 1.6.0 stops itself on
     * its selector with 0, which means to wait for its own end for ever: the port stayed open and nobody answered.
     */
    @Override
    public void stop(int timeout, String message) throws InterruptedException {
        super.stop(Math.max(1, timeout), message);
    }

    // ---- accepting, on the selector

    /**
     * Accepts connections in place of the library. In Java-WebSocket 1.6.0 the result false ends accepting for good. An
     * exception from accepting, from {@code setTcpNoDelay} or from registering, for example when descriptors run out,
     * closes the listening socket without a report. Leaving by an exception cuts the selector's round short. So
     * accepting pauses for a moment, and the connections after it in the round get their turn however many peers
     * connect.
     */
    @Override
    protected boolean onConnect(SelectionKey key) {
        Duration pause = ACCEPT_PAUSE;
        try {
            for (int i = 0; i < ACCEPTS; i++) {
                SocketChannel socket = listening.accept();
                if (socket == null) {
                    break;
                }
                adopt(socket, key);
            }
            acceptFailure = null;
        } catch (ClosedChannelException stopped) {
            // The library ignores this exception, as if a connection had been cut meanwhile.
            throw new CancelledKeyException();
        } catch (Throwable failure) {
            // An Error would end the selector.
            if (acceptFailure == null) {
                Steps.log(LOG, "accepting fails; trying again every " + RETRY_PAUSE.toMillis() + " ms", failure);
            }
            acceptFailure = failure.toString();
            pause = RETRY_PAUSE;
        }
        key.selector().selectedKeys().remove(key);
        pauseAccepting(key, pause);
        // Starts at once a round that is not cut short: bytes that came with a head may wait for it.
        key.selector().wakeup();
        // Skips the library's own accept. It ignores this exception, as above.
        throw new CancelledKeyException();
    }

    private void pauseAccepting(SelectionKey key, Duration pause) {
        listen(key, 0);
        try {
            timer.schedule(pause, () -> {
                listen(key, SelectionKey.OP_ACCEPT);
                key.selector().wakeup();
            });
        } catch (Throwable failure) {
            // For example out of memory. An Error would end the selector.
            Steps.log(LOG, "accepting continues without a pause", failure);
            listen(key, SelectionKey.OP_ACCEPT);
        }
    }

    private static void listen(SelectionKey key, int interest) {
        try {
            key.interestOps(interest);
        } catch (CancelledKeyException stopped) {
            // stopAccepting was called meanwhile.
            LOG.trace("accepting has ended");
        }
    }

    private void adopt(SocketChannel socket, SelectionKey accepting) throws IOException {
        Admission.Place place = null;
        try {
            InetSocketAddress remote = (InetSocketAddress) socket.getRemoteAddress();
            place = stopping ? null : admission.enter(remote);
            if (place == null) {
                if (!stopping) {
                    acceptor.refused();
                }
                socket.close();
                return;
            }
            socket.configureBlocking(false);
            socket.socket().setTcpNoDelay(true);
            socket.socket().setSendBufferSize(Admission.SEND_BUFFER);
            SelectionKey key = socket.register(accepting.selector(), SelectionKey.OP_READ);
            PeerConnection peer = new PeerConnection(this, socket, key, remote, place, config, acceptor, timer, open);
            key.attach(peer.impl());
            allocateBuffers(peer.impl());
            open.add(peer.connection());
            place.upgrading(peer.connection()::abort);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            turnAway(socket, place);
        } catch (Throwable failure) {
            // The failure concerns this peer alone.
            if (failure instanceof IOException) {
                LOG.debug("a connection ended while it was accepted", failure);
            } else {
                Steps.log(LOG, "a connection could not be taken", failure);
            }
            turnAway(socket, place);
        }
    }

    private static void turnAway(SocketChannel socket, Admission.@Nullable Place place) throws IOException {
        if (place != null) {
            place.leave();
        }
        socket.close();
    }

    // ---- the library's callbacks

    /**
     * Creates a spare buffer before the library counts one. Java-WebSocket 1.6.0 counts a buffer before it has
     * allocated it. After a few failed allocations connections would get no buffer any more, and its selector would
     * wait for one for ever.
     */
    @Override
    protected void allocateBuffers(WebSocket socket) throws InterruptedException {
        if (spare == null) {
            spare = createBuffer();
        }
        // Takes the spare buffer, unless the library has enough.
        super.allocateBuffers(socket);
    }

    /**
     * Returns a buffer that is large enough for the whole head of a request. Otherwise its size is a quarter of the
     * library's, so that a flood of small frames occupies a worker for a shorter time.
     */
    @Override
    public ByteBuffer createBuffer() {
        ByteBuffer made = spare;
        spare = null;
        return made == null ? ByteBuffer.allocate(Math.max(READ_BYTES, config.handshakeBytes())) : made;
    }

    /**
     * Assigns the connection to a worker in turn. Java-WebSocket 1.6.0 chooses the worker by a count of all
     * connections, an int that becomes negative at the 2^31st: the exception would end its selector.
     */
    @Override
    protected void queue(WebSocketImpl connection) throws InterruptedException {
        if (connection.getWorkerThread() == null) {
            connection.setWorkerThread(workers.get(turn));
            turn = (turn + 1) % workers.size();
        }
        connection.getWorkerThread().put(connection);
    }

    /**
     * Starts the workers in place of the library. If Java-WebSocket 1.6.0 gets no thread for one, its selector neither
     * runs nor is closed, and the port stays bound. Here the selector runs in any case, and can be stopped.
     */
    @Override
    public void onStart() {
        try {
            // The library allows two buffers for each.
            decoders.addAll(workers);
            workers.forEach(Thread::start);
            started.complete(null);
        } catch (Throwable failure) {
            started.completeExceptionally(failure);
        }
    }

    @Override
    public void onError(@Nullable WebSocket socket, Exception failure) {
        if (socket == null) {
            started.completeExceptionally(failure);
            // The selector ends after this; see run.
            Steps.log(LOG, "the library's server failed", failure);
        } else if (socket.<Object>getAttachment() instanceof PeerConnection peer) {
            LOG.debug("the library failed on a connection", failure);
            peer.connection().abort();
        }
    }

    /**
     * Returns true. Our registry holds the connections, including unfinished upgrades; the library's list would take a
     * global lock.
     */
    @Override
    protected boolean addConnection(WebSocket socket) {
        return true;
    }

    @Override
    protected boolean removeConnection(@Nullable WebSocket socket) {
        return socket != null;
    }

    @Override
    public void onOpen(WebSocket socket, ClientHandshake handshake) {}

    /** Ends the connection. Usually we have closed it; if the library has, this ends it for us too. */
    @Override
    public void onClose(WebSocket socket, int code, String reason, boolean byPeer) {
        if (socket.<Object>getAttachment() instanceof PeerConnection peer) {
            peer.connection().abort();
        }
    }

    @Override
    public void onMessage(WebSocket socket, String message) {}
}
