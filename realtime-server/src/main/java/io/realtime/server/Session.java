package io.realtime.server;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Frames;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One client instance. A managed client's session outlives its connections: rooms, attributes and user are kept for the
 * session's time to live after a connection is lost. Safe for use by many threads; every method returns immediately.
 *
 * <p>Two locks, never held while anything is sent or any application code runs: {@code membership} orders joins, leaves
 * and attachments, and may be held when a room's lock is taken; {@code state} guards the connection and the timers and
 * is taken last.
 */
public final class Session {
    private static final Duration ACK_DELAY = Duration.ofMillis(100);
    private static final int ACK_EVERY = 32;

    private final ServerCore core;
    private final String id;
    private final String secret;
    private final User user;
    private final boolean managed;
    private final Mailbox mailbox;
    private final ClientRecords.@Nullable ClientRecord record;
    private final ConcurrentHashMap<String, Object> attributes;

    private final ReentrantLock membership = new ReentrantLock();
    private final Map<String, RoomState> rooms = new ConcurrentHashMap<>(); // by wire name; written under membership
    private final Set<String> placed = ConcurrentHashMap.newKeySet(0); // rooms that the application put it in
    private boolean left; // guarded by membership: the session is over and joins nothing any more

    private final ReentrantLock state = new ReentrantLock();
    private volatile @Nullable Peer peer; // written under state
    private volatile Handshake handshake; // written under state
    private boolean over; // guarded by state
    private int unhandled; // guarded by state: messages between here and the end of their handlers
    private Scheduler.Cancellable expiry = () -> {}; // guarded by state
    private int unacknowledged; // guarded by state
    private Scheduler.@Nullable Cancellable ackTimer; // guarded by state

    Session(
            ServerCore core,
            String id,
            String secret,
            Authentication authentication,
            boolean managed,
            ClientRecords.@Nullable ClientRecord record,
            Handshake handshake) {
        this.core = core;
        this.id = id;
        this.secret = secret;
        this.user = new User(core, authentication.user());
        this.managed = managed;
        this.record = record;
        this.handshake = handshake;
        this.attributes = new ConcurrentHashMap<>(authentication.attributes());
        this.mailbox = record == null ? core.newMailbox() : record.mailbox();
    }

    // ---------------------------------------------------------------- for applications

    /** Returns the public id: names this session in logs and exclusions, and opens nothing. */
    public String id() {
        return id;
    }

    /** Returns whose session this is. */
    public User user() {
        return user;
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
        return attributes;
    }

    /** Returns the names of the rooms that the session is in, sorted; its inboxes are not among them. */
    public Set<String> rooms() {
        Set<String> names = new TreeSet<>(rooms.keySet());
        names.removeIf(name -> name.startsWith("@"));
        return names;
    }

