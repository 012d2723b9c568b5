package io.realtime.server.internal.room;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.PresenceRule;
import io.realtime.server.Retention;
import io.realtime.server.RoomSummary;
import io.realtime.server.internal.execution.Bursts;
import io.realtime.server.internal.room.Members.MemberLink;
import io.realtime.server.internal.room.Members.MemberPhase;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A room: an ordered log and its members. It exists while it has a member or a message. A publish appends to the log
 * under the room's lock; the {@link FanOut} delivers the message to the live members.
 *
 * <p>A member has one {@link MemberLink} per connection. The link begins as {@code NEW}, reads the log from its
 * position ({@code REPLAYING}), and is {@code LIVE} when it has reached the top. Only live links receive batches. A
 * message published during a replay is therefore in the log that the replay reads, and the replay sends it in order.
 *
 * <p>No frame is sent and no application code is called under the lock.
 */
public final class RoomChannel implements LogBudget.Owner, Bursts.Flushed {
    private static final Logger LOG = LoggerFactory.getLogger(RoomChannel.class);
    private static final int REPLAY_CHUNK = 256;

    // The costs of a room besides its log, in bytes of heap. They were measured: see RoomCostTest. ROOM is without the
    // room's key.
    private static final int ROOM = 240;
    // An entry of the sorted table of the application's rooms.
    private static final int LISTED = 36;
    // What a room needs for its first member, without that member.
    private static final int CROWD = 360;
    // A member's link, its entries in two tables and its element of an array.
    private static final int MEMBER = 168;

    /**
     * Passed to {@link #link} in place of a number of newest messages: begin with what no session has acknowledged yet.
     */
    public static final int UNREAD = -1;

    /** The name of the room on the wire. */
    public final String name;

    /** The name of the room in the registry. Unlike the name on the wire, it tells one user's inbox from another's. */
    final String key;

    public final String epoch;

    private final LocalBroker broker;
    private final @Nullable PresenceRule presenceRule;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final RoomLog log;
    // Created for the first member, as are presence and fanOut.
    @GuardedBy("lock")
    private @Nullable Members members;
    // Null if the room has no rule for it.
    @GuardedBy("lock")
    private @Nullable RoomPresence presence;

    private volatile @Nullable FanOut fanOut; // written under lock

    @GuardedBy("lock")
    private boolean dead;
    // Each message up to this offset has reached a session that it is addressed to.
    @GuardedBy("lock")
    private long acknowledged;
    // Charged to the budget for the room and its members: by the broker and in enter. Refunded in remove and die.
    @GuardedBy("lock")
    private long charged;

    /**
     * Creates a room. The broker has charged {@link #costOf} for it.
     *
     * @param begin the end of the log that this room continues
     */
    RoomChannel(String key, Retention retention, Position begin, LocalBroker broker, String name) {
        this.key = key;
        this.name = name;
        this.epoch = begin.epoch();
        this.broker = broker;
        this.presenceRule = broker.presenceRule(name);
        this.log = new RoomLog(retention, begin.offset(), broker.groupOf(name), this);
        this.acknowledged = begin.offset();
        this.charged = costOf(key, name);
    }

    /** Returns the cost of a room without members and messages. */
    static long costOf(String key, String name) {
        return ROOM + LocalBroker.weight(key) + (LocalBroker.isInbox(name) ? 0 : LISTED);
    }

    // ---------------------------------------------------------------- publishing

    /**
     * Appends a message to the log, unless it is ephemeral, and delivers it to the live members.
     *
     * @return the message's position; null if it is ephemeral
     * @throws GoneException if the room was removed meanwhile; look it up again
     */
    @Nullable
    public Position publish(Outgoing message, Recipients to) {
        return publish(message, to, null);
    }

