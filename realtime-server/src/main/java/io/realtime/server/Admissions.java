package io.realtime.server;

import io.realtime.CloseReason;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Keeps what was disconnected from coming back. An admission is under way from the moment that a connection shows its token
 * until it has a session. One that began before its user, client or session was disconnected is refused when it wants to
 * put a new session into the tables. Both decisions are made under one lock, so a disconnect either finds the session in
 * the tables, or has barred it. (A session that is resumed is in the tables, and ends by its own lock.)
 *
 * <p>What is barred is forgotten with the last admission that began before: without one under way nothing is kept. Beyond
 * 10,000 entries all of them are forgotten, and every admission under way is refused as one that may be tried again.
 *
 * <p>Safe for use by many threads. A session's lock may be taken under this one, never the other way.
 */
final class Admissions {
    private static final int MOST_BARRED = 10_000;
    private static final CloseReason GONE = new CloseReason(CloseReason.GOING_AWAY, "the connection is closing");
    private static final CloseReason TRY_AGAIN =
            new CloseReason(CloseReason.OVERLOADED, "too much changed while the connection was opened; try again");

    private final ReentrantLock lock = new ReentrantLock();
    private final Set<Ticket> underWay = new LinkedHashSet<>(); // guarded by lock; the oldest first
    private final Map<Key, Bar> barred = new LinkedHashMap<>(); // guarded by lock; the oldest bar first
    private long bars; // guarded by lock: the number of the newest bar
    private long allBarred; // guarded by lock: every admission that began before this bar is refused
    private @Nullable CloseReason closed; // guarded by lock

    /** One admission. */
    static final class Ticket {
        private final long began;

        private Ticket(long began) {
            this.began = began;
        }
    }

    /** What is disconnected: a user, one client of a user, or a session. */
    record Key(
            @Nullable String user,
            @Nullable String client,
            @Nullable String session) {
        static Key user(String id) {
            return new Key(id, null, null);
        }

        static Key client(String user, String id) {
            return new Key(user, id, null);
        }

        static Key session(String id) {
            return new Key(null, null, id);
        }
    }

    private record Bar(long number, CloseReason reason) {}

    /** Notes an admission that begins; to be {@linkplain #end ended}. */
    Ticket begin() {
        lock.lock();
        try {
            Ticket ticket = new Ticket(bars);
            underWay.add(ticket);
            return ticket;
        } finally {
            lock.unlock();
        }
    }

    /** Notes that an admission is over: it has its session, or its connection is gone. Does nothing the second time. */
    void end(Ticket ticket) {
        lock.lock();
        try {
            if (!underWay.remove(ticket)) {
                return;
            }
            long oldest = underWay.isEmpty() ? bars : underWay.iterator().next().began;
            Iterator<Bar> first = barred.values().iterator();
            while (first.hasNext() && first.next().number <= oldest) {
                first.remove();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Refuses the admissions of a user, client or session that have begun. */
    void bar(Key key, CloseReason reason) {
        lock.lock();
        try {
            if (underWay.isEmpty()) {
                return;
            }
            bars++;
            barred.remove(key); // goes to the end
            barred.put(key, new Bar(bars, reason));
            if (barred.size() > MOST_BARRED) {
                allBarred = bars;
                barred.clear();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Refuses all admissions from now on. */
    void close(CloseReason reason) {
        lock.lock();
        try {
            closed = reason;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Puts a new session into the tables, unless one of its names is barred.
     *
     * @param ticket null stands for an admission that is over
     * @param put runs under the lock
     * @return why not; null when it was put
     */
    @Nullable
    CloseReason admit(@Nullable Ticket ticket, List<Key> names, Runnable put) {
        lock.lock();
        try {
            if (closed != null) {
                return closed;
            }
            if (ticket == null || !underWay.contains(ticket)) {
                return GONE;
            }
            if (ticket.began < allBarred) {
                return TRY_AGAIN;
            }
            for (Key name : names) {
                Bar bar = barred.get(name);
                if (bar != null && bar.number > ticket.began) {
                    return bar.reason;
                }
            }
            put.run();
            return null;
        } finally {
            lock.unlock();
        }
    }

    /** Returns how many names are barred. */
    int barred() {
        lock.lock();
        try {
            return barred.size();
        } finally {
            lock.unlock();
        }
    }
}
