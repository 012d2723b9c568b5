package io.realtime.server;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Ids;
import io.realtime.internal.wire.Frames;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The rooms of one node, in memory: looks them up, makes them on first use, forgets those that nobody needs, and keeps
 * all logs together under one byte budget. Rooms share no lock; the budget is one counter.
 *
 * <p>A log that is forgotten leaves its end behind, and is continued from there when the room is used again: whoever had
 * read it to its end has missed nothing. Too many ends are forgotten all at once, and then every log that begins from
 * there on has another epoch.
 */
final class LocalBroker {
    private static final Duration SWEEP_INTERVAL = Duration.ofSeconds(30);
    private static final int MOST_ENDS = 100_000;
    private static final int MOST_BATCH_BYTES = 64 * 1024;

    private final ConcurrentHashMap<String, RoomState> rooms = new ConcurrentHashMap<>();
    private final AtomicLong logBytes = new AtomicLong();
    private final AtomicBoolean evicting = new AtomicBoolean();
    private final Scheduler scheduler;
    private final Executor executor;
    private final Random random;
    private final Function<String, Retention> retention;
    private final long budget;
    private final int batchBytes;
    private final int mostBytes;
    private final Duration idle;
    private final ReentrantLock endsLock = new ReentrantLock();
    private final Map<String, Position> ends = new HashMap<>(); // guarded by endsLock: of forgotten logs, by key
    private final Position origin;
    private String epoch; // guarded by endsLock: of the logs that begin
    private volatile Scheduler.Cancellable sweep = () -> {};
    private volatile boolean stopped;

    /**
     * A broker without rooms.
     *
     * @param executor of flushes that waited for a transport, and of sweeps
     * @param retention of a room, by its name on the wire
     * @param idle after how long an empty room without members is forgotten
     */
    LocalBroker(
            Scheduler scheduler,
            Executor executor,
            Random random,
            Function<String, Retention> retention,
            Limits limits,
            Duration idle) {
        this.scheduler = scheduler;
        this.executor = executor;
        this.random = random;
        this.retention = retention;
        this.budget = limits.logBytes();
        this.mostBytes = limits.outboundBytes() / 2;
        this.batchBytes = Math.min(MOST_BATCH_BYTES, limits.outboundBytes() / 4);
        this.idle = idle;
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

    /** Publishes to a room, which need not exist yet. */
    @Nullable
    Position publish(String key, String name, Outgoing message, Audience audience) {
        return publish(() -> room(key, name, null), message, audience);
    }

    /** Publishes to a room that is found like this. */
    @Nullable
    Position publish(Supplier<RoomState> found, Outgoing message, Audience audience) {
        while (true) {
            RoomState room = found.get();
            try {
                return room.publish(message, audience);
            } catch (RoomState.GoneException raced) {
                forget(room);
            }
        }
    }

    /** Links a session to a room, which need not exist yet. */
    Joined link(
            String key, String name, Session session, @Nullable Outlet outlet, @Nullable Position since, int history) {
        return link(() -> room(key, name, null), session, outlet, since, history);
    }

    /** Links a session to a room that is found like this. */
    Joined link(
            Supplier<RoomState> found,
            Session session,
            @Nullable Outlet outlet,
            @Nullable Position since,
            int history) {
        while (true) {
            RoomState room = found.get();
            try {
                return room.link(session, outlet, since, history);
            } catch (RoomState.GoneException raced) {
                forget(room);
            }
        }
    }

    /** A room, a session's link to it, and where the delivery begins. */
    record Joined(RoomState room, RoomState.Link link, Frames.RoomState at) {
        /** Begins the delivery. */
        void start() {
            room.start(link);
        }
    }

    /**
     * Returns a room, made when there is none.
     *
     * @param told where its log begins then; null for the {@link #end} of the log that it continues
     */
    RoomState room(String key, String name, @Nullable Position told) {
        RoomState known = rooms.get(key);
        return known != null
                ? known
                : rooms.computeIfAbsent(key, k -> {
                    Position end = begin(k, name);
                    return new RoomState(k, retention.apply(name), told == null ? end : told, this, name);
                });
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
            return end == null ? new Position(epoch, 0) : end;
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
            if (ends.size() >= MOST_ENDS) {
                ends.clear();
                epoch = Ids.name(random);
            }
            ends.put(key, end);
        } finally {
            endsLock.unlock();
        }
    }

    /** Returns the room if anything is known of it. */
    @Nullable
    RoomState find(String key) {
        return rooms.get(key);
    }

    /** Forgets a room that will never be used again: the inbox of a session that is over. */
    void discard(RoomState room) {
        rooms.remove(room.key, room);
        logBytes.addAndGet(-room.kill());
    }

    /** Hands over what handlers have published and a burst holds back. */
    void flush() {
        rooms.values().forEach(RoomState::flush);
    }

    int size() {
        return rooms.size();
    }

    long logBytes() {
        return logBytes.get();
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

    void execute(Runnable task) {
        executor.execute(task);
    }

    /** How much leaves at once, unless one message is longer: a receiver that is half full still takes it. */
    int batchBytes() {
        return batchBytes;
    }

    long nanoTime() {
        return scheduler.nanoTime();
    }

    /** Notes that a log grew, or shrank; over the budget the coldest logs are forgotten, down to nine tenths of it. */
    void logGrew(long bytes) {
        if (bytes == 0 || logBytes.addAndGet(bytes) <= budget || !evicting.compareAndSet(false, true)) {
            return;
        }
        try {
            List<RoomState> coldestFirst = new ArrayList<>(rooms.values());
            coldestFirst.sort(Comparator.comparingLong(RoomState::lastUsed)); // a snapshot is good enough
            for (RoomState room : coldestFirst) {
                if (logBytes.get() <= budget - budget / 10) {
                    return;
                }
                logBytes.addAndGet(-room.evict());
            }
        } finally {
            evicting.set(false);
        }
    }

    /** Takes a dead room from the table, once, and leaves the end of its log behind. */
    void forget(RoomState room) {
        rooms.computeIfPresent(room.key, (key, present) -> {
            if (present != room) {
                return present;
            }
            remember(key, room.end());
            return null;
        });
    }

    private void sweep() {
        for (RoomState room : rooms.values()) {
            logBytes.addAndGet(-room.sweep(idle.toNanos()));
            if (room.isDead()) {
                forget(room);
            }
        }
    }
}
