package io.realtime.testing;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.PriorityQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * A scheduler whose time changes only when a test advances it. Tasks run on the thread that calls {@link #advance}, in
 * the order of their due times. Tasks that are due at the same time run in the order in which they were scheduled. So
 * every run is the same.
 *
 * <p>It is also an {@link Executor}: a task that is executed is due now, and runs at the next {@link #advance} or
 * {@link #runDue}. Any thread may schedule; only one thread may advance the time.
 */
public final class ManualScheduler implements Scheduler, Executor {
    private static final int MOST_TASKS = 10_000_000;
    private static final int FEW = 64;

    // A cancelled task stays until it is due or most tasks are cancelled, which avoids a search for each.
    @GuardedBy("this")
    private final PriorityQueue<Task> tasks = new PriorityQueue<>();
    // The tasks that were not cancelled.
    @GuardedBy("this")
    private int pending;

    @GuardedBy("this")
    private long nanos;

    @GuardedBy("this")
    private long wallOffsetMillis = 1_700_000_000_000L;

    @GuardedBy("this")
    private long sequence;

    /** Creates a scheduler at an arbitrary fixed time. */
    public ManualScheduler() {}

    /** Returns a new process in this time. Its tasks and all others run in one order, until it is killed. */
    public SimulatedProcess newProcess() {
        return new SimulatedProcess(this);
    }

    @Override
    public synchronized long nanoTime() {
        return nanos;
    }

    @Override
    public synchronized long currentTimeMillis() {
        return wallOffsetMillis + nanos / 1_000_000;
    }

    /** Makes the wall clock jump, forwards or backwards; monotonic time and tasks are not affected. */
    public synchronized void jumpWallClock(Duration by) {
        wallOffsetMillis += by.toMillis();
    }

    @Override
    public Cancellable schedule(Duration delay, Runnable task) {
        return schedule(null, delay, task);
    }

    synchronized Cancellable schedule(@Nullable SimulatedProcess owner, Duration delay, Runnable task) {
        if (owner != null && !owner.alive) {
            return () -> {};
        }
        long longest = Long.MAX_VALUE - nanos; // a delay that would overflow never ends
        long wait = delay.compareTo(Duration.ofNanos(longest)) > 0 ? longest : Math.max(0, delay.toNanos());
        Task entry = new Task(nanos + wait, sequence++, owner, task);
        tasks.add(entry);
        count(entry, 1);
        return () -> callOff(entry);
    }

    private synchronized void callOff(Task task) {
        if (task.action == null) {
            return; // it has run, or was cancelled before
        }
        task.action = null;
        count(task, -1);
        if (tasks.size() > FEW && pending < tasks.size() / 2) {
            tasks.removeIf(entry -> entry.action == null);
        }
    }

    @GuardedBy("this")
    private void count(Task task, int change) {
        pending += change;
        if (task.owner != null) {
            task.owner.pending += change;
        }
    }

    /** Removes all tasks of a process. */
    synchronized void kill(SimulatedProcess process) {
        process.alive = false;
        pending -= process.pending;
        process.pending = 0;
        tasks.removeIf(task -> {
            if (task.owner == process) {
                task.action = null;
            }
            return task.action == null;
        });
    }

    @Override
    public void execute(Runnable task) {
        schedule(Duration.ZERO, task);
    }

    /**
     * Advances the time, and runs all tasks that become due, each at its own time, including tasks that they schedule.
     * A task may itself advance the time, like a thread that blocks; all other tasks then run within that call.
     */
    public void advance(Duration by) {
        long target;
        synchronized (this) {
            target = nanos + by.toNanos();
        }
        for (int ran = 0; ran < MOST_TASKS; ran++) {
            Runnable next = nextUntil(target);
            if (next == null) {
                return;
            }
            next.run();
        }
        throw new AssertionError("still busy after " + MOST_TASKS + " tasks: something schedules itself without delay");
    }

    /**
     * Advances the time to the next task and takes it. If none is due until the target, advances to the target and
     * returns null.
     */
    private synchronized @Nullable Runnable nextUntil(long target) {
        for (Task next = tasks.peek(); next != null && next.due <= target; next = tasks.peek()) {
            tasks.remove();
            Runnable action = next.action;
            if (action != null && next.owner != null && next.owner.pausedUntil > next.due) {
                next.due = next.owner.pausedUntil;
                tasks.add(next);
            } else if (action != null) {
                next.action = null;
                count(next, -1);
                nanos = Math.max(nanos, next.due); // if a task advanced the time, later ones are late
                return action;
            }
        }
        nanos = Math.max(nanos, target);
        return null;
    }

    /** Advances the time until the latch is at zero, as {@link #advance} does. */
    @Override
    public boolean await(CountDownLatch latch, Duration timeout) throws InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        long end = nanoTime() + timeout.toNanos();
        while (latch.getCount() > 0 && nanoTime() < end) {
            advance(Duration.ofNanos(Math.min(end - nanoTime(), 1_000_000)));
        }
        return latch.getCount() == 0;
    }

    /** Runs what is due now, and what these tasks schedule for now; the time does not change. */
    public void runDue() {
        advance(Duration.ZERO);
    }

    /**
     * Returns how many tasks wait, those of processes included. It is 0 if everything that a test created was closed.
     */
    public synchronized int pending() {
        return pending;
    }

    private static final class Task implements Comparable<Task> {
        // Guarded by the scheduler, as is action. Changed only while the task is in no queue.
        private long due;
        private final long dueAtFirst; // before pauses of its process
        private final long order;
        private final @Nullable SimulatedProcess owner;
        // Null once it ran or was cancelled.
        private @Nullable Runnable action;

        Task(long due, long order, @Nullable SimulatedProcess owner, Runnable action) {
            this.due = due;
            this.dueAtFirst = due;
            this.order = order;
            this.owner = owner;
            this.action = action;
        }

        @Override
        public int compareTo(Task other) {
            int byTime = Long.compare(due, other.due);
            int byFirstTime = byTime != 0 ? byTime : Long.compare(dueAtFirst, other.dueAtFirst);
            return byFirstTime != 0 ? byFirstTime : Long.compare(order, other.order);
        }
    }
}
