package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;

class HeldExecutorTest {
    private final List<String> ran = new ArrayList<>();
    private final List<Runnable> passedOn = new ArrayList<>();

    @Test
    void heldTasksRunInOrderWhenTheTestRunsThem() {
        HeldExecutor executor = new HeldExecutor();
        executor.execute(() -> {
            ran.add("a");
            executor.execute(() -> ran.add("c"));
        });
        executor.execute(() -> ran.add("b"));
        assertEquals(2, executor.size());
        executor.runNext();
        assertEquals(List.of("a"), ran);
        executor.runAll();
        assertEquals(List.of("a", "b", "c"), ran);
        assertThrows(NoSuchElementException.class, executor::runNext);
    }

    @Test
    void tasksArePassedOnUntilTheyAreHeld() {
        HeldExecutor executor = HeldExecutor.passingTo(passedOn::add);
        executor.execute(() -> ran.add("a"));
        executor.hold();
        executor.execute(() -> ran.add("b"));
        assertEquals(1, passedOn.size());
        executor.pass();
        executor.execute(() -> ran.add("c"));
        assertEquals(1, executor.size());
        executor.release();
        passedOn.forEach(Runnable::run);
        assertEquals(List.of("a", "c", "b"), ran);
        assertEquals("HeldExecutor{passes tasks on, holds 0}", executor.toString());
    }
}
