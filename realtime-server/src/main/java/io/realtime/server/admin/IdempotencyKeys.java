package io.realtime.server.admin;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

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

    /** @param answer null while the request runs */
    private record Kept(String request, @Nullable Answer answer) {}

    /** A request with an effect. */
    @FunctionalInterface
    interface Action {
        Answer run() throws Problem, IOException;
    }

    /**
     * Runs a request, or returns the answer that its key got before.
     *
     * @param request a digest of the request
     * @throws Problem with 422 if the key was used for another request, and with 409 if the same request runs now
     */
    Answer once(String key, String request, Action action) throws Problem, IOException {
        Kept before;
        lock.lock();
        try {
            before = kept.putIfAbsent(key, new Kept(request, null));
        } finally {
            lock.unlock();
        }
        if (before != null) {
            return repeat(before, request);
        }
        Answer answer = null;
        try {
            answer = action.run();
            return answer;
        } finally {
            Kept done = answer == null ? null : new Kept(request, answer);
            lock.lock();
            try {
                // Not if it was evicted meanwhile.
                kept.computeIfPresent(key, (same, running) -> done);
            } finally {
                lock.unlock();
            }
        }
    }

    private static Answer repeat(Kept before, String request) throws Problem {
        if (!before.request.equals(request)) {
            throw new Problem(422, "key_reused", "the Idempotency-Key was used for another request");
        }
        if (before.answer == null) {
            throw new Problem(409, "in_progress", "a request with this Idempotency-Key runs");
        }
        return before.answer.with("Idempotency-Replayed", "true");
    }
}
