package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
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
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Authentication;
import io.realtime.server.ConnectionManager;
import io.realtime.server.Interceptor;
import io.realtime.server.RateLimit;
import io.realtime.server.Room;
import io.realtime.server.Session;
import io.realtime.server.SessionListener;
import io.realtime.server.User;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.limits.Tags;
import io.realtime.server.internal.limits.TokenBucket;
import io.realtime.server.internal.room.Recipients;
import io.realtime.server.internal.room.RoomChannel;
import io.realtime.server.internal.room.Subscriber;
import io.realtime.server.internal.room.TagHistory;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/**
 * The implementation of {@link Session}. One lock orders joins, leaves, attachments and losses of the connection. It is
 * never held while anything is sent or application code runs. A room's lock or the client record's may be taken while
 * it is held.
 */
public final class ServerSession implements Subscriber {
    // Named after the public type, so that applications can set its level.
    private static final Logger LOG = LoggerFactory.getLogger(Session.class);
    private static final String DETACHED = "session detached";

    /** The bytes that room, time and offset add to a frame. */
    private static final int ENVELOPE = 100;

    private static final Duration CLOSE_LATEST = Duration.ofSeconds(1);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration LONGEST_RETURN = Duration.ofHours(1);
    private static final CloseReason TAKEN_OVER =
            new CloseReason(CloseReason.SESSION_REPLACED, "a newer connection took over the session");

    private static final CompletableFuture<Void> NO_CLOSE = CompletableFuture.completedFuture(null);

    /** How many messages streams may leave unread in the inbox. Its log keeps four times as many. */
    private static final int MOST_UNREAD = 250;

    /** How many failures may wait until the listener is called. */
    private static final int MOST_UNHEARD = 100;

    private final SessionContext context;
    private final SessionTable table;
    private final String id;
    // Without the id, which comes before it.
    private final String secret;
    private final String userId;
    private final boolean managed;
    private final Mailbox mailbox;
    private final SessionRate rate;
    private final ClientRecords.@Nullable ClientRecord record;
    private final long since;

    // An idle session does not need all of these. They are created on first use, since a server has many sessions.
    private final ReentrantLock lock = new ReentrantLock();
    // Changes only before the session is in the tables.
    private long number;

    @GuardedBy("lock")
    private @Nullable TokenBucket resumptions;

    @GuardedBy("lock")
    private @Nullable Map<String, Object> attributes;

    // Written under lock.
    private volatile TagHistory tags;

    private final Memberships memberships;
    private final RoomAnnouncements announcements;
    private final RoomEvents roomEvents;
    private final SessionAcks progress;
    private volatile @Nullable ServerCalls calls; // written once, under lock
    private volatile @Nullable SessionConnection peer; // written under lock
    private volatile Handshake handshake; // written under lock
    private volatile Life life = Life.NEW; // written under lock
    // The reason that was decided first.
    private volatile @Nullable CloseReason ended; // written under lock
    // Completes when the connection that ends with the session is closed.
    @GuardedBy("lock")
    private CompletableFuture<Void> lastClose = NO_CLOSE;
    // The session was disconnected, perhaps after it had ended.
    private volatile boolean isKicked; // written under lock
    // The listener is told of the session.
    @GuardedBy("lock")
    private boolean isAnnounced;
    // The session is no longer in the server's tables.
    @GuardedBy("lock")
    private boolean isForgotten;
    // The session counts against limits.sessions.
    @GuardedBy("lock")
    private boolean hasPlace;

    @GuardedBy("lock")
    private Scheduler.Cancellable expiry = () -> {};
    // How many connections were lost. Distinguishes the newest expiry from one that comes too late.
    @GuardedBy("lock")
    private int losses;
    // Failures that the listener was not called with yet.
    @GuardedBy("lock")
    private int unheard;

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
    public enum EndReason {
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

    public ServerSession(
            SessionContext context,
            SessionTable table,
            String id,
            String secret,
            Authentication authentication,
            boolean managed,
            ClientRecords.@Nullable ClientRecord record,
            Handshake handshake) {
        this.context = context;
        this.table = table;
        this.number = context.nextNumber();
        this.id = id;
        this.secret = secret;
        this.userId = authentication.user();
        this.announcements = new RoomAnnouncements(context, this, lock);
        this.progress = new SessionAcks(context, this, lock);
        this.rate = new SessionRate(context, userId);
        this.managed = managed;
        this.record = record;
        this.handshake = handshake;
        this.since = context.scheduler().currentTimeMillis();
        this.tags = TagHistory.of(authentication.tags());
        if (!authentication.attributes().isEmpty()) {
            this.attributes = new ConcurrentHashMap<>(authentication.attributes());
        }
        this.mailbox = record == null ? context.newMailbox(userId, new ReentrantLock()) : record.mailbox();
        this.roomEvents = new RoomEvents(context.roomListener(), mailbox, lock);
        this.memberships = new Memberships(context, this, lock, announcements, roomEvents);
    }

