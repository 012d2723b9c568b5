package io.realtime.testing;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;

/**
 * A thread pool of a {@link SimulatedProcess}: few threads, a bounded queue, and tasks that occupy their thread for
 * some virtual time. It starves and rejects as a {@link java.util.concurrent.ThreadPoolExecutor} does.
 *
 * <p>A task that {@linkplain SimulatedProcess#sleep sleeps} occupies its thread meanwhile. For the thread that advances
 * the time.
 */
public final class SimulatedPool implements Executor {
    private final SimulatedProcess process;
    private final int queueLength;
    private final Supplier<Duration> beforehand;
    private final Deque<Runnable> queue = new ArrayDeque<>();
    private int free;
    private long rejected;

    /**
     * Creates a pool whose threads are all free.
     *
     * @param threads how many tasks may run at the same time
     * @param queueLength how many more may wait; beyond it a task is rejected
     * @param beforehand how long a thread is occupied before it runs the next task
     */
    public SimulatedPool(SimulatedProcess process, int threads, int queueLength, Supplier<Duration> beforehand) {
        this.process = process;
        this.free = threads;
        this.queueLength = queueLength;
        this.beforehand = beforehand;
    }

    /**
     * Runs a task as soon as a thread is free; never on the caller's stack.
     *
     * @throws RejectedExecutionException if no thread is free and the queue is full
     */
    @Override
    public void execute(Runnable task) {
        if (free > 0) {
            free--;
            begin(task);
        } else if (queue.size() < queueLength) {
            queue.add(task);
        } else {
            rejected++;
            throw new RejectedExecutionException("all threads are busy and " + queueLength + " tasks wait");
        }
    }

    private void begin(Runnable task) {
        process.schedule(beforehand.get(), () -> {
            try {
                task.run();
            } finally {
                Runnable next = queue.poll();
                if (next == null) {
                    free++;
                } else {
                    begin(next);
                }
            }
        });
    }

    /** Returns how many tasks were rejected until now. */
    public long rejected() {
        return rejected;
    }
}
