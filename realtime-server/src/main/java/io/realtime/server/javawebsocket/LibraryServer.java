package io.realtime.server.javawebsocket;

import io.realtime.internal.Steps;
import io.realtime.server.websocket.Admission;
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
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
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
 * The library's server, with what is ours in place of its accepting and its list of connections. Accepting belongs to
 * the selector; the registry and the volatile fields are anyone's.
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
    private final Runnable onEmpty;
    private final Admission admission;
    private final Set<PeerConnection> connections = ConcurrentHashMap.newKeySet();
    final List<WebSocketWorker> workers; // the library's, which we start
    private final CompletableFuture<Void> started = new CompletableFuture<>();
    private @Nullable ByteBuffer spare; // the selector's, as is the next
    private int turn;
    private volatile @Nullable Thread selector;
    private volatile @Nullable String acceptFailure;
    private volatile boolean stopping;

    /** @param onEmpty told on the timer whenever no connection is left */
    LibraryServer(ServerSocketChannel listening, Config config, Acceptor acceptor, Scheduler timer, Runnable onEmpty) {
        super(listening);
        this.listening = listening;
        this.config = config;
        this.admission = new Admission(config);
        this.acceptor = acceptor;
        this.timer = timer;
        this.onEmpty = onEmpty;
        this.workers = List.copyOf(decoders);
        setDaemon(true); // the workers too
        decoders.clear();
        setReuseAddr(true);
        // Java-WebSocket 1.6.0 pings all connections in one burst, one exception ends the sweep, and those after it
        // are taken for dead and closed.
        setConnectionLostTimeout(0);
    }

    /**
     * Starts the library's threads and waits until its selector runs.
     *
     * @throws IOException when it does not; no thread is left then
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

    Set<PeerConnection> open() {
        return connections;
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
        wakeSelector(); // which frees the port
    }

    /** Ends the library's threads; every connection must be over. When interrupted they end as well, unawaited. */
    void stopThreads() throws InterruptedException {
        Thread selecting;
        try {
            stop(200); // a selector that has not begun does not begin
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

    /** Java-WebSocket 1.6.0 keeps its selector to itself; telling it of a connection's end wakes it. */
    @SuppressWarnings("NullAway")
    private void wakeSelector() {
        onWebsocketClose(null, 0, "", false);
    }

    /**
     * Java-WebSocket 1.6.0 tells nobody when an Error ends its selector, or while it starts anything but an
     * IOException: the start would wait for ever, and connections that nobody reads would stay open.
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
            started.completeExceptionally(new IOException("the selector has ended")); // no news after onStart
            Steps.each(connections, PeerConnection::abort);
        }
    }

    /**
     * After a failure Java-WebSocket 1.6.0 stops itself on its selector with 0, which means to wait for ever, for its
     * own end: the port stayed open and nobody answered.
     */
    @Override
    public void stop(int timeout, String message) throws InterruptedException {
        super.stop(Math.max(1, timeout), message);
    }

    // ---- accepting, on the selector

    /**
     * Accepts in the library's stead. In Java-WebSocket 1.6.0 false ends accepting for good, and any exception from
     * accepting, from {@code setTcpNoDelay} or from registering, such as when descriptors run out, closes the listening
     * socket in silence. Since the way out cuts the selector's round short, accepting pauses for a moment, so that
     * those behind it have their turn however many come.
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
            throw new CancelledKeyException(); // the library ignores this kind, as of a connection cut meanwhile
        } catch (Throwable failure) { // an Error would end the selector
            if (acceptFailure == null) {
                Steps.log(LOG, "accepting fails; trying again every " + RETRY_PAUSE.toMillis() + " ms", failure);
            }
            acceptFailure = failure.toString();
            pause = RETRY_PAUSE;
        }
        key.selector().selectedKeys().remove(key);
        pauseAccepting(key, pause);
        key.selector().wakeup(); // at once a round that is not cut short: what came with a head may wait for it
        throw new CancelledKeyException(); // as above: leaves the library's own accept
    }

    private void pauseAccepting(SelectionKey key, Duration pause) {
        listen(key, 0);
        try {
            timer.schedule(pause, () -> {
                listen(key, SelectionKey.OP_ACCEPT);
                key.selector().wakeup();
            });
        } catch (Throwable failure) { // no memory, say; an Error would end the selector
            Steps.log(LOG, "accepting goes on without a pause", failure);
            listen(key, SelectionKey.OP_ACCEPT);
        }
    }

    private static void listen(SelectionKey key, int interest) {
        try {
            key.interestOps(interest);
        } catch (CancelledKeyException stopped) { // stopAccepting came between
            LOG.trace("accepting has ended");
        }
    }

    private void adopt(SocketChannel socket, SelectionKey accepting) throws IOException {
        Admission.Place place = null;
        try {
            InetSocketAddress remote = (InetSocketAddress) socket.getRemoteAddress();
            place = stopping ? null : admission.enter(remote);
            if (place == null) {
                socket.close();
                return;
            }
            socket.configureBlocking(false);
            socket.socket().setTcpNoDelay(true);
            socket.socket().setSendBufferSize(Admission.SEND_BUFFER);
            SelectionKey key = socket.register(accepting.selector(), SelectionKey.OP_READ);
            PeerConnection connection =
                    new PeerConnection(this, socket, key, remote, place, config, acceptor, timer, this::ended);
            key.attach(connection.impl());
            allocateBuffers(connection.impl());
            connections.add(connection);
            place.upgrading(connection::abort);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            turnAway(socket, place);
        } catch (Throwable failure) { // this peer's alone
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

    private void ended(PeerConnection connection) {
        connections.remove(connection);
        if (connections.isEmpty()) {
            onEmpty.run();
        }
    }

    // ---- the library's callbacks

    /**
     * Java-WebSocket 1.6.0 counts a buffer before it has it. After a few that could not be allocated, connections would get
     * none any more, and its selector would wait for one for ever. So there is one before the library counts it.
     */
    @Override
    protected void allocateBuffers(WebSocket socket) throws InterruptedException {
        if (spare == null) {
            spare = createBuffer();
        }
        super.allocateBuffers(socket); // takes it, unless there are enough
    }

    /**
     * Large enough for the whole head of a request. Otherwise a quarter of the library's: a flood of small frames has a
     * worker no longer at a time.
     */
    @Override
    public ByteBuffer createBuffer() {
        ByteBuffer made = spare;
        spare = null;
        return made == null ? ByteBuffer.allocate(Math.max(READ_BYTES, config.handshakeBytes())) : made;
    }

    /**
     * Java-WebSocket 1.6.0 chooses the worker by a count of all connections, an int that becomes negative at the 2^31st:
     * the exception would end its selector.
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
     * Starts the workers in the library's stead: when Java-WebSocket 1.6.0 finds no thread for one, its selector neither runs
     * nor is closed, and the port stays bound. So the selector runs in any case, and can be stopped.
     */
    @Override
    public void onStart() {
        try {
            decoders.addAll(workers); // the library allows two buffers for each
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
            Steps.log(LOG, "the library's server failed", failure); // its selector ends; see run
        } else if (socket.<Object>getAttachment() instanceof PeerConnection connection) {
            LOG.debug("the library failed on a connection", failure);
            connection.abort();
        }
    }

    /** Connections are in our registry, unfinished upgrades included; the library's list would take a global lock. */
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

    /** Mostly our own doing; should the library have closed it, this ends it for us too. */
    @Override
    public void onClose(WebSocket socket, int code, String reason, boolean byPeer) {
        if (socket.<Object>getAttachment() instanceof PeerConnection connection) {
            connection.abort();
        }
    }

    @Override
    public void onMessage(WebSocket socket, String message) {}
}
