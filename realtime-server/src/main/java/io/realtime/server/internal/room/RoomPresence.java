package io.realtime.server.internal.room;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.internal.wire.Protocol.PresenceNotice;
import io.realtime.internal.wire.Protocol.PresentMember;
import io.realtime.server.PresenceRule;
import io.realtime.server.internal.room.Members.MemberLink;
import io.realtime.server.internal.room.Members.MemberPhase;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is here, as the members of one room are told. A change of a member only marks it. An announcement compares the
 * marked members with what was announced before, and sends the differences. So what happens between two announcements,
 * and ends as it was, is never told.
 *
 * <p>Nothing is queued for a watcher. The presence has a version, and a watcher is at one of them. A watcher that is at
 * the version before gets the differences. Every other one gets a snapshot: after a join, after a resume, and after its
 * connection was not drained.
 *
 * <p>A room with too many members, or whose snapshot would be too long, tells counts, and keeps nothing for each member
 * but a bit, and its state. Guarded by the room's lock. One thread at a time announces, without the lock while it sends.
 */
final class RoomPresence {
    private static final Logger LOG = LoggerFactory.getLogger(RoomPresence.class);

    /** What is charged for each member: its entries in the tables below. */
    static final int MEMBER = 256;

    /** What is charged for a state, in addition to its text. */
    private static final int STATE = 48;

    private static final int MOST_BYTES = 256 * 1024;

    private static final Scheduler.Cancellable NONE = () -> {};

    /** The version of a watcher that needs a snapshot. */
    private static final long NOTHING = -1;

    private final String room;
    private final PresenceRule rule;
    private final long grace;
    private final long interval;
    private final int mostBytes;
    private final Members members;
    private final LocalBroker broker;
    private final ReentrantLock lock;

    // The members that want to be told, by session.
    @GuardedBy("lock")
    private final Map<String, Watcher> watchers = new LinkedHashMap<>();
    // What clients say of themselves, by session.
    @GuardedBy("lock")
    private final Map<String, String> states = new HashMap<>();

    @GuardedBy("lock")
    private long stateBytes;
    // The members with a connection, by seat.
    @GuardedBy("lock")
    private final BitSet online = new BitSet();
    // What was announced, by session. Empty while only counts are told, as are the next two.
    @GuardedBy("lock")
    private final Map<String, PresentMember> shown = new LinkedHashMap<>();
    // The sessions that may differ from what was announced.
    @GuardedBy("lock")
    private final Set<String> marked = new LinkedHashSet<>();
    // When members lost their connection, the first before the others. Those whose grace is over are not in it.
    @GuardedBy("lock")
    private final Map<String, Long> away = new LinkedHashMap<>();

    @GuardedBy("lock")
    private boolean isCounting;
    // Members are listed again when there are no more than this.
    @GuardedBy("lock")
    private int listAgainAt;
    // The counts that were announced last.
    @GuardedBy("lock")
    private int toldOnline;

    @GuardedBy("lock")
    private int toldSessions;
    // Begins with the clock, so that a later presence of the room has higher versions, also after a restart.
    @GuardedBy("lock")
    private long version;
    // An announcement is due.
    @GuardedBy("lock")
    private boolean isPending;

    @GuardedBy("lock")
    private long due;
    // When the last announcement was made.
    @GuardedBy("lock")
    private long announcedAt;
    // A thread announces; at its end it sets the timer.
    @GuardedBy("lock")
    private boolean isRunning;

    @GuardedBy("lock")
    private Scheduler.Cancellable timer = NONE;

    @GuardedBy("lock")
    private long timerAt;
    // Why the scheduler took no task, until that is logged.
    @GuardedBy("lock")
    private @Nullable Throwable refused;

    /** A member that wants to be told, and one connection of it. Guarded by the room's lock. */
    private static final class Watcher {
        // Null while nothing may be sent.
        final @Nullable MemberConnection outlet;
        long told = NOTHING;
        // How often its connection is waited for.
        int waits;

        Watcher(@Nullable MemberConnection outlet) {
            this.outlet = outlet;
        }
    }

    /**
     * @param members the room's
     * @param lock the room's
     */
    RoomPresence(String room, PresenceRule rule, Members members, LocalBroker broker, ReentrantLock lock) {
        this.room = room;
        this.rule = rule;
        this.members = members;
        this.broker = broker;
        this.lock = lock;
        this.grace = rule.grace().toNanos();
        this.interval = rule.interval().toNanos();
        this.mostBytes = Math.min(MOST_BYTES, broker.mostBytes());
        this.version = broker.currentTimeMillis();
        this.announcedAt = broker.nanoTime() - interval;
    }

