package io.realtime.server.javawebsocket;

import io.realtime.CloseReason;
import io.realtime.internal.Steps;
import io.realtime.internal.websocket.FrameException;
import io.realtime.internal.websocket.FrameReader;
import io.realtime.internal.websocket.FrameWriter;
import io.realtime.internal.websocket.Role;
import io.realtime.server.websocket.Admission;
import io.realtime.server.websocket.Ending;
import io.realtime.server.websocket.UpgradeRequest;
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
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.java_websocket.WebSocketAdapter;
import org.java_websocket.WebSocketImpl;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection from its accept to its end. The worker upgrades it and decodes what it receives. Any thread may send
 * or close. Only the timer ends it, so that no end runs on a sender's stack or under a lock of the library. The first
 * cause of the end is recorded, and later ones are ignored. It has no lock: {@link PeerChannel} guards the outbound
 * side, {@link LibraryCallbacks} the calls of the listener.
 */
final class PeerConnection implements Connection, FrameReader.Sink, PeerChannel.Owner {
    private static final Logger LOG = LoggerFactory.getLogger(PeerConnection.class);

    /**
     * How long a peer may take to answer a close, or to leave after a refusal, while it accepts no more of the waiting
     * bytes.
     */
    static final Duration CLOSE_GRACE = Duration.ofSeconds(5);

    /** The approximate longest time of a write to a socket that does not block. */
    private static final Duration WRITE_TIME = Duration.ofMillis(1);

