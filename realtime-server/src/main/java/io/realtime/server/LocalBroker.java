package io.realtime.server;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Ids;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The rooms of one node, in memory: looks them up, makes them on first use, forgets those that nobody needs, and keeps
 * all of them together under one {@link LogBudget}. Rooms share no lock but that of the budget's lists.
 *
 * <p>A log that is forgotten leaves its end behind, and is continued from there when the room is used again: whoever had
 * read it to its end has missed nothing. Too many ends are forgotten all at once, and then every log that begins from
 * there on has another epoch.
 */
final class LocalBroker {
    private static final Duration SWEEP_INTERVAL = Duration.ofSeconds(30);
    private static final int MOST_ENDS = 100_000;
    private static final int END = 72; // an entry of the table and a position; its epoch is shared
    private static final String NO_PLACE = "rooms and their members take half of limits.logBytes";
    private static final int MOST_BATCH_BYTES = 64 * 1024;

    private final ConcurrentHashMap<String, RoomChannel> rooms = new ConcurrentHashMap<>();
    private final AtomicInteger named = new AtomicInteger(); // rooms that count against the limit
    private final LogBudget budget;
    private final Memberships memberships;
    private final Scheduler scheduler;
    private final Executor executor;
    private final Random random;
    private final Function<String, Retention> retention;
    private final int mostRooms;
    private final int batchBytes;
    private final int mostBytes;
    private final ReentrantLock endsLock = new ReentrantLock();
    private final Map<String, Position> ends = new HashMap<>(); // guarded by endsLock: of forgotten logs, by key
    private long endsBytes; // guarded by endsLock: what these cost
    private final Position origin;
    private String epoch; // guarded by endsLock: of the logs that begin
    private volatile Scheduler.Cancellable sweep = () -> {};
    private volatile boolean stopped;

    /**
     * A broker without rooms.
     *
     * @param executor of flushes that no publisher goes on with, and of sweeps
     * @param retention of a room, by its name on the wire
     */
    LocalBroker(
            Scheduler scheduler,
            Executor executor,
            Random random,
            Function<String, Retention> retention,
            Limits limits) {
        this.scheduler = scheduler;
        this.executor = executor;
        this.random = random;
        this.retention = retention;
        this.budget = new LogBudget(limits.logBytes());
        this.memberships = new Memberships(limits.roomsPerUser());
        this.mostRooms = limits.rooms();
        this.mostBytes = limits.outboundBytes() / 2;
        this.batchBytes = Math.min(MOST_BATCH_BYTES, limits.outboundBytes() / 4);
        this.epoch = Ids.name(random);
        this.origin = new Position(epoch, 0);
    }

    void start() {
        sweep = scheduler.schedule(SWEEP_INTERVAL, () -> {
            if (!stopped) {
                start();
            }
            executor.execute(this::sweep); // visits all rooms: nothing for the timer's thread
        });
        if (stopped) {
            sweep.cancel();
        }
    }

    void stop() {
        stopped = true;
        sweep.cancel();
    }

    /**
     * Publishes to a room, which need not exist yet.
     *
     * @throws RealtimeException with {@code overloaded} when it does not and there are too many, or they cost too much
     */
    @Nullable
    Position publish(String key, String name, Outgoing message, Recipients to) {
        if (message.isEphemeral() && find(key) == null) {
            requireSendable(message.length());
            return null; // there is nobody to receive it
        }
        return publish(() -> room(key, name, null), message, to);
    }

    /** Publishes to a room that is found like this, once it is known that the message is taken: a refused one makes none. */
    @Nullable
    Position publish(Supplier<RoomChannel> found, Outgoing message, Recipients to) {
        requireSendable(message.length());
        while (true) {
            RoomChannel room = found.get();
            try {
                return room.publish(message, to);
            } catch (RoomChannel.GoneException raced) {
                forget(room);
            }
        }
    }

    /**
     * Links a session to a room, which need not exist yet.
     *
     * @throws RealtimeException with {@code overloaded} when the session is no member yet, and may not become one
     */
    JoinChange link(
            String key,
            String name,
            Session session,
            @Nullable MemberConnection outlet,
            @Nullable Position since,
            int history) {
        return link(() -> room(key, name, null), session, outlet, since, history);
    }

    /** Links a session to a room that is found like this. */
    JoinChange link(
            Supplier<RoomChannel> found,
            Session session,
            @Nullable MemberConnection outlet,
            @Nullable Position since,
            int history) {
        while (true) {
            RoomChannel room = found.get();
            try {
                JoinChange joined = room.link(session, outlet, since, history);
                budget.relieve(); // of what the room and its member cost
                return joined;
            } catch (RoomChannel.GoneException raced) {
                forget(room);
            }
        }
    }

    /** A change of a membership, of which the member is told behind what it was to get before. */
    interface Change {
        /** Returns whether that is still on its way; then {@code proceed} is called behind it, by another thread. */
        boolean awaitDelivery(Runnable proceed);
    }

    /** A room, a session's link to it, the one of the same connection that it replaces, and where the delivery begins. */
    record JoinChange(
            RoomChannel room, Members.MemberLink link, Members.@Nullable MemberLink before, Protocol.RoomPosition at)
            implements Change {
        @Override
        public boolean awaitDelivery(Runnable proceed) {
            return before != null && room.awaitDelivery(before, proceed);
        }

        /** Begins the delivery. */
        void start() {
            room.start(link);
        }
    }

    /** A room that a session has left, and the link that it had. */
    record LeaveChange(RoomChannel room, Members.MemberLink link) implements Change {
        @Override
        public boolean awaitDelivery(Runnable proceed) {
            return room.awaitDelivery(link, proceed);
        }
    }

