package io.realtime.client.internal.connection;

import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.internal.SystemScheduler;
import io.realtime.spi.Scheduler;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The threads of a client: the application's scheduler and callback executor, or its own, which end with the client.
 * Safe for use by many threads.
 */
public final class ClientThreads {
    private final Scheduler scheduler;
    private final Executor callbacks;
    private final @Nullable SystemScheduler ownScheduler;
    private final @Nullable ThreadPoolExecutor ownCallbacks;

    /**
     * @param scheduler the application's, or null
     * @param callbacks the application's, or null
     * @param substitute runs the callbacks that come after the client's own thread has ended
     */
    public ClientThreads(@Nullable Scheduler scheduler, @Nullable Executor callbacks, Executor substitute) {
        this.ownScheduler = scheduler == null ? new SystemScheduler("realtime-client") : null;
        this.ownCallbacks = callbacks == null ? callbackThread(substitute) : null;
        this.scheduler = ownScheduler != null ? ownScheduler : Objects.requireNonNull(scheduler);
        this.callbacks = ownCallbacks != null ? ownCallbacks : Objects.requireNonNull(callbacks);
    }

    /** Returns the scheduler. */
    public Scheduler scheduler() {
        return scheduler;
    }

    /** Returns the executor of the callbacks. */
    public Executor callbacks() {
        return callbacks;
    }

    /** Ends the client's own threads, the one of callbacks after all that wait. */
    public void release(CallbackDispatcher dispatcher) {
        if (ownScheduler != null) {
            ownScheduler.close();
        }
        if (ownCallbacks != null) {
            // As a callback, so that it comes after all that wait.
            dispatcher.execute(ownCallbacks::shutdown);
        }
    }

    /** Waits until the client's own scheduler has ended. */
    public void awaitEnd() {
        if (ownScheduler != null) {
            ownScheduler.awaitEnd();
        }
    }

    /**
     * Returns an executor with one daemon thread, which ends after 10 s without work.
     *
     * @param afterwards runs the tasks that come after the thread has ended with its client
     */
    public static ThreadPoolExecutor callbackThread(Executor afterwards) {
        ThreadFactory threads = task -> {
            Thread thread = new Thread(task, "realtime-client-callbacks");
            thread.setDaemon(true);
            return thread;
        };
        return new ThreadPoolExecutor(
                0,
                1,
                10,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                threads,
                (task, ended) -> afterwards.execute(task));
    }
}
