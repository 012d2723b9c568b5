package io.realtime.testing;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;

/**
 * A process within a {@link ManualScheduler}'s time, which a test can kill: what a server or a client is given as its
 * scheduler and its executor. Its tasks run in the scheduler's one order, on the thread that moves the time.
 *
 * <p>A killed process runs nothing any more, as {@code kill -9} leaves it; its connections are the network's: see {@link
 * InMemoryNetwork#crash} and {@link InMemoryNetwork#vanish}. Safe for use by many threads.
 */
public final class SimulatedProcess implements Scheduler, Executor {
    private static final Duration LOOKS_EVERY = Duration.ofMillis(1);

    private final ManualScheduler time;
    boolean alive = true; // guarded by time
    int pending; // guarded by time
    long pausedUntil; // guarded by time: on its clock
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
     * Stops the process for so long, as a garbage collection or a debugger does: what becomes due meanwhile runs at the
     * end of the pause, in order. Its connections are the network's: see {@link InMemoryNetwork#pause}.
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
     * Blocks the task that calls it for so long, as {@link Thread#sleep} would block its thread: every other task goes on.
     * Tasks that block nest: one that began later ends earlier, and one that waits for it sleeps longer.
     *
     * @throws CancellationException when the process was killed meanwhile, so that the task ends
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

    /** Blocks the task that calls it, as {@link #sleep} does: every other task goes on. */
    @Override
    public boolean await(CountDownLatch latch, Duration timeout) {
        long end = nanoTime() + timeout.toNanos();
        while (latch.getCount() > 0 && nanoTime() < end) {
            sleep(Duration.ofNanos(Math.min(end - nanoTime(), LOOKS_EVERY.toNanos())));
        }
        return latch.getCount() == 0;
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