    /**
     * Returns a room, made when there is none.
     *
     * @throws RealtimeException with {@code overloaded} when there are too many rooms to make another, or they cost too much
     * @param told where its log begins then; null for the {@link #end} of the log that it continues
     */
    RoomChannel room(String key, String name, @Nullable Position told) {
        RoomChannel known = rooms.get(key);
        return known != null
                ? known
                : rooms.computeIfAbsent(key, k -> {
                    Retention kept = retention.apply(name);
                    count(k, name);
                    Position end = begin(k, name);
                    return new RoomChannel(k, kept, told == null ? end : told, this, name);
                });
    }

    /**
     * Counts and charges a new room. Inboxes are as many as there are sessions, or as the budget lets messages wait for
     * users.
     */
    private void count(String key, String name) {
        if (isInbox(name)) {
            budget.chargeFixed(RoomChannel.costOf(key));
            return;
        }
        if (named.incrementAndGet() > mostRooms) {
            named.decrementAndGet();
            throw overloaded("there are " + mostRooms + " rooms, as limits.rooms allows");
        }
        if (!budget.chargePlaces(RoomChannel.costOf(key))) {
            named.decrementAndGet();
            throw overloaded(NO_PLACE);
        }
    }

    /**
     * Counts and charges a new member of a room.
     *
     * @throws RealtimeException with {@code overloaded} when its user, or all together, have too many; nothing is counted
     *     then
     */
    void enter(String name, Session session, long bytes) {
        if (isInbox(name)) {
            budget.chargeFixed(bytes);
            return;
        }
        memberships.enter(session.userId());
        if (!budget.chargePlaces(bytes)) {
            memberships.leave(session.userId());
            throw overloaded(NO_PLACE);
        }
    }

    /** Notes that a session is no member of a room any more. */
    void exit(String name, Session session) {
        if (!isInbox(name)) {
            memberships.leave(session.userId());
        }
    }

    /** Refunds what a room, or a member of it, has cost. */
    void refund(String name, long bytes) {
        if (isInbox(name)) {
            budget.chargeFixed(-bytes);
        } else {
            budget.chargePlaces(-bytes);
        }
    }

    /** Returns whether a room is an inbox, or {@code @all}: each session is in few of these. */
    private static boolean isInbox(String name) {
        return name.startsWith("@");
    }

    private static RealtimeException overloaded(String text) {
        return new RealtimeException(ErrorCode.OVERLOADED, text, true, null);
    }

    /** Returns where the log of a room would begin that there is not now. */
    Position end(String key) {
        endsLock.lock();
        try {
            Position end = ends.get(key);
            return end != null ? end : origin.epoch().equals(epoch) ? origin : new Position(epoch, 0);
        } finally {
            endsLock.unlock();
        }
    }

    /** Where the inbox of every session begins: their keys are never used again, so no other epoch is ever needed. */
    Position origin() {
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
                return; // it would begin there anyway
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

    private void chargeEnds(long bytes) {
        endsBytes += bytes;
        budget.chargeFixed(bytes);
    }

    /** Returns what a room's key costs: a string and its array. */
    static long weight(String key) {
        int unit = 1;
        for (int i = 0; i < key.length() && unit == 1; i++) {
            unit = key.charAt(i) < 256 ? 1 : 2;
        }
        return 40 + ((long) unit * key.length() + 7) / 8 * 8;
    }

    /** Returns the part of the budget that a room's log belongs to, by its name on the wire. */
    LogBudget.Group groupOf(String name) {
        return switch (name) {
            case Names.USER -> budget.inboxes();
            case Names.SESSION -> budget.sessions();
            default -> budget.rooms();
        };
    }

    LogBudget budget() {
        return budget;
    }

    /** Returns the room if anything is known of it. */
    @Nullable
    RoomChannel find(String key) {
        return rooms.get(key);
    }

    /** Hands over what handlers have published and a burst holds back. */
    void flush() {
        Steps.each(rooms.values(), RoomChannel::flush);
    }

    int size() {
        return rooms.size();
    }

    /** Returns what all rooms, members and logs cost, by the account. */
    long logBytes() {
        return budget.used();
    }

    /** Returns the same, counted anew, room by room: to check the account by while nothing happens. */
    long countLogBytes() {
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
     * Checks that every connection takes a message of this size: one that does not would be closed at it again and again,
     * each time it resumes.
     */
    void requireSendable(int bytes) {
        if (bytes > mostBytes) {
            throw new RealtimeException(
                    ErrorCode.TOO_BIG,
                    "a message of " + bytes + " bytes is more than half of limits.outboundBytes, " + 2 * mostBytes);
        }
    }

    /** Returns how long a message every connection takes. */
    int mostBytes() {
        return mostBytes;
    }

    Executor executor() {
        return executor;
    }

    /** How much leaves at once, unless one message is longer: a receiver that is half full still takes it. */
    int batchBytes() {
        return batchBytes;
    }

    long nanoTime() {
        return scheduler.nanoTime();
    }

    /** Takes a dead room from the table, once, and leaves the end of its log behind. */
    void forget(RoomChannel room) {
        rooms.computeIfPresent(room.key, (key, present) -> {
            if (present != room) {
                return present;
            }
            if (!isInbox(room.name)) {
                named.decrementAndGet();
            }
            if (!room.name.equals(Names.SESSION)) { // its key is never used again
                remember(key, room.end());
            }
            return null;
        });
    }

    private void sweep() {
        Steps.each(rooms.values(), RoomChannel::sweep);
        budget.relieve();
    }
}
