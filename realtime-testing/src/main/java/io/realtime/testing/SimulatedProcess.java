package io.realtime.testing;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;

/**
 * A process within a {@link ManualScheduler}'s time that a test can kill. Pass it to a server or a client as its
 * scheduler and its executor. Its tasks and those of others run in the scheduler's order, on the thread that advances
 * the time.
 *
 * <p>A killed process runs nothing any more, as after {@code kill -9}. Its connections belong to the network: see
 * {@link InMemoryNetwork#crash} and {@link InMemoryNetwork#vanish}. Safe for use by many threads.
 */
public final class SimulatedProcess implements Scheduler, Executor {
    private static final Duration LOOKS_EVERY = Duration.ofMillis(1);

    private final ManualScheduler time;
    // Guarded by time, as are pending and pausedUntil.
    boolean alive = true;
    int pending;
    // In nanoseconds of its clock.
    long pausedUntil;

    @GuardedBy("time")
    private long jumpedMillis;

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

    /**
     * Makes this process's wall clock jump, forwards or backwards. Other processes, tasks and monotonic time are not
     * affected.
     */
    public void jumpWallClock(Duration by) {
        synchronized (time) {
            jumpedMillis += by.toMillis();
        }
    }

    @Override
    public Cancellable schedule(Duration delay, Runnable task) {
        return time.schedule(this, delay, task);
    }

    /** Runs a task at the next {@link ManualScheduler#advance}. If the process is dead, drops it silently. */
    @Override
    public void execute(Runnable task) {
        schedule(Duration.ZERO, task);
    }

    /**
     * Pauses the process for a time, as a garbage collection or a debugger does. What becomes due meanwhile runs at the
     * end of the pause, in order. Its connections belong to the network: see {@link InMemoryNetwork#pause}.
     */
    public void pause(Duration time) {
        synchronized (this.time) {
            pausedUntil = Math.max(pausedUntil, this.time.nanoTime() + time.toNanos());
        }
    }

    /** Returns whether the process is {@linkplain #pause paused}. */
    public boolean isPaused() {
        synchronized (time) {
            return pausedUntil > time.nanoTime();
        }
    }

    /**
     * Blocks the calling task for a time, as {@link Thread#sleep} blocks its thread; all other tasks run meanwhile.
     * Tasks that block are nested: one that began later ends earlier, and one that waits for it sleeps longer.
     *
     * @throws CancellationException if the process was killed meanwhile, so that the task ends
     */
    public void sleep(Duration length) {
        time.advance(length);
        while (isPaused() && isAlive()) {
            time.advance(Duration.ofMillis(1));
        }
        if (!isAlive()) {
            throw new CancellationException("the process was killed");
        }
    }

    /** Blocks the calling task as {@link #sleep} does; all other tasks run meanwhile. */
    @Override
    public boolean await(CountDownLatch latch, Duration timeout) {
        long end = nanoTime() + timeout.toNanos();
        while (latch.getCount() > 0 && nanoTime() < end) {
            sleep(Duration.ofNanos(Math.min(end - nanoTime(), LOOKS_EVERY.toNanos())));
        }
        return latch.getCount() == 0;
    }

    /**
     * Kills the process immediately. Waiting tasks never run, and later ones are dropped silently. A task that kills
     * its own process still runs to its end. Does nothing if called again.
     */
    public void kill() {
        time.kill(this);
    }

    /** Returns whether the process is alive, that is, was not killed. */
    public boolean isAlive() {
        synchronized (time) {
            return alive;
        }
    }

    /** Returns how many tasks of this process wait; 0 if it is dead. */
    public int pending() {
        synchronized (time) {
            return pending;
        }
    }
}
