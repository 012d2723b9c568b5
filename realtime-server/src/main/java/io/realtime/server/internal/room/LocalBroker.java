package io.realtime.server.internal.room;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Ids;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Limits;
import io.realtime.server.PresenceRule;
import io.realtime.server.Retention;
import io.realtime.server.RoomSummary;
import io.realtime.server.RoomsPage;
import io.realtime.server.internal.stats.Counters;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The rooms of one node, in memory. Looks rooms up, creates them on first use, removes those that are no longer needed,
 * and keeps all of them within one {@link LogBudget}. Rooms share no lock except the budget's lock for its lists.
 *
 * <p>When a log is removed, its end is remembered. The log continues from there when the room is used again, so a
 * reader that had read it to its end has missed nothing. When too many ends are remembered, all are dropped at once.
 * Every log that begins after that has another epoch.
 */
public final class LocalBroker {
    private static final Duration SWEEP_INTERVAL = Duration.ofSeconds(30);
    private static final int MOST_ENDS = 100_000;
    // A table entry and a position. The epoch is shared.
    private static final int END = 72;
    /** The share of {@code limits.logBytes}, as a divisor, that the states of one user may take. */
    private static final int STATES_OF_A_USER = 64;

    private static final String NO_PLACE = "rooms and their members take half of limits.logBytes";
    private static final int MOST_BATCH_BYTES = 64 * 1024;

    private final ConcurrentHashMap<String, RoomChannel> rooms = new ConcurrentHashMap<>();
    // The application's rooms by name. Changed within the computations of the table of rooms.
    private final ConcurrentSkipListMap<String, RoomChannel> sorted = new ConcurrentSkipListMap<>();
    // The rooms that count against limits.rooms.
    private final AtomicInteger named = new AtomicInteger();
    private final LogBudget budget;
    private final Counters counters = new Counters();
    private final UserQuota roomsPerUser;
    private final UserQuota statesPerUser;
    private final TagClock tagClock = new TagClock();
    private final Scheduler scheduler;
    private final Executor executor;
    private final Random random;
    private final Function<String, Retention> retention;
    private final List<PresenceRule> presence;
    private final int mostRooms;
    private final int batchBytes;
    private final int mostBytes;
    private final ReentrantLock endsLock = new ReentrantLock();
    // The ends of removed logs, by key.
    @GuardedBy("endsLock")
    private final Map<String, Position> ends = new HashMap<>();
    // What the ends cost.
    @GuardedBy("endsLock")
    private long endsBytes;

    private final Position origin;
    // The epoch of new logs.
    @GuardedBy("endsLock")
    private String epoch;

    private volatile Scheduler.Cancellable sweep = () -> {};
    private volatile boolean stopped;

    /** Creates a broker without rooms, which will have no presence. */
    public LocalBroker(
            Scheduler scheduler,
            Executor executor,
            Random random,
            Function<String, Retention> retention,
            Limits limits) {
        this(scheduler, executor, random, retention, List.of(), limits);
    }

    /**
     * Creates a broker without rooms.
     *
     * @param executor runs sweeps, announcements of presence, and flushes that no publisher continues
     * @param retention returns the retention of a room, by its name on the wire
     * @param presence the first that covers a room is its rule
     */
    public LocalBroker(
            Scheduler scheduler,
            Executor executor,
            Random random,
            Function<String, Retention> retention,
            List<PresenceRule> presence,
            Limits limits) {
        this.scheduler = scheduler;
        this.executor = executor;
        this.random = random;
        this.retention = retention;
        this.presence = List.copyOf(presence);
        this.budget = new LogBudget(limits.logBytes());
        this.roomsPerUser = new UserQuota(limits.roomsPerUser());
        this.statesPerUser = new UserQuota(limits.logBytes() / STATES_OF_A_USER);
        this.mostRooms = limits.rooms();
        this.mostBytes = limits.outboundBytes() / 2;
        this.batchBytes = Math.min(MOST_BATCH_BYTES, limits.outboundBytes() / 4);
        this.epoch = Ids.name(random);
        this.origin = new Position(epoch, 0);
    }

    public void start() {
        sweep = scheduler.schedule(SWEEP_INTERVAL, () -> {
            if (!stopped) {
                start();
            }
            // A sweep visits all rooms: too long for the timer's thread.
            executor.execute(this::sweep);
        });
        if (stopped) {
            sweep.cancel();
        }
    }

    public void stop() {
        stopped = true;
        sweep.cancel();
    }

