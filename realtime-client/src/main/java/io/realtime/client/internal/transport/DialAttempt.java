package io.realtime.client.internal.transport;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.CloseReason;
import io.realtime.internal.Steps;
import io.realtime.internal.Texts;
import io.realtime.internal.websocket.FrameException;
import io.realtime.internal.websocket.FrameReader;
import io.realtime.internal.websocket.Role;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.SocketFactory;
import javax.net.ssl.SSLSocketFactory;
import org.java_websocket.WebSocketImpl;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.framing.BinaryFrame;
import org.java_websocket.framing.DataFrame;
import org.java_websocket.framing.Framedata;
import org.java_websocket.framing.TextFrame;
import org.java_websocket.handshake.ServerHandshake;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An attempt to connect, and the connection that it leads to. Never used again, since Java-WebSocket's reconnect can
 * hang and leak its threads. The reading thread makes the socket, reads and calls the listener. The writing thread
 * writes, and tells the listener when everything is written. Any thread sends.
 *
 * <p>However it ends, both threads and the socket are released soon. The writing thread closes the socket. But in 1.6.0
 * it does not when it cannot write, so the reading thread outlives it and cuts the socket.
 */
final class DialAttempt extends WebSocketClient implements Connection, FrameReader.Sink {
    private static final Logger LOG = LoggerFactory.getLogger(DialAttempt.class);
    private static final long CLOSE_GRACE_SECONDS = 5;
    private static final int MOST_WORDS = 1_000;

    private final ClientTransport.Target target;
    private final ClientTransport.Callback callback;
    private final ClientDraft draft;
    private final ClientSocket socket;
    private final FrameReader reader;
    private final AtomicInteger waiting = new AtomicInteger();

    private final ReentrantLock sending = new ReentrantLock();

    @GuardedBy("sending")
    private boolean owesDrained;
    // Owned by the writing thread.
    private boolean upgradeSent;
    // The reason in the peer's close frame. Written by the reading thread.
    private volatile @Nullable CloseReason peersReason;

    /** Held while the listener is called, since two threads call it. */
    private final ReentrantLock telling = new ReentrantLock();

    @GuardedBy("telling")
    private @Nullable ConnectionListener listener;

    @GuardedBy("telling")
    private boolean over;

    @GuardedBy("telling")
    private @Nullable Exception problem;

    DialAttempt(
            ClientTransport.Target target,
            ClientTransport.Callback callback,
            @Nullable SSLSocketFactory tls,
            ClientSocket.Resolver resolver) {
        this(target, callback, tls, resolver, new ClientDraft(target.subprotocol(), target.messageBytes()));
    }

    private DialAttempt(
            ClientTransport.Target target,
            ClientTransport.Callback callback,
            @Nullable SSLSocketFactory tls,
            ClientSocket.Resolver resolver,
            ClientDraft draft) {
        super(target.uri(), draft, headers(target));
        this.target = target;
        this.callback = callback;
        this.draft = draft;
        this.socket = new ClientSocket(resolver, this::written);
        this.reader = new FrameReader(Role.CLIENT, target.messageBytes(), this);
        draft.tell(waiting::addAndGet, this::received);
        setDaemon(true);
        setTcpNoDelay(true);
        // The protocol has its own heartbeat.
        setConnectionLostTimeout(0);
        setSocketFactory(new OneSocket(socket, target, tls));
    }

    /** Returns the headers with our own host, since 1.6.0 sends "null" for a host with an underscore. */
    private static Map<String, String> headers(ClientTransport.Target target) {
        Map<String, String> headers = new TreeMap<>(target.headers());
        headers.put("Host", target.hostHeader());
        return headers;
    }

    // The library's threads

    @Override
    public void run() {
        Thread.currentThread().setName("realtime-client-read");
        try {
            super.run();
        } catch (Throwable failure) {
            // 1.6.0 does not catch Errors and reports them to nobody.
            Steps.log(LOG, "the reading thread of " + target + " failed", failure);
            onError(new IOException("the reading thread failed", failure));
        } finally {
            Steps.run(
                    // Otherwise the writing thread waits for ever.
                    () -> closeConnection(CloseReason.ABNORMAL, ""),
                    () -> end(new CloseReason(CloseReason.ABNORMAL, "the connection ended"), false),
                    () -> socket.cutAfter(CLOSE_GRACE_SECONDS));
        }
    }

