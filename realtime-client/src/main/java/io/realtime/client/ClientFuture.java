package io.realtime.client;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A future that the callback executor completes. Waiting for it there can never succeed, so it fails at once and says what
 * to do; the same for what is derived from it. Cancelling it gives up what was asked, unless
 * the outcome is decided, and only a callback is yet to tell it: then {@code cancel} returns false.
 */
final class ClientFuture<T> extends CompletableFuture<T> {
    private final SerialExecutor callbacks;
    private volatile @Nullable BooleanSupplier withdrawal;

    ClientFuture(SerialExecutor callbacks) {
        this.callbacks = callbacks;
    }

    /** Sets what withdraws what was asked, or returns false when its outcome is decided; runs on the thread that cancels. */
    void onCancel(BooleanSupplier action) {
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

    /** What was asked may be a long message, and the application may keep what has become of it. */
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
