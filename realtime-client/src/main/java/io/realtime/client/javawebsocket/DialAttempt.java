package io.realtime.client.javawebsocket;

import io.realtime.CloseReason;
import io.realtime.internal.Steps;
import io.realtime.internal.Texts;
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
import org.java_websocket.WebSocket;
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
 * One attempt and the connection it leads to; never used again, since Java-WebSocket's reconnect can hang and leak its
 * threads. Its reading thread makes the socket, reads and calls the listener; its writing thread writes, and tells the
 * listener when all has left. Any thread sends.
 *
 * <p>However it ends, both threads and the socket are free soon: the writing thread closes the socket, but 1.6.0 leaves it
 * alone when it cannot write, so the reading thread outlives it and cuts the socket.
 */
final class DialAttempt extends WebSocketClient implements Connection {
    private static final Logger LOG = LoggerFactory.getLogger(DialAttempt.class);
    private static final long CLOSE_GRACE_SECONDS = 5;
    private static final int MOST_WORDS = 1_000;

    private final ClientTransport.Target target;
    private final ClientTransport.Callback callback;
    private final ClientDraft draft;
    private final ClientSocket socket;
    private final AtomicInteger waiting = new AtomicInteger();

    private final ReentrantLock sending = new ReentrantLock();
    private boolean owesDrained; // guarded by sending
    private boolean upgradeSent; // the writing thread's

    /** Held while the listener is called: two threads do. */
    private final ReentrantLock telling = new ReentrantLock();

    private @Nullable ConnectionListener listener; // guarded by telling
    private boolean over; // guarded by telling
    private @Nullable Exception problem; // guarded by telling

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
        draft.tell(waiting::addAndGet, bytes -> tell(listening -> listening.onProgress(bytes)));
        setDaemon(true);
        setTcpNoDelay(true);
        setConnectionLostTimeout(0); // the heartbeat is the protocol's
        setSocketFactory(new OneSocket(socket, target, tls));
    }

    /** With a host that is ours: 1.6.0 says "null" for one that holds an underscore. */
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
        } catch (Throwable failure) { // 1.6.0 lets Errors through and tells nobody
            Steps.log(LOG, "the reading thread of " + target + " failed", failure);
            onError(new IOException("the reading thread failed", failure));
        } finally {
            Steps.run(
                    () -> closeConnection(CloseReason.ABNORMAL, ""), // else its writing thread waits for ever
                    () -> end(new CloseReason(CloseReason.ABNORMAL, "the connection ended"), false),
                    () -> socket.cutAfter(CLOSE_GRACE_SECONDS));
        }
    }

    @Override
    public void onOpen(ServerHandshake answer) {
        tell(() -> {
            if (!over) {
                listener = callback.connected(this);
            }
        });
    }

    @Override
    public void onMessage(String message) {
        tell(listening -> listening.onText(message));
    }

    @Override
    public void onMessage(ByteBuffer message) {
        tell(listening -> listening.onBinary(message));
    }

    @Override
    public void onWebsocketPing(WebSocket connection, Framedata frame) {
        tell(ConnectionListener::onActivity);
        if (outboundBytes() < target.outboundBytes()) { // a peer that only pings must not fill the memory
            try {
                super.onWebsocketPing(connection, frame);
            } catch (RuntimeException closing) {
                LOG.debug("no pong: {}", closing.toString());
            }
        }
    }

    @Override
    public void onWebsocketPong(WebSocket connection, Framedata frame) {
        tell(ConnectionListener::onActivity);
    }

    @Override
    public void onError(Exception failure) {
        tell(() -> problem = problem == null ? failure : problem);
    }

    @Override
    public void onClose(int code, @Nullable String reason, boolean remote) {
        int known = code;
        if (code < CloseReason.NORMAL) {
            known = CloseReason.ABNORMAL;
        } else if (code == CloseReason.NORMAL && remote && socket.endedWithEmptyClose()) {
            known = CloseReason.NO_STATUS; // RFC 6455 section 7.1.5; 1.6.0 says 1000
        }
        boolean byPeer = remote && known != CloseReason.ABNORMAL; // 1.6.0 calls an end of input remote, too
        end(new CloseReason(known, reason == null ? "" : reason), byPeer);
    }

    private void end(CloseReason reason, boolean byPeer) {
        if (reason.code() == CloseReason.ABNORMAL) { // else a close frame may be on its way
            socket.cut();
        }
        tell(() -> {
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
                why = why.isEmpty() ? draft.whatCame() : Texts.line(why, MOST_WORDS); // a server's may be in them
                callback.failed(new IOException("cannot connect to " + target + ": " + why, cause));
            }
        });
    }

    /** An unknown host's message is its name alone, and others have none. */
    private static String words(Exception problem) {
        String message = problem.getMessage();
        return message == null || problem instanceof UnknownHostException ? problem.toString() : message;
    }

    private interface Told {
        void tell(ConnectionListener listener);
    }

    private void tell(Told what) {
        tell(() -> {
            if (listener != null && !over) {
                what.tell(listener);
            }
        });
    }

    private void tell(Runnable what) {
        telling.lock();
        try {
            what.run();
        } catch (Throwable failure) { // a listener's failure must not end the library's threads
            Steps.log(LOG, "the listener of " + target + " failed", failure);
        } finally {
            telling.unlock();
        }
    }

    /** On the writing thread, after each frame. */
    private void written(int bytes) {
        if (!upgradeSent) { // the first is the upgrade, which nobody counted
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
            data.setPayload(frame.payload()); // not by its constructor, which would decode and check it again
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

    /** The reading thread hears of it, and tells. */
    @Override
    public void abort() {
        socket.cut();
    }

    /** Ends an attempt without telling anybody; does nothing once it has led to a connection. */
    void cancel() {
        if (giveUp()) {
            socket.cut();
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

    /** Gives Java-WebSocket the one socket of this attempt, connected, on its reading thread. */
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
