package io.realtime.client.internal.callback;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An executor that runs tasks on another one, one at a time and in order, however many threads that has. Safe for use
 * by many threads. The bound on waiting tasks is elsewhere: {@link CallbackDispatcher} bounds inbound messages, and
 * {@link OutcomeBacklog} the rest.
 *
 * <p>No task is lost when the other executor fails. A task that it rejects runs on a daemon thread, since futures must
 * complete. If no thread can be made either, the next task or a timer tries again. A task that fails stops no other,
 * even when its failure cannot be logged. An executor that runs tasks on the caller may run any number of them.
 */
public final class SerialExecutor implements Executor {
    private static final Logger LOG = LoggerFactory.getLogger(SerialExecutor.class);

    /**
     * The number of tasks in one turn. Then other tasks of the same executor run: it may be a user interface's thread.
     */
    private static final int TURN = 32;

    private final Executor delegate;
    private final Executor substitute;
    private final Consumer<Runnable> later;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();

    private final AtomicLong submitted = new AtomicLong(); // Written under lock.
    private final AtomicLong begun = new AtomicLong(); // Written under lock.
    // Whether a turn has begun, or an executor has accepted it.
    @GuardedBy("lock")
    private boolean running;
    // Whether the delegate rejected the last turn.
    private volatile boolean refused;
    // The thread of the task that runs.
    private volatile @Nullable Thread runner;

    /**
     * @param substitute runs what the delegate rejects
     * @param later runs a task after a while
     */
    public SerialExecutor(Executor delegate, Executor substitute, Consumer<Runnable> later) {
        this.delegate = delegate;
        this.substitute = substitute;
        this.later = later;
    }

    public static void startThread(Runnable task) {
        Thread thread = new Thread(task, "realtime-client-rejected");
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void execute(Runnable task) {
        lock.lock();
        try {
            tasks.add(task);
            submitted.lazySet(submitted.get() + 1);
            if (running) {
                return;
            }
            running = true;
        } finally {
            lock.unlock();
        }
        submit();
    }

    /** Returns how many tasks were submitted, including all those of the calling thread. */
    long submitted() {
        return submitted.get();
    }

    /** Returns how many tasks wait. */
    long pending() {
        // Read first: a task that begins meanwhile was submitted before.
        long known = begun.get();
        return submitted.get() - known;
    }

    /** Returns true if the calling thread runs a task of this executor. While it waits, no other task can run. */
    public boolean isRunningHere() {
        return runner == Thread.currentThread();
    }

    private void submit() {
        submit(new Turn(null));
    }

    private void submit(Turn turn) {
        try {
            delegate.execute(turn);
            refused = false;
            return;
        } catch (Throwable refusal) {
            // The application's executor may throw anything.
            if (!refused) {
                log("an executor refuses tasks; they run on a thread of their own", refusal);
            }
            refused = true;
        }
        try {
            substitute.execute(turn);
        } catch (Throwable noThread) {
            // No memory for a thread.
            log("there is no thread for a task; it runs later", noThread);
            if (turn.isMine()) {
                giveUp();
            }
        }
    }

    /** Stops for now, since no thread can run the tasks. */
    private void giveUp() {
        lock.lock();
        try {
            running = false;
        } finally {
            lock.unlock();
        }
        try {
            later.accept(this::resume);
        } catch (Throwable failure) {
            // No memory for a timer either.
            log("no timer for a task; the next task runs it", failure);
        }
    }

    private void resume() {
        lock.lock();
        try {
            if (running || tasks.isEmpty()) {
                return;
            }
            running = true;
        } finally {
            lock.unlock();
        }
        submit();
    }

    /** Logs a failure of the application's code; reading its message may throw again. */
    static void log(String what, Throwable failure) {
        Steps.log(LOG, what, failure);
    }

    /**
     * A number of tasks in a row. Runs once, even if an executor accepted it and then failed. A task sees no interrupt
     * of another one; the thread gets its interrupt back after the turn.
     */
    private final class Turn extends AtomicBoolean implements Runnable {
        private static final long serialVersionUID = 1L;

        // Owned by the thread that submits this turn at the end of another one. Other threads read only the first
        // field.
        private transient volatile @Nullable Thread submitter;
        private transient boolean isInline;

        Turn(@Nullable Thread submitter) {
            this.submitter = submitter;
        }

        /** Claims this turn. Returns true if no other caller has claimed it. */
        boolean isMine() {
            return compareAndSet(false, true);
        }

        @Override
        public void run() {
            if (!isMine()) {
                return;
            }
            if (submitter == Thread.currentThread()) {
                // Not run here, since the stack would grow with every turn.
                isInline = true;
                return;
            }
            boolean goesOn = true;
            try {
                while (goesOn) {
                    goesOn = runTasks() && passOn();
                }
            } finally {
                if (goesOn) {
                    // The stack or the memory is used up.
                    runner = null;
                    giveUp();
                }
            }
        }

        /** Runs tasks. Returns true if there may be more. */
        private boolean runTasks() {
            boolean isInterrupted = Thread.interrupted();
            runner = Thread.currentThread();
            try {
                for (int i = 0; i < TURN; i++) {
                    Runnable task = next();
                    if (task == null) {
                        return false;
                    }
                    runTask(task);
                    isInterrupted |= Thread.interrupted();
                }
            } finally {
                if (isInterrupted) {
                    Thread.currentThread().interrupt();
                }
            }
            runner = null;
            return true;
        }

        /** Submits the next turn. Returns true if the executor runs it on this thread before it returns. */
        private boolean passOn() {
            Turn next = new Turn(Thread.currentThread());
            submit(next);
            next.submitter = null;
            return next.isInline;
        }
    }

    /** Runs a task; its failure must not end the others. */
    private static void runTask(Runnable task) {
        try {
            task.run();
        } catch (Throwable failure) {
            log("a task failed", failure);
        }
    }

    private @Nullable Runnable next() {
        lock.lock();
        try {
            Runnable task = tasks.poll();
            if (task == null) {
                // Before another turn can begin on another thread.
                runner = null;
                running = false;
            } else {
                begun.lazySet(begun.get() + 1);
            }
            return task;
        } finally {
            lock.unlock();
        }
    }
}
