package io.realtime.client.internal.connection;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.internal.call.ClientCalls;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.outbox.OutboxFile;
import io.realtime.client.internal.outbox.Sender;
import io.realtime.client.internal.room.HelloPositions;
import io.realtime.client.internal.room.HistoryReader;
import io.realtime.client.internal.room.InboxAcks;
import io.realtime.client.internal.room.Rooms;
import io.realtime.internal.Ids;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What outlives a connection: the client's identity, its user and session, and the messages, rooms and calls that belong
 * to them. Writes {@code $hello}, and begins with what {@code $welcome} says. Owned by the scheduler's thread.
 */
final class ClientSession {
    private static final String AGENT = "realtime-java/1";
    private static final Duration ROOM_RETRY = Duration.ofSeconds(1);
    private static final int DEFAULT_INFLIGHT = 256;
    // The bound on the protocol's own requests.
    private static final int MOST_REQUEST_BYTES = 64 << 10;
    private static final int LEAST_REQUEST_BYTES = 1 << 10;

    final Sender sender;
    final Rooms rooms;
    final HistoryReader history;
    final ClientCalls calls;
    final InboxAcks inboxAcks;

    private final ClientConfig config;
    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    private final EngineThread thread;
    // The connection that the server has welcomed.
    private @Nullable ServerConnection open;
    private String clientId;
    // The owner of the messages, rooms and positions; null until a welcome names it.
    private @Nullable String user;
    // Whether the hello names nothing that belonged to another user.
    private boolean isNewClient;
    // Counts the users: each has another number.
    private int era;
    private @Nullable String session;
    // The longest request that the server accepts, as it last said.
    private int longestRequest = Protocol.MOST_HELLO_BYTES;
    // The longest request that every hop accepts, as far as is known.
    private int mostRequestBytes = MOST_REQUEST_BYTES;
    // Whether the hello was too big for this server: then the next one names only the protocol's rooms.
    private boolean isHelloTooBig;

    /**
     * @param onDelivered called on any thread when something may be delivered that a disconnect waits for
     * @param onAsked called before a message may be sent that the application sent outside its callbacks
     */
    ClientSession(
            ClientConfig config,
            CallbackDispatcher callbacks,
            EngineThread thread,
            Runnable onDelivered,
            Runnable onAsked) {
        this.config = config;
        this.scheduler = config.scheduler();
        this.callbacks = callbacks;
        this.thread = thread;
        this.sender = new Sender(
                scheduler,
                callbacks,
                config.outbox(),
                config.outboxFile(),
                config.target().outboundBytes(),
                config.traces(),
                new SendContext(onDelivered, onAsked));
        this.rooms = new Rooms(callbacks, scheduler, sender::isDone, this::retryRoomsLater);
        this.history = new HistoryReader(callbacks, scheduler, this::sendNow);
        this.calls =
                new ClientCalls(Ids.name(config.random()), sender, callbacks, scheduler, this::sendNow, onDelivered);
        this.inboxAcks = new InboxAcks(scheduler, this::sendInboxAck, callbacks::error);
        OutboxFile file = config.outboxFile();
        this.clientId = file == null ? Ids.secret(config.random()) : file.clientId();
    }

    // Connections

    /** Returns the {@code $hello} with as many positions as fit. */
    WireMessage hello(@Nullable String token) {
        int without = hello(token, HelloPositions.NONE).frame().length();
        int bytes = Math.min(Protocol.MOST_HELLO_BYTES, longestRequest) - without;
        return hello(token, rooms.positions(isHelloTooBig ? 0 : bytes, messageBytes()))
                .frame();
    }

    private Outgoing hello(@Nullable String token, HelloPositions positions) {
        Boolean isPartial = positions.isPartial() ? true : null;
        Protocol.Hello hello = new Protocol.Hello(
                token, clientId, session, positions.named(), isPartial, AGENT, false, messageBytes());
        return Outgoing.of(Protocol.HELLO).data(hello, Protocol.Hello.class);
    }

    private int messageBytes() {
        return config.target().messageBytes();
    }

    /**
     * Checks a welcome, and whose client it welcomes.
     *
     * @return false if the server names another user than before: then nothing has changed, and the client must {@link
     *     #beginAnew} on another connection
     * @throws RealtimeException when the welcome makes no sense
     */
    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
    boolean recognise(Protocol.Welcome welcome) {
        if (welcome.session() == null) {
            throw FrameRouter.nonsense("a welcome without a session");
        }
        Rooms.check(states(welcome));
        String named = user(welcome);
        boolean isForeign = user == null ? sender.isForeignTo(named) : !user.equals(named);
        if (isForeign && !isNewClient) {
            return false;
        } else if (isForeign) {
            // The user that the previous welcome named has sent messages meanwhile.
            changeUser(named);
        } else if (user == null) {
            user = named;
            sender.own(named, clientId);
        }
        isNewClient = false;
        return true;
    }

    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
    private static Map<String, Protocol.RoomPosition> states(Protocol.Welcome welcome) {
        return welcome.rooms() == null ? Collections.emptyMap() : welcome.rooms();
    }

    private static String user(Protocol.Welcome welcome) {
        return welcome.user() == null ? "" : welcome.user();
    }

    /** Begins anew as a client of the user that a welcome names, with another client id; there is no connection. */
    void beginAnew(Protocol.Welcome welcome) {
        session = null;
        clientId = Ids.secret(config.random());
        isNewClient = true;
        changeUser(user(welcome));
    }

