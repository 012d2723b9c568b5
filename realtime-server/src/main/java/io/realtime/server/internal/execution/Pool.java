package io.realtime.server.internal.execution;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.RetryingExecutor;
import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads for one purpose of the server. A bounded pool is shared fairly by owners, which are users or addresses.
 * An owner may hold at most as many threads as are free, so it never takes the last one. The owners that wait take
 * turns. A task that the executor rejects is started later.
 *
 * <p>Safe for use by many threads. The queue holds what is submitted and has not begun. The caller bounds it, usually
 * to one task for each session or connection.
 */
public final class Pool {
    /** The limit of an executor that needs none: it has a thread for each task, or it is the application's. */
    public static final int UNBOUNDED = Integer.MAX_VALUE;

    private static final Logger LOG = LoggerFactory.getLogger(Pool.class);

    private final String name;
    private final int threads;
    private final RetryingExecutor starter;

    private final LongAdder submitted = new LongAdder();
    private final LongAdder begun = new LongAdder();
    private final LongAdder ended = new LongAdder();

    // This lock and the fields that it guards are used by a bounded pool only. It is a leaf: no other lock is taken
    // under it.
    private final ReentrantLock lock = new ReentrantLock();
    // The owners with a task that runs or waits.
    @GuardedBy("lock")
    private final Map<Object, Lane> lanes = new HashMap<>();
    // The owners with a task that waits, next first. None of them may begin a task while the lock is free, so no newer
    // task overtakes an older one of its owner. Only a thread that is given back changes that.
    @GuardedBy("lock")
    private final Set<Lane> queue = new LinkedHashSet<>();

    @GuardedBy("lock")
    private int busy;

    // Used by watch, on the timer thread.
    private long mark;
    private long markedAt;
    // The time that some task has waited, at least.
    private volatile long waitedNanos;

    /**
     * Creates a pool.
     *
     * @param name what runs here, for the log
     * @param threads how many tasks run at a time, or {@link #UNBOUNDED}
     */
    public Pool(String name, int threads, Executor executor, Scheduler scheduler) {
        this.name = name;
        this.threads = threads;
        this.starter = new RetryingExecutor(name, executor, scheduler);
        this.markedAt = scheduler.nanoTime();
    }

    /**
     * Runs a task of this owner when its turn comes. Never throws. A bounded pool never runs it on the calling thread.
     */
    public Ticket execute(Object owner, Runnable action) {
        Task task = new Task(action);
        submitted.increment();
        if (threads == UNBOUNDED) {
            starter.execute(task);
            return task;
        }
        lock.lock();
        try {
            Lane lane = lanes.computeIfAbsent(owner, Lane::new);
            task.lane = lane;
            if (!mayBegin(lane)) {
                lane.add(task);
                queue.add(lane);
                return task;
            }
            begin(lane);
        } finally {
            lock.unlock();
        }
        starter.execute(task);
        return task;
    }

    /**
     * Runs a task of this owner at once. Returns false, without taking the task, if no thread is free for the owner.
     */
    public boolean tryExecute(Object owner, Runnable action) {
        if (threads == UNBOUNDED) {
            execute(owner, action);
            return true;
        }
        Task task = new Task(action);
        lock.lock();
        try {
            Lane lane = lanes.computeIfAbsent(owner, Lane::new);
            if (!mayBegin(lane)) {
                release(lane);
                return false;
            }
            task.lane = lane;
            begin(lane);
        } finally {
            lock.unlock();
        }
        submitted.increment();
        starter.execute(task);
        return true;
    }

    /** A submitted task that can be withdrawn. */
    @FunctionalInterface
    public interface Ticket {
        /** Withdraws the task if it waits for its turn. Does nothing if it has begun. */
        void cancel();
    }

    /**
     * Returns whether an owner may begin a task. An owner without a thread may take the last one; any other may hold
     * only as many as are free.
     */
    @GuardedBy("lock")
    private boolean mayBegin(Lane lane) {
        int free = threads - busy;
        return free > 0 && (lane.running == 0 || lane.running < free);
    }

    @GuardedBy("lock")
    private void begin(Lane lane) {
        lane.running++;
        busy++;
    }

    /** Removes an owner that has no task. */
    @GuardedBy("lock")
    private void release(Lane lane) {
        if (lane.running == 0 && lane.waiting.isEmpty()) {
            lanes.remove(lane.owner);
        }
    }

