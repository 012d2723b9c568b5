package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.internal.RetryingExecutor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class RetryingExecutorTest {
    private final ManualScheduler time = new ManualScheduler();
    private final List<String> ran = new ArrayList<>();
    private int attempts;
    private int free = Integer.MAX_VALUE;
    private final Executor bounded = task -> {
        attempts++;
        if (free == 0) {
            throw new RejectedExecutionException("expected in the log");
        }
        free--;
        task.run();
    };
    private final RetryingExecutor executor = new RetryingExecutor("test", bounded, time);

    @Test
    void refusedTasksStartLaterInOrder() {
        free = 0;
        executor.execute(() -> ran.add("a"));
        executor.execute(() -> ran.add("b"));
        assertEquals(2, executor.waiting());
        free = 10;
        time.advance(Duration.ofMillis(9));
        assertEquals(List.of(), ran);
        time.advance(Duration.ofMillis(1));
        assertEquals(List.of("a", "b"), ran);
        assertEquals(0, executor.waiting());
        assertEquals(2, executor.refused());
    }

    @Test
    void laterTaskStartsWhatWasRefusedBefore() {
        free = 0;
        executor.execute(() -> ran.add("a"));
        free = 10;
        executor.execute(() -> ran.add("b"));
        assertEquals(List.of("a", "b"), ran);
    }

    @Test
    void retriesBackOffToOneEachSecond() {
        free = 0;
        executor.execute(() -> ran.add("a"));
        time.advance(Duration.ofMinutes(1));
        assertEquals(1, attempts / 60, attempts + " attempts in a minute");
        assertEquals(1, time.pending());
        free = 1;
        time.advance(Duration.ofSeconds(1));
        assertEquals(List.of("a"), ran);
        assertEquals(0, time.pending());
    }

    @Test
    void failingTaskIsNoRefusal() {
        executor.execute(() -> {
            throw new RejectedExecutionException("expected in the log");
        });
        assertEquals(0, executor.refused());
        time.advance(Duration.ofSeconds(1));
        assertEquals(1, attempts);
    }

    @Test
    void whatIsRefusedAfterTheEndRunsOnItsCaller() {
        free = 0;
        executor.execute(() -> ran.add("a"));
        executor.stop();
        assertEquals(List.of("a"), ran);
        executor.execute(() -> ran.add("b"));
        assertEquals(List.of("a", "b"), ran);
        free = 10;
        time.advance(Duration.ofSeconds(2));
        executor.execute(() -> ran.add("c"));
        assertEquals(List.of("a", "b", "c"), ran);
    }
}
