package io.realtime.client.internal.callback;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A future that the callback executor completes. Waiting for it on that executor can never succeed. So it fails there
 * at once, with a message that says what to do instead. The same holds for futures derived from it. Cancelling it gives
 * up what was asked, unless the outcome is decided and only its callback has not run yet: then {@code cancel} returns
 * false.
 */
public final class ClientFuture<T> extends CompletableFuture<T> {
    private final SerialExecutor callbacks;
    private volatile @Nullable BooleanSupplier withdrawal;

    ClientFuture(SerialExecutor callbacks) {
        this.callbacks = callbacks;
    }

    /**
     * Sets the action that withdraws what was asked. The action returns false when the outcome is decided, and runs on
     * the thread that cancels.
     */
    public void onCancel(BooleanSupplier action) {
        withdrawal = action;
        if (isDone()) {
            withdrawal = null;
        }
    }

    @Override
    public boolean complete(@Nullable T value) {
        return forget(super.complete(value));
    }

    @Override
    public boolean completeExceptionally(Throwable failure) {
        return forget(super.completeExceptionally(failure));
    }

    /** Releases the withdrawal: it may hold a long message, and the application may keep the future. */
    private boolean forget(boolean isDoneNow) {
        withdrawal = null;
        return isDoneNow;
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
        BooleanSupplier action = withdrawal;
        boolean isTooLate = !isDone() && action != null && !action.getAsBoolean();
        return isTooLate ? isCancelled() : forget(super.cancel(mayInterruptIfRunning));
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
