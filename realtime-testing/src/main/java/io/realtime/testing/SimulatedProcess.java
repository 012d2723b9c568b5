package io.realtime.testing;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.Executor;

/**
 * A process within a {@link ManualScheduler}'s time, which a test can kill: what a server or a client is given as its
 * scheduler and its executor. Its tasks run in the scheduler's one order, on the thread that moves the time.
 *
 * <p>A killed process runs nothing any more, as {@code kill -9} leaves it; its connections are the network's: see {@link
 * InMemoryNetwork#crash} and {@link InMemoryNetwork#vanish}. Safe for use by many threads.
 */
public final class SimulatedProcess implements Scheduler, Executor {
    private final ManualScheduler time;
    boolean alive = true; // guarded by time
    int pending; // guarded by time
    private long jumpedMillis; // guarded by time

    SimulatedProcess(ManualScheduler time) {
        this.time = time;
    }

    @Override
    public long nanoTime() {
        return time.nanoTime();
    }

    @Override
    public long currentTimeMillis() {
        synchronized (time) {
            return time.currentTimeMillis() + jumpedMillis;
        }
    }

    /** Makes this process's wall clock jump, forwards or back; no other process, task or monotonic time notices. */
    public void jumpWallClock(Duration by) {
        synchronized (time) {
            jumpedMillis += by.toMillis();
        }
    }

    @Override
    public Cancellable schedule(Duration delay, Runnable task) {
        return time.schedule(this, delay, task);
    }

    /** Runs a task at the next {@link ManualScheduler#advance}; never, and silently, when the process is dead. */
    @Override
    public void execute(Runnable task) {
        schedule(Duration.ZERO, task);
    }

    /**
     * Ends the process at once: what waits never runs, and what comes later is silently not run. A task that kills its
     * own process still runs to its end. Does nothing the second time.
     */
    public void kill() {
        time.kill(this);
    }

    /** Returns whether the process was not killed. */
    public boolean isAlive() {
        synchronized (time) {
            return alive;
        }
    }

    /** Returns how many tasks of this process wait; none when it is dead. */
    public int pending() {
        synchronized (time) {
            return pending;
        }
    }
}
