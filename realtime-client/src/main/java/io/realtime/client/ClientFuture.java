package io.realtime.client;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A future that the callback executor completes. Waiting for it there can never succeed, so it fails at once and says what
 * to do; the same for what is derived from it. Cancelling it gives up what was asked.
 */
final class ClientFuture<T> extends CompletableFuture<T> {
    private final SerialExecutor callbacks;
    private volatile @Nullable Runnable onCancel;

    ClientFuture(SerialExecutor callbacks) {
        this.callbacks = callbacks;
    }

    /** Sets what gives up what was asked; runs on the thread that cancels. */
    void onCancel(Runnable action) {
        onCancel = action;
        if (isCancelled()) { // it came before this
            action.run();
        }
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
        boolean wasDone = isDone();
        boolean isCancelled = super.cancel(mayInterruptIfRunning);
        Runnable action = onCancel;
        if (isCancelled && !wasDone && action != null) {
            action.run();
        }
        return isCancelled;
    }

    @Override
    public T get() throws InterruptedException, ExecutionException {
        requireOtherThread();
        return super.get();
    }

    @Override
    public T get(long timeout, TimeUnit unit) throws InterruptedException, ExecutionException, TimeoutException {
        requireOtherThread();
        return super.get(timeout, unit);
    }

    @Override
    public T join() {
        requireOtherThread();
        return super.join();
    }

    private void requireOtherThread() {
        if (!isDone() && callbacks.isRunningHere()) {
            throw new IllegalStateException("a callback of the client waits for a future that only the client's next"
                    + " callback completes: use thenAccept or whenComplete instead of get or join");
        }
    }

    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
        return new ClientFuture<>(callbacks);
    }
}