    /**
     * Like {@link #publish(Outgoing, Recipients)}, but once for each key while the log keeps its message: then returns
     * the position of the first message.
     */
    @Nullable
    public Position publish(Outgoing message, Recipients to, @Nullable String key) {
        WireMessage ready = message.isEphemeral() ? message.frame() : null;
        Audience audience = (to.isTested() ? to.among(snapshot()) : to.untested()).now(broker.tagClock());
        Position position = null;
        FanOut out;
        Undelivered lost;
        boolean isOver;
        lock.lock();
        try {
            out = fanOut;
            if (out != null) {
                out.awaitRoom();
            }
            requireAlive();
            long known = key == null ? 0 : log.offsetOf(key, broker.nanoTime());
            if (known > 0) {
                return new Position(epoch, known);
            }
            WireMessage frame;
            if (ready == null) {
                long offset = log.top() + 1;
                frame = message.frame(offset);
                log.append(frame, audience, broker.nanoTime(), key);
                position = new Position(epoch, offset);
            } else {
                frame = ready;
            }
            lost = deliver(out, frame, ready != null, audience);
            isOver = dieIfUnused();
        } finally {
            lock.unlock();
        }
        published(out, lost, isOver);
        return position;
    }

    /** A message that is in the log, and could not be added to the delivery: some of these members lack it. */
    private static final class Undelivered {
        final MemberLink[] members;
        final Throwable cause;

        Undelivered(MemberLink[] members, Throwable cause) {
            this.members = members;
            this.cause = cause;
        }
    }

    /** Adds a message to the delivery. Returns null, or why that failed, for example out of memory. */
    @GuardedBy("lock")
    private @Nullable Undelivered deliver(
            @Nullable FanOut out, WireMessage frame, boolean isEphemeral, Audience audience) {
        if (out != null) {
            try {
                out.add(frame, isEphemeral, audience);
            } catch (Throwable failure) {
                return new Undelivered(out.live(), failure);
            }
        }
        return null;
    }

    /** Delivers what was added to the log, and does what its size requires. */
    private void published(@Nullable FanOut out, @Nullable Undelivered lost, boolean isOver) {
        try {
            if (lost != null) {
                for (MemberLink link : lost.members) {
                    // It must not continue without the message. A managed client resumes, and reads it from the log.
                    link.outlet.abort();
                }
                Steps.log(LOG, "room " + name + " could not deliver a message", lost.cause);
            }
            if (out != null && !Bursts.defer(this)) {
                out.flush();
            }
            if (isOver) {
                broker.forget(this);
            }
            broker.budget().relieve();
        } catch (Throwable broken) {
            // The message is in the log. A publisher that saw an exception would send it again.
            Steps.log(LOG, "after a message to room " + name, broken);
        }
    }

    // ---------------------------------------------------------------- deleting

    /**
     * Deletes a message. Its place in the log stays. Members are told by {@code $deleted}, which is in the log itself:
     * so each reader is told after it got the message, also one that comes back later.
     *
     * @return false if the log does not have the message
     */
    public boolean delete(Position at) {
        FanOut out;
        Undelivered lost = null;
        boolean isDeleted;
        boolean isOver;
        lock.lock();
        try {
            out = fanOut;
            if (out != null) {
                out.awaitRoom();
            }
            if (dead) {
                return false;
            }
            log.trim(broker.nanoTime());
            isDeleted = at.epoch().equals(epoch) && log.delete(at.offset());
            if (isDeleted) {
                WireMessage notice = Outgoing.of(Protocol.DELETED)
                        .room(name)
                        .data(new Protocol.DeletedNotice(at.offset()), Protocol.DeletedNotice.class)
                        .frame(log.top() + 1);
                log.append(notice, Audience.EVERYONE, broker.nanoTime());
                lost = deliver(out, notice, false, Audience.EVERYONE);
            }
            isOver = dieIfUnused();
        } finally {
            lock.unlock();
        }
        published(out, lost, isOver);
        return isDeleted;
    }

    /**
     * Drops all messages, and skips an offset. So every position from before is lost: readers that come back are told
     * {@code trimmed}. Live members are told by {@code $gap}.
     *
     * @return the position where the log stands
     * @throws GoneException if the room was removed meanwhile; look it up again
     */
    public Position purge() {
        FanOut out;
        Undelivered lost;
        Position end;
        boolean isOver;
        lock.lock();
        try {
            out = fanOut;
            if (out != null) {
                out.awaitRoom();
            }
            requireAlive();
            log.purge();
            end = new Position(epoch, log.top());
            lost = deliver(out, gap(end.offset(), "purged"), false, Audience.EVERYONE);
            isOver = dieIfUnused();
        } finally {
            lock.unlock();
        }
        published(out, lost, isOver);
        return end;
    }

