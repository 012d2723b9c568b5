package io.realtime.testing;

import java.util.NoSuchElementException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;

/**
 * An executor that keeps its tasks until a test runs them, so that the test decides when a callback, a handler or a write to
 * the disk happens. It either holds every task, or passes tasks on to another executor until it is told to hold them.
 *
 * <p>Tasks are kept in the order in which they came, without a bound. Safe for use by many threads.
 */
public final class HeldExecutor implements Executor {
    private final ConcurrentLinkedQueue<Runnable> held = new ConcurrentLinkedQueue<>();
    private final Executor next;
    private volatile boolean holds;

    private HeldExecutor(Executor next, boolean holds) {
        this.next = next;
        this.holds = holds;
    }

    /** Creates an executor that holds every task from the beginning. {@link #release} runs them on the calling thread. */
    public HeldExecutor() {
        this(Runnable::run, true);
    }

    /** Creates an executor that passes tasks on to another one until {@link #hold} is called. */
    public static HeldExecutor passingTo(Executor next) {
        return new HeldExecutor(next, false);
    }

    /** Holds the task, or passes it on to the other executor, which may refuse it. */
    @Override
    public void execute(Runnable task) {
        if (holds) {
            held.add(task);
        } else {
            next.execute(task);
        }
    }

    /** Holds all tasks that come from now on. */
    public void hold() {
        holds = true;
    }

    /** Passes on all tasks that come from now on. Those that are held stay. */
    public void pass() {
        holds = false;
    }

    /** Passes on the tasks that are held, oldest first, and all that come from now on. */
    public void release() {
        holds = false;
        for (Runnable task = held.poll(); task != null; task = held.poll()) {
            next.execute(task);
        }
    }

    /**
     * Runs the oldest task that is held, on the calling thread.
     *
     * @throws NoSuchElementException if none is held
     */
    public void runNext() {
        held.remove().run();
    }

    /** Runs the tasks that are held, oldest first, on the calling thread, including those that they add meanwhile. */
    public void runAll() {
        for (Runnable task = held.poll(); task != null; task = held.poll()) {
            task.run();
        }
    }

    /** Returns how many tasks are held. */
    public int size() {
        return held.size();
    }

    @Override
    public String toString() {
        return "HeldExecutor{" + (holds ? "holds " : "passes tasks on, holds ") + held.size() + "}";
    }
}