    // ---------------------------------------------------------------- changes; the caller holds the lock

    /** Notes a member's new link. It is told nothing more until {@link #started}. */
    void linked(MemberLink link) {
        pause(link);
        changed(link);
    }

    /** Notes that the delivery to a link begins. A watcher gets a snapshot. */
    @SuppressWarnings("GuardedBy")
    void started(MemberLink link) {
        assert lock.isHeldByCurrentThread();
        if (watchers.containsKey(link.session.id())) {
            watch(link, true);
        }
    }

    /** Notes that a link's connection is lost. */
    void detached(MemberLink link) {
        pause(link);
        changed(link);
    }

    @SuppressWarnings("GuardedBy")
    private void pause(MemberLink link) {
        assert lock.isHeldByCurrentThread();
        watchers.computeIfPresent(link.session.id(), (id, known) -> new Watcher(null));
    }

    /** Begins to tell a member, with a snapshot; or tells it no more. */
    @SuppressWarnings("GuardedBy")
    void watch(MemberLink link, boolean isWanted) {
        assert lock.isHeldByCurrentThread();
        String id = link.session.id();
        if (!isWanted) {
            watchers.remove(id);
            return;
        }
        boolean mayBeTold = link.phase == MemberPhase.LIVE || link.phase == MemberPhase.REPLAYING;
        watchers.put(id, new Watcher(mayBeTold ? link.outlet : null));
        expect(soon());
    }

    /** Sets what a member says of itself, after {@link #stateCost} was charged. */
    @SuppressWarnings("GuardedBy")
    void state(MemberLink link, String state) {
        stateBytes += stateCost(link, state);
        String id = link.session.id();
        String before = state.isEmpty() ? states.remove(id) : states.put(id, state);
        // Counts tell nothing of states.
        if (!isCounting && !state.equals(before == null ? "" : before)) {
            changed(link);
        }
    }

    /** Returns how much more a member's state would cost if it were this one. */
    @SuppressWarnings("GuardedBy")
    long stateCost(MemberLink link, String state) {
        assert lock.isHeldByCurrentThread();
        return costOf(state) - costOf(states.get(link.session.id()));
    }

    private static long costOf(@Nullable String state) {
        return state == null || state.isEmpty() ? 0 : STATE + LocalBroker.weight(state);
    }

    /** Notes that a member may have another connection, other tags or another state than before. */
    @SuppressWarnings("GuardedBy")
    void changed(MemberLink link) {
        assert lock.isHeldByCurrentThread();
        String id = link.session.id();
        boolean wasOnline = online.get(link.seat);
        boolean isOnline = link.session.isConnected();
        online.set(link.seat, isOnline);
        if (!isCounting && members.size() > rule.mostMembers()) {
            count();
        }
        if (!isCounting) {
            marked.add(id);
            if (isOnline) {
                away.remove(id);
            } else if (wasOnline) {
                away.put(id, broker.nanoTime());
            }
        }
        // One who comes is told at once if possible. One who goes may come back.
        expect(isOnline ? soon() : broker.nanoTime() + interval);
    }

    /** Notes that a member was removed. Returns what is to be refunded for its state. */
    @SuppressWarnings("GuardedBy")
    long removed(MemberLink link) {
        assert lock.isHeldByCurrentThread();
        String id = link.session.id();
        online.clear(link.seat);
        watchers.remove(id);
        away.remove(id);
        long refund = costOf(states.remove(id));
        stateBytes -= refund;
        if (members.isEmpty()) {
            listNobody();
            isCounting = false;
            isPending = false;
            timer.cancel();
            timer = NONE;
        } else if (isCounting || shown.containsKey(id)) {
            mark(id);
            expect(broker.nanoTime() + interval);
        } else {
            marked.remove(id);
        }
        return refund;
    }

    /** Returns what all members have been charged for. */
    @SuppressWarnings("GuardedBy")
    long cost() {
        assert lock.isHeldByCurrentThread();
        return (long) MEMBER * members.size() + stateBytes;
    }

    @GuardedBy("lock")
    private void mark(String id) {
        if (!isCounting) {
            marked.add(id);
        }
    }

    /** Begins to tell counts only. */
    @GuardedBy("lock")
    private void count() {
        isCounting = true;
        listAgainAt = (int) Math.max(1, 3L * Math.min(rule.mostMembers(), members.size()) / 4);
        toldSessions = -1;
        listNobody();
    }

