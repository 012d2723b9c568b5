package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

class TestEnvironmentTest {
    private final TestEnvironment environment = new TestEnvironment();
    private final List<String> closed = new ArrayList<>();

    @Test
    void awaitMovesTheTimeUntilTheStageIsComplete() {
        CompletableFuture<String> later = new CompletableFuture<>();
        environment.time().schedule(Duration.ofSeconds(3), () -> later.complete("done"));
        assertEquals("done", environment.await(later));
        assertEquals(Duration.ofSeconds(3).toNanos(), environment.time().nanoTime());
    }

    @Test
    void awaitOfAFailedStageThrowsItsFailure() {
        IOException cause = new IOException("disk");
        CompletionException thrown =
                assertThrows(CompletionException.class, () -> environment.await(CompletableFuture.failedFuture(cause)));
        assertSame(cause, thrown.getCause());
    }

    @Test
    void awaitOfWhatNeverCompletesFailsAfterAMinute() {
        CompletableFuture<String> never = new CompletableFuture<>();
        assertThrows(AssertionError.class, () -> environment.await(never));
        assertEquals(Duration.ofMinutes(1).toNanos(), environment.time().nanoTime());
    }

    @Test
    void closeClosesTheLastFirst() {
        environment.autoClose(() -> closed.add("server"));
        environment.autoClose(() -> closed.add("client"));
        environment.close();
        assertEquals(List.of("client", "server"), closed);
    }

    @Test
    void closeClosesTheRestWhenOneFails() {
        IOException cause = new IOException("busy");
        environment.autoClose(() -> closed.add("server"));
        environment.autoClose(() -> {
            throw cause;
        });
        AssertionError thrown = assertThrows(AssertionError.class, environment::close);
        assertSame(cause, thrown.getSuppressed()[0]);
        assertEquals(List.of("server"), closed);
    }

    @Test
    void closeClosesTheRestWhenOneThrowsAnError() {
        AssertionError cause = new AssertionError("what the test asserts at its end");
        environment.autoClose(() -> closed.add("server"));
        environment.autoClose(() -> {
            throw cause;
        });
        AssertionError thrown = assertThrows(AssertionError.class, environment::close);
        assertSame(cause, thrown.getSuppressed()[0]);
        assertEquals(List.of("server"), closed);
    }

    @Test
    void closeFailsWhenSomethingIsStillOpen() {
        environment.time().schedule(Duration.ofHours(1), () -> {});
        AssertionError thrown = assertThrows(AssertionError.class, environment::close);
        assertTrue(String.valueOf(thrown.getMessage()).startsWith("1 tasks are left"), thrown::toString);
    }
}
