package io.realtime.client.internal.callback;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.testing.HeldExecutor;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SerialExecutorTest {
    private final ManualScheduler time = new ManualScheduler();
    private final HeldExecutor taken = new HeldExecutor();
    private final List<Integer> ran = new ArrayList<>();

    private static Executor failing(Throwable failure) {
        return task -> SerialExecutorTest.<RuntimeException>sneak(failure);
    }

    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <E extends Throwable> void sneak(Throwable failure) throws E {
        throw (E) failure;
    }

    static List<Throwable> failures() {
        return List.of(
                new RejectedExecutionException("full"),
                new IllegalStateException("not ready"),
                new OutOfMemoryError("unable to create native thread"),
                new Exception("sneaky"));
    }

    @ParameterizedTest
    @MethodSource("failures")
    void taskThatExecutorRefusesRunsOnSubstituteInOrder(Throwable failure) {
        SerialExecutor serial =
                new SerialExecutor(failing(failure), taken, again -> time.schedule(Duration.ZERO, again));
        IntStream.range(0, 100).forEach(i -> serial.execute(() -> ran.add(i)));
        taken.runAll();
        assertEquals(IntStream.range(0, 100).boxed().toList(), ran);
    }

    @Test
    void taskWithoutAnyThreadRunsWhenTimerTriesAgain() {
        boolean[] isUp = {false};
        Executor sometimes = task -> {
            if (!isUp[0]) {
                throw new OutOfMemoryError("unable to create native thread");
            }
            taken.execute(task);
        };
        SerialExecutor serial =
                new SerialExecutor(sometimes, sometimes, again -> time.schedule(Duration.ofMillis(100), again));
        serial.execute(() -> ran.add(1));
        serial.execute(() -> ran.add(2));
        time.advance(Duration.ofSeconds(1));
        assertEquals(List.of(), ran);
        isUp[0] = true;
        time.advance(Duration.ofMillis(100));
        assertEquals(1, taken.size());
        taken.runNext();
        assertEquals(List.of(1, 2), ran);
        time.advance(Duration.ofSeconds(1));
        assertEquals(0, time.pending());
        assertTrue(taken.size() == 0);
    }

    @Test
    void taskWithoutThreadOrTimerRunsBeforeTheNext() {
        OutOfMemoryError noMemory = new OutOfMemoryError("unable to create native thread");
        List<Executor> now = new ArrayList<>(List.of(failing(noMemory)));
        SerialExecutor serial = new SerialExecutor(
                task -> now.get(0).execute(task),
                failing(noMemory),
                again -> SerialExecutorTest.<RuntimeException>sneak(noMemory));
        serial.execute(() -> ran.add(1));
        now.set(0, Runnable::run);
        serial.execute(() -> ran.add(2));
        assertEquals(List.of(1, 2), ran);
    }

    @Test
    void turnThatExecutorTookAndRefusedRunsOnce() {
        Executor both = task -> {
            taken.execute(task);
            throw new IllegalStateException("taken all the same");
        };
        SerialExecutor serial = new SerialExecutor(both, taken, again -> {});
        serial.execute(() -> {
            ran.add(1);
            serial.execute(() -> ran.add(3));
            taken.runNext(); // the second copy, on a thread beside this one, say
            ran.add(2);
        });
        taken.runNext();
        assertEquals(List.of(1, 2, 3), ran);
    }

    @Test
    void executorTellsWhetherItsTaskRuns() {
        SerialExecutor serial = new SerialExecutor(taken, Runnable::run, again -> {});
        SerialExecutor other = new SerialExecutor(Runnable::run, Runnable::run, again -> {});
        serial.execute(() -> {
            assertTrue(serial.isRunningHere());
            assertFalse(other.isRunningHere());
            other.execute(() -> assertTrue(serial.isRunningHere() && other.isRunningHere()));
            assertFalse(other.isRunningHere());
            ran.add(1);
        });
        assertFalse(serial.isRunningHere());
        taken.runNext();
        assertFalse(serial.isRunningHere());
        assertEquals(List.of(1), ran);
    }

    /** Cannot be logged. */
    private static final class Unspeakable extends RuntimeException {
        private static final long serialVersionUID = 1L;

        @Override
        @SuppressWarnings("InfiniteRecursion") // that is what cannot be logged
        public String getMessage() {
            return "it is " + getMessage();
        }
    }

    @Test
    void failureThatCannotBeLoggedStopsNoOtherTask() {
        SerialExecutor serial = new SerialExecutor(Runnable::run, Runnable::run, again -> {});
        serial.execute(() -> {
            throw new Unspeakable();
        });
        serial.execute(() -> ran.add(1));
        assertEquals(List.of(1), ran);
    }

    @Test
    void executorRefusalThatCannotBeLoggedLosesNoTask() {
        SerialExecutor serial = new SerialExecutor(failing(new Unspeakable()), Runnable::run, again -> {});
        serial.execute(() -> ran.add(1));
        assertEquals(List.of(1), ran);
    }

    @Test
    void inlineExecutorRunsManyTasksOnShortStack() {
        List<Executor> inline = List.of(Runnable::run, failing(new RejectedExecutionException("full")));
        for (Executor executor : inline) {
            ran.clear();
            SerialExecutor serial = new SerialExecutor(executor, Runnable::run, again -> {});
            int[] deepest = {0};
            serial.execute(() -> {
                for (int i = 0; i < 10_000; i++) {
                    int number = i;
                    serial.execute(() -> {
                        ran.add(number);
                        if (number % 1_000 == 0) {
                            deepest[0] = Math.max(deepest[0], new Throwable().getStackTrace().length);
                        }
                    });
                }
            });
            assertEquals(IntStream.range(0, 10_000).boxed().toList(), ran);
            assertTrue(deepest[0] < 300, "a stack of " + deepest[0]);
        }
    }

    @Test
    void executorRunsOthersBetweenTurns() {
        SerialExecutor serial = new SerialExecutor(taken, Runnable::run, again -> {});
        IntStream.range(0, 100).forEach(i -> serial.execute(() -> ran.add(i)));
        taken.runNext();
        assertEquals(32, ran.size());
        assertEquals(1, taken.size());
    }

    @Test
    void interruptOfTaskReachesNoOtherTask() {
        SerialExecutor serial = new SerialExecutor(taken, Runnable::run, again -> {});
        List<Boolean> interrupted = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            serial.execute(() -> {
                interrupted.add(Thread.currentThread().isInterrupted());
                Thread.currentThread().interrupt();
            });
        }
        taken.runNext();
        assertTrue(Thread.interrupted()); // the thread of the caller stays interrupted
        assertEquals(List.of(false, false, false), interrupted);
    }
}