    /**
     * Gives back the thread of a task that has ended, and begins all tasks that may begin now. Besides the next owner's
     * task this may be one of the same owner, which now holds one thread less.
     *
     * @return the first of these tasks, to run on the thread that was given back; null if there is none
     */
    private @Nullable Task next(Lane done) {
        Task next;
        List<Task> others = List.of();
        lock.lock();
        try {
            done.running--;
            busy--;
            release(done);
            next = poll();
            for (Task other = next == null ? null : poll(); other != null; other = poll()) {
                others = others.isEmpty() ? new ArrayList<>(1) : others;
                others.add(other);
            }
        } finally {
            lock.unlock();
        }
        others.forEach(starter::execute);
        return next;
    }

    /** Begins the next task that may begin. Returns null if there is none. */
    @GuardedBy("lock")
    private @Nullable Task poll() {
        Lane lane = firstThatMayBegin();
        if (lane == null) {
            return null;
        }
        Task next = lane.waiting.iterator().next();
        lane.waiting.remove(next);
        queue.remove(lane);
        if (!lane.waiting.isEmpty()) {
            // At the end, after the other owners.
            queue.add(lane);
        }
        begin(lane);
        return next;
    }

    /**
     * Returns the first owner that may begin a task, or null. Skips only owners that hold threads; there are few of
     * them.
     */
    @GuardedBy("lock")
    private @Nullable Lane firstThatMayBegin() {
        if (queue.isEmpty() || busy == threads) {
            return null;
        }
        for (Lane lane : queue) {
            if (mayBegin(lane)) {
                return lane;
            }
        }
        return null;
    }

    // ---------------------------------------------------------------- statistics

    /** Returns how many tasks run now. */
    public int busy() {
        return (int) Math.max(0, begun.sum() - ended.sum());
    }

    /** Returns how many tasks wait for a thread now. */
    public int waiting() {
        return (int) Math.max(0, submitted.sum() - begun.sum());
    }

    /** Returns how many tasks the executor has rejected at first, since the start. */
    long refused() {
        return starter.refused();
    }

    /** Returns how long some task has waited for a thread, at least; exact to the interval of {@link #watch}. */
    long waitedNanos() {
        return waitedNanos;
    }

    /**
     * Measures how long tasks wait; call it at intervals. If as many tasks have begun as were submitted at the last
     * mark, none of those has waited longer than since then.
     */
    void watch(long now) {
        if (begun.sum() >= mark) {
            mark = submitted.sum();
            markedAt = now;
            waitedNanos = 0;
        } else {
            waitedNanos = now - markedAt;
        }
    }

    /** Returns a text for people that says what tasks wait for. */
    String describe() {
        return name + ": " + waiting() + " wait for a thread, " + busy()
                + (threads == UNBOUNDED ? "" : " of " + threads) + " busy"
                + (starter.waiting() > 0 ? ", " + starter.waiting() + " refused by the executor" : "");
    }

    /** Makes another executor run the tasks that the pool's executor has rejected, or rejects from now on. */
    void stop(Executor instead) {
        starter.stop(instead);
    }

    /** The tasks of one owner. */
    private static final class Lane {
        private final Object owner;
        // In order. A set, so that a task is withdrawn in constant time, however many wait.
        private Set<Task> waiting = Set.of();
        private int running;

        Lane(Object owner) {
            this.owner = owner;
        }

        void add(Task task) {
            if (waiting.isEmpty()) {
                waiting = new LinkedHashSet<>();
            }
            waiting.add(task);
        }
    }

    private final class Task implements Runnable, Ticket {
        private final Runnable action;
        // Set before the task is started; null in an unbounded pool.
        private @Nullable Lane lane;

        Task(Runnable action) {
            this.action = action;
        }

        @Override
        public void run() {
            for (Task now = this; now != null; now = now.lane == null ? null : next(now.lane)) {
                now.runOnce();
            }
        }

        private void runOnce() {
            begun.increment();
            try {
                action.run();
            } catch (Throwable failure) {
                // The thread may be the application's, or run another task next.
                Steps.log(LOG, name + ": a task failed", failure);
            } finally {
                // An interrupt that the application set must not reach the next task.
                Thread.interrupted();
                ended.increment();
            }
        }

        @Override
        public void cancel() {
            Lane mine = lane;
            if (mine == null) {
                return;
            }
            lock.lock();
            try {
                if (!mine.waiting.isEmpty() && mine.waiting.remove(this)) {
                    // The shared empty set does not support removal, so isEmpty is asked first. Both counters are
                    // increased, so that the task no longer counts as one that waits.
                    begun.increment();
                    ended.increment();
                    if (mine.waiting.isEmpty()) {
                        queue.remove(mine);
                    }
                    release(mine);
                }
            } finally {
                lock.unlock();
            }
        }
    }
}
