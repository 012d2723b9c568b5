package io.realtime.client.internal.connection;

import io.realtime.CloseReason;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Timers;
import io.realtime.client.internal.outbox.Uplink;
import io.realtime.internal.HeartbeatMonitor;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.MalformedException;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An attempt to connect, and the connection that it led to. The transport's threads call the listener methods, which
 * parse and hand over. The fields below them belong to the scheduler's thread.
 */
final class ServerConnection implements ClientTransport.Callback, ConnectionListener, Uplink {
    private static final Logger LOG = LoggerFactory.getLogger(ServerConnection.class);

    private final EngineThread thread;
    private final Reconnection owner;
    private final FrameRouter router;
    private final CallbackDispatcher callbacks;
    private volatile @Nullable HeartbeatMonitor monitor;
    private volatile boolean silent;
    // Once set, nothing that arrives counts.
    private volatile boolean deaf;

    /** How far an attempt has come. */
    enum ConnectionPhase {
        /** Waits for the application's token. */
        TOKEN,
        /** Opens the socket. */
        DIALING,
        /** Waits for the server's welcome. */
        CONNECTED,
        /** Open. */
        WELCOMED;

        boolean isConnected() {
            return this == CONNECTED || this == WELCOMED;
        }
    }

    // The fields below are owned by the scheduler's thread.
    private @Nullable Connection connection;
    // The same connection, for the transport's threads.
    private volatile @Nullable Connection arriving;
    ConnectionPhase phase = ConnectionPhase.TOKEN;
    boolean isRedial;
    boolean probesAgain;
    Scheduler.Cancellable dialing = Timers.NONE;
    Scheduler.Cancellable watchdog = Timers.NONE;
    Scheduler.Cancellable health = Timers.NONE;
    Scheduler.Cancellable probe = Timers.NONE;
    Scheduler.Cancellable roomRetry = Timers.NONE;
    // In bytes, of the frames that were sent and are not outbox messages.
    int longestOther;
    long spreadMs;
    int badFrames;
    long badFramesSince;
    Protocol.@Nullable Retry goodbye;

    @Nullable
    ErrorData lastError;

    ServerConnection(EngineThread thread, Reconnection owner, FrameRouter router, CallbackDispatcher callbacks) {
        this.thread = thread;
        this.owner = owner;
        this.router = router;
        this.callbacks = callbacks;
    }

    // On the transport's threads

    @Override
    public ConnectionListener connected(Connection made) {
        arriving = made;
        thread.post(() -> owner.onConnected(this, made));
        return this;
    }

    @Override
    public void failed(Exception cause) {
        thread.post(() -> owner.onFailed(this, cause));
    }

    @Override
    public void onText(String text) {
        receive(() -> Envelope.parseFromServer(text));
    }

    @Override
    public void onBinary(ByteBuffer payload) {
        receive(() -> BinaryEnvelope.parseFromServer(payload));
    }

    /**
     * Handles a frame. If that fails, for example without memory, the connection ends. Then this frame and those after
     * it are sent again.
     */
    private void receive(Supplier<Envelope> parser) {
        try {
            onActivity();
            if (!deaf) {
                take(parser);
            }
        } catch (Throwable failure) {
            // Also a failure of the scheduler.
            deaf = true;
            Steps.log(LOG, "a frame could not be taken; the connection ends", failure);
            Connection made = arriving;
            if (made != null) {
                made.abort();
            }
        }
    }

    private void take(Supplier<Envelope> parser) {
        Envelope frame;
        try {
            frame = parser.get();
        } catch (MalformedException nonsense) {
            thread.post(() -> router.onBadFrame(this, nonsense));
            return;
        }
        if (callbacks.arrived(frame.length())) {
            boolean isPosted = false;
            try {
                thread.post(() -> router.onFrame(this, frame));
                isPosted = true;
            } finally {
                if (!isPosted) {
                    callbacks.done(frame.length());
                }
            }
        } else {
            callbacks.done(frame.length());
            deaf = true;
            thread.post(() -> owner.onOverload(this));
        }
    }

    @Override
    public void onActivity() {
        silent = false;
        HeartbeatMonitor watching = monitor;
        if (watching != null) {
            watching.received();
        }
    }

    @Override
    public void onProgress(int bytes) {
        silent = false;
        HeartbeatMonitor watching = monitor;
        if (watching != null) {
            watching.progressed(bytes);
        }
    }

    @Override
    public void onDrained() {
        thread.post(() -> owner.onDrained(this));
    }

    @Override
    public void onClosed(CloseReason reason, boolean byPeer) {
        thread.post(() -> owner.onClosed(this, reason, byPeer));
    }

    // On the scheduler's thread

    void opened(Connection made) {
        connection = made;
        phase = ConnectionPhase.CONNECTED;
    }

    boolean isWelcomed() {
        return phase == ConnectionPhase.WELCOMED;
    }

    void watch(HeartbeatMonitor newMonitor) {
        monitor = newMonitor;
    }

    void ping() {
        silent = true;
        if (connection != null) {
            connection.ping();
        }
    }

    /** Returns true if nothing has arrived since the last {@link #ping}. */
    boolean isSilent() {
        return silent;
    }

    @Override
    public boolean send(MessageBatch batch) {
        return connection != null && connection.send(batch);
    }

    @Override
    public boolean send(WireMessage frame) {
        longestOther = Math.max(longestOther, frame.length());
        return send(MessageBatch.of(frame));
    }

    boolean send(Outgoing frame) {
        return send(frame.frame());
    }

    @Override
    public boolean isCrowded(int bound) {
        return connection == null || connection.outboundBytes() > bound / 2;
    }

    /** Returns why the connection ended, with what the server said before. */
    CloseReason explain(CloseReason reason) {
        if (lastError == null) {
            return reason;
        }
        String said = lastError.exception().getMessage();
        if (reason.code() != CloseReason.ABNORMAL && reason.code() != CloseReason.NO_STATUS) {
            return new CloseReason(reason.code(), said);
        }
        Integer lostCode = lastError.closeCode();
        return lostCode == null ? reason : new CloseReason(lostCode, said);
    }

    /** Returns true if this attempt has ended; from any thread. */
    boolean isOver() {
        return deaf;
    }

    /** Ends all timers and ignores everything that arrives from now on. */
    void end() {
        deaf = true;
        dialing.cancel();
        watchdog.cancel();
        health.cancel();
        probe.cancel();
        roomRetry.cancel();
        HeartbeatMonitor watching = monitor;
        if (watching != null) {
            watching.stop();
        }
    }

    /** Begins the closing handshake. For a code that cannot be sent (RFC 6455 section 7.4.1) it cuts the connection. */
    void close(CloseReason reason) {
        if (connection == null) {
            return;
        }
        if (reason.code() == CloseReason.ABNORMAL || reason.code() == CloseReason.NO_STATUS) {
            connection.abort();
        } else {
            connection.close(reason);
        }
    }
}
