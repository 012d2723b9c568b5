package io.realtime.server;

import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Merges into one write what handlers publish and answer while their mailbox has more messages waiting. It is in the log,
 * or in the connection's queue, at once; only the flush waits, until the mailbox has drained, or for 1 ms when a handler
 * takes longer. The last message of a burst, and one that comes alone, waits for nothing.
 */
final class Bursts {
    private static final Logger LOG = LoggerFactory.getLogger(Bursts.class);
    private static final Duration LATEST = Duration.ofMillis(1);
    private static final int MOST = 64;
    private static final ThreadLocal<@Nullable Burst> CURRENT = new ThreadLocal<>();

    private final Executor executor;
    private final Queue<Burst> open = new ConcurrentLinkedQueue<>(); // bounded by the runs of mailboxes in 1 ms
    private final Delayed watch;

    /** @param executor of flushes that are late; its threads must not be those that handlers block */
    Bursts(Scheduler scheduler, Executor executor) {
        this.executor = executor;
        this.watch = new Delayed(scheduler, LATEST, this::flushLate);
    }

    /** Returns whether this thread is in a burst: then what it runs inside needs one of its own. */
    static boolean isUnderWay() {
        return CURRENT.get() != null;
    }

    /** Begins a burst of this thread. */
    Burst begin() {
        return new Burst();
    }

    /** What has something to flush: a room, or a connection. Flushed by any thread, when there is nothing left, too. */
    interface Flushed {
        void flush();
    }

    /** Returns whether the burst of this thread takes a flush over: then {@link #defer} returns true. */
    static boolean isHolding() {
        Burst burst = CURRENT.get();
        return burst != null && burst.hasMore;
    }

    /** Leaves a flush to the burst of this thread; false when there is none, and the caller has to flush. */
    static boolean defer(Flushed owing) {
        Burst burst = CURRENT.get();
        if (burst == null || !burst.hasMore) {
            return false;
        }
        burst.add(owing);
        return true;
    }

    private void flushLate() {
        for (Burst late = open.poll(); late != null; late = open.poll()) {
            if (late.isOwing()) {
                executor.execute(late::flush);
            }
        }
    }

    /** What one run of a mailbox has published to or answered, and not flushed. */
    final class Burst {
        private final @Nullable Burst outer = CURRENT.get(); // where an executor runs one mailbox inside another
        private final ReentrantLock lock = new ReentrantLock(); // a leaf
        private Set<Flushed> owing = Set.of(); // guarded by lock
        private boolean hasMore; // its thread's: another message waits behind the one that is handled

        private Burst() {
            CURRENT.set(this);
        }

        void hasMore(boolean more) {
            hasMore = more;
        }

        private void add(Flushed one) {
            boolean isFirst;
            boolean isFull;
            lock.lock();
            try {
                isFirst = owing.isEmpty();
                if (isFirst) {
                    owing = new LinkedHashSet<>();
                }
                owing.add(one);
                isFull = owing.size() >= MOST;
            } finally {
                lock.unlock();
            }
            if (isFull) {
                flush();
            } else if (isFirst) {
                open.add(this);
                watch.request();
            }
        }

        private boolean isOwing() {
            lock.lock();
            try {
                return !owing.isEmpty();
            } finally {
                lock.unlock();
            }
        }

        private void flush() {
            Set<Flushed> owed;
            lock.lock();
            try {
                owed = owing;
                owing = Set.of();
            } finally {
                lock.unlock();
            }
            for (Flushed one : owed) {
                try {
                    one.flush();
                } catch (Throwable broken) { // a transport's fault, or no memory: the others are not concerned
                    Steps.log(LOG, "what a handler sent could not be flushed", broken);
                }
            }
        }

        /** Ends it, on its thread: whatever was published is handed over. */
        void end() {
            if (outer == null) {
                CURRENT.remove();
            } else {
                CURRENT.set(outer);
            }
            flush();
        }
    }
}
