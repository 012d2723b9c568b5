package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import io.realtime.internal.RetryingExecutor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

@Isolated("reads the log")
class RetryingExecutorTest {
    private final ManualScheduler time = new ManualScheduler();
    private final List<String> ran = new ArrayList<>();
    private final List<String> lines = new ArrayList<>();
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

    /** What the class logs while a test runs. */
    private List<LogRecord> logged(Runnable test) {
        List<LogRecord> records = new ArrayList<>();
        Handler recorder = new Handler() {
            @Override
            public void publish(LogRecord entry) {
                records.add(entry);
                if (entry.getThrown() != null) {
                    lines.add(entry.getThrown().toString()); // as every handler of a log does
                }
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        Logger log = Logger.getLogger(RetryingExecutor.class.getName());
        log.addHandler(recorder);
        try {
            test.run();
        } finally {
            log.removeHandler(recorder);
        }
        return records;
    }

    /** A pool that is full for an hour refuses thousands of times. */
    @Test
    void refusalsAreWarnedOfOnceAMinute() {
        free = 0;
        List<LogRecord> first = logged(() -> {
            for (int i = 0; i < 100; i++) {
                executor.execute(() -> ran.add("a"));
            }
            time.advance(Duration.ofSeconds(59));
        });
        assertEquals(1, first.size());
        assertEquals(Level.WARNING, first.get(0).getLevel());
        assertEquals(
                "test: the executor refused a task, 1 so far; it is started later",
                new SimpleFormatter().formatMessage(first.get(0)));
        assertInstanceOf(RejectedExecutionException.class, first.get(0).getThrown());
        List<LogRecord> later = logged(() -> time.advance(Duration.ofHours(1)));
        assertEquals(60, later.size());
        assertEquals(
                "test: the executor refused a task, 100 so far; it is started later",
                new SimpleFormatter().formatMessage(later.get(0)));
        free = 1_000;
        assertEquals(List.of(), logged(() -> time.advance(Duration.ofHours(1))));
        assertEquals(100, ran.size());
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
    void whatNoExecutorTakesAtTheEndRunsOnItsCaller() {
        free = 0;
        executor.execute(() -> ran.add("a"));
        executor.stop(bounded);
        executor.execute(() -> ran.add("b"));
        assertEquals(List.of("a", "b"), ran);
    }

    /** An exception is the application's code, too. */
    @Test
    void refusalThatCannotBeLoggedIsTriedAgain() {
        RejectedExecutionException unreadable = new RejectedExecutionException() {
            private static final long serialVersionUID = 1L;

            @Override
            public String getMessage() {
                throw new StackOverflowError("as the test wants");
            }
        };
        HeldExecutor taken = new HeldExecutor();
        RetryingExecutor second = new RetryingExecutor(
                "test",
                task -> {
                    if (free == 0) {
                        throw unreadable;
                    }
                    taken.execute(task);
                },
                time);
        free = 0;
        logged(() -> second.execute(() -> ran.add("a")));
        free = 1;
        time.advance(Duration.ofMillis(10));
        assertEquals(1, taken.size());
    }

    @Test
    void whatIsRefusedAtTheEndAndAfterGoesToTheLastExecutor() {
        HeldExecutor last = new HeldExecutor();
        free = 0;
        executor.execute(() -> ran.add("a"));
        executor.stop(last);
        executor.execute(() -> ran.add("b"));
        assertEquals(List.of(), ran);
        last.runAll();
        assertEquals(List.of("a", "b"), ran);
        free = 10;
        time.advance(Duration.ofSeconds(2));
        executor.execute(() -> ran.add("c"));
        assertEquals(List.of("a", "b", "c"), ran);
    }
}