    // ---------------------------------------------------------------- for applications

    @Override
    public String id() {
        return id;
    }

    @Override
    public User user() {
        return new ServerUser(context, userId);
    }

    @Override
    public boolean isManaged() {
        return managed;
    }

    @Override
    public boolean isConnected() {
        return peer != null;
    }

    @Override
    public Handshake handshake() {
        return handshake;
    }

    @Override
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

    @Override
    public Map<String, String> tags() {
        return tags.tags();
    }

    @Override
    public TagHistory tagHistory() {
        return tags;
    }

    @Override
    public void tag(String name, String value) {
        lock.lock();
        try {
            changeTags(Tags.with(tags.tags(), name, value));
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void untag(String name) {
        lock.lock();
        try {
            changeTags(Tags.without(tags.tags(), name));
        } finally {
            lock.unlock();
        }
    }

    @GuardedBy("lock")
    private void changeTags(Map<String, String> changed) {
        TagHistory before = tags;
        if (!changed.equals(before.tags())) {
            context.broker().tagClock().advance(moment -> tags = before.with(changed, moment));
            memberships.tagsChanged();
        }
    }

    @Override
    public Set<String> rooms() {
        return memberships.names();
    }

    @Override
    public boolean isIn(String room) {
        return memberships.contains(room) || room.equals(Names.SESSION) || room.equals(Names.USER);
    }

    @Override
    public Room room(String name) {
        if (!isIn(name) || name.startsWith("@")) {
            throw new RealtimeException(ErrorCode.FORBIDDEN, "not a member of room '" + Names.abbreviate(name) + "'");
        }
        return ServerRoom.named(context, name, userId);
    }

    @Override
    public ConnectionManager connections() {
        return table.connections();
    }

    @Override
    public void join(String room) {
        memberships.place(Names.requireRoom(room));
    }

    @Override
    public void leave(String room) {
        memberships.remove(Names.requireRoom(room), null);
    }

    @Override
    public void leave(String room, String reason) {
        memberships.remove(room, reason);
    }

    /** Puts the session in a room, or takes it out, as is decided for all sessions of its user. */
    void follow(String room) {
        memberships.follow(room);
    }

    @Override
    public <T> CompletableFuture<@Nullable Position> send(Event<T> event, T data) {
        Interceptor.Publishing chain = context.middleware().publishing();
        return chain == null
                ? CompletableFuture.completedFuture(publish(event, data, null))
                : Publication.through(
                        chain,
                        Names.SESSION,
                        userId,
                        event,
                        data,
                        null,
                        it -> publish(it.event(), it.data(), it.trace()));
    }

    private @Nullable Position publish(Event<?> event, @Nullable Object data, @Nullable String trace) {
        Outgoing message = event.isEphemeral() ? Outgoing.ephemeral(event.name()) : Outgoing.of(event.name());
        return toInbox(message.room(Names.SESSION)
                .trace(trace)
                .ts(context.scheduler().currentTimeMillis())
                .data(data, context.payloads().of(event.type())));
    }

    @Override
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data) {
        return request(request, data, REQUEST_TIMEOUT);
    }

    @Override
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        return calls().request(request, data, Durations.positive("timeout", timeout));
    }

    @Override
    public <Q, T> Subscription stream(StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener) {
        return calls().stream(request, data, Objects.requireNonNull(listener, "listener"));
    }

    @Override
    public void reconnect(Duration within) {
        if (within.isNegative() || within.compareTo(LONGEST_RETURN) > 0) {
            throw new IllegalArgumentException("within " + within + " is not 0 to " + LONGEST_RETURN);
        }
        SessionConnection to = peer;
        if (to == null) {
            return;
        }
        Protocol.Goodbye data = new Protocol.Goodbye(new Protocol.Retry(0, within.toMillis()));
        WireMessage goodbye =
                Outgoing.of(Protocol.GOODBYE).data(data, Protocol.Goodbye.class).frame();
        to.whenWelcomed(() -> to.send(goodbye));
        close(to, new CloseReason(CloseReason.RECONNECT, "the server asks to connect again"));
    }