    /**
     * Publishes to a room, which is created if it does not exist.
     *
     * @throws RealtimeException with {@code overloaded} if the room does not exist and there are too many rooms, or
     *     they cost too much
     */
    @Nullable
    public Position publish(String key, String name, Outgoing message, Recipients to) {
        return publish(key, name, message, to, null);
    }

    /**
     * Like {@link #publish(String, String, Outgoing, Recipients)}, but once for each idempotency key while the log keeps
     * its message.
     */
    @Nullable
    public Position publish(String key, String name, Outgoing message, Recipients to, @Nullable String once) {
        if (message.isEphemeral() && find(key) == null) {
            requireSendable(message.length());
            // A room that does not exist has no members to receive it.
            return null;
        }
        return publish(() -> room(key, name, null), message, to, once);
    }

    /**
     * Publishes to the room that {@code found} returns. Asks for it only after the size check, so that a refused
     * message creates no room.
     */
    @Nullable
    public Position publish(Supplier<RoomChannel> found, Outgoing message, Recipients to, @Nullable String once) {
        requireSendable(message.length());
        while (true) {
            RoomChannel room = found.get();
            try {
                return room.publish(message, to, once);
            } catch (RoomChannel.GoneException raced) {
                forget(room);
            }
        }
    }

    /**
     * Drops all messages of the room that {@code found} returns: see {@link RoomChannel#purge}. The room must exist for
     * that: readers of its forgotten log must be told, too.
     */
    public Position purge(Supplier<RoomChannel> found) {
        while (true) {
            RoomChannel room = found.get();
            try {
                return room.purge();
            } catch (RoomChannel.GoneException raced) {
                forget(room);
            }
        }
    }

    /**
     * Links a session to a room, which is created if it does not exist.
     *
     * @throws RealtimeException with {@code overloaded} if the session is not a member yet and must not become one
     */
    public JoinChange link(
            String key,
            String name,
            Subscriber session,
            @Nullable MemberConnection outlet,
            @Nullable Position since,
            int history) {
        return link(() -> room(key, name, null), session, outlet, since, history);
    }

    /** Links a session to the room that {@code found} returns. */
    public JoinChange link(
            Supplier<RoomChannel> found,
            Subscriber session,
            @Nullable MemberConnection outlet,
            @Nullable Position since,
            int history) {
        while (true) {
            RoomChannel room = found.get();
            try {
                JoinChange joined = room.link(session, outlet, since, history);
                // For the cost of the room and its member.
                budget.relieve();
                return joined;
            } catch (RoomChannel.GoneException raced) {
                forget(room);
            }
        }
    }

    /** A change of a membership. The member is told of it after the messages that were published before it. */
    public interface Change {
        /**
         * Returns whether such messages are still in flight. If true, {@code proceed} is called after them, by another
         * thread. If false, it is not called.
         */
        boolean awaitDelivery(Runnable proceed);
    }

    /**
     * A room, a session's link to it, the link of the same connection that it replaces (null if there is none), and the
     * position where the delivery begins.
     */
    public record JoinChange(
            RoomChannel room, Members.MemberLink link, Members.@Nullable MemberLink before, Protocol.RoomPosition at)
            implements Change {
        @Override
        public boolean awaitDelivery(Runnable proceed) {
            return before != null && room.awaitDelivery(before, proceed);
        }

        /** Begins the delivery. */
        public void start() {
            room.start(link);
        }
    }

    /** A room that a session has left, and the link that it had. */
    public record LeaveChange(RoomChannel room, Members.MemberLink link) implements Change {
        @Override
        public boolean awaitDelivery(Runnable proceed) {
            return room.awaitDelivery(link, proceed);
        }
    }

    /**
     * Returns a room; creates it if it does not exist.
     *
     * @param told where the log of a new room begins; null for the {@link #end} of the log that it continues
     * @throws RealtimeException with {@code overloaded} if a new room is needed, and there are too many or they
     *     cost too much
     */
    public RoomChannel room(String key, String name, @Nullable Position told) {
        RoomChannel known = rooms.get(key);
        return known != null
                ? known
                : rooms.computeIfAbsent(key, k -> {
                    Retention kept = retention.apply(name);
                    count(k, name);
                    Position end = begin(k, name);
                    RoomChannel made = new RoomChannel(k, kept, told == null ? end : told, this, name);
                    if (!isInbox(name)) {
                        sorted.put(k, made);
                    }
                    return made;
                });
    }

