package io.realtime.server.internal.execution;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * An executor for what other executors reject at the end. It tells when all of that is done. Safe for use by many
 * threads.
 */
final class LastExecutor implements Executor {
    private final Executor executor;
    // Open tasks, plus one until idle is called.
    private final AtomicInteger open = new AtomicInteger(1);
    private final CompletableFuture<Void> idle = new CompletableFuture<>();

    LastExecutor(Executor executor) {
        this.executor = executor;
    }

    @Override
    public void execute(Runnable task) {
        open.incrementAndGet();
        boolean isTaken = false;
        try {
            executor.execute(() -> {
                try {
                    task.run();
                } finally {
                    ended();
                }
            });
            isTaken = true;
        } finally {
            if (!isTaken) {
                ended();
            }
        }
    }

    /** Returns a future that completes as soon as no task is left. Call it once. */
    CompletableFuture<Void> idle() {
        ended();
        return idle;
    }

    private void ended() {
        if (open.decrementAndGet() == 0) {
            idle.complete(null);
        }
    }
}
