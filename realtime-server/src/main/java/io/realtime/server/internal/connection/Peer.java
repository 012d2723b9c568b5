package io.realtime.server.internal.connection;

import com.google.gson.JsonElement;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Heartbeat;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.internal.HeartbeatMonitor;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.MalformedException;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Authentication;
import io.realtime.server.Credentials;
import io.realtime.server.Limits;
import io.realtime.server.internal.execution.Bursts;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.execution.Pool;
import io.realtime.server.internal.session.Admissions;
import io.realtime.server.internal.session.ClientRecords;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.server.internal.session.SessionConnection;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.server.internal.session.SessionRate;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
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
 * decode and hand over. {@link #send} may be called on any thread. Fields are guarded by {@link #lock} unless they say
 * otherwise.
 */
public final class Peer implements ConnectionListener, SessionConnection, Bursts.Flushed {
    /**
     * The codes of the error that a peer is sent before a close, since a browser sees only the close code and reason.
     */
    private static final Map<Integer, ErrorCode> WORDS = Map.ofEntries(
            Map.entry(CloseReason.UNAUTHORIZED, ErrorCode.UNAUTHORIZED),
            Map.entry(CloseReason.PROTOCOL_ERROR, ErrorCode.BAD_MESSAGE),
            Map.entry(CloseReason.FORBIDDEN, ErrorCode.FORBIDDEN),
            Map.entry(CloseReason.KICKED, ErrorCode.of("kicked")),
            Map.entry(CloseReason.SESSION_REPLACED, ErrorCode.of("session_replaced")),
            Map.entry(CloseReason.OVERLOADED, ErrorCode.OVERLOADED),
            Map.entry(CloseReason.HELLO_TIMEOUT, ErrorCode.of("hello_timeout")),
            Map.entry(CloseReason.HEARTBEAT_TIMEOUT, ErrorCode.of("heartbeat_timeout")),
            Map.entry(CloseReason.TOO_MANY_SESSIONS, ErrorCode.of("too_many_sessions")),
            Map.entry(CloseReason.RATE_LIMITED, ErrorCode.RATE_LIMITED),
            Map.entry(CloseReason.IDLE, ErrorCode.of("idle")),
            Map.entry(CloseReason.DRAINING, ErrorCode.of("draining")),
            Map.entry(CloseReason.TOKEN_EXPIRED, ErrorCode.TOKEN_EXPIRED));

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
    private final HeartbeatMonitor heartbeat;
    // Counts messages only.
    private final @Nullable HeartbeatMonitor idle;

    private final ReentrantLock lock = new ReentrantLock();
    // The longest message that the client accepts. Set before the welcome.
    private volatile int messageBytes = Integer.MAX_VALUE;
    private volatile Phase phase; // written under lock
    // Messages that arrived before the welcome.
    private @Nullable Queue<Envelope> early; // guarded by lock
    // Bytes of these messages, those of $hello included.
    private long earlySize; // guarded by lock
    // The maximum of earlySize. After authentication it is what a mailbox holds.
    private long mostEarly = EARLY_BYTES; // guarded by lock
    // Null after the welcome.
    private @Nullable List<Runnable> onWelcome = new ArrayList<>(0); // guarded by lock
    // Of the handshake, later of the token.
    private Scheduler.Cancellable deadline = () -> {}; // guarded by lock
    // Distinguishes the newest deadline from one that comes too late.
    private int deadlines; // guarded by lock
    private @Nullable CloseReason closed; // guarded by lock
    // The client said that it does not come back.
    private boolean isForGood; // guarded by lock
    // A token is being checked.
    private boolean isAuthenticating; // guarded by lock
    // Of the newest check of a token.
    private Pool.@Nullable Ticket authentication; // guarded by lock
    // At most one entry for each room of the session.
    private List<Runnable> paused = List.of(); // guarded by lock

    // Set once, after authentication.
    private volatile @Nullable ServerSession session;
    // Set once, when authentication begins.
    private volatile Admissions.@Nullable Ticket admission;

    public Peer(PeerAcceptor acceptor, Connection connection, Handshake handshake, boolean managed) {
        this.acceptor = acceptor;
        this.context = acceptor.context();
        this.connection = connection;
        this.handshake = handshake;
        this.number = context.nextNumber();
        this.managed = managed;
        this.guard = new InboundGuard(context.limits(), context.scheduler().nanoTime());
        this.phase = managed ? Phase.HELLO : Phase.AUTHENTICATING;
        this.heartbeat = HeartbeatMonitor.start(
                acceptor.heartbeat(),
                acceptor.random().nextDouble(),
                context.scheduler(),
                connection::taken,
                // After a pause of the process many pings are due at once.
                () -> context.workers().execute(connection::ping),
                () -> context.workers()
                        .execute(() -> close(new CloseReason(
                                CloseReason.HEARTBEAT_TIMEOUT,
                                "nothing heard for "
                                        + acceptor.heartbeat().timeout().toMillis() + " ms"))));
        Duration idleTimeout = context.limits().idleTimeout();
        this.idle = idleTimeout.isZero()
                ? null
                : HeartbeatMonitor.start(
                        new Heartbeat(idleTimeout.dividedBy(2), idleTimeout),
                        0,
                        context.scheduler(),
                        () -> {},
                        () -> context.workers()
                                .execute(() -> close(new CloseReason(
                                        CloseReason.IDLE, "no message for " + idleTimeout.toMillis() + " ms"))));
        lock.lock();
        try {
            closeAfter(
                    context.limits().helloTimeout(),
                    new CloseReason(
                            CloseReason.HELLO_TIMEOUT,
                            managed ? "no $hello, or no answer to it, in time" : "not authenticated in time"));
        } finally {
            lock.unlock();
        }
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
    private void trust() {
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
            authenticate(hello, () -> hello);
        }
    }

    // ---------------------------------------------------------------- in

    @Override
    public void onText(String text) {
        decode(() -> Envelope.parse(text));
    }

    @Override
    public void onBinary(ByteBuffer payload) {
        decode(() -> BinaryEnvelope.parse(payload));
    }

    private void decode(Supplier<Envelope> parser) {
        // Also while closing: the close has its reason already.
        heartbeat.received();
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

    private boolean isClosing() {
        return phase.compareTo(Phase.CLOSING) >= 0;
    }

    @Override
    public void onActivity() {
        heartbeat.received();
        mayPing();
    }

    @Override
    public void onProgress(int bytes) {
        heartbeat.progressed(bytes);
        if (idle != null && !isClosing()) {
            idle.progressed(bytes);
        }
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
        if (idle != null
                && !envelope.type().equals(Protocol.PING)
                && !envelope.type().equals(Protocol.ACK)) {
            idle.received();
        }
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

    /** Keeps a message until the welcome. Returns false when no more may wait. The caller holds the lock. */
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
            authenticate(hello, () -> envelope.data(Protocol.Hello.class));
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
        Mailbox.Turn turn = record == null ? Mailbox.AT_ONCE : to.rate();
        BooleanSupplier offer = () -> to.isOpen()
                && to.mailbox()
                        .offer(
                                envelope.length(),
                                envelope.seq(),
                                turn,
                                () -> acceptor.dispatcher().dispatch(to, this, envelope));
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
                    wentOnAbove(to.rate().slowest());
                } else {
                    close(overloaded(context.limits()));
                }
            }
        }
    }

    /**
     * Returns whether a message of a plain client is within the rate. If not, the peer is sent an error, or closed when
     * it got too many.
     */
    private boolean isWithinRate(ServerSession of, Envelope envelope) {
        long wait = of.rate().tryTake();
        if (wait == 0) {
            return true;
        }
        SessionRate.Named rate = of.rate().slowest();
        if (!guard.mayExceed(rate.limit(), context.scheduler().nanoTime())) {
            wentOnAbove(rate);
            return false;
        }
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
        boolean isTolerated = guard.mayBeBad(context.scheduler().nanoTime());
        if (phase == Phase.HELLO || !isTolerated) {
            close(new CloseReason(CloseReason.PROTOCOL_ERROR, fault.getMessage()));
            return;
        }
        // Deferred, since the welcome is the first frame that a peer gets.
        whenWelcomed(() -> send(error(ErrorData.of(fault), fault.ref(), fault.seq())));
    }

    // ---------------------------------------------------------------- authentication and admission

    /**
     * Authenticates the peer, and admits it.
     *
     * @param again reads the {@code $hello} again. Its positions take ten times the space of their text, so they are
     *     not kept meanwhile
     */
    private void authenticate(Protocol.Hello hello, Supplier<Protocol.Hello> again) {
        String client = hello.client();
        if (client != null && (client.length() > 128 || !Names.isLine(client, Integer.MAX_VALUE))) {
            close(new CloseReason(
                    CloseReason.PROTOCOL_ERROR,
                    "$hello: client is not 1 to 128 characters without control characters"));
            return;
        }
        Admissions.Ticket mine = context.admissions().begin();
        admission = mine;
        SessionOpener opener = new SessionOpener(this, managed, acceptor, mine);
        authenticate(new Credentials(hello.token(), hello.client(), handshake), (proof, refusal) -> {
            if (proof == null) {
                refuse(refusal);
            } else {
                try {
                    admit(again.get(), proof, opener);
                } catch (Throwable failure) {
                    failed(failure, opener, null);
                }
            }
        });
    }

    /**
     * Checks a token, one at a time. A token that a session refreshes is refused with {@code timeout} when its check
     * takes longer than {@link Limits#helloTimeout}.
     *
     * @param answer gets the authentication or the refusal; it is not called when the connection is gone before the
     *     authenticator was asked
     * @return false when another token is being checked
     */
    @Override
    public boolean authenticate(
            Credentials credentials, BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer) {
        lock.lock();
        try {
            if (isAuthenticating) {
                return false;
            }
            isAuthenticating = true;
        } finally {
            lock.unlock();
        }
        Check check = new Check(answer);
        // Without a session, the handshake has a deadline of its own.
        if (session != null) {
            check.setDeadline();
        }
        Pool.Ticket ticket = acceptor.authentications().authenticate(credentials, this::isClosing, check::answered);
        boolean isGone;
        lock.lock();
        try {
            authentication = ticket;
            isGone = closed != null;
        } finally {
            lock.unlock();
        }
        if (isGone) {
            ticket.cancel();
        }
        return true;
    }

    /** The check of one token. It is answered once. */
    private final class Check {
        private final BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer;
        private final AtomicBoolean isAnswered = new AtomicBoolean();
        // Set before the check begins.
        private Scheduler.Cancellable deadline = () -> {};

        Check(BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer) {
            this.answer = answer;
        }

        void setDeadline() {
            RealtimeException late = new RealtimeException(ErrorCode.TIMEOUT, "not authenticated in time", true, null);
            deadline = context.scheduler()
                    .schedule(
                            context.limits().helloTimeout(),
                            () -> context.workers().execute(() -> answered(null, late)));
        }

        void answered(@Nullable Authentication proof, @Nullable RealtimeException refusal) {
            if (!isAnswered.compareAndSet(false, true)) {
                return;
            }
            deadline.cancel();
            lock.lock();
            try {
                isAuthenticating = false;
            } finally {
                lock.unlock();
            }
            answer.accept(proof, refusal);
        }
    }

    private void refuse(@Nullable RealtimeException refusal) {
        boolean expired = refusal != null && refusal.code().equals(ErrorCode.TOKEN_EXPIRED);
        String why = refusal == null ? "refused" : Steps.message(refusal);
        close(new CloseReason(expired ? CloseReason.TOKEN_EXPIRED : CloseReason.UNAUTHORIZED, why));
    }

    /** Finds the session to resume, and asks the join rule about its rooms. */
    private void admit(Protocol.Hello hello, Authentication proof, SessionOpener opener) {
        if (isClosing()) {
            // A closing peer must not count as a resumption, nor must the rules be asked for it.
            return;
        }
        SessionOpener.Result found = opener.find(hello, proof);
        if (found instanceof SessionOpener.Refused refused) {
            close(refused.reason());
            return;
        }
        ServerSession resumed = ((SessionOpener.Found) found).resumed();
        if (resumed == null) {
            admit(hello, proof, opener, null, Set.of());
            return;
        }
        lock.lock();
        try {
            // Rules have a timeout of their own.
            deadline.cancel();
            deadlines++;
        } finally {
            lock.unlock();
        }
        CompletableFuture<?> unused = acceptor.rules()
                .forbidden(resumed, resumed.memberships().unplacedRooms())
                .thenAccept(
                        forbidden -> context.workers().execute(() -> admit(hello, proof, opener, resumed, forbidden)));
    }

    /**
     * Gives this connection a session and sends the welcome. Runs on the server's executor.
     *
     * @param resumed the session to resume, or null for a new one
     * @param forbidden rooms that the session may no longer be in
     */
    private void admit(
            Protocol.Hello hello,
            Authentication proof,
            SessionOpener opener,
            @Nullable ServerSession resumed,
            Set<String> forbidden) {
        try {
            if (context.state().isDraining()) {
                close(new CloseReason(CloseReason.DRAINING, "server is draining"));
                return;
            }
            if (isClosing()) {
                // The client has given this connection up. It must not take the session from the client's next one.
                return;
            }
            SessionOpener.Result result = opener.open(hello, proof, resumed, forbidden);
            if (result instanceof SessionOpener.Opened opened) {
                welcome(opened, proof.expiresAt());
            } else if (result instanceof SessionOpener.Refused refused) {
                close(refused.reason());
            }
        } catch (Throwable failure) {
            failed(failure, opener, resumed);
        }
    }

    /**
     * Handles a failed admission, for example out of memory. Closes the connection at once, and ends a session that was
     * made for it.
     */
    private void failed(Throwable failure, SessionOpener opener, @Nullable ServerSession resumed) {
        Steps.log(context.log(), this + " could not be let in", failure);
        CloseReason reason = new CloseReason(CloseReason.INTERNAL_ERROR, "internal error");
        close(reason);
        opener.abandon(reason);
        if (resumed != null) {
            resumed.detached(this, reason, false);
        }
    }

    private void welcome(SessionOpener.Opened opened, @Nullable Instant expiresAt) {
        ServerSession mine = opened.session();
        expireAt(expiresAt);
        // Before the peer can know that it is authenticated.
        trust();
        if (!opened.isResumed()) {
            // Before anybody knows the session's secret, so that onOpen comes first.
            mine.opened();
        }
        Protocol.RoomPosition inbox = opened.attached().rooms().get(Names.SESSION);
        if (!opened.isResumed() || (inbox != null && inbox.isLost())) {
            mine.tellRefusals(this);
        }
        send(welcomeFrame(opened, expiresAt), () -> {
            if (become(mine)) {
                mine.welcomed(this);
            }
        });
    }

    private WireMessage welcomeFrame(SessionOpener.Opened opened, @Nullable Instant expiresAt) {
        ServerSession of = opened.session();
        Protocol.Ack processed = of.welcome(this);
        Protocol.Welcome welcome = new Protocol.Welcome(
                of.secret(),
                of.user().id(),
                opened.isResumed(),
                processed.seq(),
                processed.answers(),
                opened.isKnown(),
                opened.attached().rooms(),
                opened.attached().isPartial() ? true : null,
                new Protocol.HeartbeatMs(
                        acceptor.heartbeat().interval().toMillis(),
                        acceptor.heartbeat().timeout().toMillis()),
                new Protocol.LimitsData(
                        context.limits().messageBytes(),
                        context.limits().inflight(),
                        context.inflightBytes(),
                        context.sessionTtl().toMillis()),
                new Protocol.Spread(acceptor.spreadMs()),
                expiresAt == null ? null : expiresAt.toEpochMilli());
        return Outgoing.of(Protocol.WELCOME)
                .ts(context.scheduler().currentTimeMillis())
                .data(welcome, Protocol.Welcome.class)
                .frame();
    }

    /**
     * Sets the session, runs what waited for the welcome, and delivers the early messages. Returns false when the
     * connection was closed meanwhile.
     */
    private boolean become(ServerSession mine) {
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

    /**
     * Closes with 4300 at this time; null means never. Replaces the deadline of the handshake, or of an earlier token.
     */
    @Override
    public void expireAt(@Nullable Instant end) {
        lock.lock();
        try {
            deadline.cancel();
            deadlines++;
            if (end == null || closed != null) {
                return;
            }
            long wait = Math.max(0, end.toEpochMilli() - context.scheduler().currentTimeMillis());
            closeAfter(Duration.ofMillis(wait), new CloseReason(CloseReason.TOKEN_EXPIRED, "token expired"));
        } finally {
            lock.unlock();
        }
    }

    /** Sets the deadline. One that fires too late to be cancelled does nothing. The caller holds the lock. */
    private void closeAfter(Duration wait, CloseReason reason) {
        int number = deadlines;
        deadline = context.scheduler().schedule(wait, () -> {
            boolean isMissed;
            lock.lock();
            try {
                isMissed = deadlines == number && phase.compareTo(Phase.CLOSING) < 0;
                phase = isMissed ? Phase.CLOSING : phase;
            } finally {
                lock.unlock();
            }
            if (isMissed) {
                // Many deadlines may be due at once.
                context.workers().execute(() -> close(reason));
            }
        });
    }

    private void endAdmission() {
        Admissions.Ticket mine = admission;
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
        send(MessageBatch.of(frame), isHeld);
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
        send(MessageBatch.of(frame), true);
        try {
            begin.run();
        } finally {
            if (!Bursts.defer(this)) {
                flush();
            }
        }
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

    /** Returns a batch in which an error replaces each message that is too long for the client. */
    private MessageBatch whatFits(MessageBatch batch) {
        ServerSession of = session;
        List<WireMessage> frames = new ArrayList<>();
        for (WireMessage frame : batch.frames()) {
            WireMessage fitting =
                    of == null || frame.length() <= messageBytes ? frame : TooBig.instead(frame, of, messageBytes);
            if (fitting != null) {
                frames.add(fitting);
            }
        }
        return MessageBatch.of(frames, batch.isEphemeral());
    }

    private void send(MessageBatch whole, boolean isHeld) {
        // The first comparison is for speed: in a room of a thousand members, messageBytes is not in the processor's
        // caches.
        boolean fits = whole.longest() <= TooBig.LEAST || whole.longest() <= messageBytes;
        MessageBatch batch = fits ? whole : whatFits(whole);
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
        if (!isCrowded()) {
            return false;
        }
        lock.lock();
        try {
            if (phase == Phase.CLOSED) {
                return false;
            }
            paused = paused.isEmpty() ? new ArrayList<>() : paused;
            paused.add(proceed);
        } finally {
            lock.unlock();
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
        proceed();
    }

    /** Resumes the tasks that wait in {@link #awaitDrained}. */
    private void proceed() {
        List<Runnable> waiting;
        lock.lock();
        try {
            waiting = paused;
            paused = List.of();
        } finally {
            lock.unlock();
        }
        if (!waiting.isEmpty()) {
            // One after the other: all at once could be more than the connection holds.
            context.workers().execute(() -> Steps.each(waiting, Runnable::run));
        }
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
        ErrorCode word = WORDS.get(reason.code());
        if (word != null) {
            boolean retryable = reason.code() >= 4100;
            ErrorData why = new ErrorData(word.value(), reason.text(), retryable, null, reason.code());
            // A failure to send does not prevent the close.
            Steps.run(() -> connection.send(MessageBatch.of(error(why, null, 0))));
        }
        connection.close(reason);
    }

    /** Stops accepting messages, since the connection is about to close. */
    @Override
    public void takeNoMore() {
        enter(Phase.CLOSING);
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

    /** Returns the frame that says that the server drains. It is the same for all peers. */
    public static MessageBatch goodbyeFrame(long spreadMs) {
        Protocol.Goodbye data = new Protocol.Goodbye(new Protocol.Retry(0, spreadMs));
        return MessageBatch.of(
                Outgoing.of(Protocol.GOODBYE).data(data, Protocol.Goodbye.class).frame());
    }

    @Override
    public void onClosed(CloseReason reason, boolean byPeer) {
        boolean forGood = byPeer && reason.code() == CloseReason.NORMAL;
        heartbeat.stop();
        if (idle != null) {
            idle.stop();
        }
        Pool.Ticket unanswered;
        lock.lock();
        try {
            enter(Phase.CLOSED);
            closed = reason;
            isForGood = forGood;
            early = null;
            deadline.cancel();
            unanswered = authentication;
        } finally {
            lock.unlock();
        }
        if (unanswered != null) {
            unanswered.cancel();
        }
        acceptor.gone(this);
        endAdmission();
        ServerSession mine = session;
        if (mine != null) {
            mine.detached(this, reason, forGood);
        }
        // Tasks that waited mostly find that the session has left this connection, and end.
        proceed();
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
