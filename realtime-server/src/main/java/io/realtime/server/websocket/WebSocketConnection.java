package io.realtime.server.websocket;

import io.realtime.CloseReason;
import io.realtime.internal.Steps;
import io.realtime.internal.websocket.FrameException;
import io.realtime.internal.websocket.FrameReader;
import io.realtime.internal.websocket.FrameWriter;
import io.realtime.internal.websocket.Role;
import io.realtime.server.websocket.OutboundQueue.Then;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport.Acceptor;
import io.realtime.spi.ServerTransport.Config;
import io.realtime.spi.ServerTransport.Upgrade;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection from its accept to its end, the same with every transport: the upgrade, messages, pings and pongs, the
 * closing handshake, deadlines, and the calls of the listener. The first cause of the end is recorded, and later ones
 * are ignored.
 *
 * <p>The transport reads from the {@link Socket}, and hands over what it has read. It calls {@link #upgrade}, {@link
 * #receive}, {@link #drained} and {@link #tellClosed} one at a time, since they call the listener. Any thread may call
 * all other methods, which never call it. The class has no lock.
 */
public final class WebSocketConnection implements Connection, FrameReader.Sink {
    private static final Logger LOG = LoggerFactory.getLogger(WebSocketConnection.class);

    /**
     * How long a peer may take to answer a close, or to leave after a refusal, while it accepts no more of the waiting
     * bytes.
     */
    private static final Duration CLOSE_GRACE = Duration.ofSeconds(5);

    /**
     * How many of the waiting bytes a peer that is being closed must at least accept within the time for its answer.
     * Otherwise it is cut.
     */
    private static final int LEAST_TAKEN = 1024;

    /** What a connection needs of its socket. Any thread may call these methods; each returns at once. */
    public interface Socket {
        /** Runs a task later, on an I/O thread. It is dropped if the transport has stopped. */
        Scheduler.Cancellable schedule(Duration delay, Runnable task);

        /**
         * Closes the socket soon, on an I/O thread, and drops what waits. After that the transport calls {@link
         * #release} and {@link #tellClosed}. A second call does nothing.
         */
        void cut();
    }

    private final Socket socket;
    private final OutboundQueue outbound;
    private final InetSocketAddress remote;
    private final Admission.Place place;
    private final Acceptor acceptor;
    private final FrameReader reader;
    private final AtomicReference<@Nullable Ending> ending = new AtomicReference<>();
    private volatile Scheduler.Cancellable deadline = () -> {};
    private volatile boolean opened;
    // No further message is passed on.
    private volatile boolean failed;
    private volatile boolean over;
    // Used by the transport alone.
    private @Nullable ConnectionListener listener;

    /** Creates the connection of a socket that was just accepted. */
    public WebSocketConnection(
            Socket socket,
            OutboundQueue outbound,
            InetSocketAddress remote,
            Admission.Place place,
            Config config,
            Acceptor acceptor) {
        this.socket = socket;
        this.outbound = outbound;
        this.remote = remote;
        this.place = place;
        this.acceptor = acceptor;
        this.reader = new FrameReader(Role.SERVER, config.messageBytes(), this);
    }

    /** Returns the socket that it was created with. */
    public Socket socket() {
        return socket;
    }

    // ---- Connection: any thread

    @Override
    public boolean send(MessageBatch batch) {
        return outbound.send(batch.wire());
    }

    @Override
    public boolean queue(MessageBatch batch) {
        return outbound.queue(batch.wire());
    }

    @Override
    public void flush() {
        outbound.flush();
    }

    @Override
    public long outboundBytes() {
        return outbound.waiting();
    }

    @Override
    public boolean awaitWritable(Runnable caughtUp) {
        return outbound.awaitWritable(caughtUp);
    }

    @Override
    public void limitMessages(int bytes) {
        reader.limit(bytes);
    }

    @Override
    public long taken() {
        return outbound.taken();
    }

    @Override
    public void ping() {
        outbound.control(FrameWriter.ping(Role.SERVER));
    }

    @Override
    public void close(CloseReason why) {
        if (opened) {
            closeWith(Ending.local(why), Then.GO_ON);
        } else {
            // The server is closing, and the upgrade was not finished.
            lose("closed before the upgrade");
        }
    }

    @Override
    public void abort() {
        lose("aborted");
    }

    @Override
    public String remoteAddress() {
        String host = remote.isUnresolved()
                ? remote.getHostString()
                : remote.getAddress().getHostAddress();
        return host + ":" + remote.getPort();
    }

    private boolean closeWith(Ending why, Then then) {
        if (!ending.compareAndSet(null, why)) {
            return false;
        }
        // Scheduled first, so that the connection ends even if there is no memory for the close frame.
        cutAfterGrace();
        outbound.seal(FrameWriter.close(Role.SERVER, why.reason()), then);
        return true;
    }

    /** Gives the peer a grace period to answer. It begins when the peer accepts no more of what waits for it. */
    private void cutAfterGrace() {
        Scheduler.Cancellable before = deadline;
        cutAfterGrace(outbound.taken());
        // Only after there is another one.
        before.cancel();
    }

    private void cutAfterGrace(long taken) {
        scheduleDeadline(CLOSE_GRACE, () -> {
            long now = outbound.taken();
            if (now - taken >= LEAST_TAKEN) {
                cutAfterGrace(now);
            } else {
                socket.cut();
            }
        });
    }

    private void scheduleDeadline(Duration delay, Runnable task) {
        deadline = socket.schedule(delay, task);
        if (over) {
            deadline.cancel();
        }
    }

    private void lose(String why) {
        ending.compareAndSet(null, Ending.lost(why));
        socket.cut();
    }

    // ---- the transport: the upgrade

    /** Starts the time that the upgrade may take. */
    public void begin(Duration handshakeTimeout) {
        scheduleDeadline(handshakeTimeout, () -> {
            if (!opened) {
                LOG.debug("{} did not finish its upgrade", remote);
                lose("upgrade overdue");
            }
        });
    }

    /** Handles the complete head of the request: answers it and, if accepted, opens the connection. */
    public void upgrade(ByteBuffer head) {
        Handshake handshake;
        try {
            UpgradeRequest request = UpgradeRequest.parse(head);
            handshake = request.handshake(remote);
            Upgrade verdict = acceptor.upgrade(handshake);
            if (!verdict.isAccepted()) {
                refuse(verdict.status(), verdict.reason());
                return;
            }
            outbound.control(request.accept(verdict.subprotocol()));
        } catch (UpgradeRequest.Refused refused) {
            refuse(refused.status(), refused.reason());
            return;
        } catch (Throwable failure) {
            // An Error must not end an I/O thread that others share.
            Steps.log(LOG, "deciding about an upgrade failed", failure);
            refuse(500, "Internal Server Error");
            return;
        }
        deadline.cancel();
        place.upgraded();
        opened = true;
        try {
            listener = acceptor.open(this, handshake);
        } catch (Throwable failure) {
            Steps.log(LOG, "opening a connection failed", failure);
            fail(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed to open the connection"));
        }
    }

    /** Refuses a request whose head is longer than allowed. */
    public void headTooLong() {
        refuse(431, "Request Header Fields Too Large");
    }

    private void refuse(int status, String phrase) {
        if (ending.compareAndSet(null, Ending.lost("upgrade refused"))) {
            LOG.debug("refused {} with {}", remote, status);
            outbound.seal(UpgradeRequest.refusal(status, phrase), Then.SHUT_OUTPUT);
            cutAfterGrace();
        }
    }

    // ---- the transport: input

    /** Handles the bytes of one read. They are ignored if the upgrade was refused. */
    public void receive(ByteBuffer bytes) {
        if (!opened) {
            return;
        }
        try {
            reader.read(bytes);
        } catch (FrameException violation) {
            LOG.debug("{} broke the protocol: {}", remote, violation.reason());
            fail(violation.reason());
        } catch (Throwable failure) {
            Steps.log(LOG, "receiving failed", failure);
            fail(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed to handle a message"));
        }
    }

    @Override
    public void text(String text) {
        hear(to -> to.onText(text));
    }

    @Override
    public void binary(ByteBuffer payload) {
        hear(to -> to.onBinary(payload));
    }

    @Override
    public void activity() {
        hear(ConnectionListener::onActivity);
    }

    @Override
    public void progress(int bytes) {
        hear(to -> to.onProgress(bytes));
    }

    @Override
    public void answer(ByteBuffer pongs) {
        outbound.control(pongs);
    }

    @Override
    public void peerClosed(CloseReason why) {
        if (!closeWith(Ending.ofPeer(why), Then.FINISH)) {
            outbound.finish();
        }
    }

    private void hear(Consumer<ConnectionListener> call) {
        // No message may follow one that was not delivered.
        if (!failed) {
            call(call);
        }
    }

    private void call(Consumer<ConnectionListener> call) {
        ConnectionListener to = listener;
        if (to == null) {
            return;
        }
        try {
            call.accept(to);
        } catch (Throwable failure) {
            // Affects only this connection.
            Steps.log(LOG, "a connection's listener failed", failure);
            fail(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed to handle a message"));
        }
    }

    /**
     * Sends the reason and ends the output. The peer's answer is not awaited, because its further input cannot be
     * decoded.
     */
    private void fail(CloseReason why) {
        failed = true;
        if (!closeWith(Ending.local(why), Then.SHUT_OUTPUT)) {
            lose("failed while closing");
        }
    }

    /**
     * Handles the end of the peer's input, after all of it was received. If a close was sent, it still reaches the peer;
     * else the peer has left.
     */
    public void inputEnded() {
        if (!outbound.finish()) {
            lose("the peer left without a closing handshake");
        }
    }

    // ---- the transport: the socket's state

    /** Handles a failure of the socket. Nothing more is read or written. */
    public void broke(Throwable cause) {
        if (cause instanceof IOException || cause.getCause() instanceof IOException) {
            // From the network, the peer or TLS.
            LOG.debug("the connection of {} broke", remote, cause);
        } else {
            Steps.log(LOG, "the connection of " + remote + " failed", cause);
        }
        lose("the connection broke");
    }

    /** Tells the listener that nothing waits any more. */
    public void drained() {
        call(ConnectionListener::onDrained);
    }

    /** Gives the connection's place back, when its socket is closed. */
    public void release() {
        over = true;
        deadline.cancel();
        place.leave();
    }

    /** Tells the listener why the connection has ended. It is its last call. */
    public void tellClosed() {
        Ending decided = ending.get();
        Ending why = decided == null ? Ending.lost("") : decided;
        call(to -> to.onClosed(why.reason(), why.byPeer()));
        listener = null;
    }
}
