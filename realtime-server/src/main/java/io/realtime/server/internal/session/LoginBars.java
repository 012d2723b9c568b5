package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
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
 * The admissions that have begun, which a disconnect can bar. An admission lasts from the moment when a connection
 * presents its token until it has a session. If its user, client or session is disconnected meanwhile, the admission is
 * refused when it would put a new session into the tables. Both are decided under one lock. So a disconnect either
 * finds the session in the tables, or has barred its admission. (A session that is resumed is in the tables already,
 * and its own lock orders its end.)
 *
 * <p>A bar is removed with the last admission that began before it, so without admissions there are no bars. Beyond
 * 10,000 bars all of them are removed, and every admission that has begun is refused with a code that lets the client
 * try again.
 *
 * <p>Safe for use by many threads. A session's lock may be taken while this one is held, never the other way round.
 */
public final class LoginBars {
    private static final int MOST_BARRED = 10_000;
    private static final CloseReason GONE = new CloseReason(CloseReason.GOING_AWAY, "the connection is closing");
    private static final CloseReason TRY_AGAIN =
            new CloseReason(CloseReason.OVERLOADED, "too much changed while the connection was opened; try again");

    private final ReentrantLock lock = new ReentrantLock();
    // The oldest first.
    @GuardedBy("lock")
    private final Set<Ticket> underWay = new LinkedHashSet<>();
    // The oldest bar first.
    @GuardedBy("lock")
    private final Map<Key, Bar> barred = new LinkedHashMap<>();
    // The number of the newest bar.
    @GuardedBy("lock")
    private long bars;
    // Every admission that began before this bar is refused.
    @GuardedBy("lock")
    private long allBarred;

    @GuardedBy("lock")
    private @Nullable CloseReason closed;

    /** One admission. */
    public static final class Ticket {
        private final long began;

        private Ticket(long began) {
            this.began = began;
        }
    }

    /** What a disconnect names: a user, one client of a user, or a session. */
    public record Key(
            @Nullable String user,
            @Nullable String client,
            @Nullable String session) {
        public static Key user(String id) {
            return new Key(id, null, null);
        }

        public static Key client(String user, String id) {
            return new Key(user, id, null);
        }

        public static Key session(String id) {
            return new Key(null, null, id);
        }
    }

    private record Bar(long number, CloseReason reason) {}

    /** Begins an admission. {@link #end} ends it. */
    public Ticket begin() {
        lock.lock();
        try {
            Ticket ticket = new Ticket(bars);
            underWay.add(ticket);
            return ticket;
        } finally {
            lock.unlock();
        }
    }

    /** Ends an admission: it has its session, or its connection is gone. Does nothing the second time. */
    public void end(Ticket ticket) {
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
            // So that the key is inserted at the end.
            barred.remove(key);
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
    public void close(CloseReason reason) {
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
     * @param ticket null means an admission that has ended
     * @param put runs while the lock is held
     * @return why the session was refused; null when it was put into the tables
     */
    @Nullable
    public CloseReason admit(@Nullable Ticket ticket, List<Key> names, Runnable put) {
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
