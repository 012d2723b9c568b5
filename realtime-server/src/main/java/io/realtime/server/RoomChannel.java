package io.realtime.server;

import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Members.MemberLink;
import io.realtime.server.Members.MemberPhase;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A room: an ordered log and its members. It lives while it has either. A publish appends to the log under the room's
 * lock; the {@link FanOut} brings it to those members who are live.
 *
 * <p>A member has a {@link MemberLink} per connection. It begins {@code NEW}, reads the log from its position ({@code
 * REPLAYING}), and is {@code LIVE} once it has reached the top; only live links are handed batches. What is published
 * during a replay is therefore in the log that the replay reads, and follows it.
 *
 * <p>Every field is guarded by {@link #lock} unless it says otherwise. No frame is sent and no application code is
 * called under the lock.
 */
final class RoomChannel implements LogBudget.Owner, Bursts.Flushed {
    private static final Logger LOG = LoggerFactory.getLogger(RoomChannel.class);
    private static final int REPLAY_CHUNK = 256;

    // What there is beside the log, in bytes of heap: measured, see RoomCostTest.
    private static final int ROOM = 240; // without its key
    private static final int CROWD = 360; // what it needs for its first member
    private static final int MEMBER = 168; // its link, and its places in two tables and an array

    /** In place of a count of the newest messages: what no session has acknowledged yet. */
    static final int UNREAD = -1;

    /** How the room is named on the wire. */
    final String name;

    /** How the registry names it: unlike the wire it tells one user's inbox from another's. */
    final String key;

    final String epoch;

    private final LocalBroker broker;
    private final ReentrantLock lock = new ReentrantLock();
    private final RoomLog log;
    private @Nullable Members members; // made, as is the next, for the first member
    private volatile @Nullable FanOut fanOut; // written under the lock
    private boolean dead;
    private long acknowledged; // up to here each message has reached a session that it is for
    private long charged; // to the budget, beside the log: by the broker, and in enter; refunded in remove and die

    /**
     * A room that the broker has charged {@link #costOf} for.
     *
     * @param begin the end of the log that this room continues
     */
    RoomChannel(String key, Retention retention, Position begin, LocalBroker broker, String name) {
        this.key = key;
        this.name = name;
        this.epoch = begin.epoch();
        this.broker = broker;
        this.log = new RoomLog(retention, begin.offset(), broker.groupOf(name), this);
        this.acknowledged = begin.offset();
        this.charged = costOf(key);
    }

    /** Returns what a room costs that has neither a member nor a message. */
    static long costOf(String key) {
        return ROOM + LocalBroker.weight(key);
    }

    // ---------------------------------------------------------------- publishing

    /**
     * Publishes.
     *
     * @return its position; null for an ephemeral message, which has none
     * @throws GoneException when the room was removed meanwhile and must be looked up again
     */
    @Nullable
    Position publish(Outgoing message, Recipients to) {
        WireMessage ready = message.isEphemeral() ? message.frame() : null;
        Audience audience = to.isTested() ? to.among(snapshot()) : to.others();
        Position position = null;
        FanOut out;
        boolean isOver;
        lock.lock();
        try {
            out = fanOut;
            if (out != null) {
                out.awaitRoom();
            }
            requireAlive();
            WireMessage frame;
            if (ready == null) {
                long offset = log.top() + 1;
                frame = message.frame(offset);
                log.append(frame, audience, broker.nanoTime());
                position = new Position(epoch, offset);
            } else {
                frame = ready;
            }
            if (out != null) {
                out.add(frame, ready != null, audience, to.except());
            }
            isOver = dieIfUnused();
        } finally {
            lock.unlock();
        }
        try {
            if (out != null && !Bursts.defer(this)) {
                out.flush();
            }
            if (isOver) {
                broker.forget(this);
            }
            broker.budget().relieve();
        } catch (Throwable failure) { // the message is in the log: who is told of a failure sends it again
            Steps.log(LOG, "after a message to room " + name, failure);
        }
        return position;
    }

    /** Hands over what is pending, unless another thread is at it. */
    @Override
    public void flush() {
        FanOut out = fanOut;
        if (out != null) {
            out.flush();
        }
    }

    /** Returns who is a member now. */
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
     * Links a session's connection to the room; {@link #start} begins the delivery. Replaces the session's earlier link.
     *
     * @param outlet where its messages go; null while the session has no connection
     * @param since from where to go on, or null
     * @param history how many of the newest messages to begin with when {@code since} is null; {@link #UNREAD} for what
     *     is not acknowledged, and then also in place of what was lost
     * @throws RealtimeException with {@code overloaded} when the session is no member yet, and may not become one
     */
    LocalBroker.JoinChange link(
            Session session, @Nullable MemberConnection outlet, @Nullable Position since, int history) {
        boolean isOver = false;
        lock.lock();
        try {
            requireAlive();
            MemberLink before = linkOf(session);
            if (before == null) {
                isOver = true; // unless it becomes a member
                enter(session);
                isOver = false;
            }
            Members crowd = crowd();
            closeBatch();
            log.trim(broker.nanoTime());
            MemberLink link = crowd.link(session, outlet);
            String lost = since == null ? null : whyLost(since, epoch, log.floor(), log.top());
            boolean recovered = since != null && lost == null;
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
            link.begun = since == null && before != null ? Math.min(before.begun, link.cursor) : link.cursor;
            boolean isSameConnection = before != null && before.outlet == outlet;
            if (before != null) {
                before.phase = MemberPhase.DETACHED;
                if (since != null || !isSameConnection) { // what is bound to it, the new link reads from the log
                    before.outlet = MemberLink.NOWHERE;
                }
            }
            Protocol.RoomPosition at = new Protocol.RoomPosition(epoch, link.cursor, recovered, lost);
            return new LocalBroker.JoinChange(this, link, isSameConnection ? before : null, at);
        } finally {
            isOver = isOver && dieIfUnused();
            lock.unlock();
            if (isOver) {
                broker.forget(this);
            }
        }
    }

    /**
     * Returns from where on a member has not been sent what is meant for it, when its client names no position. On a
     * connection that was told of the room, that is where the replay stands; what a live link is still to get, it gets.
     * Another connection begins where the member did: its client does not know of the room, or would name a position.
     */
    private long owedFrom(MemberLink before, @Nullable MemberConnection outlet) {
        if (before.outlet != outlet) {
            return before.begun;
        }
        return before.phase == MemberPhase.LIVE ? log.top() : before.cursor;
    }

    /** Returns what a member is still to get of what was published before. */
    LocalBroker.Change delivery(Session session) {
        lock.lock();
        try {
            MemberLink link = linkOf(session);
            return proceed -> link != null && awaitDelivery(link, proceed);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns whether a link is being read the log, or members are being handed something; then {@code proceed} is called
     * behind that, by another thread.
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

    private void enter(Session session) {
        long bytes = members == null ? CROWD + MEMBER : MEMBER;
        broker.enter(name, session, bytes);
        charged += bytes;
    }

    private Members crowd() {
        Members known = members;
        if (known == null) {
            known = new Members();
            members = known;
            fanOut = new FanOut(name, known, broker.executor(), broker.batchBytes(), lock);
        }
        return known;
    }

    private void closeBatch() {
        FanOut out = fanOut;
        if (out != null) {
            out.closeBatch();
        }
    }

    private @Nullable MemberLink linkOf(Session session) {
        return members == null ? null : members.get(session);
    }

    private boolean hasMembers() {
        return members != null && !members.isEmpty();
    }

    /** Returns where a client stands that is at a position in an empty log, or thinks that it is. */
    static Protocol.RoomPosition atEnd(Position end, @Nullable Position since) {
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
     * Notes that a session has handled everything up to an offset. What was not meant for it waits for one that it is
     * meant for, and all behind that with it, as long as there may be one.
     *
     * @return whether that is news
     */
    boolean acknowledge(Session session, long offset) {
        lock.lock();
        try {
            acknowledged = Math.max(acknowledged, log.floor());
            long before = acknowledged;
            long last = Math.min(offset, log.top());
            MemberLink link = linkOf(session);
            while (acknowledged < last && passes(log.audience(acknowledged + 1), session, link)) {
                acknowledged++;
            }
            return acknowledged > before;
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether a session's acknowledgement passes over a message: no other could still receive it. */
    private boolean passes(Audience audience, Session session, @Nullable MemberLink link) {
        return audience.includes(session.id(), link)
                || (audience instanceof Audience.Only some
                        && (members == null || members.links().stream().noneMatch(some::includes)));
    }

    /** Drops what the only member has; false when it said so before. */
    boolean forgetUpTo(long offset) {
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

    /** Returns whether the log keeps less than so many messages, and less than so many bytes. */
    boolean keepsLessThan(int messages, long bytes) {
        lock.lock();
        try {
            return log.size() < messages && log.bytes() < bytes;
        } finally {
            lock.unlock();
        }
    }

    /** Begins the delivery to a link: first what it has not seen, then what is published. Does nothing the second time. */
    void start(MemberLink link) {
        lock.lock();
        try {
            if (link.phase != MemberPhase.NEW) {
                return;
            }
            link.phase = MemberPhase.REPLAYING;
            link.replays = true;
        } finally {
            lock.unlock();
        }
        replay(link);
    }

    private void replay(MemberLink link) {
        try {
            while (!link.outlet.awaitDrained(
                    () -> replay(link))) { // other rooms of the session send to this connection too
                if (!replayNext(link)) {
                    return;
                }
            }
        } catch (Throwable broken) { // out of memory, say: the connection may not go on without the rest
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

    /** Sends a link the next piece of the log; false when there is none. */
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
                    closeBatch(); // what it holds, this link has from the log
                    members.become(link, MemberPhase.LIVE);
                }
                behind = link.endReplay();
            } else if (link.cursor < log.floor()) {
                addRefusals(link, frames);
                if (frames.isEmpty()) {
                    isLost = true;
                    link.cursor = end;
                    frames.add(Outgoing.of(Protocol.GAP)
                            .room(name)
                            .data(new Protocol.GapNotice(epoch, end, "trimmed"), Protocol.GapNotice.class)
                            .frame());
                }
            } else {
                int bytes = 0;
                int most = (int) Math.min(REPLAY_CHUNK, end - link.cursor);
                for (RoomLog.LogEntry entry : log.after(link.cursor, most)) {
                    if (!frames.isEmpty() && bytes + entry.frame().length() > broker.batchBytes()) {
                        break;
                    }
                    link.cursor++;
                    if (entry.audience().includes(link.session.id(), link)) {
                        frames.add(entry.frame());
                        bytes += entry.frame().length();
                    }
                }
            }
        } finally {
            lock.unlock();
        }
        if (!frames.isEmpty()) {
            link.outlet.send(MessageBatch.of(frames, false));
        }
        if (isLost && name.equals(Names.SESSION)) {
            link.session.inboxLost();
        }
        if (behind != null) {
            behind.run();
        }
        return !isOver;
    }

    /** Under the lock: adds why messages were refused, if the gap may hide that; all that is in the log is kept by then. */
    private void addRefusals(MemberLink link, List<WireMessage> to) {
        if (name.equals(Names.SESSION)) {
            for (Refusals.Refusal refusal : link.session.refusals(link.refusalsTold, broker.batchBytes())) {
                to.add(link.session.error(refusal).frame());
                link.refusalsTold = refusal.seq();
            }
        }
    }

    /** Ends the delivery to a connection that is gone; the session stays a member. */
    void detach(Session session, @Nullable MemberConnection outlet) {
        lock.lock();
        try {
            MemberLink link = linkOf(session);
            if (members != null && link != null && link.outlet == outlet) {
                closeBatch();
                members.become(link, MemberPhase.DETACHED);
                link.outlet = MemberLink.NOWHERE; // the session may be away for long, and would keep its connection
                link.replays = false; // what the next connection is told does not wait for this one's end
            }
        } finally {
            lock.unlock();
        }
        flush();
    }

    /** Removes a member, whose replay goes on to here; null when it is none. The caller flushes what it is to get before. */
    LocalBroker.@Nullable LeaveChange remove(Session session) {
        MemberLink link;
        boolean isOver;
        lock.lock();
        try {
            closeBatch();
            link = members == null ? null : members.remove(session);
            if (link != null) {
                link.until = log.top();
                broker.exit(name, session);
                broker.refund(name, MEMBER);
                charged -= MEMBER;
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

    /** Returns the place of the newest message ever published here. */
    Position end() {
        lock.lock();
        try {
            return new Position(epoch, log.top());
        } finally {
            lock.unlock();
        }
    }

    List<Session> members() {
        lock.lock();
        try {
            return members == null ? List.of() : members.sessions();
        } finally {
            lock.unlock();
        }
    }

    int size() {
        lock.lock();
        try {
            return members == null ? 0 : members.size();
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------- reading

    /**
     * A piece of the log, oldest first, without what is not for this session.
     *
     * @param maxBytes of the messages in the reply, unless it is a single one
     * @param longest of the messages in the reply, in any case: one that the reader does not take is left out
     */
    Page page(Session reader, Protocol.HistoryRequest query, int maxBytes, int longest) {
        Long after = query.after();
        int limit = Math.max(1, Math.min(query.limit() == null ? 100 : query.limit(), 1000));
        lock.lock();
        try {
            log.trim(broker.nanoTime());
            MemberLink link = linkOf(reader);
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
                boolean isTaken = length <= longest && entry.audience().includes(reader.id(), link);
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

    /** Returns what there is to read in a room that does not exist, and whose log would begin there. */
    static Page emptyPage(Position end, Protocol.HistoryRequest query) {
        long next = query.after() == null ? end.offset() + 1 : Math.max(query.after(), end.offset());
        return new Page(end.epoch(), List.of(), false, next, end.offset());
    }

    /** What {@code $history} answers with, as {@link Protocol.History} says. */
    record Page(String epoch, List<WireMessage> messages, boolean more, long next, long floor) {}

    // ---------------------------------------------------------------- upkeep, by the broker

    /** Trims by age. */
    void sweep() {
        upkeep(() -> log.trim(broker.nanoTime()));
    }

    @Override
    public void evict(long share) {
        upkeep(() -> log.giveUp(share));
    }

    /** Ends the inbox of a session that is over: forgets everything and refuses what comes later. */
    void kill() {
        upkeep(this::die);
    }

    private void upkeep(Runnable change) {
        lock.lock();
        try {
            if (!dead) {
                change.run();
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

    /** Ends a room without members and without a log; returns whether it did. The caller has the broker forget it. */
    private boolean dieIfUnused() {
        if (dead || hasMembers() || log.size() > 0) {
            return false;
        }
        die();
        return true;
    }

    private void die() {
        dead = true;
        log.retire();
        broker.refund(name, charged);
    }

    /** Returns what the room and its log cost, as they are now: to compare with the account. */
    long cost() {
        lock.lock();
        try {
            if (dead) {
                return 0;
            }
            int count = members == null ? 0 : members.size();
            long crowd = members == null ? 0 : CROWD;
            return costOf(key) + crowd + (long) MEMBER * count + log.bytes();
        } finally {
            lock.unlock();
        }
    }

    private void requireAlive() {
        if (dead) {
            throw new GoneException();
        }
    }

    /** The room was removed between its look-up and its use: look it up again. */
    static final class GoneException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        GoneException() {
            super("room is gone", null, false, false);
        }
    }
}
