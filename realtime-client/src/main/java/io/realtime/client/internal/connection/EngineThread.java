package io.realtime.client.internal.connection;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The scheduler's thread, to which all other threads post. A call of the application waits there with its future. When
 * the client ends, the futures of all calls that wait fail. Safe for use by many threads.
 */
final class EngineThread {
    /** How many calls of the application may wait; the next fails with {@code overloaded}. */
    private static final int MOST_CALLS = 10_000;

    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    // Calls that wait for the thread.
    private final Set<Call> calls = ConcurrentHashMap.newKeySet();
    // The size of calls.
    private final AtomicInteger count = new AtomicInteger();
    private volatile boolean terminated;

    EngineThread(Scheduler scheduler, CallbackDispatcher callbacks) {
        this.scheduler = scheduler;
        this.callbacks = callbacks;
    }

    /** Runs a task on the scheduler's thread. */
    void post(Runnable task) {
        try {
            scheduler.schedule(Duration.ZERO, task);
        } catch (RuntimeException | Error refusal) {
            if (!terminated) {
                // If the client is terminated, nothing is left to do.
                throw refusal;
            }
        }
    }

    /**
     * Runs a task that completes a future. Fails the future when the task cannot run any more.
     *
     * @return false when the future had failed before, or fails now because too many calls wait
     */
    boolean call(CompletableFuture<?> result, Runnable task) {
        if (result.isDone()) {
            return false;
        }
        if (count.incrementAndGet() > MOST_CALLS) {
            count.decrementAndGet();
            String why = MOST_CALLS + " calls wait for the client's thread";
            result.completeExceptionally(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
            return false;
        }
        Call mine = new Call(result, task);
        calls.add(mine);
        try {
            post(mine);
        } catch (RuntimeException | Error refusal) {
            boolean unused = remove(mine);
            throw refusal;
        }
        if (terminated && remove(mine)) {
            // The end of the client may have missed the task.
            result.completeExceptionally(closed());
        }
        return true;
    }

    private boolean remove(Call call) {
        boolean isMine = calls.remove(call);
        if (isMine) {
            count.decrementAndGet();
        }
        return isMine;
    }

    /** Ends the client; no task that is posted from now on has an effect. */
    void terminate() {
        terminated = true;
    }

    /** Returns true if the client has ended. */
    boolean isTerminated() {
        return terminated;
    }

    /** Fails the calls that wait: the scheduler may not run them any more. */
    void failCalls() {
        Steps.each(calls, Call::fail);
    }

    static RealtimeException closed() {
        return new RealtimeException(ErrorCode.CLOSED, "the client is closed");
    }

    /** A task that was posted and has not begun, and the future that waits for it. */
    private final class Call implements Runnable {
        private final CompletableFuture<?> result;
        private final Runnable task;

        Call(CompletableFuture<?> result, Runnable task) {
            this.result = result;
            this.task = task;
        }

        @Override
        public void run() {
            if (terminated) {
                fail();
            } else if (remove(this)) {
                try {
                    task.run();
                } catch (Throwable failure) {
                    // A bound was reached or the scheduler failed: the caller must know.
                    callbacks.fail(result, failure);
                }
            }
        }

        void fail() {
            if (remove(this)) {
                callbacks.fail(result, closed());
            }
        }
    }
}