    @Override
    public void onOpen(ServerHandshake answer) {
        telling.lock();
        try {
            if (!over) {
                listener = callback.connected(this);
            }
        } catch (Throwable failure) {
            failed(failure);
        } finally {
            telling.unlock();
        }
    }

    /** Reads the frames of one read of the socket. */
    private void received(ByteBuffer read) {
        try {
            reader.read(read);
        } catch (FrameException violation) {
            LOG.debug("{} broke the protocol: {}", target, violation.reason());
            library().close(violation.reason().code(), violation.reason().text(), false);
        }
    }

    private WebSocketImpl library() {
        return (WebSocketImpl) getConnection();
    }

    @Override
    public void text(String text) {
        tell(listening -> listening.onText(text));
    }

    @Override
    public void binary(ByteBuffer payload) {
        tell(listening -> listening.onBinary(payload));
    }

    @Override
    public void activity() {
        tell(ConnectionListener::onActivity);
    }

    @Override
    public void progress(int bytes) {
        tell(listening -> listening.onProgress(bytes));
    }

    /** Sends the pongs, or drops them if the bound is reached: a peer that only sends pings must not fill the memory. */
    @Override
    public void answer(ByteBuffer pongs) {
        if (isOpen() && outboundBytes() + pongs.remaining() <= target.outboundBytes()) {
            waiting.addAndGet(pongs.remaining());
            library().outQueue.add(pongs);
        }
    }

    @Override
    public void peerClosed(CloseReason reason) {
        peersReason = reason;
        // A close without a code is answered with 1000.
        int answer = reason.code() == CloseReason.NO_STATUS ? CloseReason.NORMAL : reason.code();
        library().close(answer, reason.text(), true);
    }

    /** Does nothing: {@link #text} gets the messages. */
    @Override
    public void onMessage(String message) {}

    @Override
    public void onError(Exception failure) {
        telling.lock();
        try {
            problem = problem == null ? failure : problem;
        } finally {
            telling.unlock();
        }
    }

    @Override
    public void onClose(int code, @Nullable String reason, boolean remote) {
        CloseReason peers = peersReason;
        if (remote && peers != null) {
            end(peers, true);
        } else {
            // The library has codes of its own below 1000, and also calls an end of input remote.
            int known = code < CloseReason.NORMAL ? CloseReason.ABNORMAL : code;
            end(new CloseReason(known, reason == null ? "" : reason), false);
        }
    }

    private void end(CloseReason reason, boolean byPeer) {
        if (reason.code() == CloseReason.ABNORMAL && !isOver()) {
            // For other codes a close frame may be on its way.
            socket.cut();
        }
        telling.lock();
        try {
            if (over) {
                return;
            }
            over = true;
            if (listener != null) {
                listener.onClosed(reason, byPeer);
            } else {
                Exception refusal = draft.refusal();
                Exception cause = refusal == null ? problem : refusal;
                String why = cause == null ? reason.text() : words(cause);
                // It may contain text of a server.
                why = why.isEmpty() ? draft.whatCame() : Texts.line(why, MOST_WORDS);
                callback.failed(new IOException("cannot connect to " + target + ": " + why, cause));
            }
        } catch (Throwable failure) {
            failed(failure);
        } finally {
            telling.unlock();
        }
    }

    /**
     * Returns the message of a failure. That of an unknown host is only its name, and some failures have none: then the
     * type is added.
     */
    private static String words(Exception problem) {
        String message = problem.getMessage();
        return message == null || problem instanceof UnknownHostException ? problem.toString() : message;
    }

    private interface Told {
        void tell(ConnectionListener listener);
    }

    private void tell(Told what) {
        telling.lock();
        try {
            if (listener != null && !over) {
                what.tell(listener);
            }
        } catch (Throwable failure) {
            failed(failure);
        } finally {
            telling.unlock();
        }
    }

