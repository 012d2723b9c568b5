package io.realtime.server;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.internal.Durations;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.EntryBudget;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One client instance. A managed client's session outlives its connections: rooms, attributes and user are kept for the
 * session's time to live after a connection is lost. Safe for use by many threads; every method returns immediately.
 *
 * <p>One lock orders joins, leaves, attachments and losses of the connection. It is never held while anything is sent or
 * any application code runs; a room's lock or the client record's may be taken under it.
 */
public final class Session {
    /** What a connection may have to be told of its rooms; beyond it, it is closed with 4102, and resumes. */
    private static final int ENVELOPE = 100; // bytes that room, time and offset add to a frame

    private static final int MOST_CHANGES = 10_000;

    /** What {@code $welcome} may say of the application's rooms, and how much of each but for its name. */
    private static final int MOST_STATE_BYTES = 16 * 1024;

    private static final int STATE_BYTES = 120;
    private static final Duration CLOSE_LATEST = Duration.ofSeconds(1);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);
    private static final CloseReason TAKEN_OVER =
            new CloseReason(CloseReason.SESSION_REPLACED, "a newer connection took over the session");

    private static final CompletableFuture<Void> NO_CLOSE = CompletableFuture.completedFuture(null);

    /** What streams leave unread in the inbox; its log keeps four times as much. */
    private static final int MOST_UNREAD = 250;

    /** How many failures wait until the listener hears of them. */
    private static final int MOST_UNHEARD = 100;

    private final ServerCore core;
    private final String id;
    private final String secret; // without the id, which is in front of it
    private final String userId;
    private final boolean managed;
    private final Mailbox mailbox;
    private final SessionRate rate;
    private final ClientRecords.@Nullable ClientRecord record;

    // What an idle session does not need is made on first use: a server has many of them.
    private final ReentrantLock lock = new ReentrantLock();
    private long number; // changes only before it can be found
    private @Nullable TokenBucket resumptions; // guarded by lock
    private @Nullable Map<String, Object> attributes; // guarded by lock
    private volatile Map<String, RoomChannel> rooms = Map.of(); // by wire name; written under lock; one, or concurrent
    private List<RoomChannel> leaving = List.of(); // guarded by lock: at its end, until it has left all of them
    private Set<String> placed = Set.of(); // guarded by lock: rooms that the application put it in
    private volatile Set<String> lastRooms = Set.of(); // written once, under lock: what it was in at its end
    private Set<String> unlinked = Set.of(); // guarded by lock: rooms that the connection was not told of yet
    private Set<String> turnedOut = Set.of(); // guarded by lock: rooms that no older connection's question may join
    private long rejoins; // guarded by lock: how many rooms $rejoin may still name beside the unlinked ones
    private @Nullable Deque<Telling> changes; // guarded by lock: what the connection is to be told of its rooms
    private @Nullable Peer hearer; // guarded by lock: the connection that is told, to the close that ends the session
    private boolean isWelcomed; // guarded by lock: it may be told
    private @Nullable Peer told; // guarded by lock: it, when somebody is telling it

    private volatile @Nullable ServerCalls calls; // written once, under lock
    private volatile @Nullable Peer peer; // written under lock
    private volatile Handshake handshake; // written under lock
    private volatile Life life = Life.NEW; // written under lock
    private volatile @Nullable CloseReason ended; // written under lock: why, as decided first
    private CompletableFuture<Void> lastClose =
            NO_CLOSE; // guarded by lock: of the connection that ends with the session
    private volatile boolean isKicked; // written under lock: disconnected, perhaps after it had ended
    private boolean isAnnounced; // guarded by lock: the listener hears of the session
    private boolean isForgotten; // guarded by lock: the server's tables name it no more
    private boolean hasPlace; // guarded by lock: it counts against limits.sessions
    private Scheduler.Cancellable expiry = () -> {}; // guarded by lock
    private int losses; // guarded by lock: of connections; tells the newest expiry from one that comes too late
    private int unacknowledged; // guarded by lock: messages since the last acknowledgement
    private long unacknowledgedBytes; // guarded by lock: of these
    private long acknowledged; // guarded by lock: up to here, in the welcome or what the connection took since
    private int unheard; // guarded by lock: failures that the listener is yet to hear of
    private boolean owesAck; // guarded by lock: it is among the core's acknowledgements

    /**
     * A session's life, which goes on in this order alone. What the listener is told of it goes into the mailbox under the
     * same lock that decides, so it is told in that order: open, then detach and resume in turns, then close.
     */
    private enum Life {
        /** In no table, and known to nobody. */
        NEW,
        /** In the tables. It has a connection, or waits for one until its time to live is over. */
        OPEN,
        /** Takes no message and no connection. It stays in its rooms until what it has received is handled. */
        DRAINING,
        /** In no room and no table. What it has received is not handled any more. */
        OVER
    }

    /** How a session ends. */
    enum EndReason {
        /** Its client has left it, or is lost: what it has received is handled, in order, as the member that it was. */
        DRAIN,
        /**
         * The application or the server has decided so: it is in no room, and nothing more of its client is handled. When its
         * client has another session, what it has sent is handled for as long as that goes on.
         */
        AT_ONCE,
        /** The same, if it has no connection; else it goes on. */
        EVICT,
        /** The same, if it is open; one that drains goes on. */
        EXCESS
    }

    Session(
            ServerCore core,
            String id,
            String secret,
            Authentication authentication,
            boolean managed,
            ClientRecords.@Nullable ClientRecord record,
            Handshake handshake) {
        this.core = core;
        this.number = core.nextNumber();
        this.id = id;
        this.secret = secret;
        this.userId = authentication.user();
        this.rate = new SessionRate(core, userId);
        this.managed = managed;
        this.record = record;
        this.handshake = handshake;
        if (!authentication.attributes().isEmpty()) {
            this.attributes = new ConcurrentHashMap<>(authentication.attributes());
        }
        this.mailbox = record == null ? core.newMailbox(userId, new ReentrantLock()) : record.mailbox();
    }

    // ---------------------------------------------------------------- for applications

    /** Returns the public id: names this session in logs and exclusions, and opens nothing. */
    public String id() {
        return id;
    }

    /** Returns whose session this is. */
    public User user() {
        return new User(core, userId);
    }

    /** Returns whether the client speaks the managed protocol: acknowledgement and resumption. */
    public boolean isManaged() {
        return managed;
    }

    /** Returns whether the session has a connection now. */
    public boolean isConnected() {
        return peer != null;
    }

    /** Returns the upgrade request of the newest connection. Its query and headers may hold a token. */
    public Handshake handshake() {
        return handshake;
    }

    /** Returns the attributes, live: what is put there stays with the session across lost connections. No nulls. */
    public Map<String, Object> attributes() {
        lock.lock();
        try {
            if (attributes == null) {
                attributes = new ConcurrentHashMap<>();
            }
            return attributes;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns the names of the rooms that the session is in, sorted; its inboxes are not among them. Of a session that is
     * over, in {@link SessionListener#onClose} say, they are those that it was in at its end.
     */
    public Set<String> rooms() {
        if (life == Life.OVER) {
            return new TreeSet<>(lastRooms);
        }
        return memberships();
    }

    private Set<String> memberships() {
        Set<String> names = new TreeSet<>(rooms.keySet());
        names.removeIf(name -> name.startsWith("@"));
        return names;
    }

    /** Returns whether the session is in the room. */
    public boolean isIn(String room) {
        return rooms.containsKey(room) || room.equals(Names.SESSION) || room.equals(Names.USER);
    }

    /**
     * Returns a room that the session has joined, to send to as its user.
     *
     * @throws RealtimeException with {@code forbidden} when the session is not in it
     */
    public Room room(String name) {
        if (!isIn(name) || name.startsWith("@")) {
            throw new RealtimeException(ErrorCode.FORBIDDEN, "not a member of room '" + Names.abbreviate(name) + "'");
        }
        return Room.named(core, name, this);
    }

    /** Returns the inbox of a user, to send to as this session's user. */
    public Room inboxOf(String userId) {
        return Room.inbox(core, userId, this);
    }

    /** Returns everyone, to send to as this session's user. */
    public Room everyone() {
        return Room.everyone(core, this);
    }

    /** Returns the server's sessions, users and rooms, for a handler that has more to do than to answer. */
    public ConnectionManager connections() {
        return core.connections();
    }

    /**
     * Puts the session in a room, whatever the join rule says now or on a resume, and tells its client. Does nothing more
     * when it is in it.
     *
     * @throws RealtimeException with {@code overloaded} when {@link Limits#rooms}, {@link Limits#roomsPerUser} or the rooms'
     *     half of {@link Limits#logBytes} allow no more
     */
    public void join(String room) {
        Names.requireRoom(room);
        lock.lock();
        try {
            if (!rooms.containsKey(room) && life != Life.OVER) {
                tellJoined(link(peer, room, null, 0), null);
            }
            placed = placed.isEmpty() ? new HashSet<>() : placed;
            placed.add(room);
        } finally {
            lock.unlock();
        }
        tellChanges();
    }

    /** Takes the session out of a room and tells its client. Does nothing when it is not in it. */
    public void leave(String room) {
        Names.requireRoom(room);
        lock.lock();
        try {
            LocalBroker.LeaveChange gone = exit(room);
            if (gone != null) {
                tellLeft(gone);
            }
        } finally {
            lock.unlock();
        }
        tellChanges();
    }

    /**
     * Sends to this session alone, by way of its inbox: a client that is away gets it when it comes back in time.
     *
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    public <T> void send(Event<T> event, T data) {
        Outgoing message = event.isEphemeral() ? Outgoing.ephemeral(event.name()) : Outgoing.of(event.name());
        toInbox(message.room(Names.SESSION)
                .ts(core.scheduler().currentTimeMillis())
                .data(data, core.payloads().of(event.type())));
    }

    /** Like {@link #request(Request, Object, Duration)}, within 10 s. */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data) {
        return request(request, data, REQUEST_TIMEOUT);
    }

    /**
     * Asks this session's client, once, by way of the session's inbox: a client that is away is asked when it comes back in
     * time. The answer waits for no handler, not even of this session, and may overtake messages that the client sent before
     * it. A handler that waits for it ({@code join}) holds a thread of its user's, and the messages behind its own: go on in
     * {@code thenAccept} instead.
     *
     * @param timeout how long to wait for the answer, the time without a connection included
     * @return completes with the answer, on a thread for callbacks or the application's {@code executor}. Fails with a {@link io.realtime.RemoteException} when the client
     *     answered with an error, with a {@link io.realtime.PayloadException} when the answer does not fit the contract,
     *     and with another {@link RealtimeException}: {@code timeout}, {@code connection_lost} when the session is over,
     *     {@code overloaded} when 1,000 questions to it are open
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        return calls().request(request, data, Durations.positive("timeout", timeout));
    }

    /**
     * Asks this session's client for a stream, whose items go to the listener with the session's messages, in order. It ends
     * with {@code connection_lost} when the session is over.
     *
     * @return cancels the stream when closed: the listener hears nothing more, and the producer stops at once
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    public <Q, T> Subscription stream(StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener) {
        return calls().stream(request, data, Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Ends the session for good, with 4005 and this text; the client stays closed. When this returns the session is in no
     * room, what it sent and no handler has begun with is not handled and not acknowledged, and no login of its client
     * that began before gets a session. A handler that runs goes on to its end.
     */
    public void disconnect(String text) {
        CloseReason kicked = new CloseReason(CloseReason.KICKED, text);
        core.admissions().bar(Admissions.Key.session(id), kicked);
        String client = record == null ? null : record.client();
        if (client != null) {
            core.admissions().bar(Admissions.Key.client(userId, client), kicked);
        }
        end(kicked, EndReason.AT_ONCE);
        Session newest = record == null ? null : record.session();
        if (newest != null) { // its client came back before
            newest.end(kicked, EndReason.AT_ONCE);
        }
    }

    /** By its number, not by its address: so hash sets of sessions have the same order in each run of a simulation. */
    @Override
    public int hashCode() {
        return Long.hashCode(number);
    }

    @Override
    public String toString() {
        return "Session{" + id + ", user=" + userId + "}";
    }

    // ---------------------------------------------------------------- connection

    String userId() {
        return userId;
    }

    /** Returns what opens the session to its user: the public id and what nobody can guess. */
    String secret() {
        return id + secret;
    }

    /** Returns whether this is the secret; how long that takes tells nothing. */
    boolean isSecret(String claimed) {
        return MessageDigest.isEqual(
                secret().getBytes(StandardCharsets.UTF_8), claimed.getBytes(StandardCharsets.UTF_8));
    }

    Mailbox mailbox() {
        return mailbox;
    }

    ClientRecords.@Nullable ClientRecord record() {
        return record;
    }

    /** What a connection that asks for the session says of it, and what the join rule says now. */
    record ResumeRequest(Peer peer, Map<String, Position> positions, boolean isPartial, Set<String> forbidden) {}

    /**
     * Gives the session a connection, in place of the one it has; the rooms that it may not be in are left by that. Their
     * replay, and what else there is to tell of rooms, begin only when the peer {@linkplain #welcomed is welcomed}.
     *
     * @return what it is in; nothing when a newer connection of the client was here before, whose authentication was
     *     quicker; null when the session is over, or its client has begun another
     */
    @Nullable
    Attached attach(ResumeRequest claim) {
        Peer newcomer = claim.peer;
        Peer evicted;
        List<RoomChannel> idle = new ArrayList<>(); // what they were to get does not go to the newcomer
        List<LocalBroker.JoinChange> links = new ArrayList<>();
        Attached attached;
        lock.lock();
        try {
            if (life != Life.OPEN) {
                return null;
            }
            if (record != null) {
                ClientRecords.ClientRecord.Claim claimed = record.claim(this, newcomer.number());
                if (claimed != ClientRecords.ClientRecord.Claim.GRANTED) {
                    return claimed == ClientRecords.ClientRecord.Claim.REPLACED ? null : Attached.NOTHING;
                }
            }
            evicted = peer;
            if (evicted != null) {
                inform(listener -> listener.onDetach(this, TAKEN_OVER));
            }
            peer = newcomer;
            hearer = newcomer;
            core.detached().remove(userId, this);
            inform(listener -> listener.onResume(this));
            handshake = newcomer.handshake();
            expiry.cancel();
            changes = null;
            isWelcomed = false;
            told = null;
            boolean isFirst = !rooms.containsKey(Names.ALL);
            Map<String, Protocol.RoomPosition> states = new LinkedHashMap<>();
            for (String name : List.of(Names.SESSION, Names.USER, Names.ALL)) {
                Position since = claim.positions.get(name);
                Position begin = markUnused(name);
                if (begin != null) {
                    states.put(name, RoomChannel.atEnd(begin, since));
                } else if (isFirst && name.equals(Names.SESSION)) { // what it got before it had a connection is new
                    Protocol.RoomPosition linked = relink(name, core.broker().origin(), links);
                    states.put(
                            name,
                            linked.isLost()
                                    ? linked
                                    : RoomChannel.atEnd(core.broker().origin(), since));
                } else {
                    states.put(name, relink(name, since, links));
                }
            }
            unlinked = Set.of();
            EntryBudget budget =
                    new EntryBudget(Math.min(MOST_STATE_BYTES, core.limits().outboundBytes() / 4));
            for (String name : named(claim.positions.keySet())) {
                boolean fits = budget.take(name, STATE_BYTES);
                if (claim.forbidden.contains(name) && !placed.contains(name)) {
                    turnedOut = turnedOut.isEmpty() ? new HashSet<>() : turnedOut;
                    turnedOut.add(name);
                    idle.add(Objects.requireNonNull(exit(name)).room());
                    if (fits) {
                        states.put(name, new Protocol.RoomPosition("", 0, false, "unauthorized"));
                    }
                } else if (fits && (!claim.isPartial || claim.positions.containsKey(name))) {
                    states.put(name, relink(name, claim.positions.get(name), links));
                } else {
                    unlinked = unlinked.isEmpty() ? new LinkedHashSet<>() : unlinked;
                    unlinked.add(name);
                    idle.add(Objects.requireNonNull(rooms.get(name)));
                }
            }
            attached = new Attached(states, !unlinked.isEmpty());
            rejoins = (long) core.limits().roomsPerSession() + placed.size();
            change(List.of(), to -> links.forEach(LocalBroker.JoinChange::start));
        } finally {
            lock.unlock();
        }
        mailbox.wake();
        Protocol.RoomPosition inbox = attached.rooms.get(Names.SESSION);
        if (inbox != null && inbox.isLost()) {
            inboxLost();
        }
        if (evicted != null) {
            evicted.close(TAKEN_OVER);
        }
        for (RoomChannel room : idle) {
            room.detach(this, evicted);
        }
        return attached;
    }

    /** Under the lock: the application's rooms that the session is in, these ones first. */
    private Set<String> named(Set<String> first) {
        Set<String> names = new LinkedHashSet<>(first);
        names.retainAll(rooms.keySet());
        names.addAll(rooms.keySet());
        names.removeIf(name -> name.startsWith("@"));
        return names;
    }

    /** Returns where an inbox will begin that nobody has used yet; null for every other room. */
    private @Nullable Position markUnused(String name) {
        if (rooms.containsKey(name)) {
            return null;
        }
        return switch (name) {
            case Names.SESSION -> core.broker().origin();
            case Names.USER -> core.inboxes().markUnused(userId);
            default -> null;
        };
    }

    private Protocol.RoomPosition relink(String name, @Nullable Position since, List<LocalBroker.JoinChange> links) {
        // What a user's devices have not seen waits for a client that can say that it has.
        int history = managed && name.equals(Names.USER) ? RoomChannel.UNREAD : 0;
        LocalBroker.JoinChange joined = core.broker().link(() -> core.room(name, this), this, peer, since, history);
        put(joined.room());
        links.add(joined);
        return joined.at();
    }

    /** What a connection is told of the session's rooms, and whether there are more. */
    record Attached(Map<String, Protocol.RoomPosition> rooms, boolean isPartial) {
        static final Attached NOTHING = new Attached(Map.of(), false);
    }

    /** The connection was sent its welcome: begins what it was told of, and then tells it what has changed. */
    void welcomed(Peer welcomed) {
        lock.lock();
        try {
            isWelcomed |= peer == welcomed;
        } finally {
            lock.unlock();
        }
        tellChanges();
    }

    // ---------------------------------------------------------------- life

    /** Puts a new session into the server's tables. Does nothing when it has ended before. */
    void register() {
        lock.lock();
        try {
            if (life == Life.NEW) {
                life = Life.OPEN;
                core.remember(this);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Gives the session a number in the order in which its user's sessions enter the tables, before it can be found. */
    void renumber() {
        number = core.nextNumber();
    }

    /** Takes a place for the session, for as long as it is in the tables; false when none is free. */
    boolean takePlace(Semaphore places) {
        lock.lock();
        try {
            hasPlace = !isForgotten && places.tryAcquire();
            return hasPlace || isForgotten;
        } finally {
            lock.unlock();
        }
    }

    /** Under the lock: gives its place back, if it has one. */
    void leavePlace(Semaphore places) {
        if (hasPlace) {
            places.release();
        }
    }

    /** Has the listener hear of the session from now on: its client has a place, and is about to be told so. */
    void opened() {
        lock.lock();
        try {
            if (life == Life.OPEN) {
                isAnnounced = true;
                inform(listener -> listener.onOpen(this));
            }
        } finally {
            lock.unlock();
        }
        mailbox.wake();
    }

    /** Under the lock, so that the mailbox has what the listener hears in the order of what happened; wake it afterwards. */
    private void inform(Consumer<SessionListener> what) {
        if (isAnnounced) {
            mailbox.enqueue(() -> what.accept(core.listener()));
        }
    }

    /**
     * Has the listener hear of a failure: now in a task of the mailbox, else in one of its own, so that it hears one thing at
     * a time. What fails outside of the mailbox after the session's end, or while as many failures wait to be heard as one
     * session may have, is in the log alone.
     */
    void failed(Throwable failure) {
        if (mailbox.isRunningHere()) {
            tellFailure(failure);
            return;
        }
        lock.lock();
        try {
            if (hasEnded() || unheard == MOST_UNHEARD) {
                return;
            }
            unheard++;
            mailbox.enqueue(() -> {
                heardFailure();
                tellFailure(failure);
            });
        } finally {
            lock.unlock();
        }
        mailbox.wake();
    }

    private void heardFailure() {
        lock.lock();
        try {
            unheard--;
        } finally {
            lock.unlock();
        }
    }

    private void tellFailure(Throwable failure) {
        try {
            core.listener().onError(this, failure);
        } catch (Throwable again) { // an Error must not keep back the answer to what failed first
            Steps.log(core.log(), this + ": the session listener failed", again);
        }
    }

    /** Notes that a connection is gone. A managed session is kept for its time to live; a plain one is over. */
    void detached(Peer gone, CloseReason reason, boolean forGood) {
        boolean isOver = !managed || forGood;
        lock.lock();
        try {
            if (peer != gone || life != Life.OPEN) {
                return;
            }
            peer = null;
            hearer = null;
            told = null;
            core.detached().add(userId, this);
            changes = null;
            losses++;
            inform(listener -> listener.onDetach(this, reason));
            if (isOver) {
                enter(Life.DRAINING, reason);
            } else {
                int loss = losses;
                expiry = core.scheduler()
                        .schedule(core.sessionTtl(), () -> core.workers().execute(() -> expire(loss, reason)));
            }
        } finally {
            lock.unlock();
        }
        mailbox.wake();
        rooms.forEach((name, room) -> room.detach(this, gone));
        if (isOver) {
            endCalls();
        }
    }

    /** Ends the session unless its client has come back since it was lost: the timer may come too late to be called off. */
    private void expire(int loss, CloseReason reason) {
        lock.lock();
        try {
            if (life != Life.OPEN || peer != null || losses != loss) {
                return;
            }
            enter(Life.DRAINING, reason);
        } finally {
            lock.unlock();
        }
        mailbox.wake();
        endCalls();
    }

    /**
     * Ends the session, and its connection. Does nothing when it has ended, but for one that drains and is to end at once.
     * When one that ends at once is ended by another thread already, this helps it to leave its rooms.
     */
    void end(CloseReason reason, EndReason how) {
        Runnable close;
        boolean isFirst;
        lock.lock();
        try {
            if ((how == EndReason.EVICT && peer != null) || (how == EndReason.EXCESS && life != Life.OPEN)) {
                return;
            }
            Peer last = peer;
            isFirst = enter(how == EndReason.DRAIN ? Life.DRAINING : Life.OVER, reason);
            close = isFirst && last != null ? closeTask(last, reason) : () -> {};
            isKicked |= reason.code() == CloseReason.KICKED; // after that: what is acknowledged was answered
            if (isFirst) {
                peer = null;
            }
            if (isFirst && how == EndReason.DRAIN) {
                core.detached().add(userId, this);
            } else if (isFirst) {
                core.countWaiting(-(record == null ? mailbox.drop().count() : record.dropWaiting(this)));
            }
        } finally {
            lock.unlock();
        }
        if (!isFirst) {
            if (how != EndReason.DRAIN) {
                leaveAll(reason);
            }
            return;
        }
        mailbox.wake();
        close.run();
        endCalls();
        if (how != EndReason.DRAIN) {
            leaveAll(reason);
        }
    }

    /** Closes a connection behind what it was to be told and to get until now; another than the session's own at once. */
    void close(Peer last, CloseReason reason) {
        Runnable close;
        lock.lock();
        try {
            close = peer == last ? closeTask(last, reason) : () -> last.close(reason);
        } finally {
            lock.unlock();
        }
        close.run();
    }

    /**
     * Under the lock: makes the close the last that the connection is told, behind what rooms are handing to it and an
     * acknowledgement of all that was handled until now. The answers to that are in the inbox, and are handed over before.
     * What a handler finishes later is not acknowledged: its answer may not reach the client.
     *
     * @return begins that, without the lock; it takes {@link #CLOSE_LATEST} at most
     */
    private Runnable closeTask(Peer last, CloseReason reason) {
        boolean isTold = isWelcomed && record != null && record.session() == this;
        Protocol.Ack handled = progress();
        boolean isOwed = isTold && (handled.seq() > acknowledged || unacknowledged > 0);
        AtomicBoolean isBegun = new AtomicBoolean();
        CompletableFuture<Void> closed = new CompletableFuture<>();
        lastClose = closed;
        Runnable close = () -> {
            if (isBegun.compareAndSet(false, true)) {
                Steps.run(
                        () -> {
                            if (isOwed) {
                                last.send(ack(handled));
                            }
                        },
                        () -> last.close(reason),
                        () -> rooms.forEach((name, room) -> room.detach(this, last)),
                        () -> closed.complete(null));
            }
        };
        if (!isWelcomed) {
            return close;
        }
        change(rooms.values().stream().map(room -> room.delivery(this)).toList(), to -> close.run());
        return () -> {
            last.takeNoMore();
            tellChanges();
            if (!closed.isDone()) {
                Scheduler.Cancellable latest = core.scheduler()
                        .schedule(CLOSE_LATEST, () -> core.workers().execute(close));
                CompletableFuture<?> unused = closed.thenRun(latest::cancel);
            }
        };
    }

    /** Under the lock: goes on in its life; false when it has come so far. The listener hears of the first end. */
    private boolean enter(Life next, CloseReason reason) {
        if (next.compareTo(life) <= 0) {
            return false;
        }
        boolean isFirst = life != Life.DRAINING;
        life = next;
        if (next == Life.OVER) {
            lastRooms = memberships();
        }
        if (!isFirst) {
            return true;
        }
        ended = reason;
        expiry.cancel();
        boolean isTold = isAnnounced;
        core.inFlight().ending(this);
        mailbox.enqueue(
                () -> { // behind what it has received
                    try {
                        leaveAll(reason);
                        if (isTold) {
                            core.listener().onClose(this, reason);
                        }
                    } finally {
                        core.inFlight().ended(this);
                    }
                });
        return true;
    }

    /**
     * Takes the session out of its rooms, and then out of the server's tables: so who finds it no more, or whose call has
     * returned, finds it in no room. Several threads may do so at the same time, each the whole of it.
     */
    private void leaveAll(CloseReason reason) {
        List<RoomChannel> joined;
        CompletableFuture<Void> closed;
        lock.lock();
        try {
            enter(Life.OVER, reason);
            if (!rooms.isEmpty()) {
                leaving = List.copyOf(rooms.values());
                rooms = Map.of();
            }
            joined = leaving;
            closed = lastClose;
        } finally {
            lock.unlock();
        }
        for (RoomChannel room : joined) {
            room.remove(this);
            room.flush();
            if (room.name.equals(Names.SESSION)) {
                CompletableFuture<Void> unused = closed.thenRun(room::kill); // until then it is replayed
            }
        }
        lock.lock();
        try {
            leaving = List.of();
            if (!isForgotten) {
                isForgotten = true;
                core.forget(this);
            }
        } finally {
            lock.unlock();
        }
    }

    private void endCalls() {
        if (!managed) {
            rate.giveBack(); // of a message that was refused, and will not be sent again
        }
        ServerCalls open = calls;
        if (open != null) {
            open.over();
        }
    }

    /** Returns why the session has ended, null while it has not. */
    @Nullable
    CloseReason ended() {
        return ended;
    }

    /** Returns whether the session takes messages and connections. */
    boolean isOpen() {
        return life == Life.OPEN;
    }

    /** Returns whether the session has ended; what it has received may still be handled. */
    boolean hasEnded() {
        return life.compareTo(Life.DRAINING) >= 0;
    }

    /** Returns whether nothing of the session is handled any more. */
    boolean isOver() {
        return life == Life.OVER;
    }

    /** Returns a number that grows with each session and connection of this server. */
    long number() {
        return number;
    }

    SessionRate rate() {
        return rate;
    }

    /** Returns 0 when the session may be resumed now, else for how many nanoseconds not. */
    long takeResumption() {
        RateLimit limit = core.limits().resumptionsPerSession();
        long now = core.scheduler().nanoTime();
        lock.lock();
        try {
            if (resumptions == null) {
                resumptions = new TokenBucket(limit, now);
            }
            return limit.isNone() ? 0 : resumptions.take(now);
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------- rooms

    /**
     * Handles {@code $join}, whose rule has answered: puts the session in the room at the client's position, in a room that
     * it is in anew from there; or takes it out of a room that it may not be in. A connection that is not the session's any
     * more gets no answer, and changes nothing that a later one was told; but the session is a member then, for the
     * messages that it sent behind the question, unless a resume has found since that it may not be.
     */
    void join(Peer asker, @Nullable String ref, String name, Protocol.Join wish, boolean isAllowed) {
        lock.lock();
        try {
            if (life == Life.OVER) {
                return;
            }
            Decision decision = decide(asker, name, wish, isAllowed);
            ErrorData error = decision.error;
            if (decision.joined != null) {
                tellJoined(decision.joined, ref);
            } else if (error != null && peer == asker) {
                Outgoing frame = Outgoing.of(Protocol.ERROR).ref(ref).room(name).data(error, ErrorData.class);
                change(decision.changes(), to -> to.send(frame.frame()));
            }
        } finally {
            lock.unlock();
        }
        tellChanges();
    }

    /**
     * Handles {@code $rejoin}: many joins, with one answer.
     *
     * @param allowed of the rooms that the session was not in, those that it may join
     * @param excess the rooms that are refused because they are {@linkplain #takeRejoins too many}
     * @param isLast whether the connection is told, by {@code $joined}, of rooms that the client did not name
     */
    void rejoin(
            Peer asker,
            @Nullable String ref,
            Map<String, Protocol.@Nullable Join> wishes,
            Set<String> allowed,
            Set<String> excess,
            boolean isLast) {
        List<Decision> decisions = new ArrayList<>();
        lock.lock();
        try {
            if (life == Life.OVER) {
                return;
            }
            wishes.forEach((name, wish) -> {
                Protocol.Join own = wish == null ? new Protocol.Join(null, null) : wish;
                boolean isAllowed = allowed.contains(name) || rooms.containsKey(name);
                decisions.add(excess.contains(name) ? tooMany(asker, name) : decide(asker, name, own, isAllowed));
            });
            if (peer != asker) {
                return;
            }
            List<LocalBroker.Change> before = new ArrayList<>();
            decisions.forEach(decision -> before.addAll(decision.changes()));
            change(before, to -> {
                Map<String, Protocol.Rejoined> answers = new LinkedHashMap<>();
                decisions.forEach(decision -> answers.put(decision.name, decision.answer()));
                Protocol.RejoinReply data = new Protocol.RejoinReply(answers);
                Outgoing reply = Outgoing.of(Protocol.REPLY).ref(ref).data(data, Protocol.RejoinReply.class);
                to.send(reply.frame(), () -> decisions.forEach(Decision::start));
            });
            if (isLast) {
                rejoins = 0;
                new ArrayList<>(unlinked).forEach(this::begin);
            }
        } finally {
            lock.unlock();
        }
        tellChanges();
    }

    /** Under the lock: begins a room that the connection was not told of. */
    private void begin(String name) {
        try {
            tellJoined(link(peer, name, null, 0), null);
        } catch (RuntimeException
                | Error broken) { // without memory, say: the connection ends by it, and the next has all
            change(List.of(), to -> {
                throw broken;
            });
        }
    }

    /**
     * Notes the rooms that a connection names in {@code $rejoin}, which is one message by the rate, however many rules it
     * asks and replays it begins. A room that waits to be named is always within the bound; so are those that the
     * application had put the session in when the connection came, each once.
     *
     * @return those that are more than the session could be in
     */
    Set<String> takeRejoins(Peer asker, Set<String> names) {
        lock.lock();
        try {
            boolean isCurrent = peer == asker;
            long most = isCurrent ? rejoins : core.limits().roomsPerSession();
            Set<String> counted = new LinkedHashSet<>(placed);
            counted.retainAll(names); // the application's choice comes first: the session may not be refused these
            counted.addAll(names);
            counted.removeAll(unlinked);
            int taken = (int) Math.min(most, counted.size());
            rejoins -= isCurrent ? taken : 0;
            return counted.stream().skip(taken).collect(Collectors.toSet());
        } finally {
            lock.unlock();
        }
    }

    /** What becomes of a wish to join: the session has joined, or is told why not and is not in the room. */
    private record Decision(
            String name,
            LocalBroker.@Nullable JoinChange joined,
            @Nullable ErrorData error,
            LocalBroker.@Nullable LeaveChange left) {
        Protocol.Rejoined answer() {
            if (joined == null) {
                return new Protocol.Rejoined(null, 0, false, null, 0, error);
            }
            Protocol.RoomPosition at = joined.at();
            return new Protocol.Rejoined(
                    at.epoch(),
                    at.offset(),
                    at.recovered(),
                    at.reason(),
                    joined.room().size(),
                    null);
        }

        List<LocalBroker.Change> changes() {
            return joined != null ? List.of(joined) : left != null ? List.of(left) : List.of();
        }

        void start() {
            if (joined != null) {
                joined.start();
            }
        }
    }

    /** Under the lock. */
    private Decision decide(Peer asker, String name, Protocol.Join wish, boolean isAllowed) {
        boolean isIn = rooms.containsKey(name);
        boolean isCurrent = peer == asker;
        turnedOut = isCurrent ? Set.of() : turnedOut; // the older questions were before this one
        if (!isAllowed && !placed.contains(name)) {
            String why = core.rules().hasJoinRule()
                    ? "joining is not allowed"
                    : "no rule says who may join: the server has no allowJoin";
            return refusal(name, ErrorCode.FORBIDDEN, why, isCurrent ? exit(name) : null);
        }
        int most = core.limits().roomsPerSession();
        if (!isIn && countRooms() >= most) {
            return refusal(
                    name, ErrorCode.OVERLOADED, "the session is in " + most + " rooms and may join no more", null);
        }
        int history = wish.history() == null ? 0 : Math.max(0, wish.history());
        try {
            boolean isLate = !isCurrent && (isIn || turnedOut.contains(name));
            LocalBroker.JoinChange joined =
                    isCurrent ? link(asker, name, wish.since(), history) : isLate ? null : link(null, name, null, 0);
            return new Decision(name, isCurrent ? joined : null, null, null);
        } catch (RealtimeException tooMany) { // rooms on this server; the other rooms of a $rejoin are not concerned
            return new Decision(name, null, ErrorData.of(tooMany), isCurrent ? exit(name) : null);
        } catch (RuntimeException | Error broken) {
            Steps.log(core.log(), this + " could not join a room", broken);
            ErrorData error = ErrorData.of(ErrorCode.INTERNAL, "the room could not be joined", false);
            return new Decision(name, null, error, isCurrent ? exit(name) : null);
        }
    }

    /** Under the lock. */
    private Decision tooMany(Peer asker, String name) {
        String why = "$rejoin names more rooms than a session may be in";
        return refusal(name, ErrorCode.OVERLOADED, why, peer == asker ? exit(name) : null);
    }

    private static Decision refusal(String name, ErrorCode code, String why, LocalBroker.@Nullable LeaveChange left) {
        return new Decision(name, null, ErrorData.of(code, why, false), left);
    }

    /** Under the lock: how many of the application's rooms the session is in. */
    private int countRooms() {
        int count = rooms.size();
        for (String inbox : List.of(Names.SESSION, Names.USER, Names.ALL)) {
            count -= rooms.containsKey(inbox) ? 1 : 0;
        }
        return count;
    }

    /** Handles {@code $leave}. Asked on a connection that is gone it does nothing: on the next one the client asks again. */
    void leave(Peer asker, @Nullable String ref, String name) {
        lock.lock();
        try {
            if (peer != asker) {
                return;
            }
            LocalBroker.LeaveChange gone = exit(name);
            Outgoing reply = Outgoing.of(Protocol.REPLY).ref(ref).room(name);
            change(gone == null ? List.of() : List.of(gone), to -> to.send(reply.frame()));
        } finally {
            lock.unlock();
        }
        tellChanges();
    }

    private LocalBroker.JoinChange link(@Nullable Peer to, String name, @Nullable Position since, int history) {
        LocalBroker.JoinChange joined = core.broker().link(name, name, this, to, since, history);
        put(joined.room());
        noLongerUnlinked(name);
        return joined;
    }

    private void put(RoomChannel room) {
        if (rooms.isEmpty()) {
            rooms = Map.of(room.name, room);
        } else if (rooms.get(room.name) != room) {
            manyRooms().put(room.name, room);
        }
    }

    private Map<String, RoomChannel> manyRooms() {
        if (!(rooms instanceof ConcurrentHashMap)) {
            rooms = new ConcurrentHashMap<>(rooms);
        }
        return rooms;
    }

    /** Returns the rooms that the application itself did not put the session in. */
    Set<String> unplacedRooms() {
        lock.lock();
        try {
            Set<String> names = rooms();
            names.removeAll(placed);
            return names;
        } finally {
            lock.unlock();
        }
    }

    /** Under the lock: takes the session out of a room; null when it was not in it. */
    private LocalBroker.@Nullable LeaveChange exit(String name) {
        RoomChannel room = rooms.containsKey(name) ? manyRooms().remove(name) : null;
        if (!placed.isEmpty()) {
            placed.remove(name);
        }
        if (room != null) {
            noLongerUnlinked(name);
            return room.remove(this);
        }
        return null;
    }

    private void noLongerUnlinked(String name) {
        if (!unlinked.isEmpty()) {
            unlinked.remove(name);
        }
    }

    // ---- what the connection is told of that, in the order in which it was decided

    /** What the connection is told, and the changes behind whose deliveries. */
    private record Telling(Deque<LocalBroker.Change> before, Consumer<Peer> what) {
        /** Returns whether something is to be delivered before; then {@code proceed} is called later, and asks again. */
        boolean awaitDelivery(Runnable proceed) {
            for (LocalBroker.Change next = before.poll(); next != null; next = before.poll()) {
                if (next.awaitDelivery(proceed)) {
                    return true;
                }
            }
            return false;
        }
    }

    /**
     * Under the lock: adds to what the connection is told; one that is not there is told by its welcome.
     *
     * @param before what the session is still to get of these, it gets first
     */
    private void change(List<? extends LocalBroker.Change> before, Consumer<Peer> what) {
        Peer to = peer;
        if (to == null) {
            return;
        }
        if (changes == null) {
            changes = new ArrayDeque<>();
        }
        if (changes.size() >= MOST_CHANGES) {
            changes.clear();
            CloseReason slow =
                    new CloseReason(CloseReason.SLOW_CONSUMER, "reads more slowly than it joins and leaves rooms");
            // The lock is held, so nothing may run on this thread; closing sends, so it is no work for the timer.
            core.scheduler().schedule(Duration.ZERO, () -> core.workers().execute(() -> to.close(slow)));
        }
        changes.add(new Telling(new ArrayDeque<>(before), what));
    }

    /** Under the lock: the reply to {@code ref} or, without one, {@code $joined}; the delivery begins behind it. */
    private void tellJoined(LocalBroker.JoinChange joined, @Nullable String ref) {
        change(List.of(joined), to -> {
            Protocol.RoomPosition at = joined.at();
            Protocol.JoinReply data = new Protocol.JoinReply(
                    at.epoch(),
                    at.offset(),
                    at.recovered(),
                    at.reason(),
                    joined.room().size());
            Outgoing frame = ref == null
                    ? Outgoing.of(Protocol.JOINED)
                    : Outgoing.of(Protocol.REPLY).ref(ref);
            frame.room(joined.room().name).data(data, Protocol.JoinReply.class);
            to.send(frame.frame(), joined::start);
        });
    }

    /** Under the lock. */
    private void tellLeft(LocalBroker.LeaveChange left) {
        change(List.of(left), to -> {
            RoomChannel room = left.room();
            Protocol.LeaveReply data = new Protocol.LeaveReply(room.epoch, left.link().until);
            to.send(Outgoing.of(Protocol.LEFT)
                    .room(room.name)
                    .data(data, Protocol.LeaveReply.class)
                    .frame());
        });
    }

    /** Tells the connection what has changed, unless another thread is about to, or it is not welcomed yet. */
    private void tellChanges() {
        Peer to;
        lock.lock();
        try {
            to = hearer;
            if (to == null || to == told || !isWelcomed || changes == null) {
                return;
            }
            told = to;
        } finally {
            lock.unlock();
        }
        tellChanges(to, null);
    }

    /**
     * By one thread at a time for each connection; goes on later when that has much to send, or when a room has something
     * to deliver first.
     */
    private void tellChanges(Peer to, @Nullable Telling unfinished) {
        try {
            Telling next = unfinished;
            while (next != null || (hasChange(to) && !to.awaitDrained(() -> tellChanges(to, null)))) {
                Telling telling = next == null ? nextChange(to) : next;
                if (telling != null) {
                    if (telling.awaitDelivery(() -> tellChanges(to, telling))) {
                        return;
                    }
                    telling.what.accept(to);
                }
                next = null;
            }
        } catch (Throwable broken) { // without memory, say; the welcome of the next connection tells all
            Steps.log(core.log(), this + " could not be told of a room", broken);
            to.close(new CloseReason(CloseReason.INTERNAL_ERROR, "internal error"));
        }
    }

    private boolean hasChange(Peer to) {
        lock.lock();
        try {
            if (hearer != to) {
                return false; // what is left is the next connection's
            }
            if (changes == null || changes.isEmpty()) {
                changes = null;
                told = null;
            }
            return changes != null;
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Telling nextChange(Peer to) {
        lock.lock();
        try {
            return hearer != to || changes == null ? null : changes.poll();
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------- frames

    /**
     * Sends what answers an application's message: by the inbox when managed, so that a lost connection loses nothing. A
     * session that was disconnected answers no more, not in its client's next session either.
     */
    void answer(Outgoing frame) {
        if (!isKicked) {
            tellNewest(frame);
        }
    }

    /**
     * Tells the client why a message was refused, also when the session was disconnected: a message must not be acknowledged
     * without its refusal.
     */
    void refuse(@Nullable String ref, long seq, ErrorData error) {
        if (record != null && record.client() != null && seq > 0) {
            core.refusals().keep(record, userId, seq, ref, error);
        }
        tellNewest(error(ref, seq, error));
    }

    /**
     * Returns why messages of the client above a number were refused, the oldest first. The client is told of them before it
     * hears of a gap in its inbox, and ignores what it has heard before.
     *
     * @param bytes how long all of them may be, unless it is one
     */
    List<Refusals.Refusal> refusals(long above, int bytes) {
        List<Refusals.Refusal> some = new ArrayList<>();
        long sum = 0;
        for (Refusals.Refusal refusal :
                record == null ? List.<Refusals.Refusal>of() : core.refusals().of(record)) {
            if (refusal.seq() > above) {
                sum += error(refusal).length();
                if (sum > bytes && !some.isEmpty()) {
                    break;
                }
                some.add(refusal);
            }
        }
        return some;
    }

    /**
     * Tells the client of a new inbox, or of an inbox with a gap, the same before its welcome. What the connection does not
     * hold is published to the inbox.
     */
    void tellRefusals(Peer to) {
        long told = 0;
        for (Refusals.Refusal refusal : refusals(0, core.limits().outboundBytes() / 2)) {
            to.send(error(refusal).frame());
            told = refusal.seq();
        }
        refusals(told, Integer.MAX_VALUE).forEach(refusal -> tell(error(refusal)));
    }

    /** Returns what the client is told again of a message. */
    Outgoing error(Refusals.Refusal refusal) {
        return error(refusal.ref(), refusal.seq(), refusal.error());
    }

    /** Returns an error with as much of its message as every connection takes. */
    Outgoing error(@Nullable String ref, long seq, ErrorData error) {
        Outgoing frame = error(ref, seq).data(error, ErrorData.class);
        for (int most = 256; frame.length() + ENVELOPE > core.broker().mostBytes() && most >= 0; most -= 128) {
            frame = error(ref, seq).data(error.brief(most), ErrorData.class);
        }
        return frame;
    }

    private static Outgoing error(@Nullable String ref, long seq) {
        return Outgoing.of(Protocol.ERROR).ref(ref).seq(seq);
    }

    /** Sends what is said of an application's message in the client's newest session, which acknowledges the message. */
    private void tellNewest(Outgoing frame) {
        if (managed) {
            Session newest =
                    record == null ? null : record.session(); // of this client, which is acknowledged to as well
            (newest == null ? this : newest).tell(frame);
        } else {
            tell(frame);
        }
    }

    /** Returns what the client is asked and has asked for; made on first use. */
    ServerCalls calls() {
        ServerCalls known = calls;
        if (known != null) {
            return known;
        }
        lock.lock();
        try {
            known = calls == null ? new ServerCalls(core, this) : calls;
            calls = known;
            return known;
        } finally {
            lock.unlock();
        }
    }

    /** The log of the inbox broke: the client has a gap in it. */
    void inboxLost() {
        ServerCalls open = calls;
        if (open != null) {
            open.inboxLost();
        }
    }

    /** Returns whether the client was ever asked, or has asked for a stream. */
    boolean hasCalls() {
        return calls != null;
    }

    /** Sends what belongs to a question between the application and this session's client. */
    void tell(Outgoing frame) {
        boolean isUnattached = peer == null && isOpen(); // a plain one that has no connection yet
        if (managed || isUnattached) {
            toInbox(frame.room(Names.SESSION).ts(core.scheduler().currentTimeMillis()));
        } else {
            WireMessage ready = frame.ts(core.scheduler().currentTimeMillis()).frame();
            core.broker().requireSendable(ready.length());
            control(ready);
        }
    }

    /**
     * Returns whether a stream may send: no more than a part of what the connection, or the log of the inbox, could hold is
     * on its way. So the streams of a session never cost it its connection, or a message that is still to be read.
     */
    boolean hasRoomForStreams() {
        int most = core.limits().outboundBytes() / 2;
        if (!managed) {
            Peer to = peer;
            return to == null || to.outboundBytes() <= most;
        }
        RoomChannel inbox = rooms.get(Names.SESSION);
        return inbox == null || inbox.keepsLessThan(MOST_UNREAD, most);
    }

    /** On an I/O thread: what the client says of how far it has come; false when that is nothing new. */
    boolean credit(Protocol.Credit credit) {
        boolean isNews = false;
        RoomChannel inbox = rooms.get(Names.SESSION);
        if (managed && credit.read() != null && inbox != null) {
            isNews = inbox.forgetUpTo(credit.read());
        }
        ServerCalls open = calls;
        if (open == null) {
            return isNews;
        }
        if (isNews) {
            open.roomAgain();
        }
        return (credit.streams() != null && open.grant(credit.streams())) || isNews;
    }

    /** Sends a frame of this connection's own, in no log; lost when there is no connection. */
    void control(WireMessage frame) {
        Peer to = peer;
        if (to != null) {
            to.whenWelcomed(() -> to.send(frame));
        }
    }

    private void toInbox(Outgoing message) {
        core.broker().requireSendable(message.length());
        RoomChannel inbox = inbox();
        if (inbox == null) {
            return; // the session is over
        }
        try {
            inbox.publish(message, Recipients.EVERYONE);
        } catch (RoomChannel.GoneException ended) {
            core.log().debug("{} ended before a message for it", this);
        }
    }

    /**
     * Returns the session's own inbox, null when the session is over. Most sessions need none, so it is made when
     * something is to be put in or read; the client was told that it is empty, and is in it from its beginning.
     */
    @Nullable
    RoomChannel inbox() {
        RoomChannel known = rooms.get(Names.SESSION);
        if (known == null) {
            wake(Names.SESSION, core.broker().origin());
            known = rooms.get(Names.SESSION);
        }
        return known;
    }

    /**
     * Links the session to one of its inboxes that it was told is empty, and begins the delivery. Does nothing when it is
     * over or linked. A session that has no connection yet finds the user's inbox when it gets one; its own inbox, which
     * nobody else would keep for it, it has from the moment at which it can be found.
     */
    void wake(String inbox, Position begin) {
        LocalBroker.JoinChange woken;
        Peer to;
        lock.lock();
        try {
            boolean isTold = rooms.containsKey(Names.ALL) || inbox.equals(Names.SESSION);
            if (life == Life.OVER || rooms.containsKey(inbox) || !isTold) {
                return;
            }
            to = peer;
            woken = core.broker().link(() -> core.room(inbox, this), this, to, begin, 0);
            put(woken.room());
        } finally {
            lock.unlock();
        }
        if (to != null) {
            to.whenWelcomed(woken::start);
        }
    }

    /** Returns the rooms that the session is in, its inboxes among them. */
    Collection<RoomChannel> roomStates() {
        return rooms.values();
    }

    /** Returns the room of this name, or null when there is none. */
    @Nullable
    RoomChannel find(String room) {
        return core.broker().find(core.keyOf(room, this));
    }

    /** Returns a piece of a room's log. Makes no room: what does not exist is empty. */
    RoomChannel.Page page(String room, Protocol.HistoryRequest query, int maxBytes, int longest) {
        Position begin = markUnused(room);
        String key = core.keyOf(room, this);
        while (begin == null) {
            RoomChannel log = core.broker().find(key);
            if (log != null) {
                return log.page(this, query, maxBytes, longest);
            }
            Position end = core.broker().end(key);
            begin = core.broker().find(key) == null ? end : null; // else the room was made meanwhile
        }
        return RoomChannel.emptyPage(begin, query);
    }

    /** On an I/O thread: the client has handled the user's inbox up to an offset; false when that is nothing new. */
    boolean inboxHandled(long offset) {
        RoomChannel inbox = rooms.get(Names.USER);
        return inbox != null && inbox.acknowledge(this, offset);
    }

    /** Notes that a message of this session's client, of so many bytes, is processed. Its newest session tells it. */
    void markProcessed(long seq, int bytes) {
        if (record == null) {
            return;
        }
        record.markProcessed(seq);
        Session newest = record.session();
        if (newest != null) {
            newest.acknowledgeProcessed(bytes);
        }
    }

    /** Acknowledges when a quarter of what may be on the way is processed, by count or by size, or after 100 ms. */
    private void acknowledgeProcessed(int bytes) {
        lock.lock();
        try {
            unacknowledged++;
            unacknowledgedBytes += bytes;
            boolean isDue =
                    unacknowledged >= core.limits().inflight() / 4 || unacknowledgedBytes >= core.inflightBytes() / 4;
            if (!isDue) {
                scheduleAcknowledgement();
                return;
            }
        } finally {
            lock.unlock();
        }
        acknowledge();
    }

    /** Acknowledges within 100 ms: the client seems to have missed an acknowledgement. */
    void acknowledgeSoon() {
        lock.lock();
        try {
            unacknowledged++;
            scheduleAcknowledgement();
        } finally {
            lock.unlock();
        }
    }

    /** Under the lock. */
    private void scheduleAcknowledgement() {
        if (!owesAck && !hasEnded()) {
            owesAck = true;
            core.acknowledgements().owe(this);
        }
    }

    /** Acknowledges what was processed since the last acknowledgement, if anything was. */
    void acknowledgeLate() {
        lock.lock();
        try {
            owesAck = false;
        } finally {
            lock.unlock();
        }
        acknowledge();
    }

    /** Returns how far the client's messages are processed, for the welcome of a connection. */
    Protocol.Ack welcome(Peer newcomer) {
        lock.lock();
        try {
            Protocol.Ack now = progress();
            if (peer == newcomer) {
                unacknowledged = 0;
                unacknowledgedBytes = 0;
                acknowledged = now.seq();
            }
            return now;
        } finally {
            lock.unlock();
        }
    }

    /** Returns how far the client's messages are processed, and where the answers to them end. */
    private Protocol.Ack progress() {
        long seq = record == null ? 0 : record.processed(); // before the inbox, which then has the answers to these
        RoomChannel inbox = rooms.get(Names.SESSION);
        return new Protocol.Ack(seq, inbox == null ? 0 : inbox.end().offset());
    }

    private void acknowledge() {
        Peer to = peer;
        if (to != null) {
            to.whenWelcomed(() -> acknowledge(to));
        }
    }

    /** Acknowledges on this connection, if that is the session's. What it does not take stays owed, to its close. */
    private void acknowledge(Peer to) {
        Protocol.Ack now;
        lock.lock();
        try {
            if (unacknowledged == 0 || peer != to) {
                return;
            }
            unacknowledged = 0;
            unacknowledgedBytes = 0;
            now = progress();
        } finally {
            lock.unlock();
        }
        if (to.send(ack(now))) {
            lock.lock();
            try {
                acknowledged = Math.max(acknowledged, now.seq());
            } finally {
                lock.unlock();
            }
        }
    }

    private static WireMessage ack(Protocol.Ack now) {
        return Outgoing.of(Protocol.ACK).data(now, Protocol.Ack.class).frame();
    }
}
