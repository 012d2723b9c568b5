package io.realtime.server.internal.execution;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.Iterator;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tasks of one session, which run one at a time, in order, on a shared executor. A peer's waiting tasks are bounded
 * by count and by size. An idle mailbox holds no thread.
 */
public final class Mailbox implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(Mailbox.class);
    public static final Turn AT_ONCE = () -> 0;
    // How many tasks run until it is another session's turn.
    private static final int TURN = 64;
    // Used in place of a message's number, for the server's own tasks.
    private static final long POSTED = -1;
    // Used in place of the current task.
    private static final Task DROPPED = new Task(0, POSTED, AT_ONCE, () -> {});
    private static final AtomicReferenceFieldUpdater<Mailbox, @Nullable Task> CURRENT =
            AtomicReferenceFieldUpdater.newUpdater(Mailbox.class, Task.class, "current");

    private final Pool threads;
    private final String user;
    private final Scheduler scheduler;
    private final Bursts bursts;
    private final int maxTasks;
    private final long maxSize;
    private final ReentrantLock lock;
    // Null when no task waits and none runs.
    @GuardedBy("lock")
    private @Nullable Deque<Task> tasks;
    // Runs before all that wait.
    @GuardedBy("lock")
    private @Nullable Task urgent;
    // How many of the waiting tasks are the peer's.
    @GuardedBy("lock")
    private int offered;

    @GuardedBy("lock")
    private long size;
    // While true, a task that was just added will be run.
    private volatile boolean scheduled; // written under lock
    // Written by the running thread, which clears it before another may run. So a thread never reads itself by mistake.
    private @Nullable Thread runner;
    // Only the running thread uses it: another task waited when it took the last one.
    private boolean burstGoesOn;
    // Set while the next task waits for its turn by the rate limit.
    @GuardedBy("lock")
    private Scheduler.@Nullable Cancellable hold;
    // The number of the newest hold, which its timer knows.
    @GuardedBy("lock")
    private int holds;
    // Only the running thread uses it: the stage that its task waits for.
    private @Nullable Pause pause;
    // Waits for its stage; all other tasks wait for it.
    @GuardedBy("lock")
    private @Nullable Task paused;
    // A peer's task that was taken and has not begun, or DROPPED. Set under the lock. The running thread clears it.
    private volatile @Nullable Task current;

    /**
     * Creates an empty mailbox.
     *
     * @param user whose tasks these are; the threads that they run on count for this user
     * @param lock guards the mailbox; no task runs while it is held
     */
    public Mailbox(
            Pool threads,
            String user,
            Scheduler scheduler,
            Bursts bursts,
            int maxTasks,
            long maxSize,
            ReentrantLock lock) {
        this.threads = threads;
        this.user = user;
        this.scheduler = scheduler;
        this.bursts = bursts;
        this.lock = lock;
        this.maxTasks = maxTasks;
        this.maxSize = maxSize;
    }

    /** Decides when a task may run. */
    @FunctionalInterface
    public interface Turn {
        /** Takes the turn and returns 0; or returns how many nanoseconds to wait before this is called again. */
        long take();

        /** Returns what a waiting task has taken that will not run. Does nothing when it has taken nothing. */
        default void giveBack() {}
    }

    /** Adds a peer's task. Returns false, without adding it, when the mailbox is full. */
    public boolean offer(int cost, long seq, Turn turn, Runnable task) {
        boolean isTaken = add(new Task(cost, seq, turn, task), true);
        // A caller that holds the lock wakes the mailbox itself, since the executor may be the application's.
        if (isTaken && !lock.isHeldByCurrentThread()) {
            wake();
        }
        return isTaken;
    }

    /** Adds a task of the server, also when the mailbox is full: there are few in a session's life. */
    public void post(Runnable task) {
        enqueue(task);
        wake();
    }

    /**
     * Adds a task like {@link #post}, for a caller that holds a lock. It {@linkplain #wake wakes} the mailbox after it
     * has released the lock.
     */
    public void enqueue(Runnable task) {
        add(new Task(0, POSTED, AT_ONCE, task), false);
    }

    /**
     * Adds a task of the server that runs before every message whose handler has not begun. If such messages wait, it
     * runs before all other tasks too, and replaces one that was added in this way and has not run. A task that the
     * rate limit holds asks for its turn again. The caller holds the lock, and {@linkplain #wake wakes} the mailbox
     * after it has released it.
     */
    public void enqueueBeforeMessages(Runnable task) {
        lock.lock();
        try {
            if (offered == 0 && paused == null && current == null) {
                enqueue(task);
                return;
            }
            tasks = tasks == null ? new ArrayDeque<>() : tasks;
            urgent = new Task(0, POSTED, AT_ONCE, task);
            endHold();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Drops the peer's messages that no handler has begun with, one that waits for its rule included. The server's own
     * tasks stay, and no rate limit holds them any more. {@link #wake} the mailbox afterwards.
     */
    public Discarded drop() {
        int count = 0;
        long least = 0;
        lock.lock();
        try {
            endHold();
            Task first = takeBack();
            if (first != null) {
                count = 1;
                least = first.seq;
            }
            for (Iterator<Task> waiting = tasks == null ? Collections.emptyIterator() : tasks.iterator();
                    waiting.hasNext(); ) {
                Task task = waiting.next();
                if (task.seq != POSTED) {
                    waiting.remove();
                    task.turn.giveBack();
                    forget(task);
                    count++;
                    // Numbers rise.
                    least = least == 0 ? task.seq : least;
                }
            }
        } finally {
            lock.unlock();
        }
        return new Discarded(count, least);
    }

    /** Drops the task that was taken or waits for its stage. Returns null when it has begun, or there is none. */
    @GuardedBy("lock")
    private @Nullable Task takeBack() {
        Task taken = paused;
        if (taken != null && taken.seq != POSTED) {
            paused = null;
            scheduled = false;
            return taken;
        }
        taken = current;
        return taken != null && !isDropped() && CURRENT.compareAndSet(this, taken, DROPPED) ? taken : null;
    }

    /** Ends a hold: the held task asks for its turn again when the mailbox is woken. */
    @GuardedBy("lock")
    private void endHold() {
        if (hold != null) {
            hold.cancel();
            hold = null;
            scheduled = false;
        }
    }

    /**
     * The messages that were dropped.
     *
     * @param count how many
     * @param least the least number of one of them; 0 when none had a number
     */
    public record Discarded(int count, long least) {}

    /**
     * Returns whether as many tasks or bytes wait as a peer may have, the server's own tasks included. No other
     * connection may add to a full mailbox.
     */
    public boolean isFull() {
        lock.lock();
        try {
            return tasks != null && (tasks.size() >= maxTasks || size >= maxSize);
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether tasks wait for their turn by the rate limit, not for slow handlers. */
    public boolean isHeld() {
        lock.lock();
        try {
            return hold != null;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Begins a peer's task that can no longer be undone; called in the task. Returns false when the task was dropped,
     * and must do nothing more. A task that has begun is not dropped.
     */
    public boolean begin() {
        Task taken = current;
        return taken == null || (!isDropped() && CURRENT.compareAndSet(this, taken, null));
    }

    @SuppressWarnings("ReferenceEquality") // A marker object.
    private boolean isDropped() {
        return current == DROPPED;
    }

    /**
     * Lets the mailbox wait for a stage, without a thread, and then run {@code then} before all other tasks. Called in
     * a task, at most once, and before the task {@linkplain #begin begins}. Tasks that wait meanwhile count against the
     * mailbox's bounds.
     */
    public void await(CompletionStage<?> stage, Runnable then) {
        pause = new Pause(stage, then);
    }

    private boolean add(Task task, boolean bounded) {
        lock.lock();
        try {
            Deque<Task> waiting = tasks == null ? new ArrayDeque<>() : tasks;
            boolean isFull = offered >= maxTasks || (size + task.cost > maxSize && offered > 0);
            if (bounded && isFull) {
                return false;
            }
            tasks = waiting;
            waiting.add(task);
            count(task);
        } finally {
            lock.unlock();
        }
        return true;
    }

    @GuardedBy("lock")
    private void count(Task task) {
        offered += task.seq == POSTED ? 0 : 1;
        size += task.cost;
    }

    @GuardedBy("lock")
    private void forget(Task task) {
        offered -= task.seq == POSTED ? 0 : 1;
        size -= task.cost;
    }

    /** Runs the waiting tasks, unless that is scheduled already. */
    public void wake() {
        if (scheduled) {
            return;
        }
        lock.lock();
        try {
            if (tasks == null || scheduled) {
                return;
            }
            scheduled = true;
        } finally {
            lock.unlock();
        }
        threads.execute(user, this);
    }

    /**
     * Runs an action after all tasks that wait or run now: at once when there are none, else as a task. A task that the
     * rate limit holds asks for its turn again.
     */
    public void whenPassed(Runnable action) {
        boolean isIdle;
        lock.lock();
        try {
            isIdle = tasks == null;
            if (!isIdle) {
                enqueue(action);
                endHold();
            }
        } finally {
            lock.unlock();
        }
        if (isIdle) {
            action.run();
        } else {
            wake();
        }
    }

    /** Returns whether this thread runs a task of the mailbox. */
    public boolean isRunningHere() {
        return runner == Thread.currentThread();
    }

    /** Returns whether no task waits and none runs. */
    public boolean isIdle() {
        lock.lock();
        try {
            return tasks == null;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Runs waiting tasks for one turn. After any failure another run follows, so the mailbox never stays scheduled
     * without one.
     */
    @Override
    public void run() {
        boolean goesOn = true;
        try {
            goesOn = runTurn();
        } catch (Throwable failure) {
            // For example no memory to put a task back. The mailbox is not idle then.
            Steps.log(LOG, "a mailbox failed", failure);
        }
        if (goesOn) {
            runner = null;
            threads.execute(user, this);
        }
    }

    /** Runs up to {@link #TURN} tasks. Returns whether more wait for another turn. */
    private boolean runTurn() {
        Bursts.Burst burst = null;
        runner = Thread.currentThread();
        try {
            for (int ran = 0; ran < TURN; ran++) {
                Task next = take();
                if (next == null) {
                    return false;
                }
                boolean hasMore = burstGoesOn;
                if (burst == null && (hasMore || Bursts.isUnderWay())) {
                    burst = beginBurst();
                }
                if (burst != null) {
                    burst.hasMore(hasMore && ran < TURN - 1);
                }
                long wait = untilTurn(next);
                if (wait > 0 && hold(next, wait)) {
                    return false;
                }
                if (!run(next)) {
                    return false;
                }
            }
            return true;
        } finally {
            if (burst != null) {
                end(burst);
            }
        }
    }

    private Bursts.@Nullable Burst beginBurst() {
        try {
            return bursts.begin();
        } catch (Throwable failure) {
            // For example out of memory. What the task publishes is then flushed at once.
            Steps.log(LOG, "a burst failed", failure);
            return null;
        }
    }

    private static void end(Bursts.Burst burst) {
        try {
            burst.end();
        } catch (Throwable failure) {
            // The mailbox may be idle already, so this must not schedule it again.
            Steps.log(LOG, "a burst failed", failure);
        }
    }

    private static long untilTurn(Task task) {
        try {
            return task.turn.take();
        } catch (Throwable failure) {
            // For example no memory for its bucket. The message is then handled.
            Steps.log(LOG, "a rate limit failed", failure);
            return 0;
        }
    }

    /** Runs a task. Returns false when it waits for a stage; the mailbox continues when the stage completes. */
    private boolean run(Task task) {
        try {
            task.action.run();
        } catch (Throwable failure) {
            // A failed task must not stop the session's other tasks.
            Steps.log(LOG, "a task of a session failed", failure);
        } finally {
            // A handler that was interrupted, or interrupts itself, must not disturb the next one.
            Thread.interrupted();
        }
        Pause begun = pause;
        pause = null;
        if (begun == null) {
            return true;
        }
        if (!setPaused(task)) {
            return true;
        }
        begun.stage.whenComplete((value, failure) -> {
            if (endPause(task, begun.then)) {
                threads.execute(user, this);
            }
        });
        return false;
    }

    /** Makes the mailbox wait with this task. Returns false when the task was dropped. */
    private boolean setPaused(Task task) {
        lock.lock();
        try {
            if (isDropped()) {
                return false;
            }
            current = null;
            paused = task;
            runner = null;
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Resumes a task that waited for its stage. Returns false when it was dropped meanwhile. */
    @SuppressWarnings("ReferenceEquality") // It is this very task that waits.
    private boolean endPause(Task task, Runnable then) {
        lock.lock();
        try {
            if (paused != task) {
                return false;
            }
            paused = null;
            putBack(new Task(0, task.seq, AT_ONCE, then));
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Takes the next task. Returns null, and leaves the mailbox idle, when there is none. */
    private @Nullable Task take() {
        lock.lock();
        try {
            Task next = urgent != null ? urgent : tasks == null ? null : tasks.poll();
            urgent = null;
            CURRENT.lazySet(this, next == null || next.seq == POSTED ? null : next);
            if (next != null) {
                forget(next);
                burstGoesOn = !Objects.requireNonNull(tasks).isEmpty();
                return next;
            }
            tasks = null;
            scheduled = false;
            runner = null;
            return null;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Puts back a task whose turn has not come, and continues after this time. No thread is held until then. Returns
     * false when the task was dropped after it was taken.
     */
    private boolean hold(Task task, long nanos) {
        lock.lock();
        try {
            if (isDropped()) {
                task.turn.giveBack();
                return false;
            }
            current = null;
            putBack(task);
            holds++;
            int number = holds;
            hold = scheduler.schedule(Duration.ofNanos(nanos), () -> release(number));
            return true;
        } catch (Throwable failure) {
            // For example no memory for a timer. The task then asks for its turn again at once.
            Steps.log(LOG, "a message that waits for its turn has no timer", failure);
        } finally {
            lock.unlock();
        }
        threads.execute(user, this);
        return true;
    }

    /** Continues with a held task, unless its hold has ended already. */
    private void release(int number) {
        lock.lock();
        try {
            if (hold == null || holds != number) {
                return;
            }
            hold = null;
        } finally {
            lock.unlock();
        }
        threads.execute(user, this);
    }

    private void putBack(Task task) {
        lock.lock();
        try {
            // No other thread takes a task meanwhile.
            Objects.requireNonNull(tasks).addFirst(task);
            runner = null;
            count(task);
        } finally {
            lock.unlock();
        }
    }

    private record Pause(CompletionStage<?> stage, Runnable then) {}

    /**
     * A waiting task.
     *
     * @param seq the client's number of the message; 0 for none
     */
    private record Task(int cost, long seq, Turn turn, Runnable action) {}
}
