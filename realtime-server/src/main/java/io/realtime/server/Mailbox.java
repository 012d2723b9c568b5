package io.realtime.server;

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
 * Runs one session's tasks one at a time, in order, on a shared executor. What waits of a peer's is bounded by count and by
 * size. A mailbox with nothing to do holds no thread.
 */
final class Mailbox implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(Mailbox.class);
    static final Turn AT_ONCE = () -> 0;
    private static final int TURN = 64; // tasks, then another session's turn
    private static final long POSTED = -1; // in place of a number: the server's own
    private static final Task DROPPED = new Task(0, POSTED, AT_ONCE, () -> {}); // in place of the current task
    private static final AtomicReferenceFieldUpdater<Mailbox, @Nullable Task> CURRENT =
            AtomicReferenceFieldUpdater.newUpdater(Mailbox.class, Task.class, "current");

    private final Pool threads;
    private final String user;
    private final Scheduler scheduler;
    private final Bursts bursts;
    private final int maxTasks;
    private final long maxSize;
    private final ReentrantLock lock;
    private @Nullable Deque<Task> tasks; // guarded by lock; null when none waits and none runs
    private int offered; // guarded by lock: of those that wait, the peer's
    private long size; // guarded by lock
    private volatile boolean scheduled; // written under lock; true: a task that was just added will be run
    private @Nullable Thread runner; // by its thread, cleared before another may run: no other ever reads itself
    private boolean burstGoesOn; // the running thread's: another task waited when it took the last
    private Scheduler.@Nullable Cancellable hold; // guarded by lock: the next task waits for its turn by the rate limit
    private int holds; // guarded by lock: the number of the newest hold, which its timer knows
    private @Nullable Pause pause; // the running thread's: what its task waits for
    private @Nullable Task paused; // guarded by lock: waits for its stage, and with it all others
    // A peer's task that was taken and has not begun, or DROPPED. Set under the lock; the running thread clears it.
    private volatile @Nullable Task current;

    /**
     * An empty mailbox.
     *
     * @param user whose tasks these are: owns the thread that they run on
     * @param lock what guards it: nothing is run under it
     */
    Mailbox(
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

    /** Says when a task may run. */
    @FunctionalInterface
    interface Turn {
        /** Takes the turn; or returns for how many nanoseconds to wait and ask again. */
        long take();

        /** Gives back what a task has taken that waits and will not run. Does nothing when it has taken nothing. */
        default void giveBack() {}
    }

    /** Takes what a peer asks for; false, without taking it, when the mailbox is full. */
    boolean offer(int cost, long seq, Turn turn, Runnable task) {
        boolean isTaken = add(new Task(cost, seq, turn, task), true);
        if (isTaken
                && !lock.isHeldByCurrentThread()) { // else its owner wakes it: the executor may be the application's
            wake();
        }
        return isTaken;
    }

    /** Takes what the server itself has to say, full or not: the few steps of a session's life. */
    void post(Runnable task) {
        enqueue(task);
        wake();
    }

    /** Like {@link #post}, for who holds a lock: {@link #wake} the mailbox when it is released. */
    void enqueue(Runnable task) {
        add(new Task(0, POSTED, AT_ONCE, task), false);
    }

    /**
     * Drops what peers ask for and no handler has begun with, a message that waits for its rule included. The server's own
     * tasks stay, and no rate limit holds them any more: {@link #wake} the mailbox afterwards.
     */
    Discarded drop() {
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
                    least = least == 0 ? task.seq : least; // they rise
                }
            }
        } finally {
            lock.unlock();
        }
        return new Discarded(count, least);
    }

    /** Under the lock: drops the task that was taken, or waits for its stage; null when it has begun, or there is none. */
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

    /** Under the lock: has what is held ask for its turn again, when it is woken. */
    private void endHold() {
        if (hold != null) {
            hold.cancel();
            hold = null;
            scheduled = false;
        }
    }

    /**
     * What was dropped.
     *
     * @param count how many messages
     * @param least the least number of one of them; 0 when none had one
     */
    record Discarded(int count, long least) {}

    /** Returns whether as much waits as a peer may have, the server's own tasks included: no further connection adds to it. */
    boolean isFull() {
        lock.lock();
        try {
            return tasks != null && (tasks.size() >= maxTasks || size >= maxSize);
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether what waits is held back by its turn, not by slow handlers. */
    boolean isHeld() {
        lock.lock();
        try {
            return hold != null;
        } finally {
            lock.unlock();
        }
    }

    /**
     * In a peer's task, before it does what cannot be undone: returns false when the task was dropped, and must do nothing
     * more. From then on it is not dropped any more.
     */
    boolean begin() {
        Task taken = current;
        return taken == null || (!isDropped() && CURRENT.compareAndSet(this, taken, null));
    }

    @SuppressWarnings("ReferenceEquality") // a mark
    private boolean isDropped() {
        return current == DROPPED;
    }

    /**
     * In a task, at most once and before it {@linkplain #begin begins}: has the mailbox wait for a stage, without a thread,
     * and then run {@code then} before all else. What waits meanwhile counts against the mailbox's bounds.
     */
    void await(CompletionStage<?> stage, Runnable then) {
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

    private void count(Task task) { // guarded by lock
        offered += task.seq == POSTED ? 0 : 1;
        size += task.cost;
    }

    private void forget(Task task) { // guarded by lock
        offered -= task.seq == POSTED ? 0 : 1;
        size -= task.cost;
    }

    /** Has what waits run, unless it does so already. */
    void wake() {
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
     * Runs an action behind all that waits and runs now, whatever comes meanwhile: at once when that is nothing, else as a
     * task. What is held by the rate limit asks for its turn again.
     */
    void whenPassed(Runnable action) {
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
    boolean isRunningHere() {
        return runner == Thread.currentThread();
    }

    /** Returns whether nothing waits and nothing runs. */
    boolean isIdle() {
        lock.lock();
        try {
            return tasks == null;
        } finally {
            lock.unlock();
        }
    }

    /** Runs what waits, for one turn. Whatever fails, the mailbox does not stay scheduled without a run to come. */
    @Override
    public void run() {
        boolean goesOn = true;
        try {
            goesOn = runTurn();
        } catch (Throwable failure) { // no memory to put a task back, say; the mailbox is not at rest then
            Steps.log(LOG, "a mailbox failed", failure);
        }
        if (goesOn) {
            runner = null;
            threads.execute(user, this);
        }
    }

    /** Returns whether more waits for another turn. */
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
        } catch (Throwable failure) { // no memory, say: what the task publishes leaves at once
            Steps.log(LOG, "a burst failed", failure);
            return null;
        }
    }

    private static void end(Bursts.Burst burst) {
        try {
            burst.end();
        } catch (Throwable failure) { // the mailbox may be at rest already: this must not have it run twice
            Steps.log(LOG, "a burst failed", failure);
        }
    }

    private static long untilTurn(Task task) {
        try {
            return task.turn.take();
        } catch (Throwable failure) { // no memory for its bucket, say: the message is handled
            Steps.log(LOG, "a rate limit failed", failure);
            return 0;
        }
    }

    /** Runs a task; false when it waits for a stage, and the mailbox goes on then. */
    private boolean run(Task task) {
        try {
            task.action.run();
        } catch (Throwable failure) { // one task's failure must not stop the session's others
            Steps.log(LOG, "a task of a session failed", failure);
        } finally {
            Thread.interrupted(); // a handler that was interrupted, or interrupts itself, must not disturb the next
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

    /** Has the mailbox wait with this task; false when it was dropped. */
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

    /** Resumes a task that waited for its stage; returns false when it was dropped meanwhile. */
    @SuppressWarnings("ReferenceEquality") // it is this very task that waits
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

    /** Takes the next task; null, and the mailbox at rest, when there is none. */
    private @Nullable Task take() {
        lock.lock();
        try {
            Task next = tasks == null ? null : tasks.poll();
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
     * Puts a task back whose turn has not come, and goes on after a time; until then no thread is held. False when it was
     * dropped since it was taken.
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
        } catch (Throwable failure) { // no memory for a timer, say: asks again at once
            Steps.log(LOG, "a message that waits for its turn has no timer", failure);
        } finally {
            lock.unlock();
        }
        threads.execute(user, this);
        return true;
    }

    /** Goes on with a task that was held, unless its hold has ended before. */
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
            Objects.requireNonNull(tasks).addFirst(task); // nobody else takes meanwhile
            runner = null;
            count(task);
        } finally {
            lock.unlock();
        }
    }

    private record Pause(CompletionStage<?> stage, Runnable then) {}

    /** @param seq the client's number of the message, 0 for none */
    private record Task(int cost, long seq, Turn turn, Runnable action) {}
}
