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
 * A session of one client instance. A managed client's session outlives its connections: rooms, attributes and user are
 * kept for the session's time to live after a connection is lost. Safe for use by many threads. Every method returns
 * immediately.
 *
 * <p>One lock orders joins, leaves, attachments and losses of the connection. It is never held while anything is sent
 * or application code runs. A room's lock or the client record's may be taken while it is held.
 */
public final class Session {
    /** The bytes that room, time and offset add to a frame. */
    private static final int ENVELOPE = 100;

    /** How many changes of its rooms a connection may have to be told. Beyond that it is closed with 4102. */
    private static final int MOST_CHANGES = 10_000;

    /** The bytes of {@code $welcome} that may describe the application's rooms. */
    private static final int MOST_STATE_BYTES = 16 * 1024;

    /** The bytes that one room takes of these, without its name. */
    private static final int STATE_BYTES = 120;

    private static final Duration CLOSE_LATEST = Duration.ofSeconds(1);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);
    private static final CloseReason TAKEN_OVER =
            new CloseReason(CloseReason.SESSION_REPLACED, "a newer connection took over the session");

    private static final CompletableFuture<Void> NO_CLOSE = CompletableFuture.completedFuture(null);

    /** How many messages streams may leave unread in the inbox. Its log keeps four times as many. */
    private static final int MOST_UNREAD = 250;

    /** How many failures may wait until the listener is called. */
    private static final int MOST_UNHEARD = 100;

    private final ServerCore core;
    private final String id;
    // Without the id, which comes before it.
    private final String secret;
    private final String userId;
    private final boolean managed;
    private final Mailbox mailbox;
    private final SessionRate rate;
    private final ClientRecords.@Nullable ClientRecord record;

    // An idle session does not need all of these. They are created on first use, since a server has many sessions.
    private final ReentrantLock lock = new ReentrantLock();
    // Changes only before the session is in the tables.
    private long number;
    private @Nullable TokenBucket resumptions; // guarded by lock
    private @Nullable Map<String, Object> attributes; // guarded by lock
    // By wire name. Immutable with at most one entry, else concurrent.
    private volatile Map<String, RoomChannel> rooms = Map.of(); // written under lock
    // At the end of the session: the rooms that it has not left yet.
    private List<RoomChannel> leaving = List.of(); // guarded by lock
    // Rooms that the application has put the session in.
    private Set<String> placed = Set.of(); // guarded by lock
    // The rooms that the session was in at its end.
    private volatile Set<String> lastRooms = Set.of(); // written once, under lock
    // Rooms that the connection was not told of yet.
    private Set<String> unlinked = Set.of(); // guarded by lock
    // Rooms that a request of an older connection may not join.
    private Set<String> turnedOut = Set.of(); // guarded by lock
    // How many rooms $rejoin may still name, in addition to the unlinked ones.
    private long rejoins; // guarded by lock
    // What the connection is to be told of its rooms.
    private @Nullable Deque<Telling> changes; // guarded by lock
    // The connection that is told. It stays until the close that ends the session.
    private @Nullable Peer hearer; // guarded by lock
    // The connection may be told.
    private boolean isWelcomed; // guarded by lock
    // The connection that a thread is telling now.
    private @Nullable Peer told; // guarded by lock

    private volatile @Nullable ServerCalls calls; // written once, under lock
    private volatile @Nullable Peer peer; // written under lock
    private volatile Handshake handshake; // written under lock
    private volatile Life life = Life.NEW; // written under lock
    // The reason that was decided first.
    private volatile @Nullable CloseReason ended; // written under lock
    // Completes when the connection that ends with the session is closed.
    private CompletableFuture<Void> lastClose = NO_CLOSE; // guarded by lock
    // The session was disconnected, perhaps after it had ended.
    private volatile boolean isKicked; // written under lock
    // The listener is told of the session.
    private boolean isAnnounced; // guarded by lock
    // The session is no longer in the server's tables.
    private boolean isForgotten; // guarded by lock
    // The session counts against limits.sessions.
    private boolean hasPlace; // guarded by lock
    private Scheduler.Cancellable expiry = () -> {}; // guarded by lock
    // How many connections were lost. Distinguishes the newest expiry from one that comes too late.
    private int losses; // guarded by lock
    // Messages processed since the last acknowledgement.
    private int unacknowledged; // guarded by lock
    // Bytes of these messages.
    private long unacknowledgedBytes; // guarded by lock
    // The number that the welcome, or a later acknowledgement that the connection took, has named.
    private long acknowledged; // guarded by lock
    // Failures that the listener was not called with yet.
    private int unheard; // guarded by lock
    // The session is among the core's acknowledgements.
    private boolean owesAck; // guarded by lock

    /**
     * The states of a session's life, which passes through them in this order only. What the listener is told goes into
     * the mailbox under the lock that decides it. So the listener is told in that order: open, then detach and resume
     * in turns, then close.
     */
    private enum Life {
        /** The session is in no table, and nobody knows it. */
        NEW,
        /** The session is in the tables. It has a connection, or waits for one until its time to live is over. */
        OPEN,
        /**
         * The session accepts no message and no connection. It stays in its rooms until the messages that it received
         * are handled.
         */
        DRAINING,
        /** The session is in no room and no table. Messages that it received are no longer handled. */
        OVER
    }

    /** The ways in which a session ends. */
    enum EndReason {
        /**
         * The client has left, or is lost. The messages that it sent are handled in order, while the session is still
         * in its rooms.
         */
        DRAIN,
        /**
         * The application or the server has decided so. The session leaves its rooms at once, and no more messages of
         * its client are handled. If the client has another session, its messages are handled as long as that session
         * lasts.
         */
        AT_ONCE,
        /** Like {@link #AT_ONCE}, if the session has no connection; otherwise the session continues. */
        EVICT,
        /** Like {@link #AT_ONCE}, if the session is open; a session that drains continues. */
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

    /**
     * Returns the public id. It names this session in logs and in {@link Room#except}; it is not a secret, and does not
     * give access.
     */
    public String id() {
        return id;
    }

    /** Returns the user of this session. */
    public User user() {
        return new User(core, userId);
    }

    /** Returns whether the client is a managed client, which acknowledges and resumes. */
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

    /**
     * Returns the attributes. The map is live and concurrent: what is put there stays with the session when a
     * connection is lost. It holds no null.
     */
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
     * Returns the names of the rooms that the session is in, sorted, without its inboxes. When the session is over, for
     * example in {@link SessionListener#onClose}, they are the rooms that it was in at its end.
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
     * Returns a room that the session has joined. Messages that are sent to it have this session's user as sender.
     *
     * @throws RealtimeException with {@code forbidden} when the session is not in it
     */
    public Room room(String name) {
        if (!isIn(name) || name.startsWith("@")) {
            throw new RealtimeException(ErrorCode.FORBIDDEN, "not a member of room '" + Names.abbreviate(name) + "'");
        }
        return Room.named(core, name, this);
    }

    /** Returns the inbox of a user. Messages that are sent to it have this session's user as sender. */
    public Room inboxOf(String userId) {
        return Room.inbox(core, userId, this);
    }

    /**
     * Returns {@code @all}, the room of every session. Messages that are sent to it have this session's user as sender.
     */
    public Room everyone() {
        return Room.everyone(core, this);
    }

    /**
     * Returns the access to the server's sessions, users and rooms, for a handler that needs more than its own session.
     */
    public ConnectionManager connections() {
        return core.connections();
    }

    /**
     * Puts the session in a room and tells its client. The join rule is not asked, now or on a resume. If the session
     * is in the room already, the client is told nothing.
     *
     * @throws RealtimeException with {@code overloaded} when {@link Limits#rooms}, {@link Limits#roomsPerUser} or the
     *     rooms' half of {@link Limits#logBytes} allow no more
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

    /** Takes the session out of a room and tells its client. Does nothing when the session is not in the room. */
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
     * Sends to this session alone, through its inbox. A client without a connection gets the message when it resumes in
     * time.
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
     * Sends a request to this session's client, once, through the session's inbox. A client without a connection gets
     * the request when it resumes in time. The answer waits for no handler, and may overtake messages that the client
     * sent before it. A handler that blocks until the answer comes ({@code join}) holds one of its user's threads, and
     * delays the session's next messages. Continue in {@code thenAccept} instead.
     *
     * @param timeout how long to wait for the answer, the time without a connection included
     * @return completes with the answer, on a thread for callbacks or the application's {@code executor}. Fails with a
     *     {@link io.realtime.RemoteException} when the client answered with an error, with a {@link
     *     io.realtime.PayloadException} when the answer does not fit the contract, and with another {@link
     *     RealtimeException}: {@code timeout}, {@code connection_lost} when the session is over, {@code overloaded}
     *     when 1,000 requests to it are open
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        return calls().request(request, data, Durations.positive("timeout", timeout));
    }

    /**
     * Requests a stream from this session's client. The listener gets its items in order, one at a time, along with the
     * session's messages. The stream ends with {@code connection_lost} when the session is over.
     *
     * @return cancels the stream when closed: the listener is not called any more, and the producer stops at once
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    public <Q, T> Subscription stream(StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener) {
        return calls().stream(request, data, Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Ends the session for good, with 4005 and this text; the client does not reconnect. When this returns, the session
     * is in no room, and no login of its client that began before gets a session. Messages that no handler has begun
     * with are neither handled nor acknowledged. A handler that runs continues to its end.
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
        if (newest != null) {
            // The client has already begun another session.
            newest.end(kicked, EndReason.AT_ONCE);
        }
    }

    /**
     * Returns a hash of the number, not of the address. So hash sets of sessions have the same order in each run of a
     * simulation.
     */
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

    /** Returns the secret with which the user resumes the session: the public id and a part that nobody can guess. */
    String secret() {
        return id + secret;
    }

    /** Returns whether this is the secret. The comparison takes constant time. */
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

    /** What a connection requests when it resumes the session, and the rooms that the join rule now forbids. */
    record ResumeRequest(Peer peer, Map<String, Position> positions, boolean isPartial, Set<String> forbidden) {}

    /**
     * Gives the session a connection, in place of the one that it has, and takes the session out of forbidden rooms.
     * The replay of the other rooms, and what else the connection is told of rooms, begins only when the peer
     * {@linkplain #welcomed is welcomed}.
     *
     * @return the rooms that it is in; {@link Attached#NOTHING} when a newer connection of the client came first,
     *     because its authentication was quicker; null when the session is over, or its client has begun another
     */
    @Nullable
    Attached attach(ResumeRequest claim) {
        Peer newcomer = claim.peer;
        Peer evicted;
        // Rooms that deliver nothing to the newcomer.
        List<RoomChannel> idle = new ArrayList<>();
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
                } else if (isFirst && name.equals(Names.SESSION)) {
                    // Messages from before the first connection are new to the client.
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

    /**
     * Returns the application's rooms that the session is in, those of {@code first} before the others. The caller
     * holds the lock.
     */
    private Set<String> named(Set<String> first) {
        Set<String> names = new LinkedHashSet<>(first);
        names.retainAll(rooms.keySet());
        names.addAll(rooms.keySet());
        names.removeIf(name -> name.startsWith("@"));
        return names;
    }

    /** Returns where an inbox will begin that nobody has used yet. Returns null for every other room. */
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
        // Only a managed client can say what it has seen. So what the user's devices have not seen waits for one.
        int history = managed && name.equals(Names.USER) ? RoomChannel.UNREAD : 0;
        LocalBroker.JoinChange joined = core.broker().link(() -> core.room(name, this), this, peer, since, history);
        put(joined.room());
        links.add(joined);
        return joined.at();
    }

    /** The rooms that a connection is told of in its welcome, and whether the session is in more. */
    record Attached(Map<String, Protocol.RoomPosition> rooms, boolean isPartial) {
        static final Attached NOTHING = new Attached(Map.of(), false);
    }

    /**
     * Notes that the connection was sent its welcome: begins the replays that the welcome announced, then tells the
     * connection what has changed.
     */
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

    /** Puts a new session into the server's tables. Does nothing when the session has already ended. */
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

    /**
     * Gives the session a new number, so that numbers have the order in which the user's sessions enter the tables.
     * Called before the session is in the tables.
     */
    void renumber() {
        number = core.nextNumber();
    }

    /** Takes a place for the session, for as long as it is in the tables. Returns false when none is free. */
    boolean takePlace(Semaphore places) {
        lock.lock();
        try {
            hasPlace = !isForgotten && places.tryAcquire();
            return hasPlace || isForgotten;
        } finally {
            lock.unlock();
        }
    }

    /** Releases the session's place, if it has one. The caller holds the lock. */
    void leavePlace(Semaphore places) {
        if (hasPlace) {
            places.release();
        }
    }

    /**
     * Tells the listener that the session is open, and enables its later calls. The client has a place, and is about to
     * be told so.
     */
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

    /**
     * Puts a call of the listener into the mailbox, so that the order of calls is the order of what happened. The
     * caller holds the lock, and wakes the mailbox afterwards.
     */
    private void inform(Consumer<SessionListener> what) {
        if (isAnnounced) {
            mailbox.enqueue(() -> what.accept(core.listener()));
        }
    }

    /**
     * Tells the listener of a failure: at once in a task of the mailbox, else in a task of its own there, so that the
     * listener is called once at a time. A failure outside of the mailbox is only logged after the session's end, and
     * while {@link #MOST_UNHEARD} failures wait.
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
        } catch (Throwable again) {
            // An Error must not prevent the answer to what failed first.
            Steps.log(core.log(), this + ": the session listener failed", again);
        }
    }

    /**
     * Notes that a connection is lost. A managed session is kept for its time to live. A plain session is over, and so
     * is a session whose connection closed for good.
     */
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

    /**
     * Ends the session unless its client has resumed it since this loss. The timer may fire too late to be cancelled.
     */
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
     * Ends the session and its connection. Does nothing when the session has ended, unless it drains and is to end at
     * once. If another thread is already ending it at once, this call helps the session to leave its rooms.
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
            // Set after the close has read what it will acknowledge: all of that was answered.
            isKicked |= reason.code() == CloseReason.KICKED;
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

    /**
     * Closes a connection after all that it was to be told until now. Closes a connection that is not the session's at
     * once.
     */
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
     * Makes the close the last thing that the connection is told. Before it come what rooms are handing over, and an
     * acknowledgement of all messages that were handled until now. The answers to these are in the inbox, and are
     * handed over first. What a handler finishes later is not acknowledged, since its answer may not reach the client.
     * The caller holds the lock.
     *
     * @return begins the close, without the lock; the close takes {@link #CLOSE_LATEST} at most
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

    /**
     * Enters a later state. Returns false when the session is in that state or a later one already. The listener is
     * told of the first end only. The caller holds the lock.
     */
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
        mailbox.enqueue(() -> {
            // Runs after the messages that the session has received.
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
     * Takes the session out of its rooms, and then out of the server's tables. So a session that is no longer found, or
     * whose ending call has returned, is in no room. Several threads may do so at the same time; each does all of it.
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
                // Until the connection is closed, the inbox is still delivered to it.
                CompletableFuture<Void> unused = closed.thenRun(room::kill);
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
            // Returns what a refused message took, since the client will not send it again.
            rate.giveBack();
        }
        ServerCalls open = calls;
        if (open != null) {
            open.over();
        }
    }

    /** Returns why the session has ended, or null while it has not. */
    @Nullable
    CloseReason ended() {
        return ended;
    }

    /** Returns whether the session accepts messages and connections. */
    boolean isOpen() {
        return life == Life.OPEN;
    }

    /** Returns whether the session has ended. Messages that it received may still be handled. */
    boolean hasEnded() {
        return life.compareTo(Life.DRAINING) >= 0;
    }

    /** Returns whether the session is over: no more of its messages are handled. */
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

    /** Returns 0 when the session may be resumed now, else the nanoseconds until it may. */
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
     * Handles {@code $join} after its rule has answered: subscribes the session at the client's position, also when it
     * is in the room already. If the rule does not allow it, takes the session out of the room.
     *
     * <p>A connection that is no longer the session's gets no answer, and changes nothing that a later connection was
     * told. But the session becomes a member, for the messages that it sent after the request, unless a resume has
     * since found that it may not join.
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
     * Handles {@code $rejoin}: many joins with one answer.
     *
     * @param allowed the rooms that the session was not in and may join
     * @param excess the rooms that are refused because they are {@linkplain #takeRejoins too many}
     * @param isLast whether the connection is then told, by {@code $joined}, of rooms that the client did not name
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

    /** Begins the delivery of a room that the connection was not told of. The caller holds the lock. */
    private void begin(String name) {
        try {
            tellJoined(link(peer, name, null, 0), null);
        } catch (RuntimeException | Error broken) {
            // For example out of memory. This ends the connection, and the next one is told all.
            change(List.of(), to -> {
                throw broken;
            });
        }
    }

    /**
     * Counts the rooms that a connection names in {@code $rejoin}. To the rate it is one message, however many rules it
     * asks and replays it begins; so the rooms are bounded here. A room that waits to be named never exceeds the bound.
     * Nor does a room that the application had put the session in when the connection came, once each.
     *
     * @return the rooms beyond the bound
     */
    Set<String> takeRejoins(Peer asker, Set<String> names) {
        lock.lock();
        try {
            boolean isCurrent = peer == asker;
            long most = isCurrent ? rejoins : core.limits().roomsPerSession();
            Set<String> counted = new LinkedHashSet<>(placed);
            // Placed rooms are counted first: the session may not be refused these.
            counted.retainAll(names);
            counted.addAll(names);
            counted.removeAll(unlinked);
            int taken = (int) Math.min(most, counted.size());
            rejoins -= isCurrent ? taken : 0;
            return counted.stream().skip(taken).collect(Collectors.toSet());
        } finally {
            lock.unlock();
        }
    }

    /** The result of a request to join: the session has joined, or there is an error and it is not in the room. */
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

    /** Decides about a request to join, and carries it out. The caller holds the lock. */
    private Decision decide(Peer asker, String name, Protocol.Join wish, boolean isAllowed) {
        boolean isIn = rooms.containsKey(name);
        boolean isCurrent = peer == asker;
        // Requests of older connections came before this one.
        turnedOut = isCurrent ? Set.of() : turnedOut;
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
        } catch (RealtimeException tooMany) {
            // The server has too many rooms. The other rooms of a $rejoin are not affected.
            return new Decision(name, null, ErrorData.of(tooMany), isCurrent ? exit(name) : null);
        } catch (RuntimeException | Error broken) {
            Steps.log(core.log(), this + " could not join a room", broken);
            ErrorData error = ErrorData.of(ErrorCode.INTERNAL, "the room could not be joined", false);
            return new Decision(name, null, error, isCurrent ? exit(name) : null);
        }
    }

    /** Refuses a room of {@code $rejoin} that is one too many. The caller holds the lock. */
    private Decision tooMany(Peer asker, String name) {
        String why = "$rejoin names more rooms than a session may be in";
        return refusal(name, ErrorCode.OVERLOADED, why, peer == asker ? exit(name) : null);
    }

    private static Decision refusal(String name, ErrorCode code, String why, LocalBroker.@Nullable LeaveChange left) {
        return new Decision(name, null, ErrorData.of(code, why, false), left);
    }

    /** Returns how many of the application's rooms the session is in. The caller holds the lock. */
    private int countRooms() {
        int count = rooms.size();
        for (String inbox : List.of(Names.SESSION, Names.USER, Names.ALL)) {
            count -= rooms.containsKey(inbox) ? 1 : 0;
        }
        return count;
    }

    /** Handles {@code $leave}. Does nothing for a connection that is gone: the client asks again on the next one. */
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

    /** Returns the rooms that the session is in without the application having put it there. */
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

    /** Takes the session out of a room. Returns null when the session was not in it. The caller holds the lock. */
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

    // ---- what the connection is told of these, in the order in which it was decided

    /** What the connection is told, and the changes whose messages are delivered before. */
    private record Telling(Deque<LocalBroker.Change> before, Consumer<Peer> what) {
        /**
         * Returns whether something is to be delivered before. If so, {@code proceed} is called later, and calls this
         * again.
         */
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
     * Adds to what the connection is told. Does nothing without a connection, since the next welcome tells all. The
     * caller holds the lock.
     *
     * @param before changes whose remaining messages the session gets first
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
            // Closing sends. This thread holds the lock, so it must not send, nor must the timer's thread.
            core.scheduler().schedule(Duration.ZERO, () -> core.workers().execute(() -> to.close(slow)));
        }
        changes.add(new Telling(new ArrayDeque<>(before), what));
    }

    /**
     * Tells the connection of a join, in the reply to {@code ref} or, when that is null, in {@code $joined}. The
     * delivery begins after it. The caller holds the lock.
     */
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

    /** Tells the connection of a leave, in {@code $left}. The caller holds the lock. */
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

    /**
     * Tells the connection what has changed. Does nothing when another thread does so already, or before the welcome.
     */
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
     * Tells the connection what has changed; one thread at a time for each connection. Continues later when the
     * connection is not drained, or when a room has something to deliver first.
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
        } catch (Throwable broken) {
            // For example out of memory. The welcome of the next connection tells all.
            Steps.log(core.log(), this + " could not be told of a room", broken);
            to.close(new CloseReason(CloseReason.INTERNAL_ERROR, "internal error"));
        }
    }

    private boolean hasChange(Peer to) {
        lock.lock();
        try {
            if (hearer != to) {
                // The rest belongs to the next connection.
                return false;
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
     * Sends the answer to a message of the application. For a managed client it goes through the inbox, so that a lost
     * connection loses nothing. A session that was disconnected sends no more answers, not in its client's next session
     * either.
     */
    void answer(Outgoing frame) {
        if (!isKicked) {
            tellNewest(frame);
        }
    }

    /**
     * Tells the client why a message was refused, also when the session was disconnected: a message must not be
     * acknowledged before its refusal is sent.
     */
    void refuse(@Nullable String ref, long seq, ErrorData error) {
        if (record != null && record.client() != null && seq > 0) {
            core.refusals().keep(record, userId, seq, ref, error);
        }
        tellNewest(error(ref, seq, error));
    }

    /**
     * Returns why messages of the client above a number were refused, the oldest first. The client is told of them
     * before it is told of a gap in its inbox. It ignores those that it knows already.
     *
     * @param bytes the maximum length of all of them together; the first is returned whatever its length
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
     * Tells the client its refusals again, before the welcome to a new inbox or to an inbox with a gap. Those that the
     * connection cannot hold are published to the inbox.
     */
    void tellRefusals(Peer to) {
        long told = 0;
        for (Refusals.Refusal refusal : refusals(0, core.limits().outboundBytes() / 2)) {
            to.send(error(refusal).frame());
            told = refusal.seq();
        }
        refusals(told, Integer.MAX_VALUE).forEach(refusal -> tell(error(refusal)));
    }

    /** Returns the error that repeats a refusal to the client. */
    Outgoing error(Refusals.Refusal refusal) {
        return error(refusal.ref(), refusal.seq(), refusal.error());
    }

    /** Returns an error with as much of its text as every connection accepts. */
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

    /**
     * Sends what answers an application's message. It goes to the client's newest session, which also acknowledges the
     * message.
     */
    private void tellNewest(Outgoing frame) {
        if (managed) {
            Session newest = record == null ? null : record.session();
            (newest == null ? this : newest).tell(frame);
        } else {
            tell(frame);
        }
    }

    /** Returns the requests between the application and the client, in both directions. Created on first use. */
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

    /** Notes that the log of the inbox has lost messages: the client has a gap in it. */
    void inboxLost() {
        ServerCalls open = calls;
        if (open != null) {
            open.inboxLost();
        }
    }

    /** Returns whether the client has ever been sent a request, or has requested a stream. */
    boolean hasCalls() {
        return calls != null;
    }

    /** Sends a frame of a request between the application and this session's client. */
    void tell(Outgoing frame) {
        // A plain session that has no connection yet.
        boolean isUnattached = peer == null && isOpen();
        if (managed || isUnattached) {
            toInbox(frame.room(Names.SESSION).ts(core.scheduler().currentTimeMillis()));
        } else {
            WireMessage ready = frame.ts(core.scheduler().currentTimeMillis()).frame();
            core.broker().requireSendable(ready.length());
            control(ready);
        }
    }

    /**
     * Returns whether a stream may send. A stream may have in flight only a part of what the connection, or the log of
     * the inbox, could hold. So the streams of a session never cost it its connection, or a message that is not read
     * yet.
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

    /**
     * Handles what the client says of how far it has read. Returns false when that is nothing new. Called on an I/O
     * thread.
     */
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

    /** Sends a frame that belongs to this connection and is in no log. It is lost when there is no connection. */
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
            // The session is over.
            return;
        }
        try {
            inbox.publish(message, Recipients.EVERYONE);
        } catch (RoomChannel.GoneException ended) {
            core.log().debug("{} ended before a message for it", this);
        }
    }

    /**
     * Returns the session's own inbox, or null when the session is over. Most sessions need none, so it is created when
     * something is to be written or read. The client was told that it is empty, and reads it from its beginning.
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
     * Links the session to one of its inboxes that the client was told is empty, and begins the delivery. Does nothing
     * when the session is over or linked. A session without a first connection links the user's inbox when it gets one.
     * It may link its own inbox, which nobody else would keep, as soon as it is in the tables.
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

    /** Returns the room of this name, or null when it does not exist. */
    @Nullable
    RoomChannel find(String room) {
        return core.broker().find(core.keyOf(room, this));
    }

    /** Returns a page of a room's log. Does not create the room: one that does not exist has an empty page. */
    RoomChannel.Page page(String room, Protocol.HistoryRequest query, int maxBytes, int longest) {
        Position begin = markUnused(room);
        String key = core.keyOf(room, this);
        while (begin == null) {
            RoomChannel log = core.broker().find(key);
            if (log != null) {
                return log.page(this, query, maxBytes, longest);
            }
            Position end = core.broker().end(key);
            // Null when the room was created meanwhile; then it is looked up again.
            begin = core.broker().find(key) == null ? end : null;
        }
        return RoomChannel.emptyPage(begin, query);
    }

    /**
     * Notes that the client has handled the user's inbox up to an offset. Returns false when that is nothing new.
     * Called on an I/O thread.
     */
    boolean inboxHandled(long offset) {
        RoomChannel inbox = rooms.get(Names.USER);
        return inbox != null && inbox.acknowledge(this, offset);
    }

    /**
     * Notes that a message of this session's client, of so many bytes, is processed. The client's newest session
     * acknowledges it.
     */
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

    /** Acknowledges when a quarter of what may be in flight is processed, by count or by size, or after 100 ms. */
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

    /** Acknowledges within 100 ms, since the client seems to have missed an acknowledgement. */
    void acknowledgeSoon() {
        lock.lock();
        try {
            unacknowledged++;
            scheduleAcknowledgement();
        } finally {
            lock.unlock();
        }
    }

    /** Schedules an acknowledgement within 100 ms. The caller holds the lock. */
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
        // Read before the inbox, which then has the answers to these messages.
        long seq = record == null ? 0 : record.processed();
        RoomChannel inbox = rooms.get(Names.SESSION);
        return new Protocol.Ack(seq, inbox == null ? 0 : inbox.end().offset());
    }

    private void acknowledge() {
        Peer to = peer;
        if (to != null) {
            to.whenWelcomed(() -> acknowledge(to));
        }
    }

    /** Acknowledges on this connection, if it is the session's. */
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
        to.send(ack(now));
        lock.lock();
        try {
            acknowledged = Math.max(acknowledged, now.seq());
        } finally {
            lock.unlock();
        }
    }

    private static WireMessage ack(Protocol.Ack now) {
        return Outgoing.of(Protocol.ACK).data(now, Protocol.Ack.class).frame();
    }
}