    /** Returns whether the session is in the room. */
    public boolean isIn(String room) {
        return rooms.containsKey(room);
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
        placed.add(room);
        Joined joined = enter(room, null, 0);
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
     */
    public <T> void send(Event<T> event, T data) {
        Outgoing message = event.isEphemeral() ? Outgoing.ephemeral(event.name()) : Outgoing.of(event.name());
        toInbox(message.room(Names.SESSION)
                .ts(core.scheduler().currentTimeMillis())
                .data(data, event.type()));
    }

    /** Ends the session for good, with 4005 and this text; the client stays closed. */
    public void disconnect(String text) {
        end(new CloseReason(CloseReason.KICKED, text));
    }

    @Override
    public String toString() {
        return "Session{" + id + ", user=" + user.id() + "}";
    }

    // ---------------------------------------------------------------- connection

    String secret() {
        return secret;
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
     * @return the links by room's wire name; none when a newer connection has taken the session already, whose
     *     authentication was quicker; null when the session is over
     */
    @Nullable
    Map<String, RoomState.Link> attach(Peer newcomer, Map<String, Position> positions, boolean resumed) {
        Peer evicted;
        state.lock();
        try {
            if (over) {
                return null;
            }
            if (record != null && !record.claim(newcomer.number())) {
                return Map.of();
            }
            evicted = peer;
            peer = newcomer;
            handshake = newcomer.handshake();
            expiry.cancel();
        } finally {
            state.unlock();
        }
        if (evicted != null) {
            evicted.close(new CloseReason(CloseReason.SESSION_REPLACED, "a newer connection took over the session"));
        }
        Map<String, RoomState.Link> links = new LinkedHashMap<>();
        membership.lock();
        try {
            if (!resumed) {
                for (String inbox : List.of(Names.SESSION, Names.USER, Names.ALL)) {
                    relink(inbox, core.keyOf(inbox, this), newcomer, positions.get(inbox), links);
                }
            } else {
                for (RoomState room : new ArrayList<>(rooms.values())) {
                    relink(room.name, room.key, newcomer, positions.get(room.name), links);
                }
            }
        } finally {
            membership.unlock();
        }
        return links;
    }

    private void relink(String name, String key, Peer to, @Nullable Position since, Map<String, RoomState.Link> links) {
        if (peer != to || left) {
            return; // a newer connection has taken over, or the session is over: that one links
        }
        // What a user's devices have not seen waits for a client that can say that it has.
        int history = managed && name.equals(Names.USER) ? RoomState.UNREAD : 0;
        LocalBroker.Joined joined = core.broker().link(key, name, this, to, since, history);
        rooms.put(name, joined.room());
        links.put(name, joined.link());
    }

    /** Starts whatever links this peer has and has not started. */
    void begin(Peer welcomed, Map<String, RoomState.Link> links) {
        for (Map.Entry<String, RoomState.Link> entry : links.entrySet()) {
            RoomState room = rooms.get(entry.getKey());
            if (room != null && peer == welcomed) {
                room.start(entry.getValue());
            }
        }
    }

    /** Notes that a connection is gone. A managed session is kept for its time to live; a plain one is over. */
    void detached(Peer gone, CloseReason reason, boolean forGood) {
        state.lock();
        try {
            if (peer != gone || over) {
                return;
            }
            peer = null;
            if (managed && !forGood) {
                expiry = core.scheduler().schedule(core.sessionTtl(), () -> end(reason));
            }
        } finally {
            state.unlock();
        }
        for (RoomState room : rooms.values()) {
            room.detach(this, gone);
        }
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
        state.lock();
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
            state.unlock();
        }
        if (last != null) {
            last.close(reason);
        }
        for (RoomState room : rooms.values()) {
            room.detach(this, last);
        }
        if (isIdle) {
            leaveAll();
        }
        mailbox.post(() -> core.listener().onClose(this, reason));
    }

    /** Notes a message on its way into the mailbox; false when the session is over and takes no more. */
    boolean receives() {
        state.lock();
        try {
            unhandled += over ? 0 : 1;
            return !over;
        } finally {
            state.unlock();
        }
    }

    /** Notes that a message that was {@linkplain #receives received} needs the session no more. */
    void handled() {
        boolean isLast;
        state.lock();
        try {
            unhandled--;
            isLast = over && unhandled == 0;
        } finally {
            state.unlock();
        }
        if (isLast) {
            leaveAll();
        }
    }

    private void leaveAll() {
        List<RoomState> joined;
        membership.lock();
        try {
            left = true;
            joined = new ArrayList<>(rooms.values());
            rooms.clear();
        } finally {
            membership.unlock();
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

    /** Puts the session in a room; null when it is over, or in it already. {@link #announce} begins the delivery. */
    @Nullable
    Joined enter(String name, @Nullable Position since, int history) {
        membership.lock();
        try {
            return rooms.containsKey(name) || left ? null : link(peer, name, since, history);
        } finally {
            membership.unlock();
        }
    }

    /**
     * Like {@link #enter}, for a client that says where it stands: in a room that it is in, it begins anew from there. A
     * connection that is not the session's any more gets no answer, and changes nothing that the next one was told; but
     * the session is a member then, for the messages that it sent behind the question.
     */
    @Nullable
    Joined reenter(Peer asker, String name, @Nullable Position since, int history) {
        membership.lock();
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
            membership.unlock();
        }
    }

    private Joined link(@Nullable Peer to, String name, @Nullable Position since, int history) {
        LocalBroker.Joined joined = core.broker().link(name, name, this, to, since, history);
        rooms.put(name, joined.room());
        return new Joined(joined.room(), joined.link(), to);
    }

    /** Returns whether the application itself put the session in the room. */
    boolean isPlacedIn(String room) {
        return placed.contains(room);
    }

    /** Takes the session out of a room; returns the room, or null when the session was not in it. */
    @Nullable
    RoomState exit(String name) {
        RoomState room;
        membership.lock();
        try {
            room = rooms.remove(name);
            placed.remove(name);
        } finally {
            membership.unlock();
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
        Frames.RoomState at = joined.link.state();
        Frames.Joined data =
                new Frames.Joined(at.epoch(), at.offset(), at.recovered(), at.reason(), joined.room.size());
        Frame frame = (ref == null
                        ? Outgoing.of(Frames.JOINED)
                        : Outgoing.of(Frames.REPLY).ref(ref))
                .room(joined.room.name)
                .data(data, Frames.Joined.class)
                .frame();
        joined.to.whenWelcomed(() -> {
            joined.to.send(FrameBatch.of(frame));
            joined.room.start(joined.link);
        });
    }

    /** A room that was entered, before its delivery has begun. */
    record Joined(
            RoomState room, RoomState.Link link, @Nullable Peer to) {}

    // ---------------------------------------------------------------- frames

    /** Sends what answers an application's message: by the inbox when managed, so that a lost connection loses nothing. */
    void answer(Outgoing frame) {
        if (managed) {
            toInbox(frame.room(Names.SESSION).ts(core.scheduler().currentTimeMillis()));
        } else {
            control(frame.ts(core.scheduler().currentTimeMillis()).frame());
        }
    }

    /** Sends a frame of this connection's own, in no log; lost when there is no connection. */
    void control(Frame frame) {
        Peer to = peer;
        if (to != null) {
            to.whenWelcomed(() -> to.send(FrameBatch.of(frame)));
        }
    }

    private void toInbox(Outgoing message) {
        RoomState inbox = rooms.get(Names.SESSION);
        if (inbox == null) {
            return; // the session is over
        }
        try {
            inbox.publish(message, Audience.EVERYONE);
        } catch (RoomState.GoneException ended) {
            core.log().debug("{} ended before a message for it", this);
        }
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

    /** Acknowledges at 32 processed messages, or after 100 ms. */
    private void acknowledgeProcessed() {
        boolean now;
        state.lock();
        try {
            unacknowledged++;
            now = unacknowledged >= ACK_EVERY;
        } finally {
            state.unlock();
        }
        if (now) {
            acknowledge();
        } else {
            acknowledgeSoon();
        }
    }

    /** Acknowledges within 100 ms: the client seems to have missed an acknowledgement. */
    void acknowledgeSoon() {
        state.lock();
        try {
            if (ackTimer == null && !over) {
                ackTimer = core.scheduler().schedule(ACK_DELAY, this::acknowledge);
            }
        } finally {
            state.unlock();
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
        state.lock();
        try {
            unacknowledged = 0;
            if (ackTimer != null) {
                ackTimer.cancel();
                ackTimer = null;
            }
        } finally {
            state.unlock();
        }
        control(Outgoing.of(Frames.ACK).data(processed(), Frames.Ack.class).frame());
    }
}
