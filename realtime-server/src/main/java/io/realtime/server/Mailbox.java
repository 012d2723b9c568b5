package io.realtime.server;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs one session's tasks one at a time, in order, on a shared executor. Bounded: by count and by the size of what
 * waits. A mailbox with nothing to do holds no thread.
 */
final class Mailbox implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(Mailbox.class);
    private static final Turn AT_ONCE = () -> 0;
    private static final int TURN = 64; // tasks, then another session's turn

    private final Pool threads;
    private final String user;
    private final Scheduler scheduler;
    private final Bursts bursts;
    private final int maxTasks;
    private final int maxSize;
    private final ReentrantLock lock;
    private @Nullable Deque<Task> tasks; // guarded by lock; null when none waits and none runs
    private int size; // guarded by lock
    private volatile boolean scheduled; // written under lock; whoever has added a task and reads true is served
    private boolean burstGoesOn; // the running thread's: another task waited when it took the last
    private @Nullable Runnable onIdle; // guarded by lock: while the server closes
    private boolean isHeld; // guarded by lock: the next task waits for its turn by the rate limit
    private @Nullable Pause pause; // the running thread's: what its task waits for

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
            int maxSize,
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
    }

    /** Takes what a peer asks for; false, without taking it, when the mailbox is full. */
    boolean offer(int cost, Turn turn, Runnable task) {
        return add(new Task(cost, turn, task), true);
    }

    /** Takes what the server itself has to say, full or not: the few steps of a session's life. */
    void post(Runnable task) {
        add(new Task(0, AT_ONCE, task), false);
    }

    /** Returns whether nothing more is taken from a peer. */
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
            return isHeld;
        } finally {
            lock.unlock();
        }
    }

    /**
     * In a task, at most once: has the mailbox wait for a stage, without a thread, and then run {@code then} before all else.
     * What waits meanwhile counts against the mailbox's bounds.
     */
    void await(CompletionStage<?> stage, Runnable then) {
        pause = new Pause(stage, then);
    }

    private boolean add(Task task, boolean bounded) {
        lock.lock();
        try {
            Deque<Task> waiting = tasks == null ? new ArrayDeque<>() : tasks;
            boolean isFull = waiting.size() >= maxTasks || ((long) size + task.cost > maxSize && !waiting.isEmpty());
            if (bounded && isFull) {
                return false;
            }
            tasks = waiting;
            waiting.add(task);
            size += task.cost;
        } finally {
            lock.unlock();
        }
        if (!lock
                .isHeldByCurrentThread()) { // else its owner wakes it afterwards: the executor may be the application's
            wake();
        }
        return true;
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

    /** Runs an action when nothing waits and nothing runs: now, or on the thread that has run the last task. */
    void whenIdle(Runnable action) {
        lock.lock();
        try {
            if (tasks != null) {
                onIdle = action;
                return;
            }
        } finally {
            lock.unlock();
        }
        action.run();
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
            LOG.error("a mailbox failed", failure);
        }
        if (goesOn) {
            threads.execute(user, this);
        }
    }

    /** Returns whether more waits for another turn. */
    private boolean runTurn() {
        Bursts.Burst burst = null;
        try {
            for (int ran = 0; ran < TURN; ran++) {
                Task next = take();
                if (next == null) {
                    return false;
                }
                boolean hasMore = burstGoesOn;
                if (burst == null && (hasMore || Bursts.isUnderWay())) {
                    burst = begin();
                }
                if (burst != null) {
                    burst.hasMore(hasMore && ran < TURN - 1);
                }
                long wait = untilTurn(next);
                if (wait > 0) {
                    hold(next, wait);
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

    private Bursts.@Nullable Burst begin() {
        try {
            return bursts.begin();
        } catch (Throwable failure) { // no memory, say: what the task publishes leaves at once
            LOG.error("a burst failed", failure);
            return null;
        }
    }

    private static void end(Bursts.Burst burst) {
        try {
            burst.end();
        } catch (Throwable failure) { // the mailbox may be at rest already: this must not have it run twice
            LOG.error("a burst failed", failure);
        }
    }

    private static long untilTurn(Task task) {
        try {
            return task.turn.take();
        } catch (Throwable failure) { // no memory for its bucket, say: the message is handled
            LOG.error("a rate limit failed", failure);
            return 0;
        }
    }

    /** Runs a task; false when it waits for a stage, and the mailbox goes on then. */
    private boolean run(Task task) {
        try {
            task.action.run();
        } catch (Throwable failure) { // one task's failure must not stop the session's others
            LOG.error("a task of a session failed", failure);
        }
        Pause begun = pause;
        pause = null;
        if (begun == null) {
            return true;
        }
        begun.stage.whenComplete((value, failure) -> {
            putBack(new Task(0, AT_ONCE, begun.then));
            threads.execute(user, this);
        });
        return false;
    }

    /** Takes the next task; null, and the mailbox at rest, when there is none. */
    private @Nullable Task take() {
        Runnable told;
        lock.lock();
        try {
            Task next = tasks == null ? null : tasks.poll();
            if (next != null) {
                size -= next.cost;
                burstGoesOn = !Objects.requireNonNull(tasks).isEmpty();
                return next;
            }
            tasks = null;
            scheduled = false;
            told = onIdle;
            onIdle = null;
        } finally {
            lock.unlock();
        }
        if (told != null) {
            told.run();
        }
        return null;
    }

    /** Puts a task back whose turn has not come, and goes on after a time; until then no thread is held. */
    private void hold(Task task, long nanos) {
        lock.lock();
        try {
            isHeld = true;
        } finally {
            lock.unlock();
        }
        putBack(task);
        try {
            scheduler.schedule(Duration.ofNanos(nanos), this::release);
        } catch (Throwable failure) { // no memory for a timer, say: asks again at once
            LOG.error("a message that waits for its turn has no timer", failure);
            release();
        }
    }

    /** Goes on with a task that was held. */
    private void release() {
        lock.lock();
        try {
            isHeld = false;
        } finally {
            lock.unlock();
        }
        threads.execute(user, this);
    }

    private void putBack(Task task) {
        lock.lock();
        try {
            Objects.requireNonNull(tasks).addFirst(task); // nobody else takes meanwhile
            size += task.cost;
        } finally {
            lock.unlock();
        }
    }

    private record Pause(CompletionStage<?> stage, Runnable then) {}

    private record Task(int cost, Turn turn, Runnable action) {}
}
