package io.realtime.server.internal.room;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The account of what all rooms, their members and their logs cost, in bytes of heap. Every log charges it for what it
 * holds, and every room for itself and its members. When the limit is exceeded, logs evict their oldest messages.
 *
 * <p>The application's rooms and their members may take half of the limit, and the states of members an eighth. Beyond
 * that they are refused, since they cannot be evicted. So at least three eighths are for logs.
 *
 * <p>The logs of rooms are entitled to half of what there is for logs, users' inboxes and sessions' inboxes to a
 * quarter each. A group may borrow what the others leave. When the limit is exceeded, the group that is furthest above
 * its part evicts. Within the group a log evicts that holds more than an equal share of the group's part. It is one of
 * the largest; among logs of the same size, the one that has had that size for longest. It loses at most its older
 * half. So a flood is paid for by the logs that it fills. A log that holds no more than its share loses nothing,
 * however many messages others send.
 *
 * <p>Logs are in lists by the power of two of their size, so a victim is found without a search. A log moves up as it
 * grows, and down only when it is visited. Safe for use by many threads.
 */
final class LogBudget {
    /** How many logs one call of {@link #relieve} visits at most. This bounds what a publisher spends on it. */
    private static final int MOST_VISITS = 64;

    private static final int CLASSES = 64;

    private final long limit;
    // The cost of the application's rooms and their members.
    private final AtomicLong places = new AtomicLong();
    // The cost of what members say of themselves.
    private final AtomicLong states = new AtomicLong();
    // The cost of inboxes, their members and remembered ends.
    private final AtomicLong fixed = new AtomicLong();
    // Guards the lists. A leaf: no other lock is taken under it.
    private final ReentrantLock lock = new ReentrantLock();
    private final Group rooms = new Group(2);
    private final Group inboxes = new Group(1);
    private final Group sessions = new Group(1);
    private final Group[] groups = {rooms, inboxes, sessions};

    LogBudget(long limit) {
        this.limit = limit;
    }

    Group rooms() {
        return rooms;
    }

    Group inboxes() {
        return inboxes;
    }

    Group sessions() {
        return sessions;
    }

    long limit() {
        return limit;
    }

    /** Returns the current cost of everything. */
    long used() {
        return places.get()
                + states.get()
                + fixed.get()
                + rooms.bytes.get()
                + inboxes.bytes.get()
                + sessions.bytes.get();
    }

    /** Returns which share of half of the limit the application's rooms and their members take. */
    double placesShare() {
        return places.get() / Math.max(1, limit / 2.0);
    }

    /**
     * Charges for a room of the application or a member of it; a negative number refunds.
     *
     * @return false if these would take more than half of the limit; then nothing is charged
     */
    boolean chargePlaces(long bytes) {
        if (places.addAndGet(bytes) > limit / 2 && bytes > 0) {
            places.addAndGet(-bytes);
            return false;
        }
        return true;
    }

    /**
     * Charges for a state of a member; a negative number refunds.
     *
     * @return false if all states would take more than an eighth of the limit; then nothing is charged
     */
    boolean chargeStates(long bytes) {
        if (states.addAndGet(bytes) > limit / 8 && bytes > 0) {
            states.addAndGet(-bytes);
            return false;
        }
        return true;
    }

    /** Charges for anything else that is not a log; a negative number refunds. */
    void chargeFixed(long bytes) {
        fixed.addAndGet(bytes);
    }

    /**
     * Makes logs evict messages until the limit is kept, but visits at most {@link #MOST_VISITS} logs: the next call
     * does the rest. Takes rooms' locks, one at a time.
     */
    void relieve() {
        for (int visit = 0; visit < MOST_VISITS && used() > limit; visit++) {
            long forLogs = Math.max(limit / 2, limit - places.get() - states.get() - fixed.get());
            Group payer = rooms;
            for (Group group : groups) {
                if (group.surplus(forLogs) > payer.surplus(forLogs)) {
                    payer = group;
                }
            }
            RoomLog victim = payer.surplus(forLogs) > 0 ? payer.poll() : null;
            if (victim == null) {
                // The excess is inboxes and their members, which are not evicted.
                return;
            }
            victim.owner().evict(payer.part(forLogs) / Math.max(1, payer.logs.get()));
        }
    }

    /** The owner of a log. */
    interface Owner {
        /** Makes the log {@linkplain RoomLog#giveUp give up} messages, under the lock that guards the log. */
        void evict(long share);
    }

    /** Logs that share a part of the budget. */
    final class Group {
        private final int quarters;
        private final AtomicLong bytes = new AtomicLong();
        // The number of logs that hold something.
        private final AtomicInteger logs = new AtomicInteger();

        @GuardedBy("lock")
        private final @Nullable RoomLog[] first = new RoomLog[CLASSES];

        @GuardedBy("lock")
        private final @Nullable RoomLog[] last = new RoomLog[CLASSES];

        private Group(int quarters) {
            this.quarters = quarters;
        }

        private long part(long forLogs) {
            return forLogs / 4 * quarters;
        }

        private long surplus(long forLogs) {
            return bytes.get() - part(forLogs);
        }

        /** Records the old and the new size of a log. Called under the lock that guards the log. */
        void resized(RoomLog log, long before, long now) {
            bytes.addAndGet(now - before);
            if (before == 0) {
                logs.incrementAndGet();
            } else if (now == 0) {
                logs.decrementAndGet();
            }
            if (sizeClass(now) > log.listed) {
                list(log, now);
            }
        }

        /** Puts a log at the end of the list for its size. */
        void list(RoomLog log, long size) {
            lock.lock();
            try {
                unlink(log);
                int at = sizeClass(size);
                RoomLog before = last[at];
                log.listed = at;
                log.older = before;
                if (before == null) {
                    first[at] = log;
                } else {
                    before.newer = log;
                }
                last[at] = log;
            } finally {
                lock.unlock();
            }
        }

        /** Removes a log from its list. */
        void unlist(RoomLog log) {
            lock.lock();
            try {
                unlink(log);
            } finally {
                lock.unlock();
            }
        }

        @GuardedBy("lock")
        private void unlink(RoomLog log) {
            int at = log.listed;
            if (at < 0) {
                return;
            }
            RoomLog older = log.older;
            RoomLog newer = log.newer;
            if (older == null) {
                first[at] = newer;
            } else {
                older.newer = newer;
            }
            if (newer == null) {
                last[at] = older;
            } else {
                newer.older = older;
            }
            log.older = null;
            log.newer = null;
            log.listed = -1;
        }

        private @Nullable RoomLog poll() {
            lock.lock();
            try {
                for (int at = CLASSES - 1; at >= 0; at--) {
                    RoomLog log = first[at];
                    if (log != null) {
                        unlink(log);
                        return log;
                    }
                }
                return null;
            } finally {
                lock.unlock();
            }
        }
    }

    private static int sizeClass(long bytes) {
        return bytes == 0 ? -1 : 63 - Long.numberOfLeadingZeros(bytes);
    }
}