    /**
     * Drops and reports everything that belonged to the former user. None of it has been sent on a connection of the
     * new user.
     */
    private void changeUser(String named) {
        RealtimeException cause = new RealtimeException(ErrorCode.USER_CHANGED, "it belonged to the user before");
        user = named;
        era++;
        inboxAcks.forget();
        calls.userChanged(cause);
        rooms.forgetAll(cause);
        sender.changeUser(named, clientId, cause);
    }

    /** Handles an open connection: takes over what the server knows, and sends what it misses. */
    void welcomed(ServerConnection from, Protocol.Welcome welcome, long serverMillis) {
        open = from;
        session = welcome.session();
        Sender.ServerLimits limits = limits(welcome.limits());
        longestRequest =
                Math.min(Math.min(limits.messageBytes(), config.target().outboundBytes() / 2), mostRequestBytes);
        isHelloTooBig = false;
        Map<String, Protocol.RoomPosition> states = states(welcome);
        // Before the messages, which may be for these rooms.
        rooms.welcomed(
                welcome.session(),
                welcome.resumed(),
                states,
                Boolean.TRUE.equals(welcome.partial()),
                limits.inflight(),
                longestRequest,
                Math.min(longestRequest, messageBytes()),
                from::send);
        callbacks.welcomed();
        inboxAcks.welcomed();
        sender.welcomed(from, limits, welcome.seq(), welcome.answers(), serverMillis);
        if (!welcome.resumed()) {
            calls.sessionLost(welcome.seq(), welcome.answers(), answersRead());
        } else if (isLost(states.get(Names.SESSION))) {
            calls.answersLost(welcome.seq(), answersRead());
        }
        calls.welcomed(longestRequest);
        calls.settle(answersRead());
    }

    private static Sender.ServerLimits limits(Protocol.@Nullable LimitsData limits) {
        return new Sender.ServerLimits(
                limits == null || limits.inflight() < 1 ? DEFAULT_INFLIGHT : limits.inflight(),
                limits == null || limits.inflightBytes() < 1 ? Long.MAX_VALUE : limits.inflightBytes(),
                limits == null || limits.messageBytes() < 1 ? Integer.MAX_VALUE : limits.messageBytes());
    }

    private static boolean isLost(Protocol.@Nullable RoomPosition state) {
        return state != null && state.isLost();
    }

    /** Handles a connection that the server, or a hop before it, ends because a message was too big. */
    void tooBig(ServerConnection closed, CloseReason reason) {
        if (!closed.isWelcomed()) {
            isHelloTooBig = true;
        } else if (!sender.tooBig(reason, closed.longestOther)) {
            // Some hop accepts less than the server says.
            int half = closed.longestOther / 2;
            mostRequestBytes = Math.max(LEAST_REQUEST_BYTES, Math.min(mostRequestBytes, half));
        }
    }

    /** Continues to send after the connection was full. */
    void drained() {
        rooms.retry();
        sender.pump();
        calls.drained();
    }

    /** Sends what the server must know before the connection is closed. */
    void flush() {
        inboxAcks.flush();
    }

    void connectionLost() {
        open = null;
        Steps.run(rooms::connectionLost, history::connectionLost, sender::connectionLost, inboxAcks::stop);
    }

    /** Fails what belongs to the connection, with the reason for which the client stops. */
    void stopping(RealtimeException failure) {
        history.fail(failure);
    }

    /** Fails what waits for another connection: there will be none. */
    void stopped(RealtimeException failure) {
        Steps.run(() -> rooms.fail(failure), () -> calls.fail(failure));
    }

    /** Ends the timers and threads: the client is closed. */
    void close() {
        Steps.run(calls::close, inboxAcks::stop, sender::stop);
    }

    // Acknowledgements and answers

    /** Returns the number of the present user. */
    int era() {
        return era;
    }

    /** Notes whether the application has handled a message of the user's inbox. */
    void handled(int then, @Nullable String epoch, long offset, boolean isHandled) {
        if (!thread.isTerminated() && then == era) {
            inboxAcks.outcome(epoch, offset, isHandled);
        }
    }

    private boolean sendInboxAck(@Nullable String epoch, long offset) {
        // When the inbox began anew, the offset would acknowledge messages that nobody has seen.
        return Objects.equals(epoch, rooms.epoch(Names.USER))
                && sendNow(Outgoing.of(Protocol.ACK).data(new Protocol.InboxAck(offset), Protocol.InboxAck.class));
    }

    private boolean sendNow(Outgoing frame) {
        return open != null && open.send(frame);
    }

    /** Returns up to where the session's inbox is read. */
    long answersRead() {
        return rooms.offset(Names.SESSION);
    }

    private void retryRoomsLater() {
        if (open != null) {
            open.roomRetry.cancel();
            open.roomRetry = scheduler.schedule(ROOM_RETRY, () -> {
                rooms.retry();
                sender.pump();
            });
        }
    }

    private final class SendContext implements Sender.Context {
        private final Runnable onDelivered;
        private final Runnable onAsked;

        SendContext(Runnable onDelivered, Runnable onAsked) {
            this.onDelivered = onDelivered;
            this.onAsked = onAsked;
        }

        @Override
        public long answersRead() {
            return ClientSession.this.answersRead();
        }

        @Override
        public int requestsInFlight() {
            return rooms.requestsInFlight();
        }

        @Override
        public boolean holdsMessages() {
            return rooms.holdsMessages();
        }

        @Override
        public void onProgress() {
            rooms.leaveWhatMay();
            calls.roomAgain();
            onDelivered.run();
        }

        @Override
        public void onAsked() {
            onAsked.run();
        }
    }
}
