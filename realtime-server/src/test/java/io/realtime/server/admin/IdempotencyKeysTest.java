package io.realtime.server.admin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonPrimitive;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class IdempotencyKeysTest {
    private final IdempotencyKeys keys = new IdempotencyKeys();
    private int runs;

    private Answer run() {
        runs++;
        return Answer.json(200, new JsonPrimitive(runs));
    }

    private String once(String key) throws Problem, IOException {
        return keys.once(key, "request", this::run).body();
    }

    @Test
    void oldestKeyIsForgottenBeyondTheBound() throws Exception {
        for (int i = 0; i < IdempotencyKeys.MOST; i++) {
            once("k" + i);
        }
        assertEquals("1", once("k0"));
        once("one more");
        assertEquals("2", once("k1"), "kept");
        assertEquals(IdempotencyKeys.MOST + 2, Integer.parseInt(once("k0")), "forgotten, and run again");
    }

    @Test
    void failedRequestMayBeRepeated() throws Exception {
        assertThrows(
                Problem.class,
                () -> keys.once("k", "request", () -> {
                    throw new Problem(503, "overloaded", "not now");
                }));
        assertEquals("1", once("k"));
    }

    @Test
    void requestThatRunsIsNotRunTwice() throws Exception {
        keys.once("k", "request", () -> {
            Problem busy = assertThrows(Problem.class, () -> once("k"));
            assertEquals(409, busy.status);
            return run();
        });
        assertEquals(1, runs);
    }
}