    /** Logs a failure of the listener, which must not end the library's threads. */
    private void failed(Throwable failure) {
        Steps.log(LOG, "the listener of " + target + " failed", failure);
    }

    /** Counts written bytes; on the writing thread, after each frame. */
    private void written(int bytes) {
        if (!upgradeSent) {
            // The first frame is the upgrade, which was not counted.
            upgradeSent = true;
            return;
        }
        if (waiting.addAndGet(-bytes) > 0) {
            return;
        }
        boolean drained;
        sending.lock();
        try {
            drained = owesDrained && waiting.get() <= 0;
            owesDrained &= !drained;
        } finally {
            sending.unlock();
        }
        if (drained) {
            tell(ConnectionListener::onDrained);
        }
    }

    // Connection, on any thread

    @Override
    public boolean send(MessageBatch batch) {
        List<Framedata> frames = new ArrayList<>(batch.frames().size());
        for (WireMessage frame : batch.frames()) {
            DataFrame data = frame.isText() ? new TextFrame() : new BinaryFrame();
            // The constructor would decode and check the payload again.
            data.setPayload(frame.payload());
            frames.add(data);
        }
        sending.lock();
        try {
            if (!isOpen()) {
                return false;
            }
            if (waiting.get() + (long) batch.bytes() > target.outboundBytes()) {
                owesDrained = true;
                return false;
            }
            sendFrame(frames);
            owesDrained |= waiting.get() > target.outboundBytes() / 2;
            return true;
        } catch (RuntimeException closing) {
            LOG.debug("not sent: {}", closing.toString());
            return false;
        } finally {
            sending.unlock();
        }
    }

    @Override
    public long outboundBytes() {
        return Math.max(0, waiting.get());
    }

    @Override
    public void ping() {
        try {
            if (isOpen() && outboundBytes() < target.outboundBytes()) {
                sendPing();
            }
        } catch (RuntimeException closing) {
            LOG.debug("no ping: {}", closing.toString());
        }
    }

    @Override
    public void close(CloseReason reason) {
        try {
            close(reason.code(), reason.text());
        } catch (RuntimeException invalid) {
            LOG.debug("closing failed: {}", invalid.toString());
            abort();
            return;
        }
        Thread grace = new Thread(() -> socket.cutAfter(CLOSE_GRACE_SECONDS), "realtime-client-close");
        grace.setDaemon(true);
        try {
            grace.start();
        } catch (OutOfMemoryError noThread) {
            LOG.warn("no grace for the close of {}: {}", target, noThread.toString());
            abort();
        }
    }

    /** Cuts the socket. The reading thread detects it and calls the listener. */
    @Override
    public void abort() {
        socket.cut();
    }

    /** Ends an attempt without calling the callback; does nothing once it has led to a connection. */
    void cancel() {
        if (giveUp()) {
            socket.cut();
        }
    }

    private boolean isOver() {
        telling.lock();
        try {
            return over;
        } finally {
            telling.unlock();
        }
    }

    private boolean giveUp() {
        telling.lock();
        try {
            over |= listener == null;
            return over;
        } finally {
            telling.unlock();
        }
    }

    @Override
    public String remoteAddress() {
        return target.hostHeader();
    }

    /** The source of this attempt's only socket for Java-WebSocket, which gets it connected, on its reading thread. */
    private static final class OneSocket extends SocketFactory {
        private final ClientSocket socket;
        private final ClientTransport.Target target;
        private final @Nullable SSLSocketFactory tls;

        OneSocket(ClientSocket socket, ClientTransport.Target target, @Nullable SSLSocketFactory tls) {
            this.socket = socket;
            this.target = target;
            this.tls = tls;
        }

        @Override
        public Socket createSocket() throws IOException {
            socket.open(target, tls);
            return socket;
        }

        @Override
        public Socket createSocket(String host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(String host, int port, InetAddress localHost, int localPort) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress address, int port, InetAddress localAddress, int localPort) {
            throw new UnsupportedOperationException();
        }
    }
}
