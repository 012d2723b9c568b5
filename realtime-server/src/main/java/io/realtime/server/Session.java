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
import io.realtime.internal.wire.Frames;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
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
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One client instance. A managed client's session outlives its connections: rooms, attributes and user are kept for the
 * session's time to live after a connection is lost. Safe for use by many threads; every method returns immediately.
 *
 * <p>One lock orders joins, leaves, attachments and losses of the connection. It is never held while anything is sent or
 * any application code runs; a room's lock or the client record's may be taken under it.
 */
public final class Session {
    private static final Duration ACK_DELAY = Duration.ofMillis(100);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);

    /** What streams leave unread in the inbox; its log keeps four times as much. */
    private static final int MOST_UNREAD = 250;

    private final ServerCore core;
    private final String id;
    private final String secret; // without the id, which is in front of it
    private final String userId;
    private final boolean managed;
    private final Mailbox mailbox;
    private final ClientRecords.@Nullable ClientRecord record;

    // What an idle session does not need is made on first use: a server has many of them.
    private final ReentrantLock lock = new ReentrantLock();
    private final long number;
    private @Nullable TokenBucket rate; // by one thread at a time: a plain client's connection, or the mailbox
    private @Nullable TokenBucket resumptions; // guarded by lock
    private @Nullable Map<String, Object> attributes; // guarded by lock
    private volatile Map<String, RoomState> rooms = Map.of(); // by wire name; written under lock; one, or concurrent
    private Set<String> placed = Set.of(); // guarded by lock: rooms that the application put it in
    private boolean left; // guarded by lock: the session is over and joins nothing any more

    private volatile @Nullable Calls calls; // written once, under lock
    private volatile @Nullable Peer peer; // written under lock
    private volatile Handshake handshake; // written under lock
    private boolean over; // guarded by lock
    private boolean isTold; // in the mailbox only, as is the next: the listener has heard of the session
    private boolean isToldOver;
    private int unhandled; // guarded by lock: messages between here and the end of their handlers
    private Scheduler.Cancellable expiry = () -> {}; // guarded by lock
    private int unacknowledged; // guarded by lock
    private Scheduler.@Nullable Cancellable ackTimer; // guarded by lock

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
        this.managed = managed;
        this.record = record;
        this.handshake = handshake;
        if (!authentication.attributes().isEmpty()) {
            this.attributes = new ConcurrentHashMap<>(authentication.attributes());
        }
        this.mailbox = record == null ? core.newMailbox(new ReentrantLock()) : record.mailbox();
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

    /** Returns the names of the rooms that the session is in, sorted; its inboxes are not among them. */
    public Set<String> rooms() {
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
     */
    public void join(String room) {
        Names.requireRoom(room);
        Joined joined;
        lock.lock();
        try {
            placed = placed.isEmpty() ? new HashSet<>() : placed;
            placed.add(room);
            joined = rooms.containsKey(room) || left ? null : link(peer, room, null, 0);
        } finally {
            lock.unlock();
        }
        if (joined != null) {
            announce(joined, null);
        }
    }

    /** Takes the session out of a room and tells its client. Does nothing when it is not in it. */
    public void leave(String room) {
        Names.requireRoom(room);
        RoomState left = exit(room);
        if (left != null) {
            control(Outgoing.of(Frames.LEFT)
                    .room(room)
                    .data(new Frames.Left(left.epoch, left.end().offset()), Frames.Left.class)
                    .frame());
        }
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
                .data(data, event.type()));
    }

    /** Like {@link #request(Request, Object, Duration)}, within 10 s. */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data) {
        return request(request, data, REQUEST_TIMEOUT);
    }

    /**
     * Asks this session's client, once, by way of the session's inbox: a client that is away is asked when it comes back in
     * time. A handler must not wait for the answer, which comes behind the message that it handles.
     *
     * @param timeout how long to wait for the answer, the time without a connection included
     * @return completes on the executor with the answer. Fails with a {@link io.realtime.RemoteException} when the client
     *     answered with an error, with a {@link io.realtime.PayloadException} when the answer does not fit the contract,
     *     and with another {@link RealtimeException}: {@code timeout}, {@code connection_lost} when the session is over,
     *     {@code overloaded} when 1,000 questions to it are open
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("timeout " + timeout + " is not positive");
        }
        return calls().request(request, data, timeout);
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

    /** Ends the session for good, with 4005 and this text; the client stays closed. */
    public void disconnect(String text) {
        end(new CloseReason(CloseReason.KICKED, text));
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

    @Nullable
    Peer peer() {
        return peer;
    }

    /**
     * Gives the session a connection, in place of the one it has. What it is in, the rooms' state and their replay
     * begin only when the peer {@linkplain Peer#welcomed says so}.
     *
     * @return what it is in; nothing when a newer connection has taken the session already, whose authentication was
     *     quicker; null when the session is over
     */
    @Nullable
    Attached attach(Peer newcomer, Map<String, Position> positions) {
        Peer evicted;
        Attached attached = new Attached(new LinkedHashMap<>(), new ArrayList<>());
        lock.lock();
        try {
            if (over) {
                return null;
            }
            if (record != null && !record.claim(newcomer.number())) {
                return Attached.NOTHING;
            }
            evicted = peer;
            peer = newcomer;
            handshake = newcomer.handshake();
            expiry.cancel();
            Set<String> names = new LinkedHashSet<>(rooms.keySet());
            names.addAll(List.of(Names.SESSION, Names.USER, Names.ALL));
            for (String name : names) {
                Position since = positions.get(name);
                Position begin = sleeps(name);
                if (begin == null) {
                    relink(name, newcomer, since, attached);
                } else {
                    attached.rooms.put(name, RoomState.atEnd(begin, since));
                }
            }
        } finally {
            lock.unlock();
        }
        Frames.RoomState inbox = attached.rooms.get(Names.SESSION);
        if (inbox != null && inbox.isLost()) {
            inboxLost();
        }
        if (evicted != null) {
            evicted.close(new CloseReason(CloseReason.SESSION_REPLACED, "a newer connection took over the session"));
        }
        return attached;
    }

    /** Returns where an inbox will begin that nobody has used yet; null for every other room. */
    private @Nullable Position sleeps(String name) {
        if (rooms.containsKey(name)) {
            return null;
        }
        return switch (name) {
            case Names.SESSION -> core.broker().origin();
            case Names.USER -> core.inboxes().sleeps(userId);
            default -> null;
        };
    }

    private void relink(String name, Peer to, @Nullable Position since, Attached attached) {
        // What a user's devices have not seen waits for a client that can say that it has.
        int history = managed && name.equals(Names.USER) ? RoomState.UNREAD : 0;
        LocalBroker.Joined joined = core.broker().link(() -> core.room(name, this), this, to, since, history);
        put(joined.room());
        attached.rooms.put(name, joined.at());
        attached.links.add(joined);
    }

    /** What a connection is told of the session's rooms, and what begins behind that. */
    record Attached(Map<String, Frames.RoomState> rooms, List<LocalBroker.Joined> links) {
        static final Attached NOTHING = new Attached(Map.of(), List.of());
    }

    /** Starts what a peer was told of, unless a newer one has the session now. */
    void begin(Peer welcomed, Attached attached) {
        for (LocalBroker.Joined joined : attached.links) {
            if (peer == welcomed) {
                joined.start();
            }
        }
    }

    /** Notes that a connection is gone. A managed session is kept for its time to live; a plain one is over. */
    void detached(Peer gone, CloseReason reason, boolean forGood) {
        lock.lock();
        try {
            if (peer != gone || over) {
                return;
            }
            peer = null;
            if (managed && !forGood) {
                expiry = core.scheduler().schedule(core.sessionTtl(), () -> end(reason));
            }
        } finally {
            lock.unlock();
        }
        rooms.forEach((name, room) -> room.detach(this, gone));
        mailbox.post(() -> core.listener().onDetach(this, reason));
        if (!managed || forGood) {
            end(reason);
        }
    }

    /**
     * Ends the session: its connection now, and its rooms once what it {@linkplain #receives received} is handled. The
     * second call does nothing.
     */
    void end(CloseReason reason) {
        Peer last;
        boolean isIdle;
        lock.lock();
        try {
            if (over) {
                return;
            }
            over = true;
            isIdle = unhandled == 0;
            last = peer;
            peer = null;
            expiry.cancel();
            if (ackTimer != null) {
                ackTimer.cancel();
            }
        } finally {
            lock.unlock();
        }
        if (last != null) {
            rooms.values().forEach(RoomState::flush); // what was sent before reaches the connection before its end
            last.close(reason);
        }
        rooms.forEach((name, room) -> room.detach(this, last));
        Calls open = calls;
        if (open != null) {
            open.over();
        }
        if (isIdle) {
            leaveAll();
        }
        mailbox.post(() -> tellClose(reason));
    }

    /** In the mailbox: the listener hears of a session that has begun, once. */
    void tellOpen() {
        isTold |= !isToldOver;
        if (isTold) {
            core.listener().onOpen(this);
        }
    }

    /** In the mailbox: the listener hears of the end of a session only if it has heard of its beginning. */
    private void tellClose(CloseReason reason) {
        isToldOver = true;
        if (isTold) {
            core.listener().onClose(this, reason);
        }
    }

    /** Returns a number that grows with each session and connection of this server. */
    long number() {
        return number;
    }

    boolean isOver() {
        lock.lock();
        try {
            return over;
        } finally {
            lock.unlock();
        }
    }

    /** Takes a message's turn by the rate limits, or returns for how many nanoseconds it has to wait. */
    long takeTurn() {
        RateLimit limit = core.limits().ratePerSession();
        long now = core.scheduler().nanoTime();
        if (rate == null && !limit.isNone()) {
            rate = new TokenBucket(limit, now);
        }
        TokenBucket mine = rate;
        long wait = Math.max(
                mine == null ? 0 : mine.untilNext(now), core.userRates().untilNext(userId, now));
        if (wait == 0) { // both have a token: neither is charged for waiting for the other
            core.userRates().spend(userId, now);
            if (mine != null) {
                mine.spend(now);
            }
        }
        return wait;
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

    /** Notes a message on its way into the mailbox; false when the session is over and takes no more. */
    boolean receives() {
        lock.lock();
        try {
            unhandled += over ? 0 : 1;
            return !over;
        } finally {
            lock.unlock();
        }
    }

    /** Returns how many messages were {@linkplain #receives received} and are not handled. */
    int waiting() {
        lock.lock();
        try {
            return unhandled;
        } finally {
            lock.unlock();
        }
    }

    /** Notes that a message that was {@linkplain #receives received} needs the session no more. */
    void handled() {
        boolean isLast;
        lock.lock();
        try {
            unhandled--;
            isLast = over && unhandled == 0;
        } finally {
            lock.unlock();
        }
        if (isLast) {
            leaveAll();
        }
    }

    private void leaveAll() {
        List<RoomState> joined;
        lock.lock();
        try {
            left = true;
            joined = new ArrayList<>(rooms.values());
            rooms = Map.of();
        } finally {
            lock.unlock();
        }
        for (RoomState room : joined) {
            room.remove(this);
            if (room.name.equals(Names.SESSION)) {
                core.broker().discard(room);
            }
        }
        core.forget(this);
    }

    // ---------------------------------------------------------------- rooms

    /**
     * Puts the session in a room for a client that says where it stands: in a room that it is in, it begins anew from
     * there. Null when there is nothing to {@link #announce}. A
     * connection that is not the session's any more gets no answer, and changes nothing that the next one was told; but
     * the session is a member then, for the messages that it sent behind the question.
     */
    @Nullable
    Joined reenter(Peer asker, String name, @Nullable Position since, int history) {
        lock.lock();
        try {
            if (left) {
                return null;
            }
            if (peer == asker) {
                return link(asker, name, since, history);
            }
            if (!rooms.containsKey(name)) {
                link(null, name, since, history);
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    private Joined link(@Nullable Peer to, String name, @Nullable Position since, int history) {
        LocalBroker.Joined joined = core.broker().link(name, name, this, to, since, history);
        put(joined.room());
        return new Joined(joined, to);
    }

    private void put(RoomState room) {
        if (rooms.isEmpty()) {
            rooms = Map.of(room.name, room);
        } else if (rooms.get(room.name) != room) {
            manyRooms().put(room.name, room);
        }
    }

    private Map<String, RoomState> manyRooms() {
        if (!(rooms instanceof ConcurrentHashMap)) {
            rooms = new ConcurrentHashMap<>(rooms);
        }
        return rooms;
    }

    /** Returns whether the application itself put the session in the room. */
    boolean isPlacedIn(String room) {
        lock.lock();
        try {
            return placed.contains(room);
        } finally {
            lock.unlock();
        }
    }

    /** Takes the session out of a room; returns the room, or null when the session was not in it. */
    @Nullable
    RoomState exit(String name) {
        RoomState room;
        lock.lock();
        try {
            room = rooms.containsKey(name) ? manyRooms().remove(name) : null;
            if (!placed.isEmpty()) {
                placed.remove(name);
            }
        } finally {
            lock.unlock();
        }
        if (room != null) {
            room.remove(this);
        }
        return room;
    }

    /**
     * Tells the client that it is in a room now, as the reply to {@code ref} or, without one, as {@code $joined}, and
     * begins the delivery behind that.
     */
    void announce(Joined joined, @Nullable String ref) {
        if (joined.to == null) {
            return; // the welcome of its next connection tells
        }
        Frames.RoomState at = joined.in.at();
        Frames.Joined data = new Frames.Joined(
                at.epoch(),
                at.offset(),
                at.recovered(),
                at.reason(),
                joined.in.room().size());
        Frame frame = (ref == null
                        ? Outgoing.of(Frames.JOINED)
                        : Outgoing.of(Frames.REPLY).ref(ref))
                .room(joined.in.room().name)
                .data(data, Frames.Joined.class)
                .frame();
        joined.to.whenWelcomed(() -> {
            joined.to.send(FrameBatch.of(frame));
            joined.in.start();
        });
    }

    /** A room that was entered, before its delivery has begun. */
    record Joined(LocalBroker.Joined in, @Nullable Peer to) {}

    // ---------------------------------------------------------------- frames

    /** Sends what answers an application's message: by the inbox when managed, so that a lost connection loses nothing. */
    void answer(Outgoing frame) {
        if (managed) {
            Session newest =
                    record == null ? null : record.session(); // of this client, which is acknowledged to as well
            (newest == null ? this : newest).tell(frame);
        } else {
            tell(frame);
        }
    }

    /** Returns what the client is asked and has asked for; made on first use. */
    Calls calls() {
        Calls known = calls;
        if (known != null) {
            return known;
        }
        lock.lock();
        try {
            known = calls == null ? new Calls(core, this) : calls;
            calls = known;
            return known;
        } finally {
            lock.unlock();
        }
    }

    /** The log of the inbox broke: the client has a gap in it. */
    void inboxLost() {
        Calls open = calls;
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
        if (managed) {
            toInbox(frame.room(Names.SESSION).ts(core.scheduler().currentTimeMillis()));
        } else {
            Frame ready = frame.ts(core.scheduler().currentTimeMillis()).frame();
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
        RoomState inbox = rooms.get(Names.SESSION);
        return inbox == null || inbox.keepsLessThan(MOST_UNREAD, most);
    }

    /** On an I/O thread: what the client says of how far it has come; false when that is nothing new. */
    boolean credit(Frames.Credit credit) {
        boolean isNews = false;
        RoomState inbox = rooms.get(Names.SESSION);
        if (managed && credit.read() != null && inbox != null) {
            isNews = inbox.forgetUpTo(credit.read());
        }
        Calls open = calls;
        if (open == null) {
            return isNews;
        }
        if (isNews) {
            open.roomAgain();
        }
        return (credit.streams() != null && open.grant(credit.streams())) || isNews;
    }

    /** Sends a frame of this connection's own, in no log; lost when there is no connection. */
    void control(Frame frame) {
        Peer to = peer;
        if (to != null) {
            to.whenWelcomed(() -> to.send(FrameBatch.of(frame)));
        }
    }

    private void toInbox(Outgoing message) {
        RoomState inbox = inbox();
        if (inbox == null) {
            return; // the session is over
        }
        try {
            inbox.publish(message, Audience.EVERYONE);
        } catch (RoomState.GoneException ended) {
            core.log().debug("{} ended before a message for it", this);
        }
    }

    /**
     * Returns the session's own inbox, null when the session is over. Most sessions need none, so it is made when
     * something is to be put in or read; the client was told that it is empty, and is in it from its beginning.
     */
    @Nullable
    RoomState inbox() {
        RoomState known = rooms.get(Names.SESSION);
        if (known == null) {
            wake(Names.SESSION, core.broker().origin());
            known = rooms.get(Names.SESSION);
        }
        return known;
    }

    /**
     * Links the session to one of its inboxes that it was told is empty, and begins the delivery. Does nothing when it is
     * over, linked, or not attached: then it finds the room.
     */
    void wake(String inbox, Position begin) {
        LocalBroker.Joined woken;
        Peer to;
        lock.lock();
        try {
            if (left || rooms.containsKey(inbox) || !rooms.containsKey(Names.ALL)) {
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

    /** Returns a room's log, to read; null when it is the session's own and the session is over. */
    @Nullable
    RoomState log(String room) {
        return room.equals(Names.SESSION) ? inbox() : core.room(room, this);
    }

    /** Notes that the client has handled the user's inbox up to an offset. */
    void inboxHandled(long offset) {
        RoomState inbox = rooms.get(Names.USER);
        if (inbox != null) {
            inbox.acknowledge(this, offset);
        }
    }

    /** Notes that a message of this session's client is processed. Its newest session tells it. */
    void processed(long seq) {
        if (record == null) {
            return;
        }
        record.processed(seq);
        Session newest = record.session();
        if (newest != null) {
            newest.acknowledgeProcessed();
        }
    }

    /** Acknowledges when a quarter of what may be on the way is processed, or after 100 ms. */
    private void acknowledgeProcessed() {
        lock.lock();
        try {
            unacknowledged++;
            if (unacknowledged < Math.max(1, core.limits().inflight() / 4)) {
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

    /** Under the lock. The timer is left to run when an acknowledgement leaves before: under load they are many. */
    private void scheduleAcknowledgement() {
        if (ackTimer == null && !over) {
            ackTimer = core.scheduler().schedule(ACK_DELAY, this::acknowledgeLate);
        }
    }

    private void acknowledgeLate() {
        boolean isOwed;
        lock.lock();
        try {
            ackTimer = null;
            isOwed = unacknowledged > 0;
        } finally {
            lock.unlock();
        }
        if (isOwed) {
            acknowledge();
        }
    }

    /** Returns how far the client's messages are processed, and where the answers to them end. */
    Frames.Ack processed() {
        long seq = record == null ? 0 : record.processed(); // before the inbox, which then has the answers to these
        RoomState inbox = rooms.get(Names.SESSION);
        return new Frames.Ack(seq, inbox == null ? 0 : inbox.end().offset());
    }

    private void acknowledge() {
        if (record == null) {
            return;
        }
        lock.lock();
        try {
            unacknowledged = 0;
        } finally {
            lock.unlock();
        }
        control(Outgoing.of(Frames.ACK).data(processed(), Frames.Ack.class).frame());
    }
}
