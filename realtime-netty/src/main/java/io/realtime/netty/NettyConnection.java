package io.realtime.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
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
import io.realtime.spi.ServerTransport.Acceptor;
import io.realtime.spi.ServerTransport.Config;
import io.realtime.spi.ServerTransport.Upgrade;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection from its accept to its end; the last handler of its pipeline. Its event loop upgrades it, decodes,
 * calls the listener, keeps the deadlines and ends it. Any thread may send, close or abort; none of these calls the
 * listener or writes to the socket on the caller's stack. The first cause decides the reason of the end. The class has
 * no lock; {@link Outbound} has one.
 */
final class NettyConnection extends ChannelInboundHandlerAdapter
        implements Connection, FrameReader.Sink, Outbound.Owner {
    private static final Logger LOG = LoggerFactory.getLogger(NettyConnection.class);

    /** How long a peer may take to answer a close, or to disconnect after a refusal. */
    private static final Duration CLOSE_GRACE = Duration.ofSeconds(5);

    private final SocketChannel channel;
    private final EventLoop loop;
    private final InetSocketAddress remote;
    private final Admission.Place place;
    private final Duration handshakeTimeout;
    private final Acceptor acceptor;
    private final Consumer<NettyConnection> onEnded;
    private final Outbound outbound;
    private final FrameReader reader;
    private final AtomicReference<@Nullable Ending> ending = new AtomicReference<>();
    private final AtomicBoolean cutting = new AtomicBoolean();
    private volatile boolean opened;

    // Used on the event loop.
    private @Nullable RequestHead head;
    private @Nullable ConnectionListener listener;
    private @Nullable Future<?> deadline;
    private boolean failed; // further input of the peer is ignored

    /**
     * Creates a connection for an accepted channel that is about to be registered with this loop.
     *
     * @param onEnded called on the loop when the connection is over
     */
    NettyConnection(
            SocketChannel channel,
            EventLoop loop,
            InetSocketAddress remote,
            Admission.Place place,
            Config config,
            Acceptor acceptor,
            Consumer<NettyConnection> onEnded) {
        this.channel = channel;
        this.loop = loop;
        this.remote = remote;
        this.place = place;
        this.handshakeTimeout = config.handshakeTimeout();
        this.acceptor = acceptor;
        this.onEnded = onEnded;
        this.outbound = new Outbound(channel, loop, config.outboundBytes(), this);
        this.reader = new FrameReader(Role.SERVER, config.messageBytes(), this);
        this.head = new RequestHead(config.handshakeBytes());
        channel.closeFuture().addListener(closed -> end());
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
            closeWith(Ending.local(why), Outbound.Then.GO_ON);
        } else { // the server stopped before the upgrade was complete
            lose("closed before the upgrade");
        }
    }

    @Override
    public void abort() {
        lose("aborted");
    }

    @Override
    public String remoteAddress() {
        return remote.getAddress().getHostAddress() + ":" + remote.getPort();
    }

    private boolean closeWith(Ending why, Outbound.Then then) {
        if (!ending.compareAndSet(null, why)) {
            return false;
        }
        // First, so that the connection ends even if there is no memory for the close frame.
        execute(this::cutAfterGrace);
        outbound.seal(FrameWriter.close(Role.SERVER, why.reason()), then);
        return true;
    }

    private void lose(String why) {
        ending.compareAndSet(null, Ending.lost(why));
        if (cutting.compareAndSet(false, true)) {
            try {
                execute(this::cut);
            } catch (Throwable failure) {
                // For example out of memory: the next call tries again.
                cutting.set(false);
                throw failure;
            }
        }
    }

    private void execute(Runnable task) {
        try {
            loop.execute(task);
        } catch (RejectedExecutionException stopped) {
            // All connections of the loop have ended with it.
            LOG.debug("{} has ended with its transport", remote);
        }
    }

    // ---- the event loop: the upgrade

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        deadline = loop.schedule(this::handshakeOverdue, handshakeTimeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    private void handshakeOverdue() {
        LOG.debug("{} did not finish its upgrade", remote);
        lose("upgrade overdue");
    }

    private void upgrade(ByteBuffer request) {
        Handshake handshake;
        try {
            UpgradeRequest parsed = UpgradeRequest.parse(request);
            handshake = parsed.handshake(remote);
            Upgrade verdict = acceptor.upgrade(handshake);
            if (!verdict.isAccepted()) {
                refuse(verdict.status(), verdict.reason());
                return;
            }
            outbound.control(parsed.accept(verdict.subprotocol()));
        } catch (UpgradeRequest.Refused refused) {
            refuse(refused.status(), refused.reason());
            return;
        } catch (Throwable failure) {
            // An Error of the acceptor must not end an event loop that others share.
            Steps.log(LOG, "deciding about an upgrade failed", failure);
            refuse(500, "Internal Server Error");
            return;
        }
        cancelDeadline();
        place.upgraded();
        opened = true;
        try {
            listener = acceptor.open(this, handshake);
        } catch (Throwable failure) {
            Steps.log(LOG, "opening a connection failed", failure);
            fail(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed to open the connection"));
        }
    }

    private void refuse(int status, String phrase) {
        if (ending.compareAndSet(null, Ending.lost("upgrade refused"))) {
            LOG.debug("refused {} with {}", remote, status);
            outbound.seal(UpgradeRequest.refusal(status, phrase), Outbound.Then.SHUT_OUTPUT);
            cutAfterGrace();
        }
    }

    // ---- the event loop: input

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        try {
            if (message instanceof ByteBuf buffer) {
                for (ByteBuffer part : buffer.nioBuffers()) {
                    received(part);
                }
            }
        } catch (FrameException violation) {
            LOG.debug("{} broke the protocol: {}", remote, violation.reason());
            fail(violation.reason());
        } catch (Throwable failure) {
            Steps.log(LOG, "receiving failed", failure);
            fail(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed"));
        } finally {
            ReferenceCountUtil.release(message);
        }
    }

    private void received(ByteBuffer part) throws FrameException {
        RequestHead unfinished = head;
        if (unfinished != null) {
            ByteBuffer whole = unfinished.read(part);
            if (whole != null) {
                head = null;
                upgrade(whole);
            } else if (unfinished.isFull()) {
                head = null;
                refuse(431, "Request Header Fields Too Large");
            }
        }
        if (opened) { // input after a refusal is ignored
            reader.read(part);
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
        if (!closeWith(Ending.ofPeer(why), Outbound.Then.FINISH)) {
            outbound.finish();
        }
    }

    private void hear(Consumer<ConnectionListener> call) {
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
        } catch (Throwable failure) { // affects only this connection
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
        if (!closeWith(Ending.local(why), Outbound.Then.SHUT_OUTPUT)) {
            lose("failed while closing");
        }
    }

    // ---- the event loop: the channel's state

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        if (channel.isWritable()) {
            outbound.writable();
        }
    }

    /**
     * Handles the end of the peer's input, by TCP or by TLS. If a close was sent, it still reaches the peer; else the
     * peer has left.
     */
    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        boolean inputEnded = event == ChannelInputShutdownEvent.INSTANCE || event == SslCloseCompletionEvent.SUCCESS;
        if (inputEnded && !outbound.finish()) {
            lose("the peer left without a closing handshake");
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        failed(cause);
    }

    @Override
    public void failed(Throwable cause) {
        if (cause instanceof IOException
                // From the network, the peer or TLS.
                || cause.getCause() instanceof IOException) {
            LOG.debug("the connection of {} broke", remote, cause);
        } else {
            Steps.log(LOG, "the connection of " + remote + " failed", cause);
        }
        lose("the connection broke");
    }

    @Override
    public void drained() {
        call(ConnectionListener::onDrained);
    }

    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // if this fails, the deadline closes the socket
    public void written(Outbound.Then then) {
        if (then == Outbound.Then.FINISH) {
            channel.close();
            return;
        }
        SslHandler tls = channel.pipeline().get(SslHandler.class);
        if (tls == null) {
            channel.shutdownOutput();
        } else {
            tls.closeOutbound().addListener(said -> channel.shutdownOutput());
        }
    }

    // ---- the event loop: the end

    private void cancelDeadline() {
        Future<?> pending = deadline;
        if (pending != null) {
            pending.cancel(false);
            deadline = null;
        }
    }

    /** Gives the peer a grace period to answer, which begins when it accepts no more of what waits for it. */
    private void cutAfterGrace() {
        long taken = outbound.taken();
        Runnable check = () -> {
            if (outbound.taken() - taken >= Admission.LEAST_TAKEN) {
                cutAfterGrace();
            } else {
                cut();
            }
        };
        Future<?> next = channel.isOpen() ? loop.schedule(check, CLOSE_GRACE.toNanos(), TimeUnit.NANOSECONDS) : null;
        cancelDeadline(); // only after there is another one
        deadline = next;
    }

    /** Closes the socket directly, because the TLS handler would first write its close_notify. */
    private void cut() {
        channel.unsafe().close(channel.unsafe().voidPromise());
    }

    private void end() {
        cancelDeadline();
        place.leave();
        outbound.close();
        Ending decided = ending.get();
        Ending why = decided == null ? Ending.lost("") : decided;
        try {
            call(to -> to.onClosed(why.reason(), why.byPeer()));
        } finally {
            listener = null;
            onEnded.accept(this);
        }
    }
}
