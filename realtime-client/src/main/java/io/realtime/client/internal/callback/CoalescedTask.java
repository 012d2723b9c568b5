package io.realtime.client.internal.callback;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/** A task that is posted to another thread only once while it waits there. Safe for use by many threads. */
public final class CoalescedTask {
    private final Consumer<Runnable> thread;
    private final Runnable task;
    private final AtomicBoolean isPosted = new AtomicBoolean();

    /** @param thread posts a task to the thread */
    public CoalescedTask(Consumer<Runnable> thread, Runnable task) {
        this.thread = thread;
        this.task = task;
    }

    /** Posts the task unless it waits already. It runs at least once after this call. */
    public void post() {
        if (!isPosted.compareAndSet(false, true)) {
            return;
        }
        boolean isTaken = false;
        try {
            thread.accept(() -> {
                // First, since the task may miss what is posted from now on.
                isPosted.set(false);
                task.run();
            });
            isTaken = true;
        } finally {
            if (!isTaken) {
                isPosted.set(false);
            }
        }
    }
}