    @Override
    public void close(int code, String reason) {
        CloseReason own = new CloseReason(code, reason);
        if (!own.isOfApplication()) {
            throw new IllegalArgumentException("code " + code + " is not 4500 to 4999");
        }
        disconnect(own);
    }

    @Override
    public void disconnect(String text) {
        disconnect(new CloseReason(CloseReason.KICKED, text));
    }

    private void disconnect(CloseReason kicked) {
        context.admissions().bar(LoginBars.Key.session(id), kicked);
        String client = record == null ? null : record.client();
        if (client != null) {
            context.admissions().bar(LoginBars.Key.client(userId, client), kicked);
        }
        end(kicked, EndReason.AT_ONCE);
        ServerSession newest = record == null ? null : record.session();
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

    @Override
    public String userId() {
        return userId;
    }

    /** Returns the secret with which the user resumes the session: the public id and a part that nobody can guess. */
    public String secret() {
        return id + secret;
    }

    /** Returns whether this is the secret. The comparison takes constant time. */
    public boolean isSecret(String claimed) {
        return MessageDigest.isEqual(
                secret().getBytes(StandardCharsets.UTF_8), claimed.getBytes(StandardCharsets.UTF_8));
    }

    /** Returns when the session began, in milliseconds of the server's clock. */
    public long since() {
        return since;
    }

    /** Returns the rooms that the session is in. */
    public Memberships memberships() {
        return memberships;
    }

    /** Returns the connection that the session has now, or null. */
    @Nullable
    SessionConnection connection() {
        return peer;
    }

    public Mailbox mailbox() {
        return mailbox;
    }

    public ClientRecords.@Nullable ClientRecord record() {
        return record;
    }

    /** What a connection requests when it resumes the session, and the rooms that the join rule now forbids. */
    public record ResumeRequest(
            SessionConnection peer, Map<String, Position> positions, boolean isPartial, Set<String> forbidden) {}

    /**
     * Gives the session a connection, in place of the one that it has, and takes the session out of forbidden rooms.
     * The replay of the other rooms, and what else the connection is told of rooms, begins only when the peer
     * {@linkplain #welcomed is welcomed}.
     *
     * @return the rooms that it is in; {@link Memberships.Attached#NOTHING} when a newer connection of the client came first,
     *     because its authentication was quicker; null when the session is over, or its client has begun another
     */
    public Memberships.@Nullable Attached attach(ResumeRequest claim) {
        SessionConnection newcomer = claim.peer;
        SessionConnection evicted;
        // Rooms that deliver nothing to the newcomer.
        List<RoomChannel> idle = new ArrayList<>();
        Memberships.Attached attached;
        lock.lock();
        try {
            if (life != Life.OPEN) {
                return null;
            }
            if (record != null) {
                ClientRecords.ClientRecord.Claim claimed = record.claim(this, newcomer.number());
                if (claimed != ClientRecords.ClientRecord.Claim.GRANTED) {
                    return claimed == ClientRecords.ClientRecord.Claim.REPLACED ? null : Memberships.Attached.NOTHING;
                }
            }
            evicted = peer;
            if (evicted != null) {
                inform(() -> log(DETACHED, TAKEN_OVER), listener -> listener.onDetach(this, TAKEN_OVER));
            }
            peer = newcomer;
            announcements.attach(newcomer);
            table.detached().remove(userId, this);
            inform(() -> log("session resumed", null), listener -> listener.onResume(this));
            handshake = newcomer.handshake();
            expiry.cancel();
            attached = memberships.attach(claim, idle);
        } finally {
            lock.unlock();
        }
        mailbox.wake();
        Protocol.RoomPosition inbox = attached.rooms().get(Names.SESSION);
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
     * Notes that the connection was sent its welcome: begins the replays that the welcome announced, then tells the
     * connection what has changed.
     */
    public void welcomed(SessionConnection welcomed) {
        lock.lock();
        try {
            if (peer == welcomed) {
                announcements.welcomed();
            }
        } finally {
            lock.unlock();
        }
        announcements.send();
    }

    // ---------------------------------------------------------------- life

    /** Puts a new session into the server's tables. Does nothing when the session has already ended. */
    public void register() {
        lock.lock();
        try {
            if (life == Life.NEW) {
                life = Life.OPEN;
                table.remember(this);
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
        number = context.nextNumber();
    }

    /** Takes a place for the session, for as long as it is in the tables. Returns false when none is free. */
    public boolean takePlace(Semaphore places) {
        lock.lock();
        try {
            hasPlace = !isForgotten && places.tryAcquire();
            return hasPlace || isForgotten;
        } finally {
            lock.unlock();
        }
    }

    /** Releases the session's place, if it has one. The caller holds the lock. */
    @SuppressWarnings("GuardedBy")
    public void leavePlace(Semaphore places) {
        assert lock.isHeldByCurrentThread();
        if (hasPlace) {
            places.release();
        }
    }

    /**
     * Tells the listener that the session is open, and enables its later calls. The client has a place, and is about to
     * be told so.
     */
    public void opened() {
        lock.lock();
        try {
            if (life == Life.OPEN) {
                isAnnounced = true;
                inform(() -> log("session opened", null), listener -> listener.onOpen(this));
                roomEvents.opened();
            }
        } finally {
            lock.unlock();
        }
        mailbox.wake();
    }

    /**
     * Puts a line of the log and a call of the listener into the mailbox, so that the order of calls is the order of what happened. The
     * caller holds the lock, and wakes the mailbox afterwards.
     */
    @GuardedBy("lock")
    private void inform(Runnable line, Consumer<SessionListener> what) {
        if (isAnnounced) {
            mailbox.enqueue(() -> {
                Steps.run(line);
                what.accept(context.listener());
            });
        }
    }

    /** Logs a moment of the session's life. Not called under a lock. */
    private void log(String moment, @Nullable CloseReason reason) {
        LoggingEventBuilder line = LOG.atInfo().addKeyValue("session", id).addKeyValue("user", userId);
        (reason == null ? line : line.addKeyValue("reason", reason)).log(moment);
    }

    /**
     * Tells the listener of a failure: at once in a task of the mailbox, else in a task of its own there, so that the
     * listener is called once at a time. A failure outside of the mailbox is only logged after the session's end, and
     * while {@link #MOST_UNHEARD} failures wait.
     */
    public void failed(Throwable failure) {
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
            context.listener().onError(this, failure);
        } catch (Throwable again) {
            // An Error must not prevent the answer to what failed first.
            Steps.log(context.log(), this + ": the session listener failed", again);
        }
    }

    /**
     * Notes that a connection is lost. A managed session is kept for its time to live. A plain session is over, and so
     * is a session whose connection closed for good.
     */
    public void detached(SessionConnection gone, CloseReason reason, boolean forGood) {
        boolean isOver = !managed || forGood;
        lock.lock();
        try {
            if (peer != gone || life != Life.OPEN) {
                return;
            }
            peer = null;
            announcements.attach(null);
            table.detached().add(userId, this);
            losses++;
            // A session that is over is logged once, when it has closed.
            inform(isOver ? () -> {} : () -> log(DETACHED, reason), listener -> listener.onDetach(this, reason));
            if (isOver) {
                enter(Life.DRAINING, reason);
            } else {
                int loss = losses;
                expiry = context.scheduler()
                        .schedule(context.sessionTtl(), () -> context.workers().execute(() -> expire(loss, reason)));
            }
        } finally {
            lock.unlock();
        }
        mailbox.wake();
        memberships.detach(gone);
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
    public void end(CloseReason reason, EndReason how) {
        Runnable close;
        boolean isFirst;
        lock.lock();
        try {
            if ((how == EndReason.EVICT && peer != null) || (how == EndReason.EXCESS && life != Life.OPEN)) {
                return;
            }
            SessionConnection last = peer;
            isFirst = enter(how == EndReason.DRAIN ? Life.DRAINING : Life.OVER, reason);
            close = isFirst && last != null ? closeTask(last, reason) : () -> {};
            // Set after the close has read what it will acknowledge: all of that was answered.
            isKicked |= reason.code() == CloseReason.KICKED || reason.isOfApplication();
            if (isFirst) {
                peer = null;
            }
            if (isFirst && how == EndReason.DRAIN) {
                table.detached().add(userId, this);
            } else if (isFirst) {
                context.countWaiting(-(record == null ? mailbox.drop().count() : record.dropWaiting(this)));
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
        if (how == EndReason.EVICT || how == EndReason.EXCESS) {
            context.counters().evictedSession();
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
    public void close(SessionConnection last, CloseReason reason) {
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
     *
     * @return begins the close, without the lock; the close takes {@link #CLOSE_LATEST} at most
     */
    @GuardedBy("lock")
    private Runnable closeTask(SessionConnection last, CloseReason reason) {
        boolean isTold = announcements.isWelcomed() && record != null && record.session() == this;
        Protocol.Ack handled = progress.now();
        boolean isOwed = isTold && progress.isNews(handled);
        AtomicBoolean isBegun = new AtomicBoolean();
        CompletableFuture<Void> closed = new CompletableFuture<>();
        lastClose = closed;
        Runnable close = () -> {
            if (isBegun.compareAndSet(false, true)) {
                Steps.run(
                        () -> {
                            if (isOwed) {
                                last.send(SessionAcks.frame(handled));
                            }
                        },
                        () -> last.close(reason),
                        () -> memberships.detach(last),
                        () -> closed.complete(null));
            }
        };
        if (!announcements.isWelcomed()) {
            return close;
        }
        announcements.add(last, memberships.deliveries(), to -> close.run());
        return () -> {
            last.takeNoMore();
            announcements.send();
            if (!closed.isDone()) {
                Scheduler.Cancellable latest = context.scheduler()
                        .schedule(CLOSE_LATEST, () -> context.workers().execute(close));
                CompletableFuture<?> unused = closed.thenRun(latest::cancel);
            }
        };
    }

    /**
     * Enters a later state. Returns false when the session is in that state or a later one already. The listener is
     * told of the first end only.
     */
    @GuardedBy("lock")
    private boolean enter(Life next, CloseReason reason) {
        if (next.compareTo(life) <= 0) {
            return false;
        }
        boolean isFirst = life != Life.DRAINING;
        life = next;
        if (next == Life.OVER) {
            memberships.end();
        }
        if (!isFirst) {
            return true;
        }
        ended = reason;
        expiry.cancel();
        boolean isTold = isAnnounced;
        context.inFlight().ending(this);
        mailbox.enqueue(() -> {
            // Runs after the messages that the session has received.
            try {
                leaveAll(reason);
                if (isTold) {
                    memberships.tellEnd();
                    Steps.run(() -> log("session closed", reason));
                    context.listener().onClose(this, reason);
                }
            } finally {
                context.inFlight().ended(this);
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
            joined = memberships.leaveAll();
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
            memberships.left();
            if (!isForgotten) {
                isForgotten = true;
                table.forget(this);
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
    public CloseReason ended() {
        return ended;
    }

    /** Returns whether the session accepts messages and connections. */
    public boolean isOpen() {
        return life == Life.OPEN;
    }

    /** Returns whether the session has ended. Messages that it received may still be handled. */
    public boolean hasEnded() {
        return life.compareTo(Life.DRAINING) >= 0;
    }

    /** Returns whether the session is over: no more of its messages are handled. */
    public boolean isOver() {
        return life == Life.OVER;
    }

    /** Returns a number that grows with each session and connection of this server. */
    public long number() {
        return number;
    }

    public SessionRate rate() {
        return rate;
    }

    /** Returns 0 when the session may be resumed now, else the nanoseconds until it may. */
    public long takeResumption() {
        RateLimit limit = context.limits().resumptionsPerSession();
        long now = context.scheduler().nanoTime();
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

    // ---------------------------------------------------------------- frames

    /**
     * Sends the answer to a message of the application. For a managed client it goes through the inbox, so that a lost
     * connection loses nothing. A session that was disconnected sends no more answers, not in its client's next session
     * either.
     */
    public void answer(Outgoing frame) {
        if (!isKicked) {
            tellNewest(frame);
        }
    }

    /**
     * Tells the client why a message was refused, also when the session was disconnected: a message must not be
     * acknowledged before its refusal is sent.
     */
    public void refuse(@Nullable String ref, long seq, ErrorData error) {
        if (record != null && record.client() != null && seq > 0) {
            context.refusals().keep(record, userId, seq, ref, error);
        }
        tellNewest(error(ref, seq, error));
    }

    @Override
    public List<RefusalNotice> refusals(long above, int bytes) {
        List<RefusalNotice> some = new ArrayList<>();
        long sum = 0;
        for (Refusals.Refusal refusal : record == null
                ? List.<Refusals.Refusal>of()
                : context.refusals().of(record)) {
            if (refusal.seq() > above) {
                Outgoing error = error(refusal.ref(), refusal.seq(), refusal.error());
                sum += error.length();
                if (sum > bytes && !some.isEmpty()) {
                    break;
                }
                some.add(new RefusalNotice(refusal.seq(), error.frame()));
            }
        }
        return some;
    }

    /**
     * Tells the client its refusals again, before the welcome to a new inbox or to an inbox with a gap. Those that the
     * connection cannot hold are published to the inbox.
     */
    public void tellRefusals(SessionConnection to) {
        long told = 0;
        for (RefusalNotice refusal : refusals(0, context.limits().outboundBytes() / 2)) {
            to.send(refusal.error());
            told = refusal.seq();
        }
        List<Refusals.Refusal> rest =
                record == null ? List.of() : context.refusals().of(record);
        for (Refusals.Refusal refusal : rest) {
            if (refusal.seq() > told) {
                tell(error(refusal.ref(), refusal.seq(), refusal.error()));
            }
        }
    }

    /** Returns an error with as much of its text as every connection accepts. */
    public Outgoing error(@Nullable String ref, long seq, ErrorData error) {
        Outgoing frame = error(ref, seq).data(error, ErrorData.class);
        for (int most = 256; frame.length() + ENVELOPE > context.broker().mostBytes() && most >= 0; most -= 128) {
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
            ServerSession newest = record == null ? null : record.session();
            (newest == null ? this : newest).tell(frame);
        } else {
            tell(frame);
        }
    }

    /** Returns the requests between the application and the client, in both directions. Created on first use. */
    public ServerCalls calls() {
        ServerCalls known = calls;
        if (known != null) {
            return known;
        }
        lock.lock();
        try {
            known = calls == null ? new ServerCalls(context, this) : calls;
            calls = known;
            return known;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void inboxLost() {
        ServerCalls open = calls;
        if (open != null) {
            open.inboxLost();
        }
    }

    /** Returns whether the client has ever been sent a request, or has requested a stream. */
    public boolean hasCalls() {
        return calls != null;
    }

    /** Sends a frame of a request between the application and this session's client. */
    void tell(Outgoing frame) {
        // A plain session that has no connection yet.
        boolean isUnattached = peer == null && isOpen();
        if (managed || isUnattached) {
            toInbox(frame.room(Names.SESSION).ts(context.scheduler().currentTimeMillis()));
        } else {
            WireMessage ready =
                    frame.ts(context.scheduler().currentTimeMillis()).frame();
            context.broker().requireSendable(ready.length());
            control(ready);
        }
    }

    /**
     * Returns whether a stream may send. A stream may have in flight only a part of what the connection, or the log of
     * the inbox, could hold. So the streams of a session never cost it its connection, or a message that is not read
     * yet.
     */
    boolean hasRoomForStreams() {
        int most = context.limits().outboundBytes() / 2;
        if (!managed) {
            SessionConnection to = peer;
            return to == null || to.outboundBytes() <= most;
        }
        RoomChannel inbox = memberships.get(Names.SESSION);
        return inbox == null || inbox.keepsLessThan(MOST_UNREAD, most);
    }

    /**
     * Handles what the client says of how far it has read. Returns false when that is nothing new. Called on an I/O
     * thread.
     */
    public boolean credit(Protocol.Credit credit) {
        boolean isNews = false;
        RoomChannel inbox = memberships.get(Names.SESSION);
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
        SessionConnection to = peer;
        if (to != null) {
            to.whenWelcomed(() -> to.send(frame));
        }
    }

    private @Nullable Position toInbox(Outgoing message) {
        context.broker().requireSendable(message.length());
        RoomChannel inbox = memberships.inbox();
        if (inbox == null) {
            // The session is over.
            return null;
        }
        try {
            return inbox.publish(message, Recipients.EVERYONE);
        } catch (RoomChannel.GoneException ended) {
            context.log().debug("{} ended before a message for it", this);
            return null;
        }
    }

    /**
     * Notes that the client has handled the user's inbox up to an offset. Returns false when that is nothing new.
     * Called on an I/O thread.
     */
    public boolean inboxHandled(long offset) {
        RoomChannel inbox = memberships.get(Names.USER);
        return inbox != null && inbox.acknowledge(this, offset);
    }

    /**
     * Notes that a message of this session's client, of so many bytes, is processed. The client's newest session
     * acknowledges it.
     */
    public void markProcessed(long seq, int bytes) {
        if (record == null) {
            return;
        }
        record.markProcessed(seq);
        ServerSession newest = record.session();
        if (newest != null) {
            newest.progress.processed(bytes);
        }
    }

    /** Acknowledges within 100 ms, since the client seems to have missed an acknowledgement. */
    public void acknowledgeSoon() {
        progress.repeat();
    }

    /** Returns how far the client's messages are processed, for the welcome of a connection. */
    public Protocol.Ack welcome(SessionConnection newcomer) {
        return progress.welcome(newcomer);
    }
}