    /**
     * Counts and charges a new room. Inboxes are not limited here: there are as many as sessions, or as the budget
     * allows messages to wait for users.
     */
    private void count(String key, String name) {
        if (isInbox(name)) {
            budget.chargeFixed(RoomChannel.costOf(key, name));
            return;
        }
        if (named.incrementAndGet() > mostRooms) {
            named.decrementAndGet();
            throw overloaded("there are " + mostRooms + " rooms, as limits.rooms allows");
        }
        if (!budget.chargePlaces(RoomChannel.costOf(key, name))) {
            named.decrementAndGet();
            throw overloaded(NO_PLACE);
        }
    }

    /**
     * Counts and charges a new member of a room.
     *
     * @throws RealtimeException with {@code overloaded} if its user is in too many rooms, or all rooms and members
     *     cost too much; then nothing is counted
     */
    void enter(String name, Subscriber session, long bytes) {
        if (isInbox(name)) {
            budget.chargeFixed(bytes);
            return;
        }
        String user = session.userId();
        if (!roomsPerUser.take(user, 1)) {
            throw overloaded("the user's sessions are in " + roomsPerUser.most()
                    + " rooms together, as limits.roomsPerUser allows");
        }
        if (!budget.chargePlaces(bytes)) {
            roomsPerUser.take(user, -1);
            throw overloaded(NO_PLACE);
        }
    }

    /**
     * Charges for what a member of an application's room says of itself; a negative number refunds.
     *
     * @throws RealtimeException with {@code overloaded} if the states of its user, or all states, cost too much; then
     *     nothing is charged
     */
    void chargeState(Subscriber session, long bytes) {
        String user = session.userId();
        if (!statesPerUser.take(user, bytes)) {
            throw overloaded("the states of the user's sessions take " + statesPerUser.most() + " bytes together");
        }
        if (!budget.chargeStates(bytes)) {
            statesPerUser.take(user, -bytes);
            throw overloaded("the states of all members take an eighth of limits.logBytes");
        }
    }

    /** Records that a session is no longer a member of a room. */
    void exit(String name, Subscriber session) {
        if (!isInbox(name)) {
            roomsPerUser.take(session.userId(), -1);
        }
    }

    /** Refunds the cost of a room or of a member. */
    void refund(String name, long bytes) {
        if (isInbox(name)) {
            budget.chargeFixed(-bytes);
        } else {
            budget.chargePlaces(-bytes);
        }
    }

    /** Returns whether a room is an inbox or {@code @all}. A session is in few of these. */
    static boolean isInbox(String name) {
        return name.startsWith("@");
    }

    private static RealtimeException overloaded(String text) {
        return new RealtimeException(ErrorCode.OVERLOADED, text, true, null);
    }

    /** Returns where the log of a room that does not exist now would begin. */
    public Position end(String key) {
        endsLock.lock();
        try {
            Position end = ends.get(key);
            return end != null ? end : origin.epoch().equals(epoch) ? origin : new Position(epoch, 0);
        } finally {
            endsLock.unlock();
        }
    }

    /**
     * Returns where every session's inbox begins. Keys of sessions are never used again, so their inboxes never need
     * another epoch.
     */
    public Position origin() {
        return origin;
    }

    private Position begin(String key, String name) {
        if (name.equals(Names.SESSION)) {
            return origin;
        }
        endsLock.lock();
        try {
            Position end = ends.remove(key);
            if (end == null) {
                return new Position(epoch, 0);
            }
            chargeEnds(-END - weight(key));
            return end;
        } finally {
            endsLock.unlock();
        }
    }

    private void remember(String key, Position end) {
        endsLock.lock();
        try {
            if (end.offset() == 0 && end.epoch().equals(epoch)) {
                // A new log begins there anyway.
                return;
            }
            long weight = END + weight(key);
            if (ends.size() >= MOST_ENDS || endsBytes + weight > budget.limit() / 16) {
                ends.clear();
                chargeEnds(-endsBytes);
                epoch = Ids.name(random);
            }
            if (ends.put(key, end) == null) {
                chargeEnds(weight);
            }
        } finally {
            endsLock.unlock();
        }
    }

    @GuardedBy("endsLock")
    private void chargeEnds(long bytes) {
        endsBytes += bytes;
        budget.chargeFixed(bytes);
    }

    /** Returns the cost of a room's key: a string and its array. */
    static long weight(String key) {
        int unit = 1;
        for (int i = 0; i < key.length() && unit == 1; i++) {
            unit = key.charAt(i) < 256 ? 1 : 2;
        }
        return 40 + ((long) unit * key.length() + 7) / 8 * 8;
    }

