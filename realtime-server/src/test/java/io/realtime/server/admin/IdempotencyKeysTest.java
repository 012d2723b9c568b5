package io.realtime.server.admin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonPrimitive;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class IdempotencyKeysTest {
    private final IdempotencyKeys keys = new IdempotencyKeys();
    private int runs;

    private CompletableFuture<Answer> run() {
        runs++;
        return CompletableFuture.completedFuture(Answer.json(200, new JsonPrimitive(runs)));
    }

    private String once(String key) throws Problem {
        return keys.once(key, "request", this::run).join().body();
    }

    private CompletableFuture<Answer> begin(CompletableFuture<Answer> answer) throws Problem {
        return keys.once("k", "request", () -> answer);
    }

    private void assertRuns(String key) {
        assertEquals(409, assertThrows(Problem.class, () -> once(key)).status);
    }

    @Test
    void oldestKeyIsForgottenBeyondTheBound() throws Problem {
        for (int i = 0; i < IdempotencyKeys.MOST; i++) {
            once("k" + i);
        }
        assertEquals("1", once("k0"));
        once("one more");
        assertEquals("2", once("k1"), "kept");
        assertEquals(IdempotencyKeys.MOST + 2, Integer.parseInt(once("k0")), "forgotten, and run again");
    }

    @Test
    void failedRequestMayBeRepeated() throws Problem {
        IllegalStateException failure = new IllegalStateException("not now");
        assertThrows(
                IllegalStateException.class,
                () -> keys.once("k", "request", () -> {
                    throw failure;
                }));
        assertTrue(begin(CompletableFuture.failedFuture(failure)).isCompletedExceptionally());
        CompletableFuture<Answer> later = new CompletableFuture<>();
        CompletableFuture<Answer> begun = begin(later);
        later.completeExceptionally(failure);
        assertTrue(begun.isCompletedExceptionally());
        assertEquals("1", once("k"));
    }

    @Test
    void requestThatRunsIsNotRunTwice() throws Problem {
        CompletableFuture<Answer> later = new CompletableFuture<>();
        CompletableFuture<Answer> begun = keys.once("k", "request", () -> {
            assertRuns("k");
            return later;
        });
        assertRuns("k");
        later.complete(Answer.NO_CONTENT);
        assertEquals(204, begun.join().status());
        assertEquals("", once("k"));
        assertEquals(0, runs);
    }

    @Test
    void evictedRequestThatFailsLeavesTheNextOneWithItsKey() throws Problem {
        CompletableFuture<Answer> evicted = new CompletableFuture<>();
        CompletableFuture<Answer> first = begin(evicted);
        for (int i = 0; i < IdempotencyKeys.MOST; i++) {
            once("other" + i);
        }
        CompletableFuture<Answer> second = begin(new CompletableFuture<>());
        evicted.completeExceptionally(new IllegalStateException("too late"));
        assertTrue(first.isCompletedExceptionally());
        assertFalse(second.isDone());
        assertRuns("k");
    }
}