    private final Acceptor acceptor;
    private final Scheduler timer;
    private final Consumer<PeerConnection> onEnded;
    private final Admission.Place place;
    private final InetSocketAddress remote;
    private final WebSocketImpl impl;
    private final PeerChannel channel;
    private final FrameReader reader;
    private final LibraryCallbacks callbacks = new LibraryCallbacks(
            () -> fail(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed to handle a message")));
    private final AtomicReference<Ending> ending = new AtomicReference<>();
    private final AtomicBoolean ended = new AtomicBoolean();
    private volatile boolean opened;
    private volatile boolean failed;
    // Used by the worker alone.
    private @Nullable ConnectionListener listener;
    private final Scheduler.Cancellable handshakeDeadline;
    private volatile Scheduler.Cancellable deadline;

    /**
     * Takes an accepted socket. The key is registered, and gets its attachment here.
     *
     * @param onEnded called on the timer when the connection is over
     */
    PeerConnection(
            WebSocketAdapter server,
            SocketChannel socket,
            SelectionKey key,
            InetSocketAddress remote,
            Admission.Place place,
            Config config,
            Acceptor acceptor,
            Scheduler timer,
            Consumer<PeerConnection> onEnded) {
        this.acceptor = acceptor;
        this.timer = timer;
        this.onEnded = onEnded;
        this.place = place;
        this.remote = remote;
        this.channel = new PeerChannel(socket, key, config.handshakeBytes(), config.outboundBytes(), this);
        this.reader = new FrameReader(Role.SERVER, config.messageBytes(), this);
        this.impl = new WebSocketImpl(server, List.of(new PeerDraft(this, config.messageBytes())));
        impl.setSelectionKey(key);
        impl.setChannel(channel);
        impl.setAttachment(this);
        this.handshakeDeadline = timer.schedule(config.handshakeTimeout(), this::handshakeOverdue);
        this.deadline = handshakeDeadline;
    }

    WebSocketImpl impl() {
        return impl;
    }

    // ---- Connection: any thread

    @Override
    public boolean send(MessageBatch batch) {
        return channel.send(batch.wire());
    }

    @Override
    public boolean queue(MessageBatch batch) {
        return channel.queue(batch.wire());
    }

    @Override
    public void flush() {
        channel.flush();
    }

    @Override
    public long outboundBytes() {
        return channel.waiting();
    }

    @Override
    public void limitMessages(int bytes) {
        reader.limit(bytes);
    }

    @Override
    public long taken() {
        return channel.taken();
    }

    @Override
    public void ping() {
        channel.control(FrameWriter.ping(Role.SERVER));
    }

    @Override
    public void close(CloseReason why) {
        if (opened) {
            closeWith(Ending.local(why), PeerChannel.Then.GO_ON);
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

    private boolean closeWith(Ending why, PeerChannel.Then then) {
        if (!ending.compareAndSet(null, why)) {
            return false;
        }
        // Scheduled first, so that the connection ends even if there is no memory for the close frame.
        cutAfterGrace();
        channel.seal(FrameWriter.close(Role.SERVER, why.reason()), then);
        return true;
    }

    private void cutAfterGrace() {
        Scheduler.Cancellable before = deadline;
        cutAfterGrace(channel.taken());
        before.cancel();
    }

    private void cutAfterGrace(long taken) {
        deadline = timer.schedule(CLOSE_GRACE, () -> {
            long now = channel.taken();
            if (now - taken >= Admission.LEAST_TAKEN) {
                cutAfterGrace(now);
            } else {
                end();
            }
        });
        if (ended.get()) {
            deadline.cancel();
        }
    }

    // ---- the worker

    /** Handles the complete head of the request: answers it and, if accepted, opens the connection. */
    void upgrade(ByteBuffer head) {
        Handshake handshake;
        try {
            UpgradeRequest request = UpgradeRequest.parse(head);
            handshake = request.handshake(remote);
            Upgrade verdict = acceptor.upgrade(handshake);
            if (!verdict.isAccepted()) {
                refuse(verdict.status(), verdict.reason());
                return;
            }
            channel.control(request.accept(verdict.subprotocol()));
        } catch (UpgradeRequest.Refused refused) {
            refuse(refused.status(), refused.reason());
            return;
        } catch (Throwable failure) {
            // Java-WebSocket 1.6.0: an Error that escapes stops a worker or the whole server.
            Steps.log(LOG, "deciding about an upgrade failed", failure);
            refuse(500, "Internal Server Error");
            return;
        }
        opened = true;
        place.upgraded();
        handshakeDeadline.cancel();
        try {
            listener = acceptor.open(this, handshake);
        } catch (Throwable failure) {
            Steps.log(LOG, "opening a connection failed", failure);
            fail(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed to open the connection"));
        }
        callbacks.begin(listener);
    }

    private void refuse(int status, String phrase) {
        if (ending.compareAndSet(null, Ending.lost("upgrade refused"))) {
            LOG.debug("refused {} with {}", remote, status);
            channel.seal(UpgradeRequest.refusal(status, phrase), PeerChannel.Then.SHUT_OUTPUT);
            cutAfterGrace();
        }
    }

    /** Handles the bytes of one read. */
    void received(ByteBuffer read) {
        try {
            if (opened) {
                callbacks.call(() -> decode(read));
            }
        } finally {
            read.position(read.limit());
            channel.decoded();
        }
    }

    private void decode(ByteBuffer read) {
        try {
            reader.read(read);
        } catch (FrameException violation) {
            LOG.debug("{} broke the protocol: {}", remote, violation.reason());
            fail(violation.reason());
        } catch (Throwable failure) {
            // Java-WebSocket 1.6.0: an Error that escapes stops a worker or the whole server.
            Steps.log(LOG, "receiving failed", failure);
            fail(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed to handle a message"));
        }
    }

    /**
     * Sends the reason and closes without waiting for the peer's answer, since nothing more from it can be decoded.
     */
    private void fail(CloseReason why) {
        failed = true;
        if (!closeWith(Ending.local(why), PeerChannel.Then.SHUT_OUTPUT)) {
            timer.schedule(Duration.ZERO, this::end);
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

    private void hear(Consumer<ConnectionListener> call) {
        ConnectionListener to = listener;
        if (to != null && !failed) {
            // No message may follow one that was not delivered.
            call.accept(to);
        }
    }

    @Override
    public void answer(ByteBuffer pongs) {
        channel.control(pongs);
    }

    @Override
    public void peerClosed(CloseReason why) {
        if (!closeWith(Ending.ofPeer(why), PeerChannel.Then.FINISH)) {
            channel.finish();
        }
    }

    // ---- PeerChannel.Owner: the selector or a sender

    @Override
    public void headTooLong() {
        refuse(431, "Request Header Fields Too Large");
    }

    @Override
    public void inputEnded() {
        lose("the peer left without a closing handshake");
    }

    @Override
    public void failed(Throwable cause) {
        if (cause instanceof IOException) {
            LOG.debug("the connection of {} failed", remote, cause);
        } else {
            Steps.log(LOG, "a connection failed, and not because of its socket", cause);
        }
        lose("the connection broke");
    }

    @Override
    public void drained() {
        timer.schedule(Duration.ZERO, callbacks::drained);
    }

    @Override
    public void finished() {
        timer.schedule(Duration.ZERO, this::end);
    }

    private void lose(String why) {
        ending.compareAndSet(null, Ending.lost(why));
        timer.schedule(Duration.ZERO, this::end);
    }

    // ---- the timer

    private void handshakeOverdue() {
        if (!opened) {
            LOG.debug("{} did not finish its upgrade", remote);
            lose("upgrade overdue");
        }
    }

    private void end() {
        if (ended.compareAndSet(false, true)) {
            deadline.cancel();
            closeSocket();
        }
    }

    /** Closes the socket as soon as no thread writes to it, and makes the listener's last call. */
    private void closeSocket() {
        if (!channel.tryClose()) {
            timer.schedule(WRITE_TIME, this::closeSocket);
            return;
        }
        Ending why = ending.get();
        try {
            impl.closeConnection(CloseReason.ABNORMAL, "");
        } finally {
            place.leave();
            onEnded.accept(this);
            // Also before the upgrade is finished: it may be in progress, and its listener must get its last call.
            callbacks.closed(why == null ? Ending.lost("") : why);
        }
    }
}