    /** Returns the group of the budget that a room's log belongs to, by the room's name on the wire. */
    LogBudget.Group groupOf(String name) {
        return switch (name) {
            case Names.USER -> budget.inboxes();
            case Names.SESSION -> budget.sessions();
            default -> budget.rooms();
        };
    }

    /** Returns what this node counts. The other parts of the server count there too. */
    public Counters counters() {
        return counters;
    }

    LogBudget budget() {
        return budget;
    }

    /** Returns the room, or null if it does not exist. */
    @Nullable
    public RoomChannel find(String key) {
        return rooms.get(key);
    }

    /** Returns a part of the list of the application's rooms, as {@code ConnectionManager.rooms} describes it. */
    public RoomsPage list(String prefix, @Nullable String after, int limit) {
        boolean isAfter = after != null && after.compareTo(prefix) >= 0;
        List<RoomSummary> page = new ArrayList<>();
        // Names with a common prefix follow each other.
        for (RoomChannel room : sorted.tailMap(isAfter && after != null ? after : prefix, !isAfter)
                .values()) {
            if (!room.name.startsWith(prefix)) {
                break;
            }
            RoomSummary summary = room.summary();
            if (summary != null && page.size() == limit) {
                return new RoomsPage(page, true);
            }
            if (summary != null) {
                page.add(summary);
            }
        }
        return new RoomsPage(page, false);
    }

    /** Flushes all rooms, including what handlers have published and a burst holds back. */
    public void flush() {
        Steps.each(rooms.values(), RoomChannel::flush);
    }

    public int size() {
        return rooms.size();
    }

    /** Returns how many rooms count against {@code limits.rooms}. */
    public int namedRooms() {
        return named.get();
    }

    /** Returns which share rooms and their members take of what they may take, from 0 to 1. */
    public double placesShare() {
        return budget.placesShare();
    }

    /** Returns the cost of all rooms, members and logs, from the account. */
    public long logBytes() {
        return budget.used();
    }

    /** Returns the same cost counted anew, room by room. It verifies the account while nothing else happens. */
    public long countLogBytes() {
        long sum = 0;
        for (RoomChannel room : rooms.values()) {
            sum += room.cost();
        }
        endsLock.lock();
        try {
            for (String key : ends.keySet()) {
                sum += END + weight(key);
            }
        } finally {
            endsLock.unlock();
        }
        return sum;
    }

    /**
     * Checks that every connection accepts a message of this size. A connection that does not would be closed by it
     * again after each resume.
     */
    public void requireSendable(int bytes) {
        if (bytes > mostBytes) {
            throw new RealtimeException(
                    ErrorCode.TOO_BIG,
                    "a message of " + bytes + " bytes is more than half of limits.outboundBytes, " + 2 * mostBytes);
        }
    }

    /** Returns the largest size of a message, in bytes, that every connection accepts. */
    public int mostBytes() {
        return mostBytes;
    }

    Executor executor() {
        return executor;
    }

    /** Runs a task later, on the executor. */
    Scheduler.Cancellable schedule(Duration delay, Runnable task) {
        return scheduler.schedule(delay, () -> executor.execute(task));
    }

    /** Returns the rule of a room's presence, or null if it has none. */
    @Nullable
    PresenceRule presenceRule(String name) {
        for (PresenceRule rule : presence) {
            if (rule.covers(name)) {
                return rule;
            }
        }
        return null;
    }

    /**
     * Returns how many bytes are sent at once, unless a single message is longer. A receiver that is half full still
     * accepts them.
     */
    int batchBytes() {
        return batchBytes;
    }

    public TagClock tagClock() {
        return tagClock;
    }

    long currentTimeMillis() {
        return scheduler.currentTimeMillis();
    }

    long nanoTime() {
        return scheduler.nanoTime();
    }

    /** Removes a dead room from the table, once, and remembers the end of its log. */
    void forget(RoomChannel room) {
        rooms.computeIfPresent(room.key, (key, present) -> {
            if (present != room) {
                return present;
            }
            if (!isInbox(room.name)) {
                named.decrementAndGet();
                sorted.remove(key);
            }
            if (!room.name.equals(Names.SESSION)) {
                // Not for a session's inbox: its key is never used again.
                remember(key, room.end());
            }
            return null;
        });
    }

    private void sweep() {
        counters.mark();
        Steps.each(rooms.values(), RoomChannel::sweep);
        budget.relieve();
    }
}
