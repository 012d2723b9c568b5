package io.realtime.server.admin;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * The answers to requests with an {@code Idempotency-Key}: the newest 10,000, so that a request that is repeated has no
 * second effect. A request that failed may be repeated. Safe for use by many threads.
 */
final class IdempotencyKeys {
    static final int MOST = 10_000;

    // A leaf: no request runs while it is held.
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Map<String, Kept> kept = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Kept> eldest) {
            return size() > MOST;
        }
    };

    /**
     * A request. No two are equal, since each has a future of its own.
     *
     * @param answer not done while the request runs
     */
    private record Kept(String request, CompletableFuture<Answer> answer) {}

    /**
     * Runs a request, or returns the answer that its key got before. A key is taken until its request has failed, also
     * after its client was told that it takes too long: it may still succeed.
     *
     * @param request a digest of the request
     * @param action begins the request
     * @throws Problem with 422 if the key was used for another request, and with 409 if the same request runs now
     */
    CompletableFuture<Answer> once(String key, String request, Supplier<CompletableFuture<Answer>> action)
            throws Problem {
        Kept mine = new Kept(request, new CompletableFuture<>());
        Kept before;
        lock.lock();
        try {
            before = kept.putIfAbsent(key, mine);
        } finally {
            lock.unlock();
        }
        if (before != null) {
            return CompletableFuture.completedFuture(repeat(before, request));
        }
        CompletableFuture<Answer> running;
        try {
            running = action.get();
        } catch (RuntimeException | Error failure) {
            forget(key, mine);
            throw failure;
        }
        Steps.whenComplete(running, (answer, failure) -> {
            if (failure == null) {
                mine.answer.complete(Objects.requireNonNull(answer));
            } else {
                forget(key, mine);
                mine.answer.completeExceptionally(failure);
            }
        });
        return mine.answer;
    }

    /** Does nothing to a later request that has the key since this one was evicted. */
    private void forget(String key, Kept failed) {
        lock.lock();
        try {
            kept.remove(key, failed);
        } finally {
            lock.unlock();
        }
    }

    private static Answer repeat(Kept before, String request) throws Problem {
        if (!before.request.equals(request)) {
            throw new Problem(422, "key_reused", "the Idempotency-Key was used for another request");
        }
        if (!before.answer.isDone()) {
            throw new Problem(409, "in_progress", "a request with this Idempotency-Key runs");
        }
        return before.answer.join().with("Idempotency-Replayed", "true");
    }
}