    private WireMessage gap(long offset, String reason) {
        return Outgoing.of(Protocol.GAP)
                .room(name)
                .data(new Protocol.GapNotice(epoch, offset, reason), Protocol.GapNotice.class)
                .frame();
    }

    /** Delivers what is pending. Does nothing if another thread is flushing: that thread delivers it. */
    @Override
    public void flush() {
        FanOut out = fanOut;
        if (out != null) {
            out.flush();
        }
    }

    /** Returns the current members. */
    private Members.Snapshot snapshot() {
        lock.lock();
        try {
            return members == null ? Members.Snapshot.NOBODY : members.snapshot();
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------- membership

    /**
     * Links a session's connection to the room; {@link #start} begins the delivery. Replaces the session's earlier
     * link.
     *
     * @param outlet where the room's messages go; null while the session has no connection
     * @param since the position to resume from, or null
     * @param history how many of the newest messages to begin with if {@code since} is null. {@link #UNREAD} begins
     *     with what is not acknowledged, also if the log could not be resumed from {@code since}
     * @throws RealtimeException with {@code overloaded} if the session is not a member yet and must not become one
     */
    LocalBroker.JoinChange link(
            Subscriber session, @Nullable MemberConnection outlet, @Nullable Position since, int history) {
        boolean isOver = false;
        lock.lock();
        try {
            requireAlive();
            MemberLink before = linkOf(session);
            if (before == null) {
                try {
                    enter(session);
                } catch (RuntimeException | Error refused) {
                    isOver = dieIfUnused();
                    throw refused;
                }
            }
            Members crowd = crowd();
            closeBatch();
            log.trim(broker.nanoTime());
            MemberLink link = crowd.link(session, outlet, broker.currentTimeMillis());
            String lost = since == null ? null : whyLost(since, epoch, log.floor(), log.top());
            boolean recovered = since != null && lost == null;
            if (lost != null) {
                broker.counters().gap();
            } else if (since != null && since.offset() < log.top()) {
                broker.counters().replayBegins();
            }
            if (since != null && lost == null) {
                link.cursor = since.offset();
            } else if (history == UNREAD) {
                link.cursor = Math.max(log.floor(), acknowledged);
            } else {
                link.cursor = lost == null ? Math.max(log.floor(), log.top() - history) : log.top();
                if (since == null && before != null) {
                    link.cursor = Math.min(link.cursor, owedFrom(before, outlet));
                }
            }
            if (presence != null) {
                presence.linked(link);
            }
            link.begun = since == null && before != null ? Math.min(before.begun, link.cursor) : link.cursor;
            boolean isSameConnection = before != null && before.outlet == outlet;
            if (before != null) {
                before.phase = MemberPhase.DETACHED;
                if (since != null || !isSameConnection) {
                    // The new link reads from the log what is bound to the old one.
                    before.outlet = MemberLink.NOWHERE;
                }
            }
            Protocol.RoomPosition at = new Protocol.RoomPosition(epoch, link.cursor, recovered, lost);
            return new LocalBroker.JoinChange(this, link, isSameConnection ? before : null, at);
        } finally {
            lock.unlock();
            if (isOver) {
                broker.forget(this);
            }
        }
    }

    /**
     * Returns the offset after which a member still has to be sent its messages, if its client names no position. On
     * the same connection that is the cursor of the replay. A live link still gets its pending messages, so that is the
     * top of the log. On another connection it is where the member's delivery began: its client does not know of the
     * room, or it would name a position.
     */
    @GuardedBy("lock")
    private long owedFrom(MemberLink before, @Nullable MemberConnection outlet) {
        if (before.outlet != outlet) {
            return before.begun;
        }
        return before.phase == MemberPhase.LIVE ? log.top() : before.cursor;
    }

    /** Returns a change that waits until the member has got what was published before. */
    public LocalBroker.Change delivery(Subscriber session) {
        lock.lock();
        try {
            MemberLink link = linkOf(session);
            return proceed -> link != null && awaitDelivery(link, proceed);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns whether a replay to the link or a flush of the room is in progress. If true, {@code proceed} is called
     * after it, by another thread. If false, it is not called.
     */
    boolean awaitDelivery(MemberLink link, Runnable proceed) {
        FanOut out = fanOut;
        lock.lock();
        try {
            if (link.replays) {
                Runnable first = link.behind;
                link.behind = first == null
                        ? proceed
                        : () -> {
                            first.run();
                            proceed.run();
                        };
                return true;
            }
        } finally {
            lock.unlock();
        }
        return out != null && out.awaitDelivery(proceed);
    }

    @GuardedBy("lock")
    private void enter(Subscriber session) {
        long bytes = MEMBER;
        bytes += members == null ? CROWD : 0;
        bytes += presenceRule == null ? 0 : RoomPresence.MEMBER;
        broker.enter(name, session, bytes);
        charged += bytes;
    }

    @GuardedBy("lock")
    private Members crowd() {
        Members known = members;
        if (known == null) {
            known = new Members();
            members = known;
            presence = presenceRule == null ? null : new RoomPresence(name, presenceRule, known, broker, lock);
            fanOut = new FanOut(name, known, broker.executor(), broker.batchBytes(), broker.counters(), lock);
        }
        return known;
    }

    @GuardedBy("lock")
    private void closeBatch() {
        FanOut out = fanOut;
        if (out != null) {
            out.closeBatch();
        }
    }

    @GuardedBy("lock")
    private @Nullable MemberLink linkOf(Subscriber session) {
        return members == null ? null : members.get(session.id());
    }

    @GuardedBy("lock")
    private boolean hasMembers() {
        return members != null && !members.isEmpty();
    }

    /**
     * Returns the position of a client in an empty log, and whether it has lost messages since the position that it
     * names.
     */
    public static Protocol.RoomPosition atEnd(Position end, @Nullable Position since) {
        String lost = since == null ? null : whyLost(since, end.epoch(), end.offset(), end.offset());
        return new Protocol.RoomPosition(end.epoch(), end.offset(), since != null && lost == null, lost);
    }

    private static @Nullable String whyLost(Position since, String epoch, long floor, long top) {
        if (!since.epoch().equals(epoch)) {
            return "epoch";
        }
        if (since.offset() > top) {
            return "ahead";
        }
        return since.offset() < floor ? "trimmed" : null;
    }

    /**
     * Records that a session has handled everything up to an offset. The acknowledged offset stops before a message
     * that was not addressed to this session, as long as another member could still receive it.
     *
     * @return true if the acknowledged offset has advanced
     */
    public boolean acknowledge(Subscriber session, long offset) {
        lock.lock();
        try {
            acknowledged = Math.max(acknowledged, log.floor());
            long before = acknowledged;
            long last = Math.min(offset, log.top());
            MemberLink link = linkOf(session);
            while (acknowledged < last && passes(acknowledged + 1, session, link)) {
                acknowledged++;
            }
            return acknowledged > before;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns whether a session's acknowledgement covers a message: it was handed to the session, or no other member
     * could still receive it.
     */
    @GuardedBy("lock")
    private boolean passes(long offset, Subscriber session, @Nullable MemberLink link) {
        Audience audience = log.audience(offset);
        return (audience.isCertainOf(session) && audience.includes(session, link))
                || (!audience.mayIncludeNewSessions()
                        && (members == null
                                || members.links().stream().noneMatch(any -> audience.includes(any.session, any))));
    }

    /**
     * Drops the messages up to an offset, which the only member has received. Returns false if they were dropped
     * before.
     */
    public boolean forgetUpTo(long offset) {
        lock.lock();
        try {
            long last = Math.min(offset, log.top());
            boolean isNews = last > acknowledged;
            acknowledged = Math.max(acknowledged, last);
            log.forgetUpTo(last);
            return isNews;
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether the log keeps fewer messages than this, and fewer bytes than this. */
    public boolean keepsLessThan(int messages, long bytes) {
        lock.lock();
        try {
            return log.size() < messages && log.bytes() < bytes;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Begins the delivery to a link: first the messages that it has not received, then new ones. A second call does
     * nothing.
     */
    void start(MemberLink link) {
        lock.lock();
        try {
            if (link.phase != MemberPhase.NEW) {
                return;
            }
            link.phase = MemberPhase.REPLAYING;
            link.replays = true;
            if (presence != null && linkOf(link.session) == link) {
                presence.started(link);
            }
        } finally {
            lock.unlock();
        }
        replay(link);
    }

    private void replay(MemberLink link) {
        try {
            while (!link.outlet.awaitDrained(() -> replay(link))) {
                // Asked before each piece: other rooms of the session send to this connection too.
                if (!replayNext(link)) {
                    return;
                }
            }
        } catch (Throwable broken) {
            // For example out of memory. The connection is aborted: it must not continue without the rest.
            link.outlet.abort();
            Steps.log(LOG, "a log of room " + name + " could not be replayed", broken);
            Runnable behind;
            lock.lock();
            try {
                behind = link.endReplay();
            } finally {
                lock.unlock();
            }
            if (behind != null) {
                behind.run();
            }
        }
    }

    /** Sends a link the next piece of the log. Returns false if the replay has ended. */
    private boolean replayNext(MemberLink link) {
        List<WireMessage> frames = new ArrayList<>();
        boolean isLost = false;
        boolean isOver = false;
        Runnable behind = null;
        lock.lock();
        try {
            long end = Math.min(log.top(), link.until);
            isOver = link.phase != MemberPhase.REPLAYING || link.cursor == end;
            if (isOver) {
                if (link.phase == MemberPhase.REPLAYING && members != null && link.until == Long.MAX_VALUE) {
                    // The link has received from the log what the pending batch holds.
                    closeBatch();
                    members.become(link, MemberPhase.LIVE);
                }
                behind = link.endReplay();
            } else if (link.cursor < log.floor()) {
                addRefusals(link, frames);
                if (frames.isEmpty()) {
                    isLost = true;
                    broker.counters().gap();
                    link.cursor = end;
                    frames.add(gap(end, "trimmed"));
                }
            } else {
                int bytes = 0;
                int most = (int) Math.min(REPLAY_CHUNK, end - link.cursor);
                for (RoomLog.LogEntry entry : log.after(link.cursor, most)) {
                    if (!frames.isEmpty() && bytes + entry.frame().length() > broker.batchBytes()) {
                        break;
                    }
                    link.cursor++;
                    if (entry.audience().includes(link.session, link)) {
                        frames.add(entry.frame());
                        bytes += entry.frame().length();
                    }
                }
            }
        } finally {
            lock.unlock();
        }
        if (!frames.isEmpty()) {
            MessageBatch batch = MessageBatch.of(frames, false);
            link.outlet.send(batch);
            broker.counters().sent(frames.size(), batch.bytes());
            broker.counters().replayed(frames.size());
        }
        if (isLost && name.equals(Names.SESSION)) {
            link.session.inboxLost();
        }
        if (behind != null) {
            behind.run();
        }
        return !isOver;
    }

    /** Adds why messages were refused, if the gap may hide that. Every refusal in the log has been kept by then. */
    @GuardedBy("lock")
    private void addRefusals(MemberLink link, List<WireMessage> to) {
        if (name.equals(Names.SESSION)) {
            for (Subscriber.RefusalNotice refusal : link.session.refusals(link.refusalsTold, broker.batchBytes())) {
                to.add(refusal.error());
                link.refusalsTold = refusal.seq();
            }
        }
    }

    /** Ends the delivery to a lost connection. The session stays a member. */
    public void detach(Subscriber session, @Nullable MemberConnection outlet) {
        lock.lock();
        try {
            MemberLink link = linkOf(session);
            if (members != null && link != null && link.outlet == outlet) {
                closeBatch();
                members.become(link, MemberPhase.DETACHED);
                // The session may be without a connection for long, and would keep this one in memory.
                link.outlet = MemberLink.NOWHERE;
                // The next connection must not wait for the end of this one's replay.
                link.replays = false;
                if (presence != null) {
                    presence.detached(link);
                }
            } else if (presence != null && link != null) {
                presence.changed(link);
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Removes a member. Its replay continues up to the current top. The caller first flushes what the member is still
     * to get. Returns null if the session is not a member.
     */
    public LocalBroker.@Nullable LeaveChange remove(Subscriber session) {
        MemberLink link;
        boolean isOver;
        lock.lock();
        try {
            closeBatch();
            link = members == null ? null : members.remove(session);
            if (link != null) {
                link.until = log.top();
                broker.exit(name, session);
                long refund = MEMBER;
                if (presence != null) {
                    refund += RoomPresence.MEMBER;
                    broker.chargeState(session, -presence.removed(link));
                }
                broker.refund(name, refund);
                charged -= refund;
            }
            isOver = dieIfUnused();
        } finally {
            lock.unlock();
        }
        if (isOver) {
            broker.forget(this);
        }
        return link == null ? null : new LocalBroker.LeaveChange(this, link);
    }

    /** Returns the position of the newest message ever published here. */
    public Position end() {
        lock.lock();
        try {
            return new Position(epoch, log.top());
        } finally {
            lock.unlock();
        }
    }

    /** Returns a copy of the set of the members' links. */
    public List<MemberLink> members() {
        lock.lock();
        try {
            return members == null ? List.of() : List.copyOf(members.links());
        } finally {
            lock.unlock();
        }
    }

    public int size() {
        lock.lock();
        try {
            return members == null ? 0 : members.size();
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------- presence

    /**
     * Begins or ends to tell a member who is here. It is told when the delivery to its connection has begun. Returns
     * false if the room has no presence, or the session is not a member.
     */
    public boolean watchPresence(Subscriber session, boolean isWanted) {
        lock.lock();
        try {
            MemberLink link = linkOf(session);
            if (presence == null || link == null) {
                return false;
            }
            presence.watch(link, isWanted);
            return true;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Sets what others see of a member; an empty state is none. Returns false if the room has no presence, or the
     * session is not a member.
     *
     * @throws RealtimeException with {@code overloaded} if the states of its user, or all states, cost too much
     */
    public boolean setState(Subscriber session, String state) {
        lock.lock();
        try {
            MemberLink link = linkOf(session);
            if (presence == null || link == null) {
                return false;
            }
            broker.chargeState(session, presence.stateCost(link, state));
            presence.state(link, state);
        } finally {
            lock.unlock();
        }
        broker.budget().relieve();
        return true;
    }

    /** Notes that others may see other tags of a session than before. */
    public void tagsChanged(Subscriber session) {
        if (presenceRule == null) {
            return;
        }
        lock.lock();
        try {
            MemberLink link = linkOf(session);
            if (presence != null && link != null) {
                presence.changed(link);
            }
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------- reading

    /**
     * Returns a piece of the log, oldest first, without messages that are not addressed to this session.
     *
     * @param reader null for the server itself, which reads every message
     * @param maxBytes the most bytes of the messages in the reply; a single message may exceed it
     * @param longest the most bytes of the messages in the reply in any case: a longer message, which the reader
     *     would refuse, is left out
     */
    public Page page(@Nullable Subscriber reader, Protocol.HistoryRequest query, int maxBytes, int longest) {
        Long after = query.after();
        int limit = Math.max(1, Math.min(query.limit() == null ? 100 : query.limit(), 1000));
        lock.lock();
        try {
            log.trim(broker.nanoTime());
            MemberLink link = reader == null ? null : linkOf(reader);
            long from;
            long to;
            if (after != null) {
                from = Math.min(Math.max(after, log.floor()), log.top());
                to = Math.min(from + limit, log.top());
            } else {
                to = query.before() == null
                        ? log.top()
                        : Math.min(Math.max(query.before(), log.floor() + 1) - 1, log.top());
                from = Math.max(log.floor(), to - limit);
            }
            boolean forwards = after != null;
            List<RoomLog.LogEntry> entries = log.after(from, (int) (to - from));
            ArrayDeque<WireMessage> frames = new ArrayDeque<>();
            int bytes = 0;
            int taken = 0;
            while (taken < entries.size()) {
                RoomLog.LogEntry entry = entries.get(forwards ? taken : entries.size() - 1 - taken);
                int length = BinaryEnvelope.historyLength(entry.frame());
                boolean isTaken = length <= longest
                        && entry.isMessage()
                        && (reader == null || entry.audience().includes(reader, link));
                if (bytes > 0 && isTaken && bytes + length > Math.min(maxBytes, longest)) {
                    break;
                }
                taken++;
                if (isTaken) {
                    bytes += length;
                    if (forwards) {
                        frames.addLast(entry.frame());
                    } else {
                        frames.addFirst(entry.frame());
                    }
                }
            }
            long next = after != null ? Math.max(after, from + taken) : to - taken + 1;
            boolean more = forwards ? next < log.top() : next > log.floor() + 1;
            return new Page(epoch, new ArrayList<>(frames), more, next, log.floor());
        } finally {
            lock.unlock();
        }
    }

    /** Returns the page of a room that does not exist and whose log would begin at {@code end}. */
    public static Page emptyPage(Position end, Protocol.HistoryRequest query) {
        long next = query.after() == null ? end.offset() + 1 : Math.max(query.after(), end.offset());
        return new Page(end.epoch(), List.of(), false, next, end.offset());
    }

    /** The answer to {@code $history}, as {@link Protocol.History} describes it. */
    public record Page(String epoch, List<WireMessage> messages, boolean more, long next, long floor) {}

    /** Returns what operators see of the room; null if it has ended. */
    public @Nullable RoomSummary summary() {
        lock.lock();
        try {
            int count = members == null ? 0 : members.size();
            return dead ? null : new RoomSummary(name, count, log.size(), log.bytes(), end());
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------- maintenance, called by the broker

    /** Trims the log by age. */
    void sweep() {
        upkeep(kept -> kept.trim(broker.nanoTime()));
    }

    @Override
    public void evict(long share) {
        upkeep(kept -> {
            int before = kept.size();
            kept.giveUp(share);
            broker.counters().evictedMessages(before - kept.size());
        });
    }

    /** Ends the inbox of a session that is over: drops everything and refuses later messages. */
    public void kill() {
        lock.lock();
        try {
            if (!dead) {
                die();
            }
        } finally {
            lock.unlock();
        }
        broker.forget(this);
    }

    private void upkeep(Consumer<RoomLog> change) {
        lock.lock();
        try {
            if (!dead) {
                change.accept(log);
                dieIfUnused();
            }
            if (!dead) {
                return;
            }
        } finally {
            lock.unlock();
        }
        broker.forget(this);
    }

    /**
     * Ends the room if it has neither members nor messages. If it returns true, the caller makes the broker forget the
     * room.
     */
    @GuardedBy("lock")
    private boolean dieIfUnused() {
        if (dead || hasMembers() || log.size() > 0) {
            return false;
        }
        die();
        return true;
    }

    @GuardedBy("lock")
    private void die() {
        dead = true;
        log.retire();
        broker.refund(name, charged);
    }

    /** Returns the current cost of the room and its log, counted anew, to compare with the account. */
    long cost() {
        lock.lock();
        try {
            if (dead) {
                return 0;
            }
            int count = members == null ? 0 : members.size();
            long crowd = members == null ? 0 : CROWD;
            long shown = presence == null ? 0 : presence.cost();
            return costOf(key, name) + crowd + (long) MEMBER * count + shown + log.bytes();
        } finally {
            lock.unlock();
        }
    }

    @GuardedBy("lock")
    private void requireAlive() {
        if (dead) {
            throw new GoneException();
        }
    }

    /** The room was removed between its look-up and its use; look it up again. */
    public static final class GoneException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        GoneException() {
            super("room is gone", null, false, false);
        }
    }
}
