package io.realtime.client;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs tasks on another executor, one at a time and in order, however many threads that one has. Safe for use by many
 * threads. What waits is bounded by whoever submits: inbound messages by {@link Callbacks}, the rest by the outbox.
 */
final class SerialExecutor implements Executor {
    private static final Logger LOG = LoggerFactory.getLogger(SerialExecutor.class);

    /** After so many tasks others on the same executor get their turn: it may be a user interface's thread. */
    private static final int TURN = 32;

    private final Executor delegate;
    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>(); // guarded by lock
    private boolean running; // guarded by lock

    SerialExecutor(Executor delegate) {
        this.delegate = delegate;
    }

    @Override
    public void execute(Runnable task) {
        lock.lock();
        try {
            tasks.add(task);
            if (running) {
                return;
            }
            running = true;
        } finally {
            lock.unlock();
        }
        submit();
    }

    private void submit() {
        try {
            delegate.execute(this::turn);
        } catch (RejectedExecutionException stopped) { // futures must complete even so
            LOG.warn("an executor refuses tasks; they run on a thread of their own");
            Thread thread = new Thread(this::turn, "realtime-client-rejected");
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void turn() {
        for (int i = 0; i < TURN; i++) {
            Runnable task = next();
            if (task == null) {
                return;
            }
            try {
                task.run();
            } catch (Throwable failure) { // one task's failure must not end the others
                LOG.error("a task failed", failure);
            }
        }
        submit();
    }

    private @Nullable Runnable next() {
        lock.lock();
        try {
            Runnable task = tasks.poll();
            running = task != null;
            return task;
        } finally {
            lock.unlock();
        }
    }
}
