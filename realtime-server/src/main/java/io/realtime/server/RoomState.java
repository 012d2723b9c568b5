package io.realtime.server;

import io.realtime.Position;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Frames;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A room: an ordered log and its members. A publish appends to the log and to the pending batch under the room's lock;
 * whoever finds nobody flushing hands the batches to the members outside it, one batch after the other. So delivery
 * order is log order, an idle room delivers at once, and a busy one delivers ever larger batches.
 *
 * <p>A member has a {@link Link} per connection. It begins {@code NEW}, reads the log from its position ({@code
 * REPLAYING}), and is {@code LIVE} once it has reached the top; only live links are handed batches. What is published
 * during a replay is therefore in the log that the replay reads, and follows it.
 *
 * <p>Every field is guarded by {@link #lock} unless it says otherwise. No frame is sent and no application code is
 * called under the lock.
 */
final class RoomState implements Bursts.Flushed {
    private static final Logger LOG = LoggerFactory.getLogger(RoomState.class);
    private static final int REPLAY_CHUNK = 256;
    private static final int MAX_WAITING_BYTES = 1 << 20;
    private static final Link[] NOBODY = new Link[0];

    /** In place of a count of the newest messages: what no session has acknowledged yet. */
    static final int UNREAD = -1;

    /** How the room is named on the wire. */
    final String name;

    /** How the registry names it: unlike the wire it tells one user's inbox from another's. */
    final String key;

    final String epoch;

    private final LocalBroker broker;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition flushed = lock.newCondition();
    private final RoomLog log;
    private final Map<Session, Link> members = new LinkedHashMap<>();
    private Link @Nullable [] live = NOBODY; // null: must be made anew
    private List<Frame> pending = new ArrayList<>(0);
    private boolean pendingEphemeral;
    private int batchBytes; // of the pending batch
    private long waitingBytes; // of all deliveries; what the pending batch holds is little beside it
    private final ArrayDeque<Delivery> deliveries = new ArrayDeque<>(0);
    private boolean flushing;
    private Delivery current = Delivery.NONE; // the flusher's, without the lock
    private int handedTo; // the flusher's; to how many of the current delivery's targets
    private final Runnable caughtUp = this::caughtUp;
    private boolean dead;
    private long acknowledged; // up to here each message has reached a session that it is for
    private volatile long lastUsed; // written under the lock, read by the broker's sweep without it

    /** @param begin the end of the log that this room continues */
    RoomState(String key, Retention retention, Position begin, LocalBroker broker, String name) {
        this.key = key;
        this.name = name;
        this.epoch = begin.epoch();
        this.log = new RoomLog(retention, begin.offset());
        this.broker = broker;
        this.acknowledged = begin.offset();
        this.lastUsed = broker.nanoTime();
    }

    // ---------------------------------------------------------------- publishing

    /**
     * Publishes.
     *
     * @return its position; null for an ephemeral message, which has none
     * @throws GoneException when the room was removed meanwhile and must be looked up again
     */
    @Nullable
    Position publish(Outgoing message, Audience audience) {
        Frame ready = message.isEphemeral() ? message.frame() : null;
        broker.requireSendable(ready == null ? message.length() : ready.length());
        Position position = null;
        long before;
        long after;
        lock.lock();
        try {
            awaitRoom();
            requireAlive();
            before = log.bytes();
            Frame frame;
            if (ready == null) {
                long offset = log.top() + 1;
                frame = message.frame(offset);
                long now = broker.nanoTime();
                lastUsed = now;
                log.append(frame, audience, now);
                position = new Position(epoch, offset);
            } else {
                frame = ready;
            }
            after = log.bytes();
            enqueue(frame, ready != null, audience);
        } finally {
            lock.unlock();
        }
        if (!Bursts.defer(this)) {
            flush();
        }
        broker.logGrew(after - before);
        return position;
    }

    /**
     * Holds a publisher that is faster than the flush, or has it flush itself: what is pending is bounded. Gives the lock
     * away meanwhile.
     */
    private void awaitRoom() {
        while (waitingBytes > MAX_WAITING_BYTES) {
            if (flushing) {
                flushed.awaitUninterruptibly();
                continue;
            }
            lock.unlock();
            try {
                flush();
            } finally {
                lock.lock();
            }
        }
    }

    private void enqueue(Frame frame, boolean ephemeral, Audience audience) {
        if (members.isEmpty()) {
            return;
        }
        if (!audience.isEveryone()) {
            closeBatch();
            List<Link> chosen = new ArrayList<>();
            for (Link link : live()) {
                if (audience.includes(link.session.id())) {
                    chosen.add(link);
                }
            }
            deliver(FrameBatch.of(Collections.singletonList(frame), ephemeral), chosen.toArray(NOBODY));
            return;
        }
        boolean isFull = batchBytes + frame.length() > broker.batchBytes();
        if (!pending.isEmpty() && (isFull || pendingEphemeral != ephemeral)) {
            closeBatch();
        }
        pending.add(frame);
        pendingEphemeral = ephemeral;
        batchBytes += frame.length();
    }

    /** Binds the pending batch to those who are live now; before anything that changes who that is. */
    private void closeBatch() {
        if (!pending.isEmpty()) {
            List<Frame> frames = pending;
            pending = new ArrayList<>(0);
            batchBytes = 0;
            deliver(FrameBatch.of(frames, pendingEphemeral), live());
        }
    }

    private void deliver(FrameBatch batch, Link[] targets) {
        if (targets.length > 0) {
            deliveries.add(new Delivery(batch, targets));
            waitingBytes += batch.bytes();
        }
    }

    private Link[] live() {
        Link[] known = live;
        if (known == null) {
            List<Link> now = new ArrayList<>(members.size());
            for (Link link : members.values()) {
                if (link.phase == Phase.LIVE) {
                    now.add(link);
                }
            }
            known = now.toArray(NOBODY);
            live = known;
        }
        return known;
    }

    /** Hands over what is pending, unless another thread is at it: that one then takes ours too. */
    @Override
    public void flush() {
        lock.lock();
        try {
            if (flushing) {
                return;
            }
            flushing = true;
        } finally {
            lock.unlock();
        }
        while (nextDelivery()) {
            Link[] targets = current.targets;
            FrameBatch batch = current.batch;
            for (int at = handedTo; at < targets.length; at++) {
                Outlet outlet = targets[at].outlet;
                try {
                    handedTo = at;
                    if (outlet.lags(caughtUp)) {
                        return; // still flushing, though no thread is at it; the flusher's fields may be another's now
                    }
                    outlet.send(batch);
                } catch (Throwable broken) { // out of memory, say: what fails for one member must not stop the room
                    LOG.error("a member of room {} could not be sent to", name, broken);
                }
            }
            handedTo = targets.length;
        }
    }

    /** Has the flush go on that waited for a member's transport: on a publisher that waits for it, or on a thread of its own. */
    private void caughtUp() {
        lock.lock();
        try {
            flushing = false;
            flushed.signalAll();
        } finally {
            lock.unlock();
        }
        broker.execute(this::flush);
    }

    /** Makes the next delivery the current one, once that was handed to all; false when none is left, and the flush over. */
    private boolean nextDelivery() {
        if (handedTo < current.targets.length) {
            return true;
        }
        lock.lock();
        try {
            if (deliveries.isEmpty()) {
                closeBatch();
            }
            Delivery next = deliveries.poll();
            current = next == null ? Delivery.NONE : next;
            handedTo = 0;
            flushing = next != null;
            waitingBytes -= current.batch.bytes();
            if (waitingBytes <= MAX_WAITING_BYTES) {
                flushed.signalAll();
            }
            return flushing;
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
     */
    LocalBroker.Joined link(Session session, @Nullable Outlet outlet, @Nullable Position since, int history) {
        lock.lock();
        try {
            requireAlive();
            closeBatch();
            log.trim(broker.nanoTime());
            Link link = new Link(session, outlet);
            Link before = members.get(session);
            String lost = since == null ? null : whyLost(since, epoch, log.floor(), log.top());
            boolean recovered = since != null && lost == null;
            if (since != null && lost == null) {
                link.cursor = since.offset();
            } else if (history == UNREAD) {
                link.cursor = Math.max(log.floor(), acknowledged);
            } else {
                link.cursor = lost == null ? Math.max(log.floor(), log.top() - history) : log.top();
                if (since == null && before != null && before.owes(outlet)) {
                    link.cursor = Math.min(link.cursor, before.cursor);
                }
            }
            members.put(session, link);
            live = null;
            return new LocalBroker.Joined(this, link, new Frames.RoomState(epoch, link.cursor, recovered, lost));
        } finally {
            lock.unlock();
        }
    }

    /** Returns where a client stands that is at a position in an empty log, or thinks that it is. */
    static Frames.RoomState atEnd(Position end, @Nullable Position since) {
        String lost = since == null ? null : whyLost(since, end.epoch(), end.offset(), end.offset());
        return new Frames.RoomState(end.epoch(), end.offset(), since != null && lost == null, lost);
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
     * meant for, and all behind that with it.
     */
    void acknowledge(Session session, long offset) {
        lock.lock();
        try {
            acknowledged = Math.max(acknowledged, log.floor());
            long last = Math.min(offset, log.top());
            while (acknowledged < last && log.entry(acknowledged + 1).audience().includes(session.id())) {
                acknowledged++;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Drops what the only member has; false when it said so before. */
    boolean forgetUpTo(long offset) {
        long before;
        long after;
        boolean isNews;
        lock.lock();
        try {
            long last = Math.min(offset, log.top());
            isNews = last > acknowledged;
            acknowledged = Math.max(acknowledged, last);
            before = log.bytes();
            log.forgetUpTo(last);
            after = log.bytes();
        } finally {
            lock.unlock();
        }
        broker.logGrew(after - before);
        return isNews;
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
    void start(Link link) {
        lock.lock();
        try {
            if (link.phase != Phase.NEW) {
                return;
            }
            link.phase = Phase.REPLAYING;
        } finally {
            lock.unlock();
        }
        replay(link);
    }

    private void replay(Link link) {
        while (!link.outlet.pauses(() -> replay(link))) { // other rooms of the session send to this connection too
            List<Frame> frames = new ArrayList<>();
            Frame gap = null;
            lock.lock();
            try {
                if (link.phase != Phase.REPLAYING || members.get(link.session) != link) {
                    return;
                }
                if (link.cursor < log.floor()) {
                    link.cursor = log.top();
                    gap = Outgoing.of(Frames.GAP)
                            .room(name)
                            .data(new Frames.Gap(epoch, log.top(), "trimmed"), Frames.Gap.class)
                            .frame();
                } else if (link.cursor == log.top()) {
                    closeBatch(); // what it holds, this link has from the log
                    link.phase = Phase.LIVE;
                    live = null;
                    return;
                } else {
                    int bytes = 0;
                    for (RoomLog.Entry entry : log.after(link.cursor, REPLAY_CHUNK)) {
                        if (!frames.isEmpty() && bytes + entry.frame().length() > broker.batchBytes()) {
                            break;
                        }
                        link.cursor++;
                        if (entry.audience().includes(link.session.id())) {
                            frames.add(entry.frame());
                            bytes += entry.frame().length();
                        }
                    }
                }
            } finally {
                lock.unlock();
            }
            if (gap != null) {
                link.outlet.send(FrameBatch.of(gap));
                if (name.equals(Names.SESSION)) {
                    link.session.inboxLost();
                }
            } else if (!frames.isEmpty()) {
                link.outlet.send(FrameBatch.of(frames, false));
            }
        }
    }

    /** Ends the delivery to a connection that is gone; the session stays a member. */
    void detach(Session session, @Nullable Outlet outlet) {
        lock.lock();
        try {
            Link link = members.get(session);
            if (link != null && link.outlet == outlet) {
                closeBatch();
                link.phase = Phase.DETACHED;
                link.outlet = Link.NOWHERE; // the session may be away for long, and would keep its connection
                live = null;
            }
        } finally {
            lock.unlock();
        }
        flush();
    }

    /** Removes a member, if it is one. What it is to get before may wait for a {@link #flush}. */
    void remove(Session session) {
        lock.lock();
        try {
            closeBatch();
            Link link = members.remove(session);
            if (link != null) {
                link.phase = Phase.DETACHED;
                live = null;
                lastUsed = broker.nanoTime();
            }
        } finally {
            lock.unlock();
        }
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
            return new ArrayList<>(members.keySet());
        } finally {
            lock.unlock();
        }
    }

    int size() {
        lock.lock();
        try {
            return members.size();
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------- reading

    /** A piece of the log, oldest first, of at most so many bytes in the reply, without what is not for this session. */
    Page page(Session reader, Frames.HistoryQuery query, int maxBytes) {
        Long after = query.after();
        int limit = Math.max(1, Math.min(query.limit() == null ? 100 : query.limit(), 1000));
        lock.lock();
        try {
            log.trim(broker.nanoTime());
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
            List<RoomLog.Entry> entries = log.after(from, (int) (to - from));
            ArrayDeque<Frame> frames = new ArrayDeque<>();
            int bytes = 0;
            int taken = 0;
            while (taken < entries.size()) {
                RoomLog.Entry entry = entries.get(forwards ? taken : entries.size() - 1 - taken);
                int length = BinaryEnvelope.historyLength(entry.frame());
                if (taken > 0 && bytes + length > maxBytes) {
                    break;
                }
                taken++;
                if (entry.audience().includes(reader.id())) {
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

    /** What {@code $history} answers with, as {@link Frames.History} says. */
    record Page(String epoch, List<Frame> messages, boolean more, long next, long floor) {}

    // ---------------------------------------------------------------- upkeep, by the broker

    long lastUsed() {
        return lastUsed;
    }

    /** Trims by age and, when nobody needs the room any more, marks it dead. Returns by how many bytes it shrank. */
    long sweep(long idleNanos) {
        lock.lock();
        try {
            long before = log.bytes();
            long now = broker.nanoTime();
            log.trim(now);
            dead |= members.isEmpty() && log.bytes() == 0 && now - lastUsed > idleNanos;
            return before - log.bytes();
        } finally {
            lock.unlock();
        }
    }

    /** Forgets the whole log. Returns by how many bytes it shrank. */
    long evict() {
        lock.lock();
        try {
            long before = log.bytes();
            log.clear();
            return before;
        } finally {
            lock.unlock();
        }
    }

    /** Forgets everything and refuses what comes later. Returns by how many bytes the log shrank. */
    long kill() {
        lock.lock();
        try {
            dead = true;
            long before = log.bytes();
            log.clear();
            return before;
        } finally {
            lock.unlock();
        }
    }

    boolean isDead() {
        lock.lock();
        try {
            return dead;
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

    private enum Phase {
        NEW,
        REPLAYING,
        LIVE,
        DETACHED
    }

    /** One connection of one member. Mutable fields are guarded by the room's lock. */
    static final class Link {
        private static final Outlet NOWHERE = new Outlet() {
            @Override
            public void send(FrameBatch batch) {}

            @Override
            public boolean pauses(Runnable proceed) {
                return false;
            }
        };

        private final Session session;
        private volatile Outlet outlet; // written under the lock; nowhere once its connection is gone
        private Phase phase;
        private long cursor;

        private Link(Session session, @Nullable Outlet outlet) {
            this.session = session;
            this.outlet = outlet == null ? NOWHERE : outlet;
            this.phase = outlet == null ? Phase.DETACHED : Phase.NEW;
        }

        /** Returns whether the connection was told of a place up to which the log has not been read for it. */
        private boolean owes(@Nullable Outlet to) {
            return outlet == to && (phase == Phase.NEW || phase == Phase.REPLAYING);
        }
    }

    private static final class Delivery {
        static final Delivery NONE = new Delivery(FrameBatch.of(List.of(), false), NOBODY);

        final FrameBatch batch;
        final Link[] targets;

        Delivery(FrameBatch batch, Link[] targets) {
            this.batch = batch;
            this.targets = targets;
        }
    }
}
