package io.realtime.testing;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.PriorityQueue;
import java.util.concurrent.Executor;

/**
 * Time that stands still until a test moves it. Tasks run on the thread that calls {@link #advance}, in the order of
 * their due times and, when due at the same time, of their scheduling: a run is the same every time.
 *
 * <p>It is an {@link Executor} too: what is executed is due now, and runs at the next {@link #advance} or {@link
 * #runDue}. Scheduling is safe from any thread; moving time is for one thread.
 */
public final class ManualScheduler implements Scheduler, Executor {
    private static final int MOST_TASKS = 10_000_000;

    private final PriorityQueue<Task> tasks = new PriorityQueue<>(); // guarded by this
    private long nanos; // guarded by this
    private long wallOffsetMillis = 1_700_000_000_000L; // guarded by this
    private long sequence; // guarded by this

    /** A scheduler at an arbitrary fixed time. */
    public ManualScheduler() {}

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
    public synchronized Cancellable schedule(Duration delay, Runnable task) {
        long longest = Long.MAX_VALUE - nanos; // a delay beyond counting is never over
        long wait = delay.compareTo(Duration.ofNanos(longest)) > 0 ? longest : Math.max(0, delay.toNanos());
        Task entry = new Task(nanos + wait, sequence++, task);
        tasks.add(entry);
        return () -> {
            synchronized (this) {
                tasks.remove(entry);
            }
        };
    }

    @Override
    public void execute(Runnable task) {
        schedule(Duration.ZERO, task);
    }

    /** Moves time forward and runs, each at its own time, all tasks that become due, those they schedule included. */
    public void advance(Duration by) {
        long target;
        synchronized (this) {
            target = nanos + by.toNanos();
        }
        for (int ran = 0; ran < MOST_TASKS; ran++) {
            Task next;
            synchronized (this) {
                next = tasks.peek();
                if (next == null || next.due > target) {
                    nanos = target;
                    return;
                }
                tasks.remove();
                nanos = next.due;
            }
            next.action.run();
        }
        throw new AssertionError("still busy after " + MOST_TASKS + " tasks: something schedules itself without delay");
    }

    /** Runs what is due now, and what that schedules for now; time stands still. */
    public void runDue() {
        advance(Duration.ZERO);
    }

    /** Returns how many tasks wait: none, when all that a test made was closed. */
    public synchronized int pending() {
        return tasks.size();
    }

    private record Task(long due, long order, Runnable action) implements Comparable<Task> {
        @Override
        public int compareTo(Task other) {
            int byTime = Long.compare(due, other.due);
            return byTime != 0 ? byTime : Long.compare(order, other.order);
        }
    }
}
