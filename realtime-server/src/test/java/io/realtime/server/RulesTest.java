package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.helpers.NOPLogger;

class RulesTest {
    private final ManualScheduler time = new ManualScheduler();
    private final Queue<Runnable> threads = new ArrayDeque<>(); // what would run: the test says when
    private final Pool pool = new Pool("rules", 4, threads::add, time);
    private final ServerCore core = mock(ServerCore.class);
    private final Session ann = mock(Session.class);
    private final List<CompletableFuture<Boolean>> answers = new ArrayList<>();

    private final Rules rules = new Rules(
            core,
            (session, room) -> {
                CompletableFuture<Boolean> answer = new CompletableFuture<>();
                answers.add(answer);
                return answer;
            },
            (session, event, room) -> true,
            null,
            pool);

    @BeforeEach
    void serve() {
        when(core.limits()).thenReturn(Limits.defaults());
        when(core.scheduler()).thenReturn(time);
        when(core.log()).thenReturn(NOPLogger.NOP_LOGGER);
        when(ann.userId()).thenReturn("ann");
    }

    @Test
    void questionThatIsTooLateWaitsForNoThread() {
        for (int i = 0; i < 100; i++) {
            CompletableFuture<Set<String>> forbidden = rules.forbidden(ann, Set.of("a", "b", "c"));
            time.advance(Duration.ofSeconds(6));
            assertEquals(Set.of("a", "b", "c"), forbidden.join());
        }
        assertTrue(pool.waiting() <= 2, () -> pool.waiting() + " wait"); // those that hold a thread of the executor's
    }

    @Test
    void answerThatIsTooLateTakesNoThread() {
        CompletableFuture<Set<String>> forbidden = rules.forbidden(ann, Set.of("a", "b"));
        threads.remove().run();
        time.advance(Duration.ofSeconds(6));
        assertEquals(Set.of("a", "b"), forbidden.join());
        threads.clear();
        answers.get(0).complete(true);
        assertEquals(0, threads.size());
    }
}
