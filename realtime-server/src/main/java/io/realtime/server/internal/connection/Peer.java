package io.realtime.server.internal.connection;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.gson.JsonElement;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.MalformedException;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Authentication;
import io.realtime.server.Credentials;
import io.realtime.server.Limits;
import io.realtime.server.internal.execution.Bursts;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.session.ClientRecords;
import io.realtime.server.internal.session.LoginBars;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.server.internal.session.SessionConnection;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.server.internal.session.SessionRate;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The server's side of one connection. It goes from the upgrade through {@code $hello} and authentication to a {@link
 * ServerSession}, and is then the way in and out for that session.
 *
 * <p>The {@link ConnectionListener} methods run on the transport's I/O thread of this connection, one at a time; they
 * decode and hand over. {@link #send} may be called on any thread.
 */
public final class Peer implements ConnectionListener, SessionConnection, Bursts.Flushed {
    /** The bytes that a peer may send before it is authenticated, in one message and in all of them together. */
    private static final int EARLY_BYTES = Protocol.MOST_HELLO_BYTES;

    /** About how many bytes an early message takes beyond its text. */
    private static final int EARLY_OVERHEAD = 200;

    /** The phases of a connection, which passes through them in this order only. */
    private enum Phase {
        /** The peer is to send {@code $hello}. */
        HELLO,
        /** The peer is being authenticated, and then gets a session. Its messages wait meanwhile. */
        AUTHENTICATING,
        /** The peer has a session, which gets its messages. */
        READY,
        /** A message was refused, or the connection is to be closed. No more messages are accepted. */
        CLOSING,
        CLOSED
    }

    private final PeerAcceptor acceptor;
    private final SessionContext context;
    private final Connection connection;
    private final Handshake handshake;
    private final long number;
    private final boolean managed;
    private final InboundGuard guard;
    private final PeerLiveness liveness;

    private final ReentrantLock lock = new ReentrantLock();
    private final Deadline deadline;
    private final TokenCheck tokenCheck;
    private final DrainWaiters drainWaiters;
    // The longest message that the client accepts. Set before the welcome.
    private volatile int messageBytes = Integer.MAX_VALUE;
    private volatile Phase phase; // written under lock
    // Messages that arrived before the welcome.
    @GuardedBy("lock")
    private @Nullable Queue<Envelope> early;
    // Bytes of these messages, those of $hello included.
    @GuardedBy("lock")
    private long earlySize;
    // The maximum of earlySize. After authentication it is what a mailbox holds.
    @GuardedBy("lock")
    private long mostEarly = EARLY_BYTES;
    // Null after the welcome.
    @GuardedBy("lock")
    private @Nullable List<Runnable> onWelcome = new ArrayList<>(0);

    @GuardedBy("lock")
    private @Nullable CloseReason closed;
    // The client said that it does not come back.
    @GuardedBy("lock")
    private boolean isForGood;

    // Set once, after authentication.
    private volatile @Nullable ServerSession session;
    // Set once, when authentication begins.
    private volatile LoginBars.@Nullable Ticket admission;

    public Peer(PeerAcceptor acceptor, Connection connection, Handshake handshake, boolean managed) {
        this.acceptor = acceptor;
        this.context = acceptor.context();
        this.connection = connection;
        this.handshake = handshake;
        this.number = context.nextNumber();
        this.managed = managed;
        this.guard = new InboundGuard(context.limits(), context.scheduler().nanoTime());
        this.phase = managed ? Phase.HELLO : Phase.AUTHENTICATING;
        this.deadline = new Deadline(this, context, lock);
        this.tokenCheck = new TokenCheck(this, acceptor, lock);
        this.drainWaiters = new DrainWaiters(context.workers(), lock);
        this.liveness = new PeerLiveness(this, connection, acceptor);
        deadline.set(
                context.limits().helloTimeout(),
                new CloseReason(
                        CloseReason.HELLO_TIMEOUT,
                        managed ? "no $hello, or no answer to it, in time" : "not authenticated in time"));
    }

    @Override
    public Handshake handshake() {
        return handshake;
    }

    /** Returns a number that grows with each connection of this server. */
    @Override
    public long number() {
        return number;
    }

    /** Lets an authenticated peer send as much as a session may. */
    void trust() {
        lock.lock();
        try {
            mostEarly = context.mailboxBytes();
        } finally {
            lock.unlock();
        }
        connection.limitMessages(context.limits().messageBytes());
    }

    /**
     * Begins authentication. A plain client is authenticated by its upgrade request. A managed client sends {@code
     * $hello} first.
     */
    public void begin() {
        connection.limitMessages(Math.min(EARLY_BYTES, context.limits().messageBytes()));
        if (!managed) {
            Protocol.Hello hello =
                    new Protocol.Hello(Authentications.tokenOf(handshake), null, null, null, null, null, null, null);
            handle(hello, () -> hello);
        }
    }

    // ---------------------------------------------------------------- in

    @Override
    public void onText(String text) {
        context.counters().received(text.length());
        decode(() -> Envelope.parse(text));
    }

    @Override
    public void onBinary(ByteBuffer payload) {
        context.counters().received(payload.remaining());
        decode(() -> BinaryEnvelope.parse(payload));
    }

    private void decode(Supplier<Envelope> parser) {
        // Also while closing: the close has its reason already.
        liveness.received();
        if (isClosing()) {
            // A refused message is retransmitted, so the messages after it must be too.
            return;
        }
        try {
            receive(parser.get());
        } catch (MalformedException malformed) {
            bad(malformed);
        } catch (Throwable failure) {
            // For example out of memory. The message is lost here, so no later one may be accepted.
            enter(Phase.CLOSING);
            connection.abort();
            throw failure;
        }
    }

    /** Enters a phase, unless it is in that phase or a later one. Returns whether it did. */
    private boolean enter(Phase next) {
        lock.lock();
        try {
            boolean isNew = phase.compareTo(next) < 0;
            phase = isNew ? next : phase;
            return isNew;
        } finally {
            lock.unlock();
        }
    }

    boolean isClosing() {
        return phase.compareTo(Phase.CLOSING) >= 0;
    }

    @Override
    public void onActivity() {
        liveness.received();
        mayPing();
    }

    @Override
    public void onProgress(int bytes) {
        liveness.progressed(bytes, isClosing());
    }

    private void receive(Envelope envelope) {
        boolean isHello = envelope.type().equals(Protocol.HELLO);
        Phase now = phase;
        // READY lasts until the connection closes.
        if (now != Phase.READY) {
            boolean isFull = false;
            lock.lock();
            try {
                now = phase;
                if (now == Phase.HELLO && isHello) {
                    phase = Phase.AUTHENTICATING;
                    earlySize = (long) envelope.length() + EARLY_OVERHEAD;
                } else if (now == Phase.AUTHENTICATING && !isHello) {
                    isFull = !keep(envelope);
                }
            } finally {
                lock.unlock();
            }
            if (isFull) {
                close(new CloseReason(
                        CloseReason.OVERLOADED, "more than " + EARLY_BYTES + " bytes before the welcome"));
            }
            if (now.compareTo(Phase.CLOSING) >= 0 || (now == Phase.AUTHENTICATING && !isHello)) {
                return;
            }
        }
        liveness.received(envelope);
        ServerSession known = session;
        if (now == Phase.HELLO && isHello) {
            hello(envelope);
        } else if (known == null || isHello) {
            close(new CloseReason(
                    CloseReason.PROTOCOL_ERROR,
                    now == Phase.HELLO ? "the first frame must be $hello" : "$hello is for the first frame"));
        } else {
            deliver(known, envelope);
        }
    }

    /** Keeps a message until the welcome. Returns false when no more may wait. */
    @GuardedBy("lock")
    private boolean keep(Envelope envelope) {
        early = early == null ? new ArrayDeque<>() : early;
        earlySize += envelope.length() + EARLY_OVERHEAD;
        return early.size() < context.limits().mailbox() && earlySize <= mostEarly && early.add(envelope);
    }

    private void hello(Envelope envelope) {
        try {
            Protocol.Hello hello = envelope.data(Protocol.Hello.class);
            Integer most = hello.messageBytes();
            messageBytes = most == null ? Integer.MAX_VALUE : Math.max(TooBig.LEAST, most);
            handle(hello, () -> envelope.data(Protocol.Hello.class));
        } catch (RealtimeException unfit) {
            close(new CloseReason(CloseReason.PROTOCOL_ERROR, "$hello: " + unfit.getMessage()));
        }
    }

    private void deliver(ServerSession to, Envelope envelope) {
        ClientRecords.ClientRecord record = to.record();
        switch (envelope.type()) {
            case Protocol.PING -> {
                if (mayPing()) {
                    pong(envelope);
                }
                return;
            }
            // Credits must not wait for slow handlers, nor take places in the mailbox.
            case Protocol.CREDIT -> {
                note(envelope, () -> to.credit(envelope.data(Protocol.Credit.class)));
                return;
            }
            case Protocol.ACK -> {
                note(
                        envelope,
                        () -> to.inboxHandled(envelope.<Protocol.InboxAck>data(Protocol.InboxAck.class)
                                .offset()));
                return;
            }
            // Cancelled again in its turn, after the request.
            case Protocol.CANCEL -> cancel(to, envelope);
            default -> {}
        }
        if (record == null && !isWithinRate(to, envelope)) {
            return;
        }
        context.countWaiting(1);
        long now = context.scheduler().nanoTime();
        Mailbox.Turn turn = record == null ? Mailbox.AT_ONCE : to.rate().turn(envelope.type());
        BooleanSupplier offer = () -> to.isOpen()
                && to.mailbox().offer(envelope.length(), envelope.seq(), turn, () -> dispatch(to, envelope, now));
        ClientRecords.ClientRecord.Receipt receipt;
        if (record == null || envelope.seq() == 0) {
            receipt = offer.getAsBoolean()
                    ? ClientRecords.ClientRecord.Receipt.ACCEPTED
                    : ClientRecords.ClientRecord.Receipt.REFUSED;
        } else {
            receipt = record.receive(envelope.seq(), offer);
        }
        switch (receipt) {
            case ACCEPTED -> {
                if (to.hasCalls()) {
                    to.calls().answeredAtOnce(envelope);
                }
            }
            case DUPLICATE -> {
                context.countWaiting(-1);
                to.acknowledgeSoon();
                if (!guard.mayRepeat()) {
                    close(new CloseReason(CloseReason.PROTOCOL_ERROR, "sends the same numbers over and over"));
                }
            }
            case REFUSED -> {
                context.countWaiting(-1);
                if (!to.isOpen()) {
                    // The session has ended and closes the connection. The client retransmits.
                    enter(Phase.CLOSING);
                } else if (to.mailbox().isHeld()) {
                    wentOnAbove(to.rate().slowest(null));
                } else {
                    close(overloaded(context.limits()));
                }
            }
        }
    }

    /** Handles a message that was received at this time, by the monotonic clock. Runs in the session's mailbox. */
    private void dispatch(ServerSession to, Envelope envelope, long receivedAt) {
        context.counters().queueWait().record(context.scheduler().nanoTime() - receivedAt);
        acceptor.dispatcher().dispatch(to, this, envelope);
    }

    /**
     * Returns whether a message of a plain client is within the rate. If not, the peer is sent an error, or closed when
     * it got too many.
     */
    private boolean isWithinRate(ServerSession of, Envelope envelope) {
        long wait = of.rate().tryTake(envelope.type());
        if (wait == 0) {
            return true;
        }
        SessionRate.Named rate = of.rate().slowest(envelope.type());
        if (!guard.mayExceed(rate.limit(), context.scheduler().nanoTime())) {
            wentOnAbove(rate);
            return false;
        }
        context.counters().refusedMessage(ErrorCode.RATE_LIMITED.value());
        long retryAfterMs = TimeUnit.NANOSECONDS.toMillis(wait) + 1;
        send(error(
                new ErrorData(ErrorCode.RATE_LIMITED.value(), "more messages than " + rate, true, retryAfterMs, null),
                envelope.ref(),
                0));
        return false;
    }

    /** Returns whether a ping or a pong is within its limit. If not, the peer is closed. */
    private boolean mayPing() {
        if (isClosing()) {
            return false;
        }
        boolean may = guard.mayPing(context.scheduler().nanoTime());
        if (!may) {
            // A close for a flood does not wait for the peer's answer.
            close(new CloseReason(CloseReason.RATE_LIMITED, "more pings and pongs than " + InboundGuard.PINGS));
            connection.abort();
        }
        return may;
    }

    /** Handles what the client says of how far it has read. What says nothing new counts as a ping. */
    private void note(Envelope envelope, BooleanSupplier isNews) {
        try {
            if (!isNews.getAsBoolean()) {
                mayPing();
            }
        } catch (PayloadException unfit) {
            // This counts as a ping too. A message that came early is not handled on the I/O thread.
            if (mayPing()) {
                send(error(ErrorData.of(unfit), envelope.ref(), 0));
            }
        }
    }

    private static void cancel(ServerSession to, Envelope envelope) {
        if (envelope.ref() != null && to.hasCalls()) {
            to.calls().cancel(envelope.ref());
        }
    }

    private void pong(Envelope ping) {
        Outgoing frame;
        try {
            JsonElement data = ping.data(JsonElement.class);
            frame = Outgoing.of(Protocol.PONG).ref(ping.ref()).data(data, JsonElement.class);
        } catch (PayloadException unreadable) {
            // It holds half a surrogate pair, which no frame could return.
            send(error(ErrorData.of(unreadable), ping.ref(), 0));
            return;
        }
        send(frame.frame());
    }

    private void wentOnAbove(SessionRate.Named rate) {
        close(new CloseReason(CloseReason.RATE_LIMITED, "kept sending above " + rate));
    }

    /** Returns why a connection is closed whose session's mailbox is full. */
    static CloseReason overloaded(Limits limits) {
        String why = "more messages wait than limits.mailbox, " + limits.mailbox() + ", or their bytes, allow";
        return new CloseReason(CloseReason.OVERLOADED, why);
    }

    /** Sends the peer an error for a malformed message. Closes the peer after too many of them. */
    private void bad(MalformedException fault) {
        context.counters().refusedMessage(ErrorCode.BAD_MESSAGE.value());
        boolean isTolerated = guard.mayBeBad(context.scheduler().nanoTime());
        if (phase == Phase.HELLO || !isTolerated) {
            close(new CloseReason(CloseReason.PROTOCOL_ERROR, fault.getMessage()));
            return;
        }
        // Deferred, since the welcome is the first frame that a peer gets.
        whenWelcomed(() -> send(error(ErrorData.of(fault), fault.ref(), fault.seq())));
    }

    // ---------------------------------------------------------------- authentication and admission

    private void handle(Protocol.Hello hello, Supplier<Protocol.Hello> again) {
        LoginBars.Ticket mine = context.admissions().begin();
        admission = mine;
        new HelloHandler(this, managed, acceptor, mine).handle(hello, again);
    }

    @Override
    public boolean authenticate(
            Credentials credentials, BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer) {
        return tokenCheck.begin(credentials, session != null, answer);
    }

    /**
     * Sets the session, runs what waited for the welcome, and delivers the early messages. Returns false when the
     * connection was closed meanwhile.
     */
    boolean become(ServerSession mine) {
        session = mine;
        endAdmission();
        CloseReason gone;
        boolean forGood;
        List<Runnable> waiting = List.of();
        lock.lock();
        try {
            gone = closed;
            forGood = isForGood;
            if (onWelcome != null) {
                waiting = onWelcome;
                onWelcome = null;
            }
        } finally {
            lock.unlock();
        }
        if (gone != null) {
            mine.detached(this, gone, forGood);
            return false;
        }
        Steps.each(waiting, Runnable::run);
        while (true) {
            Envelope next;
            lock.lock();
            try {
                // No message is delivered after one that was refused.
                next = early == null || isClosing() ? null : early.poll();
                if (next == null) {
                    early = null;
                    return enter(Phase.READY);
                }
            } finally {
                lock.unlock();
            }
            deliver(mine, next);
        }
    }

    /** Runs a task after the welcome; at once when the welcome was sent. */
    @Override
    public void whenWelcomed(Runnable task) {
        lock.lock();
        try {
            if (onWelcome != null) {
                onWelcome.add(task);
                return;
            }
        } finally {
            lock.unlock();
        }
        task.run();
    }

    /** Returns when the connection is closed at the latest: the end of the handshake, later that of the token. */
    Deadline deadline() {
        return deadline;
    }

    @Override
    public void expireAt(@Nullable Instant end) {
        if (end == null) {
            deadline.clear();
            return;
        }
        long wait = Math.max(0, end.toEpochMilli() - context.scheduler().currentTimeMillis());
        deadline.set(Duration.ofMillis(wait), new CloseReason(CloseReason.TOKEN_EXPIRED, "token expired"));
    }

    private void endAdmission() {
        LoginBars.Ticket mine = admission;
        if (mine != null) {
            context.admissions().end(mine);
        }
    }

    // ---------------------------------------------------------------- out

    /**
     * Sends a frame of this connection. While its session's mailbox has more to run, the frame is flushed with the next
     * ones. A connection that does not accept the frame closes.
     */
    @Override
    public void send(WireMessage frame) {
        boolean isHeld = Bursts.isHolding();
        send(counted(frame), isHeld);
        if (isHeld) {
            // After the frame is queued: from here on any thread may flush.
            Bursts.defer(this);
        }
    }

    /**
     * Sends a frame that says that a delivery has begun, and begins the delivery before the frame is flushed. Otherwise
     * an ephemeral message would be lost if it was published after the client had read the frame and before the
     * delivery began.
     *
     * @param begin begins the delivery; the messages that it sends arrive after the frame
     */
    @Override
    public void send(WireMessage frame, Runnable begin) {
        send(counted(frame), true);
        try {
            begin.run();
        } finally {
            if (!Bursts.defer(this)) {
                flush();
            }
        }
    }

    /** Counts a frame of this connection. Rooms count what they send. */
    private MessageBatch counted(WireMessage frame) {
        MessageBatch batch = MessageBatch.of(frame);
        context.counters().sent(1, batch.bytes());
        return batch;
    }

    @Override
    public void send(MessageBatch batch) {
        if (batch.isEphemeral() && isCrowded()) {
            // A slow receiver gets no ephemeral messages. Later they would be of no use.
            return;
        }
        send(batch, false);
    }

    /** Writes what bursts have queued. */
    @Override
    public void flush() {
        connection.flush();
    }

    /** Returns the length of the longest message that the client accepts. */
    @Override
    public int messageBytes() {
        return messageBytes;
    }

    private void send(MessageBatch whole, boolean isHeld) {
        // The first comparison is for speed: in a room of a thousand members, messageBytes is not in the processor's
        // caches.
        boolean fits = whole.longest() <= TooBig.LEAST || whole.longest() <= messageBytes;
        ServerSession of = session;
        MessageBatch batch = fits || of == null ? whole : TooBig.replaceIn(whole, of, messageBytes);
        if (batch.frames().isEmpty()) {
            return;
        }
        boolean isSent;
        try {
            isSent = isHeld ? connection.queue(batch) : connection.send(batch);
        } catch (Throwable failure) {
            // For example out of memory. What follows must not arrive without this batch.
            connection.abort();
            throw failure;
        }
        if (!isSent) {
            // Full, or closing already; then this close does nothing.
            connection.close(new CloseReason(CloseReason.SLOW_CONSUMER, "reads more slowly than it is sent to"));
        }
    }

    @Override
    public void abort() {
        connection.abort();
    }

    @Override
    public long outboundBytes() {
        return connection.outboundBytes();
    }

    @Override
    public boolean awaitWritable(Runnable proceed) {
        return connection.awaitWritable(proceed);
    }

    @Override
    public boolean awaitDrained(Runnable proceed) {
        if (!isCrowded() || !drainWaiters.add(proceed)) {
            return false;
        }
        if (!isCrowded()) {
            // Drained in between. What waits now may be too little for another call of onDrained.
            onDrained();
        }
        return true;
    }

    /** Returns whether so many bytes wait that the connection will call {@link #onDrained}. */
    private boolean isCrowded() {
        return connection.outboundBytes() > context.limits().outboundBytes() / 2;
    }

    @Override
    public void onDrained() {
        ServerSession known = session;
        if (known != null && known.hasCalls()) {
            known.calls().roomAgain();
        }
        drainWaiters.resume();
    }

    static WireMessage error(ErrorData error, @Nullable String ref, long seq) {
        return Outgoing.of(Protocol.ERROR)
                .ref(ref)
                .seq(seq)
                .data(error, ErrorData.class)
                .frame();
    }

    /** Closes the connection after an error frame that says why. Messages that still arrive are not accepted. */
    @Override
    public void close(CloseReason reason) {
        enter(Phase.CLOSING);
        ErrorData why = CloseErrors.of(reason);
        if (why != null) {
            // A failure to send does not prevent the close.
            Steps.run(() -> connection.send(MessageBatch.of(error(why, null, 0))));
        }
        connection.close(reason);
    }

    /** Accepts no more messages. Returns false when the connection was closing already. */
    boolean beginClosing() {
        return enter(Phase.CLOSING);
    }

    /** Stops accepting messages, since the connection is about to close. */
    @Override
    public void takeNoMore() {
        beginClosing();
    }

    /** Closes after all that the session, if there is one, was to be told until now. */
    public void closeBehind(CloseReason reason) {
        ServerSession of = session;
        if (of == null) {
            close(reason);
        } else {
            of.close(this, reason);
        }
    }

    /** Sends the frame that says that the server drains, after the welcome. */
    public void goodbye(MessageBatch frame) {
        whenWelcomed(() -> connection.send(frame));
    }

    /** Returns whether messages of this client wait for their handlers, or are being handled. */
    boolean isBusy() {
        ServerSession of = session;
        return of != null && !of.mailbox().isIdle();
    }

    /** Returns the frame that says that the server drains. It is the same for all peers. */
    public static MessageBatch goodbyeFrame(long spreadMs) {
        Protocol.Goodbye data = new Protocol.Goodbye(new Protocol.Retry(0, spreadMs));
        return MessageBatch.of(
                Outgoing.of(Protocol.GOODBYE).data(data, Protocol.Goodbye.class).frame());
    }

    @Override
    public void onClosed(CloseReason reason, boolean byPeer) {
        boolean forGood = byPeer && reason.code() == CloseReason.NORMAL;
        context.counters().closed(reason, byPeer);
        liveness.stop();
        lock.lock();
        try {
            enter(Phase.CLOSED);
            closed = reason;
            isForGood = forGood;
            early = null;
            deadline.stop();
            drainWaiters.close();
        } finally {
            lock.unlock();
        }
        tokenCheck.cancel();
        acceptor.gone(this);
        endAdmission();
        ServerSession mine = session;
        if (mine != null) {
            mine.detached(this, reason, forGood);
        }
        // Tasks that waited mostly find that the session has left this connection, and end.
        drainWaiters.resume();
    }

    /** Returns a hash of the number, as {@link Session#hashCode} does. */
    @Override
    public int hashCode() {
        return Long.hashCode(number);
    }

    /** Returns the peer's address only. */
    @Override
    public String toString() {
        return "Peer{" + connection.remoteAddress() + "}";
    }
}
