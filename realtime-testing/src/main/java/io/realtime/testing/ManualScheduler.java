package io.realtime.testing;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.PriorityQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Time that stands still until a test moves it. Tasks run on the thread that calls {@link #advance}, in the order of
 * their due times and, when due at the same time, of their scheduling: a run is the same every time.
 *
 * <p>It is an {@link Executor} too: what is executed is due now, and runs at the next {@link #advance} or {@link
 * #runDue}. Scheduling is safe from any thread; moving time is for one thread.
 */
public final class ManualScheduler implements Scheduler, Executor {
    private static final int MOST_TASKS = 10_000_000;
    private static final int FEW = 64;

    // Guarded by this. What was called off stays until it is due, or until it is the larger part: no search for each.
    private final PriorityQueue<Task> tasks = new PriorityQueue<>();
    private int pending; // guarded by this: those of the tasks that were not called off
    private long nanos; // guarded by this
    private long wallOffsetMillis = 1_700_000_000_000L; // guarded by this
    private long sequence; // guarded by this

    /** A scheduler at an arbitrary fixed time. */
    public ManualScheduler() {}

    /** Returns a new process in this time: its tasks run in the one order of all tasks, until it is killed. */
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

    /** Makes the wall clock jump, forwards or back; monotonic time and tasks do not notice. */
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
        long longest = Long.MAX_VALUE - nanos; // a delay beyond counting is never over
        long wait = delay.compareTo(Duration.ofNanos(longest)) > 0 ? longest : Math.max(0, delay.toNanos());
        Task entry = new Task(nanos + wait, sequence++, owner, task);
        tasks.add(entry);
        count(entry, 1);
        return () -> callOff(entry);
    }

    private synchronized void callOff(Task task) {
        if (task.action == null) {
            return; // it ran, or was called off before
        }
        task.action = null;
        count(task, -1);
        if (tasks.size() > FEW && pending < tasks.size() / 2) {
            tasks.removeIf(entry -> entry.action == null);
        }
    }

    private void count(Task task, int change) {
        pending += change;
        if (task.owner != null) {
            task.owner.pending += change;
        }
    }

    /** Takes every task of a process away. */
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
     * Moves time forward and runs, each at its own time, all tasks that become due, those they schedule included. A task
     * may itself advance the time, as one does whose thread blocks: everything else goes on within that call.
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

    /** Moves time to the next task and takes it; to the target, and null, when none is due until then. */
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
                nanos = Math.max(nanos, next.due); // a task that moved the time leaves later ones late
                return action;
            }
        }
        nanos = Math.max(nanos, target);
        return null;
    }

    /** Moves time forward until the latch is at zero, as {@link #advance} does. */
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

    /** Runs what is due now, and what that schedules for now; time stands still. */
    public void runDue() {
        advance(Duration.ZERO);
    }

    /** Returns how many tasks wait, those of processes included: none, when all that a test made was closed. */
    public synchronized int pending() {
        return pending;
    }

    private static final class Task implements Comparable<Task> {
        private long due; // guarded by the scheduler; changed only while it is in no queue
        private final long dueAtFirst; // before pauses of its process
        private final long order;
        private final @Nullable SimulatedProcess owner;
        private @Nullable Runnable action; // guarded by the scheduler; null once it ran or was called off

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
