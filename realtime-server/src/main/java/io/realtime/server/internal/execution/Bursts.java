package io.realtime.server.internal.execution;

import com.google.errorprone.annotations.concurrent.GuardedBy;
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
 * The bursts of mailboxes. What handlers publish and answer while more messages wait in their mailbox is merged into
 * one write. A message is in the log, or in the connection's queue, at once. Only the flush waits: until the mailbox
 * has drained, or 1 ms if a handler takes longer. The last message of a burst, and one that comes alone, does not wait.
 */
public final class Bursts {
    private static final Logger LOG = LoggerFactory.getLogger(Bursts.class);
    private static final Duration LATEST = Duration.ofMillis(1);
    private static final int MOST = 64;
    private static final ThreadLocal<@Nullable Burst> CURRENT = new ThreadLocal<>();

    private final Executor executor;
    // Bounded by the runs of mailboxes in 1 ms.
    private final Queue<Burst> open = new ConcurrentLinkedQueue<>();
    private final Delayed watch;

    /**
     * @param executor runs flushes that are late; its threads must not be those that handlers block
     */
    public Bursts(Scheduler scheduler, Executor executor) {
        this.executor = executor;
        this.watch = new Delayed(scheduler, LATEST, this::flushLate);
    }

    /**
     * Returns whether a burst of this thread is in progress. A mailbox that runs inside it needs a burst of its own.
     */
    static boolean isUnderWay() {
        return CURRENT.get() != null;
    }

    /** Begins a burst of this thread. */
    Burst begin() {
        return new Burst();
    }

    /** A room or a connection with something to flush. Any thread may flush it, also if nothing is left to flush. */
    public interface Flushed {
        void flush();
    }

    /** Returns whether the burst of this thread takes over flushes. If true, {@link #defer} returns true. */
    public static boolean isHolding() {
        Burst burst = CURRENT.get();
        return burst != null && burst.hasMore;
    }

    /**
     * Leaves a flush to the burst of this thread. Returns false if there is none that takes it; then the caller must
     * flush.
     */
    public static boolean defer(Flushed owing) {
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

    /** The rooms and connections that one run of a mailbox has published to or answered, and not flushed. */
    final class Burst {
        // Not null if an executor runs one mailbox inside another.
        private final @Nullable Burst outer = CURRENT.get();
        // A leaf: no other lock is taken under it.
        private final ReentrantLock lock = new ReentrantLock();

        @GuardedBy("lock")
        private Set<Flushed> owing = Set.of();
        // True while another message waits after the current one. Used by the burst's thread alone.
        private boolean hasMore;

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
                } catch (Throwable broken) {
                    // A failure of a transport, or no memory. The others must be flushed nevertheless.
                    Steps.log(LOG, "what a handler sent could not be flushed", broken);
                }
            }
        }

        /** Ends the burst, on its own thread, and flushes what was deferred. */
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