    /** Begins to list members again: all with a connection. Every watcher gets a snapshot. */
    @GuardedBy("lock")
    private void list() {
        isCounting = false;
        for (MemberLink link : members.links()) {
            if (online.get(link.seat)) {
                marked.add(link.session.id());
            }
        }
        watchers.values().forEach(watcher -> watcher.told = NOTHING);
    }

    @GuardedBy("lock")
    private void listNobody() {
        shown.clear();
        marked.clear();
        away.clear();
    }

    // ---------------------------------------------------------------- time

    /** Returns the next moment at which something may be announced. */
    @GuardedBy("lock")
    private long soon() {
        long now = broker.nanoTime();
        return announcedAt + interval - now > 0 ? announcedAt + interval : now;
    }

    @GuardedBy("lock")
    private void expect(long when) {
        if (!isPending || when - due < 0) {
            due = when;
            isPending = true;
        }
        setTimer();
    }

    /** Sets the timer, if there is somebody to tell. */
    @GuardedBy("lock")
    private void setTimer() {
        Iterator<Long> lost = away.values().iterator();
        if (isRunning || watchers.isEmpty() || (!isPending && !lost.hasNext())) {
            return;
        }
        long next = lost.hasNext() ? lost.next() + grace : due;
        if (isPending && due - next < 0) {
            next = due;
        }
        if (timer != NONE && timerAt - next <= 0) {
            return;
        }
        timer.cancel();
        timerAt = next;
        try {
            timer = broker.schedule(Duration.ofNanos(Math.max(0, next - broker.nanoTime())), this::run);
        } catch (RuntimeException | Error refusal) {
            // The member has changed all the same. The next change tries again.
            timer = NONE;
            refused = refusal;
        }
    }

    // ---------------------------------------------------------------- announcements

    /** Announces what is due. Does nothing while another thread does so: that thread looks again before it ends. */
    private void run() {
        Throwable refusal;
        lock.lock();
        try {
            timer.cancel();
            timer = NONE;
            if (isRunning) {
                return;
            }
            isRunning = true;
            refusal = refused;
            refused = null;
        } finally {
            lock.unlock();
        }
        if (refusal != null) {
            Steps.log(LOG, "the presence of room " + room + " was told late: the scheduler took no task", refusal);
        }
        try {
            for (Announcement next = next(); next != null; next = next()) {
                send(next);
            }
        } catch (Throwable broken) {
            // For example out of memory. Nobody is left without what was not sent.
            Steps.log(LOG, "the presence of room " + room + " could not be announced", broken);
            lock.lock();
            try {
                watchers.values().forEach(watcher -> watcher.told = NOTHING);
                isRunning = false;
                expect(broker.nanoTime() + interval);
            } finally {
                lock.unlock();
            }
        }
    }

    /** Who is to be told what: the differences, or all. */
    private record Announcement(
            @Nullable PresenceNotice differences, PresenceNotice all, PresenceNotice counts, List<Delivery> to) {}

    private record Delivery(Watcher watcher, MemberConnection outlet, boolean isNext) {}

    /** Returns what to announce now; null, with the timer set, when that is nothing. */
    private @Nullable Announcement next() {
        lock.lock();
        try {
            long now = broker.nanoTime();
            expire(now);
            if (isPending && due - now <= 0) {
                isPending = false;
                // Also if nobody has to be told: a pass over the watchers has its cost.
                announcedAt = now;
                long before = version;
                PresenceNotice differences = update();
                List<Delivery> to = new ArrayList<>();
                boolean wantsAll = false;
                for (Watcher watcher : watchers.values()) {
                    if (watcher.outlet != null && watcher.waits == 0 && watcher.told != version) {
                        boolean isNext = differences != null && watcher.told == before;
                        wantsAll |= !isNext;
                        watcher.told = version;
                        to.add(new Delivery(watcher, watcher.outlet, isNext));
                    }
                }
                if (!to.isEmpty()) {
                    PresenceNotice counts = counts();
                    return new Announcement(differences, wantsAll && !isCounting ? snapshot() : counts, counts, to);
                }
            }
            isRunning = false;
            setTimer();
            return null;
        } finally {
            lock.unlock();
        }
    }

    /** Marks the members whose grace is over. */
    @GuardedBy("lock")
    private void expire(long now) {
        Iterator<Map.Entry<String, Long>> lost = away.entrySet().iterator();
        while (lost.hasNext()) {
            Map.Entry<String, Long> next = lost.next();
            if (now - next.getValue() < grace) {
                return;
            }
            lost.remove();
            marked.add(next.getKey());
            due = now;
            isPending = true;
        }
    }

