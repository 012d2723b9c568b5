package io.realtime.client.internal.callback;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** The callers that wait for one thing, each with its own future. Owned by the scheduler's thread. */
public final class Waiters<V> {
    /** How many callers may wait; the next fails with {@code overloaded}. */
    static final int MOST = 1_000;

    private final CallbackDispatcher callbacks;
    private final String awaited;
    private final List<Waiter<V>> waiting = new ArrayList<>(0);

    private record Waiter<V>(CompletableFuture<V> result, Scheduler.Cancellable timer) {}

    /**
     * Creates a list without callers.
     *
     * @param awaited what they wait for, as a failure names it
     */
    public Waiters(CallbackDispatcher callbacks, String awaited) {
        this.callbacks = callbacks;
        this.awaited = awaited;
    }

    /**
     * Adds a caller, or fails its future when too many wait.
     *
     * @param timer fails the future later; cancelled when the future has its outcome before
     */
    public void add(CompletableFuture<V> result, Scheduler.Cancellable timer) {
        if (isEmpty() || waiting.size() < MOST) {
            waiting.add(new Waiter<>(result, timer));
        } else {
            timer.cancel();
            String why = MOST + " callers wait for " + awaited;
            callbacks.fail(result, new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
        }
    }

    /** Returns true if nobody waits; callers that have given up do not count. */
    public boolean isEmpty() {
        forgetThoseWhoGaveUp();
        return waiting.isEmpty();
    }

    private void forgetThoseWhoGaveUp() {
        waiting.removeIf(waiter -> {
            boolean isOver = waiter.result.isDone();
            if (isOver) {
                waiter.timer.cancel();
            }
            return isOver;
        });
    }

    /** Fails only this caller. */
    public void fail(CompletableFuture<V> result, RealtimeException cause) {
        if (waiting.removeIf(waiter -> waiter.result == result)) {
            callbacks.fail(result, cause);
        }
    }

    public void fail(RealtimeException cause) {
        Steps.each(take(), waiter -> callbacks.fail(waiter.result, cause));
    }

    public void complete(@Nullable V value) {
        Steps.each(take(), waiter -> callbacks.execute(() -> waiter.result.complete(value)));
    }

    /** Moves all callers to another object. */
    public void moveTo(Waiters<V> other) {
        other.waiting.addAll(waiting);
        waiting.clear();
    }

    private List<Waiter<V>> take() {
        forgetThoseWhoGaveUp();
        List<Waiter<V>> all = new ArrayList<>(waiting);
        waiting.clear();
        Steps.each(all, waiter -> waiter.timer.cancel());
        return all;
    }
}
