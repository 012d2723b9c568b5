package io.realtime.server;

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
 * The threads for one purpose of the server. A bounded pool is shared fairly by owners, which are users or addresses: an
 * owner may hold as many threads as are free, and so never the last one. The owners that wait take turns. A task that
 * the executor refuses is started later.
 *
 * <p>Safe for use by many threads. The queue holds what is submitted and has not begun; its bound is the caller's, mostly
 * one task for each session or connection.
 */
final class Pool {
    /** A limit for an executor that needs none: it has a thread for each task, or is the application's. */
    static final int UNBOUNDED = Integer.MAX_VALUE;

    private static final Logger LOG = LoggerFactory.getLogger(Pool.class);

    private final String name;
    private final int threads;
    private final RetryingExecutor starter;

    private final LongAdder submitted = new LongAdder();
    private final LongAdder begun = new LongAdder();
    private final LongAdder ended = new LongAdder();

    // Of a bounded pool only.
    private final ReentrantLock lock = new ReentrantLock(); // a leaf
    private final Map<Object, Lane> lanes = new HashMap<>(); // guarded by lock: owners with a task that runs or waits
    // Guarded by lock: owners with a task that waits, next first. None of them may begin a task while the lock is
    // free, so no newer task overtakes an older one of its owner. Only a thread that is given back changes that.
    private final Set<Lane> queue = new LinkedHashSet<>();
    private int busy; // guarded by lock

    // Of the watch, on the timer thread.
    private long mark;
    private long markedAt;
    private volatile long waitedNanos; // how long some task has waited at least

    /**
     * @param name what runs here, for the log
     * @param threads how many tasks run at a time, or {@link #UNBOUNDED}
     */
    Pool(String name, int threads, Executor executor, Scheduler scheduler) {
        this.name = name;
        this.threads = threads;
        this.starter = new RetryingExecutor(name, executor, scheduler);
        this.markedAt = scheduler.nanoTime();
    }

    /** Runs a task of this owner when its turn comes. Never throws, and never runs it on a bounded pool's caller. */
    Ticket execute(Object owner, Runnable action) {
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

    /** Runs a task of this owner at once; returns false, without taking it, when no thread is free for the owner. */
    boolean tryExecute(Object owner, Runnable action) {
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

    /** A submitted task, and the way to withdraw it. */
    @FunctionalInterface
    interface Ticket {
        /** Withdraws the task if it waits for its turn; does nothing when it has begun. */
        void cancel();
    }

    /** Under the lock: an owner without a thread may have the last one, another only as many as are free. */
    private boolean mayBegin(Lane lane) {
        int free = threads - busy;
        return free > 0 && (lane.running == 0 || lane.running < free);
    }

    private void begin(Lane lane) {
        lane.running++;
        busy++;
    }

    /** Under the lock. */
    private void release(Lane lane) {
        if (lane.running == 0 && lane.waiting.isEmpty()) {
            lanes.remove(lane.owner);
        }
    }

    /**
     * Gives back the thread of a task that has ended, and begins all that may begin now: beside the owner that is next this
     * may be the one whose task has ended, which holds a thread less.
     *
     * @return the first of them, for the thread that was given back; null when there is none
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

    /** Under the lock: begins the next task that may begin; null when there is none. */
    private @Nullable Task poll() {
        Lane lane = firstThatMayBegin();
        if (lane == null) {
            return null;
        }
        Task next = lane.waiting.iterator().next();
        lane.waiting.remove(next);
        queue.remove(lane);
        if (!lane.waiting.isEmpty()) {
            queue.add(lane); // at the end: the others' turn
        }
        begin(lane);
        return next;
    }

    /** Under the lock. Passes over owners that hold threads only, and there are not many of these. */
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

    // ---------------------------------------------------------------- what can be seen

    /** Returns how many tasks run now. */
    int busy() {
        return (int) Math.max(0, begun.sum() - ended.sum());
    }

    /** Returns how many tasks wait for a thread now. */
    int waiting() {
        return (int) Math.max(0, submitted.sum() - begun.sum());
    }

    /** Returns how many tasks the executor has refused at first, ever. */
    long refused() {
        return starter.refused();
    }

    /** Returns how long some task has waited for a thread at least; exact to the interval of {@link #watch}. */
    long waitedNanos() {
        return waitedNanos;
    }

    /**
     * Measures how long tasks wait, once in a while: when as many have begun as were submitted at the last mark, those
     * have waited no longer than since then.
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

    /** Says what tasks wait for, for a person. */
    String describe() {
        return name + ": " + waiting() + " wait for a thread, " + busy()
                + (threads == UNBOUNDED ? "" : " of " + threads) + " busy"
                + (starter.waiting() > 0 ? ", " + starter.waiting() + " refused by the executor" : "");
    }

    /** Has another executor run what the pool's has refused, and refuses from now on. */
    void stop(Executor instead) {
        starter.stop(instead);
    }

    /** The tasks of one owner. */
    private static final class Lane {
        private final Object owner;
        private Set<Task> waiting = Set.of(); // in order; a set is withdrawn from at once, however many wait
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
        private @Nullable Lane lane; // set before it is started; null in an unbounded pool

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
            } catch (Throwable failure) { // the thread may be the application's, or serve another task next
                Steps.log(LOG, name + ": a task failed", failure);
            } finally {
                Thread.interrupted(); // what the application did to its thread is not for the next task
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
                if (!mine.waiting.isEmpty() && mine.waiting.remove(this)) { // the empty set takes no removal
                    begun.increment(); // and so nobody takes it for one that waits
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