    /** Begins another version if something has changed. Returns the differences, unless only counts are told. */
    @GuardedBy("lock")
    private @Nullable PresenceNotice update() {
        if (isCounting && members.size() <= listAgainAt) {
            list();
        }
        if (isCounting) {
            int nowOnline = online.cardinality();
            if (nowOnline != toldOnline || members.size() != toldSessions) {
                toldOnline = nowOnline;
                toldSessions = members.size();
                version++;
            }
            return null;
        }
        List<PresentMember> joined = new ArrayList<>();
        List<PresentMember> changed = new ArrayList<>();
        List<String> left = new ArrayList<>();
        for (String id : marked) {
            PresentMember now = present(id);
            PresentMember before = now == null ? shown.remove(id) : shown.put(id, now);
            if (now == null && before != null) {
                left.add(id);
            } else if (now != null && before == null) {
                joined.add(now);
            } else if (now != null && !now.equals(before)) {
                changed.add(now);
            }
        }
        marked.clear();
        if (joined.isEmpty() && changed.isEmpty() && left.isEmpty()) {
            return null;
        }
        version++;
        return new PresenceNotice(
                version, version - 1, null, orNull(joined), orNull(changed), orNull(left), null, null);
    }

    private static <T> @Nullable List<T> orNull(List<T> list) {
        return list.isEmpty() ? null : list;
    }

    /** Returns a session as others see it; null if it is not here. */
    @GuardedBy("lock")
    private @Nullable PresentMember present(String id) {
        MemberLink link = members.get(id);
        if (link == null || (!online.get(link.seat) && !away.containsKey(id))) {
            return null;
        }
        Subscriber of = link.session;
        Map<String, String> tags = of.tags();
        return new PresentMember(
                id, of.userId(), tags.isEmpty() ? null : tags, online.get(link.seat), link.since, states.get(id));
    }

    @GuardedBy("lock")
    private PresenceNotice snapshot() {
        return new PresenceNotice(version, null, new ArrayList<>(shown.values()), null, null, null, null, null);
    }

    @GuardedBy("lock")
    private PresenceNotice counts() {
        return new PresenceNotice(version, null, null, null, null, null, online.cardinality(), members.size());
    }

    /** Sends an announcement. Each of its frames is encoded once. */
    private void send(Announcement what) {
        MessageBatch differences = null;
        MessageBatch all = null;
        MessageBatch counts = null;
        for (Delivery delivery : what.to) {
            MessageBatch frame;
            if (delivery.isNext) {
                differences = differences == null ? frame(Objects.requireNonNull(what.differences)) : differences;
                frame = differences;
            } else {
                all = all == null ? frame(what.all) : all;
                frame = all;
            }
            boolean isList = delivery.isNext || what.all.members() != null;
            if (isList && frame.longest() > mostBytes) {
                tooLong();
                return;
            }
            if (delivery.outlet.awaitDrained(() -> drained(delivery.watcher))) {
                needsAll(delivery.watcher, 1);
            } else if (frame.longest() <= delivery.outlet.messageBytes()) {
                delivery.outlet.send(frame);
            } else {
                // This client accepts no message as long as that. It needs a snapshot, or again counts, the next time.
                counts = counts == null ? frame(what.counts) : counts;
                delivery.outlet.send(counts);
                needsAll(delivery.watcher, 0);
            }
        }
    }

    private MessageBatch frame(PresenceNotice notice) {
        WireMessage frame = Outgoing.of(Protocol.PRESENCE)
                .room(room)
                .data(notice, PresenceNotice.class)
                .frame();
        return MessageBatch.of(frame);
    }

    /** Lists no members any more: a frame of them would be too long. */
    private void tooLong() {
        lock.lock();
        try {
            if (!isCounting) {
                count();
            }
            watchers.values().forEach(watcher -> watcher.told = NOTHING);
            due = broker.nanoTime();
            isPending = true;
        } finally {
            lock.unlock();
        }
    }

    /** Notes that a watcher must get a snapshot, and how many more times its connection is waited for. */
    private void needsAll(Watcher watcher, int more) {
        lock.lock();
        try {
            watcher.waits += more;
            watcher.told = NOTHING;
        } finally {
            lock.unlock();
        }
    }

    /** Sends a snapshot soon. Called by another thread, perhaps before the wait is counted. */
    private void drained(Watcher watcher) {
        needsAll(watcher, -1);
        lock.lock();
        try {
            expect(soon());
        } finally {
            lock.unlock();
        }
    }
}
