package io.realtime.client;

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
 * Runs tasks on another executor, one at a time and in order, however many threads that one has. Safe for use by many
 * threads. What waits has its bound elsewhere: inbound messages in {@link CallbackDispatcher}, the rest in {@link Untold}.
 *
 * <p>No task is lost, whatever comes out of the other executor: what it does not take runs on a daemon thread, since
 * futures must complete even so; when no thread can be made either, the next task or a timer tries again. A task that fails
 * stops no other, not even when its failure cannot be logged. An executor that runs tasks on the caller takes any number.
 */
final class SerialExecutor implements Executor {
    private static final Logger LOG = LoggerFactory.getLogger(SerialExecutor.class);

    /** After so many tasks others on the same executor get their turn: it may be a user interface's thread. */
    private static final int TURN = 32;

    private final Executor delegate;
    private final Executor substitute;
    private final Consumer<Runnable> later;
    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>(); // guarded by lock
    private final AtomicLong submitted = new AtomicLong(); // written under lock
    private final AtomicLong begun = new AtomicLong(); // written under lock
    private boolean running; // guarded by lock: a turn has begun, or an executor has taken it
    private volatile boolean refused; // the delegate did not take the last turn
    private volatile @Nullable Thread runner; // of the task that runs

    /**
     * @param substitute runs what the delegate does not take
     * @param later runs a task after a while
     */
    SerialExecutor(Executor delegate, Executor substitute, Consumer<Runnable> later) {
        this.delegate = delegate;
        this.substitute = substitute;
        this.later = later;
    }

    static void startThread(Runnable task) {
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

    /** Returns how many tasks were submitted so far, at least those of the calling thread. */
    long submitted() {
        return submitted.get();
    }

    /** Returns how many tasks wait. */
    long pending() {
        long known = begun.get(); // first: what begins meanwhile was submitted before
        return submitted.get() - known;
    }

    /** Returns whether the calling thread runs a task of this executor: whatever it waits for, no other task runs. */
    boolean isRunningHere() {
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
        } catch (Throwable refusal) { // the application's executor: anything may come out of it
            if (!refused) {
                log("an executor refuses tasks; they run on a thread of their own", refusal);
            }
            refused = true;
        }
        try {
            substitute.execute(turn);
        } catch (Throwable noThread) { // no memory for one
            log("there is no thread for a task; it runs later", noThread);
            if (turn.isMine()) {
                giveUp();
            }
        }
    }

    /** No thread can go on with the tasks now. */
    private void giveUp() {
        lock.lock();
        try {
            running = false;
        } finally {
            lock.unlock();
        }
        try {
            later.accept(this::resume);
        } catch (Throwable failure) { // no memory for a timer either
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

    /** Logs what an application has thrown, which may throw again when it is asked for its message. */
    static void log(String what, Throwable failure) {
        Steps.log(LOG, what, failure);
    }

    /**
     * Runs once, though an executor may have taken it and failed all the same. Tasks see no interrupt but their own; the
     * thread has it back after the turn.
     */
    private final class Turn extends AtomicBoolean implements Runnable {
        private static final long serialVersionUID = 1L;

        // Of the thread that submits this turn at the end of another; no other thread reads more than the first.
        private transient volatile @Nullable Thread submitter;
        private transient boolean isInline;

        Turn(@Nullable Thread submitter) {
            this.submitter = submitter;
        }

        /** Returns whether nobody else has begun this turn, or ever will. */
        boolean isMine() {
            return compareAndSet(false, true);
        }

        @Override
        public void run() {
            if (!isMine()) {
                return;
            }
            if (submitter == Thread.currentThread()) { // not here, since the stack would grow with every turn
                isInline = true;
                return;
            }
            boolean goesOn = true;
            try {
                while (goesOn) {
                    goesOn = runTasks() && passOn();
                }
            } finally {
                if (goesOn) { // the stack or the memory is used up
                    runner = null;
                    giveUp();
                }
            }
        }

        /** Returns whether there may be more tasks. */
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

        /** Has the executor run the next turn; returns whether it wants to do so on this thread, before it returns. */
        private boolean passOn() {
            Turn next = new Turn(Thread.currentThread());
            submit(next);
            next.submitter = null;
            return next.isInline;
        }
    }

    /** One task's failure must not end the others. */
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
                runner = null; // before another turn can begin elsewhere
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
